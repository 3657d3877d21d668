"""Tiny pipelines that are Stable Diffusion with another loop, another encoder or another input."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AltDiffusionPipeline,
    DDPMScheduler,
    DiffusionPipeline,
    LDMSuperResolutionPipeline,
    LDMTextToImagePipeline,
    SemanticStableDiffusionPipeline,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionInpaintPipelineLegacy,
    StableDiffusionModelEditingPipeline,
    StableDiffusionPanoramaPipeline,
    StableDiffusionPipelineSafe,
    StableDiffusionSAGPipeline,
    StableUnCLIPPipeline,
    UNet2DModel,
    VersatileDiffusionImageVariationPipeline,
    VersatileDiffusionTextToImagePipeline,
    VQModel,
)
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
    StableUnCLIPImageNormalizer,
)
from transformers import (
    CLIPConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
)

from nodetool_core.models.components.component_class import component_class
from tests.nodes.huggingface.tiny_kandinsky import prior, prior_scheduler
from tests.nodes.huggingface.tiny_language_models import bert, bert_tokenizer
from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_images,
    clip_tokenizer,
    clip_vision,
    ddim,
    unet,
    vae,
    xlm_tokenizer,
)


def _parts(in_channels: int = 4) -> dict[str, Any]:
    return {
        "vae": vae(),
        "text_encoder": CLIPTextModel(clip_config()),
        "tokenizer": clip_tokenizer(),
        "unet": unet(in_channels),
        "scheduler": ddim(),
    }


_UNCHECKED: dict[str, Any] = {
    "safety_checker": None,
    "feature_extractor": None,
    "requires_safety_checker": False,
}


def semantic() -> DiffusionPipeline:
    return SemanticStableDiffusionPipeline(**_parts(), **_UNCHECKED)


def model_editing() -> DiffusionPipeline:
    return StableDiffusionModelEditingPipeline(**_parts(), **_UNCHECKED)


def panorama() -> DiffusionPipeline:
    """Return a pipeline for windows of 64 latents, whose smallest image is 128 pixels here."""
    return StableDiffusionPanoramaPipeline(**_parts(), **_UNCHECKED)


def safe_latent() -> DiffusionPipeline:
    return StableDiffusionPipelineSafe(**_parts(), **_UNCHECKED)


def self_attention_guidance() -> DiffusionPipeline:
    return StableDiffusionSAGPipeline(**_parts(), **_UNCHECKED)


def legacy_inpainting() -> DiffusionPipeline:
    """Return a pipeline with a safety checker, which it requires and which passes everything."""
    checker: Any = component_class("stable_diffusion", "StableDiffusionSafetyChecker")
    config = CLIPConfig(vision_config=clip_vision().config.to_dict(), projection_dim=WIDTH)
    return StableDiffusionInpaintPipelineLegacy(
        **_parts(), safety_checker=checker(config), feature_extractor=clip_images()
    )


def depth_to_image() -> DiffusionPipeline:
    """Return a pipeline whose fifth channel is the depth that it estimates in the image."""
    config = DPTConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=32,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        is_hybrid=False,
    )
    return StableDiffusionDepth2ImgPipeline(
        **_parts(5),
        depth_estimator=DPTForDepthEstimation(config),
        feature_extractor=DPTImageProcessor(size={"height": 32, "width": 32}),
    )


def alt_diffusion() -> DiffusionPipeline:
    """Return a pipeline that reads prompts in many languages."""
    config: Any = component_class("alt_diffusion", "RobertaSeriesModelWithTransformation")
    reader = config(
        config.config_class(
            vocab_size=len(xlm_tokenizer()),
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            num_hidden_layers=1,
            num_attention_heads=4,
            project_dim=WIDTH,
            max_position_embeddings=80,
        )
    )
    parts = _parts() | {"text_encoder": reader, "tokenizer": xlm_tokenizer()}
    return AltDiffusionPipeline(**parts, **_UNCHECKED)


def stable_unclip_text() -> DiffusionPipeline:
    """Return a prior for CLIP image embeddings, with a Stable Diffusion that decodes them."""
    parts = _parts() | {
        "unet": unet(class_embed_type="projection", projection_class_embeddings_input_dim=2 * WIDTH)
    }
    return StableUnCLIPPipeline(
        **parts,
        prior_tokenizer=clip_tokenizer(),
        prior_text_encoder=CLIPTextModelWithProjection(clip_config()),
        prior=prior(),
        prior_scheduler=prior_scheduler(),
        image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=WIDTH),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
    )


def versatile_text() -> DiffusionPipeline:
    """Without its second network, as the pipeline itself leaves that out where it is not needed."""
    return VersatileDiffusionTextToImagePipeline(
        tokenizer=clip_tokenizer(),
        text_encoder=CLIPTextModelWithProjection(clip_config()),
        image_unet=unet(),
        text_unet=None,
        vae=vae(),
        scheduler=ddim(),
    )


def versatile_variation() -> DiffusionPipeline:
    return VersatileDiffusionImageVariationPipeline(
        image_feature_extractor=clip_images(),
        image_encoder=clip_vision(),
        image_unet=unet(),
        vae=vae(),
        scheduler=ddim(),
    )


def latent_diffusion() -> DiffusionPipeline:
    """Return a pipeline that expects an autoencoder of factor 8."""
    return LDMTextToImagePipeline(
        vqvae=vae(levels=4),
        bert=bert(),
        tokenizer=bert_tokenizer(),
        unet=unet(),
        scheduler=ddim(),
    )


def latent_super_resolution() -> DiffusionPipeline:
    """Return a pipeline that enlarges by the factor of its autoencoder, here twice."""
    return LDMSuperResolutionPipeline(
        vqvae=VQModel(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=3,
            num_vq_embeddings=12,
            norm_num_groups=4,
            layers_per_block=1,
        ),
        unet=UNet2DModel(
            sample_size=32,
            in_channels=6,
            out_channels=3,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=4,
        ),
        scheduler=ddim(),
    )


STABLE_VARIANTS = {
    builder.__name__: builder
    for builder in (
        alt_diffusion,
        depth_to_image,
        latent_diffusion,
        latent_super_resolution,
        legacy_inpainting,
        model_editing,
        panorama,
        safe_latent,
        self_attention_guidance,
        semantic,
        stable_unclip_text,
        versatile_text,
        versatile_variation,
    )
}
"""By name."""
