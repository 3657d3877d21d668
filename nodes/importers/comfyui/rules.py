"""
What ComfyUI's classes are to us: a table from the class to a rule.

A rule takes a `Reading` and gives one value per output. Most rules are `Step`, data alone: a node
of ours that does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from nodes.importers.comfyui import diffusion, sampling
from nodes.importers.comfyui.editor import NOTES
from nodes.importers.comfyui.reading import Reading
from nodes.importers.comfyui.values import Pixels
from nodetool_core.importing.draft import Handle, Unsupported

Rule = Callable[[Reading], tuple[object, ...]]

_BLEND_MODES: Final = {
    **{name: name for name in ("normal", "multiply", "screen", "overlay", "soft_light")},
    # What it calls difference cuts off what is below black.
    "difference": "subtract",
}
_METHODS: Final = {"nearest-exact": "nearest"}
"""Names of methods of resampling that are others here."""
"""Ways of resampling that are ours as well."""


@dataclass(frozen=True)
class Step:
    """A node that has one counterpart, which takes an image or none and gives an image."""

    type: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Its inputs, and the properties that they become."""
    convert: Mapping[str, Callable[[float], Any]] = field(default_factory=dict)
    """How numbers are rewritten; they can't come over a link then."""
    usual: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Inputs without counterpart, and the values at which they make no difference."""
    added: Callable[[Reading], dict[str, object]] = lambda _: {}
    """Further properties, made of other inputs."""

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        properties: dict[str, object] = {}
        for name, prop in self.inputs.items():
            value = reading.take(name)
            if isinstance(value, Pixels):
                value = reading.first(value)
            elif name in self.convert:
                value = self.convert[name](reading.number(name))
            properties[prop] = value
        for name, values in self.usual.items():
            reading.usual(name, *values)
        properties |= self.added(reading)
        return (Pixels(Handle(reading.add(self.type, properties))),)


@dataclass(frozen=True)
class Through:
    """A node that gives an input on. With a text, what it would do besides is told."""

    name: str
    lost: str = ""

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        value = reading.take(self.name)
        if self.lost:
            given = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
            reading.skip(*(name for name, _ in reading.unread()))
            reading.note(
                f"has no counterpart: {self.lost}{f' ({given})' if given else ''}.",
                code="left_out_node",
                level="warning",
            )
        return (value,)


@dataclass(frozen=True)
class Constant:
    """A value of its own."""

    type: str

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        return (Handle(reading.add(self.type, {"value": reading.take("value")})),)


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
    reading.add("nodetool.output.Output", {"name": name, "value": pixels.batch or pixels.handle})
    return ()


def preview_image(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("images", Pixels)
    reading.add(
        "nodetool.output.Output",
        {"name": reading.name("preview"), "value": pixels.batch or pixels.handle},
    )
    return ()


def scale(reading: Reading) -> tuple[object, ...]:
    image = reading.first(reading.take_as("image", Pixels))
    return (Pixels(resized(reading, image)),)


def resized(reading: Reading, image: Handle) -> Handle:
    """Return the image in the size that a node asks for; a side of 0 follows from the other one."""
    width, height = reading.take("width"), reading.take("height")
    method = _method(reading)
    fit = {"disabled": "stretch"}.get(reading.take("crop", "disabled"), "crop")
    if width != 0 and height != 0:
        size = {"width": width, "height": height}
        return Handle(
            reading.add("nodetool.image.Resize", {"image": image, **size, "fit": fit, **method})
        )
    if width == height:
        raise Unsupported("neither width nor height is given")
    longest = 16384
    return Handle(
        reading.add(
            "nodetool.image.Fit",
            {"image": image, "width": width or longest, "height": height or longest, **method},
        )
    )


def _method(reading: Reading) -> dict[str, object]:
    """Return the property `method` by the file's name of it; none for the usual one."""
    method = reading.take("upscale_method", "lanczos")
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
    grey = round(min(1.0, max(0.0, reading.number("value", 1.0))) * 255)
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
    path = reading.take_as("image", str).removesuffix(" [input]").removesuffix(" [output]").strip()
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
_UNCHANGED_MODEL = "the model is used without it"

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
    "ImageScale": scale,
    "ImageScaleBy": scale_by,
    "ImageToMask": image_to_mask,
    "InvertMask": Step("lib.pillow.mask.InvertMask", _MASK),
    "LoadImage": load_image,
    "LoadImageMask": load_mask,
    "LoadImageOutput": load_image,
    "MaskToImage": Through("mask"),
    "PreviewImage": preview_image,
    "SaveImage": save_image,
    "SolidMask": solid_mask,
    "ThresholdMask": Step(
        "lib.pillow.mask.Threshold",
        {"mask": "image", "value": "threshold"},
        {"value": lambda share: min(255, int(share * 255) + 1)},
    ),
}

VALUES: Final[Mapping[str, Rule]] = {
    "PrimitiveBoolean": Constant("nodetool.constant.Bool"),
    "PrimitiveFloat": Constant("nodetool.constant.Float"),
    "PrimitiveInt": Constant("nodetool.constant.Integer"),
    "PrimitiveString": Constant("nodetool.constant.String"),
    "PrimitiveStringMultiline": Constant("nodetool.constant.String"),
    "Reroute": Through(""),
    **dict.fromkeys(NOTES, comment),
}

LATENTS: Final[Mapping[str, Rule]] = {
    "LatentUpscale": latent_upscale,
    "LatentUpscaleBy": latent_upscale_by,
}

PATCHES: Final[Mapping[str, Rule]] = {
    "CLIPSetLastLayer": Through("clip", "the text encoder is used to its end"),
    "DifferentialDiffusion": Through("model", _UNCHANGED_MODEL),
    "FreeU": Through("model", _UNCHANGED_MODEL),
    "FreeU_V2": Through("model", _UNCHANGED_MODEL),
    "HyperTile": Through("model", _UNCHANGED_MODEL),
    "ModelSamplingAuraFlow": Through("model", _UNCHANGED_MODEL),
    "ModelSamplingDiscrete": Through("model", _UNCHANGED_MODEL),
    "ModelSamplingFlux": Through("model", _UNCHANGED_MODEL),
    "ModelSamplingSD3": Through("model", _UNCHANGED_MODEL),
    "PatchModelAddDownscale": Through("model", _UNCHANGED_MODEL),
    "RescaleCFG": Through("model", _UNCHANGED_MODEL),
    "TomePatchModel": Through("model", _UNCHANGED_MODEL),
}
"""Nodes that change a model: the workflow does about the same without them."""

RULES: Final[Mapping[str, Rule]] = {
    **IMAGES,
    **VALUES,
    **LATENTS,
    **PATCHES,
    **diffusion.RULES,
    **sampling.RULES,
}
"""Every class that has a rule."""
