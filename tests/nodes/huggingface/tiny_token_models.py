"""Tiny pipelines that draw in tokens of a codebook, or through UNets that enlarge."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AmusedPipeline,
    AmusedScheduler,
    DiffusionPipeline,
    Transformer2DModel,
    UnCLIPPipeline,
    UVit2DModel,
    VQDiffusionPipeline,
    VQDiffusionScheduler,
    VQModel,
)
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from nodetool_core.models.components.component_class import component_class
from tests.nodes.huggingface.tiny_image_models import karlo_decoder, karlo_enlargers
from tests.nodes.huggingface.tiny_kandinsky import prior, prior_scheduler
from tests.nodes.huggingface.tiny_parts import WIDTH, clip_config, clip_tokenizer

_CODES = 32
"""In the codebook; the mask comes on top of them."""


def _codebook(latents: int = 8, **options: Any) -> VQModel:
    return VQModel(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=latents,
        num_vq_embeddings=_CODES,
        vq_embed_dim=latents,
        norm_num_groups=4,
        layers_per_block=1,
        **options,
    )


def amused() -> DiffusionPipeline:
    transformer = UVit2DModel(
        hidden_size=32,
        cond_embed_dim=WIDTH,
        micro_cond_encode_dim=4,
        micro_cond_embed_dim=20,
        encoder_hidden_size=WIDTH,
        vocab_size=_CODES + 1,
        codebook_size=_CODES,
        in_channels=16,
        block_out_channels=16,
        num_res_blocks=1,
        block_num_heads=2,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        sample_size=16,
    )
    return AmusedPipeline(
        vqvae=_codebook(lookup_from_codebook=True, force_upcast=True),
        tokenizer=clip_tokenizer(),
        text_encoder=CLIPTextModelWithProjection(clip_config()),
        transformer=transformer,
        scheduler=AmusedScheduler(mask_token_id=_CODES),
    )


def vq_diffusion() -> DiffusionPipeline:
    """Return a pipeline with one size: that of its transformer."""
    transformer = Transformer2DModel(
        sample_size=16,
        num_vector_embeds=_CODES + 1,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        cross_attention_dim=WIDTH,
        norm_type="ada_norm",
        num_embeds_ada_norm=100,
        activation_fn="geglu-approximate",
        attention_bias=True,
    )
    embeddings: Any = component_class("vq_diffusion", "LearnedClassifierFreeSamplingEmbeddings")
    return VQDiffusionPipeline(
        vqvae=_codebook(),
        text_encoder=CLIPTextModel(clip_config()),
        tokenizer=clip_tokenizer(),
        transformer=transformer,
        scheduler=VQDiffusionScheduler(_CODES + 1),
        learned_classifier_free_sampling_embeddings=embeddings(
            learnable=True, hidden_size=WIDTH, length=77
        ),
    )


def unclip() -> DiffusionPipeline:
    """Karlo: a prior, a decoder that draws what it says, and two networks that enlarge."""
    return UnCLIPPipeline(
        prior=prior(),
        prior_scheduler=prior_scheduler(),
        **karlo_decoder(),
        **karlo_enlargers(),
    )


TOKEN_MODELS = {builder.__name__: builder for builder in (amused, unclip, vq_diffusion)}
"""By name."""
