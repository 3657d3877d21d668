"""Tiny pipelines of the Qwen-Image family that look at pictures: editors, and the one that takes a picture apart into layers."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLQwenImage,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPipeline,
    QwenImageEditPlusPipeline,
    QwenImageLayeredPipeline,
    QwenImageTransformer2DModel,
)
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessor, Qwen2VLProcessor

from nodetool_core.models.processors import without_videos
from tests.nodes.huggingface.tiny_language_models import speller
from tests.nodes.huggingface.tiny_parts import WIDTH

_PIECES = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")

_LEVELS = 6
"""The pipelines bring every picture to about a megapixel. With so many halvings that is little for the transformer."""


def _parts(colours: int = 3, latents: int = 4, **options: Any) -> dict[str, Any]:
    tokenizer = speller(*_PIECES)
    pictures = Qwen2VLImageProcessor(patch_size=14, size={"shortest_edge": 56 * 56, "longest_edge": 84 * 84})
    return {
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
        "text_encoder": Qwen2_5_VLForConditionalGeneration(_language(len(tokenizer))),
        "tokenizer": tokenizer,
        "processor": without_videos(Qwen2VLProcessor)(image_processor=pictures, tokenizer=tokenizer),
        "transformer": QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=4 * latents,
            out_channels=latents,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(4, 6, 6),
            **options,
        ),
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def _language(pieces: int) -> Qwen2_5_VLConfig:
    text = {
        "vocab_size": pieces,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
    }
    vision = {"depth": 1, "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_heads": 2, "out_hidden_size": WIDTH}
    ids = {f"{name}_token_id": _PIECES.index(f"<|{piece}|>") for name, piece in {"image": "image_pad", "video": "video_pad"}.items()}
    return Qwen2_5_VLConfig(text_config=text, vision_config=vision, vision_start_token_id=_PIECES.index("<|vision_start|>"), **ids)


def qwen_edit() -> DiffusionPipeline:
    return QwenImageEditPipeline(**_parts())


def qwen_edit_plus() -> DiffusionPipeline:
    return QwenImageEditPlusPipeline(**_parts())


def qwen_layered() -> DiffusionPipeline:
    """Pictures with an alpha channel, and a transformer that is told whether it looks at one without."""
    # With as many latent channels as colours, it would take the picture for latents.
    return QwenImageLayeredPipeline(**_parts(4, 6, use_additional_t_cond=True, use_layer3d_rope=True))
