"""
Plain steps run on a path of their own.

It gives what the general one gives, which a policy for every node asks for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodes.nodetool.output import Output
from nodetool_core import SKIPPED, Context, Field, Lane, Node, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, NodeFinished
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.engine.result import RunError
from nodetool_core.errors import RunCancelled
from tests.engine.nodes import Add, Anything, Number
from tests.engine.random_graphs import ALL_KINDS, Step, programs, workflow_of

FAST = RunOptions(on_error="continue")
GENERAL = RunOptions(on_error="continue", policies={"*": NodePolicy()})


class Share(Node):
    """Takes a share."""

    lane = Lane.INLINE

    share: float = Field(ge=0.0, le=1.0)

    def process(self) -> float:
        return self.share


class Append(Node):
    """Changes its own list."""

    lane = Lane.INLINE

    a: int
    values: list[int] = []

    def process(self) -> int:
        self.values.append(self.a)
        return len(self.values)


class Parts(NamedTuple):
    even: int
    odd: int


class Sort(Node):
    """Gives its number at the one output or the other."""

    lane = Lane.INLINE
    branches = True

    a: int

    def process(self) -> Parts:
        skipped: Any = SKIPPED
        return Parts(skipped, self.a) if self.a % 2 else Parts(self.a, skipped)


class Warn(Node):
    """Says something."""

    lane = Lane.INLINE

    a: int

    def process(self, context: Context) -> int:
        context.warn(f"it is {self.a}")
        return self.a


class Stop(Node):
    """Behaves as a node that noticed a cancel."""

    lane = Lane.INLINE

    a: int

    def process(self) -> int:
        raise RunCancelled


def told(program: list[Step], options: RunOptions) -> dict[str, Any]:
    """Return what a run gives and says of itself, in a new engine."""
    seen: list[Event] = []
    with Engine(workers=2) as engine:
        result = workflow_of(program, engine).run(options=options, on_event=seen.append)
    return {
        "outputs": result.outputs,
        "failed": sorted(
            (failure.node_id, failure.item, failure.problem.message) for failure in result.failures
        ),
        # Which of two equal steps in different items is computed, and which one finds that in the
        # cache, is a matter of order.
        "finished": sorted(
            (event.node_id, event.item) for event in seen if isinstance(event, NodeFinished)
        ),
    }


EQUAL_ITEMS: list[Step] = [
    ("number", 0, 0, 0, 0),
    ("each", 0, 6, 0, 0),
    ("add", 0, 0, 0, 0),
    ("add", 0, 0, 0, 0),
]
"""
A loop over equal items.

Where the second finds its end in the cache, what leads there is not asked for; who comes first is
chance.
"""


@settings(max_examples=60, deadline=None)
@example(EQUAL_ITEMS)
@given(programs(ALL_KINDS))
def test_both_paths_give_the_same(program: list[Step]) -> None:
    fast, general = told(program, FAST), told(program, GENERAL)
    for name in ("outputs", "failed"):
        assert fast[name] == general[name]


@settings(max_examples=60, deadline=None)
@example(EQUAL_ITEMS)
@given(programs(ALL_KINDS))
def test_both_paths_run_the_same_steps_where_nothing_is_cached(program: list[Step]) -> None:
    assert told(program, replace(FAST, use_cache=False)) == told(
        program, replace(GENERAL, use_cache=False)
    )


@pytest.mark.parametrize("value", [1.5, -0.5, "0.5", True])
def test_a_value_that_does_not_fit_fails_the_node_that_took_it(value: Any, engine: Engine) -> None:
    workflow = Workflow(
        Output(name="x", value=Share(share=Anything(value=value).output).output), engine=engine
    )
    with pytest.raises(RunError) as caught:
        workflow.run()
    (failure,) = caught.value.failures
    assert failure.node_type == Share.spec.node_type
    assert "→ share.share" in failure.problem.message


def test_a_node_can_not_change_the_values_of_the_next_run(engine: Engine) -> None:
    workflow = Workflow(
        Output(name="x", value=Append(a=Number(value=3).output).output), engine=engine
    )
    assert [workflow.run(options=RunOptions(use_cache=False))["x"] for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(("number", "taken"), [(4, "even"), (5, "odd")])
def test_an_inline_branch_is_taken_or_not(number: int, taken: str, engine: Engine) -> None:
    sort = Sort(a=Number(value=number).output)
    result = Workflow(
        Output(name="even", value=Add(a=sort.even).output),
        Output(name="odd", value=Add(a=sort.odd).output),
        engine=engine,
    ).run()
    assert result.outputs == {taken: number + 1}


def test_an_inline_node_sees_its_context(engine: Engine) -> None:
    result = Workflow(
        Output(name="x", value=Add(a=Warn(a=Number(value=7).output).output).output), engine=engine
    ).run()
    assert (result["x"], [problem.message for problem in result.warnings]) == (8, ["it is 7"])


def test_a_plain_step_that_notices_a_cancel_ends_the_run(engine: Engine) -> None:
    workflow = Workflow(
        Output(name="x", value=Add(a=Stop(a=Number(value=1).output).output).output), engine=engine
    )
    with pytest.raises(RunCancelled):
        workflow.run()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_equal_plain_steps_are_computed_once(values: list[int]) -> None:
    with Engine(workers=2) as engine:
        sums = [Add(a=Number(value=value).output, b=2) for value in values]
        result = Workflow(
            *(Output(name=f"x{place}", value=node.output) for place, node in enumerate(sums)),
            engine=engine,
        ).run()
        assert result.outputs == {f"x{place}": value + 2 for place, value in enumerate(values)}
        assert len(result.ran) == 2 * len(set(values)) + len(values)
