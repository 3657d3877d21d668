"""
The head of a safetensors file: which tensors it holds, read without reading the tensors.

A file is 8 bytes of length, so many bytes of JSON (name to type, shape and place of each tensor),
and the numbers. A download that was stopped leaves it shorter than its head says; that is found
here, before anything is loaded.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".safetensors", ".sft")
"""What the names of such files end in, in any case."""

_LENGTH_BYTES = 8
_HEADER_LIMIT = 100_000_000
"""Bytes that a header may have, by the specification."""

_NUMBER_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4} | {
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"), 1),
}
"""Bytes of a number of each type; those that share a byte are left out."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a file."""

    dtype: str
    """As the format spells it: `F16`, `BF16`, `F8_E4M3`, `I64`, `BOOL`."""
    shape: tuple[int, ...]
    bytes: int

    @property
    def is_real(self) -> bool:
        """Whether it holds real numbers, as weights are, in blocks (GGUF) or one by one."""
        return self.dtype.startswith(("F", "BF", "Q", "IQ", "TQ"))


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself."""

    tensors: dict[str, StoredTensor]
    metadata: dict[str, str]
    format: Literal["safetensors", "gguf"] = "safetensors"


class HeaderError(ValueError):
    """
    A file is no whole safetensors file; the message says what is wrong with it, without its name.
    """


def is_safetensors(name: str) -> bool:
    """Return whether a file's name says that it is a safetensors file."""
    return name.lower().endswith(SUFFIXES)


def read_header(file: Path) -> Header:
    """
    Read the head of a safetensors file, and compare the file's size with it.

    Raises HeaderError where the file is none, or not whole, and OSError where it can't be opened.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > _HEADER_LIMIT:
            raise HeaderError("is no safetensors file, or a damaged one: it has no header")
        text = stream.read(length)
    if len(text) < length:
        raise HeaderError(f"is cut short within its header, after {size:,} bytes")
    try:
        content = json.loads(text)
        metadata = content.pop("__metadata__", None) or {}
        tensors = {name: _stored(entry) for name, entry in content.items()}
        end = max((int(entry["data_offsets"][1]) for entry in content.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise HeaderError(
            "is no safetensors file, or a damaged one: its header can't be read"
        ) from error
    whole = _LENGTH_BYTES + length + end
    if size < whole:
        raise HeaderError(f"is cut short: {size:,} of {whole:,} bytes are there")
    if size > whole:
        raise HeaderError(f"has {size:,} bytes, where its header states {whole:,}")
    return Header(tensors, {str(key): str(value) for key, value in metadata.items()})


def _stored(entry: dict[str, Any]) -> StoredTensor:
    """Return what a header says of a tensor. Raises ValueError where it contradicts itself."""
    begin, end = (int(place) for place in entry["data_offsets"])
    dtype, shape = str(entry["dtype"]), tuple(int(side) for side in entry["shape"])
    size = _NUMBER_BYTES.get(dtype)
    if not 0 <= begin <= end or any(side < 0 for side in shape):
        raise ValueError("a place or a side is below 0")
    if size is not None and math.prod(shape) * size != end - begin:
        raise ValueError("a shape does not fit the bytes")
    return StoredTensor(dtype, shape, end - begin)
