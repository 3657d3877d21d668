"""
Steps and guidance of models that were distilled to few steps, where nobody set them.

Turbo, Lightning, LCM, schnell and their like burn out with the 25 steps and the guidance of other
models. Files do not say what they are, so their names do, as people and their makers call them:
those of the model, of its denoiser, and of LoRAs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nodes.huggingface.diffusion import DiffusionNode
    from nodes.huggingface.model_kinds import LoraModel
    from nodetool_core import Context, ModelRef

_STEPS, _GUIDANCE, _STRENGTH = "num_inference_steps", "guidance_scale", "strength"
_MOST_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class _Preset:
    """What a kind of distilled models is made for."""

    names: re.Pattern[str]
    steps: int
    guidance: float | None
    """None keeps what the node has; up to 1 there is none."""


_PRESETS: Final = (
    _Preset(re.compile(r"z-?image-?turbo"), 9, 1.0),
    _Preset(re.compile(r"sana-?sprint"), 2, 4.5),
    _Preset(re.compile(r"schnell|klein(?!.*base)|(?<![a-z])dmd2?(?![a-z])"), 4, 1.0),
    _Preset(re.compile(r"lcm-?lora|lcm.*lora"), 4, 1.5),
    _Preset(re.compile(r"(?<![a-z])lcm(?![a-z])"), 4, None),
    _Preset(re.compile(r"lightning|(?<![a-z])turbo(?![a-z])|hyper-?(sd|flux)"), 4, 1.0),
)
"""The first whose names fit counts. Dashes stand for underscores and blanks as well."""

_STATED = re.compile(r"(?<!\d)(\d{1,2})-?steps?(?![a-z])")
"""A number of steps in a name: `sdxl_lightning_8step_lora`."""


def with_few_steps(
    node: DiffusionNode,
    wanted: dict[str, object],
    model: ModelRef,
    loras: Iterable[LoraModel],
    context: Context,
) -> dict[str, object]:
    """
    Return the values of a node with steps and guidance of its model, where they are the defaults.

    Warns of what it sets. Strength is counted in: the model makes its steps in what strength
    leaves of them.

    Args:
        wanted: Properties by name, such as `num_inference_steps`.
    """
    properties = node.spec.properties
    found = next(
        (
            (name, preset)
            for name in _names(model, loras)
            for preset in _PRESETS
            if preset.names.search(name)
        ),
        None,
    )
    if found is None or wanted.get(_STEPS) != properties[_STEPS].default:
        return wanted
    name, preset = found
    stated = _STATED.search(name)
    steps = int(stated[1]) if stated else preset.steps
    strength = wanted.get(_STRENGTH)
    if isinstance(strength, float) and 0 < strength < 1:
        steps = min(_MOST_STEPS, math.ceil(steps / strength))
    made: dict[str, object] = {_STEPS: steps}
    guidance = wanted.get(_GUIDANCE)
    if preset.guidance is not None and guidance == properties[_GUIDANCE].default:
        made[_GUIDANCE] = preset.guidance
    said = " and ".join(f"{prop} is {value}" for prop, value in made.items())
    usual = " and ".join(f"{properties[prop].default} of {prop}" for prop in made)
    context.warn(
        f"{said}, which {name} was made for. Set them to others than the usual {usual} to have"
        " your own."
    )
    return wanted | made


def _names(model: ModelRef, loras: Iterable[LoraModel]) -> Iterable[str]:
    """Yield what a model, its denoiser and its LoRAs are called, LoRAs first."""
    for ref in (*(one for one in loras if one.scale), model.denoiser, model):
        if ref is not None:
            for name in (ref.path, ref.repo_id):
                if name:
                    yield re.sub(r"[_ ]", "-", PurePosixPath(name.replace("\\", "/")).name.lower())
