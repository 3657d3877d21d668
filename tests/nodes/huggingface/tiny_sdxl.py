"""The parts of tiny Stable Diffusion XL pipelines."""

from __future__ import annotations

from typing import Any

from diffusers import EulerDiscreteScheduler
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from tests.nodes.huggingface.tiny_parts import WIDTH, clip_config, clip_tokenizer, unet, vae


def sdxl_parts(in_channels: int = 4) -> dict[str, Any]:
    """Return what pipelines of the family are made from."""
    return {
        "vae": vae(),
        "text_encoder": CLIPTextModel(clip_config()),
        "text_encoder_2": CLIPTextModelWithProjection(clip_config()),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer(),
        "unet": unet(
            in_channels,
            cross_attention_dim=2 * WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=WIDTH + 6 * 8,
            use_linear_projection=True,
        ),
        "scheduler": EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
    }
