"""Tiny pipelines of the Bria family: one that reads prompts with T5, and FIBO, which needs more."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLWan,
    BriaFibo2Pipeline,
    BriaFibo2Transformer2DModel,
    BriaFiboEditPipeline,
    BriaFiboPipeline,
    BriaFiboTransformer2DModel,
    BriaPipeline,
    BriaTransformer2DModel,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
)
from transformers import SmolLM3Config, SmolLM3ForCausalLM

from tests.nodes.huggingface.tiny_language_models import (
    qwen3_vl,
    qwen3_vl_processor,
    reader_tokenizer,
)
from tests.nodes.huggingface.tiny_parts import WIDTH, t5_encoder, t5_tokenizer, vae
from tests.nodes.huggingface.tiny_transformers import flux2_vae

_EMPTY = 128000
"""The token that stands for no text at all, whatever the tokenizer knows."""


def bria() -> DiffusionPipeline:
    transformer = BriaTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=[4, 4, 8],
    )
    return BriaPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae(shift_factor=0.0),
        text_encoder=t5_encoder(),
        tokenizer=t5_tokenizer(),
    )


def wan_vae(levels: int, latents: int = 4, blocks: int = 1) -> AutoencoderKLWan:
    """Return an autoencoder of films, of which one frame is used."""
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=latents,
        dim_mult=[1] * levels,
        num_res_blocks=blocks,
        temperal_downsample=[False] * (levels - 1),
        latents_mean=[0.0] * latents,
        latents_std=[1.0] * latents,
        scale_factor_temporal=1,
        scale_factor_spatial=2 ** (levels - 1),
    )


def _fibo_parts() -> dict[str, Any]:
    width = 16
    language = SmolLM3Config(
        vocab_size=_EMPTY + 1,
        hidden_size=width,
        intermediate_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=True,
    )
    transformer = BriaFiboTransformer2DModel(
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=2 * width,
        axes_dims_rope=[4, 4, 8],
        text_encoder_dim=width,
    )
    # It counts on an autoencoder of factor 16.
    return {
        "transformer": transformer,
        "scheduler": FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        "vae": wan_vae(5),
        "text_encoder": SmolLM3ForCausalLM(language),
        "tokenizer": reader_tokenizer(),
    }


def bria_fibo() -> DiffusionPipeline:
    return BriaFiboPipeline(**_fibo_parts())


def bria_fibo_edit() -> DiffusionPipeline:
    return BriaFiboEditPipeline(**_fibo_parts())


def bria_fibo2() -> DiffusionPipeline:
    """Return a model that reads eighteen layers of a language model, up to the 35th."""
    transformer = BriaFibo2Transformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        cap_feat_dim=3 * WIDTH,
        injection_layer_ids=(0, 0, 0, 1, 1),
        perceiver_num_layers=1,
        min_num_gist_tokens=4,
        max_num_gist_tokens=8,
        gist_step=4,
        gist_min_text_len=4,
        gist_max_text_len=8,
        axes_dims=(4, 6, 6),
        axes_lens=(2048, 512, 512),
    )
    return BriaFibo2Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=flux2_vae(),
        text_encoder=qwen3_vl(36),
        processor=qwen3_vl_processor(),
    )


BRIA = {builder.__name__: builder for builder in (bria, bria_fibo, bria_fibo2, bria_fibo_edit)}
"""By name."""
