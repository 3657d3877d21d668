"""Tiny pipelines of the CogView family and its successor GLM-Image."""

from __future__ import annotations

from typing import Any

from diffusers import (
    CogVideoXDDIMScheduler,
    CogView3PlusPipeline,
    CogView3PlusTransformer2DModel,
    CogView4ControlPipeline,
    CogView4Pipeline,
    CogView4Transformer2DModel,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    GlmImagePipeline,
    GlmImageTransformer2DModel,
)
from transformers import (
    ByT5Tokenizer,
    GlmImageConfig,
    GlmImageForConditionalGeneration,
    GlmImageImageProcessor,
    GlmImageProcessor,
    T5Config,
    T5EncoderModel,
)

from tests.nodes.huggingface.tiny_language_models import glm, opening_tokenizer, speller
from tests.nodes.huggingface.tiny_parts import WIDTH, t5_encoder, t5_tokenizer, vae

_CODES = 32
"""Codes that GLM-Image knows for patches of an image."""

_WIDTHS: dict[str, Any] = {
    "patch_size": 2,
    "out_channels": 4,
    "num_layers": 1,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "text_embed_dim": WIDTH,
    "time_embed_dim": 16,
    "condition_dim": 8,
}


def cogview3_plus() -> DiffusionPipeline:
    return CogView3PlusPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        vae=vae(),
        transformer=CogView3PlusTransformer2DModel(
            **_WIDTHS, in_channels=4, pos_embed_max_size=32, sample_size=32
        ),
        scheduler=CogVideoXDDIMScheduler(),
    )


def _cogview4_parts(in_channels: int) -> dict[str, Any]:
    return {
        "tokenizer": opening_tokenizer(),
        "text_encoder": glm(),
        "vae": vae(),
        "transformer": CogView4Transformer2DModel(
            **_WIDTHS, in_channels=in_channels, sample_size=32
        ),
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def cogview4() -> DiffusionPipeline:
    return CogView4Pipeline(**_cogview4_parts(4))


def cogview4_control() -> DiffusionPipeline:
    """Latents and those of the control image, side by side."""
    return CogView4ControlPipeline(**_cogview4_parts(8))


_CHAT = (
    "{% for part in messages[0]['content'] %}{% if part['type'] == 'image' %}<|image|>{% else %}"
    "{{ part['text'] }}{% endif %}{% endfor %}"
)
"""The parts of the first message, each image as the token that stands for it."""


def _glm_image_processor() -> GlmImageProcessor:
    names = {"image_token": "<|image|>", "grid_bos_token": "<sop>", "grid_eos_token": "<eop>"}
    tokenizer = speller("<pad>", "<start>", *names.values(), bos_token="<start>", **names)
    return GlmImageProcessor(
        image_processor=GlmImageImageProcessor(
            patch_size=16,
            temporal_patch_size=1,
            merge_size=1,
            size={"shortest_edge": 512 * 512, "longest_edge": 2048 * 2048},
        ),
        tokenizer=tokenizer,
        chat_template=_CHAT,
    )


def glm_image() -> DiffusionPipeline:
    """
    Return a tiny GLM-Image.

    A language model writes image tokens, one for 32 by 32 pixels; a transformer decodes them.
    """
    processor = _glm_image_processor()
    language = GlmImageConfig(
        text_config={
            "vocab_size": len(processor.tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "vision_vocab_size": _CODES,
            "initializer_range": 1.0,  # so that another prompt makes it write something else
            "pad_token_id": 0,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": (4, 2, 2),
            },
        },
        vision_config={
            "depth": 1,
            "hidden_size": WIDTH,
            "num_heads": 2,
            "image_size": 32,
            "patch_size": 16,
            "intermediate_size": WIDTH,
        },
        vq_config={"embed_dim": WIDTH, "num_embeddings": _CODES, "latent_channels": WIDTH},
        image_token_id=processor.image_token_id,
        image_start_token_id=processor.tokenizer.bos_token_id,
        image_end_token_id=0,
    )
    return GlmImagePipeline(
        tokenizer=ByT5Tokenizer(),
        processor=processor,
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=384, d_model=WIDTH, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=4)
        ),
        vision_language_encoder=GlmImageForConditionalGeneration(language),
        vae=vae(4, levels=4, latents_mean=[0.0] * 4, latents_std=[1.0] * 4),
        transformer=GlmImageTransformer2DModel(
            **_WIDTHS, in_channels=4, prior_vq_quantizer_codebook_size=_CODES
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


GLM = {builder.__name__: builder for builder in (cogview3_plus, cogview4, glm_image)}
"""The family by name, but for those that follow a control image."""
