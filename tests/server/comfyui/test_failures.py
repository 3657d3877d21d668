"""
Each failure in ComfyUI's form.

Bad token, unknown model, bad image, too large, busy, cold, cancelled, database away, disk full.
Cancelled prompts and bad tokens are in test_sockets.py and test_files.py as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from nodetool_core.models.sources.hub import Hub
from tests.server import nodes
from tests.server.comfyui.conftest import accepted, colour, ended, lake, send, waiting
from tests.server.comfyui.test_sockets import SECONDS, connected, run, sent, until_end
from tests.server.live import LiveServer, png
from tests.server.runtime.test_health import Away
from tests.server.runtime.test_warmup import StallingHub

MODEL = "somebody/tiny"


def refused(response: httpx2.Response, status: int, kind: str) -> httpx2.Response:
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"error", "node_errors"}
    assert body["error"].keys() == {"type", "message", "details", "extra_info"}
    assert body["error"]["type"] == kind and body["error"]["message"]
    if status in (429, 503, 507):
        assert int(response.headers["retry-after"]) >= 1
    return response


def test_bad_token(serve_graphs: Callable[..., LiveServer]) -> None:
    with serve_graphs(token="right-token-of-all").client(Authorization="Bearer wrong") as client:
        refused(send(client, colour()), 401, "unauthorized")
        refused(client.get("/api/history"), 401, "unauthorized")


def test_unknown_model(client: httpx2.Client) -> None:
    graph = lake()
    graph["1"]["inputs"]["ckpt_name"] = "sd_xl_base_1.0.safetensors"
    response = refused(send(client, graph), 400, "prompt_outputs_failed_validation")
    (error,) = response.json()["node_errors"]["1"]["errors"]
    assert error["type"] == "value_not_in_list" and "sd_xl_base" in error["details"]
    assert response.json()["node_errors"]["1"]["dependent_outputs"] == ["9"]


def test_bad_image_and_too_large(client: httpx2.Client) -> None:
    def upload(content: bytes) -> httpx2.Response:
        return client.post("/upload/image", files={"image": ("a.png", content)})

    refused(upload(png(200, 200, format="JPEG")[:150]), 400, "truncated_image")
    refused(upload(bytes(3 * 2**20)), 413, "body_too_large")
    refused(upload(png(9000, 9000, 0, "1")), 413, "image_too_large")


def test_busy(serve_graphs: Callable[..., LiveServer]) -> None:
    door, live = nodes.DOORS["comfy-busy"], serve_graphs(job_queue=1)
    with live.client() as client:
        first = accepted(client, waiting("comfy-busy"))
        assert door.came.acquire(timeout=SECONDS)
        second = accepted(client, colour(1))
        refused(send(client, colour(2)), 429, "queue_full")
        door.open.set()
        for one in (first, second):
            ended(live, client, one)


def test_asked_too_often(serve_graphs: Callable[..., LiveServer]) -> None:
    with serve_graphs(rate=0.01, burst=3).client() as client:
        answers = [client.get("/queue") for _ in range(4)]
    assert [one.status_code for one in answers[:2]] == [200, 200]
    refused(answers[-1], 429, "rate_limited")


def test_cold(serve_graphs: Callable[..., LiveServer], tmp_path: Path) -> None:
    """A model that is not there yet is waited for: the prompt is taken, and reported to its end."""
    with StallingHub() as hub:
        hub.repositories[MODEL] = {}
        live = serve_graphs(
            models=(MODEL,),
            hub=Hub(endpoint=hub.endpoint, cache_dir=tmp_path / "hub"),
            device="cpu",
            preload=False,
        )
        graph = lake()
        graph["1"]["inputs"]["ckpt_name"] = MODEL

        async def work(client: httpx2.Client) -> list[str]:
            async with connected(live, "cold") as ws:
                prompt_id = await sent(client, graph, client_id="cold")
                hub.go.set()
                return [kind for kind, _ in await until_end(ws, prompt_id)]

        with live.client() as client:
            reported = run(lambda: work(client))
    assert reported[-2:] == ["execution_error", "executing"]


@pytest.mark.parametrize("path", ["/prompt", "/queue", "/history", "/history/x", "/object_info"])
def test_database_away(serve_graphs: Callable[..., LiveServer], tmp_path: Path, path: str) -> None:
    folder = tmp_path / "database"
    live = serve_graphs(database=str(folder / "jobs.sqlite"), job_workers=0)
    with live.client() as client, Away(live, folder):
        refused(send(client, colour()), 503, "database_failed")
        refused(client.get(path), 503, "database_failed")
        files = {"image": ("a.png", png())}
        refused(client.post("/upload/image", files=files), 503, "database_failed")


def test_a_socket_outlives_a_database_that_is_away(
    serve_graphs: Callable[..., LiveServer], tmp_path: Path
) -> None:
    folder = tmp_path / "database"
    live = serve_graphs(database=str(folder / "jobs.sqlite"))

    async def work(client: httpx2.Client) -> None:
        async with connected(live, "away") as ws:
            with Away(live, folder):
                answer = await asyncio.to_thread(send, client, colour())
                refused(answer, 503, "database_failed")
            await until_end(ws, await sent(client, colour(), client_id="away"))

    with live.client() as client:
        run(lambda: work(client))


def test_disk_full(serve_graphs: Callable[..., LiveServer]) -> None:
    live = serve_graphs(spare_bytes=2**60)
    with live.client() as client:
        files = {"image": ("a.png", png())}
        refused(client.post("/upload/image", files=files), 507, "storage_full")
        entry = ended(live, client, accepted(client, colour()))
    kind, failure = entry["status"]["messages"][-1]
    assert (kind, failure["exception_type"]) == ("execution_error", "storage_full")
