"""
Single files in the layout of their authors, made from tiny pipelines.

The names that diffusers turns into its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_VAE = [
    (r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}"),
    (r"mid_block\.attentions\.0", lambda found: "mid.attn_1"),
    (r"\.to_([qkv])\.", lambda found: f".{found[1]}."),
    (r"to_out\.0", lambda found: "proj_out"),
    (r"group_norm", lambda found: "norm"),
    (r"conv_shortcut", lambda found: "nin_shortcut"),
    (r"down_blocks\.(\d)\.resnets\.(\d)", lambda found: f"down.{found[1]}.block.{found[2]}"),
    (r"down_blocks\.(\d)\.downsamplers\.0", lambda found: f"down.{found[1]}.downsample"),
    (r"conv_norm_out", lambda found: "norm_out"),
]


def write_single_file(
    directory: str | Path, file: Path, parts: Iterable[str] = ("unet", "vae", "text_encoder")
) -> Path:
    """Write components of a tiny Stable Diffusion 1 as one file, as Stability published it."""
    tensors: dict[str, torch.Tensor] = {}
    for part in parts:
        stored = load_file(next((Path(directory) / part).glob("*.safetensors")))
        tensors |= {_NAMES[part](name, stored): tensor for name, tensor in stored.items()}
    if "text_encoder" in parts:
        tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(
            77
        )[None]
    # What training left behind.
    tensors |= {
        "model_ema.decay": torch.tensor(0.9),
        "model_ema.num_updates": torch.tensor(7, dtype=torch.int32),
    }
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, file, {"format": "pt"}
    )
    return file


def _of_unet(name: str, stored: dict[str, Any]) -> str:
    for ours, theirs in _UNET.items():
        if name.startswith(f"{ours}."):
            return f"model.diffusion_model.{theirs}{name.removeprefix(ours)}"
    layers = 1 + max(
        int(found[1])
        for one in stored
        if (found := re.match(r"down_blocks\.0\.resnets\.(\d)", one))
    )
    block, number, kind, layer, rest = re.match(
        r"(\w+?)_blocks?\.(?:(\d)\.)?(\w+)\.(\d)\.(.*)", name
    ).groups()  # type: ignore[union-attr]
    if kind == "resnets":
        stem = next(one for one in _RESNET if rest.startswith(f"{one}."))
        rest = _RESNET[stem] + rest.removeprefix(stem)
    if block == "mid":
        place = f"middle_block.{2 * int(layer) if kind == 'resnets' else 1}."
    elif block == "down":
        at = 1 + int(number) * (layers + 1) + (layers if kind == "downsamplers" else int(layer))
        place = f"input_blocks.{at}.{int(kind == 'attentions')}."
        rest = rest.replace("conv.", "op.") if kind == "downsamplers" else rest
    else:
        has_attention = any(one.startswith(f"up_blocks.{number}.attentions") for one in stored)
        at = int(number) * (layers + 1) + (layers if kind == "upsamplers" else int(layer))
        layer = 1 + has_attention if kind == "upsamplers" else int(kind == "attentions")
        place = f"output_blocks.{at}.{layer}."
    return f"model.diffusion_model.{place}{rest}"


def _of_vae(name: str, stored: dict[str, Any]) -> str:
    ups = 1 + max(
        int(found[1]) for one in stored if (found := re.match(r"decoder\.up_blocks\.(\d)", one))
    )
    name = re.sub(
        r"up_blocks\.(\d)\.resnets\.(\d)",
        lambda found: f"up.{ups - 1 - int(found[1])}.block.{found[2]}",
        name,
    )
    name = re.sub(
        r"up_blocks\.(\d)\.upsamplers\.0",
        lambda found: f"up.{ups - 1 - int(found[1])}.upsample",
        name,
    )
    for pattern, place in _VAE:
        name = re.sub(pattern, place, name)
    return f"first_stage_model.{name}"


def _of_clip(name: str, stored: dict[str, Any]) -> str:
    return f"cond_stage_model.transformer.text_model.{name}"


def write_component(directory: str | Path, part: str, file: Path, prefix: str = "") -> Path:
    """
    Write one component of a tiny model in the layout of its authors, as files of it alone have it.
    """
    stored = load_file(next((Path(directory) / part).glob("*.safetensors")))
    return _saved({f"{prefix}{k}": v for k, v in in_original_names(part, stored).items()}, file)


def in_original_names(part: str, stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of a component under the names of its authors, without a prefix."""
    if part == "open_clip":
        return _open_clip(stored)
    if part == "z_image":
        return _z_image(stored)
    bare = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."
    name_of = _NAMES[part]
    return {
        re.sub("|".join(map(re.escape, bare)), "", name_of(name, stored)): tensor
        for name, tensor in stored.items()
    }


def _open_clip(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a CLIP of transformers as OpenCLIP has it, which fuses queries, keys and values."""
    stored = {name.removeprefix("text_model."): tensor for name, tensor in stored.items()}
    names = {
        "embeddings.token_embedding": "token_embedding",
        "final_layer_norm": "ln_final",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
        "encoder.layers": "transformer.resblocks",
    }
    found = {
        "positional_embedding": stored.pop("embeddings.position_embedding.weight"),
        "text_projection": stored.pop("text_projection.weight").T.contiguous(),
    }
    for name, tensor in stored.items():
        new = name
        for theirs, ours in names.items():
            new = new.replace(theirs, ours)
        if ".self_attn.q_proj" in name:
            fused = [stored[name.replace("q_proj", f"{one}_proj")] for one in "qkv"]
            new = re.sub(r"self_attn\.q_proj\.", "attn.in_proj_", new)
            found[new] = torch.cat(fused)
        elif not re.search(r"self_attn\.[kv]_proj", name):
            found[new] = tensor
    return found


def _z_image(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the transformer of Z-Image as its authors have it."""
    names = {
        "all_final_layer.2-1.": "final_layer.",
        "all_x_embedder.2-1.": "x_embedder.",
        ".attention.to_out.0.": ".attention.out.",
        ".attention.norm_k.": ".attention.k_norm.",
        ".attention.norm_q.": ".attention.q_norm.",
    }
    found = {}
    for name, tensor in stored.items():
        new = name
        for theirs, ours in names.items():
            new = new.replace(theirs, ours)
        if ".attention.to_q." in name:
            fused = [stored[name.replace("to_q", f"to_{one}")] for one in "qkv"]
            found[new.replace("to_q", "qkv")] = torch.cat(fused)
        elif not re.search(r"attention\.to_[kv]\.", name):
            found[new] = tensor
    return found


def _saved(tensors: dict[str, torch.Tensor], file: Path) -> Path:
    save_file({name: one.contiguous() for name, one in tensors.items()}, file, {"format": "pt"})
    return file


_NAMES = {"unet": _of_unet, "vae": _of_vae, "text_encoder": _of_clip}
