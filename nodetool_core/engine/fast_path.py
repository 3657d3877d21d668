"""
The fast path: plain steps, from ready to settled, in one loop.

A node that adds two numbers takes less time than the questions that an arbitrary step has to be
asked before and after it. For a plain step (`Step.is_plain`) they are answered when the plan is
made: it runs on this thread, its inputs are finished values of its own frame, and what takes its
result waits in that frame for nothing else to be decided. So it is called, kept, told of and
settled here without a detour; O(1) for the step and for each of its edges. Whatever turns out to be
different after all (a value of a richer type, an equal step, a failure, a message from a thread)
goes the scheduler's general way, which gives the same.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from nodetool_core.engine.events import node_finished
from nodetool_core.engine.frames import DONE, Frame, Values
from nodetool_core.engine.plan import Step
from nodetool_core.ownership import own_copy

if TYPE_CHECKING:
    from nodetool_core.engine.scheduler import Scheduler

_new, _set = object.__new__, object.__setattr__


class FastPath:
    """The plain steps of one run."""

    def __init__(self, scheduler: Scheduler, seeded: dict[int, dict[str, Any]]) -> None:
        environment = scheduler.environment
        self._scheduler = scheduler
        self._seeded = seeded
        self._ready = scheduler.ready.inline
        self._ran = scheduler.result.ran.append
        self._keep = environment.cache.put
        self._tell = environment.event_queue.put if environment.event_queue is not None else None
        self._has_policies = bool(environment.options.policies)

    def run(self) -> None:
        """Begin ready steps, until one was not plain, one failed, or a message came."""
        scheduler, ready, seeded = self._scheduler, self._ready, self._seeded
        ran, keep, tell, settle = self._ran, self._keep, self._tell, self.settle
        invoker, gaps, no_message = scheduler.invoker, scheduler.gaps, scheduler.invoker.inbox.empty
        while ready and no_message():
            frame, step = ready.pop()
            slot, node, compiled, results = step.slot, step.node, step.compiled, frame.values
            is_plain = step.is_plain and not (
                frame.state[slot] or frame.upstream_state[slot] or slot in frame.duplicate_of
            )
            if not is_plain or self._has_policies or gaps.any:
                scheduler.begin(frame, step)
                return
            assert node is not None and compiled is not None
            started = perf_counter()
            try:
                given = seeded.get(step.index, node.values).copy()
                for name in step.mutable:
                    given[name] = own_copy(given[name])
                for feed in step.feeds:
                    value = results[feed.slot][feed.output]  # type: ignore[index]
                    if feed.accept is not None:
                        invoker.check(step, feed, value)
                    given[feed.property] = own_copy(value) if feed.copied else value
                if compiled.dynamic:
                    given["dynamic_values"] = own_copy(node.dynamic)
                instance = _new(compiled.node_class)
                _set(instance, "__dict__", given)
                returned = (
                    compiled.process(instance, invoker.context(step))
                    if compiled.takes_context
                    else compiled.process(instance)
                )
                is_exact = type(returned) is compiled.exact
                values = (returned,) if is_exact else compiled.values(returned)
            except BaseException as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
                scheduler.fail(frame, step, error)
                return
            seconds = perf_counter() - started
            if not is_exact or slot in frame.duplicates:
                scheduler.finish(frame, step, values, seconds)
                continue
            ran(node.id)
            if step.shareable:
                keep(frame.keys[slot], values, seconds)
            if tell is not None:
                tell(node_finished((node.id, frame.index, seconds, False)))
            settle(frame, step, values)

    def settle(self, frame: Frame, step: Step, values: Values) -> None:
        """
        What the scheduler's `settle` does, for a local step that is done, has no equal step and
        gave one value that is not skipped.
        """
        slot, refcount, pending_inputs, demanded = (
            step.slot,
            frame.refcount,
            frame.pending_inputs,
            frame.demanded,
        )
        frame.state[slot] = DONE
        if refcount[slot]:
            frame.values[slot] = values
        for source in step.sources:
            left = refcount[source] - 1
            if left >= 0:
                refcount[source] = left
                if not left:
                    self._scheduler.drop_value(frame, source)
        for consumer, _ in step.local:
            left = pending_inputs[consumer] = pending_inputs[consumer] - 1
            if not left and demanded[consumer]:
                self._ready.append((frame, frame.steps[consumer]))
        frame.open -= 1
        if not frame.open:
            self._scheduler.loops.frame_finished(frame)
