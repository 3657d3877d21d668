"""Tiny pipelines that draw what several or large language models read."""

from __future__ import annotations

from diffusers import (
    DiffusionPipeline,
    ErnieImagePipeline,
    ErnieImageTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    HiDreamImagePipeline,
    HiDreamImageTransformer2DModel,
    PRXPixelPipeline,
    PRXTransformer2DModel,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, LlamaConfig, LlamaForCausalLM

from tests.nodes.huggingface.tiny_controlnets import outspoken
from tests.nodes.huggingface.tiny_language_models import (
    mistral,
    reader_tokenizer,
    speller,
    t5_gemma,
)
from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_tokenizer,
    qwen_tokenizer,
    t5_encoder,
    t5_tokenizer,
    vae,
)
from tests.nodes.huggingface.tiny_transformers import flux2_vae


def ernie_image() -> DiffusionPipeline:
    transformer = ErnieImageTransformer2DModel(
        hidden_size=32,
        num_attention_heads=2,
        num_layers=1,
        ffn_hidden_size=32,
        in_channels=16,
        out_channels=16,
        text_in_dim=WIDTH,
        rope_axes_dim=(4, 6, 6),
    )
    return ErnieImagePipeline(
        transformer=outspoken(transformer),
        vae=flux2_vae(),
        text_encoder=mistral(3).model,
        tokenizer=reader_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def long_clip() -> CLIPTextConfig:
    """Return the shape of a CLIP that reads 248 tokens."""
    return CLIPTextConfig(**clip_config().to_dict() | {"max_position_embeddings": 248})


def hidream() -> DiffusionPipeline:
    """Return a model that makes one area, whatever the shape: 128 x 128 pixels here."""
    tokenizer = speller("<pad>", "<bos>", eos_token="<pad>")
    language = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        attn_implementation="eager",
    )
    transformer = HiDreamImageTransformer2DModel(
        patch_size=2,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        caption_channels=[WIDTH, WIDTH],
        text_emb_dim=2 * WIDTH,
        axes_dims_rope=(8, 4, 4),
        max_resolution=(128, 128),
        llama_layers=[0, 1],
        force_inference_output=True,
    )
    return HiDreamImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae(levels=1, shift_factor=0.0),
        text_encoder=CLIPTextModelWithProjection(long_clip()),
        tokenizer=clip_tokenizer(),
        text_encoder_2=CLIPTextModelWithProjection(long_clip()),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_encoder(),
        tokenizer_3=t5_tokenizer(),
        text_encoder_4=LlamaForCausalLM(language),
        tokenizer_4=tokenizer,
        transformer=transformer,
    )


def prx_pixel() -> DiffusionPipeline:
    """Return a model that draws pixels, without any latents."""
    transformer = PRXTransformer2DModel(
        in_channels=3,
        patch_size=8,
        context_in_dim=WIDTH,
        hidden_size=16,
        mlp_ratio=2.0,
        num_heads=2,
        depth=1,
        axes_dim=[4, 4],
    )
    return PRXPixelPipeline(
        transformer=outspoken(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=t5_gemma(),
        tokenizer=qwen_tokenizer(),
        default_sample_size=64,
    )


WIDE_READERS = {builder.__name__: builder for builder in (ernie_image, hidream, prx_pixel)}
"""By name."""
