"""
From a node's properties to a pipeline's arguments.

A pipeline is called with exactly the parameters that its signature names. What it doesn't take is told, never dropped in
silence. What a signature does not tell is in the table `_FACTS`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nodetool_core import NodeError


@dataclass(frozen=True)
class Fact:
    """What is true of the pipelines whose class name matches, and not told by their signature."""

    pipelines: re.Pattern[str]
    when: str = ""
    """The property that has to be set for this to matter; empty for always."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Property to the parameter that does what it means."""
    adds: Mapping[str, Any] = field(default_factory=dict)
    """Arguments to give besides, unless they are set."""
    by_size: Callable[[int, int], dict[str, Any]] | None = None
    """Arguments that follow from the width and height of the result, in place of those two."""
    note: str = ""
    """What the user should know of it."""


_FACTS = (
    # guidance_scale of these is read only by guidance-distilled versions, and true_cfg_scale only beside a negative prompt.
    Fact(re.compile(r"^QwenImage"), renames={"guidance_scale": "true_cfg_scale"}, adds={"negative_prompt": " "}),
    Fact(
        re.compile(r"^Flux(?!2)"),
        when="negative_prompt",
        adds={"true_cfg_scale": 4.0},
        note="runs with true_cfg_scale 4.0, without which negative_prompt has no effect; each step takes twice as long",
    ),
    # Left alone, Kontext makes about a megapixel whatever it is given, and takes the picture at sizes of its own list.
    Fact(
        re.compile(r"^FluxKontext"),
        by_size=lambda width, height: {"max_area": width * height, "_auto_resize": width * height >= 2**19},
    ),
    # diffusers 0.42 takes the one for the other when it resizes the picture.
    Fact(re.compile(r"^KandinskyV22Img2Img"), by_size=lambda width, height: {"width": height, "height": width}),
)

_GIVEN_BY_OTHERS = {"control_image": "a control image", "mask_image": "a mask"}
"""Parameters that default to None in the signature and are needed all the same."""

Warn = Callable[[str], None]


def call_arguments(pipeline: Any, wanted: Mapping[str, Any], size: tuple[int, int] | None, warn: Warn) -> dict[str, Any]:
    """
    The arguments to call the pipeline with.

    Args:
        pipeline: The pipeline; only its class is looked at.
        wanted: Property to value; None and empty texts leave the pipeline's own default.
        size: Width and height of the result, given where the pipeline takes them.
        warn: Told of each property that is set and not taken.

    Raises NodeError where the pipeline needs something that no property gives.
    """
    name = type(pipeline).__name__
    taken = inspect.signature(type(pipeline).__call__).parameters
    facts = [fact for fact in _FACTS if fact.pipelines.search(name) and (not fact.when or _is_set(wanted.get(fact.when)))]
    renames = {old: new for fact in facts for old, new in fact.renames.items()}
    arguments: dict[str, Any] = {}
    for prop, value in wanted.items():
        parameter = renames.get(prop, prop)
        if not _is_set(value):
            continue
        if parameter in taken:
            arguments[parameter] = value
        else:
            warn(f"{prop} is not used: {name} has no such setting.")
    if _is_set(wanted.get("negative_prompt")) and "negative_prompt" in taken and wanted.get("guidance_scale", 2.0) <= 1.0:
        warn(f"negative_prompt is not used: {name} reads it only where guidance_scale is above 1.")
    if size is not None:
        arguments |= {key: value for key, value in zip(("width", "height"), size, strict=True) if key in taken}
    for fact in facts:
        added = {key: value for key, value in fact.adds.items() if key in taken and key not in arguments}
        if added and fact.note:
            warn(f"{name} {fact.note}.")
        if fact.by_size and size is not None:
            added |= {key: value for key, value in fact.by_size(*size).items() if key in taken}
        arguments |= added
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


def _is_set(value: Any) -> bool:
    return value is not None and value != ""


def _check_complete(name: str, taken: Mapping[str, inspect.Parameter], arguments: Mapping[str, Any]) -> None:
    needed = [what for parameter, what in _GIVEN_BY_OTHERS.items() if parameter in taken and parameter not in arguments]
    if needed:
        hint = "Use a node that has this input, or a model without it."
        raise NodeError(
            f"{name} needs {' and '.join(needed)}, which this node does not give.", hint, code="model_task_unsupported", where="model"
        )
