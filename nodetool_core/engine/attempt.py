"""Attempts: at a step, and at the items of a step that streams."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from nodetool_core.engine.compiled_node import CompiledNode, Values
from nodetool_core.engine.coroutines import LEVEL, Spawned
from nodetool_core.node_base import Lane
from nodetool_core.ownership import own_copy

_ENDED: Any = object()


class Attempt:
    """
    One attempt at a step.

    When its time is up it is given up: its node should stop, and its answer counts no more.
    """

    def __init__(
        self, lane: Lane, cancelled: threading.Event, timeout: float | None = None
    ) -> None:
        """
        Begin an attempt for a lane.

        Args:
            timeout: Seconds that it may take from when its work begins; None for no limit.
        """
        self.lane = lane
        self.timeout = timeout
        self.given_up = False
        self.is_answered = False
        self.holds_permit = True
        """Whether it still counts against what its lane can run at once."""
        self.task: Spawned | None = None
        self.make_way: Callable[[], None] | None = None
        """Lets others have the thread's permit, though it may hang."""
        self._cancelled = cancelled

    def is_set(self) -> bool:
        return self.given_up or self._cancelled.is_set()

    def give_up(self) -> None:
        self.given_up = True
        if self.task is not None:
            self.task.cancel()


class Attempts:
    """The attempts of one run that are under way."""

    def __init__(self) -> None:
        self.outstanding = dict.fromkeys(Lane, 0)
        """How many hold a permit of each lane."""
        self.under_way: set[Attempt] = set()
        self.due = 0
        """Answers that are to come, attempts that were given up not counted."""

    def expect(self, attempt: Attempt) -> None:
        """Count on an answer of this attempt."""
        self.under_way.add(attempt)
        self.outstanding[attempt.lane] += 1
        self.due += 1

    def answered(self, attempt: Attempt | None) -> bool:
        """Take an answer; False where its attempt was given up, so that it does not count."""
        if attempt is None:
            return True
        if attempt.holds_permit:
            self.outstanding[attempt.lane] -= 1
        if attempt.given_up:
            return False
        attempt.is_answered = True
        self.under_way.discard(attempt)
        self.due -= 1
        return True

    def give_up(self, attempt: Attempt) -> None:
        """Wait no more for an attempt whose time is over."""
        attempt.give_up()
        self.under_way.discard(attempt)
        self.due -= 1
        if attempt.lane is Lane.DEVICE:
            # There the next node must not begin before this one has let go.
            return
        attempt.holds_permit = False
        self.outstanding[attempt.lane] -= 1
        if attempt.make_way is not None:
            attempt.make_way()


class ItemSource:
    """
    One attempt at a step that streams.

    Called with the first item; from then on it yields one item after the other.
    """

    def __init__(self, compiled: CompiledNode, cancelled: threading.Event) -> None:
        self.compiled = compiled
        self.attempt = Attempt(compiled.lane, cancelled)
        """
        By which its node sees that it should stop: given up where nobody waits for its items.
        """
        self.variables = further_in() if compiled.spec.is_async else contextvars.copy_context()
        """The context variables that its node sees, from the first item to the last."""
        self.begin: Callable[[], Any] | None = None
        self.is_working = False
        """Whether an item is under way."""
        self.items: Any = None
        """The iterator that `process` returned; None before it is called."""
        self.sent: dict[str, Any] | None = None
        """What a generator is sent with the request for an item."""
        self.result: Any = None
        """What a generator has returned at its end."""

    def next(self) -> tuple[Values | None, float]:
        """Return the next item, None at the end, and how long it took."""
        started = time.perf_counter()
        if self.begin is not None:
            self.items, self.begin = iter(self.begin()), None
        items: Iterator[Any] = self.items
        try:
            item = next(items) if self.sent is None else self.items.send(own_copy(self.sent))
        except StopIteration as end:
            item, self.result = _ENDED, end.value
        return self._values(item), time.perf_counter() - started

    async def next_awaited(self) -> tuple[Values | None, float]:
        """Do as `next` for a coroutine."""
        started = time.perf_counter()
        if self.begin is not None:
            self.items, self.begin = self.begin(), None
        items: AsyncIterator[Any] = self.items
        return self._values(await anext(items, _ENDED)), time.perf_counter() - started

    def _values(self, item: Any) -> Values | None:
        return None if item is _ENDED else self.compiled.values(item)


def further_in() -> contextvars.Context:
    """
    Return the context variables of a coroutine node.

    Those of its run, whose own coroutines would share its loop.
    """
    variables = contextvars.copy_context()
    variables.run(LEVEL.set, LEVEL.get() + 1)
    return variables
