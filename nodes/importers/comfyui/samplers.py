"""ComfyUI's samplers, and our schedulers that step by the same rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

SAMPLERS: Final[Mapping[str, str]] = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "deis": "DEISMultistepScheduler",
    "dpm_2": "KDPM2DiscreteScheduler",
    "dpm_2_ancestral": "KDPM2AncestralDiscreteScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "dpmpp_2m_sde": "DPMSolverMultistepScheduler sde",
    "dpmpp_2m_sde_gpu": "DPMSolverMultistepScheduler sde",
    "dpmpp_sde": "DPMSolverSDEScheduler",
    "dpmpp_sde_gpu": "DPMSolverSDEScheduler",
    "er_sde": "ERSDEScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "ipndm": "PNDMScheduler",
    "lcm": "LCMScheduler",
    "lms": "LMSDiscreteScheduler",
    "res_multistep": "ResMultistepScheduler",
    "uni_pc": "UniPCMultistepScheduler",
    "uni_pc_bh2": "UniPCMultistepScheduler",
}
"""`sampler_name` to the scheduler."""

_KEPT: Final = "default"
_USUAL: Final = frozenset(
    {("*", "normal"), ("*", "simple"), ("ddim", "ddim_uniform"), ("lcm", "sgm_uniform")}
)
"""Values of `scheduler`, beside a sampler, that mean about what our scheduler does by itself."""

_FLOW_SAMPLERS: Final[Mapping[str, str]] = {
    # Without a mask, its `ddim` is Euler's.
    "ddim": "default",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "dpmpp_2m_sde": "DPMSolverMultistepScheduler sde",
    "dpmpp_2m_sde_gpu": "DPMSolverMultistepScheduler sde",
    "er_sde": "ERSDEScheduler",
    "euler": "default",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "lcm": "LCMScheduler",
    "res_multistep": "ResMultistepScheduler",
    "uni_pc": "UniPCMultistepScheduler",
    "uni_pc_bh2": "UniPCMultistepScheduler",
}
"""The same for flow-matching models, whose own is Euler's."""

_FLOW: Final = frozenset({"normal", "simple", "sgm_uniform"})
"""Schedules that give a flow-matching model about the steps of its own scheduler."""

_BY_TIMES: Final = frozenset(
    {
        *("DDPMScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"),
        *("ERSDEScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler"),
        *("LCMScheduler", "ResMultistepScheduler"),
    }
)
_BY_LEVELS: Final = (_BY_TIMES - {"DDPMScheduler", "LCMScheduler"}) | {
    *("DEISMultistepScheduler", "DPMSolverSDEScheduler", "KDPM2AncestralDiscreteScheduler"),
    *("KDPM2DiscreteScheduler", "LMSDiscreteScheduler", "UniPCMultistepScheduler"),
}
NOISE_SCHEDULES: Final[Mapping[str, frozenset[str]]] = {
    "beta": _BY_TIMES,
    "exponential": _BY_LEVELS,
    "karras": _BY_LEVELS,
}
"""Values of `noise_schedule`, and the schedulers that take them; for flows, all do."""


_FIRST_NAMES: Final = "sample_"
"""Begins the names of samplers in the first files."""


class Chosen(NamedTuple):
    """What a sampler and a schedule are to us."""

    scheduler: str
    noise_schedule: str = "default"
    difference: str = ""
    """What differs."""

    def properties(self) -> dict[str, str]:
        """Return the properties of a node, without a schedule that is the usual one."""
        stated = {"scheduler": self.scheduler, "noise_schedule": self.noise_schedule}
        return {
            name: value
            for name, value in stated.items()
            if value != "default" or name == "scheduler"
        }


def scheduler_for(
    sampler: str, schedule: str, known: Collection[object], *, is_flow: bool = False
) -> Chosen:
    """
    Return our scheduler and schedule for a `sampler_name` and a `scheduler`.

    Args:
        known: The schedulers that there are.
        is_flow: Whether the model is a flow-matching one, which most schedulers do not fit.
    """
    names = _FLOW_SAMPLERS if is_flow else SAMPLERS
    sampler = sampler.removeprefix(_FIRST_NAMES)
    name = names.get(sampler, "")
    is_known = name in known or name == _KEPT
    name = name if is_known else _KEPT
    lost = [] if is_known else [f"sampler_name {sampler!r}"]
    spread = "default"
    is_usual = schedule in _FLOW if is_flow or not is_known else _is_usual(sampler, schedule)
    if f"{name} {schedule}" in known and not is_usual:
        name = f"{name} {schedule}"
    elif schedule in NOISE_SCHEDULES and (is_flow or name.split()[0] in NOISE_SCHEDULES[schedule]):
        spread = schedule
    elif not is_usual:
        lost.append(f"scheduler {schedule!r}")
    if not lost:
        return Chosen(name, spread)
    if is_known and name != _KEPT:
        message = f"{lost[0]} has no counterpart beside {name}: its usual steps are used"
        return Chosen(name, spread, message)
    has = "have" if len(lost) > 1 else "has"
    used = "steps are" if is_known else "scheduler is"
    message = f"{' and '.join(lost)} {has} no counterpart: the model's own {used} used"
    return Chosen(name, spread, message)


def _is_usual(sampler: str, schedule: str) -> bool:
    return bool({("*", schedule), (sampler, schedule)} & _USUAL)
