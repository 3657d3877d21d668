"""Running a server as a program: uvicorn, and an end that leaves nothing half done."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from types import FrameType

import uvicorn
from fastapi import APIRouter

from nodetool_core.registry import Registry
from nodetool_core.server.app import create_app
from nodetool_core.server.logs import to_stderr
from nodetool_core.server.runtime.allocator import return_freed_memory
from nodetool_core.server.runtime.app_state import AppState, open_app_state
from nodetool_core.server.security.connections import Config, Connection, Limits
from nodetool_core.server.security.middleware import SessionCheck
from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_checks import check_address, check_models, is_loopback
from nodetool_core.server.settings_sources import SettingsError

_log = logging.getLogger(__name__)

BACKLOG = 2048

LARGEST_MESSAGE = 64 * 1024
"""Bytes of a message to a socket; none of ours takes more than a few words."""


class Server(uvicorn.Server):
    """
    Ends in order on SIGTERM and SIGINT.

    It is no longer ready, takes no connection, lets requests under way finish for `drain_seconds`,
    then has the jobs put back what has not ended. A second signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config, state: AppState) -> None:
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._state.draining.set()
        super().handle_exit(sig, frame)


def server_of(
    state: AppState, routers: Sequence[APIRouter] = (), sessions: SessionCheck | None = None
) -> Server:
    """
    Return the server, ready to be run.

    Args:
        routers: Routes that come before those of the server's own.
        sessions: Decides whose requests are the owner's.
    """
    settings = state.settings
    app = create_app(state, routers, sessions)
    config = Config(
        app,
        http=Connection,
        host=settings.host,
        port=settings.port,
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    config.sockets = app.sockets
    config.limits = Limits(settings.connections, settings.head_seconds, settings.body_seconds)
    return Server(config, state)


Addition = Callable[[AppState], tuple[Sequence[APIRouter], SessionCheck]]
"""Returns what a server has besides its own routes, once it listens."""


def serve(settings: Settings, more: Addition | None = None) -> None:
    """
    Serve until a signal ends it.

    Args:
        more: What is served besides the server's own.

    Raises SettingsError where the settings are not safe, a model is not where it should be, or the
    address is taken.
    """
    from nodetool_core.engine.caching.tiered import default_cache

    check_address(settings)
    check_models(settings)
    return_freed_memory()
    with (
        to_stderr(settings.log_level, settings.log_format),
        listen(settings) as listening,
        closing(default_cache(settings.result_bytes)) as cache,
    ):
        for number in (signal.SIGTERM, signal.SIGINT):
            # Before uvicorn takes signals, and after: it raises what ended it once more, which must
            # not skip what follows here.
            signal.signal(number, leave)
        # Links and the check of the header Host are for the port that is listened on, also where
        # any free one was requested.
        settings = settings.model_copy(update={"port": listening.getsockname()[1]})
        state = open_app_state(settings, Registry.installed(), cache=cache)
        _announce(state)
        routers, sessions = more(state) if more is not None else ((), None)
        server_of(state, routers, sessions).run([listening])


def leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        from nodetool_core.errors import Problem

        listening.close()
        place = f"{settings.host}:{settings.port}"
        raise SettingsError(
            Problem(
                "address_taken",
                place,
                f"can't be listened on: {error.strerror}.",
                "Choose another --port.",
            )
        ) from None
    listening.listen(BACKLOG)
    return listening


def _announce(state: AppState) -> None:
    settings, catalog = state.settings, state.catalog
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    facts = {
        "url": f"http://{host}:{settings.port}",
        "workflows": len(catalog.workflows),
        "models": len(catalog.models),
    }
    _log.info("serving", extra=facts)
    if not catalog.workflows:
        folder = settings.graphs.absolute()
        _log.warning(
            "No workflows are served: %s %s.",
            folder,
            "holds none that can be read" if folder.is_dir() else "is no folder",
        )
    if not settings.tokens and not is_loopback(settings.host):
        _log.warning("Everybody who reaches this address can use this machine: no token is set.")
