"""
A model on a device: its recipe, who uses it, and the prototypes that its pipelines are copied from.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nodetool_core.models.components.integrity import REMARK
from nodetool_core.models.components.networks import part_of
from nodetool_core.models.components.optimizations import optimize
from nodetool_core.models.resident import Wanted
from nodetool_core.models.seats import twin
from nodetool_core.models.shells import lend, prototype
from nodetool_core.models.sources.priors import PRIOR
from nodetool_core.models.states import ModuleState

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Context
    from nodetool_core.models.components.encoder_cache import EncoderCache
    from nodetool_core.models.components.recipes import ComponentKey, Recipe
    from nodetool_core.models.devices import Device
    from nodetool_core.models.resident import Component


@dataclass(frozen=True, slots=True)
class _Bench:
    """What those who sit in one seat are lent."""

    base: Any
    """The pipeline as it was saved, or a ModelPart."""
    twins: dict[ComponentKey, ModuleState] = field(default_factory=dict)
    """The states of modules that are this seat's alone."""
    prototypes: dict[str, Any] = field(default_factory=dict)
    """Task to pipeline."""


class Model:
    """One model in one number format on one device. Holds no weights: those are in the tiers."""

    def __init__(self, recipe: Recipe, device: Device, encoder_cache: EncoderCache) -> None:
        self.recipe = recipe
        self.keys = frozenset(recipe.keys.values())
        self.device = device
        self.uses = 0
        """Blocks that use it now."""
        self.used = 0
        """When it was used last, counted in uses of the manager."""
        self._encoder_cache = encoder_cache
        self._benches: dict[int, _Bench] = {}
        """By seat."""
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.recipe.resolved.name

    def wanted(self, context: Context) -> list[Wanted]:
        """Its components, and how each is read. Two that are the same weights are one."""
        found = {key: part for part, key in self.recipe.keys.items()}

        def read(part: str, key: ComponentKey) -> torch.nn.Module:
            return self._optimized(self.recipe.read(part, context), part, key)

        return [
            Wanted(
                key,
                f"{self.name} {part}".strip(),
                self.recipe.estimates[key],
                lambda part=part, key=key: read(part, key),  # type: ignore[misc]
            )
            for key, part in found.items()
        ]

    def lend(self, task: str, components: Sequence[Component], seat: int = 0) -> Any:
        """
        Return a pipeline of the caller's own over components that the caller has pinned, for who
        sits in a seat. Raises ModelError.
        """
        with self._lock:
            bench = self._benches.get(seat)
            if bench is None:
                bench = self._benches[seat] = self._assembled(components, seat)
                for one in components:
                    one.holders.add(self._forget)
            if part_of(task):
                return replace(bench.base, device=self.device.name)
            if task not in bench.prototypes:
                bench.prototypes[task] = prototype(bench.base, task, self.name)
            return lend(bench.prototypes[task])

    def states(self, components: Sequence[Component], seat: int = 0) -> list[ModuleState]:
        """How the modules that were lent are to be when they come back."""
        with self._lock:
            bench = self._benches.get(seat)
            return [] if bench is None else _states(bench, components)

    def remarks(self, components: Sequence[Component]) -> list[str]:
        """Return what is to be told each time the model is used."""
        # Those of a single file are one component.
        modules = [
            inner
            for one in components
            if one.module is not None
            for inner in (one.module, *one.module.children())
        ]
        return [
            *self.recipe.remarks,
            *(
                f"{self.name}: {remark}"
                for module in modules
                if (remark := vars(module).get(REMARK))
            ),
        ]

    def _assembled(self, components: Sequence[Component], seat: int) -> _Bench:
        found = {one.key: one for one in components}
        modules: dict[ComponentKey, Any] = {}
        twins: dict[ComponentKey, ModuleState] = {}
        for part, key in self.recipe.keys.items():
            if key in modules:
                continue
            one = found[key]
            if seat and one.mould is not None:
                modules[key] = self._optimized(twin(one.mould), part, key)
                twins[key] = ModuleState(modules[key])
            elif one.module is not None:
                modules[key] = one.module
                one.state = one.state or ModuleState(one.module)
        return _Bench(
            self.recipe.assemble({part: modules[key] for part, key in self.recipe.keys.items()}),
            twins,
        )

    def _optimized(self, module: torch.nn.Module, part: str, key: ComponentKey) -> torch.nn.Module:
        import torch

        # The parts of a single file are one component.
        inside = (
            {name: replace(key, part=name) for name, _ in module.named_children()}
            if isinstance(module, torch.nn.ModuleDict)
            else {}
        )
        for name, own_key in (inside or {part: key}).items():
            inner: Any = getattr(module, name) if inside else module
            optimize(inner, name, self.recipe.precision, self.device)
            self._encoder_cache.watch(inner, name.removeprefix(PRIOR), own_key)
        return module

    def _forget(self) -> None:
        """One of the components is gone."""
        self._benches = {}


def _states(bench: _Bench, components: Sequence[Component]) -> list[ModuleState]:
    found = [bench.twins.get(one.key, one.state) for one in components]  # type: ignore[call-overload]
    return [state for state in found if state is not None]
