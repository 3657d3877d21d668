"""
V6: an exception that nobody foresaw is answered in its dialect's form, with its id in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import pytest

from nodetool_core.server.app import create_app
from nodetool_core.server.comfyui.classes import FOLDERS
from nodetool_core.server.runtime.app_state import AppState
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.routes import every_route
from tests.server.v1.test_workflows import data_uri

KEPT = {"settings", "access", "limits", "draining", "metrics", "started", "registry"}
"""Parts of a server that answer without doing anything."""

QOLABA = {"app_id": "ap-fGhKl3mfkdlpqrshuwwabc", "image": data_uri(png()), "id": "x"}
OPENAI = ("/v1/images/", "/v1/models")
A1111 = "/sdapi/v1/"
REPLICATE = "/replicate/"
PREDICTED = {"version": "nodetool/paint", "input": {"image": data_uri(png())}}
WEB_UI = {"prompt": "x", "init_images": [data_uri(png())], "image": data_uri(png())}
COMFYUI = tuple(
    f"{prefix}/{name}"
    for prefix in ("", "/api")
    for name in (
        *("prompt", "history", "view", "upload/", "queue", "interrupt", "free", "object_info"),
        *("system_stats", "embeddings", "models", "extensions", "features"),
    )
    if not (prefix == "" and name == "models")
) + tuple(f"/models/{folder}" for folder in FOLDERS)
GRAPH = {
    "prompt": {"1": {"class_type": "SaveImage", "inputs": {}}},
    "unload_models": True,
    "delete": ["x"],
}
IMAGES = {"prompt": "x", "images": [{"image_url": data_uri(png())}]}
ASKED = {"inputs": {"image": data_uri(png())}}


class Broken:
    """A part of the server with a fault of its own, whatever it is asked for."""

    def __getattr__(self, name: str) -> NoReturn:
        raise ZeroDivisionError(f"hunter2 in {name}")


@pytest.fixture
def broken(serve: Callable[..., LiveServer], tmp_path: Path) -> Iterator[LiveServer]:
    apps = tmp_path / "apps.json"
    apps.write_text('{"*": {"serves": "paint"}}')
    live = serve({"paint": nodes.paint()}, client_workflows=True, qolaba_apps=apps)
    with pytest.MonkeyPatch.context() as changed:
        for part in fields(AppState):
            if part.name not in KEPT:
                changed.setattr(live.state, part.name, Broken())
        yield live


def ask(client: httpx2.Client, method: str, path: str) -> httpx2.Response:
    if path.startswith(COMFYUI):
        return ask_comfyui(client, method, path)
    body: Any = (
        QOLABA
        if path.startswith("/get")
        else IMAGES
        if path.startswith(OPENAI)
        else WEB_UI | {"imageList": [{"data": data_uri(png())}]}
        if path.startswith(A1111)
        else PREDICTED
        if path.startswith(REPLICATE)
        else ASKED | ({"workflow": {}} if path == "/v1/runs" else {})
    )
    if path == f"{REPLICATE}v1/files" and method == "POST":
        return client.post(path, files={"content": png()}, headers={"X-Request-Id": "find-me"})
    return client.request(
        method, path, json=body if method == "POST" else None, headers={"X-Request-Id": "find-me"}
    )


def ask_comfyui(client: httpx2.Client, method: str, path: str) -> httpx2.Response:
    sent: Any = {"json": GRAPH} if method == "POST" else {"params": {"filename": "a.png"}}
    if "/upload/" in path:
        name = '{"filename": "a.png", "type": "input"}'
        sent = {"files": {"image": ("a.png", png())}, "data": {"original_ref": name}}
    return client.request(method, path, headers={"X-Request-Id": "find-me"}, **sent)


def shown(path: str, response: httpx2.Response) -> str:
    """
    Return the failure as clients of the path's dialect show it, once it has the dialect's form.
    """
    body = response.json()
    if path.startswith(COMFYUI):
        assert body["error"]["type"] == "internal_error"
        return str(body["error"])
    if path.startswith(OPENAI):
        assert body["error"]["code"] == "internal_error"
        return str(body["error"]["message"])
    if path.startswith(A1111):
        assert body.keys() == {"error", "detail", "body", "errors"}
        assert body["error"] == "internal_error"
        return str(body["detail"])
    if path.startswith(REPLICATE):
        assert body["code"] == "internal_error" and body["status"] == 500
        return str(body["detail"])
    if path.startswith("/get"):
        assert len(body) == 8 and body["status"] == "FAILED"
        return str(body["error"])
    assert body["problems"][0]["code"] == "internal_error"
    return str(body["error"])


ANSWER_ALL_THE_SAME = {
    "/",
    "/mcp",
    "/livez",
    "/v1/openapi.json",
    "/docs",
    "/redoc",
    "/openapi.json",
    *(
        f"{A1111}{path}"
        for path in (
            "cmd-flags",
            "extensions",
            "face-restorers",
            "hypernetworks",
            "interrupt",
            "latent-upscale-modes",
            "memory",
            "progress",
            "prompt-styles",
            "realesrgan-models",
            "samplers",
            "schedulers",
            "script-info",
            "scripts",
            "sd-modules",
            "sd-vae",
            "skip",
        )
    ),
    *(
        f"{REPLICATE}v1/{path}"
        for path in ("collections", "hardware", "trainings", "webhooks/default/secret")
    ),
    # They say what is always so, of the machine and of the dialect.
    *(
        f"{prefix}/{name}"
        for prefix in ("", "/api")
        for name in ("system_stats", "embeddings", "extensions", "features", "models")
    ),
}


def test_every_route_shows_it_in_its_dialect(
    broken: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    failed = set()
    with broken.client() as client:
        for method, path in every_route(create_app(broken.state)):
            caplog.clear()
            with caplog.at_level(logging.ERROR):
                response = ask(client, method, path)
                client.get(
                    "/livez"
                )  # The server is done with the first request once it answers a second.
            if response.status_code != 500 or method == "HEAD":
                continue
            failed.add(path)
            assert (
                "find-me" in shown(path, response) and response.headers["x-request-id"] == "find-me"
            )
            assert "hunter2" not in response.text and "Zero" not in response.text
            assert response.headers["x-content-type-options"] == "nosniff"
            assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
                ZeroDivisionError
            ], "logged once"
    unhurt = {path for _, path in every_route(create_app(broken.state))} - failed
    assert {"/models/paint", "/getImagetoImage", "/v1/runs", "/v1/uploads"} <= failed
    assert unhurt == ANSWER_ALL_THE_SAME, "each of the others went through a broken part"


def test_the_document_names_the_answer(client: httpx2.Client) -> None:
    for path, operations in client.get("/v1/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            assert {"403", "405", "421", "500"} <= operation["responses"].keys(), (method, path)


def test_an_answer_that_can_not_be_made(
    serve: Callable[..., LiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastAPI checks what a route returns; that is a fault of the server as well."""
    live = serve()
    monkeypatch.setattr(live.state.models, "free", lambda: "no number")
    with live.client() as client:
        response = client.post("/v1/free")
    assert (response.status_code, response.json()["problems"][0]["code"]) == (500, "internal_error")
