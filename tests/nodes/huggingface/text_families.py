"""The tiny model of each text-to-image family, by its name in docs/models.md; one run of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diffusers
from PIL import Image

from nodes.huggingface.model_kinds import TextToImageModel
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodes.huggingface.diffusion import Images
    from tests.nodes.huggingface.recorder import Recorder

PLAIN = {
    "AltDiffusion": "alt_diffusion",
    "Amused": "amused",
    "AuraFlow": "auraflow",
    "Bria": "bria",
    "BriaFibo": "bria_fibo",
    "Chroma": "chroma",
    "CogView3Plus": "cogview3_plus",
    "CogView4": "cogview4",
    "ErnieImage": "ernie_image",
    "Flux": "flux",
    "Flux2": "flux2",
    "Flux2Klein": "flux2_klein",
    "FluxKontext": "flux_kontext",
    "GlmImage": "glm_image",
    "HiDreamImage": "hidream",
    "HunyuanDiT": "hunyuan_dit",
    "HunyuanDiTPAG": "hunyuan_dit_pag",
    "HunyuanImage": "hunyuan_image",
    "IF": "deepfloyd_if",
    "Ideogram4": "ideogram4",
    "Kandinsky3": "kandinsky3",
    "Kandinsky5T2I": "kandinsky5",
    "KandinskyCombined": "kandinsky",
    "KandinskyV22Combined": "kandinsky22",
    "Krea2": "krea2",
    "LDMTextToImage": "latent_diffusion",
    "LatentConsistencyModel": "lcm",
    "LongCatImage": "longcat",
    "Lumina": "lumina",
    "Lumina2": "lumina2",
    "NucleusMoEImage": "nucleus_moe",
    "OvisImage": "ovis_image",
    "PRX": "prx",
    "PRXPixel": "prx_pixel",
    "PixArtAlpha": "pixart_alpha",
    "PixArtSigma": "pixart_sigma",
    "PixArtSigmaPAG": "pixart_sigma_pag",
    "QwenImage": "qwen_image",
    "QwenImage21": "qwen_image_21",
    "Sana": "sana",
    "SanaPAG": "sana_pag",
    "SanaSprint": "sana_sprint",
    "SemanticStableDiffusion": "semantic",
    "StableCascadeCombined": "stable_cascade",
    "StableDiffusion": "stable_diffusion",
    "StableDiffusion3": "stable_diffusion_3",
    "StableDiffusion3PAG": "stable_diffusion_3_pag",
    "StableDiffusionModelEditing": "model_editing",
    "StableDiffusionPAG": "stable_diffusion_pag",
    "StableDiffusionPanorama": "panorama",
    "StableDiffusionPipelineSafe": "safe_latent",
    "StableDiffusionSAG": "self_attention_guidance",
    "StableDiffusionXL": "stable_diffusion_xl",
    "StableDiffusionXLPAG": "stable_diffusion_xl_pag",
    "StableUnCLIP": "stable_unclip_text",
    "UnCLIP": "unclip",
    "VQDiffusion": "vq_diffusion",
    "VersatileDiffusionTextToImage": "versatile_text",
    "WuerstchenCombined": "wuerstchen",
    "ZImage": "z_image",
    "ZImageOmni": "z_image_omni",
}
"""Families that need a text alone."""

CONTROLLED = {
    "CogView4Control": "cogview4_control",
    "FluxControl": "flux_control",
    "FluxControlNet": "controlnet_flux",
    "HunyuanDiTControlNet": "controlnet_hunyuan",
    "QwenImageControlNet": "controlnet_qwen",
    "SanaControlNet": "controlnet_sana",
    "StableDiffusion3ControlNet": "controlnet_sd3",
    "StableDiffusionControlNet": "controlnet_sd",
    "StableDiffusionControlNetPAG": "controlnet_sd_pag",
    "StableDiffusionXLControlNet": "controlnet_xl",
    "StableDiffusionXLControlNetPAG": "controlnet_xl_pag",
    "StableDiffusionXLControlNetUnion": "controlnet_xl_union",
    "ZImageControlNet": "controlnet_z_image",
}
"""Families that need a control image besides."""

BUILDERS = PLAIN | CONTROLLED

NOT_OURS = {
    "Helios": "makes videos",
    "HeliosPyramid": "makes videos",
    "ZImageControlNetInpaint": "fills in what a mask covers, which no text gives",
}
"""What diffusers 0.42.1 maps to text to image and TextToImage doesn't do, with the reason."""

SIZES = {
    **dict.fromkeys(["StableCascadeCombined", "WuerstchenCombined"], (256, 128)),
    **dict.fromkeys(["UnCLIP", "VQDiffusion"], (0, 0)),
    "HiDreamImage": (128, 128),
    "Kandinsky5T2I": (1024, 1024),
}
"""
Of the images to ask for, where 64 × 32 is too small for the family, or it has no choice.
"""  # noqa: RUF001 - the sign that sizes are written with


def pipeline_class(family: str) -> type:
    """Return the pipeline that docs/models.md has under this name."""
    name = family if "Pipeline" in family else f"{family}Pipeline"
    return getattr(diffusers, name)  # type: ignore[no-any-return]


def size_of(family: str) -> tuple[int, int]:
    """Width and height to ask for."""
    return SIZES.get(family, (64, 32))


def gradient() -> ImageData:
    """Something to follow."""
    return ImageData.of(Image.radial_gradient("L").convert("RGB").resize((64, 64)))


def draw(recorder: Recorder, family: str, models: Callable[[str], str], **changes: Any) -> Images:
    """Return one quick run of the node, with what the family can't do without."""
    width, height = size_of(family)
    values: dict[str, Any] = {
        "model": TextToImageModel(repo_id=models(BUILDERS[family])),
        "prompt": "a lake",
        "num_inference_steps": 2,
        "guidance_scale": 5.0,
        "seed": 1,
        "width": width,
        "height": height,
    }
    if family in CONTROLLED:
        values |= {"control_image": gradient()} | ({"control_mode": 1} if "Union" in family else {})
    return TextToImage(**values | changes).process(recorder.context)


def pixels(made: Images) -> Image.Image:
    """Return the image of a run."""
    assert isinstance(made.output, ImageData)
    return made.output.image
