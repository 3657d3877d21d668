"""
The tensors of one component of a file: safetensors or GGUF, in the number format wanted.

Weights that are quantized are read as what they stand for. Those of 8 bits with a scale beside each
(`fp8 scaled`) are multiplied by it; blocks of GGUF are dequantized. So a model computes with them
as with any others, and takes the memory of its number format; `quantization` keeps it small.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError, missing_package
from nodetool_core.models.components.integrity import quantized_names, quantized_unread
from nodetool_core.models.sources.file_formats import weights_header

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    Tensors = dict[str, torch.Tensor]

_SCALES: Final = (".scale_weight", ".weight_scale")
_OTHERS: Final = (".scale_input", ".input_scale", ".comfy_quant")
"""Suffixes of what stands beside weights of 8 bits: their scales, and what is for a card alone."""

_MARK: Final = "scaled_fp8"
"""Name of an empty tensor that says that a file is quantized."""

_KNOWN_FORMS: Final = ("float8_e4m3fn", "float8_e5m2")


def read_tensors(
    file: Path, name: str, prefix: str, dtype: torch.dtype, *, may_map: bool
) -> Tensors:
    """
    Return the tensors whose names begin with a prefix, by their names without it.

    Args:
        file: A safetensors or GGUF file.
        name: What the user called it; goes into messages.
        dtype: The number format of what was quantized; all else keeps that of the file.
        may_map: Whether the file may be mapped into memory instead of being read.

    Raises ModelError for a damaged file, a quantization that is not known, and GGUF without `gguf`.
    """
    header = weights_header(file, name)
    if header.format == "gguf":
        return _of_gguf(file, name, prefix, dtype)
    from safetensors import safe_open
    from safetensors.torch import load

    if may_map:
        with safe_open(file, framework="pt") as opened:
            found = {
                key.removeprefix(prefix): opened.get_tensor(key)
                for key in opened.keys()  # noqa: SIM118 - it is no mapping
                if key.startswith(prefix)
            }
    else:
        found = {
            key.removeprefix(prefix): tensor
            for key, tensor in load(file.read_bytes()).items()
            if key.startswith(prefix)
        }
    return _scaled(found, name, dtype)


def _scaled(tensors: Tensors, name: str, dtype: torch.dtype) -> Tensors:
    """Return tensors multiplied by the scales beside them, without these."""
    found = {key: tensor for key, tensor in tensors.items() if not _is_beside(key)}
    for key, scale in tensors.items():
        suffix = next((one for one in _SCALES if key.endswith(one)), None)
        if suffix is None:
            continue
        weight_name = f"{key.removesuffix(suffix)}.weight"
        weight = found.get(weight_name)
        form = _form(tensors.get(f"{key.removesuffix(suffix)}.comfy_quant"))
        if weight is None or not _is_byte(weight) or form not in (None, *_KNOWN_FORMS):
            raise quantized_unread(name, [key])
        if scale.numel() not in (1, weight.shape[0]):
            raise quantized_unread(name, [key])
        sides = [-1, *[1] * (weight.ndim - 1)] if scale.numel() > 1 else []
        found[weight_name] = (weight.float() * scale.float().reshape(sides)).to(dtype)
    if left := quantized_names(found):
        raise quantized_unread(name, left)
    return found


def _is_beside(key: str) -> bool:
    return key.endswith((*_SCALES, *_OTHERS)) or key.rpartition(".")[2] == _MARK


def _is_byte(weight: torch.Tensor) -> bool:
    return weight.is_floating_point() and weight.element_size() == 1


def _form(stated: torch.Tensor | None) -> str | None:
    """Return the form of quantization that a weight states beside it; None where it states none."""
    if stated is None:
        return None
    try:
        content = json.loads(bytes(stated.tolist()))
    except (ValueError, TypeError):
        return ""
    return str(content.get("format", "")) if isinstance(content, dict) else ""


def _of_gguf(file: Path, name: str, prefix: str, dtype: torch.dtype) -> Tensors:
    import torch

    try:
        from gguf import GGUFReader
        from gguf.quants import dequantize
    except ModuleNotFoundError as error:
        raise ModelError(missing_package(name, error, "gguf")) from error
    shapes = {key: one.shape for key, one in weights_header(file, name).tensors.items()}
    found = {}
    for tensor in GGUFReader(file).tensors:
        key = str(tensor.name)
        if not key.startswith(prefix):
            continue
        try:
            values = dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            raise quantized_unread(name, [f"{key} ({tensor.tensor_type.name})"]) from error
        made = torch.from_numpy(values.copy()).reshape(shapes[key])
        found[key.removeprefix(prefix)] = made.to(dtype)
    return found
