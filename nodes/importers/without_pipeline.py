"""Families of models that diffusers and transformers have no pipeline for, by names of files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

_FAMILIES: Final[Mapping[str, str]] = {
    "Bernini": r"bernini",
    "BiRefNet": r"^birefnet",
    "Boogu-Image": r"^boogu_image",
    "Chroma Radiance": r"radiance",
    "Depth Anything 3": r"^depth_anything_3",
    "HiDream-E1": r"^hidream_e1",
    "LLLite": r"lllite",
    "Lens": r"^lens(_turbo)?_",
    "Lotus": r"^lotus-",
    "MOSS-Image": r"^moss_image",
    "Mage-Flow": r"^mage_flow",
    "Marigold 2": r"^marigold_v2",
    "Ming-Image": r"^ming_image",
    "MoGe": r"^moge_",
    "NewBie-Image": r"^newbie-image",
    "OmniGen2": r"^omnigen2",
    "PiD": r"^pid_",
    "PixelDiT": r"^pixeldit",
    "SDPose": r"^sdpose",
    "SeedVR2": r"^seedvr2",
}
"""Families to what names of their files look like, by those of ComfyUI's templates."""


def family_without_pipeline(name: str) -> str:
    """Return the family of a file that no pipeline runs; an empty text for all others."""
    stem = PurePosixPath(name).stem.lower()
    return next((family for family, form in _FAMILIES.items() if re.search(form, stem)), "")
