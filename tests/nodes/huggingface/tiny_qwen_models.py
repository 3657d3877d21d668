"""
Tiny pipelines of the Qwen-Image family that look at images.

Editors, and the one that takes an image apart into layers.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLQwenImage,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPipeline,
    QwenImageEditPlusPipeline,
    QwenImageLayeredPipeline,
)
from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor

from nodetool_core.models.components.processors import without_videos
from tests.nodes.huggingface.tiny_language_models import speller
from tests.nodes.huggingface.tiny_transformers import qwen_reader, qwen_transformer

_PIECES = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

_LEVELS = 6
"""
The pipelines bring every image to about a megapixel.

With so many halvings that is little for the transformer.
"""


def qwen2_vl() -> dict[str, Any]:
    """Return a language model that looks at images, with its tokenizer and processor."""
    tokenizer = speller(*_PIECES)
    images = Qwen2VLImageProcessor(
        patch_size=14, size={"shortest_edge": 56 * 56, "longest_edge": 84 * 84}
    )
    return {
        "text_encoder": qwen_reader(len(tokenizer), **_ids()),
        "tokenizer": tokenizer,
        "processor": without_videos(Qwen2VLProcessor)(image_processor=images, tokenizer=tokenizer),
    }


def _parts(colours: int = 3, latents: int = 4, **options: Any) -> dict[str, Any]:
    return {
        **qwen2_vl(),
        "vae": AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=latents,
            dim_mult=[1] * _LEVELS,
            num_res_blocks=0,
            temperal_downsample=[False] * (_LEVELS - 1),
            input_channels=colours,
            latents_mean=[0.0] * latents,
            latents_std=[1.0] * latents,
        ),
        "transformer": qwen_transformer(latents, **options),
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def _ids() -> dict[str, int]:
    names = {"image": "image_pad", "video": "video_pad", "vision_start": "vision_start"}
    return {f"{name}_token_id": _PIECES.index(f"<|{piece}|>") for name, piece in names.items()}


def qwen_edit() -> DiffusionPipeline:
    return QwenImageEditPipeline(**_parts())


def qwen_edit_plus() -> DiffusionPipeline:
    return QwenImageEditPlusPipeline(**_parts())


def qwen_layered() -> DiffusionPipeline:
    """
    Images with an alpha channel, and a transformer that is told whether it looks at one without.
    """
    # With as many latent channels as colours, it would take the image for latents.
    return QwenImageLayeredPipeline(
        **_parts(4, 6, use_additional_t_cond=True, use_layer3d_rope=True)
    )
