"""
Schedulers by name, and whether a model can run with one.

The names are those of diffusers' classes, with options behind them, and two that are ours. A
model's own scheduler lists the classes that are compatible with its configuration. For
flow-matching models diffusers has Euler's rule alone; for them, names stand for rules of
`own_schedulers`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from nodetool_core.errors import NodeError
from nodetool_core.models.diffusers.families import FIXED_SCHEDULER
from nodetool_core.models.diffusers.noise_schedules import with_schedule
from nodetool_core.models.diffusers.own_schedulers import (
    FLOW,
    FLOW_OPTIONS,
    OWN,
    own_scheduler,
)
from nodetool_core.models.libraries import import_libraries

if TYPE_CHECKING:
    from nodetool_core.context import Context, Pipeline, Scheduler
    from nodetool_core.models.diffusers.protocols import SchedulerClass


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
    "ERSDEScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "EulerDiscreteScheduler karras",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "ResMultistepScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
]
"""`default` keeps the model's own."""

_OPTIONS: Final[Mapping[str, Mapping[str, object]]] = {
    "karras": {"use_karras_sigmas": True},
    "sde": {"algorithm_type": "sde-dpmsolver++"},
}
"""Options that the words behind a class name stand for."""

_EXTRAS: Final[Mapping[str, str]] = {"torchsde": "sde"}
"""Package that a scheduler needs to our extra that installs it."""

_UNSUPPORTED_PREDICTIONS: Final[Mapping[str, frozenset[str]]] = {
    "DPMSolverSDEScheduler": frozenset({"sample"}),
    "EulerAncestralDiscreteScheduler": frozenset({"sample"}),
    "KDPM2AncestralDiscreteScheduler": frozenset({"sample"}),
    "KDPM2DiscreteScheduler": frozenset({"sample"}),
    "PNDMScheduler": frozenset({"sample"}),
}
"""Prediction types that a scheduler fails with, although it claims to be compatible."""

_DDIM_COMPATIBLE: Final = frozenset({"LCMScheduler", "TCDScheduler"})
"""Compatible with every configuration that DDIM is, but on no scheduler's list."""


def check_scheduler(name: str) -> None:
    """Raise NodeError where a package is missing that the scheduler needs; load no weights."""
    if name in ("default", *OWN):
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


def set_scheduler(
    pipeline: Pipeline, name: str, context: Context, schedule: str = "default"
) -> None:
    """
    Set the pipeline's scheduler by name, and how the noise falls.

    Warn and keep its own where it is incompatible.
    """
    if name != "default":
        _set_rule(pipeline, name, context)
    if schedule != "default":
        _set_schedule(pipeline, schedule, context)


def _set_schedule(pipeline: Pipeline, schedule: str, context: Context) -> None:
    own = getattr(pipeline, "scheduler", None)
    if own is None or FIXED_SCHEDULER.search(type(pipeline).__name__):
        what = "has schedulers of its parts" if own is None else "keeps its own schedule"
        context.warn(f"noise_schedule is not used: {type(pipeline).__name__} {what}.")
        return
    try:
        made, options = with_schedule(type(own), schedule, is_flow=is_flow(own))
    except ValueError:
        context.warn(f"noise_schedule is not used: {type(own).__name__} has no {schedule!r}.")
        return
    pipeline.scheduler = cast("SchedulerClass", made).from_config(own.config, **options)


def _set_rule(pipeline: Pipeline, name: str, context: Context) -> None:
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
    if is_flow(own):
        options |= FLOW_OPTIONS.get(name.split()[0], {})
    pipeline.scheduler = made.from_config(own.config, **options)


def set_shift(pipeline: Pipeline, shift: float, context: Context) -> None:
    """
    Shift the noise schedule of a flow-matching model; 0 keeps its own.

    Warn where the pipeline's scheduler has no such setting.
    """
    if shift == 0:
        return
    own = getattr(pipeline, "scheduler", None)
    config = {} if own is None else own.config
    name = next((name for name in ("shift", "flow_shift") if name in config), "")
    if own is None or not name:
        what = "schedulers of its parts" if own is None else type(own).__name__
        context.warn(
            f"shift is not used: {type(pipeline).__name__} has {what}, which has no shift."
        )
        return
    # By itself, a schedule that depends on the size would replace the shift.
    fixed = {"use_dynamic_shifting": False} if "use_dynamic_shifting" in config else {}
    pipeline.scheduler = type(own).from_config(config, **{name: shift}, **fixed)


def uses_global_rng(scheduler: Scheduler | None) -> bool:
    """Return whether a scheduler also draws from torch's global random generator."""
    if scheduler is not None and is_flow(scheduler):
        # Pipelines for flows hand no generator on.
        draws = getattr(scheduler, "draws_noise", False)
        return draws or bool(scheduler.config.get("stochastic_sampling"))
    return type(scheduler).__name__ == "DPMSolverSDEScheduler"


def is_flow(scheduler: Scheduler) -> bool:
    """Return whether a scheduler is the one of flow matching, or made of it."""
    return any(cls.__name__ == FLOW for cls in type(scheduler).__mro__)


def supports_schedulers(pipeline_class: type) -> bool:
    """Return whether a pipeline's scheduler can be replaced, judged by its annotation."""
    import_libraries()
    import diffusers

    own = inspect.signature(pipeline_class).parameters.get("scheduler")
    if own is None or FIXED_SCHEDULER.search(pipeline_class.__name__):
        return False
    named = re.findall(r"\w+Schedulers?", str(own.annotation))
    return any(
        name in ("KarrasDiffusionSchedulers", FLOW)
        or getattr(getattr(diffusers, name, None), "_compatibles", ())
        for name in named
    )


def scheduler_class(pipeline_class: type, own: Scheduler, name: str) -> SchedulerClass | None:
    """Return a scheduler class by name; None where it is incompatible with the scheduler `own`."""
    wanted, words = name.split()[0], name.split()[1:]
    if (
        FIXED_SCHEDULER.search(pipeline_class.__name__)
        or own.config.get("prediction_type") == "flow_prediction"
    ):
        return None
    if is_flow(own):
        rule = f"{wanted} sde" if "sde" in words else wanted
        if own.config.get("invert_sigmas"):
            return None
        return cast(
            "SchedulerClass | None",
            own_scheduler(rule, cast("type", _class_named(FLOW)), is_flow=True),
        )
    listed = {type(own).__name__, *getattr(own, "_compatibles", ())}
    if wanted in OWN and "EulerDiscreteScheduler" in listed:
        base = cast("type", _class_named("EulerDiscreteScheduler"))
        return cast("SchedulerClass | None", own_scheduler(wanted, base, is_flow=False))
    if wanted not in listed and not (wanted in _DDIM_COMPATIBLE and "DDIMScheduler" in listed):
        return None
    return _class_named(wanted)


def _class_named(name: str) -> SchedulerClass:
    """
    Return a scheduler class of diffusers.

    Raises ImportError where it needs a package that is not installed.
    """
    import_libraries()
    import diffusers
    from diffusers.schedulers.scheduling_lms_discrete import LMSDiscreteScheduler

    # Without scipy, diffusers exports a stand-in that can't be instantiated;
    # `nodetool_core/models/diffusers/schedulers.py` does without.
    found: Any = (
        LMSDiscreteScheduler if name == "LMSDiscreteScheduler" else getattr(diffusers, name)
    )
    if hasattr(found, "_backends"):
        found()
    made: SchedulerClass = found
    return made
