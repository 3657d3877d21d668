"""
A key reaches the service and nothing else: no event, error, log, image, cache entry or other host.
"""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from nodes.huggingface.inference import ImageToImage as Hosted
from nodes.nodetool.output import Output
from nodes.qolaba.image_to_image import ImageToImage as Qolaba
from nodetool_core import Node, Workflow
from nodetool_core.engine.caching.tiered import default_cache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, event_json
from nodetool_core.engine.result import RunError
from tests.nodes.services import fakes
from tests.nodes.services.fakes import Answer, Asked, Services, envelope, image_bytes, json_answer

CANARY = "hf_" + "C4n4ry" * 6


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    for name in ("HF_TOKEN", "QOLABA_API_KEY", "INFERENCE_TOKEN_127_0_0_1"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("QOLABA_BASE_URL", services.url)


@pytest.fixture(params=["endpoint", "fal-ai", "qolaba"])
def node(request: pytest.FixtureRequest, services: Services, photo: str) -> Node:
    host = f"127.0.0.1:{services.port}"
    services.route(host, "POST", "/edit", Answer(image_bytes()))
    services.route(
        host,
        "POST",
        "/getImagetoImage",
        json_answer(envelope("SUCCESS", output={"result": [f"{services.url}/made.png"]})),
    )
    services.route(host, "GET", "/made.png", Answer(image_bytes()))
    fakes.hub(services, "owner/canary", "fal-ai", "fal-ai/canary")
    fakes.fal(services, "fal-ai/canary", host="router.huggingface.co", prefix="/fal-ai")
    return {
        "endpoint": Hosted(endpoint=f"{services.url}/edit", image=photo, seed=2),
        "fal-ai": Hosted(provider="fal-ai", model="owner/canary", image=photo, seed=2),
        "qolaba": Qolaba(image=photo, seed=2),
    }[request.param]


@pytest.mark.usefixtures("keys")
def test_a_run_that_succeeds(
    services: Services,
    node: Node,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path / "cache"))
    events: list[Event] = []
    cache = default_cache()
    workflow = Workflow(Output(name="image", value=node["output"]))
    with Engine(cache=cache) as engine, caplog.at_level(logging.DEBUG):
        workflow._engine = engine
        result = workflow.run(on_event=events.append)
    cache.close()
    result["image"].save(tmp_path / "made.png")
    result["image"].save(tmp_path / "made.jpg")
    workflow.save(tmp_path / "workflow.json")
    assert any(CANARY in asked.authorization for asked in services.of("POST")), (
        "the service did get it"
    )
    shown = [json.dumps(event_json(event)) for event in events] + [
        str(events),
        repr(result),
        caplog.text,
        json.dumps(result["image"].provenance),
    ]
    assert CANARY not in "\n".join(shown)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4 and [path for path in files if CANARY.encode() in path.read_bytes()] == []


@pytest.mark.usefixtures("keys")
def test_a_service_that_repeats_the_key_in_its_error(
    services: Services, node: Node, caplog: pytest.LogCaptureFixture, engine: Engine
) -> None:
    def indiscreet(asked: Asked) -> Answer:
        return json_answer({"error": f"no account for {asked.authorization}"}, 403)

    services._routes.clear()
    for host in (f"127.0.0.1:{services.port}", "router.huggingface.co"):
        services.route(host, "POST", ".*", indiscreet)
    fakes.hub(services, "owner/canary", "fal-ai", "fal-ai/canary")
    events: list[Event] = []
    with caplog.at_level(logging.DEBUG), pytest.raises(RunError) as caught:
        Workflow(Output(name="image", value=node["output"]), engine=engine).run(
            on_event=events.append
        )
    [failure] = caught.value.failures
    assert "no account for" in failure.problem.message and "Bearer [" in failure.problem.message
    shown = [
        str(events),
        str(failure),
        repr(failure.exception),
        caplog.text,
        "".join(traceback.format_exception(caught.value)),
    ]
    assert CANARY not in "\n".join(shown)


@pytest.mark.usefixtures("keys")
def test_another_host_does_not_get_the_key(services: Services, photo: str, engine: Engine) -> None:
    """Send no key to a redirect's target, nor to an endpoint that the key was not set for."""
    other = f"localhost:{services.port}"
    services.route(
        f"127.0.0.1:{services.port}",
        "POST",
        "/",
        Answer(b"", 307, {"Location": f"http://{other}/edit"}),
    )
    services.route(other, "POST", "/edit", Answer(image_bytes()))
    with pytest.raises(RunError):
        _run(engine, Hosted(endpoint=f"{services.url}/", image=photo))
    _run(engine, Hosted(endpoint=f"http://{other}/edit", image=photo))
    assert {asked.host: asked.authorization for asked in services.of("POST")} == {
        f"127.0.0.1:{services.port}": f"Bearer {CANARY}",
        other: "",
    }


def test_the_cached_token_of_the_machine_is_never_sent(
    services: Services, photo: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, get_token

    stored = tmp_path / "token"
    stored.write_text(CANARY)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(stored))
    assert get_token() == CANARY, "what huggingface_hub would send by itself"
    monkeypatch.setenv("FAL_KEY", "own-key")
    fakes.hub(services, "owner/implicit", "fal-ai", "fal-ai/implicit")
    fakes.fal(services, "fal-ai/implicit")
    services.route(f"127.0.0.1:{services.port}", "POST", "/", Answer(image_bytes()))
    _run(engine, Hosted(provider="fal-ai", model="owner/implicit", image=photo))
    _run(engine, Hosted(endpoint=f"{services.url}/", image=photo))
    assert any(asked.host == "huggingface.co" for asked in services.asked)
    assert [asked for asked in services.asked if CANARY in str(asked)] == []


def _run(engine: Engine, node: Node) -> Any:
    return Workflow(Output(name="image", value=node["output"]), engine=engine).run()
