"""
What a directory of weights holds.

Reads `model_index.json`, and refuses what must not or can't be loaded.

Nothing is imported or loaded here; only names and small JSON files are looked at, so that a refusal
costs milliseconds and comes before gigabytes are read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.component_files import missing_files, weight_variants
from nodetool_core.models.sources.file_formats import is_weights
from nodetool_core.models.sources.inspection import inspect_file
from nodetool_core.models.sources.pickles import is_pickled, pickled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

_SETTINGS = {
    "config.json",
    "scheduler_config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
}
"""Files of a component in which the libraries look first."""

_DISPENSABLE = {"safety_checker", "feature_extractor"}
"""Components without which most pipelines run; diffusers says of which."""

_SHOWN = 3
"""How many names of files a message lists."""

_WITHOUT_WEIGHTS = {
    "guider_config.json",
    "scheduler_config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
}
"""Files that mark a component as one that has no weights."""


@dataclass(frozen=True)
class Layout:
    """A directory in diffusers form."""

    directory: Path
    class_name: str
    """The pipeline that the weights were saved from, such as `StableDiffusionPipeline`."""
    components: dict[str, tuple[str, str]]
    """
    Name to library and class, such as `unet` to `("diffusers", "UNet2DConditionModel")`.

    Absent ones are left out.
    """
    absent: dict[str, ModelError] = field(default_factory=dict)
    """
    Components that the index names and whose files are missing, with the error of each.

    They may be dispensable.
    """

    def config(self, component: str) -> dict[str, Any]:
        """Return the `config.json` of a component; empty where there is none."""
        path = self.directory / component / "config.json"
        return read_json(path, str(path)) if path.is_file() else {}


def read_layout(
    directory: Path, name: str, variant: str | None = None, given: Collection[str] = ()
) -> Layout:
    """
    Return the layout of a directory, checked: safetensors for every component, no code of its own.

    `name` is what the user called the model; it goes into messages. Of the components in `given`
    the weights come from elsewhere. Raises ModelError.
    """
    index = directory / "model_index.json"
    if index.is_symlink() and not index.exists():
        raise incomplete(
            name, f"model_index.json is a link to {index.readlink()}, which is not there"
        )
    if not index.is_file():
        raise _not_diffusers(directory, name)
    content = read_json(index, name)
    class_name = content.get("_class_name")
    if not isinstance(class_name, str):
        raise _custom_code(
            name, f"names the pipeline {class_name!r}" if class_name else "names no pipeline class"
        )
    components = {
        part: (str(value[0]), str(value[1]))
        for part, value in content.items()
        if isinstance(value, list)
        and len(value) == 2
        and value[0] is not None
        and value[1] is not None
    }
    absent: dict[str, ModelError] = {}
    for part, (library, kind) in components.items():
        try:
            if part in given:
                _check_configuration(directory / part, name, part, kind)
            else:
                _check_component(directory, name, part, library, kind, variant)
        except ModelError as error:
            if part not in _DISPENSABLE or error.problem.code == "model_custom_code":
                raise
            absent[part] = error
    if "feature_extractor" in absent and "safety_checker" in components:
        # It looks at what the extractor makes of the image.
        absent.setdefault("safety_checker", absent["feature_extractor"])
    _check_variant(directory, name, [one for one in components if one not in given], variant)
    return Layout(
        directory,
        class_name,
        {part: kind for part, kind in components.items() if part not in absent},
        absent,
    )


def _check_configuration(folder: Path, name: str, part: str, kind: str) -> None:
    """Raise ModelError where nothing says how large a component is whose weights are given."""
    if not (folder / "config.json").is_file():
        raise incomplete(
            name, f"{part} ({kind}) has no config.json, which says how its weights are to be read"
        )
    read_json(folder / "config.json", name)


def _check_component(
    directory: Path, name: str, part: str, library: str, kind: str, variant: str | None
) -> None:
    folder = directory / part
    if (folder / f"{library}.py").is_file() or (directory / f"{library}.py").is_file():
        raise _custom_code(name, f"brings its own code for {part} ({library}.py)")
    files = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if files:
        check_files(folder, name, variant, f"{part} ({kind})")
    for settings in files & _SETTINGS:
        read_json(folder / settings, name)
    if files & _WITHOUT_WEIGHTS:
        return
    variants = weight_variants([*files])
    if not variants:
        if old := sorted(filter(is_pickled, files)):
            raise pickled(name, f"{part} has only pickled weights ({', '.join(old)})")
        raise incomplete(name, f"{part} ({kind}) has neither weights nor settings in {folder}")
    if "config.json" not in files:
        raise incomplete(
            name, f"{part} ({kind}) has weights, and no config.json that says what they are"
        )
    if variant not in variants and None not in variants:
        offered = ", ".join(sorted(map(repr, variants)))
        hint = f"Set the model's `variant` to {offered.split(', ')[0]}."
        raise ModelError(
            Problem("model_variant_needed", name, f"has {part} only as variant {offered}.", hint)
        )


def check_files(folder: Path, name: str, variant: str | None, what: str) -> None:
    """Raise ModelError where files of a component are missing; `what` names it."""
    if missing := missing_files(folder, variant):
        shown = ", ".join(missing[:_SHOWN]) + (
            f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        )
        raise incomplete(
            name, f"{what} lacks {shown}: a download was stopped, or files were deleted"
        )


def _check_variant(directory: Path, name: str, parts: Iterable[str], variant: str | None) -> None:
    """Raise ModelError where a variant is asked for that no component has."""
    if not variant:
        return
    folders = [directory / part for part in parts if (directory / part).is_dir()]
    offered = {
        found
        for folder in folders
        for found in weight_variants([path.name for path in folder.iterdir()])
    }
    if variant not in offered:
        raise variant_missing(name, variant, {found for found in offered if found})


def variant_missing(name: str, variant: str, offered: set[str]) -> ModelError:
    """Return the refusal of a variant that a model does not have, with those that it has."""
    hint = (
        f"It has {', '.join(sorted(map(repr, offered)))}."
        if offered
        else "It has none: leave `variant` out."
    )
    return ModelError(Problem("model_variant_missing", name, f"has no variant {variant!r}.", hint))


def incomplete(name: str, what: str) -> ModelError:
    """Return the refusal of a model that is not whole on this machine."""
    hint = "Fetch the model again, with the network at hand: what is here already is kept."
    return ModelError(Problem("model_incomplete", name, f"is incomplete: {what}.", hint))


def _custom_code(name: str, what: str) -> ModelError:
    hint = "Use a model whose pipeline is part of diffusers."
    return ModelError(
        Problem(
            "model_custom_code", name, f"{what}; code that comes with a model is never run.", hint
        )
    )


def _not_diffusers(directory: Path, name: str) -> ModelError:
    files = sorted(path.name for path in directory.iterdir() if path.is_file())
    singles = [file for file in files if is_weights(file)]
    if "adapter_config.json" in files:
        hint = "It looks like a LoRA, which changes another model: set the model to its base."
    elif singles:
        hint = _hint_of_files(directory, singles)
    elif any(map(is_pickled, files)):
        return pickled(name, "has only pickled weights")
    else:
        hint = (
            "Give a model in diffusers form (with model_index.json, unet or transformer, vae, …) or"
            " a single .safetensors file."
        )
    return ModelError(
        Problem(
            "model_not_diffusers",
            name,
            "has no model_index.json, so it is no pipeline in diffusers form.",
            hint,
        )
    )


def _hint_of_files(directory: Path, files: list[str]) -> str:
    """Return what to do with the single files in a folder that is no pipeline."""
    named = f"It holds single files: name one in `path`, such as {files[0]!r}."
    try:
        described = inspect_file(directory / files[0], files[0])
    except ModelError:
        # Loading it says what is wrong with it.
        return named
    if described.kind in ("checkpoint", "unknown"):
        return named
    return f"Its file {files[0]!r} looks like {described.name}. {described.hint}"


def read_json(path: Path, name: str) -> dict[str, Any]:
    """
    Return the object in a JSON file.

    Raises ModelError where there is none; `name` is what the user called the model.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            Problem(
                "model_incomplete",
                name,
                f"{path} can't be read: {error}.",
                "Fetch the model again.",
            )
        ) from error
    if not isinstance(content, dict):
        raise ModelError(
            Problem(
                "model_incomplete", name, f"{path} holds no JSON object.", "Fetch the model again."
            )
        )
    return content
