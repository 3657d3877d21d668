"""
Schedulers that diffusers lacks: multistep rules in the logarithm of the noise level.

A sample is x = a·x0 + s·noise, and a model says which image D it shows. Where a is 1, or 1 - s in
flow matching, the way down follows dx/ds = (x - D)/s. In the time l = -log(s) that is
dx/dl = D - x, whose part in x is solved exactly over a step of length h:

    x(l + h) = exp(-h)·x + integral of exp(t - h)·D(l + t) over t from 0 to h.

- With D as it is now, this is Euler's rule.
- With D on the line through now and the step before, of length g, it is
  exp(-h)·x + p·D + (h - p)/g·(D - D_before), where p = 1 - exp(-h): the second-order rule of Zhang
  et al., "Improved Order Analysis and Design of Exponential Integrator for Diffusion Models
  Sampling" (arXiv 2308.02157), which ComfyUI calls `res_multistep`.
- With p·h/(2·g) in the place of (h - p)/g it is DPM-Solver++(2M) of Lu et al. (arXiv 2211.01095) in
  this time, as samplers of k-diffusion have it for flow matching, too.

The first step is Euler's. One to a noise level of 0 ends at D.

Ancestral steps of a flow go further down, and add the noise that is missing then: from s to s'
through d = s'·s'/s. The signal 1 - d becomes 1 - s', and noise is added up to s'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

RES: Final = "ResMultistepScheduler"
FLOW: Final = "FlowMatchEulerDiscreteScheduler"


class _Stepping:
    """What the rules need of a scheduler that steps by Euler's."""

    config: Mapping[str, object]
    sigmas: torch.Tensor
    step_index: int | None
    _step_index: int | None
    _before: tuple[torch.Tensor, float] | None = None
    """D of the step before, and its noise level."""
    _init_step_index: Callable[[float | torch.Tensor], None]

    def step(
        self,
        model_output: torch.Tensor,
        timestep: float | torch.Tensor,
        sample: torch.Tensor,
        *,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
        **_others: object,
    ) -> object:
        """Return the sample of the next noise level."""
        if self.step_index is None:
            self._init_step_index(timestep)
            self._before = None
        at = self._step_index or 0
        level, following = (float(self.sigmas[index]) for index in (at, at + 1))
        now = sample.float()
        denoised = self.denoised(model_output.float(), now, level)
        made = self.stepped(now, denoised, level, following, generator)
        self._step_index = at + 1
        made = made.to(model_output.dtype)
        if not return_dict:
            return (made,)
        from diffusers.schedulers.scheduling_utils import SchedulerOutput

        return SchedulerOutput(prev_sample=made)

    def denoised(self, said: torch.Tensor, sample: torch.Tensor, level: float) -> torch.Tensor:
        """Return the image that a model sees in a sample, by what it was trained to say."""
        kind = self.config.get("prediction_type", "flow_prediction")
        if kind == "sample":
            return said
        if kind == "v_prediction":
            return sample / (level**2 + 1) - said * (level / math.sqrt(level**2 + 1))
        return sample - level * said

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        raise NotImplementedError


class _Multistep(_Stepping):
    """Steps by D and the one before."""

    def slope(self, length: float, before: float) -> float:
        """
        Return how much the change of D counts.

        Args:
            length: Of this step.
            before: Of the step before.
        """
        raise NotImplementedError

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        before, self._before = self._before, (denoised, level)
        if following <= 0 or level <= 0:
            return denoised if level > 0 else sample
        length = math.log(level / following)
        made = math.exp(-length) * sample - math.expm1(-length) * denoised
        if before is None or before[1] <= level or length == 0:
            return made
        weight = self.slope(length, math.log(before[1] / level))
        return made + weight * (denoised - before[0])


class _AncestralFlow(_Stepping):
    """Steps further down than the next noise level, and adds noise up to it."""

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        from diffusers.utils.torch_utils import randn_tensor

        if following <= 0 or level <= 0:
            return denoised if level > 0 else sample
        down = following**2 / level
        made = sample * (down / level) + denoised * (1 - down / level)
        signal = (1 - following) / (1 - down) if down < 1 else 1.0
        added = math.sqrt(max(0.0, following**2 - (down * signal) ** 2))
        noise: torch.Tensor = randn_tensor(
            sample.shape, generator=generator, device=sample.device, dtype=sample.dtype
        )
        return made * signal + noise * added


class _Res(_Multistep):
    """Integrates the line through two values of D exactly."""

    def slope(self, length: float, before: float) -> float:
        return (length + math.expm1(-length)) / before


class _Midpoint(_Multistep):
    """Takes D halfway along the step."""

    def slope(self, length: float, before: float) -> float:
        return -math.expm1(-length) * length / (2 * before)


_RULES: Final[Mapping[tuple[str, bool], type]] = {
    (RES, False): _Res,
    (RES, True): _Res,
    ("DPMSolverMultistepScheduler", True): _Midpoint,
    ("EulerAncestralDiscreteScheduler", True): _AncestralFlow,
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
    own_name = name if name == RES else f"FlowMatch{name}"
    return None if rule is None else type(own_name, (rule, base), {"__module__": __name__})
