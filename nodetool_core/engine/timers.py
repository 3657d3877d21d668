"""
Timeouts and further attempts of nodes.

Messages to the scheduler wait in one heap by the time they are due; the scheduler looks how long it
may sleep, and then what is due.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator

from nodetool_core.engine.frames import Frame
from nodetool_core.engine.messages import Retry, TimedOut
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.engine.steps import NodeStep, Step
from nodetool_core.errors import NodetoolError, Problem, RunCancelled

_LONGEST_SLEEP = 3600.0
"""
Seconds: a lock takes no time of centuries, nor an endless one. Waking up for nothing does no harm.
"""

_DOUBLINGS = 100
"""How often the wait between attempts is doubled: for ever, and still a number."""


class NodeTimeoutError(NodetoolError):
    """A node took longer than its policy allows."""

    def __init__(self, seconds: float) -> None:
        message = f"took longer than its {seconds:g} s."
        super().__init__(
            Problem(
                "node_timeout",
                "",
                message,
                "Allow more time in the run's policies, or give the node less work.",
            )
        )


def run_timeout(seconds: float) -> Problem:
    """Return the problem of a run that took longer than it may."""
    return Problem(
        "run_timeout",
        "",
        f"The run took longer than its {seconds:g} s.",
        "Allow more time in its options, or give it less work.",
    )


class Timers:
    """The clocks of one run."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._due: list[tuple[float, int, TimedOut | Retry]] = []
        self._retries = 0
        self._order = itertools.count()
        self._attempts: dict[tuple[int, tuple[int, ...]], int] = {}

    def policy(self, step: Step) -> NodePolicy | None:
        return (
            self._options.policy(step.node)
            if self._options.policies and isinstance(step, NodeStep)
            else None
        )

    def add(self, seconds: float, message: TimedOut | Retry) -> None:
        """Have a message in `seconds` from now; the run waits for one that tries again."""
        self._retries += isinstance(message, Retry)
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), message))

    def sleep(self) -> float | None:
        """Return how long there is nothing to do; None where no clock runs."""
        return (
            min(max(0.0, self._due[0][0] - time.monotonic()), _LONGEST_SLEEP) if self._due else None
        )

    def due(self) -> Iterator[TimedOut | Retry]:
        """Yield what is due by now; nothing to be tried again where the run is stopping."""
        while self._due and self._due[0][0] <= time.monotonic():
            message = heapq.heappop(self._due)[2]
            if isinstance(message, Retry):
                if not self._retries:
                    continue
                self._retries -= 1
            yield message

    def has_retries(self) -> bool:
        return self._retries > 0

    def forget_retries(self) -> None:
        """Try nothing again: the run is stopping."""
        self._retries = 0

    def next_attempt(self, frame: Frame, step: Step, error: BaseException) -> float | None:
        """Return the seconds until a failed step is tried again; None where it is not."""
        policy = self.policy(step)
        may_help = isinstance(error, NodeTimeoutError) or getattr(error, "retryable", False)
        final = isinstance(error, RunCancelled) or (
            isinstance(error, NodetoolError) and not may_help
        )
        if policy is None or final:
            return None
        place = (step.index, frame.index)
        made = self._attempts[place] = self._attempts.get(place, 0) + 1
        return policy.wait * 2.0 ** min(made - 1, _DOUBLINGS) if made < policy.attempts else None
