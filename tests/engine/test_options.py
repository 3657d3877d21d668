"""E13: options that can't be meant are refused, with what was meant."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.nodetool.output import Output
from nodes.nodetool.text import Concat
from nodetool_core import Workflow, WorkflowError
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.jobs.job import JobOptions
from tests.engine.nodes import Add, Number


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (
            lambda: RunOptions(on_error="Stop"),
            "RunOptions.on_error: expects 'stop' or 'continue', got 'Stop'. Did you mean 'stop'?",
        ),  # type: ignore[arg-type]
        (
            lambda: RunOptions(on_error="retry"),
            "expects 'stop' or 'continue', got 'retry'.",
        ),  # type: ignore[arg-type]
        (
            lambda: RunOptions(outputs="image"),
            "RunOptions.outputs: expects a list of names, got 'image'. Give ['image'].",
        ),
        (
            lambda: RunOptions(policies={"a": 3}),
            "RunOptions.policies['a']: expects a NodePolicy, got 3.",
        ),  # type: ignore[dict-item]
        (
            lambda: NodePolicy(attempts=0),
            "NodePolicy.attempts: expects a whole number from 1 on, got 0.",
        ),
        (lambda: NodePolicy(attempts=1.5), "expects a whole number from 1 on, got 1.5."),  # type: ignore[arg-type]
        (lambda: NodePolicy(attempts=True), "expects a whole number from 1 on, got True."),
        (
            lambda: NodePolicy(timeout=0),
            "NodePolicy.timeout: expects seconds above 0, or None for no limit, got 0.",
        ),
        (
            lambda: NodePolicy(timeout=float("nan")),
            "expects seconds above 0, or None for no limit, got nan.",
        ),
        (
            lambda: NodePolicy(timeout="60"),
            "expects seconds above 0, or None for no limit, got '60'.",
        ),  # type: ignore[arg-type]
        (
            lambda: JobOptions(node_attempts=0),
            "NodePolicy.attempts: expects a whole number from 1 on, got 0.",
        ),
        (lambda: JobOptions(on_error="Stop"), "Did you mean 'stop'?"),  # type: ignore[arg-type]
        (lambda: NodePolicy(wait=-1.0), "NodePolicy.wait: expects seconds from 0 on, got -1.0."),
    ],
)
def test_what_cannot_be_meant_is_refused(build: Any, says: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        build()
    assert says in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(WorkflowError) as caught:
        NodePolicy(timeout=-1, attempts=0, wait=-1)
    assert len(caught.value.problems) == 3


def test_a_policy_for_no_node_is_refused(engine: Engine) -> None:
    """A pattern may fit none, so that the same options do for several workflows."""
    workflow = Workflow(Add(a=Number(value=1)), engine=engine)
    with pytest.raises(
        WorkflowError,
        match=r"RunOptions.policies\['ad'\]: There is no such node or type. Did you mean 'add'",
    ):
        workflow.run(options=RunOptions(policies={"ad": NodePolicy()}))
    for name in ("add", "tests.engine.nodes.Add", "huggingface.*", "*"):
        assert workflow.run(options=RunOptions(policies={name: NodePolicy()}))["add"] == 2


def test_results_come_in_the_order_of_the_outputs_whichever_was_done_first() -> None:
    far: object = "a"
    for _ in range(4):
        far = Concat(a=far, b="b").output
    outputs = [Output(name="late", value=far), Output(name="early", value="x")]
    assert list(Workflow(*outputs).run()) == ["late", "early"]
    assert list(Workflow(*outputs[::-1]).run()) == ["early", "late"]
