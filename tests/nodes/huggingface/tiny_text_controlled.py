"""
Tiny pipelines that make an image from a text and follow a control image.

Saved from a class made for it.
"""

from __future__ import annotations

from diffusers import (
    DiffusionPipeline,
    HunyuanDiTControlNetPipeline,
    SanaControlNetPipeline,
    ZImageControlNetPipeline,
)

from tests.nodes.huggingface import tiny_controlnets as nets
from tests.nodes.huggingface.tiny_image_models import (
    controlnet_flux,
    controlnet_qwen,
    controlnet_sd,
    controlnet_sd3,
    controlnet_sd_pag,
    controlnet_xl,
    controlnet_xl_pag,
    controlnet_xl_union,
)
from tests.nodes.huggingface.tiny_text_glm import cogview4_control
from tests.nodes.huggingface.tiny_text_models import hunyuan_parts, sana_parts
from tests.nodes.huggingface.tiny_transformers import flux_control, z_image_parts


def controlnet_z_image() -> DiffusionPipeline:
    parts = z_image_parts()
    return ZImageControlNetPipeline(
        **parts, controlnet=nets.z_image_controlnet(parts["transformer"])
    )


def controlnet_sana() -> DiffusionPipeline:
    parts = sana_parts()
    return SanaControlNetPipeline(**parts, controlnet=nets.sana_controlnet(parts["transformer"]))


def controlnet_hunyuan() -> DiffusionPipeline:
    parts = hunyuan_parts()
    return HunyuanDiTControlNetPipeline(
        **parts, controlnet=nets.hunyuan_controlnet(parts["transformer"])
    )


TEXT_CONTROLLED = {
    builder.__name__: builder
    for builder in (
        cogview4_control,
        controlnet_flux,
        controlnet_hunyuan,
        controlnet_qwen,
        controlnet_sana,
        controlnet_sd,
        controlnet_sd3,
        controlnet_sd_pag,
        controlnet_xl,
        controlnet_xl_pag,
        controlnet_xl_union,
        controlnet_z_image,
        flux_control,
    )
}
"""Families that follow a control image, by name."""
