"""
What a run will still use of models, for the weights manager to plan by.

Of a plan only the steps matter that run models, and which of them come before which. That is found
once per run, in one pass over the plan: each step passes on the nearest such steps above it. From
then on, finding what is left costs as much as the manager looks ahead, and happens each time a
device is given work. A step in a loop counts as one use for all of its items, as they are run one
after another anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nodetool_core.engine.frames import RUNNING, WAITING, Frame, Frames
from nodetool_core.engine.steps import LOCAL, GatherStep, NodeStep, Step
from nodetool_core.node_base import Lane
from nodetool_core.references import ModelRef

if TYPE_CHECKING:
    from nodetool_core.models.planning.lookahead import ReadyUse, RunForecast
    from nodetool_core.models.weights_manager import WeightsManager

_ANCESTORS = 64
"""Of more nearest steps than this above one step, the rest is left out: the order only guides."""

Models = tuple[ModelRef, ...]


class ModelLookahead:
    """The model uses of one run that are still to come."""

    def __init__(self, frames: Frames, manager: Callable[[], WeightsManager | None]) -> None:
        """
        Look ahead in one run.

        Args:
            manager: Returns the weights manager, which it may make; None where it plans nothing.
        """
        self.taken: ReadyUse | None = None
        """The use that was given to the device last, until its lane takes it."""
        self.devices = 1
        """How many devices run models; known once the run has used one."""
        self.calls_at_once = 1
        """How many steps they take at once."""
        self._frames = frames
        self._find_manager = manager
        self._manager: WeightsManager | None = None
        self._forecast: RunForecast | None = None
        self._uses: list[tuple[NodeStep, frozenset[int]]] | None = None
        self._begin = 0

    def looks_ahead(self) -> bool:
        """
        Return whether there is a manager that plans ahead.

        Called with the first step for a device, as it may make the manager.
        """
        if self._manager is None:
            self._manager = self._find_manager()
        return self._manager is not None

    def choose(self, ready: dict[Models, list[tuple[Frame, NodeStep]]], last: Models) -> Models:
        """Return which models' steps should be next, of those that are ready."""
        if self._manager is None or not any(ready):
            return next(iter(ready))
        forecast = self._updated(self._manager, ready)
        order = sorted(ready, key=lambda models: models != last)
        names = [ready[models][-1][1].index for models in order]
        chosen = forecast.choose(names)
        self.taken = forecast.ready_use(chosen)
        return order[names.index(chosen)]

    def close(self, *, cancelled: bool) -> None:
        """Let the weights manager know that the run has ended."""
        if self._manager is not None and self._forecast is not None:
            self._manager.run_closed(self._forecast, cancelled=cancelled)

    def _updated(
        self, manager: WeightsManager, ready: dict[Models, list[tuple[Frame, NodeStep]]]
    ) -> RunForecast:
        """Return the run's forecast, with what is left of it."""
        from nodetool_core.models.planning.lookahead import HORIZON, PlannedUse

        if self._forecast is None:
            self._forecast = manager.forecast()
            self.devices = len(manager.devices)
            self.calls_at_once = len(manager.slots)
        if self._uses is None:
            self._uses = _uses_of(self._frames.plan.steps)
        left: dict[int, PlannedUse] = {}
        waiting = {
            jobs[-1][1].index: PlannedUse(models) for models, jobs in ready.items() if models
        }
        while self._begin < len(self._uses) and self._is_settled(self._uses[self._begin][0]):
            self._begin += 1
        for step, after in self._uses[self._begin :]:
            if len(left) >= HORIZON:
                break
            if step.index not in waiting and self._is_left(step):
                left[step.index] = PlannedUse(models_of(self._frames.root, step), after)
        self._forecast.update({**waiting, **left})
        return self._forecast

    def _is_settled(self, step: Step) -> bool:
        return step.region == 0 and self._frames.root.state[step.slot] > RUNNING

    def _is_left(self, step: Step) -> bool:
        """Return whether a step will run, in some item where it is in a loop."""
        root = self._frames.root
        if step.region == 0:
            return bool(root.demanded[step.slot]) and root.state[step.slot] == WAITING
        inside = self._frames.inside(root, step.region)
        if any(frame.demanded[step.slot] and frame.state[step.slot] == WAITING for frame in inside):
            return True
        opener = self._frames.plan.steps[self._frames.plan.regions[step.region].opener]
        return opener.region != 0 or (
            bool(root.demanded[opener.slot]) and root.state[opener.slot] <= RUNNING
        )


class RunLane:
    """A device's lane as one run sees it: with what is submitted goes which use it is."""

    def __init__(self, submit: Callable[..., None]) -> None:
        self.lookahead: ModelLookahead | None = None
        self._submit = submit

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """
        Call a function on the device's thread.

        Nothing makes way for others there: weights and memory are in use until it returns.
        """
        offer = None
        if self.lookahead is not None:
            offer, self.lookahead.taken = self.lookahead.taken, None
        self._submit(offer, function, *arguments)


def models_of(frame: Frame, step: NodeStep) -> Models:
    """
    Return the models that a step uses, as far as its values and what has arrived show.

    An empty reference is the node's default.
    """
    node = step.node
    values: dict[str, Any] = {
        name: value for name, value in node.values.items() if isinstance(value, ModelRef)
    }
    for feed in step.feeds:
        if (
            feed.kind == LOCAL
            and (arrived := frame.values[feed.slot]) is not None
            and isinstance(arrived[feed.output], ModelRef)
        ):
            values[feed.property] = arrived[feed.output]
    default = getattr(node.node_class, "default_model", "")
    if default and (ref := values.get("model")) is not None and ref.is_empty():
        values["model"] = ModelRef(repo_id=default)
    return tuple(ref.key for ref in values.values() if not ref.is_empty())


def _uses_of(steps: Iterable[Step]) -> list[tuple[NodeStep, frozenset[int]]]:
    """
    Return the steps that run models, in topological order, each with the nearest ones above it.
    """
    nearest: dict[int, frozenset[int]] = {}
    found: list[tuple[NodeStep, frozenset[int]]] = []
    nothing: frozenset[int] = frozenset()
    for step in steps:
        sources = (
            [step.source] if isinstance(step, GatherStep) else [feed.source for feed in step.feeds]
        )
        above = [some for source in sources if (some := nearest.get(source))]
        after = above[0] if len(above) == 1 else nothing.union(*above)
        if len(after) > _ANCESTORS:
            after = frozenset(sorted(after)[:_ANCESTORS])
        if (
            isinstance(step, NodeStep)
            and step.compiled.lane is Lane.DEVICE
            and _may_use_models(step)
        ):
            found.append((step, after))
            after = frozenset({step.index})
        if after:
            nearest[step.index] = after
    return found


def _may_use_models(step: NodeStep) -> bool:
    return any(isinstance(value, ModelRef) for value in step.node.values.values()) or any(
        isinstance(prop.default, ModelRef) for prop in step.node.spec.properties.values()
    )
