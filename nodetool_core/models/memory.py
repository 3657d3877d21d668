"""How many bytes weights will take, by the headers of their files."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from nodetool_core.models.layout import variant_of

if TYPE_CHECKING:
    from pathlib import Path

_HEADER_LIMIT = 100_000_000
"""Bytes that a safetensors header may have, by its specification."""


def weight_files(folder: Path, variant: str | None) -> list[Path]:
    """The safetensors of a component, of the variant where the folder has it."""
    variants: defaultdict[str | None, list[Path]] = defaultdict(list)
    for file in sorted(folder.glob("*.safetensors")):
        variants[variant_of(file.name)].append(file)
    return variants.get(variant) or variants.get(None, [])


def tensor_bytes(file: Path, item_bytes: int) -> int:
    """
    What the tensors of a file take once their numbers are `item_bytes` wide. Reads the header only.

    The size of the file where the header can't be read, which loading will complain of.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = stream.read(length) if length <= _HEADER_LIMIT else b""
    try:
        tensors = [tensor for name, tensor in json.loads(header).items() if name != "__metadata__"]
        return sum(_bytes_of(tensor, item_bytes) for tensor in tensors)
    except (ValueError, TypeError, KeyError, AttributeError):
        return file.stat().st_size


def _bytes_of(tensor: dict[str, Any], item_bytes: int) -> int:
    begin, end = tensor["data_offsets"]
    return math.prod(tensor["shape"]) * item_bytes if tensor["dtype"].startswith(("F", "BF")) else int(end - begin)
