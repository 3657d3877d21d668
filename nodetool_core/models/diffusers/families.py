"""
What each family of pipelines supports: the one table behind arguments, warnings and docs/models.md.

Most of it is read off the pipelines' classes: a property is supported where the signature of
`__call__` has its parameter, a LoRA where the class can load one, and so on. What the classes don't
state is a row of `_QUIRKS`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.tasks import ITSELF

if TYPE_CHECKING:
    from nodetool_core.context import Pipeline


@dataclass(frozen=True)
class FamilyQuirk:
    """What holds for the pipelines whose class name matches, and their signature does not state."""

    pipelines: re.Pattern[str]
    when_set: str = ""
    """The property that has to be set for the quirk to apply; empty for always."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Property to the parameter that stands for it; empty for none."""
    also_sets: Mapping[str, str] = field(default_factory=dict)
    """Property to a further parameter that it sets."""
    adds: Mapping[str, object] = field(default_factory=dict)
    """Further arguments, unless they are set."""
    formats: Mapping[str, Callable[[str], object]] = field(default_factory=dict)
    """Property to a function of what is passed in its place."""
    size_arguments: Callable[[int, int], dict[str, object]] | None = None
    """Arguments that follow from the width and height of the result, and replace those two."""
    steps_arguments: Callable[[int], dict[str, object]] | None = None
    """Arguments that follow from the number of steps."""
    side_multiple: int = 0
    """What sides have to be multiples of, in pixels, where the components don't state it."""
    has_coarse_latents: bool = False
    """Whether sides in latents, too, have to be multiples of the VAE's factor."""
    native_side: int = 0
    """Side of the square that the models were trained at, in pixels, where none is configured."""
    uses_global_rng: bool = False
    """Whether it also draws from torch's global random generator."""
    reference_images: bool = False
    """Whether it takes several images."""
    any_area: bool = False
    """Whether it enlarges images of any area, so that none is native."""
    square_only: bool = False
    """Whether it supports squares only."""
    image_encoder: str = ""
    """Hub id of the image encoder of its IP adapters, which are published without one."""
    note: str = ""
    """What the user should know; follows the pipeline's name in a sentence."""


def _edit_instruction(prompt: str) -> str:
    """Return a prompt as JSON, which it may be already."""
    return prompt if "edit_instruction" in prompt else json.dumps({"edit_instruction": prompt})


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
    # By default, Kontext makes about a megapixel from any image, and resizes it to a size of its
    # own list.
    FamilyQuirk(
        re.compile(r"^FluxKontext"),
        size_arguments=lambda width, height: {
            "max_area": width * height,
            "_auto_resize": width * height >= 2**19,
        },
    ),
    # diffusers 0.42 swaps width and height when it resizes the image.
    FamilyQuirk(
        re.compile(r"^KandinskyV22Img2Img"),
        size_arguments=lambda width, height: {"width": height, "height": width},
    ),
    # In text to image, the control image is the only one, and its parameter is `image`.
    FamilyQuirk(
        re.compile(r"^StableDiffusion(XL)?ControlNet(PAG)?Pipeline$"),
        renames={"control_image": "image"},
    ),
    FamilyQuirk(
        re.compile(r"^StableDiffusion(XL)?AdapterPipeline$"),
        renames={
            "control_image": "image",
            "controlnet_conditioning_scale": "adapter_conditioning_scale",
            "control_guidance_end": "adapter_conditioning_factor",
        },
    ),
    # These inpaint through the ControlNet: it sees the image without its masked part, and the mask.
    # They take no further control image.
    FamilyQuirk(
        re.compile(r"^(StableDiffusion3ControlNetInpainting|QwenImageControlNetInpaint)"),
        renames={"image": "control_image", "mask_image": "control_mask", "control_image": ""},
    ),
    # They resize every image to this area; the one for layers generates no other size either.
    FamilyQuirk(re.compile(r"^QwenImageEdit"), native_side=1024),
    FamilyQuirk(re.compile(r"^QwenImageLayered"), native_side=640, side_multiple=32),
    # Karlo decodes, and then upscales in a few steps of its own.
    FamilyQuirk(
        re.compile(r"^UnCLIPImageVariation"),
        renames={
            "num_inference_steps": "decoder_num_inference_steps",
            "guidance_scale": "decoder_guidance_scale",
        },
    ),
    # Its default is a schedule of guidance, which it refuses beside guidance_scale.
    FamilyQuirk(re.compile(r"^Ideogram4"), adds={"guidance_schedule": None}, native_side=2048),
    FamilyQuirk(
        re.compile(r"^UnCLIPPipeline"),
        renames={
            "num_inference_steps": "decoder_num_inference_steps",
            "guidance_scale": "decoder_guidance_scale",
        },
        also_sets={"num_inference_steps": "prior_num_inference_steps"},
        note="makes `num_inference_steps` steps twice: in the prior, and in the decoder",
    ),
    FamilyQuirk(
        re.compile(r"^StableUnCLIPPipeline"),
        also_sets={"num_inference_steps": "prior_num_inference_steps"},
        note="makes `num_inference_steps` steps twice: in the prior, and in the decoder",
    ),
    # It reads instructions as JSON.
    FamilyQuirk(re.compile(r"^BriaFiboEdit"), formats={"prompt": _edit_instruction}),
    # They would have a language model write another prompt first.
    FamilyQuirk(
        re.compile(r"^(LongCat|ErnieImage)"),
        adds={"enable_prompt_rewrite": False, "use_pe": False},
    ),
    # It takes both, warns, and was distilled to do without.
    FamilyQuirk(
        re.compile(r"^DreamLiteMobile"),
        renames={"guidance_scale": "", "image_guidance_scale": ""},
    ),
    FamilyQuirk(
        re.compile(r"^HunyuanImage"), renames={"guidance_scale": "distilled_guidance_scale"}
    ),
    FamilyQuirk(re.compile(r"^(Kandinsky5|JoyImage|LongCatImageEdit)"), native_side=1024),
    # The time between the two steps that it was distilled for; refused with other numbers of steps.
    FamilyQuirk(
        re.compile(r"^SanaSprint"),
        steps_arguments=lambda steps: {} if steps == 2 else {"intermediate_timesteps": None},
    ),
    # The prior follows the prompt; the decoder follows the prior.
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
    FamilyQuirk(re.compile(r"^LDMSuperResolution"), side_multiple=32),
    # It cuts the mask to such multiples, and the mask has to fit the latents.
    FamilyQuirk(re.compile(r"^AmusedInpaint"), has_coarse_latents=True),
    # They sample the VAE's posterior, or the tokens of a language model, without their generator.
    FamilyQuirk(
        re.compile(
            r"^(CogView4Control|GlmImage|HunyuanDiTControlNet|JoyImage|StableDiffusion3ControlNet"
            r"|QwenImageControlNetInpaint)"
        ),
        uses_global_rng=True,
    ),
    # By default, these generate at the nearest size of their own list and crop to the requested
    # one.
    FamilyQuirk(re.compile(r"^(Sana|PixArt|Hunyuan|PRX)"), adds={"use_resolution_binning": False}),
    FamilyQuirk(re.compile(r"Upscale|SuperResolution"), any_area=True),
    # diffusers 0.42 swaps width and height on one path.
    FamilyQuirk(re.compile(r"^KandinskyImg2Img"), square_only=True),
    FamilyQuirk(
        re.compile(r"^(QwenImageEditPlus|Flux2|Flux2Klein)Pipeline$"), reference_images=True
    ),
    FamilyQuirk(re.compile(r"^StableDiffusion3"), image_encoder="google/siglip-so400m-patch14-384"),
    FamilyQuirk(re.compile(r"^Flux"), image_encoder="openai/clip-vit-large-patch14"),
)

SHARES_SUBMODULES = ("ZImageControlNetModel",)
"""
Networks to which pipelines attach submodules of other components.

Networks are shared between calls and moved by themselves, so each pipeline needs module objects of
its own.
"""

FIXED_SCHEDULER = re.compile(
    r"LatentConsistency|LatentUpscale|^IF|^Kandinsky|Wuerstchen|Cascade|^Sana"
    r"|ModelEditing|StableDiffusionSAG|^Bria"
)
"""Pipelines whose loop works with their own scheduler only, whatever it lists as compatible."""

_OUTDATED_IMAGE_PROMPT = re.compile(r"^(AltDiffusion|StableDiffusionPipelineSafe)")
"""Pipelines whose code for image prompts is of an older diffusers, and fails in 0.42."""

_PACKED_LATENTS = re.compile(
    r"^(BriaFibo|Ernie|Flux2|Glm|HunyuanImageRefiner|Ideogram|JoyImage|Kandinsky5|Krea|Nucleus|Ovis|Qwen)"
)
"""Pipelines that pack latents into sequences, or add a frame axis, as only they can undo."""

OUTSIDE_AUTO_PIPELINE: Mapping[str, tuple[str, ...]] = {
    **ITSELF,
    "variation": (*ITSELF["variation"], "FluxPipeline"),
}
"""
Pipelines for tasks without an AutoPipeline, chosen by the class that the weights were saved from.

Flux makes variations with the Redux prior.
"""


@cache
def quirks_of(name: str) -> tuple[FamilyQuirk, ...]:
    """Return the quirks of a pipeline by its class name."""
    return tuple(quirk for quirk in _QUIRKS if quirk.pipelines.search(name))


def call_parameters(pipeline_class: type) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a pipeline's `__call__`, by name."""
    return _parameters(pipeline_class.__call__)


@cache
def _parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def call_parameter(pipeline_class: type, prop: str) -> str | None:
    """Return the parameter of a pipeline for a property of a node; None where it has none."""
    taken = call_parameters(pipeline_class)
    renames = {
        old: new
        for quirk in quirks_of(pipeline_class.__name__)
        for old, new in quirk.renames.items()
    }
    parameter = renames.get(prop, prop)
    return parameter if parameter in taken else None


def ignored_reason(pipeline: Pipeline, prop: str, wanted: Mapping[str, object]) -> str:
    """Return why a pipeline ignores a property that it takes; empty where it uses it."""
    name = type(pipeline).__name__
    if prop == "guidance_scale":
        transformer = getattr(pipeline, "transformer", None)
        is_guided = transformer is None or getattr(transformer, "config", {}).get(
            "guidance_embeds", True
        )
        if name.startswith("HunyuanImage") and not is_guided:
            return f"the guider of this {name} sets the guidance"
        return (
            ""
            if is_guided or not name.startswith("Flux")
            else f"the model of this {name} was distilled to work without guidance"
        )
    if prop != "negative_prompt":
        return ""
    if name.startswith("HunyuanImage") and getattr(pipeline, "guider", None) is None:
        return f"this {name} has no guider, which would read it"
    unet = getattr(pipeline, "unet", None)
    if (
        unet is not None
        and "Upscale" not in name
        and getattr(unet, "config", {}).get("time_cond_proj_dim") is not None
    ):
        return (
            f"the model of this {name} was distilled to take the guidance scale as an input, and"
            " reads no negative prompt"
        )
    guidance = wanted.get("guidance_scale")
    if isinstance(guidance, (int, float)) and guidance and guidance <= 1.0:
        return f"{name} reads it only where guidance_scale is above 1"
    return ""


@cache
def supports_loras(pipeline_class: type) -> bool:
    """
    Return whether a pipeline can load LoRAs.

    Its denoiser must be able to as well, which those of Kandinsky 3 and PRX are not.
    """
    parts = inspect.signature(pipeline_class).parameters
    denoisers = [parts[name].annotation for name in ("unet", "transformer") if name in parts]
    fitted = all(hasattr(kind, "load_lora_adapter") for kind in denoisers if isinstance(kind, type))
    return hasattr(pipeline_class, "load_lora_weights") and fitted


@cache
def supports_ip_adapter(pipeline_class: type) -> bool:
    """Return whether a pipeline takes an image prompt through an IP adapter."""
    return (
        hasattr(pipeline_class, "load_ip_adapter")
        and not _OUTDATED_IMAGE_PROMPT.search(pipeline_class.__name__)
        and call_parameter(pipeline_class, "ip_adapter_image") is not None
    )


@cache
def exposes_latents(pipeline_class: type) -> bool:
    """Return whether a pipeline exposes its last latents in the layout of an image."""
    parts = inspect.signature(pipeline_class).parameters
    return (
        call_parameter(pipeline_class, "callback_on_step_end") is not None
        and "vae" in parts
        and not _PACKED_LATENTS.search(pipeline_class.__name__)
    )
