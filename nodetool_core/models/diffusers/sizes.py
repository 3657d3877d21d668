"""
Which image sizes a pipeline supports.

A diffusion model works on a grid: sides are multiples of what its autoencoder and patches cover.
And it works well near the area that it was trained at: far above, scenes repeat; far below, shapes
dissolve. So an image with more than 2.25 times or less than half of that area is resized to about
that area, keeping its aspect ratio. Sides are then rounded down to the multiple.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from nodetool_core.models.diffusers.families import call_parameters, quirks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.context import Pipeline

MAX_AREA_RATIO = 2.25
MIN_AREA_RATIO = 0.5
"""Ratios to the native area between which an image keeps its size."""

_DENOISERS = ("unet", "image_unet", "transformer")
"""Components whose configuration states the size of the latents that they were trained at."""

_AUTOENCODERS = ("vae", "vqvae")
"""Components that decode latents, besides Kandinsky's `movq`."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"  # noqa: RUF001 - the sign that sizes are written with


def supported_size(pipeline: Pipeline, size: Size, *, any_area: bool = False) -> Size:
    """Return the supported size nearest to `size`; `any_area` keeps the area."""
    width, height = float(size.width), float(size.height)
    native = None if any_area else native_area(pipeline)
    if (
        native is not None
        and not MIN_AREA_RATIO * native <= width * height <= MAX_AREA_RATIO * native
    ):
        scale = math.sqrt(native / (width * height))
        width, height = width * scale, height * scale
    multiple = side_multiple(pipeline)
    return Size(
        *(max(multiple, int(side + 0.01) // multiple * multiple) for side in (width, height))
    )


def native_size(pipeline: Pipeline, width: int = 0, height: int = 0) -> Size | None:
    """
    Return the size of an image made from text.

    Sides that are 0 follow from the area that the model was trained at. None where both are 0 and
    the configuration does not state that area.
    """
    if width and height:
        return Size(width, height)
    area = native_area(pipeline)
    side = width or height
    if area is None:
        return Size(side, side) if side else None
    other = round(area / side) if side else math.isqrt(area)
    multiple = side_multiple(pipeline)
    other = max(multiple, other // multiple * multiple)
    return Size(width or other, height or other)


def wanted_size(
    pipeline: Pipeline, width: int, height: int, warn: Callable[[str], None]
) -> Size | None:
    """
    Return the size to make an image at, as `native_size` does.

    None for a pipeline of one size, with a warning for each side that is set.
    """
    taken = call_parameters(type(pipeline))
    for name, side in (("width", width), ("height", height)):
        if side and name not in taken:
            class_name = type(pipeline).__name__
            warn(f"{name} is not used: {class_name} has no such setting.")
    return native_size(pipeline, width, height) if "width" in taken else None


def supported_square(pipeline: Pipeline, size: Size) -> Size:
    """Return the supported square of about the area of `size`."""
    multiple = side_multiple(pipeline)
    side = max(multiple, math.isqrt(size.width * size.height) // multiple * multiple)
    return Size(side, side)


def native_area(pipeline: Pipeline) -> int | None:
    """Return the area in pixels that the model was trained at; None where it is unknown."""
    declared = max(
        (quirk.native_side for quirk in quirks_of(type(pipeline).__name__)), default=0
    ) or _configured(pipeline, "default_sample_size")
    if declared:
        return declared**2
    scale = _vae_scale_factor(pipeline)
    for part in _DENOISERS:
        denoiser = getattr(pipeline, part, None)
        sample = denoiser.config.get("sample_size") if denoiser is not None else None
        if sample:
            sides = (sample, sample) if isinstance(sample, int) else tuple(sample)[-2:]
            return int(sides[0] * sides[1] * scale**2)
    sample = getattr(pipeline, "default_sample_size", None)
    if isinstance(sample, int):
        return int((sample * scale) ** 2)
    # Z-Image and Kandinsky 3 do not state it; they were trained at 1024 pixels with a factor of 8.
    has_latents = any(
        getattr(pipeline, part, None) is not None for part in (*_AUTOENCODERS, "movq")
    )
    return int((128 * scale) ** 2) if has_latents else None


def side_multiple(pipeline: Pipeline) -> int:
    """Return what width and height have to be multiples of, in pixels."""
    quirks = quirks_of(type(pipeline).__name__)
    declared = max((quirk.side_multiple for quirk in quirks), default=0)
    multiple = declared or _multiple_of_components(pipeline)
    is_coarse = any(quirk.has_coarse_latents for quirk in quirks)
    # A T2I-Adapter folds the pixels of its image before it looks at them.
    folded = getattr(getattr(pipeline, "adapter", None), "downscale_factor", 1)
    return math.lcm(multiple * (_vae_scale_factor(pipeline) if is_coarse else 1), folded)


def _multiple_of_components(pipeline: Pipeline) -> int:
    scale = _vae_scale_factor(pipeline)
    if getattr(pipeline, "movq", None) is not None:
        # Kandinsky rounds to squares of the factor.
        return scale**2
    if not _has_autoencoder(pipeline):
        # DeepFloyd IF works on pixels, and cuts sides to 32.
        return 32
    transformer = getattr(pipeline, "transformer", None)
    patch = transformer.config.get("patch_size") if transformer is not None else None
    processor = getattr(pipeline, "image_processor", None)
    step = (
        processor.config.get("vae_scale_factor")
        if processor is not None and hasattr(processor, "config")
        else None
    )
    return max(
        scale * (patch if isinstance(patch, int) else 1), step if isinstance(step, int) else 1
    )


def _configured(pipeline: Pipeline, name: str) -> int:
    """Return an integer that was saved in the pipeline's configuration; 0 where there is none."""
    number = getattr(pipeline, "config", {}).get(name)
    return number if isinstance(number, int) else 0


def latents_of(pipeline: Pipeline, size: tuple[int, int]) -> tuple[int, int]:
    """Return a size in pixels as one of latents, each side at least 1."""
    scale = _vae_scale_factor(pipeline)
    return max(1, size[0] // scale), max(1, size[1] // scale)


def _vae_scale_factor(pipeline: Pipeline) -> int:
    """Return how many pixels one latent covers along a side."""
    movq = getattr(pipeline, "movq", None)
    if movq is not None:
        return int(2 ** (len(movq.config.block_out_channels) - 1))
    if not _has_autoencoder(pipeline):
        return 1
    return int(getattr(pipeline, "vae_scale_factor", 8))


def _has_autoencoder(pipeline: Pipeline) -> bool:
    return any(getattr(pipeline, part, None) is not None for part in _AUTOENCODERS)
