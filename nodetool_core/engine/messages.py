"""
What the scheduler receives, one message for each thing that may happen.

From threads and event loops they come through the run's inbox; what is known at once (a cached
result, an equal step that has settled) waits in a queue of the scheduler's own. An answer carries
the attempt that it is of: that of an attempt that was given up is not listened to.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodetool_core.engine.attempt import Attempt
from nodetool_core.engine.compiled_node import Values
from nodetool_core.engine.frames import Frame, Stream
from nodetool_core.engine.steps import NodeStep


@dataclass(eq=False, slots=True)
class Began:
    """The work at an attempt begins, which may take so many seconds."""

    attempt: Attempt
    frame: Frame
    step: NodeStep
    seconds: float


@dataclass(eq=False, slots=True)
class Done:
    """A step returned its values."""

    attempt: Attempt
    frame: Frame
    step: NodeStep
    values: Values
    seconds: float


@dataclass(eq=False, slots=True)
class Failed:
    """A step failed, or a stream did at one of its items."""

    attempt: Attempt | None
    frame: Frame
    step: NodeStep
    error: BaseException


@dataclass(eq=False, slots=True)
class Item:
    """A stream yielded an item."""

    attempt: Attempt | None
    stream: Stream
    values: Values
    seconds: float


@dataclass(eq=False, slots=True)
class StreamEnded:
    """A stream has no further items."""

    attempt: Attempt | None
    stream: Stream
    seconds: float


@dataclass(eq=False, slots=True)
class ItemFinished:
    """All that was demanded for an item of a loop is done; it is the `done`-th of which it is."""

    stream: Stream
    done: int


@dataclass(eq=False, slots=True)
class CacheHit:
    """A step's result was in the cache."""

    frame: Frame
    step: NodeStep
    values: Values


@dataclass(eq=False, slots=True)
class DuplicateSettled:
    """A step is demanded whose earlier equal one has settled, in the slot `first`."""

    frame: Frame
    step: NodeStep
    first: int


@dataclass(eq=False, slots=True)
class TimedOut:
    """The time of an attempt is over, unless it has answered."""

    attempt: Attempt
    frame: Frame
    step: NodeStep
    seconds: float


@dataclass(eq=False, slots=True)
class Retry:
    """The pause before a further attempt at a step is over."""

    frame: Frame
    step: NodeStep


@dataclass(eq=False, slots=True)
class Wake:
    """The run was cancelled: the scheduler has to look."""


@dataclass(eq=False, slots=True)
class RunTimedOut:
    """The time of the whole run is up."""

    seconds: float


Answer = Done | Failed | Item | StreamEnded
"""What an attempt ends with."""

Message = (
    Began
    | Answer
    | ItemFinished
    | CacheHit
    | DuplicateSettled
    | TimedOut
    | Retry
    | Wake
    | RunTimedOut
)
