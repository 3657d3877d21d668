"""
What a single safetensors file is, by the names of its tensors.

Names are those of the published files. A file that holds a whole pipeline is none of the kinds
here: that is diffusers' task, which takes all that it does not know for Stable Diffusion 1.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection

_SHOWN = 3
_FOLDER = "Give the folder or repository that it is a part of, in diffusers form."


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file that is no pipeline."""

    name: str
    """With its article, as in `looks like a LoRA`."""
    hint: str
    """What to do with it."""
    sign: re.Pattern[str]
    """Matches the beginning of a name that only such files have."""


def _kind(name: str, hint: str, *signs: str) -> FileKind:
    return FileKind(name, hint, re.compile("|".join(signs)))


_KINDS = (
    _kind(
        "a LoRA",
        "Add it to the node's `loras`, and set the model to the one that it was made for.",
        r"lora_(unet|te\d?|transformer|prior)_",
        r".*\.(lora_(A|B|up|down)|lora\.(up|down)|hada_w1_a|lokr_w[12]|dora_scale)(\.|$)",
        r".*(_lora\.|\.lora_magnitude_vector|\.processor\.(proj|qkv)_lora)",
    ),
    _kind(
        "an IP adapter",
        "Name it in the node's `ip_adapter_model`.",
        r"image_proj\.",
        r"ip_adapter(_proj_model)?\.",
    ),
    _kind(
        "a ControlNet",
        "Name its folder or repository, in diffusers form, in the node's `controlnet`.",
        r"control_model\.",
        r"controlnet_(cond_embedding|down_blocks|mid_block|blocks|single_blocks|x_embedder)",
        r"(control_|lllite_)",
        r"input_hint_block\.",
    ),
    _kind(
        "a network that enlarges images",
        "Use it with the node Upscale.",
        r"(params(_ema)?\.)?(body\.0\.rdb1|conv_first\.|model\.1\.sub\.)",
        r"(params(_ema)?\.)?(upsample|conv_after_body)\.",
    ),
    _kind("a motion module", "It makes videos of a model; no node uses it.", r".*motion_modules\."),
    _kind(
        "an autoencoder (VAE)",
        "A whole model is needed: use one that holds its own, or a folder in diffusers form with"
        " this file in `vae`.",
        r"(encoder|decoder)\.(conv_in|conv1|down|up|mid|mid_block|down_blocks|up_blocks|middle|head)\.",
        r"(post_)?quant_conv\.",
    ),
    _kind(
        "a T5 text encoder",
        _FOLDER,
        r"(encoder\.)?block\.0\.layer\.0\.SelfAttention",
        r"shared\.weight$",
    ),
    _kind(
        "a CLIP text encoder",
        _FOLDER,
        r"text_model\.",
        r"transformer\.resblocks\.",
        r"text_projection",
    ),
    _kind("a CLIP image encoder", _FOLDER, r"(vision_model|visual)\.", r"visual_projection"),
    _kind(
        "a language model, as newer models have for a text encoder",
        _FOLDER,
        r"(model\.)?(language_model\.)?layers\.\d+\.self_attn\.",
    ),
    _kind(
        "an embedding (textual inversion)",
        "No node uses embeddings.",
        r"emb_params$",
        r"string_to_param",
        r"<.*>$",
        r"clip_[lg]$",
    ),
    _kind(
        "the denoiser alone of a model in diffusers form",
        _FOLDER,
        r"(down_blocks|mid_block|up_blocks)\.",
        r"(single_)?transformer_blocks\.",
    ),
)
"""From the special to the general: the first that matches counts."""

_PIPELINE = re.compile(
    r"model\.diffusion_model\.|first_stage_model\.|cond_stage_model\.|conditioner\.|text_encoders\."
)
"""Begins names in files that hold several components."""

_UNKNOWN = (
    "Give a model as its authors publish it, with all components in one file, or a folder in"
    " diffusers form."
)


def holds_components(names: Collection[str]) -> bool:
    """
    Return whether a file holds several components by the names of its tensors, as whole models do.
    """
    return any(_PIPELINE.match(name) for name in names)


def kind_of(names: Collection[str]) -> FileKind | None:
    """
    Return the kind of a file by the names of its tensors.

    None where it may hold a pipeline, or what nobody knows.
    """
    if holds_components(names):
        return None
    return next((kind for kind in _KINDS if any(kind.sign.match(name) for name in names)), None)


def no_pipeline(name: str, kind: FileKind | None, names: Collection[str]) -> ModelError:
    """
    Return the refusal of a file where a whole model is wanted.

    `kind` is None where nobody knows what it holds.
    """
    if kind is not None:
        return ModelError(
            Problem(
                "model_unfit",
                name,
                f"looks like {kind.name}, which is no model by itself.",
                kind.hint,
            )
        )
    shown = ", ".join(sorted(names)[:_SHOWN]) or "none at all"
    return ModelError(
        Problem(
            "model_unfit",
            name,
            f"is of no family that diffusers knows: its first tensors are {shown}.",
            _UNKNOWN,
        )
    )
