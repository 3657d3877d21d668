"""
Random graphs give what a plain recursive evaluation gives.

With the cache off, on, full, and after a change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from nodetool_core import RunResult, Workflow, inputs
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from tests.engine.plain import Plain
from tests.engine.random_graphs import (
    ALL_KINDS,
    BRANCH_KINDS,
    JOIN_KINDS,
    LOOP_KINDS,
    PLAIN_KINDS,
    Step,
    programs,
    workflow_of,
)

QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    print_blob=True,
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


def check(
    workflow: Workflow, result: RunResult, *, cached: bool, changes: dict[str, Any] | None = None
) -> None:
    plain = Plain(inputs.apply(workflow.graph, changes or {}))
    expected = plain.outputs()
    assert result.outputs == expected
    # By kind of node: of two equal nodes, which one runs is nobody's business.
    titles = {node.id: node.spec.title for node in workflow.graph.nodes}
    needed: Counter[str] = Counter()
    for node_id, count in plain.ran.items():
        needed[titles[node_id]] += count
    assert Counter(titles[node_id] for node_id in result.ran) <= needed, (
        "ran what was not needed, or twice"
    )
    assert bool(result.failures) == bool(plain.failed)
    assert {titles[failure.node_id] for failure in result.failures} <= {
        titles[node_id] for node_id in plain.failed
    }
    if not cached:
        assert not result.hits


def change(workflow: Workflow) -> dict[str, Any]:
    """Return another value for one property of the workflow."""
    others = {
        "Number": {"value": 2},
        "Upto": {"n": 3},
        "ForEach": {"input_list": [3, 1]},
        "Each": {"items": [2]},
        "Add": {"b": 4},
    }
    for node in workflow.graph.nodes:
        for name, value in others.get(node.spec.title, {}).items():
            if name in node.values:
                return {f"{node.id}.{name}": value}
    return {}


def compare(program: list[Step], engine: Engine) -> None:
    workflow = workflow_of(program, engine)
    for use_cache in (False, True, True):
        run = workflow.start(options=RunOptions(on_error="continue", use_cache=use_cache))
        check(workflow, run.result(10), cached=use_cache)
        assert run.wait(10)
    changes = change(workflow)
    run = workflow.start(changes, options=RunOptions(on_error="continue"))
    check(workflow, run.result(10), cached=True, changes=changes)


@QUICK
@given(program=programs(PLAIN_KINDS))
def test_layered_graphs(program: list[Step], engine: Engine) -> None:
    compare(program, engine)


@QUICK
@given(program=programs(LOOP_KINDS))
def test_graphs_with_loops(program: list[Step], engine: Engine) -> None:
    compare(program, engine)


@QUICK
@given(program=programs(BRANCH_KINDS))
def test_graphs_with_loops_and_branches(program: list[Step], engine: Engine) -> None:
    compare(program, engine)


@QUICK
@given(program=programs(ALL_KINDS))
def test_graphs_with_loops_branches_and_failures(program: list[Step], engine: Engine) -> None:
    compare(program, engine)


@QUICK
@given(program=programs(JOIN_KINDS, most=24))
def test_graphs_with_branches_that_meet(program: list[Step], engine: Engine) -> None:
    """
    E6: what only a branch that is not taken needs does not run.

    However many branches there are, cold and warm.
    """
    compare(program, engine)
