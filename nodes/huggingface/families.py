"""
What families of models take and what they don't.

The one table behind arguments, warnings and docs/models.md.

Most of it is read off the pipelines' classes: a property is honoured where the signature of
`__call__` has its parameter, a LoRA where the class can load one, and so on. What classes don't
tell is a row of `_QUIRKS`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from nodetool_core.models.tasks import ITSELF


@dataclass(frozen=True)
class FamilyQuirk:
    """What is true of the pipelines whose class name matches, and not told by their signature."""

    pipelines: re.Pattern[str]
    when_set: str = ""
    """The property that has to be set for this to matter; empty for always."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Property to the parameter that does what it means."""
    also_sets: Mapping[str, str] = field(default_factory=dict)
    """Property to a further parameter that it sets."""
    adds: Mapping[str, Any] = field(default_factory=dict)
    """Arguments to give besides, unless they are set."""
    size_arguments: Callable[[int, int], dict[str, Any]] | None = None
    """Arguments that follow from the width and height of the result, in place of those two."""
    side_multiple: int = 0
    """What sides have to be multiples of, in pixels, where the parts of a pipeline don't tell."""
    native_side: int = 0
    """
    Of the square that the models were trained at, in pixels, where their configuration doesn't
    tell.
    """
    uses_global_rng: bool = False
    """Whether it draws random numbers besides those of the generator that it is given."""
    image_as_list: bool = False
    """Whether a single image has to come as a list of one."""
    note: str = ""
    """What the user should know of it."""


_QUIRKS = (
    # guidance_scale of these is read only by guidance-distilled versions, and true_cfg_scale only
    # beside a negative prompt.
    FamilyQuirk(
        re.compile(r"^QwenImage"),
        renames={"guidance_scale": "true_cfg_scale"},
        adds={"negative_prompt": " "},
    ),
    FamilyQuirk(
        re.compile(r"^Flux(?!2)"),
        when_set="negative_prompt",
        adds={"true_cfg_scale": 4.0},
        note=(
            "runs with true_cfg_scale 4.0, without which negative_prompt has no effect; each step"
            " takes twice as long"
        ),
    ),
    # Left alone, Kontext makes about a megapixel whatever it is given, and takes the image at sizes
    # of its own list.
    FamilyQuirk(
        re.compile(r"^FluxKontext"),
        size_arguments=lambda width, height: {
            "max_area": width * height,
            "_auto_resize": width * height >= 2**19,
        },
    ),
    # diffusers 0.42 takes the one for the other when it resizes the image.
    FamilyQuirk(
        re.compile(r"^KandinskyV22Img2Img"),
        size_arguments=lambda width, height: {"width": height, "height": width},
    ),
    # With text alone, the image that a ControlNet follows is the only one, and has the plain name.
    FamilyQuirk(
        re.compile(r"^StableDiffusion(XL)?ControlNet(PAG)?Pipeline$"),
        renames={"control_image": "image"},
    ),
    # These fill in by what a ControlNet sees: the image without its masked part, and the mask.
    # There is no further one to follow.
    FamilyQuirk(
        re.compile(r"^(StableDiffusion3ControlNetInpainting|QwenImageControlNetInpaint)"),
        renames={"image": "control_image", "mask_image": "control_mask", "control_image": ""},
    ),
    # Whatever they are given, they bring it to this area; what takes images apart makes no other
    # size either.
    FamilyQuirk(re.compile(r"^QwenImageEdit"), native_side=1024),
    FamilyQuirk(re.compile(r"^QwenImageLayered"), native_side=640, side_multiple=32),
    # Karlo draws, and then enlarges in a few steps of its own.
    FamilyQuirk(
        re.compile(r"^UnCLIPImageVariation"),
        renames={
            "num_inference_steps": "decoder_num_inference_steps",
            "guidance_scale": "decoder_guidance_scale",
        },
    ),
    # Guidance that changes from step to step is its default, and refused beside one that does not.
    FamilyQuirk(re.compile(r"^Ideogram4"), adds={"guidance_schedule": None}, native_side=2048),
    # The prior is what follows the text; the decoder does as it is told by the prior.
    FamilyQuirk(
        re.compile(r"^(Wuerstchen|StableCascade)Combined"),
        renames={"guidance_scale": "prior_guidance_scale"},
        also_sets={"num_inference_steps": "prior_num_inference_steps"},
        side_multiple=128,
        native_side=1024,
        note="makes `num_inference_steps` steps twice: in the prior, and in the decoder",
    ),
    # Their transformers group the tokens of an image by fours.
    FamilyQuirk(re.compile(r"^(QwenImage21|GlmImage)"), side_multiple=32, native_side=1024),
    FamilyQuirk(re.compile(r"^Sana"), side_multiple=32),
    FamilyQuirk(re.compile(r"^CogView4"), side_multiple=16),
    FamilyQuirk(re.compile(r"^GlmImage"), image_as_list=True),
    # They sample what the autoencoder makes of an image, or the words of a language model, without
    # the generator that they got.
    FamilyQuirk(
        re.compile(
            r"^(CogView4Control|GlmImage|StableDiffusion3ControlNet|QwenImageControlNetInpaint)"
        ),
        uses_global_rng=True,
    ),
    # Left alone, these choose the nearest of their own sizes and cut the image to the one asked
    # for.
    FamilyQuirk(re.compile(r"^(Sana|PixArt|Hunyuan|PRX)"), adds={"use_resolution_binning": False}),
)

FIXED_SCHEDULER = re.compile(
    r"LatentConsistency|LatentUpscale|^IF|^Kandinsky|Wuerstchen|Cascade|^Sana"
)
"""
Pipelines whose loop is written for the scheduler they come with, whatever the scheduler says of
itself.
"""

_PACKED_LATENTS = re.compile(r"^(Flux2|Qwen|Ovis|Krea|Ideogram|Glm|Nucleus)")
"""
Pipelines that pack latents into sequences, or give them a time, in a way that only they can undo.
"""

CONTROLNET_CLASS_NAMES = {
    "text-to-image": ("Pipeline", ("{net}Pipeline",)),
    "image-to-image": ("Img2ImgPipeline", ("{net}Img2ImgPipeline",)),
    "inpainting": ("InpaintPipeline", ("{net}InpaintPipeline", "{net}InpaintingPipeline")),
}
"""Task to how the class of a pipeline is called, without and with a ControlNet."""


OUTSIDE_AUTO_PIPELINE: Mapping[str, tuple[str, ...]] = {
    **ITSELF,
    "variation": (*ITSELF["variation"], "FluxPipeline"),
}
"""
Pipelines that do what no automatic choice covers: chosen by what the weights were saved from.

Flux varies images with a prior.
"""


def quirks_of(name: str) -> list[FamilyQuirk]:
    """Return what is known of the pipelines of that class name."""
    return [quirk for quirk in _QUIRKS if quirk.pipelines.search(name)]


def call_parameters(pipeline_class: type) -> Mapping[str, inspect.Parameter]:
    """Return what a pipeline takes when it is called, by name."""
    return _parameters(pipeline_class.__call__)


@cache
def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def call_parameter(pipeline_class: type, prop: str) -> str | None:
    """
    Return the parameter by which a pipeline takes a property of a node.

    None where it takes it by none.
    """
    taken = call_parameters(pipeline_class)
    renames = {
        old: new
        for quirk in quirks_of(pipeline_class.__name__)
        for old, new in quirk.renames.items()
    }
    parameter = renames.get(prop, prop)
    return parameter if parameter in taken else None


def ignored_reason(pipeline: Any, prop: str, wanted: Mapping[str, Any]) -> str:
    """Why a pipeline that takes a property makes nothing of it; empty where it does."""
    name = type(pipeline).__name__
    if prop == "guidance_scale":
        transformer = getattr(pipeline, "transformer", None)
        is_told = transformer is None or getattr(transformer, "config", {}).get(
            "guidance_embeds", True
        )
        return (
            ""
            if is_told or not name.startswith("Flux")
            else f"the model of this {name} was distilled to draw without guidance"
        )
    if prop != "negative_prompt":
        return ""
    unet = getattr(pipeline, "unet", None)
    if (
        unet is not None
        and "Upscale" not in name
        and getattr(unet, "config", {}).get("time_cond_proj_dim") is not None
    ):
        return (
            f"the model of this {name} was distilled to be told the guidance, and compares with no"
            " other prompt"
        )
    if (wanted.get("guidance_scale") or 2.0) <= 1.0:
        return f"{name} reads it only where guidance_scale is above 1"
    return ""


def supports_loras(pipeline_class: type) -> bool:
    """
    Whether a pipeline can load LoRAs.

    It has the means, and so has its denoiser, which Kandinsky 3's and PRX's lack.
    """
    parts = inspect.signature(pipeline_class).parameters
    denoisers = [parts[name].annotation for name in ("unet", "transformer") if name in parts]
    fitted = all(hasattr(kind, "load_lora_adapter") for kind in denoisers if isinstance(kind, type))
    return hasattr(pipeline_class, "load_lora_weights") and fitted


def supports_ip_adapter(pipeline_class: type) -> bool:
    """Whether a pipeline can follow an image through an IP adapter."""
    return (
        hasattr(pipeline_class, "load_ip_adapter")
        and call_parameter(pipeline_class, "ip_adapter_image") is not None
    )


def exposes_latents(pipeline_class: type) -> bool:
    """
    Whether the latents that an image was decoded from can be had from a pipeline, in the form of an
    image.
    """
    parts = inspect.signature(pipeline_class).parameters
    return (
        call_parameter(pipeline_class, "callback_on_step_end") is not None
        and "vae" in parts
        and not _PACKED_LATENTS.search(pipeline_class.__name__)
    )


def controlnet_pipeline_class(
    pipeline_class: type, task: str, net: str = "ControlNet"
) -> type | None:
    """
    Return the pipeline that does the task of this one under a ControlNet; None where there is none.

    The class itself where it is one.

    `net` is the word for the kind of network in the names of classes: `ControlNet`, or
        `ControlNetUnion` for those of many kinds.
    """
    import diffusers
    from diffusers.pipelines import auto_pipeline

    name = pipeline_class.__name__
    plain, controlled = CONTROLNET_CLASS_NAMES[task]
    if had := re.search(r"ControlNet(Union)?", name):
        candidates = [name.replace(had[0], net)]
    else:
        stem = name.removesuffix(plain)
        word = f"{net}PAG" if "PAG" in stem else net
        candidates = (
            [stem.replace("PAG", "") + form.format(net=word) for form in controlled]
            if name.endswith(plain)
            else []
        )
    tables = {
        "text-to-image": "TEXT2IMAGE",
        "image-to-image": "IMAGE2IMAGE",
        "inpainting": "INPAINT",
    }
    mapped = getattr(auto_pipeline, f"AUTO_{tables[task]}_PIPELINES_MAPPING").values()
    known = {found.__name__ for found in mapped} | set(OUTSIDE_AUTO_PIPELINE.get(task, ()))
    return next(
        (getattr(diffusers, candidate) for candidate in candidates if candidate in known), None
    )
