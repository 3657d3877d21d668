"""
The vocabulary of CLIP's tokenizer, from a package that has it, as transformers reads it.

The file is that of OpenAI's CLIP: a heading, and a pair of symbols on each line in the order in
which they are merged. Its tokens are the 256 bytes, the same at the end of a word, the merged
pairs, and two marks.
"""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("open_clip", "clip")
"""Import names of packages that have it: of open_clip_torch, and of CLIP and clip-anytorch."""

_FILE: Final = "bpe_simple_vocab_16e6.txt.gz"
_MERGES: Final = 49152 - 256 - 2
"""Merges that count; the file has more, which no token stands for."""

START, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END: Final = "</w>"


def vocabulary_file() -> Path | None:
    """Return the file of an installed package; None where there is none. Imports none of them."""
    for name in _PACKAGES:
        spec = find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            file = Path(place) / _FILE
            if file.is_file():
                return file
    return None


def tokenizer_files(file: Path) -> dict[str, str]:
    """
    Return the files of a vocabulary as transformers reads them, by name.

    Raises OSError, and UnicodeDecodeError for a file that is none.
    """
    lines = gzip.decompress(file.read_bytes()).decode("utf-8").split("\n")
    merges = [line for line in lines[1 : _MERGES + 1] if line]
    symbols = _byte_symbols()
    tokens = [*symbols, *(one + _WORD_END for one in symbols)]
    tokens += ["".join(merge.split()) for merge in merges]
    tokens += [START, END]
    return {
        "vocab.json": json.dumps({token: number for number, token in enumerate(tokens)}),
        "merges.txt": "\n".join(["#version: 0.2", *merges]) + "\n",
    }


def _byte_symbols() -> list[str]:
    """
    Return the letter that stands for each byte, in the order of CLIP's tokens.

    Bytes that print stand for themselves, and come first; others get letters from U+0100 on.
    """
    printing = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = len(set(range(256)) - set(printing))
    return [chr(byte) for byte in printing] + [chr(0x100 + place) for place in range(others)]
