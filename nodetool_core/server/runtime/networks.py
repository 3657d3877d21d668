"""
Files that clients may name: those in the folders of models.

LoRAs and embeddings are named by every client: the operator has put them there for that, as for a
web UI. Models and their parts are named in the workflows of clients, where those are allowed, as
for ComfyUI; else they are listed one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from nodetool_core.models.sources.file_formats import is_weights
from nodetool_core.models.sources.headers import is_safetensors
from nodetool_core.references import ModelRef

if TYPE_CHECKING:
    from nodetool_core.models.sources.allowlist import ModelAllowlist
    from nodetool_core.models.sources.model_folders import FolderFile, ModelFolders

_KINDS: Final[Mapping[str, str]] = {"loras": "hf.lora", "embeddings": "hf.embedding"}
"""The kinds of references by categories of folders, of files that every client names."""


@dataclass(frozen=True)
class Networks:
    """The files by what prompts call them: their names without the ending and the folders."""

    loras: Mapping[str, FolderFile]
    embeddings: Mapping[str, FolderFile]


def networks_in(folders: ModelFolders) -> Networks:
    """Return the LoRAs and embeddings there are now. Blocks: reads folders."""
    found: dict[str, dict[str, FolderFile]] = {category: {} for category in _KINDS}
    for file in _files(folders):
        found[file.category].setdefault(PurePosixPath(file.name).stem, file)
    return Networks(found["loras"], found["embeddings"])


def list_networks(folders: ModelFolders, listed: ModelAllowlist) -> None:
    """Let clients name the LoRAs and embeddings there are now. Blocks: reads folders."""
    for file in _files(folders):
        listed.add(ModelRef(type=_KINDS[file.category], repo_id=file.name))


def list_all(folders: ModelFolders, listed: ModelAllowlist) -> dict[str, list[str]]:
    """Let clients name every file there is now; return their names by category. Blocks."""
    found: dict[str, list[str]] = {category: [] for category in folders.places}
    for file in folders.files():
        if is_weights(file.name):
            found[file.category].append(file.name)
            listed.add(ModelRef(repo_id=file.name))
    return found


def _files(folders: ModelFolders) -> Iterator[FolderFile]:
    for file in folders.files(*_KINDS):
        if is_safetensors(file.name):
            yield file
