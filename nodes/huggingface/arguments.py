"""
Map a node's properties to a pipeline's arguments.

A pipeline is called with exactly the parameters of its signature. A property that it does not take
is reported in a warning, never dropped silently. What a signature does not state is in the tables
of `models/diffusers/families.py`, from which docs/models.md is generated as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nodetool_core import NodeError
from nodetool_core.models.diffusers.families import (
    FamilyQuirk,
    call_parameter,
    call_parameters,
    ignored_reason,
    quirks_of,
)

if TYPE_CHECKING:
    from nodetool_core.context import Pipeline

_GIVEN_BY_OTHERS = {
    "control_image": "a control image",
    "mask_image": "a mask",
    "control_mask": "a mask",
}
"""Inputs that pipelines need where they take them, although the parameter defaults to None."""

_AS_WITHOUT = {"strength": 1.0}
"""Values that describe what pipelines without the parameter do anyway."""

Warn = Callable[[str], None]


def call_arguments(
    pipeline: Pipeline, wanted: Mapping[str, object], size: tuple[int, int] | None, warn: Warn
) -> dict[str, object]:
    """
    Return the arguments to call the pipeline with.

    Args:
        pipeline: The pipeline; its class and its configuration are read.
        wanted: Property to value; None and empty strings keep the pipeline's own default.
        size: Width and height of the result, passed where the pipeline takes them.
        warn: Called for each property that is set and not used.

    Raises NodeError where the pipeline needs an input that no property provides.
    """
    name = type(pipeline).__name__
    taken = call_parameters(type(pipeline))
    quirks = [
        quirk
        for quirk in quirks_of(name)
        if not quirk.when_set or is_set(wanted.get(quirk.when_set))
    ]
    arguments: dict[str, object] = {}
    for prop, value in wanted.items():
        if not is_set(value):
            continue
        parameter = call_parameter(type(pipeline), prop)
        if parameter is None:
            if _AS_WITHOUT.get(prop) != value:
                warn(f"{prop} is not used: {name} has no such setting.")
            continue
        arguments[parameter] = value
        arguments |= {quirk.also_sets[prop]: value for quirk in quirks if prop in quirk.also_sets}
        if reason := ignored_reason(pipeline, prop, wanted):
            warn(f"{prop} is not used: {reason}.")
    if wanted.get("prompt") == "" and "prompt" in taken and "prompt_embeds" not in arguments:
        # Pipelines refuse a missing prompt, and take an empty one.
        arguments["prompt"] = ""
    if size is not None:
        arguments |= {
            key: value for key, value in zip(("width", "height"), size, strict=True) if key in taken
        }
    for prop in ("prompt", "negative_prompt"):
        for quirk in quirks:
            text = arguments.get(prop)
            if isinstance(text, str) and prop in quirk.formats:
                arguments[prop] = quirk.formats[prop](text)
    for quirk in quirks:
        _apply(quirk, name, taken, size, arguments, warn)
    _check_complete(type(pipeline), arguments)
    return arguments


def check_steps(pipeline: Pipeline, wanted: Mapping[str, object]) -> None:
    """Raise NodeError where strength leaves less than one step."""
    steps, strength = wanted.get("num_inference_steps"), wanted.get("strength")
    if "strength" not in call_parameters(type(pipeline)):
        return
    if not isinstance(steps, int) or not isinstance(strength, (int, float)):
        return
    if int(steps * strength) < 1:
        message = f"strength {strength:g} × num_inference_steps {steps} is less than one step."  # noqa: RUF001 - a product
        hint = f"Raise strength to {1 / steps:.2g} or more, or raise num_inference_steps."
        raise NodeError(message, hint, code="less_than_one_step", where="strength")


def steps_of_call(pipeline: Pipeline, wanted: Mapping[str, object]) -> int:
    """Return the number of denoising steps that a call with these properties makes."""
    steps = wanted.get("num_inference_steps", 1)
    takes_strength = "strength" in call_parameters(type(pipeline))
    strength = wanted.get("strength", 1.0) if takes_strength else 1.0
    if not isinstance(steps, int) or not isinstance(strength, (int, float)):
        return 1
    return max(1, int(steps * strength))


def is_set(value: object) -> bool:
    """Return whether a property has a value: neither None nor an empty string."""
    return value is not None and not (isinstance(value, str) and value == "")


def _apply(
    quirk: FamilyQuirk,
    name: str,
    taken: Mapping[str, object],
    size: tuple[int, int] | None,
    arguments: dict[str, object],
    warn: Warn,
) -> None:
    added = {
        key: value for key, value in quirk.adds.items() if key in taken and key not in arguments
    }
    if added and quirk.note:
        warn(f"{name} {quirk.note}.")
    if quirk.size_arguments and size is not None:
        added |= {key: value for key, value in quirk.size_arguments(*size).items() if key in taken}
    steps = arguments.get("num_inference_steps")
    if quirk.steps_arguments and isinstance(steps, int):
        added |= quirk.steps_arguments(steps)
    arguments |= added


def _check_complete(pipeline_class: type, arguments: Mapping[str, object]) -> None:
    parameters = {
        call_parameter(pipeline_class, prop): what for prop, what in _GIVEN_BY_OTHERS.items()
    }
    needed = [
        what
        for parameter, what in parameters.items()
        if parameter is not None and parameter not in arguments
    ]
    if needed:
        hint = "Connect it where this node has such an input, or use a model that needs none."
        message = f"{pipeline_class.__name__} needs {' and '.join(needed)}, and was given none."
        raise NodeError(message, hint, code="model_task_unsupported", where="model")
