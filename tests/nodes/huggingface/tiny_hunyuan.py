"""Tiny pipelines of HunyuanImage 2.1: the one that draws, and the one that refines."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLHunyuanImage,
    AutoencoderKLHunyuanImageRefiner,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    HunyuanImagePipeline,
    HunyuanImageRefinerPipeline,
    HunyuanImageTransformer2DModel,
)
from diffusers.guiders import AdaptiveProjectedMixGuidance
from transformers import ByT5Tokenizer, T5Config, T5EncoderModel

from tests.nodes.huggingface.tiny_language_models import reader_tokenizer
from tests.nodes.huggingface.tiny_parts import WIDTH
from tests.nodes.huggingface.tiny_transformers import qwen_reader


def _transformer(channels: int, out_channels: int, **options: Any) -> Any:
    return HunyuanImageTransformer2DModel(
        in_channels=channels,
        out_channels=out_channels,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        text_embed_dim=WIDTH,
        **options,
    )


def _parts() -> dict[str, Any]:
    tokenizer = reader_tokenizer()
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "text_encoder": qwen_reader(len(tokenizer), layers=3),
        "tokenizer": tokenizer,
    }


def _drawing(**options: Any) -> dict[str, Any]:
    return {
        **_parts(),
        "vae": AutoencoderKLHunyuanImage(
            in_channels=3,
            out_channels=3,
            latent_channels=4,
            block_out_channels=(32, 32),
            layers_per_block=1,
            spatial_compression_ratio=2,
            sample_size=32,
            scaling_factor=0.5,
        ),
        "text_encoder_2": T5EncoderModel(
            T5Config(vocab_size=384, d_model=WIDTH, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=4)
        ),
        "tokenizer_2": ByT5Tokenizer(),
        "transformer": _transformer(4, 4, text_embed_2_dim=WIDTH, rope_axes_dim=(8, 8), **options),
    }


def _guider() -> AdaptiveProjectedMixGuidance:
    """Return what reads a negative prompt."""
    return AdaptiveProjectedMixGuidance(
        guidance_scale=3.5, adaptive_projected_guidance_start_step=0
    )


def hunyuan_image() -> DiffusionPipeline:
    """Return a model that takes the guidance scale, and a guider that reads a negative prompt."""
    return HunyuanImagePipeline(
        **_drawing(guidance_embeds=True),
        guider=_guider(),
    )


def hunyuan_image_distilled() -> DiffusionPipeline:
    """Return a model that takes the guidance scale, without a guider."""
    return HunyuanImagePipeline(**_drawing(guidance_embeds=True))


def hunyuan_image_refiner() -> DiffusionPipeline:
    return HunyuanImageRefinerPipeline(
        **_parts(),
        guider=_guider(),
        vae=AutoencoderKLHunyuanImageRefiner(
            latent_channels=4,
            block_out_channels=(32, 32),
            layers_per_block=1,
            spatial_compression_ratio=2,
            temporal_compression_ratio=1,
        ),
        transformer=_transformer(
            16, 8, patch_size=(1, 1, 1), rope_axes_dim=(4, 6, 6), guidance_embeds=True
        ),
    )


HUNYUAN = {
    builder.__name__: builder
    for builder in (hunyuan_image, hunyuan_image_distilled, hunyuan_image_refiner)
}
"""By name."""
