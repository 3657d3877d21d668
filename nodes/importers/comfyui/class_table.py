"""
ComfyUI's classes that have a rule: their inputs, with the bounds and the choices of its own nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from nodes.importers.comfyui.classes import ComfyClass, FileOf, Input
from nodes.importers.comfyui.diffusion import UNION
from nodes.importers.comfyui.packs_loading import PRESET_NAMES
from nodes.importers.comfyui.samplers import SAMPLERS
from nodetool_core.importing.graphs import Json

_SEED: Final = 2**64 - 1
_SIDE: Final = 16384

_SAMPLER_NAMES: Final = sorted(
    {
        *SAMPLERS,
        *("dpm_adaptive", "dpm_fast", "dpmpp_2m_cfg_pp", "dpmpp_2s_ancestral", "dpmpp_3m_sde"),
        *("dpmpp_2s_ancestral_cfg_pp", "dpmpp_3m_sde_gpu", "er_sde", "euler_ancestral_cfg_pp"),
        *("euler_cfg_pp", "gradient_estimation", "heunpp2", "ipndm_v", "res_multistep"),
        *("res_multistep_ancestral", "res_multistep_ancestral_cfg_pp", "res_multistep_cfg_pp"),
        *("sa_solver", "sa_solver_pece", "seeds_2", "seeds_3"),
    }
)
"""
Also those without a counterpart, for which the model's own scheduler is used, and a note says so.
"""

_SCHEDULES: Final = (
    *("normal", "karras", "exponential", "sgm_uniform", "simple", "ddim_uniform", "beta"),
    *("linear_quadratic", "kl_optimal"),
)
_METHODS: Final = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
_CROP: Final = ("disabled", "center")
_CHANNELS: Final = ("alpha", "red", "green", "blue")


def _link(kind: str) -> list[Json]:
    return [kind]


def _int(default: int, low: int, high: int, step: int = 1) -> list[Json]:
    return ["INT", {"default": default, "min": low, "max": high, "step": step}]


def _float(default: float, low: float, high: float, step: float = 0.01) -> list[Json]:
    return ["FLOAT", {"default": default, "min": low, "max": high, "step": step}]


def _text(default: str = "", *, multiline: bool = False) -> list[Json]:
    return ["STRING", {"default": default, "multiline": multiline}]


def _bool(default: bool) -> list[Json]:
    return ["BOOLEAN", {"default": default}]


def _one_of(choices: Sequence[str], default: str = "") -> list[Json]:
    return [list(choices), {"default": default or choices[0]}]


_IMAGE, _MASK, _MODEL, _CLIP, _VAE = map(_link, ("IMAGE", "MASK", "MODEL", "CLIP", "VAE"))
_LATENT, _CONDITIONING = _link("LATENT"), _link("CONDITIONING")
_SIGMAS, _SAMPLER = _link("SIGMAS"), _link("SAMPLER")
_BOTH: Final[Mapping[str, Input]] = {"positive": _CONDITIONING, "negative": _CONDITIONING}
_CHECKPOINT: Final = FileOf("checkpoints")
_PART: Final = FileOf("text_encoders", is_checked=False)
_UPLOADED: Final = FileOf("input", is_uploaded=True)
_SAMPLER_NAME, _SCHEDULE = _one_of(_SAMPLER_NAMES, "euler"), _one_of(_SCHEDULES)
_STEPS, _CFG, _DENOISE = (
    _int(20, 1, 10_000),
    _float(8.0, 0.0, 100.0, 0.1),
    _float(1.0, 0.0, 1.0),
)
_MODEL_TYPE: Final[list[Json]] = ["STRING", {"default": ""}]
_DEVICE: Final = _one_of(("default", "cpu"))
_EMPTY: Final[Mapping[str, Input]] = {
    "width": _int(512, 16, _SIDE, 8),
    "height": _int(512, 16, _SIDE, 8),
    "batch_size": _int(1, 1, 4096),
}
_TILED: Final[Mapping[str, Input]] = {
    "tile_size": _int(512, 64, 4096, 64),
    "overlap": _int(64, 0, 4096, 32),
    "temporal_size": _int(64, 8, 4096, 4),
    "temporal_overlap": _int(8, 4, 4096, 4),
}
_SIZE: Final[Mapping[str, Input]] = {
    "width": _int(512, 0, _SIDE),
    "height": _int(512, 0, _SIDE),
    "crop": _one_of(_CROP),
}
_FREE_U: Final[Mapping[str, Input]] = {
    "model": _MODEL,
    **{
        name: _float(value, 0.0, 10.0)
        for name, value in {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2}.items()
    },
}
_SHIFT: Final = _float(3.0, 0.0, 100.0)

IMAGES: Final[Mapping[str, ComfyClass]] = {
    "Canny": ComfyClass(
        "image/preprocessors",
        {
            "image": _IMAGE,
            "low_threshold": _float(0.4, 0.01, 0.99),
            "high_threshold": _float(0.8, 0.01, 0.99),
        },
        ("IMAGE",),
    ),
    "EmptyImage": ComfyClass(
        "image",
        {
            "width": _int(512, 1, _SIDE),
            "height": _int(512, 1, _SIDE),
            "batch_size": _int(1, 1, 4096),
            "color": _int(0, 0, 0xFFFFFF),
        },
        ("IMAGE",),
    ),
    "GrowMask": ComfyClass(
        "mask",
        {"mask": _MASK, "expand": _int(0, -_SIDE, _SIDE), "tapered_corners": _bool(True)},
        ("MASK",),
    ),
    "ImageBlend": ComfyClass(
        "image/postprocessing",
        {
            "image1": _IMAGE,
            "image2": _IMAGE,
            "blend_factor": _float(0.5, 0.0, 1.0),
            "blend_mode": _one_of(
                ("normal", "multiply", "screen", "overlay", "soft_light", "difference")
            ),
        },
        ("IMAGE",),
    ),
    "ImageBlur": ComfyClass(
        "image/postprocessing",
        {"image": _IMAGE, "blur_radius": _int(1, 1, 31), "sigma": _float(1.0, 0.1, 10.0, 0.1)},
        ("IMAGE",),
    ),
    "ImageCompositeMasked": ComfyClass(
        "image",
        {
            "destination": _IMAGE,
            "source": _IMAGE,
            "x": _int(0, 0, _SIDE),
            "y": _int(0, 0, _SIDE),
            "resize_source": _bool(False),
        },
        ("IMAGE",),
        {"mask": _MASK},
    ),
    "ImageCrop": ComfyClass(
        "image/transform",
        {
            "image": _IMAGE,
            "width": _int(512, 1, _SIDE),
            "height": _int(512, 1, _SIDE),
            "x": _int(0, 0, _SIDE),
            "y": _int(0, 0, _SIDE),
        },
        ("IMAGE",),
    ),
    "ImageInvert": ComfyClass("image", {"image": _IMAGE}, ("IMAGE",)),
    "ImagePadForOutpaint": ComfyClass(
        "image",
        {
            "image": _IMAGE,
            **{side: _int(0, 0, _SIDE, 8) for side in ("left", "top", "right", "bottom")},
            "feathering": _int(40, 0, _SIDE),
        },
        ("IMAGE", "MASK"),
    ),
    "ImageScale": ComfyClass(
        "image/upscaling",
        {"image": _IMAGE, "upscale_method": _one_of(_METHODS), **_SIZE},
        ("IMAGE",),
    ),
    "ImageScaleBy": ComfyClass(
        "image/upscaling",
        {
            "image": _IMAGE,
            "upscale_method": _one_of(_METHODS),
            "scale_by": _float(1.0, 0.01, 8.0),
        },
        ("IMAGE",),
    ),
    "ImageScaleToMaxDimension": ComfyClass(
        "image/upscaling",
        {
            "image": _IMAGE,
            "upscale_method": _one_of(_METHODS),
            "largest_size": _int(512, 0, _SIDE),
        },
        ("IMAGE",),
    ),
    "ImageToMask": ComfyClass(
        "mask",
        {"image": _IMAGE, "channel": _one_of(("red", "green", "blue", "alpha"))},
        ("MASK",),
    ),
    "InvertMask": ComfyClass("mask", {"mask": _MASK}, ("MASK",)),
    "LoadImage": ComfyClass("image", {"image": _UPLOADED}, ("IMAGE", "MASK")),
    "LoadImageMask": ComfyClass(
        "mask", {"image": _UPLOADED, "channel": _one_of(_CHANNELS)}, ("MASK",)
    ),
    "LoadImageOutput": ComfyClass("image", {"image": FileOf("output")}, ("IMAGE", "MASK")),
    "MaskToImage": ComfyClass("mask", {"mask": _MASK}, ("IMAGE",)),
    "PreviewImage": ComfyClass("image", {"images": _IMAGE}, is_output=True),
    "SaveImage": ComfyClass(
        "image", {"images": _IMAGE, "filename_prefix": _text("ComfyUI")}, is_output=True
    ),
    "SolidMask": ComfyClass(
        "mask",
        {
            "value": _float(1.0, 0.0, 1.0),
            "width": _int(512, 1, _SIDE),
            "height": _int(512, 1, _SIDE),
        },
        ("MASK",),
    ),
    "ThresholdMask": ComfyClass("mask", {"mask": _MASK, "value": _float(0.5, 0.0, 1.0)}, ("MASK",)),
}

VALUES: Final[Mapping[str, ComfyClass]] = {
    "PrimitiveBoolean": ComfyClass("utils/primitive", {"value": _bool(False)}, ("BOOLEAN",)),
    "PrimitiveFloat": ComfyClass(
        "utils/primitive", {"value": ["FLOAT", {"default": 0.0}]}, ("FLOAT",)
    ),
    "PrimitiveInt": ComfyClass(
        "utils/primitive", {"value": _int(0, -(2**63) + 1, 2**63 - 1)}, ("INT",)
    ),
    "PrimitiveString": ComfyClass("utils/primitive", {"value": _text()}, ("STRING",)),
    "PrimitiveStringMultiline": ComfyClass(
        "utils/primitive", {"value": _text(multiline=True)}, ("STRING",)
    ),
}

LATENTS: Final[Mapping[str, ComfyClass]] = {
    "EmptyLatentImage": ComfyClass("latent", _EMPTY, ("LATENT",)),
    "EmptySD3LatentImage": ComfyClass("latent/sd3", _EMPTY, ("LATENT",)),
    "LatentUpscale": ComfyClass(
        "latent", {"samples": _LATENT, "upscale_method": _one_of(_METHODS), **_SIZE}, ("LATENT",)
    ),
    "LatentUpscaleBy": ComfyClass(
        "latent",
        {
            "samples": _LATENT,
            "upscale_method": _one_of(_METHODS),
            "scale_by": _float(1.5, 0.01, 8.0),
        },
        ("LATENT",),
    ),
    "RepeatLatentBatch": ComfyClass(
        "latent/batch", {"samples": _LATENT, "amount": _int(1, 1, 64)}, ("LATENT",)
    ),
    "SetLatentNoiseMask": ComfyClass(
        "latent/inpaint", {"samples": _LATENT, "mask": _MASK}, ("LATENT",)
    ),
    "VAEDecode": ComfyClass("latent", {"samples": _LATENT, "vae": _VAE}, ("IMAGE",)),
    "VAEDecodeTiled": ComfyClass(
        "_for_testing", {"samples": _LATENT, "vae": _VAE, **_TILED}, ("IMAGE",)
    ),
    "VAEEncode": ComfyClass("latent", {"pixels": _IMAGE, "vae": _VAE}, ("LATENT",)),
    "VAEEncodeForInpaint": ComfyClass(
        "latent/inpaint",
        {"pixels": _IMAGE, "vae": _VAE, "mask": _MASK, "grow_mask_by": _int(6, 0, 64)},
        ("LATENT",),
    ),
    "VAEEncodeTiled": ComfyClass(
        "_for_testing", {"pixels": _IMAGE, "vae": _VAE, **_TILED}, ("LATENT",)
    ),
}

LOADERS: Final[Mapping[str, ComfyClass]] = {
    "CLIPLoader": ComfyClass(
        "advanced/loaders",
        {"clip_name": _PART, "type": _MODEL_TYPE},
        ("CLIP",),
        {"device": _DEVICE},
    ),
    "CheckpointLoader": ComfyClass(
        "advanced/loaders",
        {"config_name": FileOf("configs", is_checked=False), "ckpt_name": _CHECKPOINT},
        ("MODEL", "CLIP", "VAE"),
    ),
    "CheckpointLoaderSimple": ComfyClass(
        "loaders", {"ckpt_name": _CHECKPOINT}, ("MODEL", "CLIP", "VAE")
    ),
    "ControlNetLoader": ComfyClass(
        "loaders", {"control_net_name": FileOf("controlnet")}, ("CONTROL_NET",)
    ),
    "DiffusersLoader": ComfyClass(
        "advanced/loaders/deprecated", {"model_path": _CHECKPOINT}, ("MODEL", "CLIP", "VAE")
    ),
    "DualCLIPLoader": ComfyClass(
        "advanced/loaders",
        {"clip_name1": _PART, "clip_name2": _PART, "type": _MODEL_TYPE},
        ("CLIP",),
        {"device": _DEVICE},
    ),
    "LoraLoader": ComfyClass(
        "loaders",
        {
            "model": _MODEL,
            "clip": _CLIP,
            "lora_name": FileOf("loras"),
            "strength_model": _float(1.0, -100.0, 100.0),
            "strength_clip": _float(1.0, -100.0, 100.0),
        },
        ("MODEL", "CLIP"),
    ),
    "LoraLoaderModelOnly": ComfyClass(
        "loaders",
        {
            "model": _MODEL,
            "lora_name": FileOf("loras"),
            "strength_model": _float(1.0, -100.0, 100.0),
        },
        ("MODEL",),
    ),
    "TripleCLIPLoader": ComfyClass(
        "advanced/loaders",
        {"clip_name1": _PART, "clip_name2": _PART, "clip_name3": _PART},
        ("CLIP",),
    ),
    "UNETLoader": ComfyClass(
        "advanced/loaders",
        {
            "unet_name": FileOf("diffusion_models"),
            "weight_dtype": _one_of(("default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2")),
        },
        ("MODEL",),
    ),
    "SetUnionControlNetType": ComfyClass(
        "conditioning/controlnet",
        {"control_net": _link("CONTROL_NET"), "type": _one_of(("auto", *UNION))},
        ("CONTROL_NET",),
    ),
    "UpscaleModelLoader": ComfyClass(
        "loaders", {"model_name": FileOf("upscale_models")}, ("UPSCALE_MODEL",)
    ),
    "VAELoader": ComfyClass("loaders", {"vae_name": FileOf("vae", is_checked=False)}, ("VAE",)),
}

PROMPTS: Final[Mapping[str, ComfyClass]] = {
    "CLIPSetLastLayer": ComfyClass(
        "conditioning", {"clip": _CLIP, "stop_at_clip_layer": _int(-1, -24, -1)}, ("CLIP",)
    ),
    "CLIPTextEncode": ComfyClass(
        "conditioning", {"text": _text(multiline=True), "clip": _CLIP}, ("CONDITIONING",)
    ),
    "CLIPTextEncodeFlux": ComfyClass(
        "advanced/conditioning/flux",
        {
            "clip": _CLIP,
            "clip_l": _text(multiline=True),
            "t5xxl": _text(multiline=True),
            "guidance": _float(3.5, 0.0, 100.0, 0.1),
        },
        ("CONDITIONING",),
    ),
    "CLIPTextEncodeSDXL": ComfyClass(
        "advanced/conditioning",
        {
            "clip": _CLIP,
            "width": _int(1024, 0, _SIDE),
            "height": _int(1024, 0, _SIDE),
            "crop_w": _int(0, 0, _SIDE),
            "crop_h": _int(0, 0, _SIDE),
            "target_width": _int(1024, 0, _SIDE),
            "target_height": _int(1024, 0, _SIDE),
            "text_g": _text(multiline=True),
            "text_l": _text(multiline=True),
        },
        ("CONDITIONING",),
    ),
    "ConditioningZeroOut": ComfyClass(
        "advanced/conditioning", {"conditioning": _CONDITIONING}, ("CONDITIONING",)
    ),
    "ControlNetApply": ComfyClass(
        "conditioning/controlnet",
        {
            "conditioning": _CONDITIONING,
            "control_net": _link("CONTROL_NET"),
            "image": _IMAGE,
            "strength": _float(1.0, 0.0, 10.0),
        },
        ("CONDITIONING",),
    ),
    "ConditioningCombine": ComfyClass(
        "conditioning",
        {"conditioning_1": _CONDITIONING, "conditioning_2": _CONDITIONING},
        ("CONDITIONING",),
    ),
    "ConditioningSetAreaPercentage": ComfyClass(
        "conditioning",
        {
            "conditioning": _CONDITIONING,
            **dict.fromkeys(("width", "height"), _float(1.0, 0.0, 1.0)),
            **dict.fromkeys(("x", "y"), _float(0.0, 0.0, 1.0)),
            "strength": _float(1.0, 0.0, 10.0),
        },
        ("CONDITIONING",),
    ),
    "ConditioningSetAreaStrength": ComfyClass(
        "conditioning",
        {"conditioning": _CONDITIONING, "strength": _float(1.0, 0.0, 10.0)},
        ("CONDITIONING",),
    ),
    "ConditioningSetMask": ComfyClass(
        "conditioning",
        {
            "conditioning": _CONDITIONING,
            "mask": _MASK,
            "strength": _float(1.0, 0.0, 10.0),
            "set_cond_area": _one_of(("default", "mask bounds")),
        },
        ("CONDITIONING",),
    ),
    "ConditioningSetTimestepRange": ComfyClass(
        "advanced/conditioning",
        {
            "conditioning": _CONDITIONING,
            "start": _float(0.0, 0.0, 1.0, 0.001),
            "end": _float(1.0, 0.0, 1.0, 0.001),
        },
        ("CONDITIONING",),
    ),
    "ControlNetApplyAdvanced": ComfyClass(
        "conditioning/controlnet",
        {
            **_BOTH,
            "control_net": _link("CONTROL_NET"),
            "image": _IMAGE,
            "strength": _float(1.0, 0.0, 10.0),
            "start_percent": _float(0.0, 0.0, 1.0, 0.001),
            "end_percent": _float(1.0, 0.0, 1.0, 0.001),
        },
        ("CONDITIONING", "CONDITIONING"),
        {"vae": _VAE},
    ),
    "FluxGuidance": ComfyClass(
        "advanced/conditioning/flux",
        {"conditioning": _CONDITIONING, "guidance": _float(3.5, 0.0, 100.0, 0.1)},
        ("CONDITIONING",),
    ),
    "InpaintModelConditioning": ComfyClass(
        "conditioning/inpaint",
        {**_BOTH, "vae": _VAE, "pixels": _IMAGE, "mask": _MASK, "noise_mask": _bool(True)},
        ("CONDITIONING", "CONDITIONING", "LATENT"),
    ),
}

PATCHES: Final[Mapping[str, ComfyClass]] = {
    "IPAdapter": ComfyClass(
        "ipadapter",
        {
            **{"model": _MODEL, "ipadapter": _link("IPADAPTER"), "image": _IMAGE},
            "weight": _float(1.0, -1.0, 3.0, 0.05),
            "start_at": _float(0.0, 0.0, 1.0, 0.001),
            "end_at": _float(1.0, 0.0, 1.0, 0.001),
            "weight_type": _one_of(("standard", "prompt is more important", "style transfer")),
        },
        ("MODEL",),
        {"attn_mask": _MASK},
    ),
    "IPAdapterUnifiedLoader": ComfyClass(
        "ipadapter",
        {"model": _MODEL, "preset": _one_of(tuple(PRESET_NAMES.values()))},
        ("MODEL", "IPADAPTER"),
        {"ipadapter": _link("IPADAPTER")},
    ),
    "DifferentialDiffusion": ComfyClass(
        "_for_testing", {"model": _MODEL}, ("MODEL",), {"strength": _float(1.0, 0.0, 1.0)}
    ),
    "FreeU": ComfyClass("model_patches/unet", _FREE_U, ("MODEL",)),
    "FreeU_V2": ComfyClass("model_patches/unet", _FREE_U, ("MODEL",)),
    "HyperTile": ComfyClass(
        "model_patches/unet",
        {
            "model": _MODEL,
            "tile_size": _int(256, 1, 2048),
            "swap_size": _int(2, 1, 128),
            "max_depth": _int(0, 0, 10),
            "scale_depth": _bool(False),
        },
        ("MODEL",),
    ),
    "ModelSamplingAuraFlow": ComfyClass(
        "advanced/model", {"model": _MODEL, "shift": _float(1.73, 0.0, 100.0)}, ("MODEL",)
    ),
    "ModelSamplingDiscrete": ComfyClass(
        "advanced/model",
        {
            "model": _MODEL,
            "sampling": _one_of(("eps", "v_prediction", "lcm", "x0", "img_to_img")),
            "zsnr": _bool(False),
        },
        ("MODEL",),
    ),
    "ModelSamplingFlux": ComfyClass(
        "advanced/model",
        {
            "model": _MODEL,
            "max_shift": _float(1.15, 0.0, 100.0),
            "base_shift": _float(0.5, 0.0, 100.0),
            "width": _int(1024, 16, _SIDE, 8),
            "height": _int(1024, 16, _SIDE, 8),
        },
        ("MODEL",),
    ),
    "ModelSamplingSD3": ComfyClass(
        "advanced/model", {"model": _MODEL, "shift": _SHIFT}, ("MODEL",)
    ),
    "PatchModelAddDownscale": ComfyClass(
        "model_patches/unet",
        {
            "model": _MODEL,
            "block_number": _int(3, 1, 32),
            "downscale_factor": _float(2.0, 0.1, 9.0, 0.001),
            "start_percent": _float(0.0, 0.0, 1.0, 0.001),
            "end_percent": _float(0.35, 0.0, 1.0, 0.001),
            "downscale_after_skip": _bool(True),
            "downscale_method": ["STRING", {"default": "bicubic"}],
            "upscale_method": ["STRING", {"default": "bicubic"}],
        },
        ("MODEL",),
    ),
    "RescaleCFG": ComfyClass(
        "advanced/model", {"model": _MODEL, "multiplier": _float(0.7, 0.0, 1.0)}, ("MODEL",)
    ),
    "TomePatchModel": ComfyClass(
        "model_patches/unet", {"model": _MODEL, "ratio": _float(0.3, 0.0, 1.0)}, ("MODEL",)
    ),
}

SAMPLING: Final[Mapping[str, ComfyClass]] = {
    "BasicGuider": ComfyClass(
        "sampling/custom_sampling/guiders",
        {"model": _MODEL, "conditioning": _CONDITIONING},
        ("GUIDER",),
    ),
    "BasicScheduler": ComfyClass(
        "sampling/custom_sampling/schedulers",
        {"model": _MODEL, "scheduler": _SCHEDULE, "steps": _STEPS, "denoise": _DENOISE},
        ("SIGMAS",),
    ),
    "CFGGuider": ComfyClass(
        "sampling/custom_sampling/guiders", {"model": _MODEL, **_BOTH, "cfg": _CFG}, ("GUIDER",)
    ),
    "ImageUpscaleWithModel": ComfyClass(
        "image/upscaling", {"upscale_model": _link("UPSCALE_MODEL"), "image": _IMAGE}, ("IMAGE",)
    ),
    "KSampler": ComfyClass(
        "sampling",
        {
            "model": _MODEL,
            "seed": _int(0, 0, _SEED),
            "steps": _STEPS,
            "cfg": _CFG,
            "sampler_name": _SAMPLER_NAME,
            "scheduler": _SCHEDULE,
            **_BOTH,
            "latent_image": _LATENT,
            "denoise": _DENOISE,
        },
        ("LATENT",),
    ),
    "KSamplerAdvanced": ComfyClass(
        "sampling",
        {
            "model": _MODEL,
            "add_noise": _one_of(("enable", "disable")),
            "noise_seed": _int(0, 0, _SEED),
            "steps": _STEPS,
            "cfg": _CFG,
            "sampler_name": _SAMPLER_NAME,
            "scheduler": _SCHEDULE,
            **_BOTH,
            "latent_image": _LATENT,
            "start_at_step": _int(0, 0, 10_000),
            "end_at_step": _int(10_000, 0, 10_000),
            "return_with_leftover_noise": _one_of(("disable", "enable")),
        },
        ("LATENT",),
    ),
    "KSamplerSelect": ComfyClass(
        "sampling/custom_sampling/samplers", {"sampler_name": _SAMPLER_NAME}, ("SAMPLER",)
    ),
    "KarrasScheduler": ComfyClass(
        "sampling/custom_sampling/schedulers",
        {
            "steps": _STEPS,
            "sigma_max": _float(14.614642, 0.0, 5000.0),
            "sigma_min": _float(0.0291675, 0.0, 5000.0),
            "rho": _float(7.0, 0.0, 100.0),
        },
        ("SIGMAS",),
    ),
    "RandomNoise": ComfyClass(
        "sampling/custom_sampling/noise", {"noise_seed": _int(0, 0, _SEED)}, ("NOISE",)
    ),
    "SamplerCustom": ComfyClass(
        "sampling/custom_sampling",
        {
            "model": _MODEL,
            "add_noise": _bool(True),
            "noise_seed": _int(0, 0, _SEED),
            "cfg": _CFG,
            **_BOTH,
            "sampler": _SAMPLER,
            "sigmas": _SIGMAS,
            "latent_image": _LATENT,
        },
        ("LATENT", "LATENT"),
    ),
    "SamplerCustomAdvanced": ComfyClass(
        "sampling/custom_sampling",
        {
            "noise": _link("NOISE"),
            "guider": _link("GUIDER"),
            "sampler": _SAMPLER,
            "sigmas": _SIGMAS,
            "latent_image": _LATENT,
        },
        ("LATENT", "LATENT"),
    ),
}

_MATCHED: Final = ("First Match", "First Group")

RECOGNITION: Final[Mapping[str, ComfyClass]] = {
    "CameraAngle": ComfyClass(
        "image",
        {
            "image": _IMAGE,
            "horizontal_angle": _int(0, 0, 360),
            "vertical_angle": _int(0, -30, 60),
            "zoom": _float(5.0, 0.0, 10.0),
        },
        ("LOAD3D_CAMERA", "STRING"),
    ),
    "JsonExtractString": ComfyClass(
        "utils/string", {"json_string": _text(multiline=True), "key": _text()}, ("STRING",)
    ),
    "LoadBackgroundRemovalModel": ComfyClass(
        "loaders",
        {"bg_removal_name": FileOf("background_removal", is_checked=False)},
        ("BACKGROUND_REMOVAL",),
    ),
    "LoadDA3Model": ComfyClass(
        "loaders",
        {
            "model_name": FileOf("geometry_estimation", is_checked=False),
            "weight_dtype": _one_of(("default", "fp16", "bf16", "fp32")),
        },
        ("DA3_MODEL",),
    ),
    "ModelPatchLoader": ComfyClass(
        "loaders", {"name": FileOf("model_patches", is_checked=False)}, ("MODEL_PATCH",)
    ),
    "QwenImageDiffsynthControlnet": ComfyClass(
        "advanced/loaders/qwen",
        {
            "model": _MODEL,
            "model_patch": _link("MODEL_PATCH"),
            "vae": _VAE,
            "image": _IMAGE,
            "strength": _float(1.0, -10.0, 10.0),
        },
        ("MODEL",),
        {"mask": _MASK},
    ),
    "RegexExtract": ComfyClass(
        "utils/string",
        {
            "string": _text(multiline=True),
            "regex_pattern": _text(multiline=True),
            "mode": _one_of(_MATCHED),
            "case_insensitive": _bool(True),
            "multiline": _bool(False),
            "dotall": _bool(False),
            "group_index": _int(1, 0, 100),
        },
        ("STRING",),
    ),
    "RemoveBackground": ComfyClass(
        "image", {"image": _IMAGE, "bg_removal_model": _link("BACKGROUND_REMOVAL")}, ("MASK",)
    ),
    "StringLength": ComfyClass("utils/string", {"string": _text(multiline=True)}, ("INT",)),
}

CLASSES: Final[Mapping[str, ComfyClass]] = {
    **IMAGES,
    **VALUES,
    **LATENTS,
    **LOADERS,
    **PROMPTS,
    **PATCHES,
    **SAMPLING,
    **RECOGNITION,
}
