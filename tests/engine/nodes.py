"""
A small vocabulary of nodes for graphs in tests.

What has to be counted or held goes through a `Stage` that the test makes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

from nodetool_core import Context, Field, Lane, Node


class Stage:
    """
    What a test shares with the nodes it runs: calls are counted by label, and gates held by name.
    """

    stages: ClassVar[dict[str, Stage]] = {}

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: Counter[str] = Counter()
        self.started = threading.Semaphore(0)
        """Released once by every node that has begun to wait."""
        self.gate = threading.Event()
        self.action: Callable[..., Any] = lambda *arguments: None
        self._lock = threading.Lock()
        Stage.stages[name] = self

    def count(self, label: str) -> None:
        with self._lock:
            self.calls[label] += 1


class Number(Node):
    """Gives a number."""

    lane = Lane.INLINE

    value: int = 0

    def process(self) -> int:
        return self.value


class Numbers(Node):
    """Gives a list of numbers."""

    lane = Lane.INLINE

    values: list[int] = []

    def process(self) -> list[int]:
        return self.values


class Anything(Node):
    """Gives a value without saying of which type."""

    lane = Lane.INLINE

    value: Any = None

    def process(self) -> Any:
        return self.value


class Add(Node):
    """Adds two numbers, on the scheduler's thread."""

    lane = Lane.INLINE

    a: int
    b: int = 1

    def process(self) -> int:
        return self.a + self.b


class Mix(Node):
    """Tells its inputs apart: `2a + 3b + 5c`, on a worker thread."""

    a: int
    b: int = 0
    c: int | None = None

    def process(self) -> int:
        return 2 * self.a + 3 * self.b + 5 * (self.c or 0)


class Upto(Node):
    """The numbers below n."""

    lane = Lane.INLINE

    n: int

    def process(self) -> list[int]:
        return list(range(self.n % 4))


class Total(Node):
    """The sum of a list of numbers."""

    values: list[int]

    def process(self) -> int:
        return sum(self.values)


class IsOdd(Node):
    """Whether a number is odd."""

    a: int

    def process(self) -> bool:
        return self.a % 2 == 1


class Fail(Node):
    """Fails where its number is a multiple of `on`."""

    a: int = 0
    on: int = 1

    def process(self) -> int:
        if self.a % self.on == 0:
            raise ValueError(f"no {self.a}")
        return self.a


class Counting(Node):
    """Counts its calls by label, and passes its number on."""

    a: int = 0
    label: str = "x"
    stage: str = ""

    def process(self) -> int:
        Stage.stages[self.stage].count(self.label)
        return self.a


class CountingInline(Counting):
    """As Counting, on the scheduler's thread."""

    lane = Lane.INLINE


class Clock(Node):
    """Never the same twice."""

    cacheable = False
    stage: str = ""

    def process(self) -> int:
        Stage.stages[self.stage].count("clock")
        return Stage.stages[self.stage].calls["clock"]


class Gated(Node):
    """Begins to wait for the stage's gate, and gives up when it is cancelled."""

    a: int = 0
    stage: str = ""

    def process(self, context: Context) -> int:
        stage = Stage.stages[self.stage]
        stage.started.release()
        while not stage.gate.wait(0.005):
            context.progress(0, 1)
        return self.a


class Acting(Node):
    """Calls what the test gave its stage, with its number."""

    a: int = 0
    stage: str = ""

    def process(self) -> int:
        Stage.stages[self.stage].action(self.a)
        return self.a


class DeviceStep(Acting):
    """As Acting, in the lane of the device."""

    lane = Lane.DEVICE


class AsyncEcho(Node):
    """Calls what the test gave its stage, a coroutine function, and waits for it."""

    a: int = 0
    stage: str = ""

    async def process(self) -> int:
        await Stage.stages[self.stage].action(self.a)
        return self.a


class Each(Node):
    """Gives the items of a list, inline."""

    lane = Lane.INLINE

    items: list[int]

    def process(self) -> Iterator[int]:
        yield from self.items


class Produce(Node):
    """
    A generator on worker threads: makes n items with the stage's action, and counts how it ended.
    """

    n: int
    fails_at: int = -1
    stage: str = ""

    def process(self) -> Iterator[Any]:
        stage = Stage.stages[self.stage]
        try:
            for number in range(self.n):
                if number == self.fails_at:
                    raise ValueError(f"no item {number}")
                made = stage.action(number)
                yield number if made is None else made
                stage.count("taken")
        finally:
            stage.count("closed")


class ProduceAsync(Node):
    """An asynchronous generator that counts how it ended."""

    n: int
    stage: str = ""

    async def process(self) -> AsyncIterator[int]:
        stage = Stage.stages[self.stage]
        try:
            for number in range(self.n):
                await asyncio.sleep(0)
                yield number
        finally:
            stage.count("closed")


class Dice(Node):
    """A result that hangs on a seed."""

    lane = Lane.INLINE

    seed: int = Field(default=-1, ge=-1, le=2**32 - 1, seed=True)

    def process(self) -> int:
        return self.seed
