"""
Which tiny pipeline stands for which family of models, by task, and the few without one.
"""

from __future__ import annotations

from collections.abc import Mapping

IMAGE_TO_IMAGE = {
    "AltDiffusionImg2ImgPipeline": "alt_diffusion",
    "AmusedImg2ImgPipeline": "amused",
    "ChromaImg2ImgPipeline": "chroma_image",
    "Flux2KleinKVPipeline": "flux2_klein_kv",
    "Flux2KleinPipeline": "flux2_klein",
    "Flux2Pipeline": "flux2",
    "FluxControlImg2ImgPipeline": "flux_control",
    "FluxControlNetImg2ImgPipeline": "controlnet_flux",
    "FluxImg2ImgPipeline": "flux",
    "FluxKontextPipeline": "flux_kontext",
    "HunyuanImageRefinerPipeline": "hunyuan_image_refiner",
    "IFImg2ImgPipeline": "deepfloyd_if",
    "Kandinsky3Img2ImgPipeline": "kandinsky3",
    "KandinskyImg2ImgCombinedPipeline": "kandinsky",
    "KandinskyV22Img2ImgCombinedPipeline": "kandinsky22",
    "LatentConsistencyModelImg2ImgPipeline": "lcm",
    "QwenImageEditPipeline": "qwen_edit",
    "QwenImageEditPlusPipeline": "qwen_edit_plus",
    "QwenImageImg2ImgPipeline": "qwen_image",
    "QwenImageLayeredPipeline": "qwen_layered",
    "SanaSprintImg2ImgPipeline": "sana_sprint",
    "StableDiffusion3Img2ImgPipeline": "stable_diffusion_3",
    "StableDiffusion3PAGImg2ImgPipeline": "stable_diffusion_3_pag",
    "StableDiffusionControlNetImg2ImgPipeline": "controlnet_sd",
    "StableDiffusionDepth2ImgPipeline": "depth_to_image",
    "StableDiffusionImg2ImgPipeline": "stable_diffusion",
    "StableDiffusionInstructPix2PixPipeline": "instruct_pix2pix",
    "StableDiffusionPAGImg2ImgPipeline": "stable_diffusion_pag",
    "StableDiffusionXLControlNetImg2ImgPipeline": "controlnet_xl",
    "StableDiffusionXLControlNetPAGImg2ImgPipeline": "controlnet_xl_pag",
    "StableDiffusionXLControlNetUnionImg2ImgPipeline": "controlnet_xl_union",
    "StableDiffusionXLImg2ImgPipeline": "stable_diffusion_xl",
    "StableDiffusionXLInstructPix2PixPipeline": "instruct_pix2pix_xl",
    "StableDiffusionXLPAGImg2ImgPipeline": "stable_diffusion_xl_pag",
    "ZImageImg2ImgPipeline": "z_image",
}

INPAINTING = {
    "AmusedInpaintPipeline": "amused",
    "ChromaInpaintPipeline": "chroma_inpainting",
    "Flux2KleinInpaintPipeline": "flux2_klein_inpainting",
    "FluxControlInpaintPipeline": "flux_control",
    "FluxControlNetInpaintPipeline": "controlnet_flux",
    "FluxFillPipeline": "flux_fill",
    "FluxInpaintPipeline": "flux",
    "FluxKontextInpaintPipeline": "flux_kontext_inpainting",
    "IFInpaintingPipeline": "deepfloyd_if",
    "KandinskyInpaintCombinedPipeline": "kandinsky_inpainting",
    "KandinskyV22InpaintCombinedPipeline": "kandinsky22_inpainting",
    "QwenImageControlNetInpaintPipeline": "controlnet_qwen_inpainting",
    "QwenImageEditInpaintPipeline": "qwen_edit",
    "QwenImageInpaintPipeline": "qwen_image",
    "StableDiffusion3ControlNetInpaintingPipeline": "controlnet_sd3_inpainting",
    "StableDiffusion3InpaintPipeline": "stable_diffusion_3",
    "StableDiffusionControlNetInpaintPipeline": "controlnet_sd",
    "StableDiffusionControlNetPAGInpaintPipeline": "controlnet_sd_pag",
    "StableDiffusionInpaintPipeline": "stable_diffusion",
    "StableDiffusionInpaintPipelineLegacy": "legacy_inpainting",
    "StableDiffusionPAGInpaintPipeline": "stable_diffusion_pag",
    "StableDiffusionXLControlNetInpaintPipeline": "controlnet_xl",
    "StableDiffusionXLControlNetUnionInpaintPipeline": "controlnet_xl_union",
    "StableDiffusionXLInpaintPipeline": "stable_diffusion_xl",
    "StableDiffusionXLPAGInpaintPipeline": "stable_diffusion_xl_pag",
    "ZImageControlNetInpaintPipeline": "controlnet_z_image_inpainting",
    "ZImageInpaintPipeline": "z_image",
}

EDITING = {
    "BriaFibo2Pipeline": "bria_fibo2",
    "BriaFiboEditPipeline": "bria_fibo_edit",
    "DreamLiteMobilePipeline": "dreamlite_mobile",
    "DreamLitePipeline": "dreamlite",
    "Flux2KleinKVPipeline": "flux2_klein_kv",
    "Flux2KleinPipeline": "flux2_klein",
    "Flux2Pipeline": "flux2",
    "FluxKontextPipeline": "flux_kontext",
    "JoyImageEditPipeline": "joyimage_edit",
    "Kandinsky5I2IPipeline": "kandinsky5_edit",
    "LongCatImageEditPipeline": "longcat_edit",
    "QwenImage21Pipeline": "qwen_image_21",
    "QwenImageEditPipeline": "qwen_edit",
    "QwenImageEditPlusPipeline": "qwen_edit_plus",
    "QwenImageLayeredPipeline": "qwen_layered",
    "StableDiffusionInstructPix2PixPipeline": "instruct_pix2pix",
    "StableDiffusionXLInstructPix2PixPipeline": "instruct_pix2pix_xl",
}

VARIATION = {
    "FluxPipeline": "flux",
    "StableDiffusionImageVariationPipeline": "image_variation",
    "StableUnCLIPImg2ImgPipeline": "stable_unclip",
    "UnCLIPImageVariationPipeline": "unclip_variation",
    "VersatileDiffusionImageVariationPipeline": "versatile_variation",
}

RUNS: Mapping[str, Mapping[str, str]] = {
    "image-to-image": IMAGE_TO_IMAGE,
    "inpainting": INPAINTING,
    "editing": EDITING,
    "variation": VARIATION,
}
"""Task to the pipeline that does it, to the builder of the tiny model that is run for it."""

NOT_RUN: Mapping[tuple[str, str], str] = {}
"""
Task and pipeline to why it can't be run here.

What is in here is in the tables of docs/models.md, and was not seen to be so.
"""

SLOW = {
    *("bria_fibo2", "bria_fibo_edit", "chroma", "chroma_inpainting", "dreamlite"),
    *("dreamlite_mobile", "hunyuan_image_refiner", "joyimage_edit", "kandinsky5_edit"),
    *("longcat_edit", "qwen_image_21"),
    *("flux", "flux2", "flux2_klein", "flux2_klein_inpainting", "flux2_klein_kv"),
    *("flux_control", "flux_fill", "flux_kontext", "flux_kontext_inpainting", "controlnet_flux"),
    *("qwen_image", "qwen_edit", "qwen_edit_plus", "qwen_layered", "controlnet_qwen_inpainting"),
    *("z_image", "controlnet_z_image_inpainting", "kandinsky3"),
}
"""
Models that look at thousands of tokens however small they are, because their families are made for
large images.
"""

SIZES = {
    "amused": (32, 28),
    "chroma_image": (112, 80),
    "chroma_inpainting": (112, 80),
    "deepfloyd_if": (32, 32),
    "bria_fibo_edit": (512, 512),
    "joyimage_edit": (1024, 1024),
    "kandinsky": (64, 64),
    "kandinsky5_edit": (1024, 1024),
    "longcat_edit": (768, 768),
    "qwen_edit": (768, 704),
    "qwen_edit_plus": (768, 704),
    "qwen_image_21": (768, 704),
    "qwen_layered": (640, 640),
    "sana_sprint": (64, 32),
}
"""
Of the image that a model is given, where it is not the one below.

One that the model takes without resizing it.
"""


def size_for(builder: str) -> tuple[int, int]:
    """Width and height of an image that is small and not resized."""
    return SIZES.get(builder, (96, 88) if builder in SLOW else (64, 48))
