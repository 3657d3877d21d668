"""
Our engine as ratios: each figure beside what it is held against, in turns, in one process.

Machines differ twofold from day to day, so that microseconds say little. Every round measures a
figure and what it is held against one after the other; the median of the rounds' ratios counts.
`wall` is by the clock, `CPU` what all threads of the process compute until the result is there.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, Final

from engine_figures import Figure
from engine_graphs import Shape, shape
from engine_ours import NODES, Counter, Given, Output, Source, Took, build
from engine_ours import document as file_of
from engine_rivals import RIVALS
from pydantic import BaseModel

from nodetool_core import Node, Registry, inputs
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.result import RunResult
from nodetool_core.graph import Graph
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

SIZE: Final = 5_000
SMALL: Final = 100
LARGE: Final = 100_000
GIVEN: Final = 10_000

Rounds = list[tuple[Took, Took]]
"""What a figure and what it is held against took."""


def ratios(quick: bool) -> list[Figure]:
    """Return all ratios."""
    size, rounds = (500, 2) if quick else (SIZE, 7)
    figures = []
    for name in ("chain", "layers"):
        figures += _against_tasks(shape(name, size), rounds)
    for name in ("chain", "layers"):
        figures.append(_against_a_loop(shape(name, size), rounds))
    figures.append(_flat(SMALL, 2_000 if quick else LARGE, 2 if quick else 3))
    for name in ("chain", "layers"):
        figures.append(_reading(shape(name, size), rounds))
    figures.append(_with_inputs(500 if quick else GIVEN, rounds))
    return figures


def document(of: Shape, first: type[Node] = Source) -> str:
    return file_of(of, first=first, output=Output)


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Took, Any]:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    found = function(*arguments)
    return Took(time.perf_counter() - wall, time.process_time() - cpu), found


def _figure(row: str, what: str, rounds: Rounds, unit: str = "ms") -> Figure:
    scale = {"ms": 1e3, "µs": 1e6}[unit]
    own, other = (
        median(took.cpu for took in column) * scale for column in zip(*rounds, strict=True)
    )
    wall = median(one.wall / two.wall for one, two in rounds)
    cpu = median(one.cpu / two.cpu for one, two in rounds)
    return Figure(row, what, wall, cpu, note=f"CPU {own:.2f} {unit} against {other:.2f} {unit}")


class Runs:
    """Runs a graph with a listener; the next measurement waits until that has heard all."""

    def __init__(self) -> None:
        self._listener = Counter()

    def __call__(self, engine: Engine, graph: Graph) -> RunResult:
        self._listener = Counter()
        return engine.start(graph, on_event=self._listener).result()

    def settle(self) -> None:
        """Wait until the listener of the last run has heard all."""
        self._listener.finished.wait()


# -- one asyncio task a node -----------------------------------------------------------------------


async def _tasks(of: Shape) -> int:
    """Return the value of the last node, each node being a task that waits for those it takes."""
    tasks: list[asyncio.Task[int]] = []

    async def node(number: int) -> int:
        values = [await tasks[parent] for parent in of.parents[number]]
        return of.work(number)(number, *values)

    tasks += [asyncio.create_task(node(number)) for number in range(len(of))]
    return await tasks[-1]


def _against_tasks(of: Shape, rounds: int) -> list[Figure]:
    text, expected = document(of), of.result()
    first: Rounds = []
    again: Rounds = []
    run = Runs()
    with Engine() as engine:
        run(engine, build(document(shape(of.name, 5))))
    for _ in range(rounds):
        graph = build(text)
        with Engine() as engine:
            for into in (first, again):
                own, result = _timed(run, engine, graph)
                run.settle()
                other, value = _timed(lambda: asyncio.run(_tasks(of)))
                if result["result"] != expected or value != expected:
                    raise AssertionError(f"{of.name}: {result['result']} and {value}")
                into.append((own, other))
    what = f"{of.name} of {len(of):,}"
    return [
        _figure(
            "first run", f"{what}: first run, plan included, to one asyncio task a node", first
        ),
        _figure("cached run", f"{what}: run again, fully cached, to the same", again),
    ]


# -- the run alone ---------------------------------------------------------------------------------


def _against_a_loop(of: Shape, rounds: int) -> Figure:
    loop = RIVALS["plain loop"]
    loaded, graph = loop.load(of), build(document(of))
    found: Rounds = []
    run = Runs()
    for _ in range(rounds):
        own = _run_alone(run, graph)
        found.append((own, _timed(loop.run, loaded)[0]))
    what = f"{of.name} of {len(of):,}: the run alone, to a plain loop of the same arithmetic"
    return _figure("run alone", what, found)


def _run_alone(run: Runs, graph: Graph) -> Took:
    """Return what a run takes with an empty cache: plan, thread and start are not counted."""
    with Engine() as engine:
        engine.plan(graph, RunOptions())
        took, result = _timed(run, engine, graph)
        run.settle()
    # The thread of the run computes all the time that it is there.
    return Took(result.seconds, took.cpu * min(1.0, result.seconds / took.wall))


def _flat(small: int, large: int, rounds: int) -> Figure:
    """Return what a node of a large graph takes, to one of a small graph."""
    graphs_of = {size: build(document(shape("layers", size))) for size in (small, large)}
    run, found = Runs(), []
    for _ in range(rounds):
        many = _run_alone(run, graphs_of[large]).per(large)
        few = [_run_alone(run, graphs_of[small]).per(small) for _ in range(11)]
        one = Took(median(took.wall for took in few), median(took.cpu for took in few))
        found.append((many, one))
    what = f"layers: {large:,} nodes to {small:,}, per node"
    return _figure("flat run", what, found, "µs")


# -- reading a file --------------------------------------------------------------------------------


class _Node(BaseModel):
    id: str
    type: str
    data: dict[str, Any] = {}


class _Edge(BaseModel):
    source: str
    sourceHandle: str  # noqa: N815 - as the file has it
    target: str
    targetHandle: str  # noqa: N815


class _Content(BaseModel):
    nodes: list[_Node]
    edges: list[_Edge]


class _File(BaseModel):
    graph: _Content


def _reading(of: Shape, rounds: int) -> Figure:
    text = document(of)
    found: Rounds = []
    with Engine() as engine:
        engine.plan(build(text), RunOptions())
        registry = Registry(node_classes=NODES)

        def ours() -> None:
            graph = build_graph(WorkflowDocument.from_text(text), registry)
            engine.plan(graph, RunOptions())

        for _ in range(rounds):
            own, _ = _timed(ours)
            other, _ = _timed(lambda: _File.model_validate(json.loads(text)))
            found.append((own, other))
    what = f"{of.name} of {len(of):,}: load, validate, plan, to json.loads and pydantic"
    return _figure("reading", what, found)


# -- inputs ----------------------------------------------------------------------------------------


def _with_inputs(size: int, rounds: int) -> Figure:
    """
    Measure a cached run with a value for the workflow's input, to one without.

    The input feeds the first node of a chain, so that every key depends on it.
    """
    graph = build(document(shape("chain", size), first=Given))
    values: Mapping[str, Any] = {"number": 7}

    run = Runs()

    def given(engine: Engine) -> RunResult:
        return run(engine, inputs.apply(graph, values))

    found: Rounds = []
    with Engine() as engine:
        run(engine, graph)
        given(engine)
        for _ in range(rounds):
            own, result = _timed(given, engine)
            run.settle()
            other, _ = _timed(run, engine, graph)
            run.settle()
            if result.ran != ["result"]:
                raise AssertionError(f"A cached run computed {result.ran[:3]}.")
            found.append((own, other))
    what = f"chain of {size:,}: a cached run with an input given, to one without"
    return _figure("with inputs", what, found)


__all__ = ["ratios"]
