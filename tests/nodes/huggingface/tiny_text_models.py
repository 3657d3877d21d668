"""Tiny pipelines that make images from texts alone, of families that have no other task."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    AutoencoderDC,
    ChromaPipeline,
    ChromaTransformer2DModel,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    HunyuanDiT2DModel,
    HunyuanDiTPAGPipeline,
    HunyuanDiTPipeline,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    LuminaNextDiT2DModel,
    LuminaPipeline,
    PixArtAlphaPipeline,
    PixArtSigmaPAGPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SanaPAGPipeline,
    SanaPipeline,
    SanaSprintPipeline,
    SanaTransformer2DModel,
    SCMScheduler,
)

from tests.nodes.huggingface.tiny_language_models import (
    bert,
    bert_tokenizer,
    gemma,
    gemma2,
    opening_tokenizer,
)
from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    ddim,
    qwen_tokenizer,
    t5_encoder,
    t5_tokenizer,
    vae,
)


def _pixart_parts(**options: Any) -> dict[str, Any]:
    transformer = PixArtTransformer2DModel(
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        caption_channels=WIDTH,
        in_channels=4,
        cross_attention_dim=24,
        out_channels=8,
        **options,
    )
    return {
        "tokenizer": t5_tokenizer(),
        "text_encoder": t5_encoder(),
        "vae": vae(),
        "transformer": transformer,
        "scheduler": ddim(),
    }


def pixart_alpha() -> DiffusionPipeline:
    """As the one for 128 latents a side, which is told size and shape."""
    return PixArtAlphaPipeline(**_pixart_parts(sample_size=128, use_additional_conditions=True))


def pixart_sigma() -> DiffusionPipeline:
    return PixArtSigmaPipeline(**_pixart_parts(sample_size=32, use_additional_conditions=False))


def pixart_sigma_pag() -> DiffusionPipeline:
    return PixArtSigmaPAGPipeline(**_pixart_parts(sample_size=32, use_additional_conditions=False))


def sana_parts(**options: Any) -> dict[str, Any]:
    levels: dict[str, Any] = {
        "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8),
        "encoder_layers_per_block": (1, 1),
        "decoder_layers_per_block": (1, 1),
        "encoder_qkv_multiscales": ((), ()),
        "decoder_qkv_multiscales": ((), ()),
        "encoder_block_types": ("ResBlock", "ResBlock"),
        "decoder_block_types": ("ResBlock", "ResBlock"),
        "upsample_block_type": "interpolate",
        "downsample_block_type": "stride_conv",
    }
    transformer = SanaTransformer2DModel(
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=4,
        num_cross_attention_heads=2,
        cross_attention_head_dim=4,
        cross_attention_dim=8,
        caption_channels=WIDTH,
        sample_size=32,
        **options,
    )
    return {
        "tokenizer": qwen_tokenizer(),
        "text_encoder": gemma2(),
        "vae": AutoencoderDC(in_channels=3, latent_channels=4, **levels),
        "transformer": transformer,
        "scheduler": DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True
        ),
    }


def sana() -> DiffusionPipeline:
    return SanaPipeline(**sana_parts())


def sana_sprint() -> DiffusionPipeline:
    """Distilled to draw in one to four steps, and told the guidance."""
    parts = sana_parts(guidance_embeds=True, qk_norm="rms_norm_across_heads")
    return SanaSprintPipeline(**parts | {"scheduler": SCMScheduler()})


def sana_pag() -> DiffusionPipeline:
    return SanaPAGPipeline(**sana_parts(), pag_applied_layers="blocks.1")


def hunyuan_parts() -> dict[str, Any]:
    transformer = HunyuanDiT2DModel(
        sample_size=32,
        num_layers=4,  # of which a ControlNet leads the last
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        in_channels=4,
        hidden_size=24,
        cross_attention_dim=WIDTH,
        cross_attention_dim_t5=WIDTH,
        pooled_projection_dim=16,
    )
    # It counts on an autoencoder of factor 8.
    return {
        "vae": vae(levels=4),
        "text_encoder": bert(),
        "tokenizer": bert_tokenizer(),
        "transformer": transformer,
        "scheduler": DDPMScheduler(),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
        "text_encoder_2": t5_encoder(),
        "tokenizer_2": t5_tokenizer(),
    }


def hunyuan_dit() -> DiffusionPipeline:
    return HunyuanDiTPipeline(**hunyuan_parts())


def hunyuan_dit_pag() -> DiffusionPipeline:
    return HunyuanDiTPAGPipeline(**hunyuan_parts(), pag_applied_layers="blocks.1")


def auraflow() -> DiffusionPipeline:
    transformer = AuraFlowTransformer2DModel(
        sample_size=32,
        patch_size=2,
        in_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=WIDTH,
        out_channels=4,
        pos_embed_max_size=256,
    )
    return AuraFlowPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        vae=vae(),
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def lumina() -> DiffusionPipeline:
    transformer = LuminaNextDiT2DModel(
        sample_size=32,
        patch_size=2,
        in_channels=4,
        hidden_size=16,
        num_layers=2,
        num_attention_heads=2,
        num_kv_heads=1,
        multiple_of=16,
        cross_attention_dim=WIDTH,
    )
    return LuminaPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae(levels=4),
        text_encoder=gemma(),
        tokenizer=opening_tokenizer(),
    )


def lumina2() -> DiffusionPipeline:
    transformer = Lumina2Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        hidden_size=24,
        num_layers=1,
        num_refiner_layers=1,
        num_attention_heads=3,
        num_kv_heads=1,
        multiple_of=2,
        ffn_dim_multiplier=1.0,
        norm_eps=1e-5,
        scaling_factor=1.0,
        axes_dim_rope=[4, 2, 2],
        cap_feat_dim=WIDTH,
    )
    return Lumina2Pipeline(
        tokenizer=qwen_tokenizer(),
        text_encoder=gemma2(),
        vae=vae(levels=4, shift_factor=0.1, scaling_factor=0.4),
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def chroma() -> DiffusionPipeline:
    transformer = ChromaTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=[4, 4, 8],
        approximator_hidden_dim=32,
        approximator_layers=1,
        approximator_num_channels=16,
    )
    return ChromaPipeline(
        vae=vae(
            1,
            levels=1,
            shift_factor=0.1,
            scaling_factor=0.4,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=t5_encoder(),
        tokenizer=t5_tokenizer(),
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


TEXT_FAMILIES = {
    builder.__name__: builder
    for builder in (
        auraflow,
        chroma,
        hunyuan_dit,
        hunyuan_dit_pag,
        lumina,
        lumina2,
        pixart_alpha,
        pixart_sigma,
        pixart_sigma_pag,
        sana,
        sana_pag,
        sana_sprint,
    )
}
"""Families that make images from texts alone, by name."""
