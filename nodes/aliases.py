"""
Types of the nearest tool that are read as nodes of ours, and outputs that were renamed.

One general node of ours stands for several of the tool's.

Whoever loads a file that uses one is told, property by property, what was renamed and what has no
counterpart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nodetool_core.packs import Alias

_HOSTED: Final = {"safety_check": None, "timeout_seconds": None}
"""Properties that only mean something to a hosted service."""

IMAGES: Final[Mapping[str, Alias]] = {
    "lib.pillow.__init__.Blend": Alias("lib.pillow.Blend"),
    "lib.pillow.__init__.Composite": Alias("lib.pillow.Composite"),
    "lib.pillow.mask.PadForOutpainting": Alias(
        "lib.pillow.mask.PadForOutpainting", outputs={"image": "output"}
    ),
    "nodetool.image.LoadImageAssets": Alias(
        "nodetool.image.LoadImageFolder", outputs={"name": "path"}
    ),
    "nodetool.image.Resize": Alias(
        "nodetool.image.Resize",
        {"crop": "fit"},
        choices={"crop": {"none": "stretch", "center": "crop"}},
    ),
    "nodetool.image.SaveImage": Alias("nodetool.image.SaveImageFile", {"name": "filename"}),
    "nodetool.image.ImageToImage": Alias(
        "huggingface.image_to_image.ImageToImage",
        {**_HOSTED, "target_width": None, "target_height": None, "scheduler": None},
    ),
    "nodetool.image.TextToImage": Alias("huggingface.text_to_image.TextToImage", _HOSTED),
}

TEXTS: Final[Mapping[str, Alias]] = {
    "nodetool.text.LoadTextAssets": Alias("nodetool.text.LoadTextFolder", outputs={"name": "path"}),
    "nodetool.text.SaveText": Alias("nodetool.text.SaveTextFile"),
    "nodetool.text.ToUppercase": Alias("nodetool.text.ChangeCase", values={"case": "upper"}),
    "nodetool.text.ToLowercase": Alias("nodetool.text.ChangeCase", values={"case": "lower"}),
    "nodetool.text.ToTitlecase": Alias("nodetool.text.ChangeCase", values={"case": "title"}),
    "nodetool.text.CapitalizeText": Alias("nodetool.text.ChangeCase", values={"case": "sentence"}),
    "nodetool.text.Extract": Alias("nodetool.text.Slice", {"end": "stop"}),
    "nodetool.text.RegexMatch": Alias("nodetool.text.FindAllRegex", {"pattern": "regex"}),
}

INPUTS: Final[Mapping[str, Alias]] = {
    "nodetool.input.ImageModelInput": Alias("nodetool.input.HuggingFaceModelInput"),
    "nodetool.input.TextListInput": Alias("nodetool.input.StringListInput"),
}

_MEMORY: Final = dict.fromkeys(
    (
        "enable_attention_slicing",
        "enable_cpu_offload",
        "enable_memory_efficient_attention",
        "enable_model_cpu_offload",
        "enable_tiling",
    )
)
"""Properties that say how to save memory; the weights manager does so by itself where it has to."""
_LEFT_OUT: Final = {
    **_MEMORY,
    "quantization": None,
    "latents": None,
    "output_type": None,
    "lora_scale": None,
    "max_sequence_length": None,
}
_SIZE: Final = {"width": None, "height": None}
_SPLIT: Final = {"image": "output", "latent": "latents"}
"""Outputs of nodes that give an image or latents, as `output_type` says; ours give both."""
_PLAIN: Final = {"prompt": "", "scheduler": "EulerDiscreteScheduler"}
"""What the nodes for Stable Diffusion had where a file says nothing."""


def _model(kind: str, repo_id: str) -> dict[str, str]:
    return {"type": kind, "repo_id": repo_id}


def _repainting(*without: str, **values: object) -> Alias:
    properties = {**_LEFT_OUT, **dict.fromkeys(without), "init_image": "image"}
    return Alias(
        "huggingface.image_to_image.ImageToImage", properties, _SPLIT, {**_PLAIN, **values}
    )


def _filling(*without: str, **values: object) -> Alias:
    properties = {**_LEFT_OUT, **dict.fromkeys(without), "init_image": "image"}
    return Alias(
        "huggingface.image_to_image.Inpainting",
        properties,
        _SPLIT,
        {**_PLAIN, "strength": 0.8, **values},
    )


def _drawing(*without: str, **values: object) -> Alias:
    return Alias(
        "huggingface.text_to_image.TextToImage",
        {**_LEFT_OUT, **dict.fromkeys(without)},
        _SPLIT,
        {**_PLAIN, **values},
    )


def _drawing_with(repo_id: str = "", *without: str, **values: object) -> Alias:
    """Text to image with a node for one model: its id where the node had no property for it."""
    named = {"model": _model("hf.text_to_image", repo_id)} if repo_id else {}
    renamed = {**_LEFT_OUT, **dict.fromkeys(without), "true_cfg_scale": "guidance_scale"}
    return Alias(
        "huggingface.text_to_image.TextToImage",
        renamed,
        {"image": "output", "latent": "latents"},
        {**named, **values},
    )


def _editing_with(repo_id: str, **values: object) -> Alias:
    renamed = {**_LEFT_OUT, "true_cfg_scale": "guidance_scale"}
    return Alias(
        "huggingface.image_to_image.EditByInstruction",
        renamed,
        {},
        {"model": _model("hf.image_to_image", repo_id), **values},
    )


MODELS: Final[Mapping[str, Alias]] = {
    "huggingface.image_to_image.FluxFill": Alias(
        "huggingface.image_to_image.Inpainting",
        {**_LEFT_OUT, **_SIZE},
        {},
        {"prompt": "a white paper cup", "guidance_scale": 30.0, "num_inference_steps": 50}
        | {"model": _model("hf.inpainting", "black-forest-labs/FLUX.1-Fill-dev")},
    ),
    "huggingface.image_to_image.FluxKontext": _editing_with(
        "black-forest-labs/FLUX.1-Kontext-dev", prompt="Add a hat to the cat", guidance_scale=2.5
    ),
    "huggingface.image_to_image.QwenImageEdit": _editing_with(
        "Qwen/Qwen-Image-Edit",
        prompt="Change the object's color to blue",
        guidance_scale=4.0,
        num_inference_steps=50,
    ),
    "huggingface.image_to_image.RealESRGAN": Alias("huggingface.image_to_image.Upscale"),
    "huggingface.image_to_image.StableDiffusionControlNet": _drawing(),
    "huggingface.image_to_image.StableDiffusionControlNetImg2Img": _repainting(strength=0.5),
    "huggingface.image_to_image.StableDiffusionControlNetInpaint": _filling(
        controlnet="lllyasviel/control_v11p_sd15_inpaint",
        controlnet_conditioning_scale=0.5,
        strength=1.0,
    ),
    "huggingface.image_to_image.StableDiffusionImg2Img": _repainting(),
    "huggingface.image_to_image.StableDiffusionInpaint": _filling(),
    "huggingface.image_to_image.StableDiffusionUpscale": Alias(
        "huggingface.image_to_image.DiffusionUpscale",
        {},
        {},
        {"scheduler": "HeunDiscreteScheduler"},
    ),
    "huggingface.image_to_image.StableDiffusionXLControlNet": _drawing(
        guidance_scale=7.0, width=1024, height=1024
    ),
    "huggingface.image_to_image.StableDiffusionXLControlNetImg2Img": _repainting(
        *_SIZE, guidance_scale=7.0
    ),
    "huggingface.image_to_image.StableDiffusionXLImg2Img": _repainting(*_SIZE, guidance_scale=7.0),
    "huggingface.image_to_image.StableDiffusionXLInpainting": _filling(*_SIZE, guidance_scale=7.0),
    "huggingface.image_to_image.VAEDecode": Alias(
        "huggingface.image_to_image.VAEDecode", {"scale_factor": None}
    ),
    "huggingface.image_to_image.VAEEncode": Alias(
        "huggingface.image_to_image.VAEEncode", {"scale_factor": None}
    ),
    "huggingface.text_to_image.Bria": _drawing_with(
        "briaai/BRIA-3.2", guidance_scale=5.0, num_inference_steps=30
    ),
    "huggingface.text_to_image.BriaFibo": _drawing_with(
        "briaai/FIBO", guidance_scale=5.0, num_inference_steps=50
    ),
    "huggingface.text_to_image.Chroma": _drawing_with(
        "lodestones/Chroma1-HD", guidance_scale=3.0, num_inference_steps=40
    ),
    "huggingface.text_to_image.Flux": _drawing_with(
        "black-forest-labs/FLUX.1-dev",
        "variant",
        guidance_scale=3.5,
        num_inference_steps=20,
        width=1024,
        height=1024,
    ),
    "huggingface.text_to_image.Flux2": _drawing_with(
        guidance_scale=4.0, num_inference_steps=50, width=1024, height=1024
    ),
    "huggingface.text_to_image.Flux2Klein": _drawing_with(
        guidance_scale=4.0, num_inference_steps=50, width=1024, height=1024
    ),
    "huggingface.text_to_image.FluxControl": _drawing_with(
        guidance_scale=10.0, num_inference_steps=30, width=1024, height=1024
    ),
    "huggingface.text_to_image.GlmImage": _drawing_with(
        guidance_scale=1.5, num_inference_steps=30, width=1024, height=1024
    ),
    "huggingface.text_to_image.Kandinsky5Image": _drawing_with(
        guidance_scale=3.5, num_inference_steps=50, width=1024, height=1024
    ),
    "huggingface.text_to_image.QwenImage": _drawing_with(
        "Qwen/Qwen-Image", guidance_scale=1.0, num_inference_steps=50
    ),
    "huggingface.text_to_image.QwenImageLayered": _drawing_with(
        "", "layers", "resolution", guidance_scale=4.0, num_inference_steps=50
    ),
    "huggingface.text_to_image.StableDiffusion": _drawing(width=512, height=512),
    "huggingface.text_to_image.StableDiffusionXL": _drawing(
        guidance_scale=7.0, width=1024, height=1024
    ),
    "huggingface.text_to_image.Text2Image": _drawing_with(
        num_inference_steps=50, width=512, height=512
    ),
}
"""A node per model, read as the general node with that model."""

ALIASES: Final[Mapping[str, Alias]] = {**IMAGES, **TEXTS, **INPUTS, **MODELS}
"""Every type that is read as another, by the name in the file."""
