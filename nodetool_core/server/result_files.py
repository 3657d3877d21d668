"""
Results behind addresses that are secrets themselves.

Clients of several dialects fetch a result by its address alone, without a token. The name is the
hash of the content, so nobody guesses it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from nodetool_core.jobs.job import StoredFile
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.files import file_answer
from nodetool_core.server.http.openapi import failures, images_content

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

PREFIX: Final = "/results/"
"""Paths below it need no token."""

_FILE: Final[dict[int | str, JsonObject]] = {
    200: {"description": "The image.", "content": images_content()}
}


def address(file: StoredFile, base: str) -> str:
    """Return where a stored file is fetched without a token, for a server seen at `base`."""
    return f"{base}{PREFIX}{file.digest}.{file.media_type.rpartition('/')[2]}"


def router(state: AppState) -> APIRouter:
    """Return the one route."""
    routes = APIRouter(tags=["Results"])

    def result(name: Annotated[str, Path(pattern=r"^[0-9a-f]{64}\.\w{3,4}$")]) -> Response:
        """Return an image of a result."""
        media_type, content = state.stored(PurePosixPath(name).stem)
        return file_answer(media_type, content, name=name, seconds=3600)

    routes.add_api_route(
        f"{PREFIX}{{name}}",
        result,
        methods=["GET"],
        summary="An image of a result",
        operation_id="result_file",
        response_class=Response,
        responses=_FILE | failures(404, 422, 429, 503),
    )
    return routes
