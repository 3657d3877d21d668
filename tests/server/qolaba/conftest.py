"""A server of images on loopback, and a server of the Qolaba API that may fetch from it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from nodes.nodetool.input import IntegerInput
from tests.server import nodes
from tests.server.live import LiveServer, opened, png

KEYS = {"time_required", "error", "error_data", "input", "output", "app_id", "task_id", "status"}
DEV, REDUX, SDXL = "ap-fGhKl3mfkdlpqrshuwwabc", "ap-gFhLq9zvbnmopxkytswabc", "ap-of-the-operator"


class Images:
    """A server of images, by path; remembers what was asked for."""

    def __init__(self) -> None:
        self.files = {"/small.png": png(), "/wide.png": png(3072, 1536), "/text": b"no image"}
        self.redirects: dict[str, str] = {}
        self.asked: list[str] = []
        images = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                images.asked.append(self.path)
                content = images.files.get(self.path, b"")
                leads_to = images.redirects.get(self.path)
                self.send_response(302 if leads_to else 200 if content else 404)
                if leads_to:
                    self.send_header("Location", leads_to)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    images = Images()
    yield images
    images.server.shutdown()
    images.server.server_close()


@pytest.fixture(scope="module")
def qolaba(tmp_path_factory: pytest.TempPathFactory, images: Images) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("qolaba")
    apps = folder / "apps.json"
    sdxl = {"name": "SDXL", "sizes": {"min": 256, "max": 1536}, "serves": "resize"}
    served = {
        "*": "paint",
        REDUX: "resize",
        "ap-broken": "broken",
        "ap-fixed": "fixed",
        "ap-fixed-inside": "fixed_inside",
    }
    apps.write_text(
        json.dumps({app: {"serves": name} for app, name in served.items()} | {SDXL: sdxl})
    )
    fixed = {
        "fixed": nodes.paint(IntegerInput(name="seed", value=7).output),
        "fixed_inside": nodes.paint(7),
    }
    workflows = {
        "paint": nodes.paint(),
        "resize": nodes.resize(),
        "broken": nodes.broken(),
        **fixed,
    }
    with LiveServer(
        folder, workflows, nodes=nodes.NODES, qolaba_apps=apps, image_hosts=(images.host,)
    ) as live:
        yield live


@pytest.fixture
def ask(qolaba: LiveServer, images: Images) -> Iterator[Callable[..., httpx2.Response]]:
    with qolaba.client() as client:

        def ask(path: str = "/getImagetoImage", **body: Any) -> httpx2.Response:
            whole = {"app_id": DEV, "image": images.url("/small.png"), "prompt": "a lake"} | body
            response = client.post(
                path, json={name: value for name, value in whole.items() if value is not None}
            )
            assert set(response.json()) == KEYS
            return response

        yield ask


def fetched(answer: dict[str, Any]) -> list[Any]:
    assert answer["status"] == "SUCCESS", answer
    return [opened(httpx2.get(url, trust_env=False).content) for url in answer["output"]["result"]]


def refused(response: httpx2.Response, place: str) -> None:
    answer = response.json()
    assert (response.status_code, answer["status"]) == (422, "FAILED"), answer
    assert place in answer["error"]
