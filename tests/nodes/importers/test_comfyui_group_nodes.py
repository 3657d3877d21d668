"""Group nodes of ComfyUI's editor, from before it had subgraphs."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from nodetool_core.importing.draft import Grade
from tests.nodes.importers.conftest import edges, from_content, said, values


def slot(name: str, kind: str, link: int | None = None) -> dict[str, Any]:
    return {"name": name, "type": kind, "link": link}


def canvas_node(number: int, kind: str, fields: list[Any], *slots: Any) -> dict[str, Any]:
    """Return a node as the editor saves it; its outputs are not read."""
    inputs = [*slots]
    return {"id": number, "type": kind, "inputs": inputs, "outputs": [], "widgets_values": fields}


def inner(number: int, kind: str, fields: list[Any], inputs: str, outputs: str) -> dict[str, Any]:
    return {
        **{"index": number, "type": kind, "widgets_values": fields},
        "inputs": [slot(name, name.upper()) for name in inputs.split()],
        "outputs": [slot(name, name.upper()) for name in outputs.split()],
    }


GROUP = {
    "nodes": [
        inner(0, "CLIPTextEncode", ["of the group"], "clip", "conditioning"),
        inner(1, "CLIPTextEncode", ["blurry"], "clip", "conditioning"),
        inner(2, "EmptyLatentImage", [512, 768, 1], "", "latent"),
        inner(
            *(3, "KSampler", [7, "fixed", 20, 8, "euler", "normal", 1]),
            *("model positive negative latent_image", "latent"),
        ),
    ],
    "links": [
        *([0, 0, 3, 1, 1, "CONDITIONING"], [1, 0, 3, 2, 2, "CONDITIONING"]),
        [2, 0, 3, 3, 3, "LATENT"],
    ],
    "external": [],
    "config": {
        "2": {"input": {name: {"visible": False} for name in ("width", "height", "batch_size")}},
        "3": {"input": {"seed": {"visible": False}}},
    },
}
SHOWN = ["stars", "people", 12, 6.5, "euler", "normal", 1]
CONTENT: Any = {
    "nodes": [
        canvas_node(1, "CheckpointLoaderSimple", ["a.safetensors"]),
        canvas_node(
            *(2, "workflow/Draw", SHOWN),
            *(slot("clip", "CLIP", 1), slot("CLIPTextEncode clip", "CLIP", 2)),
            slot("model", "MODEL", 3),
        ),
        canvas_node(3, "VAEDecode", [], slot("samples", "LATENT", 4), slot("vae", "VAE", 5)),
        canvas_node(4, "SaveImage", ["x"], slot("images", "IMAGE", 6)),
    ],
    "links": [
        *([1, 1, 1, 2, 0, "CLIP"], [2, 1, 1, 2, 1, "CLIP"], [3, 1, 0, 2, 2, "MODEL"]),
        *([4, 2, 0, 3, 0, "LATENT"], [5, 1, 2, 3, 1, "VAE"], [6, 3, 0, 4, 0, "IMAGE"]),
    ],
    "extra": {"groupNodes": {"Draw": GROUP}},
    "version": 0.4,
}


@pytest.mark.parametrize("prefix", ["workflow/", "workflow>"])
def test_the_nodes_inside_run_with_the_values_of_the_form(prefix: str) -> None:
    content = copy.deepcopy(CONTENT)
    content["nodes"][1]["type"] = f"{prefix}Draw"
    result = from_content(content)
    assert said(result) == [] and result.grade is Grade.WHOLE
    made = values(result, "2:3")
    wanted = {"prompt": "stars", "negative_prompt": "people", "num_inference_steps": 12, "seed": 7}
    assert made | wanted | {"guidance_scale": 6.5, "height": 768} == made
    assert {"1.output > 2:3.model", "2:3.output > 4.value"} <= edges(result)


def test_a_form_of_another_length_leaves_the_node_named_as_lost() -> None:
    content = copy.deepcopy(CONTENT)
    content["nodes"][1]["widgets_values"].pop()
    with pytest.raises(Exception, match=r"has no output that can be imported") as caught:
        from_content(content)
    assert "workflow/Draw (2)" in str(caught.value.args) + str(
        getattr(caught.value, "problems", "")
    )
