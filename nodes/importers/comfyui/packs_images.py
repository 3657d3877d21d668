"""The rules for images of widespread packs: KJNodes, IPAdapter_plus, WAS, and animations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nodes.importers.comfyui.joining import OUTPUT
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.scaling import RESIZE
from nodes.importers.comfyui.values import Pixels
from nodetool_core.importing.draft import Handle, Unsupported

_METHODS: Final = {"nearest-exact": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"}
_FITS: Final = {"stretch": "stretch", "resize": "inside", "crop": "crop", "pad": "pad"}
_SEEN: Final = 224
"""The side of the images that CLIP's vision sees."""
_ANCHORS: Final = frozenset({"top", "bottom", "left", "right", "center"})


def resize(reading: Reading) -> tuple[object, ...]:
    """Resize as KJNodes does: stretched, inside, cropped, padded, or to so many pixels."""
    image = reading.first(reading.take_as("image", Pixels))
    kind = str(known(reading.take("keep_proportion", "stretch")))
    reading.skip("device")
    width, height = reading.take("width", 512), reading.take("height", 512)
    properties: dict[str, object] = {"image": image, **_method(reading)}
    if kind == "total_pixels":
        pixels = reading.number("width") * reading.number("height")
        properties |= {"by": "megapixels", "megapixels": pixels / 1e6}
    elif 0 in (known(width), known(height)):
        side = "width" if known(height) == 0 else "height"
        properties |= {"by": side, side: width if side == "width" else height}
    elif kind in _FITS:
        properties |= {"width": width, "height": height, "fit": _FITS[kind]}
    else:
        raise Unsupported(f"its keep_proportion {kind!r} has no counterpart")
    place = str(known(reading.take("crop_position", "center")))
    if kind in ("crop", "pad"):
        properties["anchor"] = place if place in _ANCHORS else "center"
    if kind == "pad":
        properties["color"] = {"type": "color", "value": _colour(reading)}
    else:
        reading.skip("pad_color")
    if (multiple := reading.take("divisible_by", 1)) not in (0, 1):
        properties["multiple_of"] = multiple
    made = Handle(reading.add(RESIZE, properties))
    size = reading.add("nodetool.image.GetMetadata", {"image": made}, "size", optional=True)
    return Pixels(made), Handle(size, "width"), Handle(size, "height"), _mask(reading, properties)


def _mask(reading: Reading, properties: Mapping[str, object]) -> object:
    """Return the mask that is resized along; none where there is none."""
    if not reading.has("mask"):
        return None
    mask = {"image": reading.take_as("mask", Pixels).handle}
    return Pixels(Handle(reading.add(RESIZE, {**properties, **mask}, "mask", optional=True)))


def _method(reading: Reading) -> dict[str, object]:
    method = str(known(reading.take("upscale_method", "lanczos")))
    if method in ("lanczos", "area"):
        return {} if method == "lanczos" else {"method": method}
    if method not in _METHODS:
        reading.note(f"upscale_method {method!r} is lanczos here.", level="warning")
    return {"method": _METHODS[method]} if method in _METHODS else {}


def _colour(reading: Reading) -> str:
    parts = str(known(reading.take("pad_color", "0, 0, 0"))).split(",")
    try:
        red, green, blue = (min(255, max(0, int(part))) for part in parts)
    except ValueError:
        raise Unsupported("its pad_color is not three numbers") from None
    return f"#{red:02x}{green:02x}{blue:02x}"


def for_vision(reading: Reading) -> tuple[object, ...]:
    """Crop an image to the square that an image encoder sees."""
    place = str(known(reading.take("crop_position", "center")))
    properties: dict[str, object] = {
        "image": reading.first(reading.take_as("image", Pixels)),
        **{"width": _SEEN, "height": _SEEN, "fit": "pad" if place == "pad" else "crop"},
        "anchor": place if place in _ANCHORS else "center",
    }
    method = str(known(reading.take("interpolation", "LANCZOS"))).lower()
    if method in _METHODS:
        properties["method"] = _METHODS[method]
    made = Handle(reading.add(RESIZE, properties))
    if share := reading.number("sharpening", 0.0):
        reading.note("is sharpened by an unsharp mask of about the same strength.", level="warning")
        sharp = {"image": made, "radius": 1.0, "percent": round(share * 100), "threshold": 0}
        made = Handle(reading.add("lib.pillow.enhance.UnsharpMask", sharp, "sharp"))
    return (Pixels(made),)


def grain(reading: Reading) -> tuple[object, ...]:
    image = reading.first(reading.take_as("image", Pixels))
    density, intensity = reading.number("density", 1.0), reading.number("intensity", 1.0)
    settings = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
    reading.skip(*(name for name, _ in reading.unread()))
    amount = round(min(1.0, density * intensity), 4)
    more = f" ({settings})" if settings else ""
    message = f"density {density:g} of intensity {intensity:g} is an amount of {amount:g}{more}."
    reading.note(message, level="warning")
    made = reading.add("lib.pillow.stylize.FilmGrain", {"image": image, "amount": amount})
    return (Pixels(Handle(made)),)


def frames(reading: Reading) -> tuple[object, ...]:
    """Give the images of an animation."""
    pixels = reading.take_as("images", Pixels)
    settings = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
    reading.skip(*(name for name, _ in reading.unread()))
    message = f"its images are a result, without the file of an animation ({settings})."
    reading.note(message, "SaveAnimation writes one.", level="warning")
    name = reading.name("frames")
    reading.add(OUTPUT, {"name": name, "value": pixels.batch or pixels.handle})
    return (pixels,)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "Film Grain": grain,
    "ImageResizeKJv2": resize,
    "PrepImageForClipVision": for_vision,
    "SaveAnimatedPNG": frames,
    "SaveAnimatedWEBP": frames,
}
"""The classes that these rules are for."""
