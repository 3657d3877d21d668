"""
The classes that graphs may have, as `/object_info` describes them and as graphs are checked.

Which they are, the reader of graphs says; which files their inputs may name, the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.importing.graphs import Files, GraphReader
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.runtime.networks import list_all

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

ANY: Final = "*"
"""The type that fits every other."""

FOLDERS: Final = (
    *("checkpoints", "configs", "controlnet", "diffusion_models", "embeddings", "loras"),
    *("text_encoders", "upscale_models", "vae"),
)
"""Folders of models that clients ask for."""

_FOLDER_OF: Final = {
    "hf.controlnet": "controlnet",
    "hf.lora": "loras",
    "hf.real_esrgan": "upscale_models",
}
"""Folders of references that are not to a whole model."""

_SHARED: Final = ("controlnet", "loras", "upscale_models")
"""Where models stand of which it is not known what they are."""


@dataclass(frozen=True)
class InputInfo:
    """What an input takes."""

    kind: str
    """A type; empty for one of some choices."""
    choices: Sequence[Json]
    options: Mapping[str, Json]
    config: Json
    """As `/object_info` has it."""

    @classmethod
    def of(cls, config: Json) -> InputInfo:
        """Return an input as it is described."""
        parts = config if isinstance(config, list) else [ANY]
        options = parts[1] if len(parts) > 1 else None
        kind, choices = (parts[0], ()) if isinstance(parts[0], str) else ("", parts[0])
        return cls(
            kind,
            choices if isinstance(choices, (list, tuple)) else (),
            options if isinstance(options, dict) else {},
            config,
        )

    @property
    def folder(self) -> str:
        """Where the file is uploaded that the input names; empty where it names none."""
        return "input" if "image_upload" in self.options else ""

    @property
    def is_checked(self) -> bool:
        """Whether only one of the choices may be given."""
        return not self.kind and not {"image_upload", "unchecked"} & self.options.keys()


@dataclass(frozen=True)
class ClassInfo:
    """What a class takes and gives."""

    required: Mapping[str, InputInfo]
    optional: Mapping[str, InputInfo]
    gives: Sequence[str]
    is_output: bool

    @classmethod
    def of(cls, described: JsonObject) -> ClassInfo:
        """Return a class as it is described."""
        inputs, gives = described.get("input"), described.get("output")
        groups = inputs if isinstance(inputs, dict) else {}
        return cls(
            _inputs(groups.get("required")),
            _inputs(groups.get("optional")),
            [str(kind) for kind in gives] if isinstance(gives, list) else [],
            described.get("output_node") is True,
        )

    @property
    def inputs(self) -> Mapping[str, InputInfo]:
        """All inputs."""
        return {**self.required, **self.optional}


class Classes:
    """The classes of one server."""

    def __init__(self, state: AppState, reader: GraphReader) -> None:
        self._state = state
        self._reader = reader
        self._infos: tuple[Files, Mapping[str, ClassInfo]] = {}, {}
        """The last that was found, with the models that it was made for."""

    def described(self, uploads: Sequence[str] = ()) -> Mapping[str, JsonObject]:
        """
        Return every class, as `/object_info` describes it.

        Args:
            uploads: Names of the client's files in the folder of inputs.
        """
        return self._reader.classes({**self.models(), "input": uploads})

    def infos(self) -> Mapping[str, ClassInfo]:
        """Return what every class takes and gives."""
        models = self.models()
        made_for, infos = self._infos
        if made_for != models:
            described = self._reader.classes({**models, "input": ()})
            infos = {name: ClassInfo.of(info) for name, info in described.items()}
            self._infos = models, infos
        return infos

    def models(self) -> Files:
        """Return the models that clients may name, by folder."""
        catalog = self._state.catalog
        found: dict[str, list[str]] = {folder: [] for folder in FOLDERS}
        found["checkpoints"] += catalog.models
        for served in catalog:
            for ref in served.models:
                if ref.repo_id and ref.path is None:
                    found[_FOLDER_OF.get(ref.type, "checkpoints")].append(ref.repo_id)
        known = {name for names in found.values() for name in names}
        found["diffusion_models"] += catalog.models
        for folder, names in self._files().items():
            known |= set(names)
            if folder in found:
                found[folder] += names
        for name in catalog.listed:
            if name not in known:
                for folder in _SHARED:
                    found[folder].append(name)
        return {folder: list(dict.fromkeys(names)) for folder, names in found.items()}

    def _files(self) -> dict[str, list[str]]:
        """Return the files in the folders of models that clients may name, by category."""
        state = self._state
        if not state.settings.client_workflows:
            return {}
        return list_all(state.models.resolver.folders, state.catalog.listed)


def _inputs(described: Json) -> dict[str, InputInfo]:
    if not isinstance(described, dict):
        return {}
    return {name: InputInfo.of(config) for name, config in described.items()}
