"""
Tiny pipelines that follow a control image, fill in what a mask covers, or vary an image.

Saved from a class made for it.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DiffusionPipeline,
    FluxControlNetPipeline,
    QwenImageControlNetInpaintPipeline,
    QwenImageControlNetPipeline,
    StableDiffusion3ControlNetInpaintingPipeline,
    StableDiffusion3ControlNetPipeline,
    StableDiffusionControlNetPAGPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPAGPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLControlNetUnionPipeline,
    StableUnCLIPImg2ImgPipeline,
    UnCLIPImageVariationPipeline,
    UnCLIPScheduler,
    UNet2DModel,
    ZImageControlNetInpaintPipeline,
)
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
    StableUnCLIPImageNormalizer,
)
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from nodetool_core.models.components.component_class import component_class
from tests.nodes.huggingface import tiny_controlnets as nets
from tests.nodes.huggingface.tiny_kandinsky import kandinsky22_inpainting, kandinsky_inpainting
from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_images,
    clip_tokenizer,
    clip_vision,
    ddim,
    unet,
    vae,
)
from tests.nodes.huggingface.tiny_qwen_models import qwen_edit, qwen_edit_plus, qwen_layered
from tests.nodes.huggingface.tiny_sdxl import sdxl_parts
from tests.nodes.huggingface.tiny_text_readers import flux2
from tests.nodes.huggingface.tiny_transformers import (
    flux_parts,
    qwen_parts,
    sd3_parts,
    z_image_parts,
)


def _sd_parts() -> dict[str, Any]:
    return {
        "vae": vae(),
        "text_encoder": CLIPTextModel(clip_config()),
        "tokenizer": clip_tokenizer(),
        "unet": unet(),
        "scheduler": ddim(),
        "feature_extractor": None,
        "safety_checker": None,
        "requires_safety_checker": False,
    }


def controlnet_sd() -> DiffusionPipeline:
    parts = _sd_parts()
    return StableDiffusionControlNetPipeline(
        **parts, controlnet=nets.unet_controlnet(parts["unet"])
    )


def controlnet_sd_pag() -> DiffusionPipeline:
    parts = _sd_parts()
    return StableDiffusionControlNetPAGPipeline(
        **parts, controlnet=nets.unet_controlnet(parts["unet"])
    )


def controlnet_xl() -> DiffusionPipeline:
    parts = sdxl_parts()
    return StableDiffusionXLControlNetPipeline(
        **parts, controlnet=nets.unet_controlnet(parts["unet"]), add_watermarker=False
    )


def controlnet_xl_pag() -> DiffusionPipeline:
    parts = sdxl_parts()
    return StableDiffusionXLControlNetPAGPipeline(
        **parts, controlnet=nets.unet_controlnet(parts["unet"]), add_watermarker=False
    )


def controlnet_xl_union() -> DiffusionPipeline:
    parts = sdxl_parts()
    return StableDiffusionXLControlNetUnionPipeline(
        **parts, controlnet=nets.unet_union(parts["unet"]), add_watermarker=False
    )


def controlnet_flux() -> DiffusionPipeline:
    parts = flux_parts()
    return FluxControlNetPipeline(**parts, controlnet=nets.flux_controlnet(parts["transformer"]))


def controlnet_sd3() -> DiffusionPipeline:
    parts = sd3_parts()
    return StableDiffusion3ControlNetPipeline(
        **parts, controlnet=nets.sd3_controlnet(parts["transformer"])
    )


def controlnet_sd3_inpainting() -> DiffusionPipeline:
    parts = sd3_parts()
    return StableDiffusion3ControlNetInpaintingPipeline(
        **parts, controlnet=nets.sd3_inpainting_controlnet(parts["transformer"])
    )


def controlnet_qwen() -> DiffusionPipeline:
    parts = qwen_parts()
    return QwenImageControlNetPipeline(
        **parts, controlnet=nets.qwen_controlnet(parts["transformer"])
    )


def controlnet_qwen_inpainting() -> DiffusionPipeline:
    parts = qwen_parts()
    return QwenImageControlNetInpaintPipeline(
        **parts, controlnet=nets.qwen_inpainting_controlnet(parts["transformer"])
    )


def controlnet_z_image_inpainting() -> DiffusionPipeline:
    parts = z_image_parts()
    return ZImageControlNetInpaintPipeline(
        **parts, controlnet=nets.z_image_inpainting_controlnet(parts["transformer"])
    )


def stable_unclip() -> DiffusionPipeline:
    """Stable Diffusion that was made to draw from what CLIP sees."""
    return StableUnCLIPImg2ImgPipeline(
        feature_extractor=clip_images(),
        image_encoder=clip_vision(),
        image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=WIDTH),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=clip_tokenizer(),
        text_encoder=CLIPTextModel(clip_config()),
        unet=unet(class_embed_type="projection", projection_class_embeddings_input_dim=2 * WIDTH),
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
        ),
        vae=vae(),
    )


def unclip_variation() -> DiffusionPipeline:
    """Karlo: a decoder that draws from what CLIP sees, and two networks that enlarge."""
    return UnCLIPImageVariationPipeline(
        feature_extractor=clip_images(),
        image_encoder=clip_vision(),
        **karlo_decoder(),
        **karlo_enlargers(),
    )


def karlo_decoder() -> dict[str, Any]:
    """Return what draws small images from what CLIP sees, or would see."""
    decoder = unet(
        3,
        16,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        resnet_time_scale_shift="scale_shift",
        class_embed_type="identity",
        time_embedding_type="positional",
    )
    # By the name that the index of the published model has for it, so that the saved one says the
    # same.
    text_projection: Any = component_class("unclip", "UnCLIPTextProjModel")
    return {
        "decoder": decoder,
        "text_encoder": CLIPTextModelWithProjection(clip_config()),
        "tokenizer": clip_tokenizer(),
        "text_proj": text_projection(
            clip_embeddings_dim=WIDTH, time_embed_dim=32, cross_attention_dim=WIDTH
        ),
        "decoder_scheduler": UnCLIPScheduler(
            variance_type="learned_range", prediction_type="epsilon", num_train_timesteps=1000
        ),
    }


def karlo_enlargers() -> dict[str, Any]:
    """Return two networks that enlarge twice: one for all steps but the last."""
    return {
        "super_res_first": _enlarger(),
        "super_res_last": _enlarger(),
        "super_res_scheduler": UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="epsilon", num_train_timesteps=1000
        ),
    }


def _enlarger() -> UNet2DModel:
    return UNet2DModel(
        sample_size=32,
        in_channels=6,
        out_channels=3,
        block_out_channels=(8, 16),
        down_block_types=("ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D"),
        up_block_types=("ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
    )


IMAGE_MODELS = {
    builder.__name__: builder
    for builder in (
        controlnet_flux,
        controlnet_qwen,
        controlnet_qwen_inpainting,
        controlnet_sd,
        controlnet_sd_pag,
        controlnet_sd3,
        controlnet_sd3_inpainting,
        controlnet_xl,
        controlnet_xl_pag,
        controlnet_xl_union,
        controlnet_z_image_inpainting,
        flux2,
        kandinsky22_inpainting,
        kandinsky_inpainting,
        qwen_edit,
        qwen_edit_plus,
        qwen_layered,
        stable_unclip,
        unclip_variation,
    )
}
"""By name."""
