"""
What format a file of weights is in, by its first bytes, whatever its name says.

safetensors and GGUF are read. Everything else is refused in words: pickles, which can run code, by
whatever name they come; and what people find in the place of weights when a download went wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.gguf_header import MAGIC, is_gguf, read_gguf_header
from nodetool_core.models.sources.headers import Header, HeaderError, is_safetensors, read_header
from nodetool_core.models.sources.pickles import is_pickled, pickled

if TYPE_CHECKING:
    from pathlib import Path

_FIRST_BYTES = 512

_PICKLES: Final = (
    (re.compile(rb"PK\x03\x04"), "is an archive such as torch.save writes, with a pickle inside"),
    (re.compile(rb"\x80[\x01-\x05](?!.{6}\{)", re.DOTALL), "is a pickle"),
)
"""
How formats begin that can run code.

The length that a safetensors file begins with may begin like a pickle; its ninth byte is a brace.
"""

_OTHERS: Final = (
    (rb"version https://git-lfs", "is a pointer of Git LFS: the file itself was not fetched"),
    (rb"\s*<(!DOCTYPE|html|\?xml)", "is a page of the web: the download was none of the file"),
    (rb"\x89PNG|\xff\xd8\xff|RIFF....WEBP|GIF8", "is an image"),
    (rb"\x1f\x8b|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "is an archive: unpack it first"),
    (rb"\x89HDF", "is a file of HDF5, and no weights of torch"),
    (rb"\x08\x00?\x12", "is a network of ONNX, which is not read"),
    (rb"\s*[{\[]", "is a text of JSON"),
)
"""What files begin with that are no weights."""


def is_weights(name: str) -> bool:
    """Return whether a file's name says that it holds weights in a format that is read."""
    return is_safetensors(name) or is_gguf(name)


def read_weights_header(file: Path) -> Header:
    """
    Read the head of a safetensors or a GGUF file, by what it begins with.

    Raises HeaderError where it is neither, or not whole, and OSError where it can't be opened.
    """
    with file.open("rb") as stream:
        first = stream.read(_FIRST_BYTES)
    if first.startswith(MAGIC):
        return read_gguf_header(file)
    if not first:
        raise HeaderError("is empty")
    if said := _what_else(first):
        raise HeaderError(said)
    return read_header(file)


def weights_header(file: Path, name: str) -> Header:
    """
    Return the head of a file of weights that the user calls `name`.

    Raises ModelError: `model_pickled` for a pickle under any name, else `model_unreadable`.
    """
    refuse_pickle(file, name)
    try:
        return read_weights_header(file)
    except HeaderError as error:
        raise unreadable(name, f"it {error}") from error
    except OSError as error:
        raise unreadable(name, error.strerror or str(error)) from error


def refuse_pickle(file: Path, name: str) -> None:
    """Raise ModelError(`model_pickled`) for a file that is a pickle, by its name or its bytes."""
    if said := _pickle_in(file):
        raise pickled(name, said)


def unreadable(name: str, said: str) -> ModelError:
    """Return the refusal of a file that is no whole file of weights."""
    hint = "Fetch the file again; it may be cut short."
    return ModelError(
        Problem("model_unreadable", name, f"can't be read as safetensors or GGUF: {said}.", hint)
    )


def _pickle_in(file: Path) -> str | None:
    """Return what shows that a file is a pickle; None where nothing does."""
    if is_pickled(file.name):
        return "is a pickled file"
    try:
        with file.open("rb") as stream:
            first = stream.read(_FIRST_BYTES)
    except OSError:
        # Reading the head says why.
        return None
    return next((said for sign, said in _PICKLES if sign.match(first)), None)


def _what_else(first: bytes) -> str | None:
    """Return what a file is that begins like this; None where it may be safetensors."""
    if first[8:9] == b"{":
        return None
    return next((said for sign, said in _OTHERS if re.match(sign, first, re.DOTALL)), None)
