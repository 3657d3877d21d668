"""Models on disk: listed, fetched with progress, stopped, removed; a Hub on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.editor.conftest import LiveEditor
from tests.editor.documents import document, ended
from tests.models.hub_server import HubServer

ROOT = Path(__file__).parents[2]
SHIPPED = "nodetool/tiny-landscapes"
MODEL, OTHER = "owner/landscapes", "owner/more-landscapes"


class SlowHub(HubServer):
    """Gives weights out only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.command == "GET" and "safetensors" in request.path:
            self.go.wait(60)
        super()._answer(request)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowHub]:
    """Return a Hub that has the shipped model under another name, and an empty cache."""
    directory = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
    with SlowHub() as server:
        files = {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in directory.rglob("*")
            if path.is_file()
        }
        server.repositories |= {MODEL: files, OTHER: files}
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            server.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        )
        yield server
        server.go.set()


def listed(owner: httpx2.Client) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in owner.get("/v1/local-models").json()["models"]}


@pytest.fixture
def told(owner: httpx2.Client, editor: LiveEditor) -> Iterator[Callable[..., dict[str, Any]]]:
    """Yield a function that reads events of a model until one fits, or it has ended."""
    with editor.owner() as other, other.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        next(lines)

        def told_(name: str, *, ended: bool = False) -> dict[str, Any]:
            for line in lines:
                event: dict[str, Any] = json.loads(line[6:]) if line.startswith("data: ") else {}
                if event.get("id") == name and ("state" in event or not ended):
                    return event
            raise AssertionError("the stream ended")

        yield told_


def test_what_ships_is_listed_with_what_it_does(owner: httpx2.Client, hub: SlowHub) -> None:
    found = listed(owner)[SHIPPED]
    assert found["ships"] and found["on_disk"] and found["size"] > 1_000_000
    assert "image-to-image" in found["tasks"] and found["family"] == "StableDiffusion"
    refused = owner.delete(f"/v1/local-models/{SHIPPED}")
    assert refused.status_code == 409 and refused.json()["problems"][0]["code"] == "model_ships"


def test_a_model_is_fetched_with_progress_and_removed(
    owner: httpx2.Client, hub: SlowHub, told: Callable[..., dict[str, Any]]
) -> None:
    hub.go.clear()
    assert owner.post("/v1/local-models/pull", json={"id": MODEL}).status_code == 202
    assert told(MODEL)["bytes"] >= 0, "how far it is comes first"
    hub.go.set()
    assert told(MODEL, ended=True)["state"] == "done"
    assert listed(owner)[MODEL]["on_disk"]
    assert listed(owner)[MODEL]["used_by"] == []
    removed = owner.delete(f"/v1/local-models/{MODEL}")
    assert removed.status_code == 200 and removed.json()["bytes"] > 1_000_000
    assert MODEL not in listed(owner)
    assert owner.delete(f"/v1/local-models/{MODEL}").status_code == 404
    owner.post("/v1/local-models/pull", json={"id": MODEL})
    assert told(MODEL, ended=True)["state"] == "done"
    assert MODEL in listed(owner), "what was removed is fetched again"


def test_a_pull_is_stopped_and_begun_once(
    owner: httpx2.Client, hub: SlowHub, told: Callable[..., dict[str, Any]]
) -> None:
    hub.go.clear()
    for _ in range(2):
        assert owner.post("/v1/local-models/pull", json={"id": OTHER}).status_code == 202
    told(OTHER)
    refused = owner.delete(f"/v1/local-models/{OTHER}")
    assert refused.status_code in (404, 409), "it is not here, or not yet"
    assert owner.delete(f"/v1/local-models/pull/{OTHER}").status_code == 204
    hub.go.set()
    assert told(OTHER, ended=True)["state"] == "cancelled"


@pytest.mark.parametrize(
    ("name", "code"), [("owner/nothing", "model_not_found"), ("not an id", "model_id_malformed")]
)
def test_what_is_no_model_is_told(
    owner: httpx2.Client,
    hub: SlowHub,
    told: Callable[..., dict[str, Any]],
    name: str,
    code: str,
) -> None:
    answer = owner.post("/v1/local-models/pull", json={"id": name})
    if answer.status_code == 202:
        assert told(name, ended=True)["problem"]["code"] == code
    else:
        assert answer.status_code == 422 and answer.json()["problems"][0]["code"] == code


def test_a_model_says_where_it_is_loaded_and_when_it_was_read(owner: httpx2.Client) -> None:
    draw = ("huggingface.text_to_image.TextToImage", {"num_inference_steps": 1, "seed": 1})
    out = ("nodetool.output.Output", {"name": "result"})
    ended(owner, document({"draw": draw, "out": out}, ["draw.output > out.value"]))
    loaded, other = listed(owner)[SHIPPED], listed(owner)["nodetool/tiny-upscaler"]
    assert loaded["loaded"] and loaded["devices"] == ["cpu"]
    assert not other["loaded"] and other["devices"] == []
    weights = ROOT / "nodes/huggingface/weights/tiny-landscapes"
    read = max(path.stat().st_atime for path in weights.rglob("*.safetensors"))
    assert loaded["used"] == pytest.approx(read)
