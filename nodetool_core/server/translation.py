"""
From what clients of image APIs say to what a workflow takes.

Every dialect has parameters that mean the same, and clients send them to whatever they are given:
what the workflow has an input for is used, and the rest is named in a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeGuard

from nodetool_core.inputs import parse_text
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.references import ImageSizeRef
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.parameters import Input
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.types import union_members

_SIZE_INPUT: Final = "target_size"
_LIMITED: Final = ("num_inference_steps", "guidance_scale")
"""
Published numbers whose bounds clients can't know.

Too large ones are brought to the largest that is taken.
"""

_ALIASES: Final = {
    "steps": "num_inference_steps",
    "cfg_scale": "guidance_scale",
    "guidance": "guidance_scale",
    "sampler": "scheduler",
    "denoising_strength": "strength",
}
"""Other names of parameters, for workflows that have no input of that name."""

_SCHEDULER_WORDS: Final = re.compile(r"scheduler|discrete|multistep|[^a-z0-9]")
"""What names of schedulers have or lack: `DDIM` and `ddim_scheduler` are `DDIMScheduler`."""


def taken_parameters(
    served: ServedWorkflow, parsed: Mapping[str, Json]
) -> tuple[JsonObject, list[str]]:
    """
    Return the parameters that a workflow has inputs for, as it takes them, and warnings.

    The warnings say what is not done as requested.
    """
    given: JsonObject = {}
    warnings: list[str] = []
    for name, value in parsed.items():
        target = served.inputs.get(name)
        taken = None if target is None else _taken(target, name, value)
        if target is None:
            warnings.append(f"{name} is not used by {served.name}")
        elif taken is None:
            warnings.append(
                f"{name} {str(value)[:40]!r} is not known to {served.name}, and not used"
            )
        else:
            given[name] = taken
            if name in _LIMITED and taken != value:
                warnings.append(
                    f"{name} was brought from {value} to {taken}, the most that {served.name} takes"
                )
    return given, warnings


def by_input_name(
    served: ServedWorkflow, given: Mapping[str, Json], *, texts: bool = False
) -> JsonObject:
    """
    Return parameters by the names of inputs, where they have other names as well.

    Args:
        texts: Values are texts, as those of a form are; they are read as the inputs' types.
    """
    found: JsonObject = {}
    for name, value in given.items():
        alias = _ALIASES.get(name, name)
        target = name if name in served.inputs or alias not in served.inputs else alias
        if texts and isinstance(value, str) and target in served.inputs:
            read = parse_text(served.inputs[target].prop, value)
            value = read if isinstance(read, (bool, int, float, str, list, dict)) else value
        found.setdefault(target, value)
    return found


def _taken(target: Input, name: str, value: Json) -> Json:
    """
    Return a parameter's value as its input takes it.

    No larger than its bound, a scheduler by its full name. None for an unknown one.
    """
    if name == "scheduler" and target.choices and isinstance(value, str):
        plain = _plain_scheduler(value)
        return next(
            (
                choice
                for choice in target.choices
                if choice == value or _plain_scheduler(choice) == plain
            ),
            None,
        )
    if name in _LIMITED and target.most is not None and _is_number(value) and value > target.most:
        return type(value)(target.most)
    return value


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain_scheduler(name: str) -> str:
    return _SCHEDULER_WORDS.sub("", name.lower())


def sized(
    served: ServedWorkflow,
    size: tuple[int, int] | None,
    has_image: bool,
    max_pixels: int,
    where: str = "size",
) -> tuple[JsonObject, tuple[int, int] | None, list[str]]:
    """
    Return a size that was requested, as values of the inputs that take it, with warnings.

    Else as the size of the image to start from, where the result is as large as that. Where neither
    can be, a warning says so.
    """
    if size is None:
        return {}, None, []
    width, height = size
    if width * height > max_pixels:
        raise wrong(
            422,
            "image_too_large",
            where,
            f"{width} x {height} is above {max_pixels / 1e6:g} megapixels.",
            "Ask for less.",
        )
    if {"width", "height"} <= served.inputs.keys():
        return {"width": width, "height": height}, None, []
    target = served.inputs.get(_SIZE_INPUT)
    if target is not None and ImageSizeRef in union_members(target.prop.annotation):
        return {_SIZE_INPUT: {"width": width, "height": height}}, None, []
    if served.follows_image and has_image:
        return {}, size, []
    return {}, None, [f"{where} is not used by {served.name}"]
