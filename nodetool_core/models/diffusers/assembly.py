"""
From files to modules, and from modules to a pipeline.

Each component with weights is read by itself, so that those that are there already are not read
again, and two pipelines share theirs. What a model must not or can't do is refused before its
weights are read.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.components.integrity import load_failure
from nodetool_core.models.components.processors import read_processors, stand_ins
from nodetool_core.models.diffusers.deserialize import read_module
from nodetool_core.models.diffusers.part_modules import read_part
from nodetool_core.models.sources.priors import PRIOR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.sources.repository_layout import Layout
    from nodetool_core.models.sources.resolved import ResolvedModel, ResolvedPart


def read_component(
    folder: Path,
    cls: type,
    resolved: ResolvedModel,
    variant: str | None,
    dtype: torch.dtype,
    where: str,
) -> torch.nn.Module:
    """
    Return a component with its weights, in host memory.

    `where` names it in messages. Raises ModelError.
    """
    try:
        module: torch.nn.Module = read_module(
            cls, folder, dtype, variant=variant, may_map=resolved.may_be_mapped
        )
    except Exception as error:
        raise load_failure(resolved.name, where, error) from error
    return module


def read_file(
    config: Path, cls: type, part: ResolvedPart, dtype: torch.dtype, where: str
) -> torch.nn.Module:
    """
    Return a component with the weights of a file, in host memory.

    Args:
        config: The folder whose `config.json` says how large it is.
        where: Names the component in messages.

    Raises ModelError.
    """
    of = part.model
    try:
        return read_part(
            cls, config, of.path, of.name, part.prefix, dtype, may_map=of.may_be_mapped
        )
    except ModelError:
        raise
    except Exception as error:
        raise load_failure(of.name, where, error) from error


def assemble(
    layout: Layout,
    prior: Layout | None,
    resolved: ResolvedModel,
    dtype: torch.dtype,
    parts: Mapping[str, object],
) -> Any:
    """
    Return a pipeline over parts that were read, which with a decoder's prior is that of both.

    Fetches nothing.

    The rest of it, which should have no weights, is read. Raises ModelError.
    """
    if prior is None or resolved.prior is None:
        return _pipeline(layout, resolved, dtype, parts)
    its = {name.removeprefix(PRIOR): part for name, part in parts.items() if name.startswith(PRIOR)}
    own = {name: part for name, part in parts.items() if not name.startswith(PRIOR)}
    decoder, other = (
        _pipeline(layout, resolved, dtype, own),
        _pipeline(prior, resolved.prior, dtype, its),
    )
    try:
        return whole_class(layout.class_name)(
            **decoder.components, **{PRIOR + name: part for name, part in other.components.items()}
        )
    except Exception as error:
        raise load_failure(resolved.name, layout.class_name, error) from error


def _pipeline(
    layout: Layout, resolved: ResolvedModel, dtype: torch.dtype, parts: Mapping[str, object]
) -> Any:
    """Return the pipeline of one directory."""
    unread = {name: kind for name, kind in layout.components.items() if name not in parts}
    try:
        spare = stand_ins(layout.directory, layout.components, parts)
        pipeline = _unconnected(layout.class_name).from_pretrained(
            str(layout.directory),
            dtype=dtype,
            variant=resolved.variant,
            use_safetensors=True,
            disable_mmap=not resolved.may_be_mapped,
            **{
                **read_processors(layout.directory, unread),
                **parts,
                **dict.fromkeys((*spare, *layout.absent)),
            },
        )
        pipeline.__class__ = pipeline_class(layout.class_name)
        # diffusers compares what it is given with the class that the model names, and these are of
        # another.
        pipeline.register_modules(**spare)
    except Exception as error:
        raise load_failure(resolved.name, layout.class_name, error) from error
    return pipeline


def left_out(layout: Layout, name: str) -> list[str]:
    """
    Return warnings of components without whose files the pipeline of a layout runs.

    Raises ModelError where it can't do without one.
    """
    if not layout.absent:
        return []
    import diffusers

    optional = getattr(getattr(diffusers, layout.class_name, None), "_optional_components", [])
    for part, error in layout.absent.items():
        if part not in optional:
            raise error
    return [
        f"{name} runs without {' and '.join(sorted(layout.absent))}: not all their files are there."
    ]


def pipeline_class(name: str) -> Any:
    """Return a class of diffusers by its name."""
    import diffusers

    return getattr(diffusers, name)


def _unconnected(name: str) -> Any:
    """
    Return a pipeline class that fetches nothing.

    Some would load what the card in their directory names, with whatever is newest there.
    """
    cls = pipeline_class(name)
    return type(name, (cls,), {"__module__": cls.__module__, "_load_connected_pipes": False})


def whole_class(decoder: str) -> Any:
    """Return the class of a decoder's pipeline together with its prior."""
    from diffusers.pipelines.auto_pipeline import _get_connected_pipeline

    return _get_connected_pipeline(pipeline_class(decoder))  # type: ignore[no-untyped-call]


def check_prior(decoder: str, prior: Layout, name: str) -> None:
    """
    Refuse a model that is no prior for decoders of a class, before its weights are read.

    Raises ModelError.
    """
    taken = {
        part.removeprefix(PRIOR): of
        for part, of in inspect.signature(whole_class(decoder)).parameters.items()
        if part.startswith(PRIOR)
    }
    needed = {part for part, of in taken.items() if of.default is inspect.Parameter.empty}
    if needed <= prior.components.keys() <= taken.keys():
        return
    message = (
        f"is a {prior.class_name}, and no prior for {decoder}, which has"
        f" {', '.join(sorted(needed))}."
    )
    raise ModelError(
        Problem("model_unfit", name, message, "Correct `prior` in the card of the decoder.")
    )


def with_modules(pipeline: Pipeline, modules: Mapping[str, object]) -> Pipeline:
    """Return a pipeline like this one with other modules; None stands for one that is not there."""
    import copy

    made = copy.copy(pipeline)
    for name, module in modules.items():
        setattr(made, name, module)
    return made
