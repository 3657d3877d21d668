"""
Images at any size: those beside a workflow's file, and stored ones.

What a page shows small is fetched small.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Annotated, Final

from fastapi import Query
from PIL import Image
from starlette.responses import Response

from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.errors import ImageError, NodetoolError, Problem
from nodetool_core.references import ImageRef
from nodetool_core.server.http.files import file_answer
from nodetool_core.server.http.http_errors import HttpError, as_http
from nodetool_core.server.http.images import encode_image_data

Side = Annotated[int | None, Query(ge=16, le=2048, description="Pixels of a thumbnail.")]
Quiet = Annotated[
    bool, Query(description="Whether the answer is 204, not 404, where there is no such image.")
]
NOTHING: Final = {204: {"description": "There is no such image, and `quiet` asked for this."}}

_YEAR: Final = 31_536_000


def or_nothing(answer: Callable[[], Response], quiet: bool) -> Response:
    """
    Return an answer, or an empty one where there is no such image and that was asked for.

    Browsers report each 404 of an image as a mistake of the page.
    """
    try:
        return answer()
    except NodetoolError as error:
        if quiet and as_http(error).status == 404:
            return Response(status_code=204)
        raise


def image_beside(
    folder: Path, path: str, side: int | None, *, below: Path | None = None
) -> Response:
    """
    Return an image by its path from a folder. Blocks.

    Args:
        side: Pixels of the square that it is made to fit; None for its own size.
        below: The folder that it has to lie in; `folder` unless given.

    Raises HttpError 404 for what is no image, does not exist, or lies outside.
    """
    try:
        place = (folder / path).resolve()
        is_inside = place.is_relative_to((below or folder).resolve()) and place.is_file()
    except (OSError, ValueError):  # A name that no file system takes.
        is_inside = False
    if not is_inside:
        raise _missing(path)
    try:
        image = ImageLoader(base=folder).open(ImageRef(uri=str(place)), lambda note: None)
    except ImageError as error:
        raise HttpError(404, list(error.problems)) from error
    # The file may be another one under the same name in a moment.
    return webp_answer(image, side, "no-cache")


def webp_answer(image: Image.Image, side: int | None, cached: str) -> Response:
    """Return an image, made to fit a square where one is given. Blocks."""
    content = encode_image_data(ImageData.of(within(image, side)), "WEBP")
    return Response(content, media_type="image/webp", headers={"Cache-Control": cached})


def stored_image(digest: str, stored: tuple[str, bytes], side: int | None) -> Response:
    """
    Return an upload or a result, as `image_beside` does; other files as they are. Blocks.

    Args:
        stored: Its media type and content.
    """
    media_type, content = stored
    if side is not None and media_type.startswith("image/"):
        image = within(Image.open(BytesIO(content)), side)
        content, media_type = encode_image_data(ImageData.of(image), "WEBP"), "image/webp"
    return file_answer(media_type, content, name=digest[:16], seconds=_YEAR)


def within(image: Image.Image, side: int | None) -> Image.Image:
    """Return an image made to fit a square, where it is larger."""
    if side is None or max(image.size) <= side:
        return image
    image = image.copy()
    image.thumbnail((side, side))
    return image


def _missing(path: str) -> HttpError:
    return HttpError(
        404,
        Problem(
            "missing_file",
            "path",
            f"{path[:200]!r} is no image beside the workflow.",
            "Name a file below the workflow's folder.",
        ),
    )
