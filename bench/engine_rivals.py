"""
What our engine is measured against.

Each in the form that its own documentation shows for a graph that is known beforehand.

    plain loop      what the work itself costs: one Python call per node, in an order that is given
    graphlib        the standard library's TopologicalSorter says what is ready
    Hamilton        a module with one function per node; the driver executes for the last one
    dask            a dictionary of tasks, for the synchronous and for the threaded scheduler
    Haystack        a pipeline of components
    pydantic-graph  a graph of steps; its joins belong to forks, so that it has no form for `layers`

None of them has a cache, checks of types or a listener on. `load` makes whatever can be kept from
run to run, `run` gives the value of the last node. Libraries are imported when they are measured.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any, Final

from engine_graphs import Shape, add, mix, shape, source, total

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"


class NoFormError(Exception):
    """An engine can't express a graph."""


@dataclass(frozen=True, slots=True)
class Rival:
    """Another engine."""

    load: Callable[[Shape], Any]
    run: Callable[[Any], int]
    package: str = ""
    """The distribution to install; empty for what comes with Python."""
    module: str = ""


# -- Python alone ----------------------------------------------------------------------------------


def _loop_load(of: Shape) -> Any:
    return [(of.work(node), parents) for node, parents in enumerate(of.parents)]


def _loop_run(calls: Any) -> int:
    values: list[int] = []
    for node, (work, parents) in enumerate(calls):
        values.append(work(node, *[values[parent] for parent in parents]))
    return values[-1]


def _graphlib_load(of: Shape) -> Any:
    return dict(enumerate(of.parents)), [of.work(node) for node in range(len(of))]


def _graphlib_run(loaded: Any) -> int:
    parents, works = loaded
    sorter: TopologicalSorter[int] = TopologicalSorter(parents)
    sorter.prepare()
    values: list[int] = [0] * len(works)
    while sorter.is_active():
        for node in sorter.get_ready():
            values[node] = works[node](node, *[values[parent] for parent in parents[node]])
            sorter.done(node)
    return values[-1]


# -- Hamilton --------------------------------------------------------------------------------------


def _hamilton_load(of: Shape) -> Any:
    from hamilton import driver

    lines = []
    for node, parents in enumerate(of.parents):
        taken = dict.fromkeys(f"n{parent}" for parent in parents)
        given = ", ".join([str(node), *(f"n{parent}" for parent in parents)])
        lines.append(
            f"def n{node}({', '.join(f'{name}: int' for name in taken)}) -> int:\n    return"
            f" {of.work(node).__name__}({given})\n"
        )
    module = types.ModuleType("hamilton_graph")
    # Under names that Hamilton takes for no nodes: functions of another module.
    vars(module).update(source=source, add=add, mix=mix, total=total)
    sys.modules[module.__name__] = module
    exec(compile("\n".join(lines), "hamilton_graph", "exec"), vars(module))
    return driver.Builder().with_modules(module).build(), f"n{len(of) - 1}"


def _hamilton_run(loaded: Any) -> int:
    built, last = loaded
    return int(built.execute([last])[last])


# -- dask ------------------------------------------------------------------------------------------


def _dask_load(of: Shape) -> Any:
    from dask._task_spec import Task, TaskRef

    tasks = {}
    for node, parents in enumerate(of.parents):
        tasks[f"n{node}"] = Task(
            f"n{node}", of.work(node), node, *[TaskRef(f"n{parent}") for parent in parents]
        )
    return tasks, f"n{len(of) - 1}"


def _dask_run(loaded: Any) -> int:
    from dask.local import get_sync

    return int(get_sync(*loaded))


def _dask_threaded_run(loaded: Any) -> int:
    from dask import threaded

    return int(threaded.get(*loaded))


# -- Haystack --------------------------------------------------------------------------------------


def _haystack_load(of: Shape) -> Any:
    from haystack import Pipeline, component
    from haystack.core.component.types import Variadic

    class Base:
        def __init__(self, number: int) -> None:
            self.number = number

    @component
    class Source(Base):
        @component.output_types(value=int)
        def run(self, go: bool) -> dict[str, int]:
            return {"value": source(self.number)}

    @component
    class Add(Base):
        @component.output_types(value=int)
        def run(self, a: int) -> dict[str, int]:
            return {"value": add(self.number, a)}

    @component
    class Mix(Base):
        @component.output_types(value=int)
        def run(self, a: int, b: int) -> dict[str, int]:
            return {"value": mix(self.number, a, b)}

    @component
    class Total(Base):
        @component.output_types(value=int)
        def run(self, a: Any) -> dict[str, int]:
            return {"value": total(self.number, *a)}

    # An annotation that the import of this file can't have.
    Total.run.__annotations__["a"] = Variadic[int]
    classes: dict[Any, Any] = {source: Source, add: Add, mix: Mix, total: component(Total)}
    pipeline = Pipeline(max_runs_per_component=1_000_000)
    for node, parents in enumerate(of.parents):
        work = of.work(node)
        pipeline.add_component(f"n{node}", classes[work](node))
        for place, parent in enumerate(parents):
            pipeline.connect(f"n{parent}.value", f"n{node}.{'a' if work is total else 'ab'[place]}")
    return pipeline, f"n{len(of) - 1}"


def _haystack_run(loaded: Any) -> int:
    pipeline, last = loaded
    return int(pipeline.run({"n0": {"go": True}})[last]["value"])


# -- pydantic-graph --------------------------------------------------------------------------------


def _pydantic_graph_load(of: Shape) -> Any:
    from pydantic_graph import GraphBuilder, reduce_sum

    if of.name == "layers":
        raise NoFormError("no form for it")
    builder: Any = GraphBuilder(output_type=int)

    def step(node: int) -> Any:
        work = of.work(node)
        if work is source:

            async def call(context: Any) -> int:
                return source(node)

        else:

            async def call(context: Any) -> int:
                return work(node, context.inputs)

        return builder.step(call, node_id=f"n{node}")

    steps = [step(node) for node in range(len(of))]
    edges = [builder.edge_from(builder.start_node).to(steps[0])]
    if of.name == "chain":
        edges += [builder.edge_from(before).to(after) for before, after in pairwise(steps)]
    else:
        joined = builder.join(reduce_sum, initial=0)
        edges += [
            builder.edge_from(steps[0]).to(*steps[1:-1]),
            builder.edge_from(*steps[1:-1]).to(joined),
        ]
        edges.append(builder.edge_from(joined).to(steps[-1]))
    edges.append(builder.edge_from(steps[-1]).to(builder.end_node))
    builder.add(*edges)
    return builder.build()


def _pydantic_graph_run(graph: Any) -> int:
    import asyncio

    return int(asyncio.run(graph.run()))


RIVALS: Final = {
    "plain loop": Rival(_loop_load, _loop_run),
    "graphlib": Rival(_graphlib_load, _graphlib_run),
    "Hamilton": Rival(_hamilton_load, _hamilton_run, "sf-hamilton", "hamilton"),
    "dask, synchronous": Rival(_dask_load, _dask_run, "dask", "dask"),
    "dask, threaded": Rival(_dask_load, _dask_threaded_run, "dask", "dask"),
    "Haystack": Rival(_haystack_load, _haystack_run, "haystack-ai", "haystack"),
    "pydantic-graph": Rival(
        _pydantic_graph_load, _pydantic_graph_run, "pydantic-graph", "pydantic_graph"
    ),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """
    Return medians for one graph, in seconds per node.

    They are of the clock, and of computing in all threads together.
    """

    load: float
    run: float
    cpu: float
    seconds: float
    """What load and one run took together."""


def measure(rival: Rival, name: str, size: int, repeats: int, time_limit: float) -> Measured:
    """
    Load once, run as often as `time_limit` seconds allow, at least once.

    Raises whatever the other engine raises.
    """
    graph = shape(name, size)
    expected = graph.result()
    gc.collect()
    begun = time.perf_counter()
    loaded = rival.load(graph)
    load = time.perf_counter() - begun
    walls: list[float] = []
    spent: list[float] = []
    while not walls or (len(walls) < repeats and time.perf_counter() - begun < time_limit):
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        found = rival.run(loaded)
        walls.append(time.perf_counter() - wall)
        spent.append(time.process_time() - cpu)
        if found != expected:
            raise AssertionError(f"gave {found}, not {expected}")
    run = statistics.median(walls)
    return Measured(load / size, run / size, statistics.median(spent) / size, load + run)


def warm_up(rival: Rival, name: str) -> None:
    """Import what is imported at first use."""
    graph = shape(name, 5)
    rival.run(rival.load(graph))
