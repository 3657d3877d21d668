"""
What a file of weights is, by the names and shapes of its tensors.

Names are those of the published files. A file may hold several components, as a checkpoint does:
each is known by a prefix of its own, and is then looked at like a file of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from nodetool_core.models.sources.file_families import Layout, family_of_denoiser, width_of_texts
from nodetool_core.models.sources.lora_files import SIGN as LORA_SIGN

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal[
    "checkpoint",
    "denoiser",
    "vae",
    "text_encoder",
    "image_encoder",
    "lora",
    "ip_adapter",
    "controlnet",
    "t2i_adapter",
    "upscaler",
    "embedding",
    "motion_module",
    "unknown",
]

Shapes = dict[str, tuple[int, ...]]

_DENOISER_PREFIX, _VAE_PREFIXES = "model.diffusion_model.", ("first_stage_model.", "vae.")
_TEXT_PREFIX = re.compile(
    r"(cond_stage_model|conditioner\.embedders\.\d+|text_encoders\.[\w-]+?)\.(transformer|model)\."
)
_BARE_PREFIXES = ("diffusion_model.", "model.")
"""What names in files of a denoiser alone may begin with besides."""


@dataclass(frozen=True, slots=True)
class FileComponent:
    """One component of a file."""

    kind: Kind
    prefix: str
    """What the names of its tensors begin with; empty where it is the whole file."""
    family: str | None = None
    """
    Of a denoiser and what is made for one the key of its family. Of a text encoder `clip-l`,
    `t5-xxl` and so on; of a VAE what it makes latents for. None where that can't be seen.
    """
    layout: Layout | None = None
    width: int | None = None
    """Of a text encoder how many numbers it makes of a word."""


_NETWORKS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("lora", LORA_SIGN),
    ("ip_adapter", re.compile(r"image_proj\.|ip_adapter(_proj_model)?\.")),
    (
        "controlnet",
        re.compile(
            r"control_model\.|(control_|lllite_)|input_hint_block\."
            r"|controlnet_(cond_embedding|down_blocks|mid_block|blocks|single_blocks|x_embedder)"
        ),
    ),
    ("t2i_adapter", re.compile(r"(adapter\.)?body\.\d+\.(in_conv|resnets|block1)\b")),
    (
        "upscaler",
        re.compile(
            r"(params(_ema)?\.)?(body\.0\.rdb1|conv_first\.|model\.1\.sub\.)"
            r"|(params(_ema)?\.)?(upsample|conv_after_body)\."
        ),
    ),
    ("motion_module", re.compile(r".*motion_modules\.")),
    (
        "embedding",
        re.compile(r"emb_params$|string_to_param|<.*>$|clip_[lg]$"),
    ),
)
"""From the special to the general: the first whose sign a name begins with counts."""

_VAE = re.compile(
    r"(encoder|decoder)\.(conv_in|conv1|down|up|mid|mid_block|down_blocks|up_blocks|middle|head"
    r"|stages|layers|project_in)\.|(post_)?quant_conv\."
)
_T5 = re.compile(r"(encoder\.)?block\.\d+\.layer\.0\.SelfAttention|shared\.weight$|enc\.blk\.0\.")
_CLIP = re.compile(r"text_model\.|transformer\.resblocks\.|text_projection")
_FLAT_CLIP = re.compile(r"encoder\.layers\.\d+\.self_attn\.q_proj|embeddings\.token_embedding\.")
_SEES = re.compile(r"(vision_model|visual)\.|visual_projection|embeddings\.patch_embedding\.")
_LANGUAGE = re.compile(r"(model\.)?(language_model\.)?(model\.)?layers\.\d+\.self_attn\.|blk\.0\.")

_EMBEDDINGS: Final = (
    "text_model.embeddings.token_embedding.weight",
    "embeddings.token_embedding.weight",
    "token_embedding.weight",
    "shared.weight",
    "encoder.embed_tokens.weight",
    "model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "model.language_model.embed_tokens.weight",
    "language_model.embed_tokens.weight",
    "embed_tokens.weight",
    "token_embd.weight",
)
"""Where text encoders have a row of numbers for each word."""

_CLIPS: Final = {768: "clip-l", 1024: "clip-h", 1280: "clip-g"}
_T5S: Final = {4096: "t5-xxl", 2048: "t5-xl", 1024: "t5-large", 768: "t5-base"}
_UMT5_WORDS = 256_384
_LANGUAGE_MODELS: Final = {
    (3584, "visual."): "qwen2.5-vl-7b",
    (2560, "q_norm"): "qwen3-4b",
    (4096, "q_norm"): "qwen3-8b",
    (2304, "pre_feedforward_layernorm"): "gemma2-2b",
    (4096, ""): "llama3-8b",
    (5120, ""): "mistral-small",
}
"""Width, and a part of a name that only this one has, to what pipelines call it."""

_LATENTS: Final = {4: "sd", 16: "flux", 32: "flux2"}
"""How many channels of latents an autoencoder makes, to whose they are: of all of SD, of FLUX.1."""


def components_of(shapes: Mapping[str, tuple[int, ...]]) -> list[FileComponent]:
    """
    Return what a file holds, by the names and shapes of its tensors; nothing where nobody knows.

    A checkpoint has several components, every other file one.
    """
    network = _network_of(shapes)
    if network is not None:
        return [network]
    groups = _groups(shapes)
    found = [
        one for prefix, group in groups.items() if (one := _component(prefix, group)) is not None
    ]
    return found if any(one.prefix for one in found) else found[:1]


def _groups(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Shapes]:
    """Return the tensors of a file by what the names of one component begin with."""
    groups: defaultdict[str, Shapes] = defaultdict(dict)
    holds_several = any(
        name.startswith((_DENOISER_PREFIX, _VAE_PREFIXES[0])) or _TEXT_PREFIX.match(name)
        for name in shapes
    )
    if not holds_several:
        bare = next(
            (one for one in _BARE_PREFIXES if all(key.startswith(one) for key in shapes)), ""
        )
        # Language models have `model.` for a prefix of their own.
        bare = "" if any(_LANGUAGE.match(name) for name in shapes) else bare
        return {bare: {name.removeprefix(bare): shape for name, shape in shapes.items()}}
    for name, shape in shapes.items():
        found = _TEXT_PREFIX.match(name)
        prefix = (
            found[0]
            if found
            else next(
                (one for one in (_DENOISER_PREFIX, *_VAE_PREFIXES) if name.startswith(one)), ""
            )
        )
        groups[prefix][name.removeprefix(prefix)] = shape
    if "" in groups and (_DENOISER_PREFIX in groups or family_of_denoiser(groups[""]) is None):
        # What training left behind.
        del groups[""]
    return groups


def _component(prefix: str, shapes: Shapes) -> FileComponent | None:
    if prefix in _VAE_PREFIXES:
        return FileComponent("vae", prefix, _vae_family(shapes), _vae_layout(shapes))
    if _TEXT_PREFIX.fullmatch(prefix):
        return _text_encoder(prefix, shapes)
    known = family_of_denoiser(shapes)
    if known is not None and not any(name.startswith("encoder.") for name in shapes):
        return FileComponent("denoiser", prefix, known[0], known[1])
    if any(_VAE.match(name) for name in shapes) and not any(map(_FLAT_CLIP.match, shapes)):
        return FileComponent("vae", prefix, _vae_family(shapes), _vae_layout(shapes))
    if any(_SEES.match(name) for name in shapes) and not _has_words(shapes):
        return FileComponent("image_encoder", prefix)
    if any(sign.match(name) for sign in (_T5, _CLIP, _FLAT_CLIP, _LANGUAGE) for name in shapes):
        return _text_encoder(prefix, shapes)
    if prefix == _DENOISER_PREFIX or any(_ANY_DENOISER.match(name) for name in shapes):
        return FileComponent("denoiser", prefix)
    return None


_ANY_DENOISER = re.compile(
    r"(down_blocks|mid_block|up_blocks|(single_)?transformer_blocks|(double|single|joint)_blocks"
    r"|(input|output)_blocks|middle_block)\."
)


def _network_of(shapes: Mapping[str, tuple[int, ...]]) -> FileComponent | None:
    """Return what hangs on a model, or is no part of one; None where the file may be one."""
    for kind, sign in _NETWORKS:
        if any(sign.match(name) for name in shapes):
            return FileComponent(kind, "", _family_of_network(kind, shapes))
    return None


def _family_of_network(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    if kind == "controlnet":
        bare = {name.removeprefix("control_model."): shape for name, shape in shapes.items()}
        width = width_of_texts(bare)
        if any(name.startswith(("label_emb.", "add_embedding.linear_1.")) for name in bare):
            return "sdxl"
        if width is not None and any(name.startswith(_UNET_BLOCKS) for name in bare):
            return "sd2" if width == 1024 else "sd1"
        return next((key for key, sign in _CONTROL_SIGNS if any(map(sign.match, bare))), None)
    if kind == "embedding":
        widths = {shape[-1] for shape in shapes.values() if shape}
        if {768, 1280} <= widths:
            return "sdxl"
        return {768: "sd1", 1024: "sd2", 1280: "sdxl"}.get(max(widths, default=0))
    return None


_UNET_BLOCKS = ("down_blocks.", "input_blocks.")

_CONTROL_SIGNS: Final = (
    ("z-image", re.compile(r"control_(all_x_embedder|layers|noise_refiner)")),
    ("flux", re.compile(r"single_transformer_blocks|controlnet_single_blocks|single_blocks")),
    ("sd3", re.compile(r"pos_embed(_input)?\.proj")),
)


def _text_encoder(prefix: str, shapes: Shapes) -> FileComponent:
    width = next((shapes[name][-1] for name in _EMBEDDINGS if shapes.get(name)), None)
    return FileComponent(
        "text_encoder",
        prefix,
        _text_family(shapes, width),
        "original" if any("resblocks." in name for name in shapes) else "diffusers",
        width,
    )


def _text_family(shapes: Shapes, width: int | None) -> str | None:
    if any(_T5.match(name) for name in shapes):
        words = next((shapes[name][0] for name in _EMBEDDINGS if shapes.get(name)), 0)
        kind = _T5S.get(width or 0, "t5")
        return kind.replace("t5", "umt5", 1) if words == _UMT5_WORDS else kind
    if any(_LANGUAGE.match(name) for name in shapes):
        return next(
            (
                known
                for (size, sign), known in _LANGUAGE_MODELS.items()
                if size == width and any(sign in name for name in shapes)
            ),
            "language-model",
        )
    return _CLIPS.get(width or 0, "clip")


def _has_words(shapes: Shapes) -> bool:
    return any(name in shapes for name in _EMBEDDINGS)


def _vae_family(shapes: Shapes) -> str | None:
    if any(".gamma" in name for name in shapes):
        return "wan"
    if "bn.running_mean" in shapes:
        return "flux2"
    if any(_DEEP_COMPRESSION.match(name) for name in shapes):
        return "sana"
    channels = next(
        (
            shape[1]
            for name, shape in shapes.items()
            if name == "decoder.conv_in.weight" and len(shape) > 1
        ),
        None,
    )
    return _LATENTS.get(channels or 0)


_DEEP_COMPRESSION = re.compile(r"encoder\.(stages|down_blocks)\.\d+\.(op_list|\d+)\.")
"""Names of layers of the autoencoders that make a thirty-second of each side."""


def _vae_layout(shapes: Shapes) -> Layout:
    return (
        "diffusers"
        if any(".mid_block." in name or ".down_blocks." in name for name in shapes)
        else "original"
    )
