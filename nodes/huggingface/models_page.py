"""
The page docs/models.md: which families of models support which properties.

It is generated from the classes of diffusers and from `models/diffusers/families.py`, by which a
node decides what to pass and what to warn of. So page and nodes can't disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from nodes.huggingface.loras_page import loras_section
from nodes.huggingface.modular_page import blocks_section, refused_section
from nodes.huggingface.parts_page import parts_section
from nodetool_core.models.diffusers.controls import controlnet_pipeline_class
from nodetool_core.models.diffusers.families import (
    OUTSIDE_AUTO_PIPELINE,
    call_parameter,
    call_parameters,
    exposes_latents,
    quirks_of,
    supports_ip_adapter,
    supports_loras,
)
from nodetool_core.models.diffusers.scheduler_choice import supports_schedulers
from nodetool_core.models.diffusers.strength_mask import takes_strength_mask
from nodetool_core.models.diffusers.tasks import listed_pipelines

_TASKS: Final = {
    "text-to-image": (
        "Text to image",
        "nodes/huggingface/text_to_image/text_to_image.md",
        "TextToImage",
    ),
    "image-to-image": (
        "Image to image",
        "nodes/huggingface/image_to_image/image_to_image.md",
        "ImageToImage",
    ),
    "inpainting": (
        "Inpainting",
        "nodes/huggingface/image_to_image/inpainting.md",
        "Inpainting",
    ),
}

_OUTSIDE_AUTO: Final = {
    "editing": (
        "Editing by instruction",
        "nodes/huggingface/image_to_image/edit_by_instruction.md",
        "EditByInstruction",
    ),
    "variation": (
        "Variations",
        "nodes/huggingface/image_to_image/image_variation.md",
        "ImageVariation",
    ),
    "upscaling": (
        "Upscaling",
        "nodes/huggingface/image_to_image/diffusion_upscale.md",
        "DiffusionUpscale",
    ),
}

Supports = Callable[[type], bool]


def _by_parameter(prop: str) -> Supports:
    return lambda pipeline_class: call_parameter(pipeline_class, prop) is not None


_COLUMNS: Final[Mapping[str, Supports]] = {
    "negative_prompt": _by_parameter("negative_prompt"),
    "strength": _by_parameter("strength"),
    "strength_mask": takes_strength_mask,
    "guidance_scale": _by_parameter("guidance_scale"),
    "image_guidance_scale": _by_parameter("image_guidance_scale"),
    "noise_level": _by_parameter("noise_level"),
    "width, height": _by_parameter("width"),
    "scheduler": supports_schedulers,
    "loras": supports_loras,
    "ip_adapter_image": supports_ip_adapter,
    "latents": exposes_latents,
}
OF_TASK: Final = {
    "text-to-image": (
        "negative_prompt",
        "guidance_scale",
        "width, height",
        "scheduler",
        "loras",
        "ip_adapter_image",
        "controlnet",
        "latents",
    ),
    "image-to-image": (
        "negative_prompt",
        "strength",
        "strength_mask",
        "guidance_scale",
        "scheduler",
        "loras",
        "ip_adapter_image",
        "controlnet",
        "latents",
    ),
    "inpainting": (
        "negative_prompt",
        "strength",
        "guidance_scale",
        "scheduler",
        "loras",
        "ip_adapter_image",
        "controlnet",
        "latents",
    ),
    "editing": (
        "negative_prompt",
        "guidance_scale",
        "image_guidance_scale",
        "scheduler",
        "loras",
        "latents",
    ),
    "variation": ("guidance_scale", "width, height", "scheduler", "latents"),
    "upscaling": ("negative_prompt", "guidance_scale", "noise_level", "scheduler"),
}

_INTRODUCTION: Final = """\
# Models

Nodes take any model whose family [diffusers](https://huggingface.co/docs/diffusers) supports, as a
Hub id or a directory. Families differ in what they support. A property that a model does not use is
never dropped silently: the run warns and names both.

Every family takes `prompt`, `num_inference_steps`, `seed` and `num_images`. The tables state the
rest. They are generated from the pipelines' classes, as the nodes themselves decide when they
run."""

_NOTES: Final = """\
## What classes do not state

- `negative_prompt` is read where `guidance_scale` is above 1. A model that was distilled to take
  the guidance scale as an input (its UNet has `time_cond_proj_dim`, like the model that ships)
  ignores it, and the run warns.
- `scheduler` can be set where the model's own scheduler lists others as compatible. Flow-matching
  models (SD3, Flux, Qwen, Z-Image, …) take those that there is a rule for, and otherwise run with
  their own.
- `loras` with scale 0 have no effect. What they change is on a clone of the modules, so that no
  other call sees it.
- `controlnet` is a network of the same family, loaded beside the model. Models with a control
  channel of their own (FLUX.1 Depth, FLUX.1 Canny) take `control_image` alone. Networks for several
  kinds of control images (unions) get the kind by `control_mode`. Inpainting networks for SD3 and
  Qwen-Image take image and mask, and no `control_image`.
- `controlnets` takes several at once, each with its image, scale, start and end, from a chain of
  [ApplyControlNet](nodes/huggingface/loaders/apply_control_net.md): Stable Diffusion 1, 2, XL and
  3, FLUX.1 and Hunyuan-DiT; Qwen-Image several images of one network. A T2I-Adapter is given like a
  ControlNet, to Stable Diffusion and SDXL, for text to image. What a family takes one of is
  refused before the load. `guess_mode` is for Stable Diffusion and SDXL.
- `ip_adapters` takes several image prompts from a chain of
  [ApplyIPAdapter](nodes/huggingface/loaders/apply_ip_adapter.md), Stable Diffusion 3 one; masks
  keep each to a part of the result in Stable Diffusion and SDXL.
- `prompts` takes further prompts from a chain of
  [AddPrompt](nodes/huggingface/regions/add_prompt.md), each with its part of the image, its
  strength and its share of the noise, for Stable Diffusion 1, 2 and XL: at each step the noise is
  predicted once for every prompt that counts then, and averaged. Other families refuse them.
- `free_u` takes FreeU's numbers b1, b2, s1 and s2, for models with a UNet.
- `prompt_syntax: weighted` reads the syntax of the AUTOMATIC1111 web UI in both prompts:
  `(x:1.3)`, `(x)` for 1.1 times, `[x]` for 1.1 times less, `\\(` for a bracket that is text,
  `BREAK` for a new section, `embedding:name`. A prompt of any length is read in chunks of 75
  tokens, and the shorter of the two prompts is filled up with empty ones. A weight multiplies the
  distance of a token's result from that of the empty prompt, as in ComfyUI; without weights the
  image is that of the plain prompt, to the last bit. It works for Stable Diffusion 1, 2 and XL;
  other families refuse it. What was read is in the notes of the run.
- The same syntax has changes while an image is made: `[a:b:0.5]` is `a` for half of the steps and
  `b` after it, `[a:b:8]` for 8 steps, `[a:0.5]` begins and `[a::0.5]` ends, `[a|b]` takes turns
  step by step. Changes are read inside of weights and of other changes. A number with a point is a
  share of the steps that are made, which `strength` leaves.
- `strength_mask` says by its tones where `strength` holds: a part of tone `m` takes part in the
  last `m` · N of N steps ([2306.00950](https://arxiv.org/abs/2306.00950)). Black keeps the latents
  to the last bit, white is as without a mask.
- `embeddings` are safetensors files, as trainers of Stable Diffusion 1, 2 and XL write them; those
  that are not listed are looked for in the folders of models, by name.
- `clip_skip` leaves out last layers of the CLIP encoders for both prompts, `prompt_2` and
  `negative_prompt_2` are for a second encoder, and `max_sequence_length` for encoders whose length
  can be chosen.
- `latents` is an output: what the image was decoded from, for families that expose it.
- Images keep their size where it is between half and 2.25 times the area that the model was trained
  at; others are resized to about that area, and the run warns before the first step. With
  `keep_size` the result is resized back, or made in tiles. Inpainting, refinement and upscaling
  with a network keep the image's own size.
- Models that were distilled to few steps (Turbo, Lightning, LCM, schnell, Hyper, DMD, Sana-Sprint),
  by the names of the model, its denoiser or its LoRAs, run with the steps and the guidance that
  they were made for, where those are the nodes' defaults. A number of steps in the name counts. The
  run says what it sets.
- Decoders that are published without their prior (Kandinsky 2.1 and 2.2, Stable Cascade,
  Wuerstchen) use the prior that the card of their repository names (`prior` in the front matter of
  its README.md): a Hub id or a directory, downloaded, checked and loaded like any other model. A
  server uses it only where it lists the prior as well as the decoder.
- Upscaling networks are read from safetensors files:
  [Upscale](nodes/huggingface/image_to_image/upscale.md) takes Real-ESRGAN, ESRGAN and ESPCN,
  [AuraSR](nodes/huggingface/image_to_image/aura_sr.md) takes `fal/AuraSR-v2` and `fal/AuraSR`."""


def page() -> str:
    """Return the page, as Markdown."""
    parts = ["---\ntitle: Models\n---", _INTRODUCTION]
    for task, (title, path, node) in _TASKS.items():
        parts += [f"## {title}", f"Node: [{node}]({path}).", _table(task, _mapped(task))]
    for task, (title, path, node) in _OUTSIDE_AUTO.items():
        parts += [
            f"## {title}",
            f"Node: [{node}]({path}).",
            _table(task, OUTSIDE_AUTO_PIPELINE[task]),
        ]
    parts += [parts_section(), loras_section(), blocks_section(), _NOTES, _quirk_notes()]
    parts.append(refused_section())
    return "\n\n".join(part for part in parts if part) + "\n"


def families(task: str) -> dict[str, type]:
    """Return the pipeline of each family that does a task, by name."""
    import diffusers

    names = _mapped(task) if task in _TASKS else OUTSIDE_AUTO_PIPELINE[task]
    return {name: getattr(diffusers, name) for name in names}


def supports(pipeline_class: type, prop: str, task: str) -> bool:
    """Return whether a family supports a property of the nodes for a task."""
    if prop == "controlnet":
        return controlnet_pipeline_class(pipeline_class, task) is not None
    return _COLUMNS[prop](pipeline_class)


def _mapped(task: str) -> list[str]:
    """Return the AutoPipeline classes for a task, and those that do it without being listed."""
    # The tables hold video pipelines, and the one for text to image an inpainting pipeline.
    strange = ("num_frames", "mask_image") if task == "text-to-image" else ("num_frames",)
    found = [
        found
        for found in listed_pipelines(task)
        if all(call_parameter(found, parameter) is None for parameter in strange)
    ]
    # Upscalers enlarge whatever they are given, and have a table of their own.
    beyond = [
        name
        for name in OUTSIDE_AUTO_PIPELINE.get(task, ())
        if name not in OUTSIDE_AUTO_PIPELINE["upscaling"]
    ]
    return [one.__name__ for one in dict.fromkeys(found)] + beyond


def _table(task: str, names: Iterable[str]) -> str:
    import diffusers

    columns = OF_TASK[task]
    rows = []
    for name in sorted(names, key=str.lower):
        marks = [
            "yes" if supports(getattr(diffusers, name), column, task) else "–"  # noqa: RUF001 - a dash
            for column in columns
        ]
        rows.append(f"| {name.removesuffix('Pipeline')} | {' | '.join(marks)} |")
    header = [f"| Family | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    return "\n".join([*header, *rows])


def _quirk_notes() -> str:
    """Return the notes of quirks that users should know of, as a section."""
    import diffusers

    noted: dict[str, list[str]] = {}
    for name in sorted(
        name for task in _TASKS for name in _mapped(task) if hasattr(diffusers, name)
    ):
        for quirk in quirks_of(name):
            if quirk.note and all(
                key in call_parameters(getattr(diffusers, name)) for key in quirk.adds
            ):
                noted.setdefault(
                    f"{f'With `{quirk.when_set}`: ' if quirk.when_set else ''}{quirk.note}", []
                ).append(name.removesuffix("Pipeline"))
    lines = [
        f"- {note}. So for {', '.join(dict.fromkeys(names))}." for note, names in noted.items()
    ]
    return "\n".join(["## What is added", "", *lines]) if lines else ""
