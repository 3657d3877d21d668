"""The rules for nodes that change the size of an image, or of the latents that stand for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nodes.importers.comfyui import diffusion
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.steps import Step
from nodes.importers.comfyui.values import Pixels
from nodetool_core.importing.draft import Handle, Unsupported

RESIZE: Final = "nodetool.image.Resize"
_METHODS: Final = {"nearest-exact": "nearest", "nearest": "nearest", "bislerp": "bicubic"}
"""Names of methods of resampling that are others here."""


def scale(reading: Reading) -> tuple[object, ...]:
    image = reading.first(reading.take_as("image", Pixels))
    return (Pixels(resized(reading, image)),)


def resized(reading: Reading, image: Handle) -> Handle:
    """Return the image in the size that a node asks for; a side of 0 follows from the other one."""
    width, height = reading.take("width"), reading.take("height")
    method = _method(reading)
    fit = _fit(reading.take("crop", "disabled"))
    if width != 0 and height != 0:
        size = {"width": width, "height": height}
        return Handle(reading.add(RESIZE, {"image": image, **size, "fit": fit, **method}))
    if width == height:
        raise Unsupported("neither width nor height is given")
    longest = 16384
    return Handle(
        reading.add(
            "nodetool.image.Fit",
            {"image": image, "width": width or longest, "height": height or longest, **method},
        )
    )


def _method(reading: Reading, name: str = "upscale_method") -> dict[str, object]:
    """Return the property `method` by the file's name of it; none for the usual one."""
    method = reading.take(name, "lanczos")
    return {} if method == "lanczos" else {"method": _METHODS.get(str(method), method)}


def scale_by(reading: Reading) -> tuple[object, ...]:
    step = Step("nodetool.image.Scale", {"image": "image", "scale_by": "scale"}, added=_method)
    return step(reading)


def latent_upscale(reading: Reading) -> tuple[object, ...]:
    latents = diffusion.image_latents(reading, "samples")
    reading.note("enlarges latents; here, the image that they stand for is enlarged.")
    return (diffusion.of_image(latents, resized(reading, latents.image.handle)),)


def latent_upscale_by(reading: Reading) -> tuple[object, ...]:
    latents = diffusion.image_latents(reading, "samples")
    reading.note("enlarges latents; here, the image that they stand for is enlarged.")
    properties = {
        "image": latents.image.handle,
        "scale": reading.take("scale_by"),
        **_method(reading),
    }
    return (diffusion.of_image(latents, Handle(reading.add("nodetool.image.Scale", properties))),)


def to_total_pixels(reading: Reading) -> tuple[object, ...]:
    """So many megapixels, of 1024 x 1024 there and of a million here."""
    return _resized_by(reading, "image", _megapixels(reading, "megapixels"), "resolution_steps")


def to_longest_side(reading: Reading) -> tuple[object, ...]:
    properties = {"by": "longer_side", "side": reading.take("largest_size")}
    return _resized_by(reading, "image", properties)


def for_kontext(reading: Reading) -> tuple[object, ...]:
    """To the nearest of the sizes that FLUX.1 Kontext was trained with, about a megapixel."""
    reading.note("is left to the model's pipeline, which brings images to a size that it knows.")
    return (reading.take("image"),)


def _fit(crop: object) -> str:
    found = {"disabled": "stretch", "center": "crop"}.get(str(known(crop)))
    if found is None:
        raise Unsupported(f"its crop {crop!r} is neither disabled nor center")
    return found


def resize_image_or_mask(reading: Reading) -> tuple[object, ...]:
    kind = reading.take_as("resize_type", str)
    size = {name: reading.take(f"resize_type.{name}", None) for name in _SIZES}
    by: dict[str, object]
    if kind == "scale dimensions":
        if 0 in (size["width"], size["height"]):
            given = "width" if size["height"] == 0 else "height"
            by = {"by": given, given: size[given]}
        else:
            fit = _fit(size["crop"] or "center")
            by = {"width": size["width"], "height": size["height"], "fit": fit}
    elif kind in _SIDES:
        by = {"by": _SIDES[kind], "side": reading.take(f"resize_type.{kind.split()[1]}_size")}
    elif kind in ("scale width", "scale height"):
        side = kind.split()[1]
        by = {"by": side, side: size[side]}
    elif kind == "scale total pixels":
        by = _megapixels(reading, "resize_type.megapixels")
    elif kind == "scale by multiplier":
        scaled = {
            "image": reading.first(reading.take_as("input", Pixels)),
            "scale": reading.take("resize_type.multiplier"),
            **_method(reading, "scale_method"),
        }
        return (Pixels(Handle(reading.add("nodetool.image.Scale", scaled))),)
    else:
        raise Unsupported(f"resize_type {kind!r} has no counterpart")
    return _resized_by(reading, "input", by, method="scale_method")


_SIZES: Final = ("width", "height", "crop")
_SIDES: Final = {"scale longer dimension": "longer_side", "scale shorter dimension": "shorter_side"}


def _megapixels(reading: Reading, name: str) -> dict[str, object]:
    return {"by": "megapixels", "megapixels": reading.number(name) * 1024 * 1024 / 1e6}


def _resized_by(
    reading: Reading,
    name: str,
    properties: dict[str, object],
    multiple: str = "",
    method: str = "upscale_method",
) -> tuple[object, ...]:
    if multiple and (of := reading.take(multiple, 1)) != 1:
        properties |= {"multiple_of": of}
    image = reading.first(reading.take_as(name, Pixels))
    return (
        Pixels(
            Handle(reading.add(RESIZE, {"image": image, **properties, **_method(reading, method)}))
        ),
    )


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "FluxKontextImageScale": for_kontext,
    "ImageScale": scale,
    "ImageScaleBy": scale_by,
    "ImageScaleToMaxDimension": to_longest_side,
    "ImageScaleToTotalPixels": to_total_pixels,
    "LatentUpscale": latent_upscale,
    "LatentUpscaleBy": latent_upscale_by,
    "ResizeImageMaskNode": resize_image_or_mask,
}
"""The classes that these rules are for."""
