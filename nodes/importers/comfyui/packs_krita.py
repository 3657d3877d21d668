"""
The rules for what a client inside of Krita gives to a workflow, and takes from it.

The canvas, the selection and the settings of the client are inputs here, and its layer is a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nodes.importers.comfyui.diffusion import MODEL_INPUT
from nodes.importers.comfyui.joining import OUTPUT
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import ImageLatents, Known, Part, Pixels, Prompt, Weights
from nodetool_core.importing.draft import Handle, Unsupported

_INPUT: Final = "nodetool.input."
_KINDS: Final[Mapping[str, tuple[str, type]]] = {
    "choice": ("StringInput", str),
    "number": ("FloatInput", float),
    "number (integer)": ("IntegerInput", int),
    "prompt (negative)": ("StringInput", str),
    "prompt (positive)": ("StringInput", str),
    "text": ("StringInput", str),
    "toggle": ("BooleanInput", bool),
}
"""Kinds of parameters, and the inputs that they are here."""


def _image(reading: Reading, wanted: str) -> Handle:
    name = reading.name(wanted)
    reading.note(f"is the input {name!r} here.", f"Run with --set {name}=PATH.")
    return Handle(reading.add(f"{_INPUT}ImageInput", {"name": name}))


def canvas(reading: Reading) -> tuple[object, ...]:
    image = _image(reading, "canvas")
    size = reading.add("nodetool.image.GetMetadata", {"image": image}, "size", optional=True)
    return Pixels(image), Handle(size, "width"), Handle(size, "height"), -1


def selection(reading: Reading) -> tuple[object, ...]:
    """Give what is selected; without an offset, as the canvas is given as a whole."""
    reading.skip("context", "padding")
    return Pixels(_image(reading, "selection")), True, 0, 0


def style(reading: Reading) -> tuple[object, ...]:
    """Give the model and the settings of a style, which the client keeps."""
    reading.skip("name", "sampler_preset")
    called = reading.name("model")
    reading.note(
        f"is the input {called!r}; the words, steps and guidance of its style are in Krita: here,"
        " there are 20 steps, a guidance of 7, and no further words.",
        f"Run with --set {called}=PATH, or --set {called}=OWNER/NAME for a model of the Hub.",
        level="warning",
    )
    value = {"type": "hf.model", "repo_id": ""}
    model = Handle(reading.add(MODEL_INPUT, {"name": called, "value": value}))
    return Weights(model), Part(), Part(), "", "", "euler", "normal", 20, 7.0


def parameter(reading: Reading) -> tuple[object, ...]:
    kind = str(known(reading.take("type", "text")))
    value = known(reading.take("default", ""))
    reading.skip("min", "max")
    name = reading.name(str(known(reading.take("name", "parameter"))).lower().replace(" ", "_"))
    if kind == "image":
        return (Pixels(Handle(reading.add(f"{_INPUT}ImageInput", {"name": name}))),)
    if kind not in _KINDS:
        raise Unsupported(f"its type {kind!r} has no counterpart")
    node_type, to = _KINDS[kind]
    try:
        properties = {"name": name, "value": to(value)}
    except (TypeError, ValueError):
        raise Unsupported(f"its default {value!r} is of another type") from None
    return (Handle(reading.add(f"{_INPUT}{node_type}", properties)),)


def condition(reading: Reading) -> tuple[object, ...]:
    """Prepare latents for inpainting: for a model made for it, and for any."""
    reading.skip("vae")
    pixels, mask = reading.take_as("pixels", Pixels), reading.take_as("mask", Pixels)
    prompts = reading.take_as("positive", Prompt), reading.take_as("negative", Prompt)
    fill = ImageLatents(pixels, mask, mask_is="fill")
    return *prompts, fill, fill


def cut_out(reading: Reading) -> tuple[object, ...]:
    both = {
        "image": reading.first(reading.take_as("image", Pixels)),
        "mask": reading.take_as("mask", Pixels).handle,
    }
    return (Pixels(Handle(reading.add("lib.pillow.mask.ApplyMask", both))),)


def layer(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("images", Pixels)
    for name in ("x", "y"):
        reading.usual(name, 0)
        if known(reading.take(name, 0)) != 0:
            reading.note(f"{name} is not the place of a result here.", level="warning")
    reading.skip("name", "resize_canvas", "batch")
    settings = [name for name, _ in reading.unread()]
    reading.skip(*settings)
    reading.add(OUTPUT, {"name": reading.name("layer"), "value": pixels.batch or pixels.handle})
    return ()


def load_or_not(reading: Reading) -> tuple[object, ...]:
    """Load an image where a switch beside it is on."""
    is_on = reading.take("enable", True) is not False
    name = reading.name("image")
    path = reading.file_name("image")
    value = {"type": "image", "uri": path}
    image = Handle(
        reading.add(f"{_INPUT}ImageInput", {"name": name, "value": value}, optional=not is_on)
    )
    taken = {"image": image, "select": "transparent"}
    mask = reading.add("lib.pillow.mask.FromAlpha", taken, "mask", optional=True)
    switch = reading.add("nodetool.constant.Bool", {"value": is_on}, "enable", optional=True)
    return Pixels(image), Pixels(Handle(mask)), Known(switch, value=is_on)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "ETN_ApplyMaskToImage": cut_out,
    "ETN_KritaCanvas": canvas,
    "ETN_KritaOutput": layer,
    "ETN_KritaSelection": selection,
    "ETN_KritaStyle": style,
    "ETN_Parameter": parameter,
    "INPAINT_VAEEncodeInpaintConditioning": condition,
    "LoadImageWithEnable": load_or_not,
}
"""The classes that these rules are for."""
