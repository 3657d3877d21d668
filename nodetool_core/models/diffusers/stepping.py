"""
Schedulers that diffusers lacks: what their rules share, over one that steps by Euler's.

A sample is x = a·x0 + s·noise, and a model says which image D it shows. A rule makes the sample of
the next noise level of these, and of the D of steps before. One to a noise level of 0 ends at D.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    Seen = tuple[torch.Tensor, float]
    """D of a step, and its noise level."""


class Stepping:
    """What the rules need of a scheduler that steps by Euler's."""

    config: Mapping[str, object]
    sigmas: torch.Tensor
    step_index: int | None
    _step_index: int | None
    draws_noise = False
    """Whether steps draw noise."""
    _before: Seen | None = None
    """What the step before saw."""
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
        made = self.next_sample(now, denoised, level, following, generator)
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

    def next_sample(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        """Return the sample of the next noise level, by the rule or at the end of all levels."""
        level = self.begins_at(level)
        if following <= 0 or level <= 0:
            return denoised if level > 0 else sample
        made = self.stepped(sample, denoised, level, following, generator)
        self._before = denoised, level
        return made

    def begins_at(self, level: float) -> float:
        """Return the level that a step is taken to begin with."""
        return level

    def earlier(self, level: float) -> Seen | None:
        """Return what the step before saw; None where it was at no higher level."""
        return self._before if self._before is not None and self._before[1] > level else None

    def stepped(
        self,
        sample: torch.Tensor,
        denoised: torch.Tensor,
        level: float,
        following: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        """Return the sample of the next noise level, by the rule."""
        raise NotImplementedError


def noise_like(sample: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Return noise in the form of a sample, drawn on the processor where there is a generator."""
    from diffusers.utils.torch_utils import randn_tensor

    noise: torch.Tensor = randn_tensor(
        sample.shape, generator=generator, device=sample.device, dtype=sample.dtype
    )
    return noise
