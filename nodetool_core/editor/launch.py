"""Running the editor as a program: the server on loopback, with a session for its owner."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from fastapi import APIRouter

from nodetool_core.editor import page
from nodetool_core.editor.routes import router
from nodetool_core.editor.sessions import Sessions
from nodetool_core.engine.caching.tiered import default_cache
from nodetool_core.registry import Registry
from nodetool_core.server.launch import Addition, leave, listen, server_of
from nodetool_core.server.logs import to_stderr
from nodetool_core.server.runtime.allocator import return_freed_memory
from nodetool_core.server.runtime.app_state import AppState, open_app_state
from nodetool_core.server.settings import Settings

_DATA: Final = "NODETOOL_DATA_DIR"
"""Names the folder below which the editor keeps what is no cache."""


def edit(
    folder: Path, name: str | None, *, port: int, browser: bool, models_dir: Sequence[Path] = ()
) -> None:
    """
    Serve the editor until a signal ends it.

    Args:
        folder: Of the workflows.
        name: Of the workflow to open.
        port: To listen on; 0 for any free one.
        browser: Whether one is opened.
        models_dir: Folders of models as other tools have them.

    Raises SettingsError where the address is taken.
    """
    data = data_directory(folder)
    settings = Settings(
        graphs=folder,
        host="127.0.0.1",
        port=port,
        data=data,
        rate=0,
        models_dir=tuple(map(str, models_dir)),
    )
    return_freed_memory()
    sessions = Sessions(is_required=True, kept=data / "sessions.json")
    with (
        to_stderr("WARNING", settings.log_format),
        listen(settings) as listening,
        closing(default_cache(settings.result_bytes)) as cache,
    ):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, leave)
        settings = settings.model_copy(update={"port": listening.getsockname()[1]})
        state = open_app_state(settings, Registry.installed(), cache=cache, any_model=True)
        server = server_of(state, [router(state, sessions, open_at=name)], sessions)
        address = f"http://127.0.0.1:{settings.port}{page.PREFIX}#key={sessions.new_key()}"
        print(f"The editor is at {address}\nCtrl+C ends it.", file=sys.stderr, flush=True)
        if browser:
            # Opened beside: some browsers return only when they are closed.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        server.run([listening])


def pages(*, with_key: bool = False) -> Addition:
    """
    Return what a server has besides its own routes: the pages, and sessions for who opens them.

    Args:
        with_key: Whether an address is printed that opens the editor, once.
    """

    def more(state: AppState) -> tuple[list[APIRouter], Sessions]:
        settings = state.settings
        sessions = Sessions(settings.tokens, settings.owner_tokens)
        if with_key:
            base = settings.public_url.rstrip("/") or local_address(settings)
            print(f"The editor is at {base}{page.PREFIX}#key={sessions.new_key()}", flush=True)
        return [router(state, sessions)], sessions

    return more


def local_address(settings: Settings) -> str:
    """Return where a browser on this machine reaches the server."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host
    shown = f"[{host}]" if ":" in host.strip("[]") and "[" not in host else host
    return f"http://{shown}:{settings.port}"


def data_directory(folder: Path) -> Path:
    """
    Return where drafts, versions, jobs and uploads of a folder of workflows are kept.

    Each folder has one of its own, below NODETOOL_DATA_DIR, else in the user's data folder as the
    platform has it. Nothing clears it as a cache is cleared.
    """
    chosen = os.environ.get(_DATA)
    root = Path(chosen).expanduser() if chosen else _user_data() / "nodetool"
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return root / "editor" / digest


def _user_data() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    chosen = os.environ.get("XDG_DATA_HOME", "")
    # A relative path is to be ignored, the specification says.
    return Path(chosen) if chosen.startswith("/") else Path.home() / ".local" / "share"
