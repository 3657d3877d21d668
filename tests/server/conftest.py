"""Servers for the tests: one that many share, and a maker of others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server import nodes
from tests.server.live import LiveServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    workflows = {
        "paint": nodes.paint(),
        "resize": nodes.resize(),
        "draw": nodes.draw(),
        "sub/broken": nodes.broken(),
    }
    folder = tmp_path_factory.mktemp("server")
    with LiveServer(
        folder,
        workflows,
        nodes=nodes.NODES,
        max_body_bytes=2 * 2**20,
        qolaba_apps=apps_of(folder, workflows),
    ) as live:
        yield live


def apps_of(folder: Path, names: Iterable[str]) -> Path:
    """Return a file by which each workflow is the app of the Qolaba API of that name."""
    path = folder / "apps_of_workflows.json"
    path.write_text(json.dumps({name: {"serves": name} for name in names}))
    return path


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Yield a function that starts a server, which ends with the test."""
    with ExitStack() as stack:

        def make(workflows: Any = None, **settings: Any) -> LiveServer:
            chosen = {"paint": nodes.paint()} if workflows is None else workflows
            settings.setdefault("qolaba_apps", apps_of(tmp_path, chosen))
            return stack.enter_context(LiveServer(tmp_path, chosen, nodes=nodes.NODES, **settings))

        yield make
