"""
ControlNets: networks given besides a model, by which it follows edges, depths or a pose.

Which pipeline goes with one is told by the names of diffusers' classes
(`families.controlnet_pipeline_class`). Whether a network fits a model is looked at before the pipeline is
called, because what does not fit fails somewhere inside of it.
"""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

from nodes.huggingface.families import call_parameter, controlnet_pipeline_class
from nodetool_core import ModelRef, NodeError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from nodetool_core import Context, ImageRef

_EXTRA_CHANNELS = ("extra_conditioning_channels", "extra_condition_channels")
"""How networks say that they look at a mask besides."""

SHARES_SUBMODULES = ("ZImageControlNetModel",)
"""
Networks on which pipelines hang parts of their transformer.

What is hung on has to be the pipeline's own, as networks are shared.
"""

_HINT = "Choose a ControlNet made for this family of models."


def add_controlnet(
    pipeline: Any,
    task: str,
    ref: ModelRef,
    image: ImageRef | None,
    stack: ExitStack,
    context: Context,
) -> Any:
    """
    Return a pipeline like this one that follows an image through the network behind `ref`.

    Itself where its family has none such, told.

    Raises NodeError where the network does not fit the model, or there is no image to follow.
    """
    name = type(pipeline).__name__
    usual = controlnet_pipeline_class(type(pipeline), task)
    if usual is None:
        context.warn(f"controlnet is not used: {name} has no counterpart with one.")
        return pipeline
    if call_parameter(usual, "control_image") and (image is None or image.is_empty()):
        message = "controlnet is set, but there is no control_image."
        raise NodeError(
            message,
            "Connect an image to `control_image`.",
            code="missing_image",
            where="control_image",
        )
    net = stack.enter_context(context.models.use(ref, "network", context=context)).model
    target = controlnet_pipeline_class(
        type(pipeline), task, "ControlNetUnion" if "Union" in type(net).__name__ else "ControlNet"
    )
    if target is None or type(net).__name__.replace("MultiModel", "") not in _network_classes(
        pipeline
    ):
        raise NodeError(
            f"{type(net).__name__} is no ControlNet for {name}.",
            _HINT,
            code="model_unfit",
            where="controlnet",
        )
    _check_text_width(pipeline, net)
    return _with_network(target, pipeline, net)


def controlnet_arguments(pipeline: Any, scale: float, mode: int) -> dict[str, Any]:
    """
    Return what a pipeline with a ControlNet is told besides.

    How closely to follow the image, and of which kind it is.

    Args:
        mode: The number of the kind; -1 for none.

    Raises NodeError where the network knows several kinds and is told none of them, or looks at
    something else than it is shown.
    """
    net = getattr(pipeline, "controlnet", None)
    arguments = {} if mode < 0 else {"control_mode": mode}
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
            "Set control_mode to the number that its page gives.",
            code="invalid_value",
            where="control_mode",
        )
    return arguments | {"controlnet_conditioning_scale": scale}


def _control_mode_count(net: Any) -> int:
    """How many kinds of control images a network tells apart by number; 0 where it knows one."""
    if getattr(net, "union", False):
        return int(net.config.num_mode)
    return int(net.config.num_control_type) if "Union" in type(net).__name__ else 0


def _network_classes(pipeline: Any) -> frozenset[str]:
    """Return the classes of networks that control this kind of model."""
    transformer = getattr(pipeline, "transformer", None)
    if transformer is None:
        return frozenset({"ControlNetModel", "ControlNetUnionModel"})
    return frozenset({type(transformer).__name__.replace("Transformer2DModel", "ControlNetModel")})


def _check_text_width(pipeline: Any, net: Any) -> None:
    """
    Raise NodeError where the network reads texts of another width than the model, which would fail
    inside of it.
    """
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
    """
    Raise NodeError where the network looks at a mask that the pipeline does not show it, or the
    other way round.
    """
    extra = [net.config[name] for name in _EXTRA_CHANNELS if name in net.config]
    shown = call_parameter(pipeline_class, "mask_image") == "control_mask"
    if extra and bool(extra[0]) != shown:
        looks, gets = "a mask besides" if extra[0] else "no mask", "one" if shown else "none"
        message = f"the ControlNet looks at {looks}, and {pipeline_class.__name__} shows it {gets}."
        hint = f"Choose a ControlNet made for {'inpainting' if shown else 'this task'}."
        raise NodeError(message, hint, code="model_unfit", where="controlnet")


def _with_network(target: type, pipeline: Any, net: Any) -> Any:
    """Return a pipeline of the class, of the parts and settings of another one, and a network."""
    wanted = inspect.signature(target).parameters
    settings = {name.removeprefix("_"): value for name, value in pipeline.config.items()}
    parts = {
        name: value for name, value in (settings | pipeline.components).items() if name in wanted
    }
    return target(
        **parts
        | {"controlnet": _clone_network(net) if type(net).__name__ in SHARES_SUBMODULES else net}
    )


def _clone_network(net: Any) -> Any:
    """Return the network with a tree of modules of its own, over the same parameters."""
    clone = copy.copy(net)
    for kind in ("_modules", "_parameters", "_buffers"):
        vars(clone)[kind] = dict(vars(net)[kind])
    return clone
