"""While and Reduce: loops in which a round begins with what the last one led to."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.nodetool.control import Collect, ForEach, If, Next, Reduce, While
from nodes.nodetool.output import Output
from nodetool_core import DiskCache, Engine, Node, RunCancelled, RunError, Workflow, WorkflowError
from nodetool_core.engine.options import RunOptions
from nodetool_core.workflow import WorkflowDocument
from tests.engine.nodes import Acting, Add, Counting, IsOdd, Mix, Number, Stage, Total


class Less(Node):
    """Whether one number is below another."""

    a: int
    than: int = 0

    def process(self) -> bool:
        return self.a < self.than


class Fails(Node):
    """Passes a number on, and fails at one of them."""

    a: int
    at: int

    def process(self) -> int:
        if self.a == self.at:
            raise ValueError(f"not {self.a}")
        return self.a


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


def run(engine: Engine, **outputs: Any) -> dict[str, Any]:
    wanted = [Output(name=name, value=value) for name, value in outputs.items()]
    return dict(Workflow(*wanted, engine=engine).run())


def doubled(limit: int, initial: Any = 1, **properties: Any) -> tuple[While, Mix, Next]:
    """Return a loop that doubles a number until it is as high as a limit."""
    loop = While(initial=initial, **properties)
    twice = Mix(a=loop.output)
    return loop, twice, Next(value=twice, again=Less(a=twice, than=limit))


def summed(items: Any, **properties: Any) -> tuple[Reduce, Next]:
    loop = Reduce(input_list=items, **properties)
    return loop, Next(value=Add(a=loop.accumulated, b=loop.output))


def test_a_loop_goes_on_while_its_next_says_so(engine: Engine) -> None:
    loop, twice, end = doubled(100)
    assert run(
        engine, last=end, all=Collect(input_item=twice), at=Collect(input_item=loop.index)
    ) == {
        "last": 128,
        "all": [2, 4, 8, 16, 32, 64, 128],
        "at": list(range(7)),
    }


def test_the_number_of_rounds_is_bounded(engine: Engine) -> None:
    assert run(engine, x=doubled(100, max_rounds=3)[2]) == {"x": 8}
    loop = While(initial=0, max_rounds=5)
    assert run(engine, x=Next(value=Add(a=loop.output))) == {"x": 5}
    with pytest.raises(RunError, match="asks for more than 3 rounds") as caught:
        run(engine, x=doubled(100, max_rounds=3, at_limit="fail")[2])
    assert caught.value.problem.code == "too_many_rounds"


@pytest.mark.parametrize(
    ("items", "given", "expected"),
    [
        ([1, 2, 3], {"initial": 10}, 16),
        ([1, 2, 3], {}, 6),
        ([4], {}, 4),
        ([], {"initial": 7}, 7),
        ([], {}, None),
    ],
)
def test_a_list_is_reduced_to_a_value(
    engine: Engine, items: list[int], given: dict[str, int], expected: int | None
) -> None:
    assert run(engine, x=summed(items, **given)[1]) == {"x": expected}


def test_a_loop_ends_early_and_computes_nothing_beyond(engine: Engine, stage: Stage) -> None:
    loop = Reduce(input_list=[3, 4, 5, 6], initial=0)
    total = Add(a=loop.accumulated, b=Counting(a=loop.output, stage=stage.name))
    end = Next(value=total, again=Less(a=total, than=5))
    assert run(engine, x=end, all=Collect(input_item=total)) == {"x": 7, "all": [3, 7]}
    assert stage.calls.total() == 2


def test_rounds_that_were_computed_before_are_not_computed_again(
    engine: Engine, stage: Stage
) -> None:
    """Also those of another bound, and by the next process."""

    def count(rounds: int, engine: Engine) -> int:
        before = stage.calls.total()
        loop = While(initial=0, max_rounds=rounds)
        end = Next(value=Counting(a=Add(a=loop.output), stage=stage.name))
        assert run(engine, x=end) == {"x": rounds}
        return stage.calls.total() - before

    assert [count(3, engine), count(3, engine), count(5, engine), count(2, engine)] == [3, 0, 2, 0]


def test_the_next_process_finds_rounds(tmp_path: Path) -> None:
    ran = []
    for _ in range(2):
        with Engine(cache=DiskCache(tmp_path, least_seconds=0), workers=1) as engine:
            end = doubled(5)[2]
            result = Workflow(Output(name="x", value=end), engine=engine).run()
            engine.cache.flush()  # type: ignore[attr-defined]
        assert dict(result) == {"x": 8}
        ran.append(result.ran.count("mix"))
    assert ran == [3, 0]


@pytest.mark.parametrize("order", range(4))
def test_what_is_gathered_depends_on_what_is_carried(engine: Engine, order: int) -> None:
    """In whatever order nodes stand in the document: its key holds that of the carried value."""
    for step in (1, 2):
        loop = While(initial=0, max_rounds=3)
        end = Next(value=Add(a=loop.output, b=step))
        seen = Total(values=Collect(input_item=Add(a=loop.output, b=10)))
        document = Workflow(
            Output(name="seen", value=seen), Output(name="last", value=end), engine=engine
        ).document
        random.Random(order).shuffle(document.graph.nodes)
        read = WorkflowDocument.from_json(document.to_json(), "test")
        workflow = Workflow(
            Output(name="seen", value=seen), Output(name="last", value=end), engine=engine
        )
        again = Workflow.from_document(read, workflow.registry, engine=engine)
        assert dict(again.run()) == {"seen": 30 + 3 * step, "last": 3 * step}


def test_the_first_value_and_the_bound_count(engine: Engine) -> None:
    for initial, limit in ((1, 10), (3, 10), (1, 5)):
        value = initial
        while True:
            value *= 2
            if value >= limit:
                break
        loop, _, end = doubled(limit, initial)
        assert run(engine, x=end, y=Total(values=Collect(input_item=loop.output)))["x"] == value


def test_loops_nest(engine: Engine) -> None:
    each = ForEach(input_list=[[1, 2], [3, 4, 5], []])
    assert run(engine, x=Collect(input_item=summed(each.output, initial=0)[1])) == {"x": [3, 12, 0]}
    outer = While(initial=[1, 2], max_rounds=3)
    inner = Collect(input_item=Add(a=ForEach(input_list=outer.output).output, b=1))
    assert run(engine, x=Next(value=inner)) == {"x": [4, 5]}
    rows = Reduce(input_list=[[1, 2], [3]], initial=100)
    _, total = summed(rows.output, initial=rows.accumulated)
    assert run(engine, x=Next(value=total)) == {"x": 106}


def test_a_round_whose_branch_was_not_taken_keeps_the_value(engine: Engine) -> None:
    loop = Reduce(input_list=[1, 2, 3, 4, 5], initial=0)
    odd = If(condition=IsOdd(a=loop.output), value=loop.output)
    end = Next(value=Add(a=loop.accumulated, b=odd.if_true))
    assert run(engine, x=end) == {"x": 9}


def test_a_round_that_fails_ends_the_loop(engine: Engine) -> None:
    loop = While(initial=0, max_rounds=10)
    end = Next(value=Add(a=Fails(a=loop.output, at=2)))
    workflow = Workflow(
        Output(name="x", value=end), Output(name="y", value=Number(value=1)), engine=engine
    )
    with pytest.raises(RunError, match=r"item 2.*not 2"):
        workflow.run()
    result = workflow.run(options=RunOptions(on_error="continue"))
    assert (dict(result), [failure.item for failure in result.failures]) == ({"y": 1}, [(2,)])


def test_a_loop_that_fails_is_an_item_of_the_loop_around_it(engine: Engine) -> None:
    each = ForEach(input_list=[0, 5, 2])
    loop = Reduce(input_list=[1, 1, 1], initial=each.output)
    end = Next(value=Add(a=Fails(a=loop.accumulated, at=6), b=loop.output))
    assert run(engine, x=Collect(input_item=end, on_error="skip")) == {"x": [3, 5]}


def test_a_part_of_a_round_can_be_wanted_alone(engine: Engine) -> None:
    _, _, end = doubled(5)
    workflow = Workflow(Output(name="x", value=end), engine=engine)
    node = next(node.id for node in workflow.graph.nodes if node.node_class is Mix)
    assert workflow.run(options=RunOptions(outputs=[node])).outputs == {node: [2, 4, 8]}


def test_a_cancel_ends_rounds(engine: Engine, stage: Stage) -> None:
    loop = While(initial=0, max_rounds=100_000)
    workflow = Workflow(
        Output(name="x", value=Next(value=Acting(a=Add(a=loop.output), stage=stage.name))),
        engine=engine,
    )
    begun = threading.Event()
    stage.action = lambda *_: begun.set()
    under_way = workflow.start()
    begun.wait()
    under_way.cancel()
    with pytest.raises(RunCancelled):
        under_way.result()


def refused(name: str) -> list[Node]:
    loop = While(initial=1)
    step = Add(a=loop.output)
    if name == "no round":
        return [Next(value=Add(a=1))]
    if name == "a list":
        return [Next(value=Add(a=ForEach(input_list=[1]).output))]
    if name == "no end":
        return [Collect(input_item=step)]
    if name == "two ends":
        return [Next(value=step), Next(value=loop.output)]
    if name == "two loops":
        return [Next(value=step, again=Less(a=While(initial=2).output))]
    if name == "each with each":
        return [
            Collect(input_item=Next(value=Add(a=loop.output, b=ForEach(input_list=[1]).output)))
        ]
    whole = Total(values=Collect(input_item=loop.output))
    return [Next(value=Add(a=loop.output, b=whole))]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no round", "Next carries a value from one round to the next, and this is of no round"),
        ("a list", "this is of no round.*While or a Reduce"),
        ("no end", "While has no end.*Next"),
        ("two ends", "have another end already"),
        ("two loops", "can't end both"),
        ("each with each", "meet the items of node 'for_each', each with each"),
        ("its own end", "waits for the end of all its rounds"),
    ],
)
def test_loops_that_can_not_be_are_refused(engine: Engine, name: str, says: str) -> None:
    wanted = [Output(name=f"x{n}", value=node) for n, node in enumerate(refused(name))]
    with pytest.raises(WorkflowError, match=says) as caught:
        Workflow(*wanted, engine=engine)
    assert caught.value.problem.code == "invalid_loop" and caught.value.problem.hint
