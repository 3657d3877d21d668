"""Workflows that the tests edit."""

from __future__ import annotations

from typing import Any

import httpx2

from nodetool_core.workflow import WorkflowDocument


def document(nodes: dict[str, tuple[str, dict[str, Any]]], edges: list[str]) -> WorkflowDocument:
    """Return a workflow; an edge is written `blur.output > out.value`."""
    links = []
    for edge in edges:
        source, target = (end.strip().rsplit(".", 1) for end in edge.split(">"))
        links.append(
            {
                "source": source[0],
                "sourceHandle": source[1],
                "target": target[0],
                "targetHandle": target[1],
            }
        )
    records = [
        {
            "id": name,
            "type": node_type,
            "data": data,
            "ui_properties": {"position": {"x": 320 * number, "y": 0}},
        }
        for number, (name, (node_type, data)) in enumerate(nodes.items())
    ]
    return WorkflowDocument.from_json({"graph": {"nodes": records, "edges": links}})


def blur(radius: Any = 2.0) -> WorkflowDocument:
    """Return a photo that is blurred, then inverted."""
    photo = {"name": "photo", "value": {"type": "image", "uri": "photo.png"}}
    return document(
        {
            "photo": ("nodetool.input.ImageInput", photo),
            "blur": ("lib.pillow.filter.Blur", {"radius": radius}),
            "invert": ("lib.pillow.filter.Invert", {}),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["photo.output > blur.image", "blur.output > invert.image", "invert.output > out.value"],
    )


BLUR = blur()


def ended(client: httpx2.Client, edited: WorkflowDocument, **more: Any) -> dict[str, Any]:
    """Run a workflow, and return its job once it has ended."""
    answer = client.post("/v1/runs", json={"workflow": edited.to_json(), "name": "blur", **more})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = client.get(f"/v1/jobs/{answer.json()['id']}?wait=60").json()
    return job
