"""How many bytes weights take: before they are loaded, by the headers of their files, and after, by their storage."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from nodetool_core.models.layout import variant_of

if TYPE_CHECKING:
    from pathlib import Path

    from nodetool_core.models.resolve import ResolvedModel

_HEADER_LIMIT = 100_000_000
"""Bytes that a safetensors header may have, by its specification."""


def weights_bytes(pipeline: Any) -> int:
    """Bytes of all weights of a pipeline; storage that several parts share counts once."""
    return sum(storages(pipeline).values())


def storages(pipeline: Any) -> dict[int, int]:
    """Address to bytes of each storage that holds weights of a pipeline."""
    import torch

    found = {}
    for module in pipeline.components.values():
        if isinstance(module, torch.nn.Module):
            for tensor in (*module.parameters(), *module.buffers()):
                storage = tensor.untyped_storage()
                found[storage.data_ptr()] = storage.nbytes()
    return found


def estimated_bytes(resolved: ResolvedModel, item_bytes: int) -> int:
    """The bytes that loading will take, where numbers become `item_bytes` wide. Reads headers only."""
    files = [resolved.path] if resolved.kind == "file" else _weight_files(resolved.path, resolved.variant)
    return sum(_tensor_bytes(file, item_bytes) for file in files)


def _weight_files(directory: Path, variant: str | None) -> list[Path]:
    """The safetensors in component folders, of the variant where a folder has it."""
    folders: defaultdict[Path, defaultdict[str | None, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in directory.glob("*/*.safetensors"):
        folders[file.parent][variant_of(file.name)].append(file)
    return [file for variants in folders.values() for file in variants.get(variant) or variants.get(None, [])]


def _tensor_bytes(file: Path, item_bytes: int) -> int:
    """What the tensors of a file take; the size of the file where its header can't be read, which loading will complain of."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = stream.read(length) if length <= _HEADER_LIMIT else b""
    try:
        tensors = json.loads(header)
    except ValueError:
        return file.stat().st_size
    tensors.pop("__metadata__", None)
    total = 0
    for tensor in tensors.values():
        begin, end = tensor["data_offsets"]
        total += math.prod(tensor["shape"]) * item_bytes if tensor["dtype"].startswith(("F", "BF")) else end - begin
    return total
