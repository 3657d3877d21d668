"""The rules for what changes a prompt, or a model, on its way to a sampler."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from nodes.importers.comfyui.diffusion import encoders, image_latents
from nodes.importers.comfyui.prompts import prompt_text
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import (
    Control,
    EmptyLatents,
    ImageLatents,
    Network,
    Pixels,
    Prompt,
    Weights,
)

_UNCHANGED: Final = "the model is used without it"


class Patch:
    """A node that gives a model or a text encoder on, without what it does to it."""

    def __init__(self, lost: str = _UNCHANGED, name: str = "model") -> None:
        self._lost = lost
        self._name = name

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        value = reading.take(self._name)
        given = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
        reading.skip(*(name for name, _ in reading.unread()))
        message = f"has no counterpart: {self._lost}{f' ({given})' if given else ''}."
        reading.note(message, code="left_out_node", level="warning")
        return (value,)


class SameAnyway:
    """A node that gives an input on: here that is done without it, or makes nothing different."""

    def __init__(self, why: str, name: str = "model") -> None:
        self._why = why
        self._name = name

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        value = reading.take(self._name)
        reading.skip(*(name for name, _ in reading.unread()))
        reading.note(self._why)
        return (value,)


def shift(reading: Reading) -> tuple[object, ...]:
    """Move the noise schedule of a flow-matching model towards more noise."""
    reading.usual("sampling", "flow")
    return (replace(reading.take_as("model", Weights), is_flow=True, shift=reading.take("shift")),)


def shift_by_size(reading: Reading) -> tuple[object, ...]:
    """FLUX.1's: as far as the size of the image says, which its pipeline works out itself."""
    for name, usual in (("max_shift", 1.15), ("base_shift", 0.5)):
        reading.usual(name, usual)
    reading.skip("width", "height")
    reading.note("is what the model's pipeline does by itself, for the size that it makes.")
    return (replace(reading.take_as("model", Weights), is_flow=True),)


def differential(reading: Reading) -> tuple[object, ...]:
    """Let the tones of a mask say in how many steps a part is changed."""
    if (strength := known(reading.take("strength", 1.0))) != 1:
        reading.note(f"strength {strength} counts as 1: the mask is not softened.", level="warning")
    return (replace(reading.take_as("model", Weights), is_differential=True),)


def free_u(reading: Reading) -> tuple[object, ...]:
    """Have a UNet's backbone count more, by fixed numbers."""
    numbers = tuple(reading.number(name) for name in ("b1", "b2", "s1", "s2"))
    if reading.node.class_type == "FreeU_V2":
        message = "b1 and b2 count everywhere alike, as in the first FreeU, not by each place."
        reading.note(message, level="warning")
    return (replace(reading.take_as("model", Weights), free_u=numbers),)


def discrete(reading: Reading) -> tuple[object, ...]:
    """Say what a model predicts: noise, as most do, or what the LCM sampler asks for."""
    reading.usual("zsnr", False)
    kind = str(known(reading.take("sampling", "eps")))
    if kind == "lcm":
        reading.note("is what the sampler lcm does by itself.")
    elif kind != "eps":
        reading.lost(f"sampling {kind!r} has no counterpart: the model's own file says what it is.")
    return (reading.take("model"),)


def load_patch(reading: Reading) -> tuple[object, ...]:
    """Load a file that is put onto a model: a ControlNet, or what no rule takes."""
    name = reading.file_name("name")
    return (Network({"type": "hf.controlnet", "repo_id": name}),)


def control_by_patch(reading: Reading) -> tuple[object, ...]:
    """Lead a model by a control image, through a network that is put onto it."""
    weights, network = reading.take_as("model", Weights), reading.take_as("model_patch", Network)
    reading.skip("vae")
    if reading.has("mask"):
        reading.lost("mask has no counterpart: the whole image is led.")
        reading.skip("mask")
    file = str(network.ref["repo_id"])
    reading.note(f"{file!r} is looked for in the folders of models, as a ControlNet.")
    if "z-image" not in file.lower().replace("_", "-"):
        message = f"{file!r} is of a form that is known for Z-Image alone here; it may not fit."
        reading.note(message, level="warning")
    image = reading.take_as("image", Pixels).handle
    led = Control(network, image, reading.take("strength", 1.0))
    return (replace(weights, controls=(*weights.controls, led)),)


def reference(reading: Reading) -> tuple[object, ...]:
    """Add an image that the prompt speaks of, as the latents of it."""
    prompt = reading.take_as("conditioning", Prompt)
    if not reading.has("latent"):
        return (prompt,)
    image = image_latents(reading, "latent").image
    if image in prompt.references:
        return (prompt,)
    return (replace(prompt, references=(*prompt.references, image)),)


def edit_text(reading: Reading) -> tuple[object, ...]:
    """Read an instruction, and the images that it is about."""
    reading.skip("vae")
    prompt = Prompt(prompt_text(reading, "prompt"), encoders=encoders(reading))
    return (replace(prompt, references=_images(reading)),)


def _images(reading: Reading) -> tuple[Pixels, ...]:
    """Return the images of an instruction; those that are numbered in the order of numbers."""
    named = [name for name in ("image", "image1", "image2", "image3") if reading.has(name)]
    listed = sorted(reading.growing("images."), key=lambda name: int(re.sub(r"\D", "", name) or 0))
    return tuple(reading.take_as(name, Pixels) for name in (*named, *listed))


def edit_by_two_texts(reading: Reading) -> tuple[object, ...]:
    """Read an instruction and what should not be seen, with the images; empty latents as well."""
    reading.skip("vae")
    positive = Prompt(
        prompt_text(reading, "prompt"), references=_images(reading), encoders=encoders(reading)
    )
    negative = Prompt(prompt_text(reading, "negative_prompt"))
    if reading.has("resolution"):
        side = reading.take("resolution")
        reading.note(f"resolution {known(side)} counts where a sampler begins with its latents.")
        return positive, negative, EmptyLatents(side, side, is_flow=True)
    if not reading.has("width"):
        return positive, negative
    width, height = reading.take("width"), reading.take("height")
    return positive, negative, EmptyLatents(width, height, reading.take("batch_size", 1), True)


def tokenizer_options(reading: Reading) -> tuple[object, ...]:
    reading.usual("min_padding", 0)
    reading.usual("min_length", 0)
    return (reading.take("clip"),)


def pix_to_pix(reading: Reading) -> tuple[object, ...]:
    reading.skip("vae")
    image = reading.take_as("pixels", Pixels)
    positive, negative = (reading.take_as(name, Prompt) for name in ("positive", "negative"))
    return replace(positive, references=(image,)), negative, ImageLatents(image)


_ITS_PIPELINE = "is what the pipelines of the models that it is for do by themselves."
_FASTER = "is about speed alone, which makes no other image."

RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "CFGNorm": SameAnyway(_ITS_PIPELINE),
    "CFGZeroStar": Patch(),
    "ChromaRadianceOptions": Patch(),
    "DifferentialDiffusion": differential,
    "FluxKVCache": SameAnyway(_FASTER),
    "FluxKontextMultiReferenceLatentMethod": SameAnyway(
        "is left to the model's pipeline, which has its own order of images.", "conditioning"
    ),
    "FreeU": free_u,
    "FreeU_V2": free_u,
    "HyperTile": Patch(),
    "InstructPixToPixConditioning": pix_to_pix,
    "ModelAttentionBackend": SameAnyway(_FASTER),
    "ModelSamplingAuraFlow": shift,
    "ModelSamplingDiscrete": discrete,
    "ModelSamplingFlux": shift_by_size,
    "ModelSamplingSD3": shift,
    "PatchModelAddDownscale": Patch(),
    "PerturbedAttentionGuidance": Patch(),
    "ModelPatchLoader": load_patch,
    "QwenImage21Cache": SameAnyway(_FASTER),
    "QwenImageDiffsynthControlnet": control_by_patch,
    "ReferenceLatent": reference,
    "RescaleCFG": Patch(),
    "SelfAttentionGuidance": Patch(),
    "SkipLayerGuidanceDiT": Patch(),
    "SkipLayerGuidanceDiTSimple": Patch(),
    "T5TokenizerOptions": tokenizer_options,
    "TemporalScoreRescaling": Patch(),
    "TextEncodeBooguEdit": edit_by_two_texts,
    "TextEncodeJoyImageEdit": edit_text,
    "TextEncodeMageFlowEdit": edit_by_two_texts,
    "TextEncodeQwenImage21": edit_by_two_texts,
    "TextEncodeQwenImageEdit": edit_text,
    "TextEncodeQwenImageEditPlus": edit_text,
    "TomePatchModel": Patch(),
    "USOStyleReference": Patch("no style is taken from the image"),
}
"""The classes that these rules are for."""
