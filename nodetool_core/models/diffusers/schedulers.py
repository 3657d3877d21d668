"""
Schedulers of diffusers, mended where they lose their way.

- No pipeline that makes images from texts sets the first step of its loop. Its scheduler looks
  its timestep up, and of two equal ones takes the second. Rounded timesteps are equal near the
  beginning of a schedule by Karras, of one with zero terminal noise, and of a cosine; the loop then
  runs beyond the end of the schedule (diffusers 0.42, `IndexError`).
- PNDM takes it for granted that a loop has four steps or more and starts at the first timestep.
  Image to image starts later.
- Ancestral schedulers take the root of a difference that can round to less than 0 where a schedule
  falls steeply.
- LMS counts steps that a loop that began later has not done. Its coefficients are integrals of
  polynomials, for which scipy is not needed.

`mended` makes a subclass of the same name, so that whoever asks for the class of a scheduler finds
what it expects.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from nodetool_core.models.diffusers.protocols import is_pipeline

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Pipeline


Scheduled = TypeVar("Scheduled")


def copied_scheduler(scheduler: Scheduled) -> Scheduled:
    """
    Return a scheduler in the same state, that shares nothing with this one that a call changes.
    """
    import torch

    made = copy.copy(scheduler)
    state: dict[str, object] = vars(made)
    for name, value in state.items():
        if isinstance(value, (list, set)) or type(value) is dict:
            state[name] = copy.copy(value)
        elif isinstance(value, torch.Tensor):
            state[name] = value.clone()
    return made


def is_scheduler(value: object) -> bool:
    """Return whether a part of a pipeline is a scheduler."""
    kind: type = type(value)
    return _is_scheduler(kind)


def is_stateful(value: object) -> bool:
    """Return whether a part of a pipeline counts the steps of a call: a scheduler, or a guider."""
    kind: type = type(value)
    return _is_stateful(kind)


@cache
def _is_scheduler(kind: type) -> bool:
    from diffusers import SchedulerMixin

    return issubclass(kind, SchedulerMixin)


@cache
def _is_stateful(kind: type) -> bool:
    from diffusers.guiders.guider_utils import BaseGuidance

    return _is_scheduler(kind) or issubclass(kind, BaseGuidance)


def mend_schedulers(pipeline: Pipeline) -> None:
    """
    Mend the schedulers of a pipeline of the caller's own, and of the pipelines that it is made of.
    """
    for part in vars(pipeline).values():
        if is_scheduler(part):
            kind: type = type(part)
            part.__class__ = mended(kind)
        elif is_pipeline(part):
            mend_schedulers(part)


@cache
def mended(cls: type) -> type:
    """
    Return the subclass of a scheduler's class that has what is missing.

    The class itself where nothing is.
    """
    mends = [
        mend for name, mend in _MENDS.items() if cls.__name__ == name and not issubclass(cls, mend)
    ]
    if hasattr(cls, "index_for_timestep") and not issubclass(cls, _Placed):
        mends.append(_Placed)
    if not hasattr(cls, "scale_model_input"):
        mends.append(_Unscaled)
    return type(cls.__name__, (*mends, cls), {"__module__": cls.__module__}) if mends else cls


class _Placed:
    """Finds the first timestep at the first place."""

    timesteps: torch.Tensor

    def index_for_timestep(
        self, timestep: float | torch.Tensor, schedule_timesteps: torch.Tensor | None = None
    ) -> int:
        steps = self.timesteps if schedule_timesteps is None else schedule_timesteps
        if len(steps) and timestep == steps[0]:
            return 0
        found: int = super().index_for_timestep(timestep, schedule_timesteps)  # type: ignore[misc]
        return found


class _Unscaled:
    """A method that Bria calls on all schedulers but those of one class, subclasses excepted."""

    def scale_model_input(self, sample: torch.Tensor, timestep: object = None) -> torch.Tensor:
        return sample


class _InDoublePrecision:
    """
    Keeps its noise levels in double precision.

    The difference of the squares of two of them then stays above 0.
    """

    sigmas: torch.Tensor

    def set_timesteps(self, *arguments: object, **options: object) -> None:
        super().set_timesteps(*arguments, **options)  # type: ignore[misc]
        self.sigmas = self.sigmas.double()


class _Steep:
    """
    Has the noise level below a step, and the one between, for every schedule.

    Single precision makes them the root of less than 0 for some.
    """

    sigmas: torch.Tensor
    sigmas_down: torch.Tensor
    sigmas_interpol: torch.Tensor
    timesteps: torch.Tensor

    def set_timesteps(self, *arguments: object, **options: object) -> None:
        super().set_timesteps(*arguments, **options)  # type: ignore[misc]
        for index in (~(self.sigmas_down > 0)).nonzero().flatten().tolist():
            # Each level but the first stands there twice. The geometric mean of a level and the one
            # below it is the next one.
            following = (index + 1) // 2 * 2 + 1
            level = self.sigmas[following] if following < len(self.sigmas) else 0.0
            if level > 0:
                self.sigmas_down[index] = level**2 / self.sigmas[index]
                self.sigmas_interpol[index] = level
                self.timesteps[following] = self.timesteps[following + 1]


class _Exact:
    """
    Integrates the polynomials of Lagrange as polynomials.

    They are of as many steps as were done since the loop began.
    """

    derivatives: list[torch.Tensor]
    sigmas: torch.Tensor

    def step(
        self,
        model_output: torch.Tensor,
        timestep: float | torch.Tensor,
        sample: torch.Tensor,
        order: int = 4,
        return_dict: bool = True,
    ) -> object:
        order = min(order, len(self.derivatives) + 1)
        return super().step(model_output, timestep, sample, order, return_dict)  # type: ignore[misc]

    def get_lms_coefficient(self, order: int, t: int, current_order: int) -> float:
        from numpy.polynomial import Polynomial

        levels = [float(self.sigmas[t - back]) for back in range(order)]
        others = [level for back, level in enumerate(levels) if back != current_order]
        basis = Polynomial.fromroots(others) if others else Polynomial([1.0])
        integral = (basis / basis(levels[current_order])).integ()
        return float(integral(float(self.sigmas[t + 1])) - integral(levels[0]))


class _BegunAnywhere:
    """
    Takes linear multistep from the start.

    The first step is doubled only where the loop begins with the first timestep.
    """

    config: Any
    counter: int
    plms_timesteps: torch.Tensor

    def set_timesteps(self, *arguments: object, **options: object) -> None:
        # The other way to start takes four steps, of four calls each, and no loop that begins
        # later.
        if not self.config.skip_prk_steps:
            self.register_to_config(skip_prk_steps=True)  # type: ignore[attr-defined]
        super().set_timesteps(*arguments, **options)  # type: ignore[misc]

    def step_plms(
        self,
        model_output: torch.Tensor,
        timestep: float | torch.Tensor,
        sample: torch.Tensor,
        return_dict: bool = True,
    ) -> object:
        if self.counter == 0:
            self._begun = int(timestep)
        elif self.counter == 1 and self._begun != int(self.plms_timesteps[0]):
            if int(timestep) == self._begun:
                return self._unchanged(sample, return_dict)
            self.counter = 2
        return super().step_plms(model_output, timestep, sample, return_dict)  # type: ignore[misc]

    @staticmethod
    def _unchanged(sample: torch.Tensor, return_dict: bool) -> object:
        from diffusers.schedulers.scheduling_utils import SchedulerOutput

        return SchedulerOutput(prev_sample=sample) if return_dict else (sample,)


_MENDS = {
    "EulerAncestralDiscreteScheduler": _InDoublePrecision,
    "KDPM2AncestralDiscreteScheduler": _Steep,
    "LMSDiscreteScheduler": _Exact,
    "PNDMScheduler": _BegunAnywhere,
}
"""Class to what it lacks, besides a place to begin at."""
