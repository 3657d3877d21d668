"""Names of schedulers to the rules of ours, over a scheduler of diffusers that steps by Euler's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from nodetool_core.models.diffusers.exponential_schedulers import (
    AncestralFlow,
    Midpoint,
    Res,
    UniPC,
)
from nodetool_core.models.diffusers.stochastic_schedulers import ExtendedReverse, StochasticFlow

RES: Final = "ResMultistepScheduler"
ER_SDE: Final = "ERSDEScheduler"
FLOW: Final = "FlowMatchEulerDiscreteScheduler"
OWN: Final = frozenset({RES, ER_SDE})
"""Names that diffusers has no class for."""

_RULES: Final[Mapping[tuple[str, bool], type]] = {
    (RES, False): Res,
    (RES, True): Res,
    (ER_SDE, False): ExtendedReverse,
    (ER_SDE, True): ExtendedReverse,
    ("DPMSolverMultistepScheduler", True): Midpoint,
    ("DPMSolverMultistepScheduler sde", True): StochasticFlow,
    ("EulerAncestralDiscreteScheduler", True): AncestralFlow,
    ("UniPCMultistepScheduler", True): UniPC,
}
"""By name, and by whether the model is a flow-matching one."""

FLOW_OPTIONS: Final[Mapping[str, Mapping[str, object]]] = {
    "EulerDiscreteScheduler": {},
    "LCMScheduler": {"stochastic_sampling": True},
}
"""Names that a flow's own scheduler answers to, with options."""


@cache
def own_scheduler(name: str, base: type, *, is_flow: bool) -> type | None:
    """Return the class of a scheduler over one that steps by Euler's rule; None for other names."""
    if is_flow and name in FLOW_OPTIONS:
        return base
    rule = _RULES.get((name, is_flow))
    # A class of diffusers of the same name has faults of its own, which are mended by name.
    own_name = name if name in OWN else f"FlowMatch{name.replace(' sde', 'SDE')}"
    return None if rule is None else type(own_name, (rule, base), {"__module__": __name__})
