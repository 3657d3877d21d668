"""
A server with the editor, clients with and without the owner's session, and its page in a browser.

Every test of the page fails on whatever the browser complains of: messages of the console, requests
that failed, violations of the policy, other hosts.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
from PIL import Image

from nodetool_core import Registry
from nodetool_core.editor.routes import router
from nodetool_core.editor.sessions import Sessions
from nodetool_core.server.launch import server_of
from nodetool_core.server.runtime.app_state import open_app_state
from nodetool_core.server.settings import Settings
from tests.editor.browser import EditorBrowser
from tests.editor.documents import BLUR, blur
from tests.site.browser import installed


class LiveEditor:
    """
    The editor on loopback.

    As `nodetool edit` serves it; with tokens or `is_open`, as `nodetool serve` does.
    """

    def __init__(
        self, folder: Path, *, is_open: bool = False, opens: str | None = "blur", **given: Any
    ) -> None:
        self.graphs = folder / "graphs"
        self.graphs.mkdir()
        Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(self.graphs / "photo.png")
        (self.graphs / "blur.json").write_bytes(BLUR.to_bytes())
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        served = is_open or "token" in given
        settings = Settings.read(
            **{"graphs": self.graphs, "data": folder / "data", "models": (), "port": port} | given
        )
        self.state = open_app_state(settings, Registry.installed(), any_model=not served)
        self.sessions = Sessions(settings.tokens, settings.owner_tokens, is_required=not served)
        self.routers = [router(self.state, self.sessions, open_at=None if served else opens)]
        routes = self.routers
        self._server = server_of(self.state, routes, self.sessions)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def address(self) -> str:
        """Return what `nodetool edit` prints: the page, with a key that opens one session."""
        return f"{self.url}/editor/#key={self.sessions.new_key()}"

    def stranger(self) -> httpx2.Client:
        """Return a client without a session."""
        return httpx2.Client(base_url=self.url, timeout=60, trust_env=False)

    def owner(self) -> httpx2.Client:
        """Return a client with a session of its own."""
        answer = httpx2.post(
            f"{self.url}/v1/session", json={"key": self.sessions.new_key()}, trust_env=False
        )
        assert answer.status_code == 204
        client = self.stranger()
        client.cookies.update(answer.cookies)
        return client

    def __enter__(self) -> Self:
        self._thread.start()
        with self.stranger() as client:
            client.get("/livez")
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not end"


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEditor]:
    with LiveEditor(tmp_path_factory.mktemp("editor")) as live:
        yield live


@pytest.fixture
def owner(editor: LiveEditor) -> Iterator[httpx2.Client]:
    with editor.owner() as client:
        yield client


@pytest.fixture
def stranger(editor: LiveEditor) -> Iterator[httpx2.Client]:
    with editor.stranger() as client:
        yield client


@pytest.fixture(scope="module")
def browser(editor: LiveEditor) -> Iterator[EditorBrowser]:
    """Return a browser; it ends before the server does, which waits for its streams."""
    program = installed()
    if program is None:
        pytest.skip("needs a Chromium")
    with EditorBrowser(program) as found:
        yield found


@pytest.fixture
def complaints() -> list[str]:
    """Return what a test expects the browser to complain of; none unless it says so."""
    return []


@pytest.fixture
def page(
    editor: LiveEditor, browser: EditorBrowser, complaints: list[str]
) -> Iterator[EditorBrowser]:
    """Return the page, with the workflow `blur` open; at the end nothing was complained of."""
    (editor.graphs / "blur.json").write_bytes(blur().to_bytes())
    browser.start(editor.address())
    browser.wait_for('document.querySelector("[data-node=blur]")')
    yield browser
    found = [one for one in browser.complaints() if not any(text in one for text in complaints)]
    assert found == []
    assert browser.hosts() == {editor.url.removeprefix("http://")}


@pytest.fixture
def opened(page: EditorBrowser, editor: LiveEditor) -> Callable[..., EditorBrowser]:
    """Return a function that opens another workflow."""

    def open_(name: str, content: Any, view: str = "g") -> EditorBrowser:
        text = content if isinstance(content, dict) else content.to_json()
        (editor.graphs / f"{name}.json").write_text(json.dumps(text), "utf-8")
        page.go(f"{editor.url}/editor/#/{view}/{name}")
        return page

    return open_
