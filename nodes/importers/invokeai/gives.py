"""What the nodes of InvokeAI give, by the names that edges start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_IMAGE: Final = ("image", "width", "height")
_LATENTS: Final = ("latents", "width", "height")
_VALUE: Final = ("value",)
_COLLECTION: Final = ("collection",)
_CONDITIONING: Final = ("conditioning",)

_FAMILIES: Final = (
    *("anima", "cogview4", "ernie_image", "flux", "flux2", "ideogram4", "krea2", "qwen_image"),
    *("sd3", "wan", "z_image"),
)
"""Families of models whose nodes are named alike."""

GIVES: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"{family}_denoise": _LATENTS for family in _FAMILIES},
    **{f"{family}_l2i": _IMAGE for family in _FAMILIES},
    **{f"{family}_vae_decode": _IMAGE for family in _FAMILIES},
    **{f"{family}_i2l": _LATENTS for family in _FAMILIES},
    **{f"{family}_vae_encode": _LATENTS for family in _FAMILIES},
    **{f"{family}_text_encoder": _CONDITIONING for family in _FAMILIES},
    "add": _VALUE,
    "boolean": _VALUE,
    "canny_edge_detection": _IMAGE,
    "canny_image_processor": _IMAGE,
    "cogview4_model_loader": ("transformer", "glm_encoder", "vae"),
    "collect": _COLLECTION,
    "compel": _CONDITIONING,
    "controlnet": ("control",),
    "create_denoise_mask": ("denoise_mask",),
    "create_gradient_mask": ("denoise_mask", "expanded_mask_area"),
    "denoise_latents": _LATENTS,
    "depth_anything_depth_estimation": _IMAGE,
    "div": _VALUE,
    "dw_openpose_detection": _IMAGE,
    "esrgan": _IMAGE,
    "float": _VALUE,
    "float_math": _VALUE,
    "float_to_int": _VALUE,
    "flux2_klein_model_loader": ("transformer", "qwen3_encoder", "vae"),
    "flux2_klein_text_encoder": _CONDITIONING,
    "flux_controlnet": ("control",),
    "flux_lora_loader": ("transformer", "clip", "t5_encoder"),
    "flux_model_loader": ("transformer", "clip", "t5_encoder", "vae", "max_seq_len"),
    "i2l": _LATENTS,
    "image": _IMAGE,
    "img_blur": _IMAGE,
    "img_crop": _IMAGE,
    "img_paste": _IMAGE,
    "img_resize": _IMAGE,
    "img_scale": _IMAGE,
    "integer": _VALUE,
    "integer_math": _VALUE,
    "ip_adapter": ("ip_adapter",),
    "iterate": ("item", "index", "total"),
    "l2i": _IMAGE,
    "lora_collection_loader": ("unet", "clip"),
    "lora_loader": ("unet", "clip"),
    "lora_selector": ("lora",),
    "lresize": _LATENTS,
    "lscale": _LATENTS,
    "main_model_loader": ("unet", "clip", "vae"),
    "mask_combine": _IMAGE,
    "midas_depth_image_processor": _IMAGE,
    "model_identifier": ("model",),
    "mul": _VALUE,
    "noise": ("noise", "width", "height"),
    "prompt_from_file": _COLLECTION,
    "qwen_image_model_loader": ("transformer", "qwen_vl_encoder", "vae"),
    "rand_int": _VALUE,
    "save_image": _IMAGE,
    "sd3_model_loader": ("transformer", "clip_l", "clip_g", "t5_encoder", "vae"),
    "sdxl_compel_prompt": _CONDITIONING,
    "sdxl_lora_collection_loader": ("unet", "clip", "clip2"),
    "sdxl_lora_loader": ("unet", "clip", "clip2"),
    "sdxl_model_loader": ("unet", "clip", "clip2", "vae"),
    "sdxl_refiner_compel_prompt": _CONDITIONING,
    "sdxl_refiner_model_loader": ("unet", "clip2", "vae"),
    "show_image": _IMAGE,
    "spandrel_image_to_image": _IMAGE,
    "spandrel_image_to_image_autoscale": _IMAGE,
    "string": _VALUE,
    "string_join": _VALUE,
    "string_replace": _VALUE,
    "sub": _VALUE,
    "tiled_multi_diffusion_denoise_latents": _LATENTS,
    "unsharp_mask": _IMAGE,
    "vae_loader": ("vae",),
    "wan_model_loader": ("transformer", "wan_t5_encoder", "vae"),
    "z_image_model_loader": ("transformer", "qwen3_encoder", "vae"),
}
"""Types of nodes, and the names of what each of them gives, in the order of its rule's values."""
