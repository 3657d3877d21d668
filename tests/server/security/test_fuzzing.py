"""
Whatever is sent, the server answers as its document says: no 500, no hang, no growth.

NODETOOL_FUZZ_EXAMPLES says how many bodies of each dialect are mutated; the figure of the release
is taken with 10,000.
"""

from __future__ import annotations

import base64
import gc
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mcp_types import INTERNAL_ERROR
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server import nodes
from tests.server.http.test_forms import form
from tests.server.live import LiveServer, png

EXAMPLES = int(os.environ.get("NODETOOL_FUZZ_EXAMPLES", "50"))
PER_OPERATION = max(8, EXAMPLES // 40)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("fuzz")
    apps = folder / "apps.json"
    apps.write_text('{"*": {"serves": "paint"}}')
    workflows = {"paint": nodes.paint(), "draw": nodes.draw()}
    with LiveServer(
        folder,
        workflows,
        nodes=nodes.NODES,
        max_pixels=10**6,
        run_seconds=20.0,
        qolaba_apps=apps,
        client_workflows=True,
    ) as live:
        yield live


@pytest.mark.slow
def test_every_operation_answers_as_the_document_says(server: LiveServer) -> None:
    document = schemathesis.openapi.from_url(f"{server.url}/v1/openapi.json", timeout=60)
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 18
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=PER_OPERATION,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        def answers(case: Any) -> None:
            response = case.call(timeout=30)
            assert response.status_code < 500, f"{case.method} {case.path}: {response.text}"
            case.validate_response(
                response,
                checks=[
                    status_code_conformance,
                    content_type_conformance,
                    response_schema_conformance,
                ],
            )

        answers()


IMAGE = png()
HF = {
    "inputs": base64.b64encode(IMAGE).decode(),
    "parameters": {
        "prompt": "x",
        "num_inference_steps": 3,
        "target_size": {"width": 5, "height": 5},
    },
}
QOLABA = {
    "app_id": "ap-fGhKl3mfkdlpqrshuwwabc",
    "image": "data:image/png;base64," + HF["inputs"],
    "batch": 1,
    "strength": 0.5,
}  # type: ignore[operator]
OWN = {
    "inputs": {"image": QOLABA["image"], "prompt": "x", "strength": 0.5},
    "wait": True,
    "outputs": ["image"],
}
DRAWN = {"prompt": "x", "model": "draw", "n": 1, "size": "16x16", "seed": 3, "quality": "low"}
EDITED = {
    "prompt": "x",
    "model": "paint",
    "images": [{"image_url": QOLABA["image"]}],
    "mask": {"image_url": QOLABA["image"]},
    "stream": False,
}
WEB_UI = {
    "prompt": "x",
    "seed": 3,
    "steps": 2,
    "sampler_name": "Euler a",
    "width": 16,
    "height": 16,
    "batch_size": 1,
    "infotext": "a lake\nSteps: 4, Sampler: Euler, Seed: 7, Size: 16x16",
    "override_settings": {"sd_model_checkpoint": "draw", "samples_format": "jpg"},
    "alwayson_scripts": {},
}
WEB_UI_EDIT = WEB_UI | {
    "override_settings": {"sd_model_checkpoint": "paint"},
    "init_images": [HF["inputs"]],
    "mask": QOLABA["image"],
    "mask_blur": 4,
    "inpainting_fill": 0,
    "inpaint_full_res": True,
    "inpaint_full_res_padding": 4,
    "resize_mode": 2,
}
EXTRAS = {
    "image": HF["inputs"],
    "resize_mode": 1,
    "upscaling_resize_w": 20,
    "upscaling_resize_h": 10,
    "upscaler_1": "Lanczos",
    "upscaler_2": "Nearest",
    "extras_upscaler_2_visibility": 0.5,
}
GRAPH = {
    "prompt": {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "color": 5}},
        "2": {"class_type": "ImageScale", "inputs": {
            "image": ["1", 0], "width": 9, "height": 7, "crop": "center"}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "a"}},
    },
    "client_id": "somebody",
    "prompt_id": "0b9c3f6e",
    "extra_data": {"preview_method": "auto"},
    "front": True,
    "partial_execution_targets": ["3"],
}  # fmt: skip
PREDICTED = {
    "input": {"image": QOLABA["image"], "prompt": "x", "steps": 3, "output_format": "webp"},
    "version": "nodetool/paint",
    "webhook": "http://127.0.0.1:1/hook",
    "webhook_events_filter": ["completed"],
    "stream": True,
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "somebody", "version": "1"},
}
CALLED = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "paint",
        "arguments": {"image": QOLABA["image"], "prompt": "x", "num_inference_steps": 3},
        "_meta": META,
    },
}
OPENED = {
    "jsonrpc": "2.0",
    "id": "a",
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "somebody", "version": "1"},
    },
}
BODIES: dict[str, list[tuple[str, Any]]] = {
    "replicate": [
        ("/replicate/v1/predictions", PREDICTED),
        ("/replicate/v1/models/nodetool/paint/predictions", PREDICTED | {"webhook": None}),
        ("/replicate/v1/deployments/nodetool/draw/predictions", {"input": {"prompt": "x"}}),
        ("/replicate/v1/files", {"content": "x"}),
    ],
    "a1111": [
        ("/sdapi/v1/txt2img", WEB_UI),
        ("/sdapi/v1/img2img", WEB_UI_EDIT),
        ("/sdapi/v1/extra-single-image", EXTRAS),
        ("/sdapi/v1/png-info", {"image": HF["inputs"]}),
        ("/sdapi/v1/options", {"sd_model_checkpoint": "paint", "jpeg_quality": 80}),
    ],
    "comfyui": [
        ("/prompt", GRAPH),
        ("/queue", {"clear": False, "delete": ["x"]}),
        ("/history", {"delete": ["x"]}),
        ("/interrupt", {"prompt_id": "x"}),
    ],
    "openai": [
        ("/v1/images/generations", DRAWN),
        ("/v1/images/edits", EDITED),
        ("/v1/images/variations", EDITED),
    ],
    "mcp": [
        ("/mcp", CALLED),
        ("/mcp", OPENED),
        ("/mcp", {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"_meta": META}}),
        ("/mcp", {"jsonrpc": "2.0", "method": "notifications/cancelled",
                  "params": {"requestId": 1, "_meta": META}}),
    ],
    "huggingface": [
        ("/models/paint", HF),
        ("/models/draw", {"inputs": "cat", "parameters": {}}),
    ],
    "qolaba": [("/getImagetoImage", QOLABA), ("/getImage", {"id": "x"})],
    "nodetool": [("/v1/workflows/paint/runs", OWN)],
}  # fmt: skip
"""The requests of each dialect whose bodies are mutated."""

FILE_FORM = form(
    ('name="content"; filename="a.png"\r\nContent-Type: image/png', IMAGE),
    ('name="metadata"', b'{"a": 1}'),
)
EDIT_FORM = form(
    ('name="prompt"', b"x"),
    ('name="model"', b"paint"),
    ('name="n"', b"1"),
    ('name="size"', b"16x16"),
    ('name="image[]"; filename="a.png"\r\nContent-Type: image/png', IMAGE),
    ('name="mask"; filename="b.png"', IMAGE),
)
FORM_TYPE = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW"

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["file:///etc/passwd", "../..", "\x00"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def mutated_json(draw: st.DrawFn, value: Any) -> Any:
    """Return a value with something in it replaced, taken out or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        changed = dict(value)
        what = draw(st.sampled_from(["in", "in", "out", "more"]))
        if what == "out":
            del changed[key]
        elif what == "more":
            changed[draw(st.text(max_size=8))] = draw(values)
        else:
            changed[key] = draw(mutated_json(value[key]))
        return changed
    return draw(values)


@st.composite
def mutated_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Return bytes with some of them changed, or cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 8))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.integers(1, len(changed)))] if draw(st.booleans()) else changed)


@st.composite
def requests(draw: st.DrawFn, dialect: str) -> tuple[str, bytes, dict[str, str]]:
    """Return a path, a body that is not as it should be, and headers."""
    path, body = draw(st.sampled_from(BODIES[dialect]))
    kinds = ["application/json", "image/png", "", "text/plain; charset=x", FORM_TYPE]
    headers = {"Content-Type": draw(st.sampled_from(kinds))}
    if dialect == "mcp":
        headers = draw(st.sampled_from(MCP_HEADERS)) | {"Mcp-Method": body["method"]}
    if path == "/models/paint" and draw(st.booleans()):
        return path, draw(mutated_bytes(IMAGE)), headers
    for where, whole in (("/v1/images/edits", EDIT_FORM), ("/replicate/v1/files", FILE_FORM)):
        if path == where and draw(st.booleans()):
            return path, draw(mutated_bytes(whole)), headers
    text = json.dumps(draw(mutated_json(body))).encode()
    return path, draw(mutated_bytes(text)) if draw(st.booleans()) else text, headers


_MCP = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
MCP_HEADERS = [
    _MCP,
    _MCP | {"MCP-Protocol-Version": "2026-07-28", "Mcp-Name": "paint"},
    _MCP | {"MCP-Protocol-Version": "2026-07-28"},
]


@pytest.fixture(scope="module")
def send(server: LiveServer) -> Iterator[Callable[..., httpx2.Response]]:
    with server.client() as client:
        yield client.post


@pytest.mark.slow
@pytest.mark.parametrize("dialect", BODIES)
def test_mutated_bodies_get_an_answer(
    server: LiveServer, send: Callable[..., httpx2.Response], dialect: str
) -> None:
    """Each is answered, refused in the dialect's own form, and nothing of it is kept for ever."""
    before: Counter[str] = Counter()
    done = 0

    def end_session(session: str) -> None:
        with server.client(**{"mcp-session-id": session}) as client:
            # What opens none, after all, has the id of one that was discarded.
            assert client.delete("/mcp").status_code in (200, 404)

    @given(sent=requests(dialect))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def answers(sent: tuple[str, bytes, dict[str, str]]) -> None:
        nonlocal before, done
        path, body, headers = sent
        response = send(path, content=body, headers=headers, timeout=30)
        assert response.status_code < 500, response.text
        if dialect == "mcp":
            check_message(response)
            if session := response.headers.get("mcp-session-id"):
                end_session(session)
        elif response.status_code >= 400:
            shown = response.json()
            error = shown["detail"] if dialect == "replicate" else shown["error"]
            assert isinstance(error["message"] if isinstance(error, dict) else error, str)
        done += 1
        if done == EXAMPLES // 2:
            before = kept_objects()

    answers()
    assert (server.state.runs.waiting, server.state.runs.under_way) == (0, 0)
    grown = kept_objects() - before
    most = {name: count for name, count in grown.items() if count > MOST_KEPT}
    assert not most, f"kept by the second half of {done} requests: {most}"


MOST_KEPT = 1100
"""
Objects of a class that stay of any number of requests: what is bounded (caches, sessions) may fill.
"""


def kept_objects() -> Counter[str]:
    """Return how many objects of the server there are, by class."""
    gc.collect()
    rooms = ("nodetool_core", "starlette", "fastapi", "uvicorn", "mcp", "anyio", "asyncio")
    classes = (type(one) for one in gc.get_objects())
    names = (f"{one.__module__}.{one.__qualname__}" for one in classes)
    return Counter(name for name in names if name.startswith(rooms))


def check_message(response: httpx2.Response) -> None:
    """Check that an answer of the Model Context Protocol is none of an error of the server's."""
    if response.status_code == 202 or response.headers["content-type"].startswith("text/plain"):
        return
    if response.headers["content-type"].startswith("text/event-stream"):
        lines = [one for one in response.text.splitlines() if one.startswith("data: {")]
        messages = [json.loads(one.removeprefix("data: ")) for one in lines]
    else:
        messages = [response.json()]
    for one in messages:
        assert one["jsonrpc"] == "2.0"
        if "error" in one:
            assert isinstance(one["error"]["message"], str)
            assert one["error"]["code"] != INTERNAL_ERROR, one
        elif one.get("result", {}).get("isError"):
            assert "failed on this request" not in str(one["result"]["content"]), one


@pytest.mark.slow
def test_many_requests_leave_nothing_behind(
    server: LiveServer, send: Callable[..., httpx2.Response]
) -> None:
    """
    No run, no waiting request and no thread is left over; memory is the benchmark's to measure.
    """
    import threading

    before = threading.active_count()
    for number in range(100):
        send("/models/paint", content=png(8 + number % 50, 8, (number, 0, 0)))
        send("/models/paint", content=b"no image %d" % number)
    assert (server.state.runs.waiting, server.state.runs.under_way) == (0, 0)
    assert threading.active_count() <= before + 8
