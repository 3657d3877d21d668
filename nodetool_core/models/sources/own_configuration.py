"""
A repository's texts, written from numbers: configurations without a network and without the Hub.

They need the vocabulary of CLIP's tokenizer, which a package has that whoever wants this installs:
`pip install --no-deps open_clip_torch`.
"""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from nodetool_core.models.sources.clip_vocabulary import (
    END,
    START,
    tokenizer_files,
    vocabulary_file,
)
from nodetool_core.models.sources.file_families import FAMILIES
from nodetool_core.models.sources.known_configurations import CONFIGURATIONS, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER: Final = "nodetool-configurations"
_TOKENIZER: Final = {
    "tokenizer_class": "CLIPTokenizer",
    "model_max_length": 77,
    "bos_token": START,
    "eos_token": END,
    "unk_token": END,
    "errors": "replace",
    "add_prefix_space": False,
}
_NAMES: Final = {
    "": "model_index.json",
    "tokenizer": "tokenizer_config.json",
    "tokenizer_2": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
}
"""What the file of a component's settings is called; `config.json` for others."""


def own_configuration(repo_id: str, cache_dir: Path) -> tuple[Path, str] | None:
    """
    Return the folder with the texts of a repository, written where it is not there yet.

    None where the repository is not known, or no package has the vocabulary that it needs.

    Args:
        repo_id: Hub id of a family's base.
        cache_dir: Where the folder goes.

    Returns:
        The folder, and a digest of its files.
    """
    family, vocabulary = _family(repo_id), vocabulary_file()
    if family is None or family not in CONFIGURATIONS or vocabulary is None:
        return None
    files, digest = _texts(family, vocabulary)
    folder = cache_dir / _FOLDER / f"{family}-{digest[:16]}"
    if not folder.is_dir():
        _write(folder, files)
    return folder, digest


@cache
def _texts(family: str, vocabulary: Path) -> tuple[dict[str, str], str]:
    """Return the texts of a family's repository by path, and a digest of them."""
    files = _files(CONFIGURATIONS[family], tokenizer_files(vocabulary))
    return files, blake3(json.dumps(files, sort_keys=True).encode()).hexdigest()[:40]


def own_configuration_hint(repo_id: str) -> str:
    """Return what may be done where a repository's texts can't be had; empty for nothing."""
    if _family(repo_id) not in CONFIGURATIONS or vocabulary_file() is not None:
        return ""
    return ", or install the vocabulary of CLIP (`pip install --no-deps open_clip_torch`)"


def _family(repo_id: str) -> str | None:
    return next((key for key, one in FAMILIES.items() if one.base == repo_id), None)


def _files(configuration: Settings, words: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of a repository by path."""
    files: dict[str, str] = {}
    for part, settings in configuration.items():
        name = str(Path(part) / _NAMES.get(part, "config.json"))
        if part.startswith("tokenizer"):
            settings = {**_TOKENIZER, **settings}
            files |= {str(Path(part) / word): text for word, text in words.items()}
        elif part:
            library, cls = configuration[""][part]
            named = "_class_name" if library == "diffusers" else "architectures"
            settings = {named: cls if library == "diffusers" else [cls], **settings}
        files[name] = json.dumps(settings, indent=2)
    return files


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write a folder, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        whole = Path(made) / "whole"
        for name, text in files.items():
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            (whole / name).write_text(text, encoding="utf-8")
        try:
            os.replace(whole, folder)  # noqa: PTH105 - says at once whether another was first
        except OSError:
            if not folder.is_dir():
                raise
