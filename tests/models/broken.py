"""
Ways in which files of weights are broken in life.

Tensors taken away, renamed, in other shapes and types, files cut short.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, Any]


def without(tensors: Tensors, name: str, rng: random.Random) -> Tensors:
    return {key: tensor for key, tensor in tensors.items() if key != name}


def renamed(tensors: Tensors, name: str, rng: random.Random) -> Tensors:
    other = rng.choice([f"{name}_orig", f"x.{name}", name.replace(".", "_"), name[:-1]])
    return {other if key == name else key: tensor for key, tensor in tensors.items()}


def reshaped(tensors: Tensors, name: str, rng: random.Random) -> Tensors:
    tensor = tensors[name]
    others = (
        [tensor[:-1], tensor[None], torch.cat([tensor, tensor])] if tensor.ndim else [tensor[None]]
    )
    return tensors | {name: rng.choice(others).contiguous()}


def retyped(tensors: Tensors, name: str, rng: random.Random) -> Tensors:
    return tensors | {
        name: tensors[name].to(rng.choice([torch.int64, torch.int8, torch.uint8, torch.bool]))
    }


def quantized(tensors: Tensors, name: str, rng: random.Random) -> Tensors:
    stem = name.rpartition(".")[0]
    return tensors | {
        name: tensors[name].to(torch.float8_e4m3fn),
        f"{stem}.scale_weight": torch.tensor(0.5),
    }


def emptied(tensors: Tensors, name: str, rng: random.Random) -> Tensors:
    return {}


OF_TENSORS: dict[str, Callable[[Tensors, str, random.Random], Tensors]] = {
    change.__name__: change for change in (without, renamed, reshaped, retyped, quantized, emptied)
}

OF_BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut_short": lambda content, rng: content[: rng.randrange(len(content))],
    "longer": lambda content, rng: content + bytes(rng.randrange(1, 64)),
    "zeros": lambda content, rng: bytes(len(content)),
    "no_header": lambda content, rng: (2**62).to_bytes(8, "little") + content[8:],
    "page": lambda content, rng: b"<!DOCTYPE html><html>Sign in</html>",
    "pointer": lambda content, rng: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"
    ),
}

BREAKS = [*OF_TENSORS, *OF_BYTES]
"""All ways by name."""


def break_file(file: Path, how: str, seed: int = 0, name: str | None = None) -> None:
    """
    Break a safetensors file in place.

    `name` is the tensor, any of real numbers where none is named.
    """
    rng = random.Random(seed)
    if how in OF_BYTES:
        file.write_bytes(OF_BYTES[how](file.read_bytes(), rng))
        return
    tensors = load_file(file)
    chosen = name or rng.choice(
        sorted(
            key for key, tensor in tensors.items() if tensor.is_floating_point() and tensor.any()
        )
    )
    save_file(OF_TENSORS[how](tensors, chosen, rng), file, {"format": "pt"})


def code_of(how: str) -> str:
    """Return the code with which a folder that has a file broken like this is refused."""
    return (
        "model_load_failed"
        if how in OF_BYTES
        else {"quantized": "model_quantization_unsupported"}.get(how, "model_incomplete")
    )
