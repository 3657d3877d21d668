"""
Whether a LoRA is made for a model, by the heads of their files, before weights are read.

What the heads do not show is no misfit: shapes are compared when the LoRA is put on the model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nodetool_core.models.sources.file_families import fits, label_of
from nodetool_core.models.sources.inspection import FileDescription, inspect_file
from nodetool_core.models.sources.priors import INDEX
from nodetool_core.models.sources.repository_files import tensor_file
from nodetool_core.models.sources.repository_layout import read_json

if TYPE_CHECKING:
    from nodetool_core.models.sources.resolved import ResolvedModel

_DENOISERS: Final = ("unet", "transformer")

_CLASSES: Final = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        ("StableDiffusionXL", "sdxl"),
        ("StableDiffusion3", "sd3"),
        ("Flux2", "flux2"),
        ("Flux", "flux"),
        ("Chroma", "chroma"),
        ("QwenImage", "qwen-image"),
        ("ZImage", "z-image"),
        ("Lumina2", "lumina2"),
        ("AuraFlow", "auraflow"),
        ("HiDreamImage", "hidream"),
    )
)
"""What the class of a saved pipeline begins with to the key of its family."""

_WIDTHS: Final = {768: "sd1", 1024: "sd2"}
_OF_WIDTH: Final = re.compile("StableDiffusion|LatentConsistency")
"""Classes whose family the width of the texts that the UNet reads decides."""


def lora_misfit(lora: ResolvedModel, model: ResolvedModel) -> str | None:
    """
    Return why a LoRA can't be put on a model, as the end of a sentence; None where nothing shows.

    Raises ModelError where a head can't be read.
    """
    file = tensor_file(lora.path, lora.name) if lora.kind == "directory" else lora.path
    described = inspect_file(file, lora.name)
    if described.kind not in ("lora", "unknown"):
        return f"{described.said}, and is no LoRA."
    own, wanted = described.family, family_of_model(model)
    if fits(own, wanted):
        return None
    return f"is made for {label_of(own)}, and {model.name!r} is {label_of(wanted)}."


def family_of_model(model: ResolvedModel) -> str | None:
    """Return the key of a model's family; None where its files do not show it."""
    for part in model.parts:
        if part.component in _DENOISERS and part.model.kind == "file":
            return _family_in(inspect_file(part.model.path, part.model.name))
    if model.kind == "file":
        return _family_in(inspect_file(model.path, model.name))
    index = model.path / INDEX
    if not index.is_file():
        return None
    name = str(read_json(index, model.name).get("_class_name"))
    for pattern, key in _CLASSES:
        if pattern.match(name):
            return key
    config = model.path / "unet" / "config.json"
    if not _OF_WIDTH.match(name) or not config.is_file():
        return None
    width = read_json(config, model.name).get("cross_attention_dim")
    return _WIDTHS.get(width) if isinstance(width, int) else None


def _family_in(described: FileDescription) -> str | None:
    return described.family if described.kind in ("checkpoint", "denoiser") else None
