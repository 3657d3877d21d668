"""A real server on loopback: uvicorn in a thread, over workflows written to a folder."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import httpx2
from PIL import Image

from nodetool_core import Node, Registry, Workflow
from nodetool_core.models.sources.hub import Hub
from nodetool_core.server.launch import server_of
from nodetool_core.server.runtime.app_state import AppState, open_app_state
from nodetool_core.server.settings import Settings


class LiveServer:
    """Use it as a context manager; `url` is where it answers, `state` what it is made of."""

    def __init__(
        self,
        folder: Path,
        workflows: Mapping[str, Workflow],
        *,
        nodes: tuple[type[Node], ...] = (),
        hub: Hub | None = None,
        **settings: Any,
    ) -> None:
        graphs = folder / "graphs"
        graphs.mkdir(parents=True, exist_ok=True)
        for name, workflow in workflows.items():
            (graphs / name).parent.mkdir(parents=True, exist_ok=True)
            workflow.save(graphs / f"{name}.json")
        registry = Registry.installed()
        for node in nodes:
            registry.add(node)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(128)
        given = {
            "graphs": graphs,
            "data": folder / "data",
            "models": (),
            "port": self.port,
            **settings,
        }
        self.state: AppState = open_app_state(Settings.read(**given), registry, hub=hub)
        self.server = server_of(self.state)
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def client(self, **headers: str) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        self._thread.start()
        with self.client() as client:
            transport_ready(client)
        return self

    def __exit__(self, *error: object) -> None:
        self.server.should_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive(), "the server did not end"


def transport_ready(client: httpx2.Client) -> None:
    """
    Wait for a first answer.

    The socket is bound before the thread starts, so the request waits in its backlog.
    """
    client.get("/livez")


def png(
    width: int = 32,
    height: int = 24,
    colour: Any = (96, 144, 192),
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    buffer = BytesIO()
    Image.new(mode, (width, height), colour).save(buffer, options.pop("format", "PNG"), **options)
    return buffer.getvalue()


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image
