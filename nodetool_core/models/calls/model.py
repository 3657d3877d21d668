"""
A model on a device: its recipe, who uses it, and the prototypes that its pipelines are copied from.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nodetool_core.models.calls.pipelines import lend, prototype
from nodetool_core.models.components.integrity import REMARK
from nodetool_core.models.components.networks import ModelPart
from nodetool_core.models.diffusers.decoding import guard_decoding
from nodetool_core.models.diffusers.optimizations import optimize
from nodetool_core.models.residency.component import ComponentRequest
from nodetool_core.models.residency.module_state import ModuleState
from nodetool_core.models.residency.replicas import clone_sharing_storage
from nodetool_core.models.sources.priors import PRIOR

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.components.component_key import ComponentKey
    from nodetool_core.models.components.encoder_cache import EncoderCache
    from nodetool_core.models.components.recipe import Recipe
    from nodetool_core.models.protocols import Cancellable
    from nodetool_core.models.residency.component import Component
    from nodetool_core.models.residency.devices import Device


@dataclass(frozen=True, slots=True)
class ReplicaPipelines:
    """What the calls of one replica are lent."""

    base: Pipeline | ModelPart
    """The pipeline as it was saved, or a ModelPart."""
    clones: dict[ComponentKey, ModuleState] = field(default_factory=dict)
    """The states of modules that are this replica's alone."""
    prototypes: dict[str, Pipeline] = field(default_factory=dict)
    """Task to pipeline."""


class Model:
    """One model in one number format on one device; its weights are in the weight store."""

    def __init__(self, recipe: Recipe, device: Device, encoder_cache: EncoderCache) -> None:
        self.recipe = recipe
        self.keys = frozenset(recipe.keys.values())
        self.device = device
        self.uses = 0
        """Blocks that use it now."""
        self.used = 0
        """When it was used last, counted in uses of the manager."""
        self._encoder_cache = encoder_cache
        self._pipelines: dict[int, ReplicaPipelines] = {}
        """By replica."""
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.recipe.resolved.name

    def requests(self, waiting: Cancellable) -> list[ComponentRequest]:
        """Its components, and how each is read. Two that are the same weights are one."""
        found = {key: part for part, key in self.recipe.keys.items()}

        def read(part: str, key: ComponentKey) -> torch.nn.Module:
            return self._optimized(self.recipe.read(part, waiting), part, key)

        return [
            ComponentRequest(
                key,
                f"{self.name} {part}".strip(),
                self.recipe.estimates[key],
                lambda part=part, key=key: read(part, key),  # type: ignore[misc]
            )
            for key, part in found.items()
        ]

    def lend(
        self, task: str, components: Sequence[Component], replica: int = 0
    ) -> Pipeline | ModelPart:
        """
        Return a pipeline of the caller's own for one replica.

        It is over components that the caller has pinned. Raises ModelError.
        """
        with self._lock:
            pipelines = self._pipelines.get(replica)
            if pipelines is None:
                pipelines = self._pipelines[replica] = self._assembled(components, replica)
                for one in components:
                    one.holders.add(self._forget)
            base = pipelines.base
            if isinstance(base, ModelPart):
                return replace(base, device=self.device.name)
            if task not in pipelines.prototypes:
                pipelines.prototypes[task] = prototype(base, task, self.name)
            return lend(pipelines.prototypes[task])

    def states(self, components: Sequence[Component], replica: int = 0) -> list[ModuleState]:
        """Return how the modules that were lent are to be when they come back."""
        with self._lock:
            pipelines = self._pipelines.get(replica)
            return [] if pipelines is None else _states(pipelines, components)

    def remarks(self, components: Sequence[Component]) -> list[str]:
        """Return what is reported each time the model is used."""
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

    def _assembled(self, components: Sequence[Component], replica: int) -> ReplicaPipelines:
        found = {one.key: one for one in components}
        modules: dict[ComponentKey, torch.nn.Module] = {}
        clones: dict[ComponentKey, ModuleState] = {}
        for part, key in self.recipe.keys.items():
            if key in modules:
                continue
            one = found[key]
            if replica and one.template is not None:
                modules[key] = self._optimized(clone_sharing_storage(one.template), part, key)
                clones[key] = ModuleState(modules[key])
            elif one.module is not None:
                modules[key] = one.module
                one.state = one.state or ModuleState(one.module)
        return ReplicaPipelines(
            self.recipe.assemble({part: modules[key] for part, key in self.recipe.keys.items()}),
            clones,
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
            guard_decoding(inner, name.removeprefix(PRIOR))
        return module

    def _forget(self) -> None:
        """Forget a component that is gone."""
        self._pipelines = {}


def _states(pipelines: ReplicaPipelines, components: Sequence[Component]) -> list[ModuleState]:
    found = [pipelines.clones.get(one.key, one.state) for one in components]  # type: ignore[call-overload]
    return [state for state in found if state is not None]
