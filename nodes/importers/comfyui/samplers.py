"""ComfyUI's samplers, and our schedulers that step by the same rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

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
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "lcm": "LCMScheduler",
    "res_multistep": "ResMultistepScheduler",
}
"""The same for flow-matching models, beside `euler`, which is their own."""

_FLOW: Final = frozenset({"normal", "simple", "sgm_uniform"})
"""
Schedules that give a flow-matching model about the steps of its own scheduler, which is Euler's.
"""


def scheduler_for(
    sampler: str, schedule: str, known: Collection[object], *, is_flow: bool = False
) -> tuple[str, str]:
    """
    Return our scheduler for a `sampler_name` and a `scheduler`, and what differs about it.

    Args:
        known: The schedulers that there are.
        is_flow: Whether the model is a flow-matching one, which most schedulers do not fit.
    """
    if is_flow:
        name = _FLOW_SAMPLERS.get(sampler, _KEPT)
        name = name if name in known else _KEPT
        return name, _kept("" if sampler == "euler" or name != _KEPT else sampler, schedule)
    name = SAMPLERS.get(sampler, "")
    if name not in known:
        return _KEPT, _kept(sampler, schedule)
    if {("*", schedule), (sampler, schedule)} & _USUAL:
        return name, ""
    named = f"{name} {schedule}"
    if named in known:
        return named, ""
    return (
        name,
        f"scheduler {schedule!r} has no counterpart beside {name}: its usual steps are used",
    )


def _kept(sampler: str, schedule: str) -> str:
    """Return what differs where the model's own scheduler is used."""
    lost = [f"sampler_name {sampler!r}"] if sampler else []
    lost += [f"scheduler {schedule!r}"] if schedule not in _FLOW else []
    has = "have" if len(lost) > 1 else "has"
    used = "scheduler is" if sampler else "steps are"
    named = " and ".join(lost)
    return f"{named} {has} no counterpart: the model's own {used} used" if lost else ""
