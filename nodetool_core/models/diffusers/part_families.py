"""Which families have files that a model is assembled from, and in which layouts."""

from __future__ import annotations

from dataclasses import dataclass

from nodetool_core.models.diffusers.part_modules import reads_original_layout
from nodetool_core.models.libraries import import_libraries
from nodetool_core.models.sources.file_families import FAMILIES
from nodetool_core.models.sources.model_parts import denoiser_class


@dataclass(frozen=True, slots=True)
class PartFamily:
    """A family whose denoisers may be files."""

    key: str
    """What stands for a base of it in a reference."""
    label: str
    reads_original: bool
    """Whether files in the layout of their authors are read, besides that of diffusers."""


def part_families() -> list[PartFamily]:
    """Return the families whose models nodes use, by the tables that read their files."""
    import_libraries()
    import diffusers

    found = []
    for family in FAMILIES.values():
        name = denoiser_class(family.key)
        cls = getattr(diffusers, name, None) if name else None
        if family.base:
            original = cls is not None and reads_original_layout(cls)
            found.append(PartFamily(family.key, family.label, original))
    return found
