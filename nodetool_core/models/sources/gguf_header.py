"""
The head of a GGUF file: which tensors it holds, read without reading the tensors.

A file is a magic number, counts, pairs of keys and values, and for each tensor its name, sides,
type and place; then the numbers, in blocks of a few dozen that share their scale. Sides are written
fastest first, the other way round than torch has them. Nothing here needs the package `gguf`, which
only reading the numbers does.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from nodetool_core.models.sources.headers import Header, HeaderError, StoredTensor

if TYPE_CHECKING:
    from pathlib import Path

MAGIC: Final = b"GGUF"
SUFFIX: Final = ".gguf"
"""What the names of such files end in, in any case."""

ORIGINAL_SHAPE: Final = "comfy.gguf.orig_shape."
"""Begins keys that state the shape of a tensor that was flattened to make blocks of it."""

_VERSIONS = (2, 3)
_ALIGNMENT = 32
_TEXT_LIMIT = 2**24
_COUNT_LIMIT = 2**24
_SIDES_LIMIT = 8
_KEPT_ITEMS = 16
"""Items of an array that are kept; vocabularies have hundreds of thousands, and are passed over."""

_NUMBERS: Final = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_TEXT, _ARRAY = 8, 9

BLOCKS: Final = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
}
"""Number of a type to its name, and how many numbers a block has and in how many bytes."""


def is_gguf(name: str) -> bool:
    """Return whether a file's name says that it is a GGUF file."""
    return name.lower().endswith(SUFFIX)


def read_gguf_header(file: Path) -> Header:
    """
    Read the head of a GGUF file, and compare the file's size with it.

    Raises HeaderError where the file is none, or not whole, and OSError where it can't be opened.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise HeaderError("is no GGUF file, or a damaged one: it does not begin with GGUF")
        reader = _Reader(stream, size)
        version = reader.number("<I")
        if version not in _VERSIONS:
            raise HeaderError(f"is a GGUF file of version {version}; 2 and 3 are read")
        count, pairs = reader.count("tensors"), reader.count("keys")
        values = dict(reader.pair() for _ in range(pairs))
        found = [reader.tensor() for _ in range(count)]
        alignment = values.get("general.alignment", _ALIGNMENT)
        step = alignment if isinstance(alignment, int) and alignment > 0 else _ALIGNMENT
        begin = -(-stream.tell() // step) * step
    end = begin + max((offset + tensor.bytes for _, tensor, offset in found), default=0)
    if size < end:
        raise HeaderError(f"is cut short: {size:,} of {end:,} bytes are there")
    tensors = {name: tensor for name, tensor, _ in found}
    if len(tensors) < len(found):
        raise HeaderError("is a damaged GGUF file: two of its tensors have one name")
    return Header(
        {name: _unflattened(name, tensor, values) for name, tensor in tensors.items()},
        {name: str(value) for name, value in values.items() if not isinstance(value, list)},
        "gguf",
    )


def _unflattened(name: str, tensor: StoredTensor, values: dict[str, object]) -> StoredTensor:
    """Return a tensor in the shape that it had before blocks were made of it."""
    shape = values.get(ORIGINAL_SHAPE + name)
    if not isinstance(shape, list) or not all(isinstance(side, int) for side in shape):
        return tensor
    if math.prod(shape) != math.prod(tensor.shape):
        raise HeaderError(f"is a damaged GGUF file: the original shape of {name} does not fit")
    return StoredTensor(tensor.dtype, tuple(shape), tensor.bytes)


class _Reader:
    """Reads values one after the other, none larger than what is left of the file."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size

    def number(self, form: str) -> int:
        return int(self._value(form))

    def count(self, of: str) -> int:
        found = self.number("<Q")
        if found > _COUNT_LIMIT:
            raise HeaderError(f"is a damaged GGUF file: it states {found:,} {of}")
        return found

    def text(self) -> str:
        length = self.number("<Q")
        if length > _TEXT_LIMIT:
            raise HeaderError("is a damaged GGUF file: a text in its header is too long")
        return self._bytes(length).decode("utf-8", "replace")

    def pair(self) -> tuple[str, object]:
        return self.text(), self._typed(self.number("<I"))

    def tensor(self) -> tuple[str, StoredTensor, int]:
        """Return the name of a tensor, what it is, and where it begins among the numbers."""
        name, sides = self.text(), self.number("<I")
        if sides > _SIDES_LIMIT:
            raise HeaderError(f"is a damaged GGUF file: {name[:80]} has {sides:,} sides")
        shape = tuple(reversed([self.number("<Q") for _ in range(sides)]))
        kind, offset = self.number("<I"), self.number("<Q")
        if kind not in BLOCKS:
            raise HeaderError(f"has {name[:80]} in a number format that is not known: {kind}")
        dtype, numbers, size = BLOCKS[kind]
        total = math.prod(shape)
        if shape and shape[-1] % numbers:
            raise HeaderError(f"is a damaged GGUF file: {name[:80]} is not made of whole blocks")
        return name, StoredTensor(dtype, shape, total // numbers * size), offset

    def _typed(self, kind: int) -> object:
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            return self._value(self._form(kind))
        inner, count = self.number("<I"), self.number("<Q")
        if inner == _ARRAY or count > self._size:
            raise HeaderError("is a damaged GGUF file: an array in its header can't be read")
        kept = [self._typed(inner) for _ in range(min(count, _KEPT_ITEMS))]
        rest = count - len(kept)
        if inner == _TEXT:
            for _ in range(rest):
                self.text()
        else:
            self._bytes(rest * struct.calcsize(self._form(inner)))
        return kept

    def _form(self, kind: int) -> str:
        if kind not in _NUMBERS:
            raise HeaderError(f"is a damaged GGUF file: it has a value of type {kind}")
        return _NUMBERS[kind]

    def _value(self, form: str) -> int | float | bool:
        value: int | float | bool = struct.unpack(form, self._bytes(struct.calcsize(form)))[0]
        return value

    def _bytes(self, length: int) -> bytes:
        if length > self._size:
            raise HeaderError("is a damaged GGUF file: its header is longer than the file")
        found = self._stream.read(length)
        if len(found) < length:
            raise HeaderError(f"is cut short within its header, after {self._size:,} bytes")
        return found
