"""
A pipeline from one safetensors file in the layout of its authors.

Which family a file is of follows from the names and shapes in its header; which components that
family has, by a repository on the Hub, whose texts alone are fetched. diffusers renames the
tensors. What it gives each component is looked at on the way, as it says nothing of what lacks: see
`components/integrity.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.components.integrity import (
    check_whole,
    gaps_of,
    load_failure,
    quantized_names,
    quantized_unread,
)
from nodetool_core.models.diffusers.deserialize import ONE_AT_A_TIME
from nodetool_core.models.sources.file_families import FAMILIES
from nodetool_core.models.sources.file_formats import weights_header
from nodetool_core.models.sources.headers import Header, StoredTensor
from nodetool_core.models.sources.inspection import describe, no_whole_model
from nodetool_core.models.sources.own_configuration import own_configuration_hint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.protocols import Cancellable
    from nodetool_core.models.sources.hub import Hub
    from nodetool_core.models.sources.resolved import ResolvedModel

_FALLBACK = "v1"
"""What diffusers calls Stable Diffusion 1.5, and takes every file for that it does not know."""


def load_file(
    resolved: ResolvedModel, dtype: torch.dtype, hub: Hub, waiting: Cancellable
) -> Pipeline:
    """
    Return the pipeline of a single file, with all its weights.

    Raises ModelError where it is none or lacks something, RunCancelled.
    """
    import diffusers

    family, config = _configuration(resolved, hub, waiting)
    class_name = _class_name(config)
    try:
        with ONE_AT_A_TIME, _looking_on(_tensors(resolved)):
            made: Pipeline = getattr(diffusers, class_name).from_single_file(
                str(resolved.path), config=str(config), dtype=dtype, local_files_only=True
            )
            return made
    except _Absent as error:
        hint = (
            f"Use a file that holds all components, or {family} (or another repository of this"
            " family) in diffusers form."
        )
        raise ModelError(
            Problem("model_incomplete", resolved.name, f"holds no {error}.", hint)
        ) from error
    except Exception as error:
        raise load_failure(resolved.name, class_name, error) from error


def class_of_file(resolved: ResolvedModel, hub: Hub, waiting: Cancellable) -> str:
    """
    Return the name of the pipeline class of a single file, by its header.

    Raises ModelError where it holds no pipeline, RunCancelled.
    """
    return _class_name(_configuration(resolved, hub, waiting)[1])


def _configuration(resolved: ResolvedModel, hub: Hub, waiting: Cancellable) -> tuple[str, Path]:
    """Return the repository whose configuration a file fits, and where that lies."""
    family = family_of(weights_header(resolved.path, resolved.name), resolved.name)
    try:
        return family, hub.configuration(family, waiting)
    except ModelError as error:
        message = (
            "is a single file, which says nothing of its text encoder and tokenizer; those of"
            f" {family} are needed. {error}"
        )
        own = own_configuration_hint(family)
        hint = f"Run once with a network{own}, or use the model as a directory in diffusers form."
        raise ModelError(
            Problem("model_configuration_missing", resolved.name, message, hint)
        ) from error


def _class_name(config: Path) -> str:
    import diffusers

    return str(diffusers.DiffusionPipeline.load_config(str(config))["_class_name"])


def family_of(header: Header, name: str) -> str:
    """
    Return the repository on the Hub that says how a single file is to be read.

    Raises ModelError where it holds no pipeline.
    """
    import torch
    from diffusers.loaders.single_file_utils import (
        DIFFUSERS_DEFAULT_PIPELINE_PATHS,
        infer_diffusers_model_type,
    )

    described = describe(header)
    if described.kind != "checkpoint":
        raise no_whole_model(name, described)
    if quantized := quantized_names(header.tensors):
        raise quantized_unread(name, quantized)
    shapes = {
        key: torch.empty(tensor.shape, device="meta") for key, tensor in header.tensors.items()
    }
    family = infer_diffusers_model_type(shapes)  # type: ignore[no-untyped-call]
    known = FAMILIES.get(described.family or "")
    if family == _FALLBACK and known is not None and known.base:
        return known.base
    return str(DIFFUSERS_DEFAULT_PIPELINE_PATHS[family]["pretrained_model_name_or_path"])


class _Absent(Exception):
    """A component has no tensors at all in the file; the message names it."""


def _tensors(resolved: ResolvedModel) -> dict[str, torch.Tensor]:
    from safetensors.torch import load, load_file

    if resolved.may_be_mapped:
        return load_file(resolved.path)
    return load(resolved.path.read_bytes())


@contextmanager
def _looking_on(checkpoint: dict[str, torch.Tensor]) -> Iterator[None]:
    """
    Have diffusers read from tensors that are there, and check what it gives each component.

    Raises in the block NotWhole for a component that lacks tensors, and _Absent for one that has
    none.
    """
    from diffusers.loaders import single_file, single_file_model, single_file_utils
    from diffusers.loaders.single_file_utils import SingleFileComponentError
    from diffusers.models import model_loading_utils

    reading = ""
    make: Any = single_file.load_single_file_sub_model
    fill: Any = model_loading_utils.load_model_dict_into_meta

    def made(*, name: str, class_name: str, **options: object) -> object:
        nonlocal reading
        reading = name
        try:
            return make(name=name, class_name=class_name, **options)
        except SingleFileComponentError as error:
            raise _Absent(f"{name} ({class_name})") from error

    def filled(
        model: Any,
        tensors: Mapping[str, torch.Tensor],
        *rest: object,
        **options: object,
    ) -> object:
        state = model.state_dict()
        missing = state.keys() - tensors.keys()
        misshapen = [
            (key, one.shape, state[key].shape)
            for key, one in tensors.items()
            if key in state and one.shape != state[key].shape
        ]
        done = None
        if not misshapen:
            done = fill(model, tensors, *rest, **options)
            if hasattr(model, "all_tied_weights_keys"):
                # diffusers 0.42 leaves out what transformers 5 ties: T5's second name for its
                # embeddings.
                model.tie_weights(missing_keys=missing, recompute_mapping=False)
        stored = {
            key: StoredTensor(_dtype_name(one), tuple(one.shape), one.nbytes)
            for key, one in tensors.items()
        }
        gaps = gaps_of(
            model,
            missing=missing,
            misshapen=misshapen,
            unexpected=tensors.keys() - state.keys(),
            stored=stored,
        )
        check_whole(model, gaps, reading)
        return done

    with (
        _replaced(
            single_file,
            load_single_file_checkpoint=lambda *_, **__: checkpoint,
            load_single_file_sub_model=made,
        ),
        _replaced(single_file_model, load_model_dict_into_meta=filled),
        _replaced(single_file_utils, load_model_dict_into_meta=filled),
    ):
        yield


@contextmanager
def _replaced(module: ModuleType, **functions: object) -> Iterator[None]:
    before = {name: getattr(module, name) for name in functions}
    vars(module).update(functions)
    try:
        yield
    finally:
        vars(module).update(before)


def _dtype_name(tensor: torch.Tensor) -> str:
    """Return a tensor's type as safetensors spells it, as far as messages need it."""
    name = str(tensor.dtype).removeprefix("torch.")
    return name.upper() if tensor.is_floating_point() else name
