"""
Which files of a repository are needed: of a pipeline, and of weights that are no pipeline.

A task asks for the latter by name: `network`, `network:<name>` and `tensors`
(`components/networks.py` says what each gets).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.component_files import variant_of
from nodetool_core.models.sources.headers import is_safetensors
from nodetool_core.models.sources.pickles import is_pickled, pickled
from nodetool_core.models.sources.repository_layout import variant_missing

if TYPE_CHECKING:
    from pathlib import Path

    from nodetool_core.references import ModelRef

TENSORS = "tensors"
NETWORK = "network"
FOLDER = "folder"
"""With the name of one, after a colon: all that a component has, with weights or without."""

CONFIGS = ("adapter_config.json", "config.json")
"""
What says how to use the tensors beside it, the first that there is.

Of PEFT's adapters, of whatever else.
"""

_ADAPTER_FILES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""Which of several files in a folder the tensors of an adapter are in."""


_INDEXES = ("model_index.json", "modular_model_index.json", "modular_config.json")
_TEXTS = (".json", ".txt", ".model", ".jinja")
_FOREIGN = re.compile(r"(^|/)(onnx|openvino|flax|tflite|coreml|\.git)[^/]*/|flax_|openvino_|\.onnx")


def part_of(task: str | None) -> str | None:
    """Return the kind of part that a task asks for; None where it asks for a pipeline."""
    is_part = task is not None and (task == TENSORS or task.partition(":")[0] in (NETWORK, FOLDER))
    return task if is_part else None


def pipeline_files(
    names: Sequence[str], ref: ModelRef, without: frozenset[str] = frozenset()
) -> list[str]:
    """
    Return what of a repository a pipeline reads.

    Texts and safetensors in component folders, of the variant asked for; no weights of the
    components in `without`.

    A component that lacks the variant comes without one, as diffusers loads it. Raises ModelError
    where the repository is not in diffusers form, has only pickles, or has no such variant.
    """
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    where = ref.repo_id
    singles = [name for name in names if is_safetensors(name) and "/" not in name]
    if not {"model_index.json", "modular_model_index.json"} & set(names):
        hint = (
            f"Name a single file in `path`, such as {singles[0]!r}."
            if singles
            else "Use a repository with a model_index.json."
        )
        raise ModelError(
            Problem(
                "model_not_diffusers",
                where,
                "has no model_index.json, so it is no pipeline in diffusers form.",
                hint,
            )
        )
    weights = _of_variant(
        [
            name
            for name in names
            if "/" in name and not _FOREIGN.search(name) and ".safetensors" in name
            if name.partition("/")[0] not in without
        ],
        ref,
    )
    if not weights and not without:
        raise pickled(where, "has no safetensors weights")
    texts = [
        *(name for name in names if name in _INDEXES),
        *texts_in_folders(names),
        *(name for name in names if name == "README.md"),
    ]
    chosen = filter_repo_objects(
        [*texts, *weights], allow_patterns=ref.allow_patterns, ignore_patterns=ref.ignore_patterns
    )
    return list(dict.fromkeys(chosen))


def texts_in_folders(names: Sequence[str]) -> list[str]:
    inside = [
        name
        for name in names
        if "/" in name
        and name.endswith(_TEXTS)
        and ".safetensors" not in name
        and ".bin" not in name
    ]
    own = ["model_index.json", *(["config.json"] if "config.json" in names else [])]
    return own + [name for name in inside if not _FOREIGN.search(name)]


def _of_variant(weights: Iterable[str], ref: ModelRef) -> list[str]:
    """
    Return the weight files of the variant, folder by folder.

    A folder that lacks it has those without a variant.
    """
    folders: dict[str, dict[str | None, list[str]]] = {}
    for name in weights:
        folder, _, file = name.rpartition("/")
        folders.setdefault(folder, {}).setdefault(variant_of(file), []).append(name)
    offered = {variant for by_variant in folders.values() for variant in by_variant if variant}
    if ref.variant and ref.variant not in offered:
        raise variant_missing(ref.repo_id, ref.variant, offered)
    if not ref.variant and (
        bare := [folder for folder, by_variant in folders.items() if None not in by_variant]
    ):
        hint = f"Set the model's `variant` to {sorted(folders[bare[0]], key=str)[0]!r}."
        raise ModelError(
            Problem("model_variant_needed", ref.repo_id, f"has {bare[0]} only as a variant.", hint)
        )
    return [
        name
        for by_variant in folders.values()
        for name in by_variant.get(ref.variant, by_variant.get(None, []))
    ]


def tensor_file(directory: Path, name: str) -> Path:
    """
    Return the one file of tensors in a directory.

    Raises ModelError where there is none, or several that are equally likely.
    """
    return directory / choose_tensor_file([path.name for path in directory.iterdir()], name)


def choose_tensor_file(names: Sequence[str], name: str) -> str:
    """Do as `tensor_file`, from the names of the files alone."""
    found = [file for file in names if is_safetensors(file) and "/" not in file]
    usual = [file for file in _ADAPTER_FILES if file in found]
    if usual or len(found) == 1:
        return (usual or found)[0]
    if found:
        hint = f"Name one in `path`: {', '.join(sorted(found)[:8])}."
        raise ModelError(
            Problem("model_file_ambiguous", name, f"holds {len(found)} safetensors files.", hint)
        )
    if any(map(is_pickled, names)):
        raise pickled(name, "has only pickled weights")
    raise ModelError(
        Problem(
            "model_file_missing",
            name,
            "holds no safetensors file.",
            "Name one inside of it in `path`.",
        )
    )


def part_files(names: Sequence[str], task: str, name: str, variant: str | None = None) -> list[str]:
    """
    Return what of a repository on the Hub a part needs.

    Of the weights those of the variant, or those without one where it has none.
    """
    if task == TENSORS:
        return [
            choose_tensor_file(names, name),
            *(config for config in CONFIGS if config in names),
        ]
    if task.startswith(FOLDER):
        return _folder_files(names, folders_of(task)[0], name, variant)
    folder = next((one for one in folders_of(task) if f"{one}/config.json" in names), "")
    root = f"{folder}/" if folder else ""
    if f"{root}config.json" not in names:
        raise no_network(name, f"has no {root}config.json")
    inside = [
        file for file in names if file.startswith(root) and "/" not in file.removeprefix(root)
    ]
    texts = [
        file for file in inside if file.endswith((".json", ".txt")) and ".safetensors" not in file
    ]
    weights = [file for file in inside if ".safetensors" in file]
    offered = {variant_of(file) for file in weights}
    kept = variant if variant in offered else None
    return texts + [
        file for file in weights if variant_of(file) == kept or offered == {variant_of(file)}
    ]


def _folder_files(names: Sequence[str], folder: str, name: str, variant: str | None) -> list[str]:
    """Return the texts of a component, and its weights of a variant, or those without one."""
    inside = [file for file in names if file.startswith(f"{folder}/")]
    weights = [file for file in inside if is_safetensors(file)]
    if not inside or (not weights and any(map(is_pickled, inside))):
        raise no_network(name, f"has nothing in {folder} that can be read")
    offered = {variant_of(file) for file in weights}
    kept = variant if variant in offered else None
    texts = [file for file in inside if file.endswith(_TEXTS)]
    return list(dict.fromkeys([*texts, *(one for one in weights if variant_of(one) == kept)]))


def part_probes(task: str) -> list[str]:
    """
    Return patterns of files of a repository, one of which is on this machine where the part is.
    """
    if task.startswith(FOLDER):
        return [f"{folder}/*" for folder in folders_of(task)]
    return (
        ["*.safetensors"]
        if task == TENSORS
        else [*(f"{folder}/config.json" for folder in folders_of(task)), "config.json"]
    )


def folders_of(task: str) -> list[str]:
    """Return the folders that a part may be in, the first that there is: `network:unet|vae`."""
    return [one for one in task.partition(":")[2].split("|") if one]


def no_network(name: str, what: str) -> ModelError:
    hint = "Give a directory or repository of one network, with config.json and safetensors."
    return ModelError(Problem("model_not_diffusers", name, f"{what}, so it is no network.", hint))
