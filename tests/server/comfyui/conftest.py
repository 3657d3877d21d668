"""A server of ComfyUI's API, and graphs of its classes and of two that wait and fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodes.importers.comfyui.rules import RULES, Step
from tests.server import nodes
from tests.server.live import LiveServer

TINY = "nodetool/tiny-landscapes"

LAKE: Mapping[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": TINY}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lake", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["3", 0],
            "latent_image": ["4", 0],
            "seed": 5,
            "steps": 3,
            "cfg": 4.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
        },
    },
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "9": {
        "class_type": "SaveImage",
        "inputs": {"images": ["8", 0], "filename_prefix": "ComfyUI"},
        "_meta": {"title": "Save Image"},
    },
}
"""Text to image, as ComfyUI's own first graph is."""


def colour(value: int = 255, **more: Any) -> dict[str, Any]:
    """Return a graph that needs no model: an image of one colour."""
    inputs = {"width": 8, "height": 6, "batch_size": 1, "color": value}
    return {
        "1": {"class_type": "EmptyImage", "inputs": inputs | more},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "ComfyUI"},
            "_meta": {"title": "Save Image"},
        },
    }


def waiting(door: str) -> dict[str, Any]:
    """Return a graph that runs until a door is opened."""
    graph = colour()
    graph["7"] = {"class_type": "WaitAtDoor", "inputs": {"image": ["1", 0], "door": door}}
    graph["2"]["inputs"]["images"] = ["7", 0]
    return graph


def broken() -> dict[str, Any]:
    """Return a graph that fails as it runs."""
    graph = colour()
    graph["7"] = {"class_type": "BreakNow", "inputs": {"image": ["1", 0]}}
    graph["2"]["inputs"]["images"] = ["7", 0]
    return graph


def lake(**inputs: Any) -> dict[str, Any]:
    """Return the graph of text to image, with inputs of its sampler."""
    graph = deepcopy(dict(LAKE))
    graph["5"]["inputs"] |= inputs
    return graph


@pytest.fixture(scope="package", autouse=True)
def classes_of_nodes() -> Iterator[None]:
    """Two classes of custom nodes: what is known of them is their rule alone."""
    with pytest.MonkeyPatch.context() as changed:
        for name, node, inputs in (
            ("WaitAtDoor", nodes.Wait, ("image", "door")),
            ("BreakNow", nodes.Break, ("image",)),
        ):
            rule = Step(node.spec.node_type, {one: one for one in inputs})
            changed.setitem(RULES, name, rule)
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(
        tmp_path_factory.mktemp("comfyui"),
        {"paint": nodes.paint()},
        nodes=nodes.NODES,
        models=(TINY,),
        client_workflows=True,
        preload=False,
        max_body_bytes=2 * 2**20,
        max_pixels=2 * 10**6,
    ) as live:
        yield live


@pytest.fixture
def serve_graphs(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Yield a function that starts a server that takes graphs."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(**settings: Any) -> LiveServer:
            given = {"client_workflows": True, **settings}
            live = LiveServer(tmp_path, {"paint": nodes.paint()}, nodes=nodes.NODES, **given)
            return stack.enter_context(live)

        yield make


def send(client: httpx2.Client, graph: Mapping[str, Any], **more: Any) -> httpx2.Response:
    """Send a prompt as urllib does: bytes, without a content type that means anything."""
    body = json.dumps({"prompt": graph, **more}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.post("/prompt", content=body, headers=headers)


def accepted(client: httpx2.Client, graph: Mapping[str, Any], **more: Any) -> str:
    """Send a prompt and return its id."""
    response = send(client, graph, **more)
    assert response.status_code == 200, response.text
    assert response.json().keys() >= {"prompt_id", "number", "node_errors"}
    return str(response.json()["prompt_id"])


def ended(live: LiveServer, client: httpx2.Client, prompt_id: str) -> dict[str, Any]:
    """Wait for a prompt to end; return its entry of the history."""
    jobs = live.state.jobs
    job = next(
        (one for one in jobs.list(limit=100) if one.idempotency_key == prompt_id), None
    ) or jobs.get(prompt_id)
    jobs.wait(job.id, 60)
    entry: dict[str, Any] = client.get(f"/history/{prompt_id}").json()[prompt_id]
    return entry


def images_of(client: httpx2.Client, entry: Mapping[str, Any], node: str) -> list[bytes]:
    """Return the files that a node gave."""
    found = []
    for image in entry["outputs"][node]["images"]:
        response = client.get("/view", params=image)
        assert response.status_code == 200, response.text
        found.append(response.content)
    return found
