"""
ControlNets: networks beside a model that make it follow edges, depth or a pose.

The names of diffusers' classes say which pipeline takes a ControlNet, and how many at once
(`models/diffusers/controls.py`). What a class can't take is refused before weights are read.
Whether a network fits the model is checked before the pipeline is called, because a mismatch fails
somewhere inside of it. T2I-Adapters are given as ControlNets are.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

from nodes.huggingface.diffusion import model_image
from nodetool_core import ModelRef, NodeError
from nodetool_core.models.diffusers.controls import (
    adapter_pipeline_class,
    controlnet_classes,
    controlnet_pipeline_class,
    takes_several,
)
from nodetool_core.models.diffusers.families import SHARES_SUBMODULES, call_parameter
from nodetool_core.models.diffusers.modules import shallow_clone

if TYPE_CHECKING:
    from contextlib import ExitStack

    import torch
    from PIL import Image

    from nodes.huggingface.units import ControlNetUnit
    from nodetool_core import Context
    from nodetool_core.context import Lease, Pipeline

Network: TypeAlias = Any
"""A ControlNet or an adapter: a module whose configuration is looked at."""

_EXTRA_CHANNELS = ("extra_conditioning_channels", "extra_condition_channels")
"""Configuration keys of networks that take a mask as a further channel."""

_MODES_AS_TENSORS = re.compile(r"^FluxControlNet(Img2Img|Inpaint)")
"""Pipelines that pass the modes of several networks on as they are (diffusers 0.42)."""

_HINT = "Choose a ControlNet made for this family of models."
_ADAPTER = "T2IAdapter"


def check_controlnets(
    model: ModelRef, task: str, units: Sequence[ControlNetUnit], context: Context
) -> None:
    """
    Refuse ControlNets that can't be used together with a model, before any weights are read.

    Raises NodeError by the name of the pipeline that can't take them.
    """
    for unit in units:
        if unit.end <= unit.start:
            raise _refused(
                f"{unit.model.label} would begin at {unit.start:g} of the steps and end at"
                f" {unit.end:g}.",
                "Choose an `end` above `start`.",
                "invalid_value",
            )
    if len(units) < 2 and not any(unit.model.is_empty() for unit in units):
        return
    if any(unit.model.is_empty() for unit in units):
        raise _refused(
            "one of the controlnets names no network.", "Set its `controlnet`.", "missing_model"
        )
    base = context.models.class_of(model, task, context=context)
    usual = None if base is None else controlnet_pipeline_class(base, task)
    kinds = {_kind(unit.model, context) for unit in units} - {None}
    if base is not None and _ADAPTER in kinds and len(kinds) > 1:
        raise _refused(
            f"{base.__name__} takes T2I-Adapters or ControlNets, and not both at once.",
            "Use networks of one kind.",
        )
    if usual is None or _ADAPTER in kinds:
        return
    if len(kinds) > 1:
        names = " and ".join(sorted(map(str, kinds)))
        raise _refused(f"{usual.__name__} takes no {names} together.", "Use networks of one kind.")
    taken = takes_several(usual) if call_parameter(usual, "control_image") else "no"
    if taken == "yes" or (taken == "of one network" and len({unit.model for unit in units}) == 1):
        return
    takes = "several images of one network" if taken == "of one network" else "one"
    raise _refused(
        f"{usual.__name__} takes {takes}, and {len(units)} are given.",
        "Use one ControlNet with this model, or a model of a family that takes several, such as"
        " Stable Diffusion XL.",
    )


def _kind(ref: ModelRef, context: Context) -> str | None:
    found = context.models.class_of(ref, "network", context=context)
    return None if found is None else found.__name__


def _refused(message: str, hint: str, code: str = "model_unfit") -> NodeError:
    return NodeError(message, hint, code=code, where="controlnets")


def add_controlnets(
    lease: Lease,
    task: str,
    units: Sequence[ControlNetUnit],
    stack: ExitStack,
    context: Context,
    where: str,
) -> None:
    """
    Have a lease run a pipeline of the same components with the ControlNets of `units`.

    Warn and leave it as it is where its family has no ControlNet pipeline.

    Args:
        where: The property that gave them.

    Raises NodeError where a network does not fit the model, or there is no control image.
    """
    pipeline = lease.pipeline
    name = type(pipeline).__name__
    usual = controlnet_pipeline_class(type(pipeline), task)
    if usual is None and adapter_pipeline_class(type(pipeline), task) is None:
        context.warn(f"{where} is not used: {name} has no counterpart with one.")
        return
    if (usual is None or call_parameter(usual, "control_image")) and any(
        unit.image is None or unit.image.is_empty() for unit in units
    ):
        prop = "control_image" if where == "controlnet" else where
        raise NodeError(
            f"{where} is set, but there is no {'control_image' if prop != where else 'image'}.",
            f"Connect an image to `{prop}`.",
            code="missing_image",
            where=prop,
        )
    networks = [
        stack.enter_context(context.models.use(unit.model, "network", context=context))
        for unit in units
    ]
    nets = [network.part.model for network in networks]
    target = _pipeline_with(pipeline, task, nets)
    if target is None:
        raise NodeError(
            f"{type(nets[0]).__name__} is no ControlNet for {name}.",
            _HINT,
            code="model_unfit",
            where=where,
        )
    for net in nets:
        _check_text_width(pipeline, net, where)
    lease.compose(_with_networks(target, pipeline, nets), *networks)


def _pipeline_with(pipeline: Pipeline, task: str, nets: Sequence[object]) -> type | None:
    """Return the class that runs the components of a pipeline with networks; None for no such."""
    kinds = {type(net).__name__ for net in nets}
    if kinds == {_ADAPTER}:
        return adapter_pipeline_class(type(pipeline), task)
    known = controlnet_classes(pipeline)
    if any(kind.replace("MultiModel", "") not in known for kind in kinds):
        return None
    union = any("Union" in kind for kind in kinds)
    return controlnet_pipeline_class(
        type(pipeline), task, "ControlNetUnion" if union else "ControlNet"
    )


def control_images(
    units: Sequence[ControlNetUnit], context: Context, pipeline: Pipeline | None = None
) -> dict[str, Image.Image | list[Image.Image]]:
    """
    Return what networks are to follow: an image of one, a list of several, nothing of none.

    Args:
        pipeline: The pipeline that has the networks, where some of them may want grey images.
    """
    nets = [] if pipeline is None else _networks_of(pipeline)
    greys = [net.config.get("in_channels") == 1 for net in nets if type(net).__name__ == _ADAPTER]
    images = [
        model_image(context, unit.image, "control_image", "L" if grey else "RGB")
        for unit, grey in zip_longest(units, greys)
        if unit.image is not None and not unit.image.is_empty()
    ]
    if len(images) < len(units) or not images:
        return {}
    return {"control_image": images if len(images) > 1 else images[0]}


def controlnet_arguments(
    pipeline: Pipeline, units: Sequence[ControlNetUnit], guess_mode: bool
) -> dict[str, object]:
    """
    Return the arguments of a pipeline with ControlNets: scales, modes, and when each is at work.

    Args:
        units: As many as the pipeline has networks, or images of one.

    Raises NodeError where a union network gets no mode that it has, or where a network expects a
    mask that the pipeline does not pass, or the other way round.
    """
    nets = _networks_of(pipeline)
    arguments: dict[str, object] = {"guess_mode": True} if guess_mode else {}
    if any(unit.mode >= 0 for unit in units):
        arguments["control_mode"] = _of_each([unit.mode for unit in units])
    if not nets:
        return arguments
    if len(units) > 1 and _MODES_AS_TENSORS.search(type(pipeline).__name__):
        import torch

        arguments["control_mode"] = [
            torch.tensor([unit.mode], device=nets[0].device) for unit in units
        ]
    for net, unit in zip(nets * len(units) if len(nets) == 1 else nets, units, strict=False):
        _check_mask_input(type(pipeline), net)
        _check_mode(net, unit.mode)
    arguments["controlnet_conditioning_scale"] = _of_each([unit.scale for unit in units])
    if any((unit.start, unit.end) != (0.0, 1.0) for unit in units):
        arguments |= _when(pipeline, units)
    return arguments


def _when(pipeline: Pipeline, units: Sequence[ControlNetUnit]) -> dict[str, object]:
    """Return when each network is at work, as far as it is not all the time."""
    starts, ends = [unit.start for unit in units], [unit.end for unit in units]
    if getattr(pipeline, "adapter", None) is None:
        return {"control_guidance_start": _of_each(starts), "control_guidance_end": _of_each(ends)}
    if len(set(ends)) > 1:
        raise _refused(
            f"{type(pipeline).__name__} ends all T2I-Adapters at once, and they are to end at"
            f" {', '.join(f'{end:g}' for end in ends)} of the steps.",
            "Give all of them the same `end`.",
            "invalid_value",
        )
    when: dict[str, object] = {"control_guidance_end": ends[0]}
    return when | ({"control_guidance_start": starts[0]} if any(starts) else {})


def _of_each(values: Sequence[object]) -> object:
    return values if len(values) > 1 else values[0]


def _networks_of(pipeline: Pipeline) -> list[Network]:
    """Return the networks that lead a pipeline's denoiser."""
    found = getattr(pipeline, "controlnet", None)
    if found is None:
        found = getattr(pipeline, "adapter", None)
    if found is None:
        return []
    return list(getattr(found, "nets", None) or getattr(found, "adapters", None) or [found])


def _check_mode(net: Network, mode: int) -> None:
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


def _control_mode_count(net: Network) -> int:
    """Return how many kinds of control images a union network takes; 0 for other networks."""
    if getattr(net, "union", False):
        return int(net.config.num_mode)
    return int(net.config.num_control_type) if "Union" in type(net).__name__ else 0


def _check_text_width(pipeline: Pipeline, net: Network, where: str) -> None:
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
            where=where,
        )


def _check_mask_input(pipeline_class: type, net: Network) -> None:
    """Raise NodeError where only one of network and pipeline works with a mask."""
    extra = [net.config[name] for name in _EXTRA_CHANNELS if name in net.config]
    shown = call_parameter(pipeline_class, "mask_image") == "control_mask"
    if extra and bool(extra[0]) != shown:
        looks, gets = "a mask besides" if extra[0] else "no mask", "one" if shown else "none"
        message = f"the ControlNet looks at {looks}, and {pipeline_class.__name__} shows it {gets}."
        hint = f"Choose a ControlNet made for {'inpainting' if shown else 'this task'}."
        raise NodeError(message, hint, code="model_unfit", where="controlnet")


def _with_networks(target: type, pipeline: Pipeline, nets: list[torch.nn.Module]) -> Pipeline:
    """Return a pipeline of class `target` from another one's components, and networks."""
    wanted = inspect.signature(target).parameters
    settings = {name.removeprefix("_"): value for name, value in pipeline.config.items()}
    parts = {
        name: value for name, value in {**settings, **pipeline.components}.items() if name in wanted
    }
    name = "adapter" if "adapter" in wanted else "controlnet"
    made: Pipeline = target(**parts | {name: _joined(target, nets)})
    return made


def _joined(target: type, nets: list[torch.nn.Module]) -> object:
    """Return networks as a pipeline's constructor takes them."""
    own = [shallow_clone(net) if type(net).__name__ in SHARES_SUBMODULES else net for net in nets]
    if len(own) == 1:
        return own[0]
    import diffusers

    if "adapter" in inspect.signature(target).parameters:
        return diffusers.MultiAdapter(own)  # type: ignore[no-untyped-call]
    if takes_several(target) == "yes":
        return own

    # It takes several images of one network.
    return getattr(diffusers, type(own[0]).__name__.replace("Control", "MultiControl"))(own[:1])
