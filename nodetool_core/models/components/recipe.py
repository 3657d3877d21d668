"""The base of recipes: the components of one model, by their keys, and what reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from blake3 import blake3

from nodetool_core.models.components.component_key import ComponentKey, Precision
from nodetool_core.models.components.estimates import tensor_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.components.networks import ModelPart
    from nodetool_core.models.protocols import Cancellable
    from nodetool_core.models.sources.resolved import ResolvedModel, ResolvedPart

_HASH_LETTERS = 64
"""Length of a SHA-256 in hexadecimal, which is how the Hub's cache names large files."""


class Recipe(ABC):
    """How to make one model from its components. Safe to use from many threads."""

    def __init__(self, resolved: ResolvedModel, precision: Precision) -> None:
        self.resolved = resolved
        self.precision = precision
        self.keys: dict[str, ComponentKey] = {}
        """Component to key."""
        self.estimates: dict[ComponentKey, int] = {}
        """Bytes that each component will take, by the headers of its files."""
        self.remarks: list[str] = []
        """What is reported each time the model is used."""

    def check(self, task: str) -> None:  # noqa: B027 - most recipes have nothing to refuse
        """Refuse a task that the model can't do, before anything is read. Raises ModelError."""

    def class_of(self, task: str) -> type | None:
        """
        Return the class that does a task; None where only the weights can say.

        Raises ModelError where the model can't do it.
        """
        return None

    @abstractmethod
    def read(self, part: str, waiting: Cancellable) -> torch.nn.Module:
        """
        Return a component with its weights, in host memory.

        Takes seconds. Raises ModelError, RunCancelled.
        """

    @abstractmethod
    def assemble(self, modules: Mapping[str, torch.nn.Module]) -> Pipeline | ModelPart:
        """Return a pipeline (or a ModelPart) over components that were read. Raises ModelError."""

    def _add(
        self, name: str, of: ResolvedModel, part: str, folder: Path, files: list[Path], cls: type
    ) -> None:
        """
        Add a component by its name here, and by what it is.

        It is a part of a model, in files of a folder, of a class.
        """
        used = of.variant if of.variant and any(of.variant in file.name for file in files) else None
        content = _content(folder, files)
        source = content or f"{of.path}@{of.own_revision}"
        key = ComponentKey(
            f"{source} {cls.__name__}",
            "" if content else part,
            used,
            self.precision.of_part(name) if name else self.precision,
        )
        self.keys[name] = key
        self.estimates[key] = sum(
            tensor_bytes(file, self.precision.dtype.itemsize) for file in files
        )

    def _add_file(self, name: str, part: ResolvedPart, config: Path, cls: type) -> None:
        """Add a component whose weights are in a file, and its configuration in a folder."""
        of = part.model
        # Bases whose configurations differ make different modules of one file.
        settings = blake3((config / "config.json").read_bytes()).hexdigest()[:16]
        content = _content(of.path.parent, [of.path])
        key = ComponentKey(
            f"{content or f'{of.path}@{of.own_revision}'} {cls.__name__}",
            f"{part.prefix} {settings}",
            None,
            self.precision.of_part(name),
        )
        self.keys[name] = key
        self.estimates[key] = tensor_bytes(of.path, self.precision.dtype.itemsize, part.prefix)


def _content(folder: Path, files: list[Path]) -> str | None:
    """
    Return what the files hold, where that is known without reading them.

    Links into the Hub's cache, named by SHA-256.
    """
    hashes = [file.readlink().name if file.is_symlink() else "" for file in files]
    if not hashes or not all(len(name) == _HASH_LETTERS for name in hashes):
        return None
    config = folder / "config.json"
    return blake3(
        " ".join([*hashes, config.read_text(encoding="utf-8") if config.is_file() else ""]).encode()
    ).hexdigest()
