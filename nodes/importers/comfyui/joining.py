"""The rules for nodes that bring images and masks together, take them apart, or show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.steps import Step
from nodes.importers.comfyui.values import Pixels
from nodetool_core.importing.draft import Handle, Unsupported

OUTPUT: Final = "nodetool.output.Output"
LIST: Final = "nodetool.image.ImagesToList"

_COLOURS: Final = {
    "white": "#ffffff",
    "black": "#000000",
    "red": "#ff0000",
    "green": "#00ff00",
    "blue": "#0000ff",
}
_COMBINED: Final = {
    "add": "add",
    "or": "union",
    "multiply": "multiply",
    "and": "intersection",
    "subtract": "subtract",
    "xor": "difference",
}
"""Operations on two masks; of soft ones, those in words count what is nearer to white."""


def compare(reading: Reading) -> tuple[object, ...]:
    """Show two images, or the one that is there."""
    names = [name for name in ("image_a", "image_b") if reading.has(name)]
    images = [reading.first(reading.take_as(name, Pixels)) for name in names]
    reading.skip(*(name for name, _ in reading.unread()))
    if len(images) == 2:
        both = {"before": images[0], "after": images[1]}
        shown = Handle(reading.add("lib.pillow.compare.BeforeAfter", both, "both"))
    elif images:
        shown = images[0]
    else:
        raise Unsupported("it has no images")
    reading.add(OUTPUT, {"name": reading.name("comparison"), "value": shown})
    return (Pixels(shown),)


def show_mask(reading: Reading) -> tuple[object, ...]:
    mask = reading.take_as("mask", Pixels)
    reading.add(OUTPUT, {"name": reading.name("mask"), "value": mask.handle})
    return (mask,)


def batch(reading: Reading) -> tuple[object, ...]:
    """Make one batch of two images, or of a list that grows."""
    images = {
        name: reading.take_as(name, Pixels) for name in ("image1", "image2") if reading.has(name)
    }
    for name in reading.growing("images."):
        images[name.removeprefix("images.")] = reading.take_as(name, Pixels)
    if not images:
        raise Unsupported("it has no images")
    first = next(iter(images.values()))
    if len(images) == 1:
        return (first,)
    handles = {name: reading.first(pixels) for name, pixels in images.items()}
    return (Pixels(first.handle, Handle(reading.add(LIST, handles, optional=True))),)


def from_batch(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("image", Pixels)
    number, length = reading.whole("batch_index", 0), reading.whole("length", 1)
    if pixels.batch is None:
        if number not in (0, -1):
            raise Unsupported(f"there is one image, and none at batch_index {number}")
        return (pixels,)
    if length == 1:
        one = {"values": pixels.batch, "index": number}
        return (Pixels(Handle(reading.add("nodetool.list.GetElement", one))),)
    if number < 0:
        raise Unsupported(f"batch_index {number} counts from the end, for several images")
    part = {"values": pixels.batch, "start": number, "stop": number + length}
    several = Handle(reading.add("nodetool.list.Slice", part))
    first = {"values": several, "index": 0}
    one_of = Handle(reading.add("nodetool.list.GetElement", first, "first", optional=True))
    return (Pixels(one_of, several),)


def stitch(reading: Reading) -> tuple[object, ...]:
    first = reading.first(reading.take_as("image1", Pixels))
    if not reading.has("image2"):
        reading.skip(*(name for name, _ in reading.unread()))
        return (Pixels(first),)
    second = reading.first(reading.take_as("image2", Pixels))
    direction = reading.take_as("direction", str)
    if direction not in ("right", "down", "left", "up"):
        raise Unsupported(f"direction {direction!r} is none of right, down, left, up")
    if (gap := reading.take("spacing_width", 0)) != 0:
        reading.note(f"has a space of {known(gap)} around the images as well.", level="warning")
    colour = str(known(reading.take("spacing_color", "white")))
    if colour not in _COLOURS:
        reading.lost(f"spacing_color {colour!r} is none of {', '.join(_COLOURS)}: it is white.")
    ordered = (first, second) if direction in ("right", "down") else (second, first)
    images = Handle(
        reading.add(LIST, dict(zip(("image_1", "image_2"), ordered, strict=True)), "images")
    )
    properties = {
        "tiles": images,
        "layout": "row" if direction in ("right", "left") else "column",
        "match": reading.take("match_image_size", True),
        "gap": gap,
        "background": {"type": "color", "value": _COLOURS.get(colour, "#ffffff")},
    }
    return (Pixels(Handle(reading.add("lib.grid.CombineImageGrid", properties))),)


def join_alpha(reading: Reading) -> tuple[object, ...]:
    """There, white in the mask becomes transparent; here, black does."""
    image = reading.first(reading.take_as("image", Pixels))
    mask = reading.take_as("alpha", Pixels).handle
    inverted = Handle(reading.add("lib.pillow.mask.InvertMask", {"mask": mask}, "mask"))
    joined = {"image": image, "mask": inverted}
    return (Pixels(Handle(reading.add("lib.pillow.mask.ApplyMask", joined))),)


def split_alpha(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("image", Pixels)
    cut = {"image": reading.first(pixels), "select": "transparent"}
    made = reading.add("lib.pillow.mask.FromAlpha", cut, optional=True)
    return pixels, Pixels(Handle(made))


def combine_masks(reading: Reading) -> tuple[object, ...]:
    operation = str(reading.take("operation", "multiply"))
    if operation not in _COMBINED:
        raise Unsupported(f"operation {operation!r} has no counterpart")
    place = {"left": reading.take("x", 0), "top": reading.take("y", 0)}
    step = Step(
        "lib.pillow.mask.CombineMasks",
        {"destination": "a", "source": "b"},
        added=lambda _: {"operation": _COMBINED[operation], "covers": "part", **place},
    )
    return step(reading)


def feather(reading: Reading) -> tuple[object, ...]:
    sides = {name: reading.take(name, 0) for name in ("left", "top", "right", "bottom")}
    faded = {"mask": reading.take_as("mask", Pixels).handle, **sides}
    return (Pixels(Handle(reading.add("lib.pillow.mask.FadeToSides", faded))),)


def sharpen(reading: Reading) -> tuple[object, ...]:
    radius, alpha = reading.whole("sharpen_radius", 1), reading.number("alpha", 1.0)
    if (sigma := reading.number("sigma", 1.0)) != radius:
        reading.note(f"a radius of {sigma:g} is taken, without its cut-off.")
    properties = {
        "image": reading.first(reading.take_as("image", Pixels)),
        "radius": sigma,
        "percent": round(alpha * 1000),
        "threshold": 0,
    }
    return (Pixels(Handle(reading.add("lib.pillow.enhance.UnsharpMask", properties))),)


def flip(reading: Reading) -> tuple[object, ...]:
    """There, a flip is named by its axis."""
    axis = reading.take_as("flip_method", str)
    direction = "vertical" if axis.startswith("x") else "horizontal"
    added = {"image": reading.first(reading.take_as("image", Pixels)), "direction": direction}
    return (Pixels(Handle(reading.add("nodetool.image.Flip", added))),)


def rotate(reading: Reading) -> tuple[object, ...]:
    turns = {"none": 0.0, "90 degrees": 90.0, "180 degrees": 180.0, "270 degrees": 270.0}
    angle = turns.get(reading.take_as("rotation", str))
    if angle is None:
        raise Unsupported("its rotation is no quarter turn")
    added = {"image": reading.first(reading.take_as("image", Pixels)), "angle": angle}
    return (Pixels(Handle(reading.add("nodetool.image.Rotate", added))),)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "BatchImagesNode": batch,
    "FeatherMask": feather,
    "Image Comparer (rgthree)": compare,
    "ImageBatch": batch,
    "ImageCompare": compare,
    "ImageFlip": flip,
    "ImageFromBatch": from_batch,
    "ImageRotate": rotate,
    "ImageSharpen": sharpen,
    "ImageStitch": stitch,
    "JoinImageWithAlpha": join_alpha,
    "MaskComposite": combine_masks,
    "MaskPreview": show_mask,
    "SplitImageWithAlpha": split_alpha,
}
"""The classes that these rules are for."""
