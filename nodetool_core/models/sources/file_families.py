"""
Which family of models a denoiser is of, by the names and shapes of its tensors.

Names are those of the published files, in the layout of their authors and in that of diffusers.
Where two families differ only in size, a shape decides. The table is this package's own, though
diffusers has one: that one knows the layout of the authors alone, takes what it does not know for
Stable Diffusion 1.5, and costs seconds to import.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Layout = Literal["original", "diffusers"]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models that people have files of."""

    key: str
    """As it is written in a reference, in the place of a base: `sdxl`."""
    label: str
    base: str
    """The Hub id whose configuration its files fit; empty where no node uses the family."""
    adapters: str = ""
    """Key of the family whose LoRAs fit it, where that is another one."""


_FAMILIES: Final = (
    Family("sd1", "Stable Diffusion 1", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
    Family(
        "sd1-inpaint",
        "Stable Diffusion 1 for inpainting",
        "stable-diffusion-v1-5/stable-diffusion-inpainting",
        "sd1",
    ),
    Family("sd1-edit", "InstructPix2Pix", "timbrooks/instruct-pix2pix", "sd1"),
    Family("sd2", "Stable Diffusion 2", "stabilityai/stable-diffusion-2-1"),
    Family(
        "sd2-inpaint",
        "Stable Diffusion 2 for inpainting",
        "stabilityai/stable-diffusion-2-inpainting",
        "sd2",
    ),
    Family("sdxl", "Stable Diffusion XL", "stabilityai/stable-diffusion-xl-base-1.0"),
    Family(
        "sdxl-inpaint",
        "Stable Diffusion XL for inpainting",
        "diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
        "sdxl",
    ),
    Family(
        "sdxl-refiner",
        "the refiner of Stable Diffusion XL",
        "stabilityai/stable-diffusion-xl-refiner-1.0",
    ),
    Family("sd3", "Stable Diffusion 3", "stabilityai/stable-diffusion-3-medium-diffusers"),
    Family(
        "sd3.5-medium",
        "Stable Diffusion 3.5 Medium",
        "stabilityai/stable-diffusion-3.5-medium",
        "sd3",
    ),
    Family(
        "sd3.5-large", "Stable Diffusion 3.5 Large", "stabilityai/stable-diffusion-3.5-large", "sd3"
    ),
    Family("flux", "FLUX.1", "black-forest-labs/FLUX.1-dev"),
    Family("flux-dev", "FLUX.1 dev", "black-forest-labs/FLUX.1-dev", "flux"),
    Family("flux-schnell", "FLUX.1 schnell", "black-forest-labs/FLUX.1-schnell", "flux"),
    Family("flux-fill", "FLUX.1 Fill", "black-forest-labs/FLUX.1-Fill-dev", "flux"),
    Family("flux-control", "FLUX.1 Canny or Depth", "black-forest-labs/FLUX.1-Depth-dev", "flux"),
    Family("flux2", "FLUX.2", "black-forest-labs/FLUX.2-dev"),
    Family("chroma", "Chroma", "lodestones/Chroma1-HD"),
    Family("qwen-image", "Qwen-Image", "Qwen/Qwen-Image"),
    Family("z-image", "Z-Image", "Tongyi-MAI/Z-Image-Turbo"),
    Family("lumina2", "Lumina-Image 2", "Alpha-VLLM/Lumina-Image-2.0"),
    Family("auraflow", "AuraFlow", "fal/AuraFlow-v0.3"),
    Family("hidream", "HiDream-I1", "HiDream-ai/HiDream-I1-Dev"),
    Family("sana", "Sana", "Efficient-Large-Model/Sana_1600M_1024px_diffusers"),
    Family("pixart", "PixArt", "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS"),
    Family("hunyuan-dit", "Hunyuan-DiT", "Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers"),
    Family("cogview4", "CogView4", "zai-org/CogView4-6B"),
    Family("stable-cascade-prior", "the prior of Stable Cascade", ""),
    Family("stable-cascade", "the decoder of Stable Cascade", ""),
    Family("hunyuan-video", "HunyuanVideo, which makes videos", ""),
    Family("wan", "Wan, which makes videos", ""),
    Family("ltx-video", "LTX-Video, which makes videos", ""),
    Family("mochi", "Mochi, which makes videos", ""),
    Family("cosmos", "Cosmos, which makes videos", ""),
)

FAMILIES: Final[Mapping[str, Family]] = {family.key: family for family in _FAMILIES}
"""Families by key. Not a Hub id: keys have no slash."""


_ALIKE: Final[Mapping[str, str]] = {
    "auraflow": "flux",
    "chroma": "flux",
    "qwen-image": "flux",
    "lumina2": "z-image",
}
"""Family to another that names and shapes its layers alike: no head tells their LoRAs apart."""


def label_of(key: str | None) -> str | None:
    """Return what a family is called in messages."""
    family = FAMILIES.get(key or "")
    return family.label if family else key


def fits(adapter: str | None, model: str | None) -> bool:
    """Return whether what is made for one family fits another, as far as both are known."""
    if adapter is None or model is None or adapter == model:
        return True
    return _stem(adapter) == _stem(model)


def _stem(key: str) -> str:
    family = FAMILIES.get(key)
    stem = (family.adapters or key) if family else key
    return _ALIKE.get(stem, stem)


_SIGNS: Final[tuple[tuple[str, Layout, tuple[str, ...]], ...]] = (
    ("flux2", "original", ("single_stream_modulation.lin.weight",)),
    ("flux2", "diffusers", ("single_stream_modulation.linear.weight",)),
    ("chroma", "original", ("distilled_guidance_layer.in_proj.bias", "double_blocks.")),
    ("chroma", "diffusers", ("distilled_guidance_layer.in_proj.bias", "transformer_blocks.")),
    ("hunyuan-video", "original", ("txt_in.individual_token_refiner.",)),
    ("flux", "original", ("double_blocks.", "single_blocks.", "img_in.")),
    (
        "flux",
        "diffusers",
        ("single_transformer_blocks.", "time_text_embed.text_embedder.", "x_embedder."),
    ),
    ("auraflow", "original", ("double_layers.", "cond_seq_linear.weight")),
    ("auraflow", "diffusers", ("joint_transformer_blocks.",)),
    ("sd3", "original", ("joint_blocks.", "context_embedder.")),
    ("sd3", "diffusers", ("transformer_blocks.0.norm1_context.", "pos_embed.proj.")),
    ("qwen-image", "diffusers", ("transformer_blocks.0.txt_mod.", "txt_norm.weight")),
    ("hidream", "original", ("double_stream_blocks.", "caption_projection.")),
    ("z-image", "diffusers", ("all_x_embedder.", "noise_refiner.")),
    ("z-image", "original", ("layers.0.adaLN_modulation.0.", "noise_refiner.", "cap_embedder.")),
    ("lumina2", "original", ("cap_embedder.0.", "noise_refiner.")),
    ("lumina2", "diffusers", ("time_caption_embed.", "noise_refiner.")),
    ("sana", "original", ("blocks.0.cross_attn.q_linear.", "attention_y_norm.")),
    ("sana", "diffusers", ("transformer_blocks.0.ff.conv_inverted.", "caption_norm.")),
    ("pixart", "original", ("blocks.0.cross_attn.kv_linear.", "y_embedder.")),
    ("pixart", "diffusers", ("adaln_single.", "caption_projection.", "pos_embed.proj.")),
    ("hunyuan-dit", "original", ("blocks.0.default_modulation.", "extra_embedder.")),
    ("hunyuan-dit", "diffusers", ("blocks.0.norm1.linear.", "time_extra_emb.")),
    ("cogview4", "diffusers", ("patch_embed.text_proj.", "time_condition_embed.")),
    ("stable-cascade-prior", "original", ("clip_txt_mapper.", "down_blocks.0.0.channelwise.")),
    ("stable-cascade", "diffusers", ("clip_txt_pooled_mapper.", "down_blocks.0.0.")),
    ("stable-cascade", "original", ("effnet_mapper.", "down_blocks.0.0.channelwise.")),
    ("mochi", "original", ("blocks.0.attn.qkv_x.",)),
    ("ltx-video", "original", ("patchify_proj.", "adaln_single.")),
    ("ltx-video", "diffusers", ("proj_in.", "scale_shift_table", "caption_projection.")),
    ("cosmos", "original", ("net.x_embedder.proj.1.",)),
    ("wan", "original", ("head.modulation", "patch_embedding.")),
    ("wan", "diffusers", ("condition_embedder.", "scale_shift_table", "patch_embedding.")),
    ("unet", "original", ("input_blocks.0.0.", "middle_block.", "output_blocks.")),
    ("unet", "diffusers", ("conv_in.", "down_blocks.0.", "mid_block.", "up_blocks.0.")),
)
"""
Family, layout, and what names of its tensors begin with, each of which has to be there.

`unet` and `flux` and `sd3` are several, which shapes tell apart. The first that fits counts.
"""

_CROSS_ATTENTION = re.compile(r".*attn2\.to_k\.weight$")
_MASKED, _EDITED = 9, 8
"""Channels of the input of a UNet for inpainting, and of one that follows an instruction."""

_SD2_WIDTH, _REFINER_WIDTH = 1024, 1280
"""Width of the texts that they read."""

_FLUX_FILL, _FLUX_CONTROL = 384, 128
"""Channels of the input of FLUX.1's relatives."""

_LARGE_DEPTH = "37"
"""The last block of Stable Diffusion 3.5 Large."""


def family_of_denoiser(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, Layout] | None:
    """
    Return the key of a denoiser's family, and the layout of its names; None for what is none.

    Args:
        shapes: Shapes by name, without a prefix.
    """
    beginnings = _beginnings(shapes)
    for family, layout, signs in _SIGNS:
        if all(sign in beginnings or sign in shapes for sign in signs):
            known = _told_apart(family, shapes)
            return (known, layout) if known else None
    return None


def _beginnings(names: Mapping[str, object]) -> set[str]:
    """Return all that names begin with, up to each of their dots."""
    return {name[: found.end()] for name in names for found in re.finditer(r"\.", name)}


def _told_apart(family: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    if family == "unet":
        return _unet(shapes)
    if family == "flux":
        return _flux(shapes)
    return _sd3(shapes) if family == "sd3" else family


def _unet(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    width = width_of_texts(shapes)
    is_xl = any(name.startswith(("label_emb.", "add_embedding.linear_1.")) for name in shapes)
    stem = "sdxl" if is_xl else "sd2" if width == _SD2_WIDTH else "sd1"
    if not is_xl and (width is None or "add_embedding.norm1.weight" in shapes):
        # Those that paint pixels, such as DeepFloyd IF.
        return None
    if is_xl and width == _REFINER_WIDTH:
        return "sdxl-refiner"
    channels = _side(shapes, 1, "input_blocks.0.0.weight", "conv_in.weight")
    if channels == _MASKED:
        return f"{stem}-inpaint"
    return "sd1-edit" if channels == _EDITED and stem == "sd1" else stem


def width_of_texts(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return how wide the texts are that a UNet, or what is added to it, attends to."""
    return next(
        (
            shape[1]
            for name, shape in shapes.items()
            if len(shape) > 1 and _CROSS_ATTENTION.match(name)
        ),
        None,
    )


def _flux(shapes: Mapping[str, tuple[int, ...]]) -> str:
    channels = _side(shapes, 1, "img_in.weight", "x_embedder.weight")
    if channels in (_FLUX_FILL, _FLUX_CONTROL):
        return "flux-fill" if channels == _FLUX_FILL else "flux-control"
    guided = any("guidance_in." in name or "guidance_embedder." in name for name in shapes)
    return "flux-dev" if guided else "flux-schnell"


def _sd3(shapes: Mapping[str, tuple[int, ...]]) -> str:
    if any(re.match(rf"(joint|transformer)_blocks\.{_LARGE_DEPTH}\.", name) for name in shapes):
        return "sd3.5-large"
    has_second = any(".x_block.attn2." in name or ".attn2.to_q." in name for name in shapes)
    return "sd3.5-medium" if has_second else "sd3"


def _side(shapes: Mapping[str, tuple[int, ...]], axis: int, *names: str) -> int | None:
    return next((shape[axis] for name in names if len(shape := shapes.get(name, ())) > axis), None)
