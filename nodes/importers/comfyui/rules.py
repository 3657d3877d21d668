"""
What ComfyUI's classes are to us: a table from the class to a rule.

A rule takes a `Reading` and gives one value per output. Most rules are `Step`, data alone: a node
of ours that does the same. Here are those for images and masks, and the whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final

from nodes.importers.comfyui import (
    conditioning,
    diffusion,
    joining,
    packs,
    packs_images,
    packs_impact,
    packs_krita,
    packs_loading,
    packs_values,
    plain,
    recognition,
    regions,
    sampling,
    scaling,
)
from nodes.importers.comfyui.editor import NOTES
from nodes.importers.comfyui.reading import Reading
from nodes.importers.comfyui.steps import Step, Through
from nodes.importers.comfyui.values import Pixels
from nodetool_core.importing.draft import Handle, Unsupported

OUTPUT: Final = "nodetool.output.Output"

Rule = Callable[[Reading], tuple[object, ...]]

_BLEND_MODES: Final = {
    **{name: name for name in ("normal", "multiply", "screen", "overlay", "soft_light")},
    # What it calls difference cuts off what is below black.
    "difference": "subtract",
}


def load_image(reading: Reading) -> tuple[object, ...]:
    image = _file(reading)
    mask = reading.add(
        "lib.pillow.mask.FromAlpha",
        {"image": image, "select": "transparent"},
        "mask",
        optional=True,
    )
    return Pixels(image), Pixels(Handle(mask))


def load_mask(reading: Reading) -> tuple[object, ...]:
    channel = reading.take("channel", "alpha")
    image = _file(reading)
    if channel == "alpha":
        return (
            Pixels(
                Handle(
                    reading.add(
                        "lib.pillow.mask.FromAlpha",
                        {"image": image, "select": "transparent"},
                        "mask",
                    )
                )
            ),
        )
    return (
        Pixels(
            Handle(
                reading.add(
                    "lib.pillow.filter.GetChannel",
                    {"image": image, "channel": _channel(channel)},
                    "mask",
                )
            )
        ),
    )


def image_to_mask(reading: Reading) -> tuple[object, ...]:
    image, channel = (
        reading.first(reading.take_as("image", Pixels)),
        _channel(reading.take("channel")),
    )
    return (
        Pixels(
            Handle(
                reading.add("lib.pillow.filter.GetChannel", {"image": image, "channel": channel})
            )
        ),
    )


def save_image(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("images", Pixels)
    prefix = str(reading.take("filename_prefix", ""))
    name = PurePosixPath(prefix.replace("\\", "/")).name.replace("%", "").strip("_ ")
    name = reading.name("result" if name in ("", "ComfyUI") else name)
    if prefix not in (name, "ComfyUI"):
        reading.note(f"{prefix!r} is the result {name!r}.")
    reading.usual("format", "png")
    reading.skip("format.bit_depth", "format.colorspace", "bit_depth", "colorspace")
    reading.add(OUTPUT, {"name": name, "value": pixels.batch or pixels.handle})
    return (pixels,)


def preview_image(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("images", Pixels)
    reading.add(
        OUTPUT,
        {"name": reading.name("preview"), "value": pixels.batch or pixels.handle},
    )
    return ()


def blend(reading: Reading) -> tuple[object, ...]:
    mode = str(reading.take("blend_mode", "normal"))
    if mode not in _BLEND_MODES:
        raise Unsupported(f"blend_mode {mode!r} has no counterpart")
    return Step(
        "lib.pillow.Blend",
        {"image1": "image1", "image2": "image2", "blend_factor": "alpha"},
        added=lambda _: {} if mode == "normal" else {"blend_mode": _BLEND_MODES[mode]},
    )(reading)


def crop(reading: Reading) -> tuple[object, ...]:
    left, top = reading.whole("x", 0), reading.whole("y", 0)
    right, bottom = left + reading.whole("width"), top + reading.whole("height")
    image = reading.first(reading.take_as("image", Pixels))
    box = {"left": left, "top": top, "right": right, "bottom": bottom}
    return (Pixels(Handle(reading.add("nodetool.image.Crop", {"image": image, **box}))),)


def composite(reading: Reading) -> tuple[object, ...]:
    below, above = (
        reading.first(reading.take_as(name, Pixels)) for name in ("destination", "source")
    )
    x, y = reading.take("x", 0), reading.take("y", 0)
    reading.usual("resize_source", False)
    if reading.has("mask") and (x, y) == (0, 0):
        mask = reading.take_as("mask", Pixels).handle
        layers = {"image1": above, "image2": below, "mask": mask}
        return (Pixels(Handle(reading.add("lib.pillow.Composite", layers))),)
    layers = {"image": below, "paste": above}
    if reading.has("mask"):
        layers["mask"] = reading.take_as("mask", Pixels).handle
    at = {"left": x, "top": y}
    return (Pixels(Handle(reading.add("nodetool.image.Paste", {**layers, **at}))),)


def pad(reading: Reading) -> tuple[object, ...]:
    sides = {name: reading.take(name, 0) for name in ("left", "top", "right", "bottom")}
    image = reading.first(reading.take_as("image", Pixels))
    made = reading.add(
        "lib.pillow.mask.PadForOutpainting",
        {"image": image, **sides, "feather": reading.take("feathering", 0)},
    )
    return Pixels(Handle(made)), Pixels(Handle(made, "mask"))


def empty_image(reading: Reading) -> tuple[object, ...]:
    reading.usual("batch_size", 1)
    colour = f"#{reading.whole('color', 0) & 0xFFFFFF:06x}"
    return _canvas(reading, colour)


def solid_mask(reading: Reading) -> tuple[object, ...]:
    value = reading.number("value", 1.0)
    grey = round(min(1.0, max(0.0, value)) * 255)
    if not 0 <= value <= 1:
        reading.note(f"value {value:g} is out of its bounds of 0 and 1.", level="warning")
    return _canvas(reading, f"#{grey:02x}{grey:02x}{grey:02x}")


def comment(reading: Reading) -> tuple[object, ...]:
    reading.add(
        "nodetool.workflows.base_node.Comment",
        {"headline": reading.node.title, "comment": reading.take("text", "")},
    )
    return ()


def _canvas(reading: Reading, colour: str) -> tuple[object, ...]:
    size = {"width": reading.take("width", 512), "height": reading.take("height", 512)}
    return (
        Pixels(
            Handle(
                reading.add(
                    "lib.pillow.draw.Background",
                    {**size, "color": {"type": "color", "value": colour}},
                )
            )
        ),
    )


def _file(reading: Reading) -> Handle:
    """Return an input of the workflow for a file that ComfyUI keeps in its input folder."""
    path = reading.file_name("image")
    value = {"type": "image", "uri": path}
    name = reading.name("image")
    reading.note(
        f"is the input {name!r}; unless it is set, {path!r} is read from the workflow's folder.",
        f"Run with --set {name}=PATH.",
    )
    return Handle(reading.add("nodetool.input.ImageInput", {"name": name, "value": value}))


def _channel(name: object) -> str:
    if name not in ("red", "green", "blue"):
        raise Unsupported(f"channel {name!r} is none of red, green, blue")
    return str(name)[0].upper()


_CHANGED = {"image": "image"}
_MASK = {"mask": "mask"}

IMAGES: Final[Mapping[str, Rule]] = {
    "Canny": Step(
        "lib.pillow.filter.Canny",
        {"image": "image", "low_threshold": "low_threshold", "high_threshold": "high_threshold"},
        {
            "low_threshold": lambda share: round(share * 255),
            "high_threshold": lambda share: round(share * 255),
        },
    ),
    "EmptyImage": empty_image,
    "GrowMask": Step(
        "lib.pillow.mask.Grow",
        {"mask": "mask", "expand": "pixels"},
        usual={"tapered_corners": (False,)},
    ),
    "ImageBlend": blend,
    "ImageBlur": Step("lib.pillow.filter.Blur", {"image": "image", "sigma": "radius"}),
    "ImageCompositeMasked": composite,
    "ImageCrop": crop,
    "ImageInvert": Step("lib.pillow.filter.Invert", _CHANGED),
    "ImagePadForOutpaint": pad,
    "ImageToMask": image_to_mask,
    "InvertMask": Step("lib.pillow.mask.InvertMask", _MASK),
    "LoadImage": load_image,
    "LoadImageMask": load_mask,
    "LoadImageOutput": load_image,
    "MaskToImage": Through("mask"),
    "PreviewImage": preview_image,
    "SaveImage": save_image,
    "SaveImageAdvanced": save_image,
    "SolidMask": solid_mask,
    "ThresholdMask": Step(
        "lib.pillow.mask.Threshold",
        {"mask": "image", "value": "threshold"},
        {"value": lambda share: min(255, int(share * 255) + 1)},
    ),
}

OUTPUTS: Final = frozenset(
    {
        *("SaveImage", "SaveImageAdvanced", "PreviewImage", "PreviewAny", "MaskPreview"),
        *("ImageCompare", "Image Comparer (rgthree)", "MaskPreview+", "ShowText|pysssss"),
        *("ETN_KritaOutput", "PreviewBridge"),
        *("KSampler (Efficient)", "SaveAnimatedPNG", "SaveAnimatedWEBP"),
    }
)
"""The classes that give results."""

RULES: Final[Mapping[str, Rule]] = {
    **IMAGES,
    "Reroute": Through(""),
    **dict.fromkeys(NOTES, comment),
    **conditioning.RULES,
    **diffusion.RULES,
    **joining.RULES,
    **packs.RULES,
    **packs_images.RULES,
    **packs_impact.RULES,
    **packs_krita.RULES,
    **packs_loading.RULES,
    **packs_values.RULES,
    **plain.RULES,
    **recognition.RULES,
    **regions.RULES,
    **sampling.RULES,
    **scaling.RULES,
}
"""Every class that has a rule."""
