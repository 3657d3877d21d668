"""
The scheduler: runs a plan, on a thread of its own.

Policy. A step is ready when all it waits for has come (an in-degree counter per frame, never a search) and somebody asked
for it. Ready inline steps run here, last in first out, so that results are used while they are few; blocking steps go to
worker threads, or run here when there is nothing else to do, which saves two hops; coroutines go to the engine's event
loop; device steps to the one thread of their device, those with the model of the last one first. Threads answer through
one queue, which is the only thing shared.

Demand goes from the targets up, through `demand`: a step whose result is in the cache asks for nothing above it, a lazy
property asks when its node does. A value is dropped when its last taker has it.

Loops. When a stream gives an item, a frame is made for each region that runs for it (see plan.py). A frame is finished when
nothing demanded in it is open; the stream is then asked for more. Every edge is handled once per frame: O(V + E) in all.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from nodetool_core.context import Context
from nodetool_core.engine import events
from nodetool_core.engine.frames import DONE, FAILED, RUNNING, SKIPPED_STATE, WAITING, Frame, Index, Stream, Values
from nodetool_core.engine.keys import Key, combine, unique
from nodetool_core.engine.plan import ITEM, LOCAL, Feed, Plan, Step
from nodetool_core.engine.result import NodeFailure, RunResult
from nodetool_core.engine.services import Services
from nodetool_core.engine.work import Kind, check_arrival, failure_of, traceback_of
from nodetool_core.errors import Problem, RunCancelled
from nodetool_core.node import SKIPPED, Lane, Role
from nodetool_core.references import ModelRef

ITEMS_IN_FLIGHT = 8
ITEMS_IN_FLIGHT_WAITING = 32
"""How many items of one loop may be under way: where the work computes, and where it mostly waits."""

_ENDED = object()


class Scheduler:
    """One run of one plan."""

    def __init__(self, plan: Plan, services: Services, result: RunResult) -> None:
        self.plan = plan
        self.services = services
        self.result = result
        self.cancelled = threading.Event()
        self.inbox: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.frames: list[dict[Index, Frame]] = [{} for _ in plan.regions]
        self.found: dict[tuple[int, tuple[int, ...]], dict[Index, dict[Index, Frame]]] = {}
        self.streams: dict[tuple[int, Index], Stream] = {}
        self.inline: list[tuple[Frame, Step]] = []
        self.blocking: list[tuple[Frame, Step]] = []
        self.waiting_kind: list[tuple[Frame, Step]] = []
        self.device: dict[Any, list[tuple[Frame, Step]]] = {}
        self.last_model: Any = None
        self.pulls: deque[Stream] = deque()
        self.outstanding = {lane: 0 for lane in Lane}
        self.stopping = False
        self.item_values: dict[int, dict[Index, Any]] = {
            number: {} for number in plan.targets if plan.steps[number].loops or plan.steps[number].streams
        }
        self.seeded: dict[int, dict[str, Any]] = {}
        """Values of nodes whose seeds were drawn for this run, by step."""
        self.limits = [self._limit(step) if step.streams else 0 for step in plan.steps]

    # -- the loop ---------------------------------------------------------------------------------------------------

    def execute(self) -> None:
        """Run until everything that can be done is done. Fills `result`."""
        root = Frame(0, self.plan.regions[0], (), None)
        self.frames[0][()] = root
        self._make_keys(root)
        self._demand_targets(root)
        inline, inbox = self.inline, self.inbox
        while True:
            while not inbox.empty():
                self._receive(inbox.get())
            if self.cancelled.is_set() or self.stopping:
                self._abandon()
            if inline:
                frame, step = inline.pop()
                if frame.state[step.slot] == WAITING:
                    self._begin(frame, step)
                continue
            if self._dispatch():
                continue
            if not any(self.outstanding.values()):
                break
            self._receive(inbox.get())
        self._close()

    def _receive(self, message: tuple[Any, ...]) -> None:
        handler, lane, *arguments = message
        if lane is not None:
            self.outstanding[lane] -= 1
        handler(*arguments)

    def _abandon(self) -> None:
        """Nothing more is begun; what is under way is waited for."""
        for queue in (self.inline, self.blocking, self.waiting_kind, self.device, self.pulls):
            queue.clear()

    def _close(self) -> None:
        for stream in self.streams.values():
            close = getattr(stream.source, "close", None)
            if close is not None and not stream.ended:
                close()
        for number, by_item in self.item_values.items():
            step = self.plan.steps[number]
            assert step.node is not None
            if step.node.role is Role.SINK and self.services.options.outputs is None:
                continue
            name, value = self._output_name(step), self.services.finished(_nested(by_item))
            self.result.outputs[name] = value
            self.services.emit(events.OutputReady(name, step.node.id, value))

    # -- readiness --------------------------------------------------------------------------------------------------

    def _push(self, frame: Frame, step: Step) -> None:
        self.inline.append((frame, step))

    def _begin(self, frame: Frame, step: Step) -> None:
        """Decide what becomes of a step that waits for nothing more."""
        slot = step.slot
        if frame.poison[slot]:
            self._settle(frame, step, None, frame.poison[slot])
        elif slot in frame.twin_of and frame.state[frame.twin_of[slot]] < DONE:
            return
        elif step.node is None:
            bucket = frame.buckets.pop(slot, {})
            self._settle(frame, step, ([bucket[number] for number in sorted(bucket)],), DONE)
        elif self.plan.has_lazy and step.node.node_class.lazy and slot not in frame.asked:
            self._ask(frame, step)
        else:
            kind = self.services.kind(step.node.node_class)
            if kind.lane is Lane.INLINE and not kind.spec.is_async:
                if kind.spec.streams:
                    self._open_stream(frame, step)
                else:
                    self._run_inline(frame, step, kind)
            elif kind.spec.streams:
                self._open_stream(frame, step)
            elif kind.lane is Lane.DEVICE:
                self.device.setdefault(_model_of(step), []).append((frame, step))
            elif kind.lane is Lane.NETWORK or kind.spec.is_async:
                self.waiting_kind.append((frame, step))
            else:
                self.blocking.append((frame, step))

    def _dispatch(self) -> bool:
        """Hand out ready work that does not run inline. False where there is none, or no room for it."""
        services = self.services
        if self.waiting_kind:
            frame, step = self.waiting_kind.pop()
            self._submit(frame, step, Lane.NETWORK)
            return True
        if self.device and not self.outstanding[Lane.DEVICE]:
            model = self.last_model if self.last_model in self.device else next(iter(self.device))
            queue = self.device[model]
            frame, step = queue.pop()
            if not queue:
                del self.device[model]
            self.last_model = model
            self._submit(frame, step, Lane.DEVICE)
            return True
        if self.blocking and self.outstanding[Lane.CPU] < services.workers:
            frame, step = self.blocking.pop()
            alone = not (self.blocking or self.pulls or self.device or any(self.outstanding.values()))
            if alone:
                self._run_here(frame, step)
            else:
                self._submit(frame, step, Lane.CPU)
            return True
        if self.pulls and len(self.blocking) < services.workers:
            self._pull(self.pulls.popleft())
            return True
        return False

    # -- running one node -------------------------------------------------------------------------------------------

    def _run_inline(self, frame: Frame, step: Step, kind: Kind) -> None:
        started = time.perf_counter()
        try:
            instance = self._instance(frame, step, kind)
            context = self._context(step) if kind.takes_context else None
            values = kind.values(kind.call(instance, context))
        except Exception as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
            self._fail(frame, step, error)
            return
        self._finish(frame, step, values, time.perf_counter() - started)

    def _run_here(self, frame: Frame, step: Step) -> None:
        """Run a blocking node on this thread: there is nothing else to do meanwhile."""
        frame.state[step.slot] = RUNNING
        assert step.node is not None
        kind = self.services.kind(step.node.node_class)
        self._emit_started(frame, step)
        self._run_inline(frame, step, kind)

    def _submit(self, frame: Frame, step: Step, lane: Lane) -> None:
        """Run a node elsewhere; the answer comes through the inbox."""
        frame.state[step.slot] = RUNNING
        assert step.node is not None
        kind = self.services.kind(step.node.node_class)
        try:
            instance = self._instance(frame, step, kind)
        except Exception as error:  # noqa: BLE001 - a value that does not fit is this node's failure
            self._fail(frame, step, error)
            return
        context = self._context(step)
        self._emit_started(frame, step)
        self.outstanding[lane] += 1
        if kind.spec.is_async:
            self.services.spawn(_awaited(kind, instance, context), lambda task: self.inbox.put(self._answer(task, frame, step, lane)))
        else:
            self.services.executor(lane).submit(self._work, frame, step, kind, instance, context, lane)

    def _work(self, frame: Frame, step: Step, kind: Kind, instance: Any, context: Context, lane: Lane) -> None:
        started = time.perf_counter()
        try:
            values = kind.values(kind.call(instance, context))
        except BaseException as error:  # noqa: BLE001 - crosses a thread: it is raised or reported where it is received
            self.inbox.put((self._fail, lane, frame, step, error))
            return
        self.inbox.put((self._finish, lane, frame, step, values, time.perf_counter() - started))

    def _answer(self, task: Future[tuple[Values, float]], frame: Frame, step: Step, lane: Lane) -> tuple[Any, ...]:
        """What a finished coroutine amounts to; one that was cancelled counts as a node that noticed the cancel."""
        error = RunCancelled() if task.cancelled() else task.exception()
        if error is not None:
            return (self._fail, lane, frame, step, error)
        return (self._finish, lane, frame, step, *task.result())

    def _instance(self, frame: Frame, step: Step, kind: Kind) -> Any:
        arrived: dict[str, Any] = {}
        node = step.node
        assert node is not None
        dynamic = dict(node.dynamic) if kind.dynamic else node.dynamic
        for feed in step.feeds:
            if feed.lazy and feed.property not in frame.asked[step.slot]:
                continue
            value = self._value(frame, feed)
            if value is SKIPPED:
                continue
            if feed.gathered and not feed.in_loop:
                value = [value]
            if not feed.checked:
                self._check(step, feed, value)
            if feed.is_dynamic:
                dynamic[feed.property] = value
            else:
                arrived[feed.property] = value
        return kind.instance(self.seeded.get(step.index, node.values), arrived, dynamic)

    def _check(self, step: Step, feed: Feed, value: Any) -> None:
        source = self.plan.steps[feed.source]
        if source.node is None:
            source = self.plan.steps[source.gather_source]
        assert source.node is not None and step.node is not None
        output = list(source.node.spec.outputs)[feed.output if self.plan.steps[feed.source].node else 0]
        check_arrival(feed, value, source.node.id, output, step.node.id)

    def _value(self, frame: Frame, feed: Feed) -> Any:
        """What a feed brings; SKIPPED where its branch was not taken."""
        if feed.kind is LOCAL:
            origin = frame
        elif feed.kind is ITEM:
            index = tuple(frame.index[position] for position in feed.path)
            return self.streams[feed.source, index].items[frame.index[feed.item]][feed.output]
        else:
            origin = self.frames[feed.region][tuple(frame.index[position] for position in feed.path)]
        values = origin.values[feed.slot]
        return SKIPPED if values is None else values[feed.output]

    def _context(self, step: Step) -> Context:
        assert step.node is not None
        node_id = step.node.id

        def report(kind: str, details: dict[str, Any]) -> None:
            if kind == "progress":
                self.services.emit(events.NodeProgress(node_id, details["step"], details["total"], details["message"]))
            elif kind == "preview":
                self.services.emit(events.NodePreview(node_id, details["step"], details["total"], details["image"]))
            else:
                self.result.warnings.append(Problem("warning", f"node {node_id!r}", details["message"], level="warning"))
                self.services.emit(events.NodeWarning(node_id, details["message"], details["details"]))

        return Context(node_id, report=report, cancelled=self.cancelled, images=self.services.images, models=self.services.models)

    # -- what came of it --------------------------------------------------------------------------------------------

    def _finish(self, frame: Frame, step: Step, values: Values, seconds: float) -> None:
        node = step.node
        assert node is not None
        self.result.ran.append(node.id)
        services = self.services
        if services.cache is not None and step.shareable:
            services.cache.put(frame.keys[step.slot], values)
        if services.emit_events:
            services.emit(events.NodeFinished(node.id, frame.index, seconds, False))
        self._settle(frame, step, values, DONE)

    def _fail(self, frame: Frame, step: Step, error: BaseException) -> None:
        if isinstance(error, RunCancelled) or (self.cancelled.is_set() and not isinstance(error, Exception)):
            self.cancelled.set()
            frame.state[step.slot] = FAILED
            return
        failure = failure_of(step, frame.index, error)
        self.result.failures.append(failure)
        self.services.emit(_failed(failure))
        if self.services.options.on_error == "stop":
            self.stopping = True
        self._settle(frame, step, None, FAILED)

    def _settle(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """A step is done, skipped or failed: tell everything that waits for it."""
        slot = step.slot
        frame.state[slot] = state
        poison = 0 if state == DONE else state
        partly = False
        if values is not None:
            if frame.uses[slot] or slot in frame.twins:
                frame.values[slot] = values
            for value in values:
                if value is SKIPPED:
                    partly = True
        if step.is_target and values:
            self._deliver(frame, step, values)
        self._release_inputs(frame, step)
        remaining, demanded = frame.remaining, frame.demanded
        for consumer, output in step.local:
            remaining[consumer] -= 1
            if poison or (partly and values is not None and values[output] is SKIPPED):
                self._poison(frame, consumer, poison or SKIPPED_STATE)
            if not remaining[consumer] and demanded[consumer]:
                self.inline.append((frame, self.plan.steps[self.plan.regions[frame.region].steps[consumer]]))
        if step.outer or step.lazy or step.gathers or step.streams:
            self._settle_beyond(frame, step, values, state)
        if slot in frame.twins:
            self._settle_twins(frame, slot, values, state)
        frame.open -= 1
        if not frame.open:
            self._frame_done(frame)

    def _settle_beyond(self, frame: Frame, step: Step, values: Values | None, state: int) -> None:
        """The rarer takers: other regions, lazy properties, gathers, the end of a loop."""
        for region, slot, output, path in step.outer:
            for reader in list(self._readers(region, path, frame.index)):
                self._arrive(reader, slot, _came(values, output, state))
        for region, slot, output, path, name in step.lazy:
            for reader in list(self._readers(region, path, frame.index)):
                if name in reader.asked.get(slot, ()):
                    self._arrive(reader, slot, _came(values, output, state))
        if step.streams:
            self._end_loop(frame, step, state)
            return
        for number in step.gathers:
            gather, parent = self.plan.steps[number], frame.parent
            assert parent is not None
            came = _came(values, gather.gather_output, state)
            if came == DONE:
                assert values is not None
                parent.buckets.setdefault(gather.slot, {})[frame.index[-1]] = values[gather.gather_output]
            self._arrive(parent, gather.slot, FAILED if came == FAILED else DONE)

    def _settle_twins(self, frame: Frame, slot: int, values: Values | None, state: int) -> None:
        region = self.plan.regions[frame.region]
        for twin in frame.twins[slot]:
            if frame.demanded[twin] and frame.state[twin] < DONE:
                self._settle(frame, self.plan.steps[region.steps[twin]], values, state)
        if not frame.uses[slot]:
            frame.values[slot] = None

    def _arrive(self, frame: Frame, slot: int, state: int) -> None:
        frame.remaining[slot] -= 1
        if state != DONE:
            self._poison(frame, slot, state)
        if not frame.remaining[slot] and frame.demanded[slot]:
            self._push(frame, self._step_at(frame, slot))

    def _poison(self, frame: Frame, slot: int, state: int) -> None:
        """An input of a step was skipped or failed. A merging node minds only when nothing is left."""
        node = self._step_at(frame, slot).node
        if state == SKIPPED_STATE and node is not None and node.node_class.merges:
            step = self._step_at(frame, slot)
            if frame.remaining[slot] or any(self._value(frame, feed) is not SKIPPED for feed in step.feeds):
                return
        frame.poison[slot] = max(frame.poison[slot], state)

    def _release_inputs(self, frame: Frame, step: Step) -> None:
        for feed in step.feeds:
            if feed.kind is LOCAL and not feed.lazy:
                uses = frame.uses[feed.slot]
                if uses > 0:
                    frame.uses[feed.slot] = uses - 1
                    if uses == 1 and frame.state[feed.slot] >= DONE:
                        frame.values[feed.slot] = None

    def _deliver(self, frame: Frame, step: Step, values: Values) -> None:
        """Keep the value of a target for the result."""
        node = step.node
        assert node is not None
        if node.role is Role.SINK and self.services.options.outputs is None:
            return
        value = _named(step, values)
        if step.loops:
            self.item_values[step.index][frame.index] = value
            return
        if value is SKIPPED:
            return
        value = self.services.finished(value)
        name = self._output_name(step)
        self.result.outputs[name] = value
        self.services.emit(events.OutputReady(name, node.id, value))

    def _deliver_item(self, frame: Frame, step: Step, number: int, values: Values) -> None:
        self.item_values[step.index][*frame.index, number] = _named(step, values)

    def _output_name(self, step: Step) -> str:
        assert step.node is not None
        return step.node.name if step.node.role is Role.OUTPUT else step.node.id

    def _emit_started(self, frame: Frame, step: Step) -> None:
        assert step.node is not None
        self.services.emit(events.NodeStarted(step.node.id, frame.index))

    # -- demand -----------------------------------------------------------------------------------------------------

    def _demand_targets(self, frame: Frame) -> None:
        wanted = [self.plan.steps[target] for target in self.plan.targets]
        for step in wanted:
            if step.region == frame.region:
                self._demand(frame, step)
            elif frame.region == 0:
                for opener in step.loops:
                    if self.plan.steps[opener].region == 0:
                        self._demand(frame, self.plan.steps[opener])
        self._demand_openers(frame)

    def _demand_openers(self, frame: Frame) -> None:
        """In an item's frame: the loops inside it that lead to a target, and what demanded gathers collect here."""
        if frame.parent is None:
            return
        region = self.plan.regions[frame.region]
        for target in self.plan.targets:
            loops = self.plan.steps[target].loops
            for opener in loops:
                if self.plan.steps[opener].region == frame.region:
                    self._demand(frame, self.plan.steps[opener])
        for number in region.gathered:
            gather = self.plan.steps[number]
            source = self.plan.steps[gather.gather_source]
            if frame.parent.demanded[gather.slot] and source.region == frame.region:
                self._demand(frame, source)

    def _demand(self, frame: Frame, step: Step) -> None:
        """Ask for a step, and for all it needs, as far as the cache does not have it."""
        pending = [(frame, step)]
        while pending:
            frame, step = pending.pop()
            slot = step.slot
            if frame.demanded[slot]:
                continue
            frame.demanded[slot] = 1
            frame.open += 1
            if slot in frame.twin_of:
                first = self._step_at(frame, frame.twin_of[slot])
                if frame.state[first.slot] < DONE:
                    pending.append((frame, first))
                    continue
            values = self._cached(frame, step)
            if values is not None:
                frame.state[slot] = RUNNING
                self.inbox.put((self._hit, None, frame, step, values))
                continue
            if step.streams:
                self._expect_items(frame, step)
            if not frame.remaining[slot]:
                self.inline.append((frame, step))
            if step.node is None:
                pending.extend(self._collected(frame, step))
            for feed in reversed(step.feeds):
                if not feed.lazy:
                    source = self.plan.steps[feed.source]
                    index = frame.index if feed.kind is LOCAL else tuple(frame.index[position] for position in feed.path)
                    pending.append((frame if feed.kind is LOCAL else self.frames[source.region][index], source))

    def _collected(self, frame: Frame, gather: Step) -> list[tuple[Frame, Step]]:
        """What a gather needs: the loop it closes, and the collected step in every item that there is."""
        source = self.plan.steps[gather.gather_source]
        loops = source.loops + ((source.index,) if source.streams else ())
        opener = self.plan.steps[loops[-1]]
        path = self.plan.regions[self.plan.by_loops[loops]].opener_path
        wanted = [(self.frames[opener.region][tuple(frame.index[position] for position in path)], opener)]
        if not source.streams:
            length = len(frame.index)
            wanted += [(inner, source) for inner in self.frames[source.region].values() if inner.index[:length] == frame.index]
        return wanted

    def _cached(self, frame: Frame, step: Step) -> Values | None:
        cache = self.services.cache
        if cache is None or not step.shareable or not self.services.options.use_cache:
            return None
        return cache.get(frame.keys[step.slot])

    def _hit(self, frame: Frame, step: Step, values: Values) -> None:
        assert step.node is not None
        self.result.hits.append(step.node.id)
        self.services.emit(events.NodeFinished(step.node.id, frame.index, 0.0, True))
        self._settle(frame, step, values, DONE)

    def _ask(self, frame: Frame, step: Step) -> None:
        """A node with lazy properties has its other values: find out which of the lazy ones it wants."""
        assert step.node is not None
        arrived = {feed.property: self._value(frame, feed) for feed in step.feeds if not feed.lazy}
        try:
            node = step.node.node_class.instantiate(step.node.values | arrived)
            asked = node.demand(step.node.values | arrived)
        except Exception as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
            self._fail(frame, step, error)
            return
        frame.asked[step.slot] = asked
        frame.remaining[step.slot] += 1
        for feed in step.feeds:
            if feed.lazy and feed.property in asked:
                source = self.plan.steps[feed.source]
                origin = frame if feed.kind is LOCAL else self.frames[feed.region][tuple(frame.index[position] for position in feed.path)]
                state = origin.state[feed.slot]
                if state >= DONE:
                    self._note_late(frame, step, origin, feed)
                else:
                    frame.remaining[step.slot] += 1
                    self._demand(origin, source)
        self._arrive(frame, step.slot, DONE)

    def _note_late(self, frame: Frame, step: Step, origin: Frame, feed: Feed) -> None:
        came = _came(origin.values[feed.slot], feed.output, origin.state[feed.slot])
        if came != DONE:
            self._poison(frame, step.slot, came)

    # -- loops ------------------------------------------------------------------------------------------------------

    def _expect_items(self, frame: Frame, step: Step) -> None:
        """A stream is asked for: every frame that its items go into now has an inner loop to wait for."""
        for number in self.plan.opened.get(step.index, ()):
            for parent in self._parents(number, frame):
                if number not in parent.groups:
                    parent.groups[number] = 1
                    parent.open += 1

    def _open_stream(self, frame: Frame, step: Step) -> None:
        frame.state[step.slot] = RUNNING
        stream = Stream(step.index, frame)
        self.streams[step.index, frame.index] = stream
        assert step.node is not None
        kind = self.services.kind(step.node.node_class)
        try:
            source = kind.call(self._instance(frame, step, kind), self._context(step))
            stream.source = source if kind.spec.is_async else iter(source)
        except Exception as error:  # noqa: BLE001 - a node is foreign code: whatever it raises is its failure
            self._fail(frame, step, error)
            return
        self._emit_started(frame, step)
        self.pulls.append(stream)

    def _pull(self, stream: Stream) -> None:
        """Ask a stream for its next item, where it has room."""
        if stream.ended or stream.pulling or stream.in_flight >= self.limits[stream.step]:
            return
        step = self.plan.steps[stream.step]
        assert step.node is not None
        kind = self.services.kind(step.node.node_class)
        stream.pulling = True
        if kind.spec.is_async:
            self.outstanding[Lane.NETWORK] += 1
            self.services.spawn(_next_item(stream, kind), lambda task: self.inbox.put(self._pulled(task, stream)))
        elif kind.lane is Lane.INLINE:
            self._receive(self._next(stream, kind, None))
        else:
            lane = kind.lane
            self.outstanding[lane] += 1
            self.services.executor(lane).submit(lambda: self.inbox.put(self._next(stream, kind, lane)))

    def _next(self, stream: Stream, kind: Kind, lane: Lane | None) -> tuple[Any, ...]:
        started = time.perf_counter()
        try:
            item = next(stream.source, _ENDED)
            values = None if item is _ENDED else kind.values(item)
        except BaseException as error:  # noqa: BLE001 - crosses a thread: it is reported where it is received
            return (self._stream_failed, lane, stream, error)
        return (self._item, lane, stream, values, time.perf_counter() - started)

    def _pulled(self, task: Future[tuple[Values | None, float]], stream: Stream) -> tuple[Any, ...]:
        error = RunCancelled() if task.cancelled() else task.exception()
        if error is not None:
            return (self._stream_failed, Lane.NETWORK, stream, error)
        return (self._item, Lane.NETWORK, stream, *task.result())

    def _stream_failed(self, stream: Stream, error: BaseException) -> None:
        stream.ended = True
        self._fail(stream.frame, self.plan.steps[stream.step], error)

    def _item(self, stream: Stream, values: Values | None, seconds: float) -> None:
        stream.pulling = False
        stream.seconds += seconds
        step = self.plan.steps[stream.step]
        assert step.node is not None
        if values is None:
            self.result.ran.append(step.node.id)
            self.services.emit(events.NodeFinished(step.node.id, stream.frame.index, stream.seconds, False))
            self._settle(stream.frame, step, (), DONE)
            return
        number = stream.count
        stream.count += 1
        stream.items[number] = values
        if step.is_target:
            self._deliver_item(stream.frame, step, number, values)
        if self.services.cache is not None:
            loop = stream.frame.keys[step.slot]
            stream.keys[number] = [self.services.keys.item(value, combine(loop, b"%d" % at), number, self.services.images) for at, value in enumerate(values)]
        for gather_number in step.gathers:
            gather = self.plan.steps[gather_number]
            stream.frame.buckets.setdefault(gather.slot, {})[number] = values[gather.gather_output]
        counted = False
        for region in self.plan.opened.get(stream.step, ()):
            for parent in list(self._parents(region, stream.frame)):
                counted = True
                self._new_frame(region, parent, number)
        stream.in_flight += counted and step.limited
        if not counted or not step.limited:
            stream.in_flight = 0
        self.pulls.append(stream)

    def _new_frame(self, number: int, parent: Frame, item: int) -> None:
        region = self.plan.regions[number]
        frame = Frame(number, region, (*parent.index, item), parent)
        self.frames[number][frame.index] = frame
        for path in region.paths:
            projected = tuple(frame.index[position] for position in path)
            self.found.setdefault((number, path), {}).setdefault(projected, {})[frame.index] = frame
        parent.groups[number] = parent.groups.get(number, 0) + 1
        frame.open = 1
        for gather_number in region.gathered:
            gather = self.plan.steps[gather_number]
            if not self.plan.steps[gather.gather_source].streams:
                parent.remaining[gather.slot] += 1
        for step_number in region.steps:
            step = self.plan.steps[step_number]
            for feed in step.feeds:
                if feed.kind not in (LOCAL, ITEM) and not feed.lazy:
                    origin = self.frames[feed.region][tuple(frame.index[position] for position in feed.path)]
                    if origin.state[feed.slot] >= DONE:
                        frame.remaining[step.slot] -= 1
                        self._note_late(frame, step, origin, feed)
        self._make_keys(frame)
        self._join_open_loops(frame, region.children)
        self._demand_targets(frame)
        frame.open -= 1
        if not frame.open:
            self._frame_done(frame)

    def _join_open_loops(self, frame: Frame, children: list[int]) -> None:
        """A new frame inside a product: the other loop may have begun, or ended, before."""
        for number in children:
            region = self.plan.regions[number]
            opener = self.plan.steps[region.opener]
            if opener.region == frame.region:
                continue
            origin = self.frames[opener.region][tuple(frame.index[position] for position in region.opener_path)]
            if not origin.demanded[opener.slot]:
                continue
            frame.groups[number] = 1
            frame.open += 1
            stream = self.streams.get((opener.index, origin.index))
            for item in range(stream.count if stream else 0):
                self._new_frame(number, frame, item)
            if origin.state[opener.slot] >= DONE:
                self._end_group(number, frame, origin.state[opener.slot])

    def _end_loop(self, frame: Frame, step: Step, state: int) -> None:
        stream = self.streams.get((step.index, frame.index))
        if stream is not None:
            stream.ended = True
        for number in self.plan.opened.get(step.index, ()):
            for parent in list(self._parents(number, frame)):
                self._end_group(number, parent, state)

    def _end_group(self, number: int, parent: Frame, state: int) -> None:
        """No further items come into a frame's inner loop."""
        for gather_number in self.plan.regions[number].gathered:
            self._arrive(parent, self.plan.steps[gather_number].slot, state)
        self._count_down(number, parent)

    def _count_down(self, number: int, parent: Frame) -> None:
        parent.groups[number] -= 1
        if not parent.groups[number]:
            parent.open -= 1
            if not parent.open:
                self._frame_done(parent)

    def _frame_done(self, frame: Frame) -> None:
        """Nothing in a frame is open: forget it, and let its stream go on."""
        if frame.parent is None or frame.counted:
            return
        frame.counted = True
        region = self.plan.regions[frame.region]
        opener = self.plan.steps[region.opener]
        if opener.limited:
            stream = self.streams[opener.index, frame.parent.index]
            stream.in_flight -= 1
            if not self.plan.has_lazy:
                stream.items.pop(frame.index[-1], None)
                stream.keys.pop(frame.index[-1], None)
                del self.frames[frame.region][frame.index]
                for path in region.paths:
                    projected = tuple(frame.index[position] for position in path)
                    self.found[frame.region, path][projected].pop(frame.index, None)
            if not stream.ended:
                self.pulls.append(stream)
        self._count_down(frame.region, frame.parent)

    def _readers(self, region: int, path: tuple[int, ...], index: Index) -> Any:
        """Frames of a region whose index, along a path, is the given one."""
        if region == 0:
            return self.frames[0].values()
        if path == tuple(range(len(self.plan.regions[region].loops))):
            frame = self.frames[region].get(index)
            return [] if frame is None else [frame]
        return self.found.get((region, path), {}).get(index, {}).values()

    def _parents(self, number: int, frame: Frame) -> list[Frame]:
        """Frames that hold an inner loop over the items that a stream gives in `frame`."""
        region = self.plan.regions[number]
        if region.parent == frame.region:
            return [frame]
        return list(self._readers(region.parent, region.opener_path, frame.index))

    def _limit(self, step: Step) -> int:
        if not step.limited:
            return 1 << 60
        loops = (*step.loops, step.index)
        inner = [self.plan.steps[number].node for region in self.plan.regions if region.loops[: len(loops)] == loops for number in region.steps]
        waits = any(node is not None and (node.node_class.lane is Lane.NETWORK or node.spec.is_async) for node in inner)
        return ITEMS_IN_FLIGHT_WAITING if waits else max(ITEMS_IN_FLIGHT, 2 * self.services.workers)

    # -- keys -------------------------------------------------------------------------------------------------------

    def _make_keys(self, frame: Frame) -> None:
        """Keys of a frame's steps, in topological order; of steps in inner loops only what stands for any of their items."""
        if self.services.cache is None:
            return
        plan, keys, seen = self.plan, frame.keys, {}
        inner: dict[int, Key] = {}
        own = frame.region
        for number in plan.regions[own].subtree:
            step = plan.steps[number]
            if step.node is None:
                source = plan.steps[step.gather_source]
                origin = keys[source.slot] if source.region == own else inner[source.index]
                key = combine(b"gather", origin, b"%d" % step.gather_output)
            elif not step.node.node_class.cacheable:
                key = unique()
            elif step.feeds:
                parts = [self._base(step)]
                for feed in step.feeds:
                    parts.append(feed.name)
                    parts.append(keys[feed.slot] if feed.kind == LOCAL and step.region == own else self._feed_key(frame, feed, inner))
                key = hashlib.blake2b(b"".join(parts), digest_size=16).digest()
            else:
                key = self._base(step)
            if step.region != own:
                inner[number] = key
                continue
            keys.append(key)
            if step.shareable:
                first = seen.setdefault(key, step.slot)
                if first != step.slot:
                    frame.twins.setdefault(first, []).append(step.slot)
                    frame.twin_of[step.slot] = first

    def _base(self, step: Step) -> Key:
        if step.base is not None and step.index not in self.seeded:
            return step.base
        assert step.node is not None
        return self.services.base(step.node, self.seeded.get(step.index, step.node.values))

    def _feed_key(self, frame: Frame, feed: Feed, inner: dict[int, Key]) -> Key:
        plan, own = self.plan, frame.region
        if feed.region == own and feed.kind != ITEM:
            return frame.keys[feed.slot]
        if feed.source in inner:
            return combine(b"item of", inner[feed.source]) if feed.kind == ITEM else inner[feed.source]
        loops = plan.regions[own].loops
        if feed.kind == ITEM and feed.source not in loops:
            origin = frame if feed.region == own else self._enclosing(frame, feed.region)
            return combine(b"item of", origin.keys[feed.slot])
        origin = frame if feed.region == own else self._enclosing(frame, feed.region)
        if feed.kind == ITEM:
            return self.streams[feed.source, origin.index].keys[frame.index[loops.index(feed.source)]][feed.output]
        return origin.keys[feed.slot]

    def _enclosing(self, frame: Frame, region: int) -> Frame:
        loops, own = self.plan.regions[region].loops, self.plan.regions[frame.region].loops
        return self.frames[region][tuple(frame.index[own.index(loop)] for loop in loops)]

    # -- lookups ----------------------------------------------------------------------------------------------------

    def _step_at(self, frame: Frame, slot: int) -> Step:
        return self.plan.steps[self.plan.regions[frame.region].steps[slot]]


async def _awaited(kind: Kind, instance: Any, context: Context) -> tuple[Values, float]:
    started = time.perf_counter()
    values = kind.values(await kind.call(instance, context))
    return values, time.perf_counter() - started


async def _next_item(stream: Stream, kind: Kind) -> tuple[Values | None, float]:
    started = time.perf_counter()
    item = await anext(stream.source, _ENDED)
    return None if item is _ENDED else kind.values(item), time.perf_counter() - started


def _came(values: Values | None, output: int, state: int) -> int:
    """What an edge brought: DONE, or why it brought nothing."""
    if state == DONE and values is not None and values and values[output] is SKIPPED:
        return SKIPPED_STATE
    return state


def _named(step: Step, values: Values) -> Any:
    """The value of a target as the result shows it: by output name where it has other outputs than the one."""
    assert step.node is not None
    names = list(step.node.spec.outputs)
    return values[0] if names == ["output"] else dict(zip(names, values, strict=True))


def _failed(failure: NodeFailure) -> events.NodeFailed:
    return events.NodeFailed(failure.node_id, failure.item, failure.node_type, failure.problem, traceback_of(failure))


def _model_of(step: Step) -> ModelRef | None:
    """The model that a device node uses, as far as its values say."""
    assert step.node is not None
    for value in step.node.values.values():
        if isinstance(value, ModelRef):
            return value.model_copy(update={"allow_patterns": None, "ignore_patterns": None})
    return None


def _nested(by_item: dict[Index, Any]) -> Any:
    """Values by index as lists of lists, in order; what was skipped is left out."""
    if () in by_item:
        return by_item[()]
    grouped: dict[int, dict[Index, Any]] = {}
    for index, value in by_item.items():
        if value is not SKIPPED:
            grouped.setdefault(index[0], {})[index[1:]] = value
    return [_nested(grouped[number]) for number in sorted(grouped)]
