"""
The rules for loaders of widespread packs, which load what ComfyUI's own do.

MultiGPU, GGUF, KJNodes, WAS and IPAdapter_plus.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from nodes.importers.comfyui.diffusion import load_model, load_network, load_part
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import Network, Weights
from nodes.importers.prompt_syntax import is_xl
from nodetool_core.importing.draft import Unsupported

_SETTINGS: Final = (
    *("device", "virtual_vram_gb", "donor_device", "expert_mode_allocations", "use_other_vram"),
    *("compute_dtype", "patch_cublaslinear", "sage_attention", "enable_fp16_accumulation"),
    *("dequant_dtype", "patch_dtype", "patch_on_device"),
)
"""On which device and how fast a model runs, which our settings say."""

_ADAPTERS: Final = "h94/IP-Adapter"
PRESETS: Final[Mapping[str, tuple[str, str]]] = {
    "LIGHT": ("ip-adapter_sd15_light_v11.bin", ""),
    "STANDARD": ("ip-adapter_sd15.safetensors", "ip-adapter_sdxl_vit-h.safetensors"),
    "VIT-G": ("ip-adapter_sd15_vit-G.safetensors", "ip-adapter_sdxl.safetensors"),
    "PLUS FACE": (
        "ip-adapter-plus-face_sd15.safetensors",
        "ip-adapter-plus-face_sdxl_vit-h.safetensors",
    ),
    "PLUS": ("ip-adapter-plus_sd15.safetensors", "ip-adapter-plus_sdxl_vit-h.safetensors"),
    "FULL FACE": ("ip-adapter-full-face_sd15.safetensors", ""),
}
"""Presets by how they begin, the longer first: files for Stable Diffusion 1 and for XL."""

PRESET_NAMES: Final[Mapping[str, str]] = {
    "LIGHT": "LIGHT - SD1.5 only (low strength)",
    "STANDARD": "STANDARD (medium strength)",
    "VIT-G": "VIT-G (medium strength)",
    "PLUS FACE": "PLUS FACE (portraits)",
    "PLUS": "PLUS (high strength)",
    "FULL FACE": "FULL FACE - SD1.5 only (portraits stronger)",
}
"""Presets as they are called."""


def on_device(rule: Callable[[Reading], tuple[object, ...]]) -> Callable[..., tuple[object, ...]]:
    """Return the rule of a loader that says as well where and how fast a model runs."""

    def load(reading: Reading) -> tuple[object, ...]:
        reading.skip(*_SETTINGS)
        return rule(reading)

    return load


def adapter_by_preset(reading: Reading) -> tuple[object, ...]:
    """Load the IP adapter that a preset stands for, of the family of the model."""
    weights = reading.take_as("model", Weights)
    reading.skip("ipadapter", "lora_strength", "provider")
    preset = str(known(reading.take("preset", "PLUS")))
    found = next((files for begin, files in PRESETS.items() if preset.startswith(begin)), None)
    model = str(reading.draft.nodes[weights.model.node].data.get("value"))
    for_xl = is_xl(model, None)
    file = found[for_xl] if found else ""
    if not file:
        raise Unsupported(f"its preset {preset!r} has no counterpart for this family")
    if not reading.knows_hub:
        raise Unsupported("it names no file")
    folder = "sdxl_models" if for_xl else "models"
    ref = {"type": "hf.ip_adapter", "repo_id": _ADAPTERS, "path": f"{folder}/{file}"}
    family = "XL" if for_xl else "1"
    reading.note(
        f"{preset!r} is {file}, as the model is taken for one of Stable Diffusion {family}.",
        f"Fetch it before: nodetool models pull {_ADAPTERS} --path {folder}/{file}.",
    )
    return weights, Network(ref)


def upscaler(reading: Reading) -> tuple[object, ...]:
    name = re.sub(r"\.\w+$", "", reading.file_name("model_name"))
    return *load_network("model_name", "hf.real_esrgan")(reading), name


_unet: Final = on_device(load_model("unet_name", is_flow=True))
_checkpoint: Final = on_device(load_model("ckpt_name"))
_vae: Final = on_device(load_part("vae_name"))
_text: Final = on_device(load_part("clip_name"))
_texts: Final = on_device(load_part("clip_name1", "clip_name2"))
_three: Final = on_device(load_part("clip_name1", "clip_name2", "clip_name3"))

RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "CLIPLoaderGGUF": _text,
    "CLIPLoaderGGUFMultiGPU": _text,
    "CLIPLoaderMultiGPU": _text,
    "CheckpointLoaderSimpleMultiGPU": _checkpoint,
    "ControlNetLoaderMultiGPU": on_device(load_network("control_net_name", "hf.controlnet")),
    "DiffusionModelLoaderKJ": on_device(load_model("model_name", is_flow=True)),
    "DualCLIPLoaderGGUF": _texts,
    "DualCLIPLoaderGGUFMultiGPU": _texts,
    "DualCLIPLoaderMultiGPU": _texts,
    "IPAdapterUnifiedLoader": adapter_by_preset,
    "TripleCLIPLoaderGGUF": _three,
    "TripleCLIPLoaderMultiGPU": _three,
    "UNETLoaderMultiGPU": _unet,
    "UnetLoaderGGUF": _unet,
    "UnetLoaderGGUFAdvanced": _unet,
    "UnetLoaderGGUFMultiGPU": _unet,
    "Upscale Model Loader": upscaler,
    "VAELoaderKJ": _vae,
    "VAELoaderMultiGPU": _vae,
}
"""The classes that these rules are for."""
