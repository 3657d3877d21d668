"""Tiny pipelines whose prompts are read by language models."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    AutoencoderKLQwenImage21,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    Flux2Pipeline,
    Ideogram4Pipeline,
    Ideogram4Transformer2DModel,
    Krea2Pipeline,
    Krea2Transformer2DModel,
    NucleusMoEImagePipeline,
    NucleusMoEImageTransformer2DModel,
    OvisImagePipeline,
    OvisImageTransformer2DModel,
    PRXPipeline,
    PRXTransformer2DModel,
    QwenImage21Pipeline,
    QwenImage21Transformer2DModel,
    ZImageOmniPipeline,
    ZImageTransformer2DModel,
)
from transformers import Siglip2ImageProcessor, Siglip2VisionConfig, Siglip2VisionModel

from tests.nodes.huggingface.tiny_controlnets import outspoken
from tests.nodes.huggingface.tiny_language_models import (
    mistral,
    qwen3_vl,
    qwen3_vl_processor,
    reader_tokenizer,
    t5_gemma,
)
from tests.nodes.huggingface.tiny_parts import WIDTH, qwen_encoder, qwen_tokenizer, vae
from tests.nodes.huggingface.tiny_transformers import flux2_transformer, flux2_vae


def _qwen_vae() -> AutoencoderKLQwenImage:
    return AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )


def _plain_vae() -> Any:
    return vae(
        4,
        levels=1,
        shift_factor=0.1,
        scaling_factor=0.4,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def flux2() -> DiffusionPipeline:
    return Flux2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=flux2_vae(),
        text_encoder=mistral(),
        tokenizer=reader_tokenizer(),
        transformer=flux2_transformer(),
    )


def ideogram4() -> DiffusionPipeline:
    # It reads the language model at thirteen of its layers, up to the 36th, and fills each prompt
    # up to 2048 tokens, so there is one head.
    shape: dict[str, Any] = {
        "in_channels": 16,
        "num_layers": 1,
        "attention_head_dim": 16,
        "num_attention_heads": 1,
        "intermediate_size": 32,
        "adaln_dim": 16,
        "llm_features_dim": 13 * WIDTH,
        "mrope_section": (4, 2, 2),
    }
    return Ideogram4Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=flux2_vae(),
        text_encoder=qwen3_vl(36, heads=1).model,
        tokenizer=reader_tokenizer(),
        transformer=Ideogram4Transformer2DModel(**shape),
        unconditional_transformer=Ideogram4Transformer2DModel(**shape),
    )


def krea2() -> DiffusionPipeline:
    transformer = Krea2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=32,
        timestep_embed_dim=8,
        text_hidden_dim=WIDTH,
        num_text_layers=3,
        text_num_attention_heads=2,
        text_num_key_value_heads=1,
        text_intermediate_size=16,
        num_layerwise_text_blocks=1,
        num_refiner_text_blocks=1,
        axes_dims_rope=(4, 2, 2),
    )
    return Krea2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_qwen_vae(),
        text_encoder=qwen3_vl().model,
        tokenizer=reader_tokenizer(),
        transformer=transformer,
        text_encoder_select_layers=(0, 1, 2),
    )


def nucleus_moe() -> DiffusionPipeline:
    transformer = NucleusMoEImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
        mlp_ratio=6.0,
        dense_moe_strategy="leave_first_block_dense",
        num_experts=2,
        moe_intermediate_dim=16,
        capacity_factors=[2.0, 2.0],
    )
    # diffusers leaves the experts as memory happens to be: they come from a checkpoint.
    for name, parameter in transformer.named_parameters():
        if "experts" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    # The eighth layer from the end is what it reads.
    return NucleusMoEImagePipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_qwen_vae(),
        text_encoder=qwen3_vl(9),
        processor=qwen3_vl_processor(),
    )


def qwen_image_21() -> DiffusionPipeline:
    autoencoder = AutoencoderKLQwenImage21(
        base_dim=4,
        decoder_base_dim=4,
        z_dim=4,
        dim_mult=[1, 1, 1, 1, 1],
        num_res_blocks=0,
        temperal_downsample=[False, False, False, False],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    transformer = QwenImage21Transformer2DModel(
        in_channels=4,
        out_channels=4,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        context_in_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
    )
    return QwenImage21Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder,
        text_encoder=qwen3_vl(),
        # For each token that the language model has of an image, there are four latents.
        processor=qwen3_vl_processor(1024),
        transformer=transformer,
    )


def ovis_image() -> DiffusionPipeline:
    transformer = OvisImageTransformer2DModel(
        in_channels=16,
        out_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 4, 8),
    )
    return OvisImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_plain_vae(),
        text_encoder=qwen_encoder().model,
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
    )


def prx() -> DiffusionPipeline:
    transformer = PRXTransformer2DModel(
        in_channels=4,
        patch_size=2,
        context_in_dim=WIDTH,
        hidden_size=16,
        mlp_ratio=2.0,
        num_heads=2,
        depth=1,
        axes_dim=[4, 4],
    )
    return PRXPipeline(
        transformer=outspoken(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=t5_gemma(),
        tokenizer=qwen_tokenizer(),
        vae=_plain_vae(),
        default_sample_size=64,
    )


def z_image_omni() -> DiffusionPipeline:
    transformer = ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=WIDTH,
        siglip_feat_dim=WIDTH,
        axes_dims=[4, 6, 6],
        axes_lens=[1024, 256, 256],
    )
    eye = Siglip2VisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_patches=16,
        patch_size=16,
    )
    return ZImageOmniPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_plain_vae(),
        text_encoder=qwen_encoder().model,
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
        siglip=Siglip2VisionModel(eye),
        siglip_processor=Siglip2ImageProcessor(patch_size=16, max_num_patches=16),
    )


READERS = {
    builder.__name__: builder
    for builder in (
        flux2,
        ideogram4,
        krea2,
        nucleus_moe,
        ovis_image,
        prx,
        qwen_image_21,
        z_image_omni,
    )
}
"""Families whose prompts are read by language models, by name."""
