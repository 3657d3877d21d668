"""
Enlarging images, as the web UI's tab *Extras* does it.

An upscaler is a way to resample, or a workflow that makes of one image another: such as the one
that ships, `enlarge`. Its result is resampled to the size that is requested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import Problem, near_miss
from nodetool_core.json_types import JsonObject
from nodetool_core.server.a1111.body import ExtrasBody
from nodetool_core.server.http.http_errors import HttpError, wrong
from nodetool_core.server.http.images import EncodedImage, decoded_bytes
from nodetool_core.server.served_workflow import ServedWorkflow

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.server.runtime.app_state import AppState

NONE: Final = "None"
_RESAMPLERS: Final = (NONE, "Lanczos", "Nearest")
_NEUTRAL: Final = ("gfpgan_visibility", "codeformer_visibility")
"""Fields that ask for something that there is not, unless they are 0."""


class Upscalers:
    """The upscalers of a server, by name."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    @property
    def workflows(self) -> dict[str, ServedWorkflow]:
        """The workflows that make of one image another, with nothing to say about it."""
        return {
            served.name: served
            for served in self._state.catalog.workflows.values()
            if served.task == "image-to-image" and served.prompt_input is None
        }

    def listed(self) -> list[JsonObject]:
        """Return the answer of `/upscalers`."""
        return [
            {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4}
            for name in (*_RESAMPLERS, *self.workflows)
        ]

    def find(self, name: str, where: str) -> ServedWorkflow | None:
        """
        Return the workflow behind a name; None for a way to resample.

        Raises HttpError 404 for an upscaler that is not listed.
        """
        if name in _RESAMPLERS:
            return None
        known = self.workflows
        if name in known:
            return known[name]
        hint = (
            near_miss(name, [*_RESAMPLERS, *known])
            or "GET /sdapi/v1/upscalers lists those there are."
        )
        raise wrong(404, "unknown_upscaler", where, f"Upscaler not found: {name[:80]!r}.", hint)


@dataclass(frozen=True)
class ImageCall:
    """An image for an upscaler, as it waits for its turn."""

    served: ServedWorkflow
    image: EncodedImage

    @property
    def decoded_bytes(self) -> int:
        """Bytes of pixels once it is decoded."""
        return decoded_bytes([self.image])

    def decode(self) -> Mapping[str, object]:
        """Return the workflow's values with pixels. Raises ImageError."""
        assert self.served.image_input is not None
        return {self.served.inputs[self.served.image_input].given: self.image.decode()}


def check_size(body: ExtrasBody, size: tuple[int, int], max_pixels: int) -> None:
    """Raise HttpError 422 for a size that is more than is made here."""
    width, height = _size(body, size)
    if width * height <= max_pixels:
        return
    message = f"{width} x {height} is above {max_pixels / 1e6:g} megapixels."
    raise HttpError(422, Problem("image_too_large", "upscaling_resize", message, "Ask for less."))


def resampled(
    image: Image.Image, body: ExtrasBody, original: tuple[int, int], name: str
) -> Image.Image:
    """
    Return what an upscaler made in the size that is requested.

    Args:
        original: The size of the image before.
        name: The upscaler, which may say how.
    """
    from PIL.Image import Resampling

    method = Resampling.NEAREST if name == "Nearest" else Resampling.LANCZOS
    if body.resize_mode == 1 and body.upscaling_crop:
        return resampled_to(image, _wanted(body), name)
    size = _size(body, original)
    return image if image.size == size else image.resize(size, method)


def resampled_to(image: Image.Image, size: tuple[int, int], name: str) -> Image.Image:
    """Return an image in a size, cut where its sides have another ratio."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    method = Resampling.NEAREST if name == "Nearest" else Resampling.LANCZOS
    return image if image.size == size else ImageOps.fit(image, size, method)


def mixed(first: Image.Image, second: Image.Image, share: float) -> Image.Image:
    """Return two images of a size as one, with a share of the second."""
    from PIL import Image

    mode = "RGBA" if first.has_transparency_data or second.has_transparency_data else "RGB"
    return Image.blend(first.convert(mode), second.convert(mode), share)


def notes_on(body: ExtrasBody) -> list[str]:
    """Return what is not done as requested."""
    return [f"{name} is not used here" for name in _NEUTRAL if getattr(body, name)]


def html_info(notes: list[str]) -> str:
    """Return notes in HTML, as the web UI gives them."""
    return "".join(f"<p>{escape(note)}</p>" for note in notes)


def _wanted(body: ExtrasBody) -> tuple[int, int]:
    return (body.upscaling_resize_w, body.upscaling_resize_h)


def _size(body: ExtrasBody, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size that an image of a size is brought to."""
    if body.resize_mode == 0:
        factor = body.upscaling_resize
    elif body.upscaling_crop:
        return _wanted(body)
    else:
        factor = min(wanted / side for wanted, side in zip(_wanted(body), size, strict=True))
    return (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
