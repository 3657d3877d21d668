"""
Real diffusers pipelines with random weights, small enough to build and run in a test.

One builder per family.

A builder returns a pipeline of the class that a repository of its family names in
`model_index.json`; `save` writes it as a model directory. Weights come from a fixed seed, so that a
model is the same in every process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    ControlNetModel,
    DDPMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    IFPipeline,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionLatentUpscalePipeline,
    StableDiffusionPAGPipeline,
    StableDiffusionPipeline,
    StableDiffusionUpscalePipeline,
    StableDiffusionXLPAGPipeline,
    StableDiffusionXLPipeline,
)
from transformers import CLIPTextModel

from tests.nodes.huggingface.tiny_bria import BRIA
from tests.nodes.huggingface.tiny_editors import (
    flux_fill,
    flux_redux,
    image_variation,
    inpainting_xl,
    instruct_pix2pix_xl,
)
from tests.nodes.huggingface.tiny_hunyuan import HUNYUAN
from tests.nodes.huggingface.tiny_image_models import IMAGE_MODELS
from tests.nodes.huggingface.tiny_kandinsky import kandinsky, kandinsky3, kandinsky22
from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_tokenizer,
    ddim,
    t5_encoder,
    t5_tokenizer,
    unet,
    vae,
)
from tests.nodes.huggingface.tiny_relatives import RELATIVES
from tests.nodes.huggingface.tiny_sdxl import sdxl_parts
from tests.nodes.huggingface.tiny_stable_variants import STABLE_VARIANTS
from tests.nodes.huggingface.tiny_text_cascades import CASCADES
from tests.nodes.huggingface.tiny_text_controlled import TEXT_CONTROLLED
from tests.nodes.huggingface.tiny_text_glm import GLM
from tests.nodes.huggingface.tiny_text_models import TEXT_FAMILIES
from tests.nodes.huggingface.tiny_text_readers import READERS
from tests.nodes.huggingface.tiny_token_models import TOKEN_MODELS
from tests.nodes.huggingface.tiny_transformers import (
    flux,
    flux2_klein,
    flux_control,
    flux_kontext,
    flux_schnell,
    qwen_image,
    stable_diffusion_3,
    stable_diffusion_3_pag,
    z_image,
)
from tests.nodes.huggingface.tiny_vision_editors import VISION_EDITORS
from tests.nodes.huggingface.tiny_wide_readers import WIDE_READERS


def _sd_parts(in_channels: int = 4, **options: Any) -> dict[str, Any]:
    return {
        "vae": vae(),
        "text_encoder": CLIPTextModel(clip_config()),
        "tokenizer": clip_tokenizer(),
        "unet": unet(in_channels, **options),
        "scheduler": ddim(),
        "feature_extractor": None,
        "safety_checker": None,
    }


def stable_diffusion() -> DiffusionPipeline:
    return StableDiffusionPipeline(**_sd_parts(), requires_safety_checker=False)


def told_guidance() -> DiffusionPipeline:
    """
    Distilled so that the guidance is an input of the network, as in LCMs and the model that ships.
    """
    return StableDiffusionPipeline(
        **_sd_parts(time_cond_proj_dim=WIDTH), requires_safety_checker=False
    )


def stable_diffusion_pag() -> DiffusionPipeline:
    return StableDiffusionPAGPipeline(**_sd_parts(), requires_safety_checker=False)


def inpainting() -> DiffusionPipeline:
    """Return the 9-channel kind."""
    return StableDiffusionInpaintPipeline(**_sd_parts(9), requires_safety_checker=False)


def instruct_pix2pix() -> DiffusionPipeline:
    return StableDiffusionInstructPix2PixPipeline(**_sd_parts(8), requires_safety_checker=False)


def controlnet() -> DiffusionPipeline:
    parts = _sd_parts()
    net = ControlNetModel.from_unet(parts["unet"], conditioning_embedding_out_channels=(16, 32))
    return StableDiffusionControlNetPipeline(**parts, controlnet=net, requires_safety_checker=False)


def upscale() -> DiffusionPipeline:
    parts = {**_sd_parts(7, num_class_embeds=1000), "low_res_scheduler": DDPMScheduler()}
    return StableDiffusionUpscalePipeline(**parts, max_noise_level=350)


def latent_upscale() -> DiffusionPipeline:
    parts = _sd_parts(8, out_channels=5, time_cond_proj_dim=128 + WIDTH)
    names = ("vae", "text_encoder", "tokenizer", "unet")
    scheduler = EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1)
    return StableDiffusionLatentUpscalePipeline(
        **{name: parts[name] for name in names}, scheduler=scheduler
    )


def lcm() -> DiffusionPipeline:
    parts = {
        **_sd_parts(time_cond_proj_dim=WIDTH),
        "scheduler": LCMScheduler(beta_schedule="scaled_linear", clip_sample=False),
    }
    return LatentConsistencyModelPipeline(**parts, requires_safety_checker=False)


def stable_diffusion_xl() -> DiffusionPipeline:
    return StableDiffusionXLPipeline(**sdxl_parts(), add_watermarker=False)


def stable_diffusion_xl_pag() -> DiffusionPipeline:
    return StableDiffusionXLPAGPipeline(**sdxl_parts(), add_watermarker=False)


def deepfloyd_if() -> DiffusionPipeline:
    pixels = unet(
        3,
        32,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        encoder_hid_dim=WIDTH,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        resnet_time_scale_shift="scale_shift",
        cross_attention_norm="group_norm",
        act_fn="gelu",
    )
    return IFPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        unet=pixels,
        scheduler=DDPMScheduler(
            beta_schedule="squaredcos_cap_v2",
            variance_type="learned_range",
            thresholding=True,
            prediction_type="epsilon",
        ),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


FAMILIES: dict[str, Callable[[], DiffusionPipeline]] = {
    builder.__name__: builder
    for builder in (
        stable_diffusion,
        stable_diffusion_pag,
        stable_diffusion_xl,
        stable_diffusion_xl_pag,
        stable_diffusion_3,
        stable_diffusion_3_pag,
        lcm,
        flux,
        flux_kontext,
        flux2_klein,
        z_image,
        qwen_image,
        kandinsky,
        kandinsky22,
        kandinsky3,
        deepfloyd_if,
        instruct_pix2pix,
    )
}
"""The families that turn an image into another, by name."""


_OTHERS = (
    controlnet,
    flux_control,
    flux_schnell,
    inpainting,
    latent_upscale,
    told_guidance,
    upscale,
)
_EDITORS = (flux_fill, flux_redux, image_variation, inpainting_xl, instruct_pix2pix_xl)

TEXT_ALONE = TEXT_FAMILIES | CASCADES | GLM | READERS
"""The families that have no other task, by name."""

BUILDERS = FAMILIES | TEXT_ALONE | TEXT_CONTROLLED | IMAGE_MODELS | RELATIVES
BUILDERS |= STABLE_VARIANTS | TOKEN_MODELS | BRIA | HUNYUAN | VISION_EDITORS | WIDE_READERS
BUILDERS |= {builder.__name__: builder for builder in (*_OTHERS, *_EDITORS)}
"""All of them."""


def save(
    builder: Callable[[], DiffusionPipeline],
    directory: Path,
    variant: str | None = None,
    half: bool = False,
) -> Path:
    """
    Build a pipeline with weights of a fixed seed, and write it as a model directory.

    `half` writes float16.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = builder()
    if half:
        pipeline.to(torch.float16)
    pipeline.save_pretrained(directory, safe_serialization=True, variant=variant)
    return directory
