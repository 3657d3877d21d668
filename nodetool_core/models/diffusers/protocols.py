"""Objects of diffusers, as far as this room uses them; for pipelines see `context.Pipeline`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from nodetool_core.context import Pipeline, Scheduler

StepTensors = dict[str, "torch.Tensor"]
StepCallback = Callable[["Pipeline", int, object, StepTensors], StepTensors]
"""Gets pipeline, step, timestep and the tensors of the step; returns the tensors to go on with."""


class Autoencoder(Protocol):
    """An autoencoder, as far as latents concern it."""

    config: Mapping[str, Any]
    device: torch.device

    def decode(self, latents: torch.Tensor, *, return_dict: bool) -> tuple[torch.Tensor]:
        """Return the images of latents, in the first place."""
        ...


class SchedulerClass(Protocol):
    """A class of schedulers."""

    __name__: str

    def from_config(self, config: Mapping[str, object], **options: object) -> Scheduler:
        """Return a scheduler with a configuration, in which options count more."""
        ...


def is_pipeline(value: object) -> TypeGuard[Pipeline]:
    """Return whether an attribute of a pipeline is a pipeline itself."""
    from diffusers import DiffusionPipeline

    return isinstance(value, DiffusionPipeline)
