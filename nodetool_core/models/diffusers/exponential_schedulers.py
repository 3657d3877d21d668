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

- `UniPC` steps like this as well, and takes each step again by a parabola once it is done.

The first step is Euler's.

Ancestral steps of a flow go further down, and add the noise that is missing then: from s to s'
through d = s'·s'/s. The signal 1 - d becomes 1 - s', and noise is added up to s'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.stepping import Stepping, noise_like

if TYPE_CHECKING:
    import torch

    from nodetool_core.models.diffusers.stepping import Seen


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
        length = math.log(level / following)
        made = _by_euler(sample, denoised, length)
        if (before := self.earlier(level)) is None:
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
        down = following**2 / level
        made = sample * (down / level) + denoised * (1 - down / level)
        signal = (1 - following) / (1 - down) if down < 1 else 1.0
        added = math.sqrt(max(0.0, following**2 - (down * signal) ** 2))
        return made * signal + noise_like(sample, generator) * added


class Res(Multistep):
    """Integrates the line through two values of D exactly."""

    def slope(self, length: float, before: float) -> float:
        return (length + math.expm1(-length)) / before


class Midpoint(Multistep):
    """Takes D halfway along the step."""

    def slope(self, length: float, before: float) -> float:
        return -math.expm1(-length) * length / (2 * before)


class UniPC(Midpoint):
    """
    Predicts by a line through two values of D, and corrects when the next value is there.

    The second order of UniPC by B(h) = exp(-h) - 1, of Zhao et al., "UniPC: A Unified
    Predictor-Corrector Framework for Fast Sampling of Diffusion Models" (arXiv 2302.04867), in the
    time l. What the predictor reached is where the model looks next; the corrector then takes the
    same step again with what was seen at its end.
    """

    _last: torch.Tensor | None = None
    """The sample that the step before began with."""
    _earlier: Seen | None = None
    """What the step before that one saw."""

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        before = self.earlier(level)
        if before is not None and self._last is not None:
            sample = self._corrected(self._last, before, denoised, level)
        self._last, self._earlier = sample, self._before
        return super().stepped(sample, denoised, level, following, generator)

    def _corrected(
        self,
        sample: torch.Tensor,
        before: Seen,
        denoised: torch.Tensor,
        level: float,
    ) -> torch.Tensor:
        """Return the sample at a level, by the step to it taken again with D at its end."""
        length = math.log(before[1] / level)
        share = -math.expm1(-length)
        made = _by_euler(sample, before[0], length)
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


def _by_euler(sample: torch.Tensor, denoised: torch.Tensor, length: float) -> torch.Tensor:
    """Return the sample after a time, by D as it is at the beginning."""
    return math.exp(-length) * sample - math.expm1(-length) * denoised
