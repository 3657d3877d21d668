"""A repository of Modular Diffusers: its components, and those that it takes from others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, cast

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.components.component_class import component_class, has_weights
from nodetool_core.models.components.estimates import weight_files
from nodetool_core.models.components.processors import read_processors
from nodetool_core.models.components.recipe import Recipe
from nodetool_core.models.components.tokenizers import lock_tokenizers
from nodetool_core.models.diffusers import assembly
from nodetool_core.models.diffusers.tasks import ANY, MODULAR
from nodetool_core.models.sources.modular_repository import ModularComponent, read_modular_layout
from nodetool_core.models.sources.repository_layout import check_files, incomplete

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.components.component_key import Precision
    from nodetool_core.models.components.networks import ModelPart
    from nodetool_core.models.protocols import Cancellable
    from nodetool_core.models.sources.resolved import ResolvedModel


class ModularRecipe(Recipe):
    """A directory with an index of Modular Diffusers."""

    def __init__(self, resolved: ResolvedModel, precision: Precision) -> None:
        super().__init__(resolved, precision)
        self._layout = read_modular_layout(resolved.path, resolved.name)
        self._sources: dict[str, tuple[ResolvedModel, Path, type]] = {}
        """Component to the model that it is of, its folder and its class."""
        self._light: dict[str, object] = {}
        self._lock = threading.Lock()
        others = {one.component: one.model for one in resolved.parts}
        for name, component in self._layout.components.items():
            self._add_component(name, component, others.get(name, resolved))

    def _add_component(self, name: str, component: ModularComponent, of: ResolvedModel) -> None:
        folder = of.path / component.subfolder
        cls = component_class(component.library, component.class_name)
        if cls is None:
            what = f"{component.library} has no {component.class_name}, which {name} is"
            raise incomplete(self.resolved.name, what)
        if not folder.is_dir():
            raise incomplete(self.resolved.name, f"{name} is not in {folder}")
        self._sources[name] = (of, folder, cls)
        if has_weights(cls):
            check_files(folder, of.name, of.variant, f"{name} ({cls.__name__})")
            files = weight_files(folder, of.variant)
            if not files:
                raise incomplete(self.resolved.name, f"{name} has no safetensors weights")
            self._add(name, of, component.subfolder, folder, files, cls)

    def class_of(self, task: str) -> type | None:
        self.check(task)
        found: type = assembly.pipeline_class(self._layout.class_name)
        return found

    def check(self, task: str) -> None:
        if task not in (MODULAR, ANY):
            message = f"can't be used for {task}: it is a repository of Modular Diffusers."
            hint = "Use the node huggingface.modular.Blocks, which runs its blocks."
            raise ModelError(Problem("model_task_unsupported", self.resolved.name, message, hint))

    def read(self, part: str, waiting: Cancellable) -> torch.nn.Module:
        waiting.check_cancelled()
        of, folder, cls = self._sources[part]
        module = assembly.read_component(
            folder,
            cls,
            of,
            self.keys[part].variant,
            self.precision.dtype,
            f"{part}: {cls.__name__}",
        )
        waiting.check_cancelled()
        return module

    def assemble(self, modules: Mapping[str, torch.nn.Module]) -> Pipeline | ModelPart:
        from nodetool_core.models.diffusers.modular import pipeline_of

        with self._lock:
            if not self._light:
                self._light = {
                    name: self._read_light(name) for name in self._sources if name not in modules
                }
            made = pipeline_of({**modules, **self._light}, self._layout.settings)
            lock_tokenizers(made)
            return made

    def _read_light(self, name: str) -> object:
        """Return a component without weights."""
        of, folder, cls = self._sources[name]
        kind = (cls.__module__.partition(".")[0], cls.__name__)
        try:
            found = read_processors(folder.parent, {folder.name: kind})
            return found.get(folder.name) or cast("type[_Loadable]", cls).from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise incomplete(of.name, f"{name} can't be read: {error}") from error


class _Loadable(Protocol):
    """What has no weights, and is read from a folder."""

    @classmethod
    def from_pretrained(cls, folder: Path) -> object: ...
