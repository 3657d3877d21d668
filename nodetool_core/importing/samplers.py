"""
The A1111 web UI's names of samplers and schedules, and our schedulers behind them.

There a sampler and a schedule of noise are chosen apart; here a scheduler is one name that holds
both. Which is which is written in the documentation of diffusers. Samplers that have no counterpart
are not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Schedule = Literal["automatic", "uniform", "karras"]

KARRAS: Final = "karras"
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
    "Res Multistep": Sampler("ResMultistepScheduler", ("k_res_multistep", "res_multistep")),
    "ER SDE": Sampler("ERSDEScheduler", ("k_er_sde", "er_sde")),
}

_NAMES: Final = {
    name.lower(): title for title, one in SAMPLERS.items() for name in (title, *one.aliases)
}
_SCHEDULES: Final = {
    name.lower(): schedule for schedule, label in SCHEDULES.items() for name in (schedule, label)
}


def scheduler_named(sampler: str, schedule: str) -> tuple[str, str] | None:
    """
    Return our scheduler for a sampler and a schedule, and what it does not do.

    None for a sampler that is not listed.

    Args:
        schedule: `automatic` where it is empty. Old names of samplers end in it.
    """
    name = sampler.strip().lower()
    if name.endswith(f" {KARRAS}") and name not in _NAMES:
        name, schedule = name.removesuffix(KARRAS).strip(), KARRAS
    if name not in _NAMES:
        return None
    title = _NAMES[name]
    found, wanted = SAMPLERS[title], schedule.strip().lower() or "automatic"
    known = _SCHEDULES.get(wanted)
    is_karras = known == KARRAS or (known in (None, "automatic") and found.is_karras)
    unfit = known is None or (known == KARRAS and not found.has_karras)
    note = f"scheduler {schedule[:40]!r} is not known to {title}, and not used" if unfit else ""
    return found.scheduler + (f" {KARRAS}" if is_karras and found.has_karras else ""), note


def names_of(scheduler: str) -> tuple[str, str] | None:
    """Return the sampler and the schedule for a scheduler of ours; None where there is none."""
    name, has_karras = scheduler.removesuffix(f" {KARRAS}"), scheduler.endswith(f" {KARRAS}")
    for title, one in SAMPLERS.items():
        if one.scheduler == name:
            return title, SCHEDULES["karras" if has_karras else "uniform"]
    return None
