"""
The web UI's names of samplers and schedules, and our schedulers behind them.

There a sampler and a schedule of noise are chosen apart; here a scheduler is one name that holds
both. Which is which is written in the documentation of diffusers. Samplers that have no counterpart
are not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from nodetool_core.errors import near_miss
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError, wrong

Schedule = Literal["automatic", "uniform", "karras"]

_KARRAS: Final = "karras"
SCHEDULES: Final[Mapping[Schedule, str]] = {
    "automatic": "Automatic",
    "uniform": "Uniform",
    "karras": "Karras",
}
"""The schedules that there are, with their labels."""


@dataclass(frozen=True)
class Sampler:
    """A sampler of the web UI."""

    scheduler: str
    """Ours."""
    aliases: tuple[str, ...]
    has_karras: bool = False
    """Whether ours takes that schedule."""
    is_karras: bool = False
    """Whether `automatic` means that schedule."""


SAMPLERS: Final[Mapping[str, Sampler]] = {
    "DPM++ 2M": Sampler(
        "DPMSolverMultistepScheduler", ("k_dpmpp_2m",), has_karras=True, is_karras=True
    ),
    "DPM++ SDE": Sampler("DPMSolverSDEScheduler", ("k_dpmpp_sde",)),
    "DPM++ 2M SDE": Sampler(
        "DPMSolverMultistepScheduler sde", ("k_dpmpp_2m_sde",), has_karras=True
    ),
    "DPM++ 2S a": Sampler("DPMSolverSinglestepScheduler", ("k_dpmpp_2s_a",)),
    "Euler a": Sampler("EulerAncestralDiscreteScheduler", ("k_euler_a", "k_euler_ancestral")),
    "Euler": Sampler("EulerDiscreteScheduler", ("k_euler",), has_karras=True),
    "LMS": Sampler("LMSDiscreteScheduler", ("k_lms",)),
    "Heun": Sampler("HeunDiscreteScheduler", ("k_heun",)),
    "DPM2": Sampler("KDPM2DiscreteScheduler", ("k_dpm_2",)),
    "DPM2 a": Sampler("KDPM2AncestralDiscreteScheduler", ("k_dpm_2_a",)),
    "DDIM": Sampler("DDIMScheduler", ("ddim",)),
    "PLMS": Sampler("PNDMScheduler", ("plms",)),
    "UniPC": Sampler("UniPCMultistepScheduler", ("unipc",)),
    "LCM": Sampler("LCMScheduler", ("k_lcm",)),
}

_NAMES: Final = {
    name.lower(): title for title, one in SAMPLERS.items() for name in (title, *one.aliases)
}
_SCHEDULES: Final = {
    name.lower(): schedule for schedule, label in SCHEDULES.items() for name in (schedule, label)
}


def scheduler_of(sampler: str, schedule: str) -> tuple[str, list[str]]:
    """
    Return our scheduler for a sampler and a schedule, and notes on what it does not do.

    Args:
        schedule: `automatic` where it is empty. Old names of samplers end in it.

    Raises HttpError 404 for a sampler that is not listed.
    """
    name = sampler.strip().lower()
    if name.endswith(f" {_KARRAS}") and name not in _NAMES:
        name, schedule = name.removesuffix(_KARRAS).strip(), _KARRAS
    if name not in _NAMES:
        raise _unknown(sampler)
    title = _NAMES[name]
    found, wanted = SAMPLERS[title], schedule.strip().lower() or "automatic"
    known = _SCHEDULES.get(wanted)
    is_karras = known == _KARRAS or (known in (None, "automatic") and found.is_karras)
    notes = []
    if known is None or (known == _KARRAS and not found.has_karras):
        notes.append(f"scheduler {schedule[:40]!r} is not known to {title}, and not used")
    suffix = f" {_KARRAS}" if is_karras and found.has_karras else ""
    return found.scheduler + suffix, notes


def _unknown(sampler: str) -> HttpError:
    hint = near_miss(sampler, SAMPLERS) or "GET /sdapi/v1/samplers lists those there are."
    return wrong(
        404, "unknown_sampler", "sampler_name", f"Sampler not found: {sampler[:80]!r}.", hint
    )


def sampler_list() -> list[JsonObject]:
    """Return the answer of `/samplers`."""
    return [
        {
            "name": name,
            "aliases": list(one.aliases),
            "options": {"scheduler": _KARRAS} if one.is_karras else {},
        }
        for name, one in SAMPLERS.items()
    ]


def schedule_list() -> list[JsonObject]:
    """Return the answer of `/schedulers`."""
    return [
        {
            "name": name,
            "label": label,
            "aliases": None,
            "default_rho": 7.0 if name == _KARRAS else -1.0,
            "need_inner_model": name == "uniform",
        }
        for name, label in SCHEDULES.items()
    ]
