"""
How the noise falls from step to step, beside the rule of a scheduler.

- `karras`: levels whose seventh roots are evenly spaced (Karras et al., arXiv 2206.00364).
- `exponential`: levels whose logarithms are.
- `beta`: times by the quantiles of Beta(0.6, 0.6), which are close at both ends (Lee et al., "Beta
  Sampling is All You Need", arXiv 2407.12173).

Schedulers of diffusers have the first two as options. Their third spreads the levels, and not the
times, which leaves a shift without effect and puts most steps of a diffusion where nothing happens;
here the times are spread. For flow matching, all three are between the levels of the first and the
last of 1,000 times, after their shift.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch

    Levels = np.ndarray[tuple[int], np.dtype[np.float64]]

NoiseSchedule = Literal["default", "karras", "exponential", "beta"]
"""`default` keeps that of the scheduler, or the one that its name says."""

_SHAPE: Final = 0.6
_RHO: Final = 7
_TIMES: Final = 1000


@cache
def beta_times(count: int) -> tuple[float, ...]:
    """Return times between 1 and 0, without 0: quantiles of the beta distribution, falling."""
    import numpy as np

    # Over an angle whose sine squared is the time, the density has no pole.
    angles = np.linspace(0, np.pi / 2, 20_001)
    middles = (angles[1:] + angles[:-1]) / 2
    power = 2 * _SHAPE - 1
    masses = np.concatenate([[0.0], np.cumsum((np.sin(middles) * np.cos(middles)) ** power)])
    wanted = 1 - np.arange(count) / count
    found = np.sin(np.interp(wanted, masses / masses[-1], angles)) ** 2
    return tuple(float(time) for time in found)


def with_schedule(cls: type, schedule: str, *, is_flow: bool) -> tuple[type, Mapping[str, object]]:
    """
    Return a scheduler's class with a schedule, and options that it has to be made with.

    Raises ValueError where it has no such schedule.
    """
    if schedule == "default":
        return cls, {}
    if is_flow:
        return _with(cls, _FLOWS[schedule]), {}
    if schedule == "beta" and "timesteps" in inspect.signature(cls.set_timesteps).parameters:  # type: ignore[attr-defined]
        return _with(cls, _BetaTimes), {}
    option = f"use_{schedule}_sigmas"
    if schedule == "beta" or option not in inspect.signature(cls).parameters:
        raise ValueError(schedule)
    others = {"use_karras_sigmas": False, "use_exponential_sigmas": False}
    return cls, {**others, option: True}


@cache
def _with(cls: type, mixin: type) -> type:
    return type(cls.__name__, (mixin, cls), {"__module__": cls.__module__})


class _BetaTimes:
    """Spreads the times of a diffusion."""

    config: Mapping[str, int]

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None, *_: object
    ) -> None:
        last = self.config["num_train_timesteps"] - 1
        times = [round(time * last) for time in beta_times(num_inference_steps)]
        super().set_timesteps(timesteps=times, device=device)  # type: ignore[misc]


class _FlowTimes:
    """Spreads the times of a flow, before their shift."""

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        sigmas: list[float] | None = None,
        mu: float | None = None,
        timesteps: list[float] | None = None,
    ) -> None:
        count = num_inference_steps or len(sigmas or timesteps or ())
        last = 1 / _TIMES
        times = [last + (1 - last) * time for time in beta_times(count)]
        super().set_timesteps(count, device, sigmas=times, mu=mu)  # type: ignore[misc]


class _FlowLevels:
    """Spreads the levels of a flow, after their shift."""

    sigmas: torch.Tensor
    timesteps: torch.Tensor
    num_inference_steps: int

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        sigmas: list[float] | None = None,
        mu: float | None = None,
        timesteps: list[float] | None = None,
    ) -> None:
        import torch

        count = num_inference_steps or len(sigmas or timesteps or ())
        super().set_timesteps(2, device, sigmas=[1.0, 1 / _TIMES], mu=mu)  # type: ignore[misc]
        first, last = (float(level) for level in self.sigmas[:2])
        shares = torch.arange(count, dtype=torch.float64) / max(1, count - 1)
        levels = self.spread(first, last, shares).float().to(self.sigmas.device)
        self.sigmas = torch.cat([levels, levels.new_zeros(1)])
        self.timesteps = levels * _TIMES
        self.num_inference_steps = count

    def spread(self, first: float, last: float, shares: torch.Tensor) -> torch.Tensor:
        """Return levels for shares of the way, between 0 and 1."""
        raise NotImplementedError


class _KarrasFlow(_FlowLevels):
    def spread(self, first: float, last: float, shares: torch.Tensor) -> torch.Tensor:
        root = 1 / _RHO
        levels: torch.Tensor = (first**root + shares * (last**root - first**root)) ** _RHO
        return levels


class _ExponentialFlow(_FlowLevels):
    def spread(self, first: float, last: float, shares: torch.Tensor) -> torch.Tensor:
        levels: torch.Tensor = first * (last / first) ** shares
        return levels


_FLOWS: Final[Mapping[str, type]] = {
    "beta": _FlowTimes,
    "exponential": _ExponentialFlow,
    "karras": _KarrasFlow,
}
