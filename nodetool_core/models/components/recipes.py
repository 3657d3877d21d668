"""
What a model is made of: its components, each with a key, and how each is read.

A *recipe* describes one model in one number format: which of its components have weights, under
which key, from which files. Components with equal keys are one and the same wherever they are asked
for: by another task, by another reference to the repository, and by another repository that holds
the very same files (the Hub's cache names files by their content). What has no weights (tokenizers,
schedulers, settings) belongs to the recipe, is read once and kept. The components of a decoder's
prior are components of the decoder's recipe, under names of their own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from nodetool_core.models.components.component_class import component_class, has_weights
from nodetool_core.models.components.component_key import Precision
from nodetool_core.models.components.estimates import weight_files
from nodetool_core.models.components.modular_recipe import ModularRecipe
from nodetool_core.models.components.networks import (
    ModelPart,
    load_part,
    network_folder,
    processor_in,
    tokenizer_in,
)
from nodetool_core.models.components.recipe import Recipe
from nodetool_core.models.components.tokenizers import check_vocabularies, lock_tokenizers
from nodetool_core.models.diffusers import assembly
from nodetool_core.models.diffusers.families import SHARES_SUBMODULES
from nodetool_core.models.diffusers.modules import shallow_clone
from nodetool_core.models.diffusers.single_file import class_of_file, load_file
from nodetool_core.models.diffusers.tasks import check_channels, check_task
from nodetool_core.models.protocols import NeverCancelled
from nodetool_core.models.residency.devices import Device
from nodetool_core.models.sources.modular_repository import is_modular
from nodetool_core.models.sources.priors import PRIOR
from nodetool_core.models.sources.repository_files import TENSORS, part_of, tensor_file
from nodetool_core.models.sources.repository_layout import check_files, incomplete, read_layout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.protocols import Cancellable
    from nodetool_core.models.sources.hub import Hub
    from nodetool_core.models.sources.repository_layout import Layout
    from nodetool_core.models.sources.resolved import ResolvedModel, ResolvedPart


def recipe_for(resolved: ResolvedModel, task: str, precision: Precision, hub: Hub) -> Recipe:
    """
    Return the recipe of what a task wants.

    Reads names and headers, no weights. Raises ModelError for what can't be loaded.
    """
    if part_of(task):
        return PartRecipe(resolved, task, precision)
    if resolved.kind == "directory" and is_modular(resolved.path):
        return ModularRecipe(resolved, precision)
    return (
        DirectoryRecipe(resolved, precision)
        if resolved.kind == "directory"
        else FileRecipe(resolved, precision, hub)
    )


class DirectoryRecipe(Recipe):
    """A directory in diffusers form, and of a decoder the directory of its prior."""

    def __init__(self, resolved: ResolvedModel, precision: Precision) -> None:
        super().__init__(resolved, precision)
        self._parts = {one.component: one for one in resolved.parts}
        self._sources: dict[str, tuple[ResolvedModel, Layout, str, type]] = {}
        """
        Component to the model that it is a part of, the name that it has there, and its class.
        """
        self._checked: set[str] = set()
        self._light: dict[str, object] = {}
        self._lock = threading.Lock()
        self._layout = self._read_layout(resolved)
        self._prior_layout = self._read_layout(resolved.prior, PRIOR) if resolved.prior else None
        if resolved.prior and self._prior_layout:
            assembly.check_prior(self._layout.class_name, self._prior_layout, resolved.prior.name)

    def _read_layout(self, of: ResolvedModel, prefix: str = "") -> Layout:
        layout = read_layout(of.path, of.name, of.variant, [one.component for one in of.parts])
        left_out = assembly.left_out(layout, of.name)
        # What a checkpoint has none of is not missed.
        self.remarks += [] if of.is_configuration else left_out
        check_vocabularies(layout.directory, layout.components, of.name)
        for part, (library, name) in layout.components.items():
            folder = layout.directory / part
            if not prefix and part in self._parts:
                cls = component_class(library, name)
                assert cls is not None
                self._sources[part] = (of, layout, part, cls)
                self._add_part(self._parts[part], folder, cls)
                continue
            files = weight_files(folder, of.variant)
            cls = component_class(library, name) if files else None
            if cls is not None and has_weights(cls):
                self._sources[prefix + part] = (of, layout, part, cls)
                self._add(prefix + part, of, part, folder, files, cls)
        return layout

    def class_of(self, task: str) -> type | None:
        name = self._layout.class_name
        if self._prior_layout is not None:
            name = assembly.whole_class(name).__name__
        return check_task(name, task, self.resolved.name) or assembly.pipeline_class(name)

    def check(self, task: str) -> None:
        if task in self._checked:
            return
        layout, name = self._layout, self.resolved.name
        check_task(layout.class_name, task, name)
        unet, vae = layout.config("unet"), layout.config("vae") or layout.config("movq")
        check_channels(
            task, layout.class_name, unet.get("in_channels"), vae.get("latent_channels"), name
        )
        self._checked.add(task)

    def read(self, part: str, waiting: Cancellable) -> torch.nn.Module:
        waiting.check_cancelled()
        of, layout, folder, cls = self._sources[part]
        where = f"{layout.class_name} ({folder}: {cls.__name__})"
        config, given = layout.directory / folder, self._parts.get(part)
        if given is not None and given.model.kind == "file":
            module = assembly.read_file(config, cls, given, self.precision.dtype, where)
        else:
            of = given.model if given else of
            config = part_folder(given) if given else config
            module = assembly.read_component(
                config, cls, of, self.keys[part].variant, self.precision.dtype, where
            )
        waiting.check_cancelled()
        return module

    def _add_part(self, part: ResolvedPart, config: Path, cls: type) -> None:
        """Add a component whose weights take the place of the base's own."""
        of = part.model
        if of.kind == "directory":
            folder = part_folder(part)
            check_files(folder, of.name, of.variant, cls.__name__)
            files = weight_files(folder, of.variant)
            if not files:
                raise incomplete(of.name, f"{part.component} has no safetensors weights")
            self._add(part.component, of, folder.name, folder, files, cls)
            return
        self._add_file(part.component, part, config, cls)

    def assemble(self, modules: Mapping[str, torch.nn.Module]) -> Pipeline | ModelPart:
        with self._lock:
            own = {
                part: shallow_clone(module)
                if type(module).__name__ in SHARES_SUBMODULES
                else module
                for part, module in modules.items()
            }
            pipeline: Pipeline = assembly.assemble(
                self._layout,
                self._prior_layout,
                self.resolved,
                self.precision.dtype,
                {**own, **self._light},
            )
            if not self._light:
                lock_tokenizers(pipeline)
                self._light = {
                    name: part
                    for name, part in pipeline.components.items()
                    if name not in modules and part is not None
                }
            return pipeline


class FileRecipe(Recipe):
    """
    A single file in the layout of its authors.

    Which components it has is known once it is read, so it is one component.
    """

    def __init__(self, resolved: ResolvedModel, precision: Precision, hub: Hub) -> None:
        super().__init__(resolved, precision)
        self._hub = hub
        self._template: Any = None
        self._add("", resolved, "", resolved.path.parent, [resolved.path], FileRecipe)

    def class_of(self, task: str) -> type | None:
        name = class_of_file(self.resolved, self._hub, NeverCancelled())
        return check_task(name, task, self.resolved.name) or assembly.pipeline_class(name)

    def read(self, part: str, waiting: Cancellable) -> torch.nn.Module:
        import torch

        waiting.check_cancelled()
        pipeline = load_file(self.resolved, self.precision.dtype, self._hub, waiting)
        waiting.check_cancelled()
        lock_tokenizers(pipeline)
        modules = {
            name: module
            for name, module in pipeline.components.items()
            if isinstance(module, torch.nn.Module)
        }
        self._template = assembly.with_modules(pipeline, dict.fromkeys(modules))
        return torch.nn.ModuleDict(modules)

    def assemble(self, modules: Mapping[str, torch.nn.Module]) -> Pipeline | ModelPart:
        return assembly.with_modules(self._template, dict(modules[""].named_children()))


class PartRecipe(Recipe):
    """
    One network, or the tensors of one file: what `models/components/networks.py` calls a ModelPart.

    A pipeline's own network is the same component.
    """

    def __init__(self, resolved: ResolvedModel, task: str, precision: Precision) -> None:
        super().__init__(resolved, precision)
        self._task = task
        self._class: type | None = None
        ignored = {
            "quantization": precision.quantization,
            "encoder_quantization": precision.encoder_quantization,
            "compile": precision.compile,
        }
        self.remarks += [
            f"{prop} is not used: {resolved.name} is no whole model."
            for prop, value in ignored.items()
            if value
        ]
        if task == TENSORS or resolved.kind == "file":
            files = (
                [resolved.path]
                if resolved.kind == "file"
                else [tensor_file(resolved.path, resolved.name)]
            )
            if not files[0].exists():
                raise incomplete(
                    resolved.name,
                    f"{files[0].name} is a link to {files[0].readlink()}, which is not there",
                )
            self._add(task, resolved, task, resolved.path, files, ModelPart)
            return
        self._folder, cls = network_folder(resolved, task)
        self._class = cls
        if resolved.parts:
            self._add_file(task, resolved.parts[0], self._folder, cls)
            return
        check_files(self._folder, resolved.name, resolved.variant, cls.__name__)
        part = (
            ""
            if self._folder == resolved.path
            else self._folder.relative_to(resolved.path).as_posix()
        )
        self._add(
            part, resolved, part, self._folder, weight_files(self._folder, resolved.variant), cls
        )

    def class_of(self, task: str) -> type | None:
        return self._class

    def read(self, part: str, waiting: Cancellable) -> torch.nn.Module:
        import torch

        waiting.check_cancelled()
        if self.resolved.parts and self._class is not None:
            return assembly.read_file(
                self._folder,
                self._class,
                self.resolved.parts[0],
                self.precision.dtype,
                self._class.__name__,
            )
        made = load_part(self.resolved, self._task, Device("cpu", self.precision.dtype))
        waiting.check_cancelled()
        if made.model is not None:
            return made.model  # type: ignore[no-any-return]
        # As buffers of a module, they go where its weights go.
        holder = torch.nn.Module()
        for number, tensor in enumerate(made.tensors.values()):
            holder.register_buffer(str(number), tensor)
        vars(holder)["part"] = made
        return holder

    def assemble(self, modules: Mapping[str, torch.nn.Module]) -> Pipeline | ModelPart:
        (module,) = modules.values()
        if isinstance(part := getattr(module, "part", None), ModelPart):
            return part
        return ModelPart(module, processor_in(self._folder), tokenizer_in(self._folder))


def part_folder(part: ResolvedPart) -> Path:
    """Return where the weights of a part lie in a folder: of a component, or of a whole model."""
    inside = part.model.path / part.component
    return inside if (inside / "config.json").is_file() else part.model.path
