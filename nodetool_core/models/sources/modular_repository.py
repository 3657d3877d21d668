"""
Repositories of Modular Diffusers: what their index says of components, and where those lie.

Such an index names each component by its class and by where it comes from: a folder of the
repository itself, or one of another repository. The names of a repository's blocks stand there too;
code that comes with one runs only where the operator names it (`CODE_VARIABLE`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.models.sources.repository_files import FOLDER
from nodetool_core.models.sources.repository_layout import incomplete, read_json
from nodetool_core.references import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nodetool_core.models.sources.resolved import ResolvedModel, ResolvedPart

MODULAR_INDEX: Final = "modular_model_index.json"
CODE_INDEX: Final = "modular_config.json"
"""Names the blocks that a repository's own code has."""
CODE_VARIABLE: Final = "NODETOOL_MODEL_CODE"
"""
Names repositories and folders whose code may run, by commas.

A variable of whoever starts the process, so that no workflow and no client can allow anything.
"""


@dataclass(frozen=True, slots=True)
class ModularComponent:
    """One component, as the index names it."""

    library: str
    class_name: str
    repo_id: str
    """The other repository that has it; empty for the model's own folder."""
    subfolder: str
    variant: str | None = None
    revision: str | None = None

    @property
    def ref(self) -> ModelRef:
        """What it is fetched by."""
        return ModelRef(repo_id=self.repo_id, variant=self.variant, revision=self.revision)

    @property
    def part(self) -> str:
        """The part of its repository that is fetched."""
        return f"{FOLDER}:{self.subfolder}"


@dataclass(frozen=True, slots=True)
class ModularLayout:
    """A directory with an index of Modular Diffusers."""

    class_name: str
    """The modular pipeline, such as `StableDiffusionXLModularPipeline`."""
    blocks_name: str
    """The class of its blocks; that of blocks made by hand says nothing."""
    components: Mapping[str, ModularComponent]
    settings: Mapping[str, object]


def is_modular(directory: Path) -> bool:
    """Return whether a directory has an index of Modular Diffusers, and no other."""
    return (directory / MODULAR_INDEX).is_file() and not (directory / "model_index.json").is_file()


def read_modular_layout(directory: Path, name: str) -> ModularLayout:
    """Return what the index of a directory says. Raises ModelError where it says it badly."""
    content = read_json(directory / MODULAR_INDEX, name)
    components: dict[str, ModularComponent] = {}
    settings: dict[str, object] = {}
    for part, value in content.items():
        if isinstance(value, list) and len(value) == _PARTS and isinstance(value[2], dict):
            if (found := _component(directory, name, part, value[2])) is not None:
                components[part] = found
        elif not part.startswith("_"):
            settings[part] = value
    return ModularLayout(
        str(content.get("_class_name")),
        str(content.get("_blocks_class_name") or ""),
        components,
        settings,
    )


_PARTS: Final = 3
"""Library, class, and where it comes from."""


def _component(
    directory: Path, name: str, part: str, said: Mapping[str, object]
) -> ModularComponent | None:
    """Return a component; None where the index names none, and leaves it to whoever runs it."""
    kind = said.get("type_hint")
    source = str(said.get("pretrained_model_name_or_path") or "")
    subfolder = str(said.get("subfolder") or "")
    if not (isinstance(kind, list) and len(kind) == 2 and all(kind)) or not source:
        return None
    if not subfolder or ".." in subfolder.split("/") or subfolder.startswith("/"):
        raise incomplete(name, f"{part} is in no folder of its repository ({subfolder!r})")
    # As diffusers does it: what lies in the folder counts, wherever it was saved once.
    is_own = source == name or (directory / subfolder).is_dir()
    return ModularComponent(
        str(kind[0]),
        str(kind[1]),
        "" if is_own else source,
        subfolder,
        said["variant"] if isinstance(said.get("variant"), str) else None,  # type: ignore[arg-type]
        said["revision"] if isinstance(said.get("revision"), str) else None,  # type: ignore[arg-type]
    )


def with_components(
    own: ResolvedModel, find: Callable[[ModelRef, str], ResolvedModel | None]
) -> ResolvedModel | None:
    """
    Return a model with the components that other repositories have, as `find` finds them.

    None where that finds nothing. Any other model is returned as it is. Raises ModelError.
    """
    from dataclasses import replace

    from nodetool_core.models.sources.resolved import ResolvedPart

    if own.kind != "directory" or not is_modular(own.path):
        return own
    parts: list[ResolvedPart] = []
    for name, component in read_modular_layout(own.path, own.name).components.items():
        if component.repo_id:
            found = find(component.ref, component.part)
            if found is None:
                return None
            parts.append(ResolvedPart(name, found))
    if not parts:
        return own
    revision = "+".join([own.revision, *(part.revision for part in parts)])
    return replace(own, revision=revision, parts=tuple(parts))


def has_own_code(directory: Path) -> bool:
    """Return whether the blocks of a repository are code of its own."""
    index = directory / CODE_INDEX
    return index.is_file() and bool(read_json(index, str(directory)).get("auto_map"))


def allows_code(name: str) -> bool:
    """Return whether the operator allows the code of a repository or folder, by its name."""
    allowed = {one.strip() for one in os.environ.get(CODE_VARIABLE, "").split(",")}
    return bool(name) and name in allowed
