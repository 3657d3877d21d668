"""
Schedulers by name: which rule a denoising loop steps by.

The names are those of diffusers' classes; the table says which options come with a name. Whether a
model can run with one is told by its own scheduler, which lists those that understand its
configuration.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from nodes.huggingface.families import FIXED_SCHEDULER
from nodetool_core import NodeError

if TYPE_CHECKING:
    from nodetool_core import Context

SchedulerName = Literal[
    "default",
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverMultistepScheduler karras",
    "DPMSolverMultistepScheduler sde",
    "DPMSolverMultistepScheduler sde karras",
    "DPMSolverSDEScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "EulerDiscreteScheduler karras",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
]
"""`default` keeps the model's own."""

_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "karras": {"use_karras_sigmas": True},
    "sde": {"algorithm_type": "sde-dpmsolver++"},
}
"""What the words behind a class's name mean."""

_EXTRAS: Final[Mapping[str, str]] = {"torchsde": "sde"}
"""Package that a class needs to the extra of ours that has it."""

_UNSUPPORTED_PREDICTIONS: Final[Mapping[str, frozenset[str]]] = {
    "DPMSolverSDEScheduler": frozenset({"sample"}),
    "EulerAncestralDiscreteScheduler": frozenset({"sample"}),
    "KDPM2AncestralDiscreteScheduler": frozenset({"sample"}),
    "KDPM2DiscreteScheduler": frozenset({"sample"}),
    "PNDMScheduler": frozenset({"sample"}),
}
"""What a model may predict and a class can't step by, although it says that it can."""

_DDIM_COMPATIBLE: Final = frozenset({"LCMScheduler", "TCDScheduler"})
"""Understand the configuration of whatever can run with DDIM, but are on nobody's list."""


def check_scheduler(name: str) -> None:
    """
    Raise NodeError where a package is missing that the scheduler of that name needs.

    Loads no weights.
    """
    if name == "default":
        return
    try:
        _class_named(name.split()[0])
    except ImportError as error:
        package = next(iter(_EXTRAS.keys() & str(error).split()), "")
        message = f"{name} needs the package {package}, which is not installed."
        hint = (
            f"Install it with `pip install 'nodetool-imaging[{_EXTRAS[package]}]'`, or choose"
            " another scheduler."
        )
        raise NodeError(message, hint, code="missing_package", where="scheduler") from error


def set_scheduler(pipeline: Any, name: str, context: Context) -> None:
    """
    Give the pipeline the scheduler of that name.

    Where it can't run with it, it keeps its own, and that is told.
    """
    if name == "default":
        return
    own = getattr(pipeline, "scheduler", None)
    made = None if own is None else scheduler_class(type(pipeline), own, name)
    if own is None or made is None:
        why = (
            "has schedulers of its parts" if own is None else f"runs with {type(own).__name__} only"
        )
        context.warn(f"scheduler is not used: {type(pipeline).__name__} {why}.")
        return
    predicted = own.config.get("prediction_type", "epsilon")
    if predicted in _UNSUPPORTED_PREDICTIONS.get(made.__name__, ()):
        context.warn(
            f"scheduler is not used: {made.__name__} can't follow this model, which predicts"
            f" {predicted!r}."
        )
        return
    options = {key: value for word in name.split()[1:] for key, value in _OPTIONS[word].items()}
    pipeline.scheduler = made.from_config(own.config, **options)


def uses_global_rng(scheduler: Any) -> bool:
    """
    Whether a scheduler draws random numbers besides those of the generator that a pipeline gets.
    """
    return type(scheduler).__name__ == "DPMSolverSDEScheduler"


def supports_schedulers(pipeline_class: type) -> bool:
    """
    Whether a pipeline's scheduler can be chosen, as far as its class tells.

    By the scheduler that it names as its own.
    """
    import diffusers

    own = inspect.signature(pipeline_class).parameters.get("scheduler")
    if own is None or FIXED_SCHEDULER.search(pipeline_class.__name__):
        return False
    named = re.findall(r"\w+Schedulers?", str(own.annotation))
    return any(
        name == "KarrasDiffusionSchedulers"
        or getattr(getattr(diffusers, name, None), "_compatibles", ())
        for name in named
    )


def scheduler_class(pipeline_class: type, own: Any, name: str) -> Any:
    """
    Return the class of a scheduler by its name, or None where a pipeline that comes with `own`
    can't run with it.
    """
    wanted = name.split()[0]
    if (
        FIXED_SCHEDULER.search(pipeline_class.__name__)
        or own.config.get("prediction_type") == "flow_prediction"
    ):
        return None
    listed = {type(own).__name__, *getattr(own, "_compatibles", ())}
    if wanted not in listed and not (wanted in _DDIM_COMPATIBLE and "DDIMScheduler" in listed):
        return None
    return _class_named(wanted)


def _class_named(name: str) -> Any:
    """
    Return a class of diffusers. Raises ImportError where it needs a package that is not installed.
    """
    import diffusers
    from diffusers.schedulers.scheduling_lms_discrete import LMSDiscreteScheduler

    # Without scipy, diffusers shows a stand-in for it, which can't be made;
    # `nodetool_core/models/schedulers.py` does without.
    found = LMSDiscreteScheduler if name == "LMSDiscreteScheduler" else getattr(diffusers, name)
    if hasattr(found, "_backends"):
        found()
    return found
