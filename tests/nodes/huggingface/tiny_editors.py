"""Tiny pipelines that fill in, edit by instruction, or vary a picture."""

from __future__ import annotations

from diffusers import (
    DiffusionPipeline,
    FluxFillPipeline,
    FluxPriorReduxPipeline,
    StableDiffusionImageVariationPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
)
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from tests.nodes.huggingface.tiny_parts import WIDTH, clip_config, clip_tokenizer, ddim, t5_encoder, t5_tokenizer, unet, vae
from tests.nodes.huggingface.tiny_sdxl import sdxl_parts
from tests.nodes.huggingface.tiny_transformers import flux_parts


def flux_fill() -> DiffusionPipeline:
    """Latents, masked latents and the mask, side by side."""
    return FluxFillPipeline(**flux_parts(12))


def inpainting_xl() -> DiffusionPipeline:
    """The 9-channel kind."""
    return StableDiffusionXLInpaintPipeline(**sdxl_parts(9), add_watermarker=False)


def instruct_pix2pix_xl() -> DiffusionPipeline:
    return StableDiffusionXLInstructPix2PixPipeline(**sdxl_parts(8), add_watermarker=False)


def image_variation() -> DiffusionPipeline:
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=32,
        patch_size=16,
    )
    return StableDiffusionImageVariationPipeline(
        vae=vae(),
        image_encoder=CLIPVisionModelWithProjection(vision),
        unet=unet(),
        scheduler=ddim(),
        safety_checker=None,
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        requires_safety_checker=False,
    )


def flux_redux() -> DiffusionPipeline:
    vision = SiglipVisionConfig(
        hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=1, num_attention_heads=4, image_size=32, patch_size=16
    )
    return FluxPriorReduxPipeline(
        image_encoder=SiglipVisionModel(vision),
        feature_extractor=SiglipImageProcessor(size={"height": 32, "width": 32}),
        image_embedder=ReduxImageEncoder(redux_dim=WIDTH, txt_in_features=WIDTH),
        text_encoder=CLIPTextModel(clip_config()),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5_encoder(),
        tokenizer_2=t5_tokenizer(),
    )
