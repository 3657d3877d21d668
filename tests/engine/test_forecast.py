"""What a run would compute is told before it, and is what the run computes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.nodetool.output import Output
from nodetool_core import Context, Field, Node, Workflow
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.forecast import NodeForecast, Outlook
from nodetool_core.engine.options import RunOptions
from tests.engine.nodes import Add, Number
from tests.engine.random_graphs import ALL_KINDS, PLAIN_KINDS, Step, programs, workflow_of

QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


def computed(found: dict[str, NodeForecast]) -> set[str]:
    return {
        name for name, one in found.items() if one.outlook in (Outlook.MISSING, Outlook.VOLATILE)
    }


@given(programs(PLAIN_KINDS), st.data())
@QUICK
def test_what_is_forecast_is_what_runs(program: list[Step], data: st.DataObject) -> None:
    with Engine(workers=1, cache=MemoryCache()) as engine:
        workflow = workflow_of(program, engine)
        node = data.draw(st.sampled_from([node.id for node in workflow.graph.nodes]))
        engine.start(workflow.graph, options=RunOptions(outputs=[node])).result()
        found = engine.forecast(workflow.graph)
        ran = engine.start(workflow.graph).result().ran
        # Of equal nodes one runs: which, is nobody's business.
        assert {found[name].key for name in ran} == {found[name].key for name in computed(found)}


@given(programs(ALL_KINDS))
@QUICK
def test_nothing_runs_that_was_not_forecast(program: list[Step]) -> None:
    with Engine(workers=1) as engine:
        workflow = workflow_of(program, engine)
        found = engine.forecast(workflow.graph)
        result = engine.start(workflow.graph, options=RunOptions(on_error="continue")).result()
        keys = {found[name].key for name in computed(found)}
        unforeseen = {name for name in result.ran if name not in computed(found)}
        assert {found[name].key for name in unforeseen} <= keys


class Dice(Node):
    """Gives another number each time."""

    cacheable = False

    def process(self, context: Context) -> int:
        return 4


class Drawn(Node):
    """Gives its seed."""

    seed: int = Field(default=-1, seed=True)

    def process(self, context: Context) -> int:
        return self.seed


@pytest.mark.parametrize("source", [Dice, Drawn])
def test_what_is_never_the_same_is_volatile_with_all_that_takes_it(
    source: type[Node], engine: Engine
) -> None:
    workflow = Workflow(
        Output(name="x", value=Add(a=source().output, b=1).output),
        Output(name="y", value=Number(value=3).output),
        engine=engine,
    )
    for _ in range(2):
        found = engine.forecast(workflow.graph)
        outlooks = {name: one.outlook for name, one in found.items()}
        volatile = {name for name, outlook in outlooks.items() if outlook is Outlook.VOLATILE}
        assert len(volatile) == 3 and all(found[name].key is None for name in volatile)
        assert sum(one.draws_seed for one in found.values()) == (source is Drawn)
        workflow.run()


def test_what_a_target_does_not_need_is_unneeded(engine: Engine) -> None:
    first, second = Number(value=1), Number(value=2)
    workflow = Workflow(
        Output(name="x", value=first.output), Output(name="y", value=second.output), engine=engine
    )
    found = engine.forecast(workflow.graph, outputs=["x"])
    assert len(found) == 2 and computed(found) == set(found)
