"""Tiny pipelines of the families that denoise with a transformer."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxControlPipeline,
    FluxKontextPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3PAGPipeline,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_tokenizer,
    qwen_encoder,
    qwen_tokenizer,
    t5_encoder,
    t5_tokenizer,
    vae,
)


def sd3_parts() -> dict[str, Any]:
    return {
        "vae": vae(
            16,
            shift_factor=0.06,
            scaling_factor=1.5,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        "text_encoder": CLIPTextModelWithProjection(clip_config()),
        "text_encoder_2": CLIPTextModelWithProjection(clip_config()),
        "text_encoder_3": t5_encoder(),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer(),
        "tokenizer_3": t5_tokenizer(),
        "transformer": SD3Transformer2DModel(
            sample_size=32,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_projection_dim=32,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=2 * WIDTH,
        ),
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def stable_diffusion_3() -> DiffusionPipeline:
    return StableDiffusion3Pipeline(**sd3_parts())


def stable_diffusion_3_pag() -> DiffusionPipeline:
    # Without `pag_applied_layers` it would perturb blocks that a tiny transformer lacks.
    return StableDiffusion3PAGPipeline(**sd3_parts(), pag_applied_layers="blocks.1")


def flux_parts(in_channels: int = 4, *, guidance_embeds: bool = True) -> dict[str, Any]:
    return {
        "vae": vae(
            1,
            levels=1,
            shift_factor=0.1,
            scaling_factor=0.4,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        "text_encoder": CLIPTextModel(clip_config()),
        "text_encoder_2": t5_encoder(),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": t5_tokenizer(),
        "transformer": FluxTransformer2DModel(
            patch_size=1,
            in_channels=in_channels,
            out_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=[4, 4, 8],
            guidance_embeds=guidance_embeds,
        ),
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def flux() -> DiffusionPipeline:
    return FluxPipeline(**flux_parts())


def flux_schnell() -> DiffusionPipeline:
    """Distilled to draw without guidance."""
    return FluxPipeline(**flux_parts(guidance_embeds=False))


def flux_kontext() -> DiffusionPipeline:
    return FluxKontextPipeline(**flux_parts())


def flux_control() -> DiffusionPipeline:
    return FluxControlPipeline(**flux_parts(8))


def flux2_vae() -> AutoencoderKLFlux2:
    return AutoencoderKLFlux2(
        block_out_channels=(8,),
        down_block_types=("DownEncoderBlock2D",),
        up_block_types=("UpDecoderBlock2D",),
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
    )


def flux2_transformer() -> Flux2Transformer2DModel:
    return Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * WIDTH,
        timestep_guidance_channels=16,
        axes_dims_rope=[4, 4, 4, 4],
    )


def flux2_klein() -> DiffusionPipeline:
    # It reads the hidden states of layers 9, 18 and 27.
    return Flux2KleinPipeline(
        vae=flux2_vae(),
        text_encoder=qwen_encoder(28),
        tokenizer=qwen_tokenizer(),
        transformer=flux2_transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        is_distilled=False,
    )


def z_image_parts() -> dict[str, Any]:
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
        axes_dims=[4, 6, 6],
        axes_lens=[1024, 256, 256],
    )
    return {
        "vae": vae(
            4,
            levels=1,
            shift_factor=0.1,
            scaling_factor=0.4,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        "text_encoder": qwen_encoder().model,
        "tokenizer": qwen_tokenizer(),
        "transformer": transformer,
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def z_image() -> DiffusionPipeline:
    return ZImagePipeline(**z_image_parts())


def qwen_reader(pieces: int, layers: int = 1, **ids: int) -> Qwen2_5_VLForConditionalGeneration:
    """
    Return a model that reads prompts.

    It reads images as well, where `ids` names the tokens that stand for them.
    """
    language = {
        "vocab_size": pieces,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
    }
    vision = {
        "depth": 1,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=language, vision_config=vision, **ids)
    )


def qwen_transformer(latents: int = 4, **options: Any) -> QwenImageTransformer2DModel:
    return QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=4 * latents,
        out_channels=latents,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
        **options,
    )


def qwen_parts() -> dict[str, Any]:
    return {
        "vae": AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1],
            num_res_blocks=1,
            temperal_downsample=[],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        "text_encoder": qwen_reader(len(qwen_tokenizer())),
        "tokenizer": qwen_tokenizer(),
        "transformer": qwen_transformer(),
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def qwen_image() -> DiffusionPipeline:
    return QwenImagePipeline(**qwen_parts())
