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

- `UniPC` steps by a line as well, and takes each step again by a parabola once it is done.

The first step is Euler's. One to a noise level of 0 ends at D.

Ancestral steps of a flow go further down, and add the noise that is missing then: from s to s'
through d = s'·s'/s. The signal 1 - d becomes 1 - s', and noise is added up to s'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


class Stepping:
    """What the rules need of a scheduler that steps by Euler's."""

    config: Mapping[str, object]
    sigmas: torch.Tensor
    step_index: int | None
    _step_index: int | None
    draws_noise = False
    """Whether steps draw noise."""
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


class Multistep(Stepping):
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


class AncestralFlow(Stepping):
    """Steps further down than the next noise level, and adds noise up to it."""

    draws_noise = True

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


class Res(Multistep):
    """Integrates the line through two values of D exactly."""

    def slope(self, length: float, before: float) -> float:
        return (length + math.expm1(-length)) / before


class Midpoint(Multistep):
    """Takes D halfway along the step."""

    def slope(self, length: float, before: float) -> float:
        return -math.expm1(-length) * length / (2 * before)


class UniPC(Stepping):
    """
    Predicts by a line through two values of D, and corrects when the next value is there.

    The second order of UniPC by B(h) = exp(-h) - 1, of Zhao et al., "UniPC: A Unified
    Predictor-Corrector Framework for Fast Sampling of Diffusion Models" (arXiv 2302.04867), in the
    time l. What the predictor reached is where the model looks next; the corrector then takes the
    same step again with what was seen at its end.
    """

    _last: torch.Tensor | None = None
    """The sample that the step before began with."""
    _earlier: tuple[torch.Tensor, float] | None = None
    """D of the step before that one, and its noise level."""

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        before = self._before
        if before is not None and before[1] > level > 0 and self._last is not None:
            sample = self._corrected(self._last, before, denoised, level)
        self._last, self._earlier, self._before = sample, before, (denoised, level)
        if following <= 0 or level <= 0:
            return denoised if level > 0 else sample
        length = math.log(level / following)
        made = math.exp(-length) * sample - math.expm1(-length) * denoised
        if before is None or before[1] <= level or length == 0:
            return made
        slope = (denoised - before[0]) * (length / math.log(before[1] / level))
        return made - math.expm1(-length) / 2 * slope

    def _corrected(
        self,
        sample: torch.Tensor,
        before: tuple[torch.Tensor, float],
        denoised: torch.Tensor,
        level: float,
    ) -> torch.Tensor:
        """Return the sample at a level, by the step to it taken again with D at its end."""
        length = math.log(before[1] / level)
        kept, share = math.exp(-length), -math.expm1(-length)
        made = kept * sample + share * before[0]
        change = denoised - before[0]
        earlier = self._earlier
        if earlier is None or earlier[1] <= before[1]:
            return made + share / 2 * change
        # D on the parabola through the three: a change of a·t + b·t·t after a time t.
        past = math.log(earlier[1] / before[1])
        bent = (change / length + (earlier[0] - before[0]) / past) / (length + past)
        first = length - share
        straight = change / length - bent * length
        return made + straight * first + bent * (length**2 - 2 * first)
