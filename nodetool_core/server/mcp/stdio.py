"""
The Model Context Protocol over stdin and stdout, for hosts that start their tools themselves.

Images are written into a folder, and images of this machine are read below the folders that the
user names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import anyio
from mcp.server.stdio import stdio_server

from nodetool_core.assets.files import atomic_write
from nodetool_core.errors import Problem
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.registry import Registry
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.logs import to_stderr
from nodetool_core.server.mcp.calls import Transport, server_of
from nodetool_core.server.runtime.app_state import open_app_state

if TYPE_CHECKING:
    from starlette.requests import Request

    from nodetool_core.server.mcp.content import Keep
    from nodetool_core.server.served_workflow import ServedWorkflow
    from nodetool_core.server.settings import Settings

_IMAGE: Final[JsonObject] = {
    "type": "string",
    "description": (
        "An image: the address of an earlier result, a path of this machine below an allowed"
        " folder, an http(s) address, or a data: URI"
    ),
}


class LocalImages:
    """
    Images of this machine: those that are made, and those that may be read.

    Args:
        folder: Where images are written; it may be read as well.
        roots: Further folders below which images may be read.
    """

    def __init__(self, folder: Path, roots: Sequence[Path]) -> None:
        self._folder = folder.absolute()
        self._roots = [root.resolve() for root in (self._folder, *roots)]

    def keep(self, request: Request | None) -> Keep:
        """Return what writes an image, and gives the address of its file."""
        return self._write

    def given(self, served: ServedWorkflow, given: JsonObject) -> JsonObject:
        """
        Return the values of inputs with the bytes of images in place of their paths.

        Raises HttpError 422 for one outside of the folders, 400 for one that can't be read.
        """
        return {
            name: self._read(value, name)
            if name in served.inputs and served.inputs[name].is_image
            else value
            for name, value in given.items()
        }

    def _write(self, data: bytes) -> str:
        path = self._folder / f"{hashlib.sha256(data).hexdigest()[:32]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        return atomic_write(path, data).as_uri()

    def _read(self, value: Json, where: str) -> Json:
        if isinstance(value, list):
            return [self._read(item, f"{where}[{index}]") for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        scheme = urlsplit(value).scheme
        if len(scheme) > 1 and scheme != "file":
            return value
        path = Path(unquote(urlsplit(value).path) if scheme == "file" else value).expanduser()
        resolved = path.resolve()
        if not any(resolved.is_relative_to(root) for root in self._roots):
            hint = f"Folders that may be read: {', '.join(map(str, self._roots))}."
            message = "is outside of the folders that may be read."
            raise HttpError(422, Problem("forbidden_path", where, message, hint))
        try:
            data = resolved.read_bytes()
        except OSError as error:
            message = f"{value[:200]} can't be read: {error.strerror}."
            raise HttpError(400, Problem("unreadable_file", where, message)) from None
        return {"type": "image", "data": base64.b64encode(data).decode()}


def serve_stdio(settings: Settings, roots: Sequence[Path]) -> None:
    """
    Answer one client over stdin and stdout until it closes them.

    Args:
        roots: Folders below which images may be read.
    """
    from nodetool_core.engine.caching.tiered import default_cache

    images = LocalImages(settings.data / "images", roots)
    with (
        to_stderr(settings.log_level, "text"),
        closing(default_cache(settings.result_bytes)) as cache,
    ):
        state = open_app_state(settings, Registry.installed(), cache=cache)
        server = server_of(state, Transport(images.keep, images.given, _IMAGE))

        async def answer() -> None:
            async with stdio_server() as (read, write):
                await server.run(read, write, server.create_initialization_options())

        state.start()
        try:
            anyio.run(answer)
        finally:
            state.jobs.drain(settings.drain_seconds)
            state.close()
