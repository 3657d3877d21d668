"""
What a LoRA is, by the names and shapes of its tensors: whose layout, which method, which family.

Trainers name the layers of a model in four ways: kohya's scripts with underscores
(`lora_unet_down_blocks_0_…`), diffusers and PEFT by the path of the module in diffusers, others by
its path in the code of the model's authors (`diffusion_model.double_blocks.0.…`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGN: Final = re.compile(
    r"lora_(unet|te\d?|transformer|prior)_"
    r"|.*\.(lora_(A|B|up|down|mid)|lora\.(up|down)|lora_linear_layer|hada_w[12]_[ab]|lokr_w[12]"
    r"|oft_blocks|oft_diag|b?oft_R|boft_s|ia3_l|on_input|w_norm|dora_scale|diff|diff_b)(\.|_|$)"
    r"|.*(_lora\d?\.|\.lora_magnitude_vector|\.processor\.(proj|qkv)_lora)"
)
"""Matches names that only a LoRA, or one of its relatives, has."""

_METHODS: Final = (
    ("LoHa", re.compile(r"hada_w")),
    ("LoKr", re.compile(r"lokr_w")),
    ("GLoRA", re.compile(r"\.[ab][12]\.weight$")),
    ("OFT", re.compile(r"oft_(blocks|diag|R)")),
    ("IA³", re.compile(r"ia3_l|\.on_input$")),
    ("LoCon with a middle", re.compile(r"lora_mid")),
    ("DoRA", re.compile(r"dora_scale|lora_magnitude_vector")),
    ("LoRA", re.compile(r"lora")),
    ("difference of weights", re.compile(r"\.diff(_b)?$")),
)

_LAYOUTS: Final = (
    ("PEFT", re.compile(r"base_model\.model\.")),
    ("kohya", re.compile(r"lora_(unet|te\d?|transformer|prior)_")),
    ("XLabs", re.compile(r".*\.processor\.(proj|qkv)_lora")),
    ("original", re.compile(r"(model\.)?diffusion_model\.|(double|single|joint)_blocks\.")),
    ("diffusers", re.compile(r"(unet|transformer|text_encoder\w*|prior)\.")),
)

_FAMILIES: Final = (
    ("chroma", r"distilled_guidance_layer"),
    ("flux2", r"to_qkv_mlp_proj|(double|single)_stream_modulation"),
    ("flux", r"double_blocks|single_blocks|single_transformer_blocks"),
    ("sd3", r"joint_blocks"),
    ("qwen-image", r"transformer_blocks.\d+.(img|txt)_(mod|mlp)"),
    ("hidream", r"(double|single)_stream_blocks"),
    ("auraflow", r"joint_transformer_blocks|double_layers"),
    ("z-image", r"layers.\d+.(attention.to_q|adaLN_modulation)|noise_refiner|context_refiner"),
    ("lumina2", r"layers.\d+.attention.(qkv|wo)"),
    ("sana", r"conv_inverted|cross_attn.q_linear"),
    ("wan", r"blocks.\d+.(self_attn.[qkvo]|cross_attn.[qkvo]|ffn.\d)\b"),
    ("sdxl", r"lora_te2_|text_encoder_2.|add_embedding|label_emb"),
    ("sdxl", r"(input_blocks_[78]|output_blocks_[012])_1_transformer_blocks_[1-9]"),
    ("sdxl", r"(down_blocks.2|mid_block|up_blocks.0).attentions.\d.transformer_blocks.[1-9]"),
)
"""Key of a family, and what only names of its layers have; `.` stands for `_` as well."""

_FAMILY_PATTERNS: Final = tuple((key, re.compile(pattern)) for key, pattern in _FAMILIES)

_JOINT_BLOCK = re.compile(r"transformer_blocks[._](\d+)[._]attn[._](add_[qkv]_proj|to_[qkv])")
"""A layer that Stable Diffusion 3, FLUX.1 and Qwen-Image all have."""

_QWEN_DEPTH = 38
"""Blocks that only Qwen-Image has so many of; it has 60."""

_FLUX2_WIDTHS = frozenset({4096, 6144})
_JOINT_WIDTHS: Final = (
    ("flux", frozenset({3072})),
    ("flux2", _FLUX2_WIDTHS),
    ("sd3", frozenset({1536, 2432})),
)
"""How wide the layers are of families that share the names of their joint blocks."""

_Z_IMAGE_WIDTH = 3840
"""Width of the layers of Z-Image."""

_TEXT_INPUT = re.compile(
    r".*attn2[._](processor\.)?to_(k|v)(_lora)?[._](lora[._])?"
    r"(lora_down|lora_A|down|hada_w1_b|lora_linear_layer\.down)\.?.*"
)
_WIDTHS: Final = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}
"""Width of the texts that a UNet reads to its family."""

_DOWN = re.compile(r"(lora_down|lora_A|lora\.down|hada_w1_b|_lora\d?\.down)")

_STATED: Final = (
    ("sdxl", re.compile(r"sdxl|stable-diffusion-xl", re.IGNORECASE)),
    ("sd2", re.compile(r"sd_?v?2|stable-diffusion-v?2", re.IGNORECASE)),
    ("sd3", re.compile(r"sd3|stable-diffusion-v?3", re.IGNORECASE)),
    ("sd1", re.compile(r"sd_?v?1|stable-diffusion-v?1", re.IGNORECASE)),
    ("flux2", re.compile(r"flux\.?-?2", re.IGNORECASE)),
    ("flux", re.compile(r"flux", re.IGNORECASE)),
    ("chroma", re.compile(r"chroma", re.IGNORECASE)),
    ("qwen-image", re.compile(r"qwen[-_]?image", re.IGNORECASE)),
    ("z-image", re.compile(r"z[-_]?image", re.IGNORECASE)),
)
"""Families as headers spell them, under the keys below."""

_BASE_KEYS: Final = ("modelspec.architecture", "ss_base_model_version", "ss_sd_model_name")


@dataclass(frozen=True, slots=True)
class LoraTraits:
    """What the head of a LoRA says of it."""

    family: str | None
    """Key of the family of models that it changes; None where nothing shows it."""
    layout: str | None
    """Whose names its layers have: `kohya`, `PEFT`, `diffusers`, `XLabs`, `original`."""
    method: str
    trainer: str | None
    """The program that made it, where its header says so."""
    changes_text_encoder: bool


def lora_traits(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> LoraTraits:
    """Return what the names, shapes and texts in the head of a LoRA say."""
    return LoraTraits(
        family_of_lora(shapes) or stated_family(metadata),
        next((name for name, sign in _LAYOUTS if any(sign.match(key) for key in shapes)), None),
        next((name for name, sign in _METHODS if any(sign.search(key) for key in shapes)), "LoRA"),
        _trainer(metadata),
        any(re.match(r"lora_te\d?_|(base_model\.model\.)?text_encoder", key) for key in shapes),
    )


def family_of_lora(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Return the key of the family that a LoRA changes; None where its tensors don't show it."""
    for key, pattern in _FAMILY_PATTERNS:
        if any(pattern.search(name) for name in shapes):
            if key == "flux" and _widths(shapes) & _FLUX2_WIDTHS:
                return "flux2"
            # The authors of both name their layers alike.
            return "z-image" if key == "lumina2" and _Z_IMAGE_WIDTH in _widths(shapes) else key
    joint = [int(found[1]) for name in shapes if (found := _JOINT_BLOCK.search(name))]
    if joint and not any("attn2" in name for name in shapes):
        if max(joint) >= _QWEN_DEPTH:
            return "qwen-image"
        return next((key for key, own in _JOINT_WIDTHS if own & _widths(shapes)), None)
    for name, shape in shapes.items():
        if len(shape) > 1 and _TEXT_INPUT.match(name) and shape[1] in _WIDTHS:
            return _WIDTHS[shape[1]]
    return None


def _widths(shapes: Mapping[str, tuple[int, ...]]) -> set[int]:
    """Return how wide the inputs of the layers are that a LoRA changes."""
    return {shape[1] for name, shape in shapes.items() if len(shape) > 1 and _DOWN.search(name)}


def stated_family(metadata: Mapping[str, str]) -> str | None:
    """Return the key of the family that the texts of a header name; None where they name none."""
    for key in _BASE_KEYS:
        if said := metadata.get(key):
            for family, pattern in _STATED:
                if pattern.search(said):
                    return family
    return None


def _trainer(metadata: Mapping[str, str]) -> str | None:
    if any(key.startswith("ss_") for key in metadata):
        return "sd-scripts"
    if any(key.startswith("ot_") for key in metadata):
        return "OneTrainer"
    if "lora_adapter_metadata" in metadata:
        return "diffusers"
    try:
        named = json.loads(metadata.get("software", "{}"))
    except ValueError:
        named = metadata.get("software")
    name = named.get("name") if isinstance(named, dict) else named
    return name[:80] if isinstance(name, str) and name else None
