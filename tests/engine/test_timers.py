"""Timeouts and further attempts: policies of a run (the engine's `RunOptions.policies`)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from nodetool_core import Context, Lane, Node, NodeError, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.engine.result import RunError
from nodetool_core.node_base import Role

SOON = 0.05
"""Seconds after which the nodes here count as too slow; they would take for ever."""


class Result(Node):
    """Names a result."""

    role = Role.OUTPUT
    lane = Lane.INLINE

    name: str = "result"
    value: Any

    def process(self) -> Any:
        return self.value


def options(**policy: Any) -> RunOptions:
    return RunOptions(policies={"*": NodePolicy(wait=0.001, **policy)})


def failing(times: int, error: Exception, lane: Lane) -> type[Node]:
    """Return a node class that fails so many times, then gives 7."""
    left = iter(range(times))
    chosen = lane

    class Flaky(Node):
        """Fails at first."""

        lane = chosen
        cacheable = False

        def process(self) -> int:
            if next(left, None) is not None:
                raise error
            return 7

    return Flaky


@pytest.mark.parametrize("lane", list(Lane))
def test_a_node_that_fails_is_tried_again(lane: Lane) -> None:
    flaky = failing(2, ConnectionError("busy"), lane)
    result = Workflow(Result(value=flaky().output)).run(options=options(attempts=3))
    assert dict(result) == {"result": 7}
    assert [warning.code for warning in result.warnings] == ["retry", "retry"]


def test_attempts_are_bounded() -> None:
    flaky = failing(3, ConnectionError("busy"), Lane.CPU)
    with pytest.raises(RunError, match="ConnectionError: busy"):
        Workflow(Result(value=flaky().output)).run(options=options(attempts=3))


def test_a_mistake_of_the_user_is_not_tried_again() -> None:
    flaky = failing(1, NodeError("strength is 0."), Lane.CPU)
    with pytest.raises(RunError, match="strength is 0"):
        Workflow(Result(value=flaky().output)).run(options=options(attempts=3))


def test_without_a_policy_nothing_is_tried_again() -> None:
    flaky = failing(1, ConnectionError("busy"), Lane.CPU)
    with pytest.raises(RunError):
        Workflow(Result(value=flaky().output)).run(
            options=RunOptions(policies={"elsewhere.*": NodePolicy(attempts=5)})
        )


def test_a_node_that_hangs_is_given_up_and_the_run_ends() -> None:
    released = threading.Event()

    class Hangs(Node):
        """Waits for what never comes, deaf to all."""

        def process(self) -> int:
            released.wait()
            return 1

    try:
        with pytest.raises(RunError, match=r"took longer than its 0\.05 s"):
            Workflow(Result(value=Hangs().output)).run(options=options(timeout=SOON))
    finally:
        released.set()


def test_a_stream_that_gave_items_is_not_begun_again() -> None:
    begun: list[int] = []

    class Breaks(Node):
        """Gives two numbers, and fails."""

        cacheable = False

        def process(self) -> Iterator[int]:
            begun.append(1)
            yield from (1, 2)
            raise ConnectionError("busy")

    with pytest.raises(RunError, match="ConnectionError: busy"):
        Workflow(Result(value=Breaks()["output"])).run(options=options(attempts=3))
    assert begun == [1]


def test_a_coroutine_that_hangs_is_cancelled() -> None:
    cancelled = threading.Event()

    class Hangs(Node):
        """Awaits what never comes."""

        async def process(self) -> int:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return 1

    with pytest.raises(RunError, match="took longer"):
        Workflow(Result(value=Hangs().output)).run(options=options(timeout=SOON))
    assert cancelled.wait(10)


def test_a_device_node_over_its_time_stops_at_its_next_step_and_frees_the_device() -> None:
    begun: list[str] = []

    class Denoises(Node):
        """Works for ever, but reports each step."""

        lane = Lane.DEVICE
        cacheable = False
        label: str

        def process(self, context: Context) -> int:
            begun.append(self.label)
            if self.label == "quick":
                return 5
            while True:
                context.progress(1, 2)

    slow, quick = Denoises(label="slow"), Denoises(label="quick")
    workflow = Workflow(
        Result(name="slow", value=slow.output), Result(name="quick", value=quick.output)
    )
    limits = RunOptions(on_error="continue", policies={"*": NodePolicy(timeout=SOON)})
    result = workflow.run(options=limits)
    assert result.outputs == {"quick": 5}
    assert [failure.problem.code for failure in result.failures] == ["node_timeout"]
    assert sorted(begun) == ["quick", "slow"]


def test_a_timed_out_attempt_is_followed_by_another_whose_answer_counts() -> None:
    attempts: list[threading.Event] = []

    class HangsOnce(Node):
        """Hangs the first time."""

        cacheable = False

        def process(self) -> int:
            attempts.append(threading.Event())
            if len(attempts) == 1:
                attempts[0].wait()
                return 1
            return 2

    result = Workflow(Result(value=HangsOnce().output)).run(
        options=options(timeout=SOON, attempts=2)
    )
    attempts[0].set()
    assert dict(result) == {"result": 2}


def test_a_deadline_that_was_met_does_not_hold_the_run() -> None:
    flaky = failing(0, ValueError(), Lane.CPU)
    run = Workflow(Result(value=flaky().output)).start(options=options(timeout=3600.0))
    assert dict(run.result(timeout=60)) == {"result": 7}


@pytest.mark.parametrize("seconds", [1e12, float("inf")])
def test_a_deadline_may_be_further_off_than_any_clock_goes(seconds: float) -> None:
    flaky = failing(0, ValueError(), Lane.CPU)
    assert dict(Workflow(Result(value=flaky().output)).run(options=options(timeout=seconds))) == {
        "result": 7
    }


def test_a_thousand_attempts_without_a_wait() -> None:
    flaky = failing(1100, ConnectionError("busy"), Lane.CPU)
    policy = NodePolicy(attempts=1200, wait=0.0)
    assert dict(
        Workflow(Result(value=flaky().output)).run(options=RunOptions(policies={"*": policy}))
    ) == {"result": 7}


def test_the_deadline_of_an_attempt_that_failed_is_not_that_of_the_next() -> None:
    attempts: list[threading.Event] = []
    clock = 0.2

    class FailsOnce(Node):
        """Fails early, then takes longer than what was left of the first attempt's time."""

        cacheable = False

        def process(self) -> int:
            attempts.append(threading.Event())
            if len(attempts) == 1:
                # Late enough that the second attempt is not over when the first one's time is.
                attempts[0].wait(clock * 0.7)
                raise ConnectionError("busy")
            attempts[1].wait(clock * 0.7)
            return len(attempts)

    result = Workflow(Result(value=FailsOnce().output)).run(
        options=options(timeout=clock, attempts=3)
    )
    assert dict(result) == {"result": 2}
    assert len(result.warnings) == 1


def test_waiting_for_a_device_that_others_use_takes_no_time_of_a_node() -> None:
    begun, released = threading.Event(), threading.Event()

    class Occupies(Node):
        """Has the device until it is told to let go."""

        lane = Lane.DEVICE
        cacheable = False

        def process(self) -> int:
            begun.set()
            assert released.wait(10)
            return 1

    class Quick(Node):
        """Takes no time."""

        lane = Lane.DEVICE

        def process(self) -> int:
            return 2

    with Engine() as engine:
        first = Workflow(Result(value=Occupies().output), engine=engine).start()
        assert begun.wait(10)
        second = Workflow(Result(value=Quick().output), engine=engine).start(
            options=options(timeout=SOON)
        )
        with pytest.raises(TimeoutError):
            second.result(timeout=4 * SOON)
        released.set()
        assert [dict(first.result()), dict(second.result())] == [{"result": 1}, {"result": 2}]


def test_the_place_of_a_node_that_hangs_is_free_at_once() -> None:
    begun, released = threading.Semaphore(0), threading.Event()

    class Hangs(Node):
        """Waits for what never comes, deaf to all."""

        number: int

        def process(self) -> int:
            begun.release()
            released.wait()
            return 1

    both = [Result(name=str(number), value=Hangs(number=number).output) for number in range(2)]
    limits = RunOptions(on_error="continue", policies={"*": NodePolicy(timeout=SOON)})
    try:
        with Engine(workers=1) as engine:
            run = Workflow(*both, engine=engine).start(options=limits)
            assert run.wait(30)
            assert len(run.partial.failures) == 2
            assert begun.acquire(timeout=30) and begun.acquire(timeout=30), (
                "the second began while the first hung"
            )
            released.set()
    finally:
        released.set()
