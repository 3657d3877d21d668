"""
Whether the files of one component are all there.

A download that was stopped leaves links that lead nowhere, or fewer shards than the index names.
Names and small JSON files alone are looked at, so that it costs milliseconds and comes before
gigabytes are read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

_INDEX = re.compile(r"\.safetensors\.index(\.[\w-]+)?\.json$")


def variant_of(file: str) -> str | None:
    """
    Return the variant in the name of a weight file.

    `fp16` in `model.fp16-00001-of-00002.safetensors`.
    """
    bare = re.sub(r"\.safetensors|\.index|\.json$|-\d+-of-\d+", "", file)
    return bare.partition(".")[2] or None


def weight_variants(names: list[str]) -> set[str | None]:
    """
    Return the variants of the safetensors among the names of files.

    None stands for those without one.
    """
    return {variant_of(name) for name in names if name.endswith(".safetensors")}


def missing_files(folder: Path, variant: str | None) -> list[str]:
    """
    Return the names of files that a component needs and that are not there.

    What links lead to, and the shards that an index names.
    """
    names = sorted(path.name for path in folder.iterdir())
    present = {name for name in names if (folder / name).exists()}
    used = variant if variant in weight_variants(names) else None
    dangling = [
        name
        for name in names
        if name not in present and (not name.endswith(".safetensors") or variant_of(name) == used)
    ]
    shards = {
        shard
        for name in present
        if _INDEX.search(name) and variant_of(name) == used
        for shard in _shards(folder / name)
    }
    return sorted({*dangling, *(shards - present)})


def _shards(index: Path) -> set[str]:
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {Path(str(file)).name for file in listed.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Whoever reads it says what is wrong with it.
        return set()
