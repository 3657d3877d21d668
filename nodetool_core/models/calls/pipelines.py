"""
Pipelines to lend: one of a caller's own for each call, over weights that are shared.

diffusers keeps the state of a denoising loop on the pipeline and in its schedulers, so two calls
must share neither. Making a pipeline takes diffusers milliseconds, most of it reading signatures.
So a *prototype* is made once per model and task and never called; what is lent is a shallow copy of
it with copied schedulers, which takes some tens of microseconds.
"""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.diffusers.configuration import complete_configuration
from nodetool_core.models.diffusers.protocols import is_pipeline
from nodetool_core.models.diffusers.schedulers import copied_scheduler, is_stateful
from nodetool_core.models.diffusers.tasks import (
    MODULAR,
    automatic_class,
    check_channels,
    check_task,
    related_class,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nodetool_core.context import Pipeline


def prototype(base: Pipeline, task: str, name: str) -> Pipeline:
    """
    Return a pipeline for `task` over the weights of `base`, with schedulers of its own.

    Raises ModelError where it can't do the task.
    """
    if task == MODULAR:
        return lend(base)
    target = check_task(type(base).__name__, task, name)
    complete_configuration(base, target or type(base))
    components = base.components
    unet, vae = components.get("unet"), components.get("vae", components.get("movq"))
    in_channels = unet.config.get("in_channels") if unet is not None else None
    check_channels(
        task,
        type(base).__name__,
        in_channels,
        vae.config.get("latent_channels") if vae is not None else None,
        name,
    )
    if target is None:
        return lend(base)
    schedulers = {
        part: copied_scheduler(value) for part, value in components.items() if is_stateful(value)
    }
    if target is related_class(type(base).__name__, task):
        return _over(target, {**components, **schedulers}, base.config)
    # The Auto class, and not `target.from_pipe`, which casts the weights that are shared.
    try:
        made: Pipeline = automatic_class(task).from_pipe(base, **schedulers)
    except ValueError as error:
        message = (
            f"{type(base).__name__} lacks parts that {target.__name__} needs for {task}: {error}"
        )
        raise ModelError(
            Problem("model_task_unsupported", name, message, "Use a complete model of this family.")
        ) from error
    return made


def _over(target: type, components: Mapping[str, object], config: Mapping[str, object]) -> Pipeline:
    """Return a pipeline of another class over components, with the settings that both have."""
    taken = inspect.signature(target).parameters
    given = {
        **dict.fromkeys(getattr(target, "_optional_components", ())),
        **config,
        **components,
    }
    made: Pipeline = target(**{name: value for name, value in given.items() if name in taken})
    return made


def lend(pipeline: Pipeline) -> Pipeline:
    """
    Return a pipeline like this one with the same weights, and all that a call changes of its own.

    It must not have been called.
    """
    return _copied(pipeline, {})


def _copied(pipeline: Pipeline, schedulers: dict[int, object]) -> Pipeline:
    made = copy.copy(pipeline)
    state: dict[str, object] = vars(made)
    for name, value in state.items():
        if is_stateful(value):
            # Pipelines that are made of pipelines share a scheduler with them.
            state[name] = schedulers.setdefault(id(value), copied_scheduler(value))
        elif is_pipeline(value):
            state[name] = _copied(value, schedulers)
    return made
