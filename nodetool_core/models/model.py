"""A model on a device: its recipe, who uses it, and the prototypes that its pipelines are copied from."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nodetool_core.models.loading import PRIOR
from nodetool_core.models.parts import part_of
from nodetool_core.models.preparing import prepare
from nodetool_core.models.resident import Wanted
from nodetool_core.models.shells import lend, modules_of, prototype

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Context
    from nodetool_core.models.components import ComponentKey, Recipe
    from nodetool_core.models.devices import Device
    from nodetool_core.models.encodings import Encodings
    from nodetool_core.models.resident import Component


class Model:
    """One model in one number format on one device. Holds no weights: those are in the tiers."""

    def __init__(self, recipe: Recipe, device: Device, encodings: Encodings) -> None:
        self.recipe = recipe
        self.keys = frozenset(recipe.keys.values())
        self.device = device
        self.uses = 0
        """Blocks that use it now."""
        self.used = 0
        """When it was used last, counted in uses of the manager."""
        self._encodings = encodings
        self._base: Any = None
        self._prototypes: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.recipe.resolved.name

    def wanted(self, context: Context) -> list[Wanted]:
        """Its components, and how each is read. Two that are the same weights are one."""
        found = {key: part for part, key in self.recipe.keys.items()}

        def read(part: str, key: ComponentKey) -> torch.nn.Module:
            module = self.recipe.read(part, context)
            prepare(module, part, self.recipe.precision, self.device)
            self._encodings.watch(module, part, key)
            return module

        return [
            Wanted(key, f"{self.name} {part}".strip(), self.recipe.estimates[key], lambda part=part, key=key: read(part, key))  # type: ignore[misc]
            for key, part in found.items()
        ]

    def lend(self, task: str, components: Sequence[Component]) -> Any:
        """A pipeline of the caller's own over components that the caller has pinned. Raises ModelError."""
        with self._lock:
            if self._base is None:
                by_key = {one.key: one.module for one in components}
                self._base = self.recipe.assemble({part: by_key[key] for part, key in self.recipe.keys.items()})  # type: ignore[misc]
                for one in components:
                    one.holders.add(self._forget)
                if not part_of(task):
                    self._place_prior()
            if part_of(task):
                return replace(self._base, device=self.device.name)
            if task not in self._prototypes:
                self._prototypes[task] = prototype(self._base, task, self.name)
            return lend(self._prototypes[task])

    def _place_prior(self) -> None:
        """What a decoder brought with it from another repository is where the rest is. It is in no recipe, and counts for no budget."""
        for name, module in modules_of(self._base).items():
            if name.startswith(PRIOR) and name not in self.recipe.keys:
                module.to(self.device.name)

    def _forget(self) -> None:
        """One of the components is gone."""
        self._base = None
        self._prototypes = {}
