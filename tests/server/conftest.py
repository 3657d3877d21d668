"""Servers for the tests: one that many share, and a maker of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    with LiveServer(
        tmp_path_factory.mktemp("server"), workflows, nodes=nodes.NODES, max_body_bytes=2 * 2**20
    ) as live:
        yield live


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
            return stack.enter_context(LiveServer(tmp_path, chosen, nodes=nodes.NODES, **settings))

        yield make
