"""
Weights that are no pipeline: one network, or the tensors of one file.

A task asks for them by name, and gets a `ModelPart`:

    network          a directory whose `config.json` names a class of diffusers or transformers: a
                     ControlNet, a depth estimator
    network:<name>   the same in the folder of that name, where the directory has one: `network:vae`
                     takes the autoencoder of a pipeline's directory and an autoencoder's own one
                     alike, `network:image_encoder` of a model that reads texts and sees images the
                     half that sees
    tensors          the tensors of one safetensors file, by name, and the `config.json` beside it:
                     a LoRA, an IP adapter, an upscaler
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.components.integrity import load_failure
from nodetool_core.models.diffusers.deserialize import read_module
from nodetool_core.models.sources.file_formats import unreadable, weights_header
from nodetool_core.models.sources.pickles import pickled
from nodetool_core.models.sources.repository_files import (
    CONFIGS,
    NETWORK,
    TENSORS,
    folders_of,
    no_network,
    tensor_file,
)
from nodetool_core.models.sources.repository_layout import read_json

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from transformers import PreTrainedTokenizerBase

    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.sources.resolved import ResolvedModel


@dataclass
class ModelPart:
    """Weights that are no pipeline. Shared with whoever else uses them: not to be changed."""

    model: Any = None
    """The network, in evaluation mode on the device."""
    processor: Any = None
    """What turns images into the network's input, where its directory has one (transformers)."""
    tokenizer: PreTrainedTokenizerBase | None = None
    """What turns texts into the network's input, where its directory has one (transformers)."""
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    """Name to tensor, on the device, in the number format of the file."""
    metadata: dict[str, str] = field(default_factory=dict)
    """What the header of a safetensors file says besides."""
    config: dict[str, Any] = field(default_factory=dict)
    """
    What `adapter_config.json`, else `config.json`, says beside the tensors of a directory.

    Empty where it has none, and for a file.
    """
    device: str = "cpu"
    """Where to compute with it, as torch spells it."""


_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model")
"""Vocabularies of the tokenizers beside networks that read texts."""

VISION_TOWERS = {"CLIPModel": "CLIPVisionModelWithProjection", "SiglipModel": "SiglipVisionModel"}
"""The half that sees of classes of transformers that compare texts with images."""


def load_part(resolved: ResolvedModel, task: str, device: Device) -> ModelPart:
    """Return the part that `task` asks for. Raises ModelError where the files are none."""
    if task == TENSORS:
        if resolved.kind == "file":
            return _tensors(resolved.path, resolved.name)
        part = _tensors(tensor_file(resolved.path, resolved.name), resolved.name)
        config = next((file for name in CONFIGS if (file := resolved.path / name).is_file()), None)
        return part if config is None else replace(part, config=read_json(config, resolved.name))
    folder, model_class = network_folder(resolved, task)
    return _network(folder, model_class, resolved, device)


def network_folder(resolved: ResolvedModel, task: str) -> tuple[Path, type]:
    """
    Return where the network of a task lies in a directory, and its class.

    Raises ModelError where there is none.
    """
    if resolved.kind == "file":
        message = "is a single file, which does not say what network it is."
        raise ModelError(
            Problem(
                "model_not_diffusers", resolved.name, message, "Use a directory with a config.json."
            )
        )
    folder = next(
        (
            folder
            for one in folders_of(task)
            if ((folder := resolved.path / one) / "config.json").is_file()
        ),
        resolved.path,
    )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise no_network(resolved.name, f"has no config.json that can be read ({error})") from error
    cls = _class_of(config, resolved.name)
    return folder, image_encoder_of(cls) if task == f"{NETWORK}:image_encoder" else cls


def _tensors(path: Path, name: str) -> ModelPart:
    from safetensors import SafetensorError, safe_open

    if weights_header(path, name).format != "safetensors":
        raise unreadable(name, "it is a GGUF file, of which single tensors are not taken")
    try:
        with safe_open(path, framework="pt") as file:
            return ModelPart(
                tensors={key: file.get_tensor(key) for key in file.keys()},  # noqa: SIM118
                metadata=dict(file.metadata() or {}),
            )
    except (SafetensorError, OSError) as error:
        raise unreadable(name, str(error)) from error


def _network(folder: Path, model_class: type, resolved: ResolvedModel, device: Device) -> ModelPart:
    if not any(path.name.endswith(".safetensors") for path in folder.iterdir()):
        raise pickled(resolved.name, "has no safetensors weights")
    try:
        return ModelPart(
            read_module(model_class, folder, device.dtype, variant=resolved.variant),
            processor_in(folder),
            tokenizer_in(folder),
        )
    except Exception as error:
        raise load_failure(resolved.name, model_class.__name__, error) from error


def _class_of(config: dict[str, object], name: str) -> type:
    """
    Return the class that a `config.json` names, of diffusers or transformers.

    No other code is ever run.
    """
    import diffusers
    import transformers

    architectures = config.get("architectures")
    for library, base, named in (
        (diffusers, diffusers.ModelMixin, config.get("_class_name")),
        (
            transformers,
            transformers.PreTrainedModel,
            architectures[0] if isinstance(architectures, list) and architectures else None,
        ),
    ):
        found = getattr(library, named, None) if isinstance(named, str) else None
        if isinstance(found, type) and issubclass(found, base):
            return found
        if isinstance(named, str):
            message = (
                f"names the class {named}, which {library.__name__} {library.__version__} lacks."
            )
            raise ModelError(
                Problem(
                    "model_class_unknown",
                    name,
                    message,
                    "A newer version may have it; code beside a model is never run.",
                )
            )
    raise no_network(name, "has a config.json that names no class")


def image_encoder_of(cls: type) -> type:
    import transformers

    return (
        getattr(transformers, VISION_TOWERS[cls.__name__]) if cls.__name__ in VISION_TOWERS else cls
    )


def processor_in(folder: Path) -> Any:
    """
    Return what turns images into the input of the network in a folder.

    None where it has none, or one that works with torchvision alone.
    """
    if not (folder / "preprocessor_config.json").is_file():
        return None
    from transformers import AutoImageProcessor

    # Without torchvision: the images that nodes have are Pillow's anyway.
    try:
        return AutoImageProcessor.from_pretrained(str(folder), backend="pil")  # type: ignore[no-untyped-call]
    except (ImportError, ValueError) as error:
        if "torchvision" not in str(error).lower():
            raise
        return None


def tokenizer_in(folder: Path) -> PreTrainedTokenizerBase | None:
    """Return what turns texts into the input of the network in a folder; None where it has none."""
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        return None
    from transformers import AutoTokenizer, PreTrainedTokenizerBase

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer
