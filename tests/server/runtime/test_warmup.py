"""
Models that are not loaded: 503 with an estimate, or a bounded wait (checks 25 and 26).

The Hub stalls; the model is a real one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodetool_core import ModelRef
from nodetool_core.errors import ModelError, RunCancelled
from nodetool_core.models.sources.hub import Hub
from nodetool_core.server.runtime.warmup import ModelWarmup
from tests.models.hub_server import HubServer
from tests.nodes.huggingface import tiny_pipelines
from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.runtime.test_memory import until
from tests.server.test_operations import figures

MODEL = "somebody/tiny"
SHIPPED = "nodetool/tiny-landscapes"


class StallingHub(HubServer):
    """Answers nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.go.wait(60)
        super()._answer(request)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tiny_pipelines.save(tiny_pipelines.stable_diffusion, tmp_path_factory.mktemp("tiny"))
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[StallingHub]:
    with StallingHub() as hub:
        hub.repositories[MODEL] = files
        yield hub
        hub.go.set()


@pytest.fixture
def live(hub: StallingHub, serve: Callable[..., LiveServer], tmp_path: Path) -> LiveServer:
    source = Hub(endpoint=hub.endpoint, cache_dir=tmp_path / "hub")
    return serve(
        {"model": nodes.with_model(MODEL)},
        hub=source,
        device="cpu",
        load_patience=0.2,
        load_seconds=30.0,
    )


@pytest.fixture
def ask(live: LiveServer) -> Callable[..., httpx2.Response]:
    def ask(**headers: str) -> httpx2.Response:
        with live.client() as client:
            return client.post("/models/model", content=png(64, 64), headers=headers)

    return ask


def loaded(ask: Callable[..., httpx2.Response], **headers: str) -> httpx2.Response:
    return ask(**{"x-wait-for-model": "true"} | headers)


@pytest.mark.slow
def test_25_a_model_that_is_not_loaded(
    ask: Callable[..., httpx2.Response], hub: StallingHub, live: LiveServer
) -> None:
    refused = ask()
    assert refused.status_code == 503
    body = refused.json()
    assert body["error"] == f"Model {MODEL} is currently loading"
    assert body["estimated_time"] > 0
    assert int(refused.headers["retry-after"]) >= 1
    hub.go.set()
    assert opened(loaded(ask).content).size == (64, 64)
    assert ask(**{"x-use-cache": "false"}).status_code == 200, (
        "it is loaded, and asked for without waiting"
    )
    with live.client() as client:
        found = figures(client)
    assert found["nodetool_model_loads_total", frozenset()] == 1
    assert found["nodetool_model_bytes", frozenset({("model", MODEL)})] > 0
    assert found["nodetool_encodings_bytes", frozenset()] > 0
    assert found["nodetool_results_bytes", frozenset()] > 64 * 64 * 3


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["true", "1"])
def test_26_waiting_for_the_model(
    ask: Callable[..., httpx2.Response], hub: StallingHub, flag: str
) -> None:
    answers: list[Any] = []
    waiting = [
        threading.Thread(target=lambda: answers.append(ask(**{"x-wait-for-model": flag})))
        for _ in range(3)
    ]
    for thread in waiting:
        thread.start()
    assert ask().status_code == 503
    hub.go.set()
    for thread in waiting:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert hub.fetched.count("unet/diffusion_pytorch_model.safetensors") == 1


@pytest.mark.slow
def test_26_the_wait_is_bounded(
    hub: StallingHub, serve: Callable[..., LiveServer], tmp_path: Path
) -> None:
    source = Hub(endpoint=hub.endpoint, cache_dir=tmp_path / "hub")
    live = serve(
        {"model": nodes.with_model(MODEL)},
        hub=source,
        device="cpu",
        load_patience=0.1,
        load_seconds=0.3,
    )
    with live.client() as client:
        assert (
            client.post(
                "/models/model", content=png(64, 64), headers={"x-wait-for-model": "true"}
            ).status_code
            == 503
        )


@pytest.mark.slow
def test_a_model_that_is_not_there(ask: Callable[..., httpx2.Response], hub: StallingHub) -> None:
    hub.repositories.clear()
    hub.go.set()
    refused = loaded(ask)
    assert refused.status_code == 422
    assert "retry-after" not in refused.headers
    assert MODEL in refused.json()["error"]


@pytest.mark.slow
def test_v12_the_first_model_is_loaded_at_the_start(
    hub: StallingHub, serve: Callable[..., LiveServer], tmp_path: Path
) -> None:
    source = Hub(endpoint=hub.endpoint, cache_dir=tmp_path / "hub")
    live = serve({}, models=(MODEL, "somebody/other"), hub=source, device="cpu", load_patience=0.0)
    with live.client() as client:
        waiting = client.get("/readyz")
        assert (waiting.status_code, waiting.json()["status"]) == (503, "loading")
        assert int(waiting.headers["retry-after"]) >= 1
        assert client.get("/livez").status_code == 200
        hub.go.set()
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post(f"/models/{MODEL}", content=png(64, 64)).status_code == 200, (
            "no request had to wait for it"
        )
        assert figures(client)["nodetool_model_loads_total", frozenset()] == 1


def test_v12_a_server_whose_first_model_can_not_be_loaded_is_ready(
    hub: StallingHub,
    serve: Callable[..., LiveServer],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub.repositories.clear()
    hub.go.set()
    source = Hub(endpoint=hub.endpoint, cache_dir=tmp_path / "hub")
    with serve({}, models=(MODEL,), hub=source, device="cpu").client() as client:
        until(lambda: client.get("/readyz").status_code == 200)
    assert f"The first model {MODEL} could not be loaded" in caplog.text


@pytest.mark.parametrize("settings", [{"preload": False}, {"load_seconds": 0.01}])
def test_v12_a_server_that_does_not_wait_for_its_first_model(
    hub: StallingHub, serve: Callable[..., LiveServer], tmp_path: Path, settings: dict[str, Any]
) -> None:
    source = Hub(endpoint=hub.endpoint, cache_dir=tmp_path / "hub")
    with serve({}, models=(MODEL,), hub=source, device="cpu", **settings).client() as client:
        until(lambda: client.get("/readyz").status_code == 200)
        hub.go.set()


class AtOnce(Executor):
    """What is submitted has ended when it comes back, as it may have on any machine."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(function(*arguments, **named))
        except (ModelError, RunCancelled) as error:
            done.set_exception(error)
        return done


def test_a_model_that_fails_at_once_holds_up_nobody(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmup = ModelWarmup(live.state.engine.models)
    monkeypatch.setattr(warmup, "_threads", AtOnce())
    missing = [ModelRef(repo_id="./nothing")]
    waiting = threading.Thread(target=lambda: asyncio.run(warmup.wait(missing, 5)), daemon=True)
    waiting.start()
    waiting.join(20)
    assert not waiting.is_alive()


def test_a_server_that_ends_while_it_loads_reports_no_error(
    serve: Callable[..., LiveServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="nodetool_core.server.runtime.warmup")
    live = serve({}, models=(SHIPPED,), device="cpu", preload=False)
    warmup = ModelWarmup(live.state.engine.models)
    monkeypatch.setattr(warmup, "_threads", AtOnce())
    warmup.close()
    warmup.begin(live.state.catalog.workflow(SHIPPED), 5)
    assert "ends before its first model is loaded" in caplog.text
    assert "could not be loaded" not in caplog.text
