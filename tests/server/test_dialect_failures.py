"""
Each failure in each dialect's own form.

Bad token, unknown model, bad image, too large, busy, cold, cancelled, database away, disk full.
ComfyUI's, whose requests are graphs, are in tests/server/comfyui.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from nodetool_core.errors import Problem
from nodetool_core.models.sources.hub import Hub
from nodetool_core.server.a1111.errors import show_failure as show_a1111
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.runtime import health
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.qolaba.conftest import KEYS as QOLABA_KEYS
from tests.server.runtime.test_health import Away
from tests.server.runtime.test_warmup import StallingHub
from tests.server.v1.test_workflows import data_uri

MODEL = "somebody/tiny"

Answers = list[httpx2.Response]


@dataclass(frozen=True)
class Spoken:
    """How a dialect asks for an image of an image, and how it shows failures."""

    ask: Callable[[httpx2.Client, str, bytes], httpx2.Response]
    read: Callable[[httpx2.Response], tuple[str, str]]
    """Returns the code and the text of a failure, once its form is as it should be."""
    keeps: bool = False
    """Whether results are kept before they are answered."""
    is_job: bool = False
    """
    Whether a request is a job: it waits in the queue of jobs, and what becomes of its run is in the
    answer. How that is shown is tested beside the dialect.
    """
    answers_runs: bool = False
    """Whether what becomes of a call, once it is understood, is an answer with 200."""


def ask_openai(client: httpx2.Client, model: str, image: bytes) -> httpx2.Response:
    given = {"prompt": model, "model": model, "response_format": "url"}
    return client.post("/v1/images/edits", data=given, files={"image": ("a.png", image)})


def read_openai(response: httpx2.Response) -> tuple[str, str]:
    assert response.json().keys() == {"error"}
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    types = {401: "authentication_error", 429: "rate_limit_error"}
    expected = "server_error" if response.status_code >= 500 else "invalid_request_error"
    assert error["type"] == types.get(response.status_code, expected)
    return error["code"], error["message"]


def ask_a1111(client: httpx2.Client, model: str, image: bytes) -> httpx2.Response:
    body = {
        "prompt": model,
        "init_images": [base64.b64encode(image).decode()],
        "override_settings": {"sd_model_checkpoint": model},
    }
    return client.post("/sdapi/v1/img2img", json=body)


def read_a1111(response: httpx2.Response) -> tuple[str, str]:
    body = response.json()
    assert body.keys() == {"error", "detail", "body", "errors"}
    assert isinstance(body["detail"], list if response.status_code == 422 else str)
    return body["error"], body["errors"]


def ask_replicate(client: httpx2.Client, model: str, image: bytes) -> httpx2.Response:
    body = {"input": {"image": data_uri(image)}}
    path = f"/replicate/v1/models/nodetool/{model}/predictions"
    return client.post(path, json=body, headers={"Prefer": "wait"})


def read_replicate(response: httpx2.Response) -> tuple[str, str]:
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert body.keys() - {"invalid_fields"} == {"title", "detail", "status", "code"}
    assert body["status"] == response.status_code and body["title"]
    return body["code"], body["detail"]


def ask_qolaba(client: httpx2.Client, model: str, image: bytes) -> httpx2.Response:
    return client.post("/getImagetoImage", json={"app_id": model, "image": data_uri(image)})


def read_qolaba(response: httpx2.Response) -> tuple[str, str]:
    body = response.json()
    assert body.keys() == QOLABA_KEYS and body["status"] == "FAILED"
    return body["error_data"]["problems"][0]["code"], body["error"]


def ask_mcp(client: httpx2.Client, model: str, image: bytes) -> httpx2.Response:
    meta = {"protocolVersion": "2026-07-28", "clientCapabilities": {}}
    params = {
        "name": model,
        "arguments": {"image": data_uri(image)},
        "_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": model,
    }
    return client.post("/mcp", json=body, headers=headers)


def read_mcp(response: httpx2.Response) -> tuple[str, str]:
    body = json.loads(response.text.rpartition("data: ")[2])
    assert body["jsonrpc"] == "2.0"
    if "result" in body:
        assert body["result"]["isError"]
        (content,) = body["result"]["content"]
        found = body["result"]["structuredContent"]
        assert content["text"] == found["error"]
        return found["problems"][0]["code"], content["text"]
    error = body["error"]
    code = error["data"]["problems"][0]["code"] if "data" in error else str(error["code"])
    return code, error["message"]


def ask_hugging_face(client: httpx2.Client, model: str, image: bytes) -> httpx2.Response:
    return client.post(f"/models/{model}", content=image, headers={"x-wait-for-model": "true"})


def ask_nodetool(client: httpx2.Client, model: str, image: bytes) -> httpx2.Response:
    body = {"inputs": {"image": data_uri(image)}}
    return client.post(f"/v1/workflows/{model}/runs", json=body)


def read_plain(response: httpx2.Response) -> tuple[str, str]:
    body = response.json()
    assert isinstance(body["error"], str)
    return body["problems"][0]["code"], body["error"]


SPOKEN = {
    "openai": Spoken(ask_openai, read_openai, keeps=True),
    "a1111": Spoken(ask_a1111, read_a1111),
    "replicate": Spoken(ask_replicate, read_replicate, keeps=True, is_job=True),
    "mcp": Spoken(ask_mcp, read_mcp, keeps=True, answers_runs=True),
    "huggingface": Spoken(ask_hugging_face, read_plain),
    "qolaba": Spoken(ask_qolaba, read_qolaba, keeps=True, is_job=True),
    "nodetool": Spoken(ask_nodetool, read_plain, keeps=True),
}
CODES = {
    "openai": {
        "unauthorized": "invalid_api_key",
        "unknown_workflow": "model_not_found",
        "body_too_large": "request_too_large",
        "queue_full": "rate_limit_exceeded",
        "database_failed": "service_unavailable",
    },
    "mcp": {"unknown_workflow": "-32602"},
    "qolaba": {"unknown_workflow": "unknown_app"},
}
STATUSES = {
    "mcp": {"unknown_workflow": 400},
    "qolaba": {"unknown_workflow": 422},
}
BEFORE_THE_CALL = ("unauthorized", "body_too_large", "unknown_workflow")
"""Failures of requests of which it is not known what they call."""

every_dialect = pytest.mark.parametrize("name", SPOKEN)
every_waiting_dialect = pytest.mark.parametrize(
    "name", [name for name, spoken in SPOKEN.items() if not spoken.is_job]
)
every_job = pytest.mark.parametrize(
    "name", [name for name, spoken in SPOKEN.items() if spoken.is_job]
)


def refused(name: str, response: httpx2.Response, status: int, code: str) -> httpx2.Response:
    is_answer = SPOKEN[name].answers_runs and code not in BEFORE_THE_CALL
    expected = 200 if is_answer else STATUSES.get(name, {}).get(code, status)
    assert response.status_code == expected, response.text
    found, text = SPOKEN[name].read(response)
    assert found == CODES.get(name, {}).get(code, code)
    assert text
    if expected in (429, 503, 507):
        assert int(response.headers["retry-after"]) >= 1
    return response


@contextmanager
def asked(live: LiveServer, name: str, model: str) -> Iterator[tuple[httpx2.Client, Answers]]:
    """Ask for an image; its node is at work in the block, and the answer is there after it."""
    answers: Answers = []
    with live.client() as client:
        asking = threading.Thread(
            target=lambda: answers.append(SPOKEN[name].ask(client, model, png()))
        )
        asking.start()
        assert nodes.DOORS[model].came.acquire(timeout=20)
        yield client, answers
        asking.join(20)


@every_dialect
def test_bad_token(serve: Callable[..., LiveServer], name: str) -> None:
    with serve(token="right-token").client(Authorization="Bearer wrong") as client:
        refused(name, SPOKEN[name].ask(client, "paint", png()), 401, "unauthorized")


@every_dialect
def test_unknown_model(client: httpx2.Client, name: str) -> None:
    refused(name, SPOKEN[name].ask(client, "nothing", png()), 404, "unknown_workflow")


@every_dialect
def test_bad_image(client: httpx2.Client, name: str) -> None:
    # What can't be said to be an image by its first bytes, and one that is cut off.
    for image in (b"no image", png(200, 200, format="JPEG")[:150]):
        response = SPOKEN[name].ask(client, "paint", image)
        assert response.status_code == (200 if SPOKEN[name].answers_runs else 400), response.text
        code, _ = SPOKEN[name].read(response)
        assert code in ("not_an_image", "truncated_image", "invalid_image"), code


@every_dialect
def test_too_large(client: httpx2.Client, name: str) -> None:
    response = SPOKEN[name].ask(client, "paint", bytes(3 * 2**20))
    refused(name, response, 413, "body_too_large")
    wide = SPOKEN[name].ask(client, "paint", png(9000, 9000, 0, "1"))
    refused(name, wide, 413, "image_too_large")


@every_waiting_dialect
def test_busy(serve: Callable[..., LiveServer], name: str) -> None:
    model = f"busy-{name}"
    door, live = nodes.DOORS[model], serve({model: nodes.wait(model)}, concurrency=1, queue=0)
    with asked(live, "nodetool", model) as (client, _):
        refused(name, SPOKEN[name].ask(client, model, png(9)), 429, "queue_full")
        door.open.set()


@every_job
def test_a_full_queue_of_jobs(serve: Callable[..., LiveServer], name: str) -> None:
    model = f"full-{name}"
    door, live = nodes.DOORS[model], serve({model: nodes.wait(model)}, job_queue=1)
    with live.client() as client:
        for number in range(2):
            body = {"inputs": {"image": data_uri(png(9 + number))}, "wait": False}
            assert client.post(f"/v1/workflows/{model}/runs", json=body).status_code == 202
            assert number or door.came.acquire(timeout=20)
        refused(name, SPOKEN[name].ask(client, model, png(12)), 429, "queue_full")
        door.open.set()


@every_job
def test_a_job_that_is_cancelled(serve: Callable[..., LiveServer], name: str) -> None:
    model = f"ended-{name}"
    with asked(serve({model: nodes.wait(model)}), name, model) as (client, answers):
        (job,) = client.get("/v1/jobs").json()["jobs"]
        client.post(f"/v1/jobs/{job['id']}/cancel")
    assert answers[0].json()["status"] == {"qolaba": "FAILED", "replicate": "canceled"}[name]
    assert "cancel" in str(answers[0].json()["error"] or answers[0].json()["status"])


@every_job
def test_a_job_whose_model_does_not_come(
    serve: Callable[..., LiveServer], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "hub"
    hub = Hub(endpoint="http://127.0.0.1:1", cache_dir=folder)
    live = serve(
        {"slow": nodes.with_model(MODEL)}, models=(MODEL,), hub=hub, device="cpu", preload=False
    )
    with live.client() as client:
        answer = SPOKEN[name].ask(client, "slow", png(64, 64)).json()
    assert answer["status"] == {"qolaba": "FAILED", "replicate": "failed"}[name]
    assert MODEL in answer["error"]


@every_waiting_dialect
def test_cold(serve: Callable[..., LiveServer], tmp_path: Path, name: str) -> None:
    with StallingHub() as hub:
        hub.repositories[MODEL] = {}
        live = serve(
            {"slow": nodes.with_model(MODEL)},
            models=(MODEL,),
            hub=Hub(endpoint=hub.endpoint, cache_dir=tmp_path / "hub"),
            device="cpu",
            preload=False,
            load_patience=0.2,
            load_seconds=0.2,
        )
        with live.client() as client:
            response = SPOKEN[name].ask(client, "slow", png(64, 64))
        hub.go.set()
    refused(name, response, 503, "model_loading")


@every_waiting_dialect
def test_cancelled(serve: Callable[..., LiveServer], name: str) -> None:
    # The prompt, which is the model's name, is the workflow's only text, and so names its door.
    model = f"cancelled-{name}"
    live = serve({model: nodes.wait(model)})
    with asked(live, name, model) as (_, answers):
        for run in list(live.state.engine._runs):
            run.cancel()
    refused(name, answers[0], 503, "cancelled")


@pytest.mark.parametrize("name", [name for name, spoken in SPOKEN.items() if spoken.keeps])
def test_database_away(
    serve: Callable[..., LiveServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(health, "KNOWN_SECONDS", 0.0)
    live = serve(database=str(tmp_path / "database" / "jobs.sqlite"), job_workers=0)
    with live.client() as client, Away(live, tmp_path / "database"):
        refused(name, SPOKEN[name].ask(client, "paint", png()), 503, "database_failed")


@pytest.mark.parametrize("name", [name for name, spoken in SPOKEN.items() if not spoken.keeps])
def test_what_keeps_nothing_needs_neither(
    serve: Callable[..., LiveServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Who answers with the images alone does without the database and room."""
    monkeypatch.setattr(health, "KNOWN_SECONDS", 0.0)
    database = str(tmp_path / "database" / "jobs.sqlite")
    live = serve(database=database, job_workers=0, spare_bytes=2**60)
    with live.client() as client, Away(live, tmp_path / "database"):
        response = SPOKEN[name].ask(client, "paint", png())
        assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("status", "code"), [(503, "database_failed"), (503, "disk_full"), (507, "storage_full")]
)
def test_the_form_of_failures_of_storage(status: int, code: str) -> None:
    error = HttpError(status, Problem(code, "", "It is away."), headers={"Retry-After": "2"})
    shown = show_a1111(error)
    body = json.loads(bytes(shown.body))
    assert (shown.status_code, shown.headers["retry-after"]) == (status, "2")
    assert body == {"error": code, "detail": "It is away.", "body": "", "errors": "It is away."}


@pytest.mark.parametrize("name", [name for name, spoken in SPOKEN.items() if spoken.keeps])
def test_disk_full(serve: Callable[..., LiveServer], name: str) -> None:
    with serve(spare_bytes=2**60).client() as client:
        refused(name, SPOKEN[name].ask(client, "paint", png()), 507, "storage_full")
