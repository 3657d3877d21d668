"""Tiny pipelines that fill in, edit by instruction, or vary an image."""

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
from transformers import CLIPTextModel

from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_images,
    clip_tokenizer,
    clip_vision,
    ddim,
    siglip_images,
    siglip_vision,
    t5_encoder,
    t5_tokenizer,
    unet,
    vae,
)
from tests.nodes.huggingface.tiny_sdxl import sdxl_parts
from tests.nodes.huggingface.tiny_transformers import flux_parts


def flux_fill() -> DiffusionPipeline:
    """Latents, masked latents and the mask, side by side."""
    return FluxFillPipeline(**flux_parts(12))


def inpainting_xl() -> DiffusionPipeline:
    """Return the 9-channel kind."""
    return StableDiffusionXLInpaintPipeline(**sdxl_parts(9), add_watermarker=False)


def instruct_pix2pix_xl() -> DiffusionPipeline:
    return StableDiffusionXLInstructPix2PixPipeline(**sdxl_parts(8), add_watermarker=False)


def image_variation() -> DiffusionPipeline:
    return StableDiffusionImageVariationPipeline(
        vae=vae(),
        image_encoder=clip_vision(),
        unet=unet(),
        scheduler=ddim(),
        safety_checker=None,
        feature_extractor=clip_images(),
        requires_safety_checker=False,
    )


def flux_redux() -> DiffusionPipeline:
    return FluxPriorReduxPipeline(
        image_encoder=siglip_vision(),
        feature_extractor=siglip_images(),
        image_embedder=ReduxImageEncoder(redux_dim=WIDTH, txt_in_features=WIDTH),
        text_encoder=CLIPTextModel(clip_config()),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5_encoder(),
        tokenizer_2=t5_tokenizer(),
    )
