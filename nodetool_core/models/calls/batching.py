"""
Equal work of several nodes, done as one call of a pipeline.

One call at a time runs on a device. Those that come meanwhile wait; when the device is free, the
one that waited longest takes along all others that differ from it only in prompts, image and random
generator. Nobody waits for company, so batching costs no time where there is nothing to batch. Each
item has its own generator; the arithmetic of a batch differs from that of single calls in the last
bits, which is at most 1/255 per channel of an image.

A member that is cancelled ends alone: where it led the batch, the others are done again. A batch
that fails is done one by one, so that nobody's mistake is another's error.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nodetool_core.errors import RunCancelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch

    from nodetool_core.context import Context, Pipeline
    from nodetool_core.models.calls.lease import Lease

_log = logging.getLogger(__name__)

Run = Callable[["Lease", Mapping[str, object]], object]
"""Calls the pipeline of a lease with arguments, by itself."""

ITEMS = ("prompt", "prompt_2", "negative_prompt", "image", "generator")
"""What may differ from item to item."""


@dataclass(eq=False)
class Member:
    """One call that may be part of a batch."""

    lease: Lease
    arguments: Mapping[str, object]
    key: Hashable = None
    is_done: bool = False
    result: object = None
    error: BaseException | None = None

    @property
    def pipeline(self) -> Pipeline:
        return self.lease.pipeline

    @property
    def generator(self) -> torch.Generator:
        """The random generator of a call that may be part of a batch."""
        found: torch.Generator = self.arguments["generator"]  # type: ignore[assignment]
        return found

    @property
    def context(self) -> Context:
        return self.lease.context


class Batcher:
    """The calls of one device, one at a time. Safe to use from many threads."""

    def __init__(self, limit: int) -> None:
        """
        Make a batcher without a call.

        Args:
            limit: How many calls become one at most.
        """
        self.sizes: list[int] = []
        """How many calls each call of a pipeline was for, since the start."""
        self._limit = limit
        self._waiting: list[Member] = []
        self._is_busy = False
        self._changed = threading.Condition()

    def call(self, member: Member, run: Run) -> object:
        """
        Return what the member's pipeline returns. `run` calls that of a lease.

        Raises what it raises, and RunCancelled where the member's run is cancelled meanwhile.
        """
        key = key_of(member.pipeline, member.arguments)
        member.key = None if key is None else (key, member.lease.options)
        with self._changed:
            self._waiting.append(member)
        while not member.is_done:
            batch = self._take(member)
            if batch:
                try:
                    self._run(batch, run)
                except BaseException as error:  # noqa: BLE001 - raised where each member waits, or it would wait for ever
                    for one in batch:
                        if not one.is_done:
                            one.error, one.is_done = error, True
                finally:
                    with self._changed:
                        self._is_busy = False
                        self._changed.notify_all()
        if member.error is not None:
            raise member.error
        return member.result

    def _take(self, member: Member) -> list[Member]:
        """Wait for the device; return the batch to run, or nothing where somebody else ran it."""
        with self._changed:
            while not member.is_done and (self._is_busy or self._waiting[0] is not member):
                if member.context.cancelled and member in self._waiting:
                    self._waiting.remove(member)
                    self._changed.notify_all()
                    raise RunCancelled
                self._changed.wait(0.1)
            if member.is_done:
                return []
            same = (
                [one for one in self._waiting if one.key == member.key]
                if member.key is not None
                else [member]
            )
            batch = same[: self._limit]
            self._waiting = [one for one in self._waiting if one not in batch]
            self._is_busy = True
            return batch

    def _run(self, batch: list[Member], run: Run) -> None:
        self.sizes.append(len(batch))
        leader = batch[0]
        if len(batch) == 1:
            _settle(leader, run)
            return
        arguments = {**leader.arguments}
        for name in ITEMS:
            if name in arguments:
                arguments[name] = [one.arguments[name] for one in batch]
        states = [one.generator.get_state() for one in batch]
        own_bar = vars(leader.pipeline).get("progress_bar")
        leader.pipeline.progress_bar = lambda iterable=None, total=None: _Bars(
            batch, iterable, total, own_bar
        )
        try:
            result = run(leader.lease, arguments)
            parts = [_part(result, index) for index in range(len(batch))]
        except RunCancelled as error:
            leader.error, leader.is_done = error, True
            batch = batch[1:]
        except Exception:  # noqa: BLE001 - whatever it is, each finds out alone whether it is its own
            _log.info(
                "A batch of %d calls failed; each is called alone.", len(batch), exc_info=True
            )
        else:
            for one, part in zip(batch, parts, strict=True):
                one.result, one.is_done = part, True
                one.error = RunCancelled() if one.context.cancelled else None
            return
        finally:
            if own_bar is not None:
                leader.pipeline.progress_bar = own_bar
        for one, state in zip(batch, states[-len(batch) :], strict=True):
            one.generator.set_state(state)
            _settle(one, run)


def key_of(pipeline: Pipeline, arguments: Mapping[str, object]) -> Hashable:
    """Return the key by which equal calls are batched; None where a call has to stay alone."""
    import torch

    image, prompt = arguments.get("image"), arguments.get("prompt")
    # A generator of two seeds mixes what is drawn in its own call alone.
    single = isinstance(prompt, str) and type(arguments.get("generator")) is torch.Generator
    if (
        not single
        or (image is not None and not hasattr(image, "size"))
        or arguments.get("num_images_per_prompt", 1) != 1
    ):
        return None
    rest = {name: value for name, value in arguments.items() if name not in ITEMS}
    if not all(
        isinstance(value, (int, float, str, bool)) or value is None for value in rest.values()
    ):
        return None
    modules = tuple(
        sorted(id(part) for part in vars(pipeline).values() if isinstance(part, torch.nn.Module))
    )
    scheduler = getattr(pipeline, "scheduler", None)
    how = (type(pipeline), modules, type(scheduler), repr(getattr(scheduler, "config", None)))
    given = tuple(name for name in ITEMS if name in arguments)
    return (
        how,
        given,
        getattr(image, "size", None),
        getattr(image, "mode", None),
        tuple(sorted(rest.items(), key=repr)),
    )


def _settle(member: Member, run: Run) -> None:
    """Run a member alone."""
    try:
        member.context.check_cancelled()
        member.result = run(member.lease, member.arguments)
    except BaseException as error:  # noqa: BLE001 - crosses a thread: raised where the member waits
        member.error = error
    member.is_done = True


def _part(result: object, index: int) -> object:
    """Return one item of what a pipeline gave for a batch."""
    import copy

    part = copy.copy(result)
    for name, value in vars(result).items():
        if isinstance(value, list):
            setattr(part, name, value[index : index + 1])
    return part


class ProgressBar(Protocol):
    """What a pipeline reports its steps to."""

    def update(self, n: int = 1) -> None:
        """Report that so many steps more are done."""
        ...


class _Bars:
    """
    A progress bar that moves those of all members.

    Only the leader's can end the call; who else is cancelled is let go at its end.
    """

    def __init__(
        self,
        batch: list[Member],
        iterable: Iterable[object] | None,
        total: int | None,
        leaders: Callable[..., ProgressBar] | None,
    ) -> None:
        own = [leaders, *(vars(one.pipeline).get("progress_bar") for one in batch[1:])]
        count = (
            total if total is not None else len(iterable) if hasattr(iterable, "__len__") else None  # type: ignore[arg-type]
        )
        self._bars = [make(total=count) for make in own if make is not None]
        self._iterable = iterable

    def update(self, n: int = 1) -> None:
        for index, bar in enumerate(self._bars):
            try:
                bar.update(n)
            except RunCancelled:
                if index == 0:
                    raise

    def __iter__(self) -> Iterator[object]:
        for item in self._iterable or ():
            yield item
            self.update()

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: object) -> None:
        return None
