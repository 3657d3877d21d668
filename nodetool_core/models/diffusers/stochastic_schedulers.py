"""
Schedulers that diffusers lacks: stochastic rules, for flow matching or both kinds of models.

As in `exponential_schedulers`, a sample is x = a·x0 + s·noise, and a model says which image D it
shows. With r = s/a, the sample x/a is one of a diffusion that adds noise alone, up to r.

- `StochasticFlow` is SDE-DPM-Solver++(2M) of Lu et al. (arXiv 2211.01095): in the time l = -log(r),
  a step of length h forgets the sample by exp(-2h), takes D halfway along, and adds noise of the
  power that is missing.
- `ExtendedReverse` is the third-order ER-SDE-Solver of Cui et al., "Elucidating the Solution Space
  of Extended Reverse-Time SDE for Diffusion Models" (arXiv 2309.06169). How much is forgotten is
  said by a function of r, here their fifth: f(r) = r·(exp(r^0.3) + 10). From r to r' with the ratio
  q = f(r')/f(r),
    x'/a' = q·x/a + (1 - q)·D + (r' - r + f(r')·S)·D' + ((r' - r)²/2 + f(r')·T)·D'',
  where S is the integral of 1/f from r' to r, T that of (t - r)/f(t), and D', D'' are differences
  of the D of this step and the two before. Noise of the variance r'² - (q·r)² is added.

In flow matching a is 1 - s; for other models, whose schedulers count noise alone, a is 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from nodetool_core.models.diffusers.stepping import Stepping, noise_like

if TYPE_CHECKING:
    import numpy as np
    import torch

    Numbers = np.ndarray[tuple[int, ...], np.dtype[np.floating[Any]]]

_NOTHING_BUT_NOISE: Final = 1 - 1e-4
"""The level that a flow is taken to begin with: at 1 there is no image left to scale."""
_STRIPS: Final = 200
"""Of the two integrals."""


class Stochastic(Stepping):
    """Adds noise of its own on the way down."""

    draws_noise = True

    def signal(self, level: float) -> float:
        """Return how much of the image there is at a noise level."""
        is_flow = "prediction_type" not in self.config
        return 1 - level if is_flow else 1.0

    def begins_at(self, level: float) -> float:
        """Return a level at which there is some image left."""
        return min(level, _NOTHING_BUT_NOISE) if self.signal(1.0) == 0 else level


class StochasticFlow(Stochastic):
    """Takes D halfway along the step, and forgets the sample twice as fast."""

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        length = self._time(following) - self._time(level)
        signal, share = self.signal(following), -math.expm1(-2 * length)
        made = following / level * math.exp(-length) * sample + signal * share * denoised
        if (before := self.earlier(level)) is not None:
            past = self._time(level) - self._time(before[1])
            made = made + signal * share * length / (2 * past) * (denoised - before[0])
        return made + noise_like(sample, generator) * (following * math.sqrt(share))

    def _time(self, level: float) -> float:
        return math.log(self.signal(level) / level)


class ExtendedReverse(Stochastic):
    """Integrates three values of D against the noise that is forgotten."""

    _slope: tuple[torch.Tensor, float] | None = None
    """D' of the step before, and r of the step before that."""

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        import numpy as np

        slope_before, self._slope = self._slope, None
        now, end = level / self.signal(level), following / self.signal(following)
        ratio, signal = _forgetting(end) / _forgetting(now), self.signal(following)
        made = signal * (ratio / self.signal(level) * sample + (1 - ratio) * denoised)
        if (before := self.earlier(level)) is not None:
            start = before[1] / self.signal(before[1])
            width = (now - end) / _STRIPS
            places = end + width * (np.arange(_STRIPS) + 0.5)
            weights = width / _forgetting_of(places)
            slope = (denoised - before[0]) / (now - start)
            self._slope = (slope, start)
            turn = end - now + float(weights.sum()) * _forgetting(end)
            made = made + signal * turn * slope
            if slope_before is not None:
                bend = (slope - slope_before[0]) / ((now - slope_before[1]) / 2)
                moment = float((weights * (places - now)).sum())
                turn = (end - now) ** 2 / 2 + moment * _forgetting(end)
                made = made + signal * turn * bend
        missing = math.sqrt(max(0.0, end**2 - (ratio * now) ** 2))
        return made + noise_like(sample, generator) * (signal * missing)


def _forgetting(ratio: float) -> float:
    return ratio * (math.exp(ratio**0.3) + 10)


def _forgetting_of(ratios: Numbers) -> Numbers:
    import numpy as np

    found: Numbers = ratios * (np.exp(ratios**0.3) + 10)
    return found
