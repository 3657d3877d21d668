"""The lines of the wire contract of ComfyUI's API, but for the sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodetool_core.models.sources.hub import Hub
from tests.models.components.test_networks import files_of
from tests.models.hub_server import HubServer
from tests.models.original_layout import write_single_file
from tests.nodes.huggingface import tiny_pipelines
from tests.server import nodes
from tests.server.comfyui.conftest import (
    TINY,
    accepted,
    broken,
    colour,
    ended,
    images_of,
    lake,
    send,
    waiting,
)
from tests.server.live import LiveServer, opened, png

FAMILY = "stable-diffusion-v1-5/stable-diffusion-v1-5"


def test_text_to_image(server: LiveServer, client: httpx2.Client) -> None:
    prompt_id = accepted(client, lake())
    entry = ended(server, client, prompt_id)
    number, shown_id, graph, _, outputs = entry["prompt"]
    assert isinstance(number, int) and (shown_id, graph, outputs) == (prompt_id, lake(), ["9"])
    assert entry["status"]["status_str"] == "success" and entry["status"]["completed"]
    kinds = [kind for kind, _ in entry["status"]["messages"]]
    assert kinds == ["execution_start", "execution_cached", "execution_success"]
    assert entry["meta"]["9"]["real_node_id"] == "9"
    (image,) = entry["outputs"]["9"]["images"]
    assert image.keys() == {"filename", "subfolder", "type"} and image["type"] == "output"
    assert image["filename"].startswith("ComfyUI_") and image["filename"].endswith("_.png")
    (content,) = images_of(client, entry, "9")
    assert opened(content).size == (64, 64)


def test_the_same_prompt_again_gives_the_same_again(
    server: LiveServer, client: httpx2.Client
) -> None:
    first, second = (ended(server, client, accepted(client, lake(seed=11))) for _ in range(2))
    assert images_of(client, first, "9") == images_of(client, second, "9")
    messages = dict(second["status"]["messages"])
    assert messages["execution_cached"]["nodes"] == ["5"]


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_every_path_is_there_with_and_without_api(client: httpx2.Client, prefix: str) -> None:
    lists = ("embeddings", "models", "extensions", "models/checkpoints")
    objects = ("prompt", "queue", "history", "object_info", "system_stats", "features")
    for path in lists:
        assert isinstance(client.get(f"{prefix}/{path}").json(), list)
    for path in objects:
        assert isinstance(client.get(f"{prefix}/{path}").json(), dict)
    for path in ("queue", "history", "interrupt", "free"):
        assert client.post(f"{prefix}/{path}").status_code == 200
    file = {"image": ("a.png", png())}
    assert client.post(f"{prefix}/upload/image", files=file).json()["name"] == "a.png"
    assert client.post(f"{prefix}/prompt", json={"prompt": colour()}).status_code == 200


def test_a_batch_and_a_preview(server: LiveServer, client: httpx2.Client) -> None:
    graph = lake(seed=3)
    graph["4"]["inputs"]["batch_size"] = 2
    graph["9"]["inputs"]["filename_prefix"] = "2026/11/night view?"
    graph["10"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    entry = ended(server, client, accepted(client, graph))
    first, second = entry["outputs"]["9"]["images"]
    assert first["subfolder"] == second["subfolder"] == "2026/11"
    assert first["filename"].startswith("night view_")
    assert len(set(images_of(client, entry, "9"))) == 2
    assert entry["outputs"]["10"]["images"][0]["type"] == "temp"
    assert images_of(client, entry, "10") == images_of(client, entry, "9")


def test_an_upload_is_what_a_graph_loads(server: LiveServer, client: httpx2.Client) -> None:
    files = {"image": ("photo.png", png(9, 7, (10, 20, 30)))}
    named = client.post("/upload/image", files=files, data={"subfolder": "mine"}).json()
    assert named == {"name": "photo.png", "subfolder": "mine", "type": "input"}
    graph: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "mine/photo.png"}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    }
    for name in ("mine/photo.png", "mine/photo.png [input]"):
        graph["1"]["inputs"]["image"] = name
        entry = ended(server, client, accepted(client, graph))
        image = opened(images_of(client, entry, "3")[0])
        assert (image.size, image.getpixel((0, 0))) == ((9, 7), (245, 235, 225))
    # A result is an input of the next graph.
    result = entry["outputs"]["3"]["images"][0]
    graph["1"]["inputs"]["image"] = f"{result['filename']} [output]"
    again = ended(server, client, accepted(client, graph))
    assert opened(images_of(client, again, "3")[0]).getpixel((0, 0)) == (10, 20, 30)


def test_object_info_says_what_there_is(client: httpx2.Client) -> None:
    found = client.get("/object_info").json()
    assert found["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0] == [TINY]
    sampler = found["KSampler"]["input"]["required"]
    assert "euler" in sampler["sampler_name"][0] and "karras" in sampler["scheduler"][0]
    assert isinstance(found["VAELoader"]["input"]["required"]["vae_name"][0], list)
    assert found["SaveImage"]["output_node"] is True
    assert client.get("/object_info/KSampler").json() == {"KSampler": found["KSampler"]}
    assert client.get("/object_info/Nothing").json() == {}
    assert client.get("/models/checkpoints").json() == [TINY]
    client.post("/upload/image", files={"image": ("known.png", png())})
    loaders = client.get("/object_info/LoadImage").json()["LoadImage"]
    assert "known.png" in loaders["input"]["required"]["image"][0]


def test_files_in_the_folders_of_models_are_named_by_loaders(
    tmp_path: Path,
) -> None:
    tiny = tmp_path / "tiny"
    tiny_pipelines.save(tiny_pipelines.BUILDERS["stable_diffusion"], tiny)
    checkpoints, vae = tmp_path / "models" / "checkpoints" / "sd", tmp_path / "models" / "vae"
    checkpoints.mkdir(parents=True)
    vae.mkdir()
    write_single_file(tiny, checkpoints / "v1-5-pruned-emaonly.safetensors")
    (vae / "ae.safetensors").write_bytes(b"none")
    name, given = "sd/v1-5-pruned-emaonly.safetensors", {"models_dir": (str(tmp_path),)}
    with HubServer() as hub:
        hub.repositories[FAMILY] = files_of(str(tiny))
        online = Hub(tmp_path / "cache", hub.endpoint)
        for allowed in (True, False):
            more = given | {"hub": online, "client_workflows": allowed, "preload": False}
            with (
                LiveServer(tmp_path / str(allowed), {}, device="cpu", **more) as live,
                live.client() as client,
            ):
                info = client.get("/object_info/CheckpointLoaderSimple").json()
                listed = info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
                assert (name in listed) is (name in live.state.catalog.listed) is allowed
                if allowed:
                    assert "ae.safetensors" in client.get("/models/vae").json()
                    graph = lake()
                    graph["1"]["inputs"]["ckpt_name"] = name
                    entry = ended(live, client, accepted(client, graph))
                    assert entry["status"]["status_str"] == "success", entry


def test_system_stats(client: httpx2.Client) -> None:
    stats = client.get("/system_stats").json()
    assert stats["system"]["comfyui_version"] and stats["system"]["argv"] == []
    assert stats["devices"][0].keys() >= {"name", "type", "index", "vram_total", "vram_free"}


def test_a_class_without_counterpart(client: httpx2.Client) -> None:
    graph = colour()
    graph["5"] = {"class_type": "FaceRestore", "inputs": {}}
    refused = send(client, graph)
    assert refused.status_code == 400
    body = refused.json()
    assert body["error"]["type"] == "missing_node_type"
    assert body["node_errors"]["5"]["class_type"] == "FaceRestore"
    (error,) = body["node_errors"]["5"]["errors"]
    assert error.keys() == {"type", "message", "details", "extra_info"}


def test_no_prompt(client: httpx2.Client) -> None:
    body = client.post("/prompt", content=b"{}")
    assert (body.status_code, body.json()["error"]["type"]) == (400, "no_prompt")
    assert not body.json()["node_errors"]


def test_what_can_be_made_is_made(server: LiveServer, client: httpx2.Client) -> None:
    graph = colour(0)
    graph["3"] = {"class_type": "LoadImage", "inputs": {"image": "nothing.png"}}
    graph["4"] = {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}}
    response = send(client, graph)
    assert response.status_code == 200
    errors = response.json()["node_errors"]
    assert list(errors) == ["3"] and errors["3"]["dependent_outputs"] == ["4"]
    entry = ended(server, client, response.json()["prompt_id"])
    assert list(entry["outputs"]) == ["2"]


def test_a_failure_is_in_the_history(server: LiveServer, client: httpx2.Client) -> None:
    entry = ended(server, client, accepted(client, broken()))
    assert entry["status"]["status_str"] == "error" and not entry["status"]["completed"]
    kind, failure = entry["status"]["messages"][-1]
    assert (kind, failure["node_id"], failure["node_type"]) == ("execution_error", "7", "BreakNow")
    assert failure["exception_message"] and "hunter2" not in str(entry)
    assert failure["traceback"] == [] and entry["outputs"] == {}


def test_what_is_done_otherwise_is_said(server: LiveServer, client: httpx2.Client) -> None:
    response = send(client, lake(sampler_name="dpm_fast"))
    assert "scheduler is used" in response.json()["warnings"]["5"][0]
    entry = ended(server, client, response.json()["prompt_id"])
    assert entry["warnings"] == response.json()["warnings"]


def test_a_prompt_has_the_id_of_its_client(server: LiveServer, client: httpx2.Client) -> None:
    own = "0b9c3f6e-6f43-4a6e-9b0e-8c1a2d3e4f50"
    assert accepted(client, colour(7), prompt_id=own, client_id="somebody") == own
    entry = ended(server, client, own)
    assert entry["prompt"][1] == own and entry["prompt"][3] == {"client_id": "somebody"}
    assert accepted(client, colour(7), prompt_id=own, client_id="somebody") == own
    other = send(client, colour(8), prompt_id=own)
    assert (other.status_code, other.json()["error"]["type"]) == (409, "idempotency_conflict")


def test_the_queue(server: LiveServer, client: httpx2.Client) -> None:
    door = nodes.DOORS["comfy-queue"]
    runs = accepted(client, waiting("comfy-queue"))
    assert door.came.acquire(timeout=20)
    waits = [accepted(client, colour(value)) for value in (1, 2)]
    first = accepted(client, colour(3), front=True)
    assert client.get("/prompt").json() == {"exec_info": {"queue_remaining": 4}}
    queue = client.get("/queue").json()
    assert [one[1] for one in queue["queue_running"]] == [runs]
    assert {one[1] for one in queue["queue_pending"]} == {*waits, first}
    assert client.get(f"/history/{runs}").json() == {}
    assert client.post("/queue", json={"delete": waits[:1]}).status_code == 200
    assert client.post("/interrupt", json={"prompt_id": waits[1]}).status_code == 200
    left = client.get("/queue").json()
    assert {one[1] for one in left["queue_pending"]} == {waits[1], first}
    client.post("/queue", json={"clear": True})
    assert client.get("/queue").json()["queue_pending"] == []
    client.post("/interrupt")
    entry = ended(server, client, runs)
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"
    assert entry["status"]["messages"][-1][1]["node_id"] in ("", "7")
    assert door.left.acquire(timeout=20)


def test_prompts_at_the_front_are_run_first(server: LiveServer, client: httpx2.Client) -> None:
    door = nodes.DOORS["comfy-front"]
    accepted(client, waiting("comfy-front"))
    assert door.came.acquire(timeout=20)
    ids = [accepted(client, colour(100)), accepted(client, colour(101), number=-1)]
    door.open.set()
    for one in ids:
        ended(server, client, one)
    started = [server.state.jobs.get(one).started for one in ids]
    assert started[1] < started[0]  # type: ignore[operator]


def test_the_history_is_read_in_parts_and_removed(
    server: LiveServer, client: httpx2.Client
) -> None:
    client.post("/history", json={"clear": True})
    assert client.get("/history").json() == {}
    ids = [accepted(client, colour(value)) for value in range(4)]
    for one in ids:
        ended(server, client, one)
    assert list(client.get("/history").json()) == ids
    assert list(client.get("/history", params={"max_items": 2}).json()) == ids[2:]
    part = client.get("/history", params={"max_items": 2, "offset": 1}).json()
    assert list(part) == ids[1:3]
    client.post("/history", json={"delete": [ids[1], "nothing"]})
    assert list(client.get("/history").json()) == [ids[0], *ids[2:]]


@pytest.mark.parametrize("content", [b"", b'{"unload_models": true, "free_memory": true}'])
def test_free(client: httpx2.Client, content: bytes) -> None:
    assert client.post("/free", content=content).status_code == 200


def test_targets(server: LiveServer, client: httpx2.Client) -> None:
    graph = colour(5)
    graph["3"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    prompt_id = accepted(client, graph, partial_execution_targets=["3"])
    assert list(ended(server, client, prompt_id)["outputs"]) == ["3"]
    assert send(client, graph, partial_execution_targets=["1"]).status_code == 400


def test_the_operator_allows_graphs(serve_graphs: Callable[..., LiveServer]) -> None:
    with serve_graphs(client_workflows=False).client() as client:
        refused = send(client, colour())
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "not_allowed")
        assert "client_workflows" in refused.json()["error"]["details"]
        assert client.get("/object_info").status_code == 200


WRONG: list[tuple[dict[str, Any], int]] = [
    ({"client_id": 5}, 400),
    ({"client_id": "x" * 300}, 400),
    ({"prompt_id": "../x y"}, 400),
    ({"extra_data": []}, 400),
    ({"number": "first"}, 400),
    ({"partial_execution_targets": "9"}, 400),
    ({"prompt": []}, 400),
    ({"prompt": {"1": []}}, 400),
    ({"prompt": {"1": {"inputs": {}}}}, 400),
    ({"prompt": {"1": {"class_type": "EmptyImage", "inputs": {}}}}, 400),
    ({"prompt": {str(one): {} for one in range(1001)}}, 413),
    ({"prompt": {"1": {"class_type": "x", "inputs": {"a": "x" * 2**20}}}}, 413),
]


@pytest.mark.parametrize(("more", "status"), WRONG, ids=range(len(WRONG)))
def test_what_can_not_be_meant(client: httpx2.Client, more: dict[str, Any], status: int) -> None:
    response = client.post("/prompt", json={"prompt": colour(), **more})
    assert response.status_code == status, response.text
    assert response.json().keys() == {"error", "node_errors"}


def test_a_mark_in_a_graph_is_no_mark_of_the_server(
    client: httpx2.Client, server: LiveServer
) -> None:
    """What its client writes into a graph keeps no prompt beyond its time."""
    prompt_id = accepted(client, colour(9, kept=True))
    ended(server, client, prompt_id)
    server.state.jobs.files.purge(-1)
    assert client.get(f"/history/{prompt_id}").json() == {}
