"""
Families of models that diffusers and transformers have no pipeline for, by names of files.

Each is listed with what its classes would be called there, so that a test and `bench/imports.py`
can ask the installed releases: a family that gets a pipeline leaves this table.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final, NamedTuple


class Family(NamedTuple):
    """How to know a family."""

    file: str
    """What the names of its files look like, in lower case."""
    classes: str
    """What classes for it would be called."""


FAMILIES: Final[Mapping[str, Family]] = {
    "Bernini": Family(r"bernini", "Bernini"),
    "BiRefNet": Family(r"^birefnet", "(?i:BiRefNet)"),
    "Boogu-Image": Family(r"^boogu_image", "Boogu"),
    "Chroma Radiance": Family(r"radiance", "Radiance"),
    "Depth Anything 3": Family(r"^depth_anything_3", "DepthAnything(V)?3"),
    "HiDream-E1": Family(r"^hidream_e1", "HiDream(Image)?(E1|Edit)"),
    "LLLite": Family(r"lllite", "(?i:lllite)"),
    "Lens": Family(r"^lens(_turbo)?_", r"^Lens"),
    "Lotus": Family(r"^lotus-", "Lotus"),
    "MOSS-Image": Family(r"^moss_image", "(?i:moss)Image"),
    "Mage-Flow": Family(r"^mage_flow", "MageFlow"),
    "Marigold 2": Family(r"^marigold_v2", "Marigold(V)?2"),
    "Ming-Image": Family(r"^ming_image", "^Ming"),
    "MoGe": Family(r"^moge_", "(?i:moge)(?!n)"),
    "NewBie-Image": Family(r"^newbie-image", "(?i:newbie)"),
    "OmniGen2": Family(r"^omnigen2", "OmniGen(V)?2"),
    "PiD": Family(r"^pid_", "^PiD(?!iT)"),
    "PixelDiT": Family(r"^pixeldit", "PixelDiT"),
    "SDPose": Family(r"^sdpose", "(?i:sdpose)"),
    "SeedVR2": Family(r"^seedvr2", "(?i:seedvr)"),
}


def family_without_pipeline(name: str) -> str:
    """Return the family of a file that no pipeline runs; an empty text for all others."""
    stem = PurePosixPath(name).stem.lower()
    found = (family for family, known in FAMILIES.items() if re.search(known.file, stem))
    return next(found, "")


def classes_of(family: str) -> list[str]:
    """Return the classes of the installed diffusers and transformers that are for a family."""
    pattern = re.compile(FAMILIES[family].classes)
    names = {name for module in _LIBRARIES for name in dir(importlib.import_module(module))}
    return sorted(name for name in names if name[0].isupper() and pattern.search(name))


_LIBRARIES: Final = ("diffusers", "transformers")
