"""Objects of diffusers, as far as this room uses them; for pipelines see `context.Pipeline`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


class BlockParameter(Protocol):
    """What blocks take or give."""

    name: str | None
    type_hint: object
    default: object
    required: bool
    description: str | None


class ComponentNeed(Protocol):
    """A component that blocks need."""

    name: str
    config: Mapping[str, object] | None


class ModularBlocks(Protocol):
    """Blocks of Modular Diffusers."""

    inputs: Sequence[BlockParameter]
    outputs: Sequence[BlockParameter]
    expected_components: Sequence[ComponentNeed]
    sub_blocks: Mapping[str, ModularBlocks]
    progress_bar: Callable[..., object]

    def get_workflow(self, workflow_name: str) -> ModularBlocks:
        """Return those of one workflow."""
        ...

    def get_execution_blocks(self, **arguments: object) -> ModularBlocks:
        """Return those that run with arguments. Raises NotImplementedError of one block."""
        ...

    def init_pipeline(self) -> ModularPipeline:
        """Return a pipeline without components that have weights."""
        ...


class Guider(Protocol):
    """What guides by more than one prediction; keeps the state of a call."""

    def new(self, *, guidance_scale: float) -> Guider:
        """Return one with another scale."""
        ...


class ModularPipeline(Protocol):
    """A pipeline of blocks."""

    guider: Guider
    _blocks: ModularBlocks
    _component_specs: Mapping[str, object]
    _config_specs: Mapping[str, object]

    def register_components(self, **components: object) -> None:
        """Take components that its blocks know."""
        ...

    def register_to_config(self, **settings: object) -> None:
        """Take settings."""
        ...


def is_pipeline(value: object) -> TypeGuard[Pipeline]:
    """Return whether an attribute of a pipeline is a pipeline itself."""
    from diffusers import DiffusionPipeline

    return isinstance(value, DiffusionPipeline)
