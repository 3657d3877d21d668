"""
ControlNets: networks beside a model that make it follow edges, depth or a pose.

The names of diffusers' classes say which pipeline takes a ControlNet
(`families.controlnet_pipeline_class`). Whether a network fits the model is checked before the
pipeline is called, because a mismatch fails somewhere inside of it.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from nodetool_core import ModelRef, NodeError
from nodetool_core.models.diffusers.families import (
    SHARES_SUBMODULES,
    call_parameter,
    controlnet_classes,
    controlnet_pipeline_class,
)
from nodetool_core.models.diffusers.modules import shallow_clone

if TYPE_CHECKING:
    from contextlib import ExitStack

    import torch

    from nodetool_core import Context, ImageRef
    from nodetool_core.context import Lease, Pipeline

_EXTRA_CHANNELS = ("extra_conditioning_channels", "extra_condition_channels")
"""Configuration keys of networks that take a mask as a further channel."""

_HINT = "Choose a ControlNet made for this family of models."


def add_controlnet(
    lease: Lease,
    task: str,
    ref: ModelRef,
    image: ImageRef | None,
    stack: ExitStack,
    context: Context,
) -> None:
    """
    Have a lease run a pipeline of the same components with the ControlNet behind `ref`.

    Warn and leave it as it is where its family has no ControlNet pipeline.

    Raises NodeError where the network does not fit the model, or there is no control image.
    """
    pipeline = lease.pipeline
    name = type(pipeline).__name__
    usual = controlnet_pipeline_class(type(pipeline), task)
    if usual is None:
        context.warn(f"controlnet is not used: {name} has no counterpart with one.")
        return
    if call_parameter(usual, "control_image") and (image is None or image.is_empty()):
        message = "controlnet is set, but there is no control_image."
        raise NodeError(
            message,
            "Connect an image to `control_image`.",
            code="missing_image",
            where="control_image",
        )
    network = stack.enter_context(context.models.use(ref, "network", context=context))
    net = network.part.model
    target = controlnet_pipeline_class(
        type(pipeline), task, "ControlNetUnion" if "Union" in type(net).__name__ else "ControlNet"
    )
    if target is None or type(net).__name__.replace("MultiModel", "") not in controlnet_classes(
        pipeline
    ):
        raise NodeError(
            f"{type(net).__name__} is no ControlNet for {name}.",
            _HINT,
            code="model_unfit",
            where="controlnet",
        )
    _check_text_width(pipeline, net)
    lease.compose(_with_network(target, pipeline, net), network)


def controlnet_arguments(pipeline: Pipeline, scale: float, mode: int) -> dict[str, object]:
    """
    Return the arguments of a pipeline with a ControlNet: its scale and its mode.

    Args:
        mode: The number of the kind of control image; -1 for none.

    Raises NodeError where a union network gets no mode that it has, or where the network expects a
    mask that the pipeline does not pass, or the other way round.
    """
    net = getattr(pipeline, "controlnet", None)
    arguments: dict[str, object] = {} if mode < 0 else {"control_mode": mode}
    if net is None:
        return arguments
    _check_mask_input(type(pipeline), net)
    modes = _control_mode_count(net)
    if modes and not 0 <= mode < modes:
        message = (
            f"The ControlNet knows {modes} kinds of control images, numbered from 0; control_mode"
            f" is {mode}."
        )
        raise NodeError(
            message,
            "Set control_mode to the number that its page states.",
            code="invalid_value",
            where="control_mode",
        )
    return arguments | {"controlnet_conditioning_scale": scale}


def _control_mode_count(net: Any) -> int:
    """Return how many kinds of control images a union network takes; 0 for other networks."""
    if getattr(net, "union", False):
        return int(net.config.num_mode)
    return int(net.config.num_control_type) if "Union" in type(net).__name__ else 0


def _check_text_width(pipeline: Pipeline, net: Any) -> None:
    """Raise NodeError where network and model differ in the width of prompt embeddings."""
    unet = getattr(pipeline, "unet", None)
    of_model, of_net = (
        None if part is None else part.config.get("cross_attention_dim") for part in (unet, net)
    )
    if of_model is not None and of_net is not None and of_model != of_net:
        message = (
            f"the ControlNet reads prompts {of_net} numbers wide, the model {of_model}: it is made"
            " for another family."
        )
        raise NodeError(
            message,
            "Choose a ControlNet made for this model's family.",
            code="model_unfit",
            where="controlnet",
        )


def _check_mask_input(pipeline_class: type, net: Any) -> None:
    """Raise NodeError where only one of network and pipeline works with a mask."""
    extra = [net.config[name] for name in _EXTRA_CHANNELS if name in net.config]
    shown = call_parameter(pipeline_class, "mask_image") == "control_mask"
    if extra and bool(extra[0]) != shown:
        looks, gets = "a mask besides" if extra[0] else "no mask", "one" if shown else "none"
        message = f"the ControlNet looks at {looks}, and {pipeline_class.__name__} shows it {gets}."
        hint = f"Choose a ControlNet made for {'inpainting' if shown else 'this task'}."
        raise NodeError(message, hint, code="model_unfit", where="controlnet")


def _with_network(target: type, pipeline: Pipeline, net: torch.nn.Module) -> Pipeline:
    """Return a pipeline of class `target` from another one's components, and the network."""
    wanted = inspect.signature(target).parameters
    settings = {name.removeprefix("_"): value for name, value in pipeline.config.items()}
    parts = {
        name: value for name, value in {**settings, **pipeline.components}.items() if name in wanted
    }
    made: Pipeline = target(
        **parts
        | {"controlnet": shallow_clone(net) if type(net).__name__ in SHARES_SUBMODULES else net}
    )
    return made
