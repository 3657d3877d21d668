"""
The image-to-image apps of Qolaba: their ids, and the sizes that each has.

From the table in the vendor's API documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from nodetool_core import NodeError

Size = tuple[int, int]
"""Width and height in pixels."""

AppName = Literal[
    "Flux Dev",
    "Flux Canny",
    "Flux Depth",
    "Ideogram Remix",
    "Flux Redux",
    "Flux PulID",
    "GPT Image",
    "Flux Kontext Max",
]

SMALLEST, LARGEST = 256, 1536
"""
What width and height may be where an app has no list of sizes, and what an image is scaled down to
fit in.
"""
LARGEST_LISTED = 1600
"""The longest side in the lists, which count more than the general range."""


@dataclass(frozen=True)
class App:
    """One app."""

    name: str
    id: str
    sizes: tuple[Size, ...] = ()
    """The sizes there are; empty for an app that takes the size of the image."""
    is_listed: bool = True
    """Whether it is in the vendor's table, so that its sizes are known."""


def _app(name: AppName, app_id: str, sizes: str = "") -> App:
    """
    Return the vendor's sizes, read as width x height.

    800x1000 is a portrait then, and 1600x676 a wide image.
    """
    pairs = [size.partition("x") for size in sizes.split()]
    return App(name, app_id, tuple((int(width), int(height)) for width, _, height in pairs))


APPS: Final[Mapping[str, App]] = {
    app.name: app
    for app in (
        _app("Flux Dev", "ap-fGhKl3mfkdlpqrshuwwabc"),
        _app("Flux Canny", "ap-mNqZx4rtyjvbcfghwklpde"),
        _app("Flux Depth", "ap-gWfZx8rjvtyqopmnbcdehij"),
        _app(
            "Ideogram Remix",
            "ap-hTjXy7qplkzvnmwqrsdabc",
            "720x1280 960x1280 1024x1024 1280x960 1280x720",
        ),
        _app(
            "Flux Redux",
            "ap-gFhLq9zvbnmopxkytswabc",
            "720x1280 800x1000 1024x1024 1280x720 1600x676",
        ),
        _app(
            "Flux PulID",
            "ap-hJkLm8nqwertyuiopasdfg",
            "1024x1024 800x1000 720x1280 1280x720 1600x676",
        ),
        _app("GPT Image", "ap-zuzhawbgipcrnxdtefhjbnvhc", "1024x1536 1024x1024 1536x1024"),
        _app(
            "Flux Kontext Max",
            "ap-tK7gR4jP9sWbC1mNfE8uVzH2",
            "630x1470 900x1200 1024x1024 1280x720 1470x630",
        ),
    )
}


def find_app(name: str, app_id: str) -> App:
    """Return the app of an id, where one is given, else of a name."""
    if not app_id:
        return APPS[name]
    return next(
        (app for app in APPS.values() if app.id == app_id), App(app_id, app_id, is_listed=False)
    )


def size_for(app: App, wanted: Size | None, image: Size | None) -> Size | None:
    """
    Return the width and height to send; None for none.

    Without a wish it is the app's size whose shape is nearest to the image's. Raises NodeError for
    a size that the app does not have.
    """
    if not app.is_listed:
        if wanted is not None and not all(SMALLEST <= side <= LARGEST for side in wanted):
            message = (
                f"{wanted[0]} x {wanted[1]} is out of range: {SMALLEST} to {LARGEST} pixels a side."
            )
            raise NodeError(message, code="invalid_size", where="width, height")
        return wanted
    if not app.sizes:
        return None
    if wanted is None:
        shape = 1.0 if image is None else image[0] / image[1]
        return min(
            app.sizes, key=lambda size: max(size[0] / size[1] / shape, shape / (size[0] / size[1]))
        )
    # The vendor's table does not say which side comes first, so both orders go: what it refuses,
    # the service says.
    if wanted not in app.sizes and wanted[::-1] not in app.sizes:
        listed = ", ".join(f"{width}x{height}" for width, height in app.sizes)
        message = f"{app.name} makes no {wanted[0]}x{wanted[1]}."
        raise NodeError(
            message, f"Its sizes: {listed}.", code="invalid_size", where="width, height"
        )
    return wanted
