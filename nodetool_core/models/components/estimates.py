"""How many bytes weights will take, by the headers of their files."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from nodetool_core.models.sources.component_files import variant_of
from nodetool_core.models.sources.file_formats import read_weights_header
from nodetool_core.models.sources.headers import HeaderError, StoredTensor

if TYPE_CHECKING:
    from pathlib import Path


def weight_files(folder: Path, variant: str | None) -> list[Path]:
    """Return the safetensors of a component, of the variant where the folder has it."""
    variants: defaultdict[str | None, list[Path]] = defaultdict(list)
    for file in sorted(folder.glob("*.safetensors")):
        variants[variant_of(file.name)].append(file)
    return variants.get(variant) or variants.get(None, [])


def tensor_bytes(file: Path, item_bytes: int, prefix: str = "") -> int:
    """
    Return what the tensors of a file take once their numbers are `item_bytes` wide.

    Reads the header only. Those whose names don't begin with `prefix` don't count.

    The size of the file where the header can't be read, which loading will complain of.
    """
    try:
        return sum(
            _bytes_of(tensor, item_bytes)
            for name, tensor in read_weights_header(file).tensors.items()
            if name.startswith(prefix)
        )
    except HeaderError:
        return file.stat().st_size


def _bytes_of(tensor: StoredTensor, item_bytes: int) -> int:
    return math.prod(tensor.shape) * item_bytes if tensor.is_real else tensor.bytes
