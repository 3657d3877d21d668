"""
From a node's properties to a pipeline's arguments.

A pipeline is called with exactly the parameters that its signature names. What it doesn't take is told, never dropped in
silence. What a signature does not tell is in the tables of `families.py`, from which docs/models.md is written as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nodes.huggingface.families import Fact, facts_of, parameter_of, unread
from nodetool_core import NodeError

_GIVEN_BY_OTHERS = {"control_image": "a control image", "mask_image": "a mask"}
"""Parameters that default to None in the signature and are needed all the same."""

Warn = Callable[[str], None]


def call_arguments(pipeline: Any, wanted: Mapping[str, Any], size: tuple[int, int] | None, warn: Warn) -> dict[str, Any]:
    """
    The arguments to call the pipeline with.

    Args:
        pipeline: The pipeline; its class and its configuration are looked at.
        wanted: Property to value; None and empty texts leave the pipeline's own default.
        size: Width and height of the result, given where the pipeline takes them.
        warn: Told of each property that is set and not taken.

    Raises NodeError where the pipeline needs something that no property gives.
    """
    name = type(pipeline).__name__
    taken = inspect.signature(type(pipeline).__call__).parameters
    facts = [fact for fact in facts_of(name) if not fact.when or is_set(wanted.get(fact.when))]
    arguments: dict[str, Any] = {}
    for prop, value in wanted.items():
        if not is_set(value):
            continue
        parameter = parameter_of(type(pipeline), prop)
        if parameter is None:
            warn(f"{prop} is not used: {name} has no such setting.")
            continue
        arguments[parameter] = value
        if reason := unread(pipeline, prop, wanted):
            warn(f"{prop} is not used: {reason}.")
    if size is not None:
        arguments |= {key: value for key, value in zip(("width", "height"), size, strict=True) if key in taken}
    for fact in facts:
        _apply(fact, name, taken, size, arguments, warn)
    _check_complete(name, taken, arguments)
    return arguments


def check_steps(pipeline: Any, wanted: Mapping[str, Any]) -> None:
    """Raise NodeError where strength leaves not one of the steps to do."""
    steps, strength = wanted.get("num_inference_steps"), wanted.get("strength")
    if steps is None or strength is None or "strength" not in inspect.signature(type(pipeline).__call__).parameters:
        return
    if int(steps * strength) < 1:
        message = f"strength {strength:g} × num_inference_steps {steps} is less than one step."  # noqa: RUF001 - a product
        hint = f"Raise strength to {1 / steps:.2g} or more, or raise num_inference_steps."
        raise NodeError(message, hint, code="less_than_one_step", where="strength")


def is_set(value: Any) -> bool:
    """Whether a property says anything: no None, no empty text."""
    return value is not None and not (isinstance(value, str) and value == "")


def _apply(fact: Fact, name: str, taken: Mapping[str, Any], size: tuple[int, int] | None, arguments: dict[str, Any], warn: Warn) -> None:
    added = {key: value for key, value in fact.adds.items() if key in taken and key not in arguments}
    if added and fact.note:
        warn(f"{name} {fact.note}.")
    if fact.by_size and size is not None:
        added |= {key: value for key, value in fact.by_size(*size).items() if key in taken}
    arguments |= added


def _check_complete(name: str, taken: Mapping[str, inspect.Parameter], arguments: Mapping[str, Any]) -> None:
    needed = [what for parameter, what in _GIVEN_BY_OTHERS.items() if parameter in taken and parameter not in arguments]
    if needed:
        hint = "Use a node that has this input, or a model without it."
        raise NodeError(
            f"{name} needs {' and '.join(needed)}, which this node does not give.", hint, code="model_task_unsupported", where="model"
        )
