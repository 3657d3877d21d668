"""
Our engine on graphs of trivial nodes: load, validate, plan.

Run with cache, type checks and a listener; run again.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from engine_graphs import Shape, add, mix, shape, source, total

from nodetool_core import Lane, Node, Registry, Role
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, RunFinished
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.result import RunResult
from nodetool_core.graph import Graph
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument


class Source(Node):
    """Gives a number."""

    lane = Lane.INLINE

    number: int

    def process(self) -> int:
        return source(self.number)


class Add(Node):
    """Takes one number."""

    lane = Lane.INLINE

    number: int
    a: int

    def process(self) -> int:
        return add(self.number, self.a)


class Mix(Node):
    """Takes two numbers."""

    lane = Lane.INLINE

    number: int
    a: int
    b: int

    def process(self) -> int:
        return mix(self.number, self.a, self.b)


class Total(Node):
    """Takes any number of numbers."""

    lane = Lane.INLINE
    dynamic = True

    number: int

    def process(self) -> int:
        return total(self.number, *self.dynamic_values.values())


class FreshTotal(Total):
    """The same, never from the cache."""

    cacheable = False

    def process(self) -> int:
        return total(self.number, *self.dynamic_values.values())


class Given(Node):
    """The workflow's input."""

    lane = Lane.INLINE
    role = Role.INPUT

    name: str = "number"
    value: int = 0

    def process(self) -> int:
        return source(self.value)


class Output(Node):
    """The workflow's output."""

    lane = Lane.INLINE
    role = Role.OUTPUT

    name: str = "result"
    value: Any

    def process(self) -> Any:
        return self.value


class Result(Output):
    """
    The same, which notes how much the thread of the run has computed until here.

    That is nearly the run's end. What it notes makes another version of its code in each run, whose
    plan is made anew.
    """

    def process(self) -> Any:
        _spent.append(time.thread_time())
        return self.value


_spent: list[float] = []

NODES = (Source, Add, Mix, Total, FreshTotal, Given, Output, Result)
_INPUTS: dict[Any, tuple[type[Node], tuple[str, ...]]] = {
    source: (Source, ()),
    add: (Add, ("a",)),
    mix: (Mix, ("a", "b")),
}


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds by the clock, and of computing by the thread that did it."""

    wall: float
    cpu: float

    def per(self, count: int) -> Took:
        """Return the share of one of `count` nodes."""
        return Took(self.wall / count, self.cpu / count)


class Clock:
    """Measures what stands in its block."""

    def __enter__(self) -> Clock:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        return self

    def __exit__(self, *exception: object) -> None:
        self.took = Took(time.perf_counter() - self._wall, time.thread_time() - self._cpu)


class Counter:
    """A listener that counts events, and knows when the last one has come."""

    def __init__(self) -> None:
        self.count = 0
        self.finished = threading.Event()

    def __call__(self, event: Event) -> None:
        self.count += 1
        if isinstance(event, RunFinished):
            self.finished.set()


def document(
    of: Shape,
    last: type[Node] = Total,
    *,
    first: type[Node] = Source,
    output: type[Node] = Result,
) -> str:
    """
    Return the graph as a workflow file has it.

    Args:
        last: Class of the node that takes a whole layer.
        first: Class of the first node.
        output: Class of the workflow's output.
    """
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for node, parents in enumerate(of.parents):
        node_class, names = _INPUTS.get(
            of.work(node), (last, tuple(f"v{place}" for place in range(len(parents))))
        )
        if node == 0:
            node_class = first
        data = {} if node_class is Given else {"number": node}
        nodes.append({"id": f"n{node}", "type": node_class.spec.node_type, "data": data})
        edges += [
            {
                "source": f"n{parent}",
                "sourceHandle": "output",
                "target": f"n{node}",
                "targetHandle": name,
            }
            for parent, name in zip(parents, names, strict=True)
        ]
    nodes.append({"id": "result", "type": output.spec.node_type, "data": {}})
    edges.append(
        {
            "source": f"n{len(of) - 1}",
            "sourceHandle": "output",
            "target": "result",
            "targetHandle": "value",
        }
    )
    return json.dumps({"graph": {"nodes": nodes, "edges": edges}})


def build(text: str) -> Graph:
    """Return the validated graph of a workflow file."""
    return build_graph(WorkflowDocument.from_text(text), Registry(node_classes=NODES))


def load(text: str, engine: Engine) -> dict[str, Took]:
    """Return what it takes to come from a file's text to a plan, in steps and in all."""
    registry, options = Registry(node_classes=NODES), RunOptions()
    gc.collect()
    with Clock() as whole:
        with Clock() as reading:
            read = WorkflowDocument.from_text(text)
        with Clock() as validating:
            graph = build_graph(read, registry)
        with Clock() as planning:
            engine.plan(graph, options)
    return {
        "load": whole.took,
        "read": reading.took,
        "validate": validating.took,
        "plan": planning.took,
    }


def run(engine: Engine, graph: Graph) -> tuple[Took, RunResult]:
    """
    Measure one run with a listener.

    Inside the engine, without the plan and the start of the thread.
    """
    listener = Counter()
    _spent.clear()
    gc.collect()
    result = engine.start(graph, on_event=listener).result()
    # The listener is often behind: it must not take time from the next measurement.
    listener.finished.wait()
    return Took(result.seconds, max(_spent, default=0.0)), result


def measure(name: str, size: int, repeats: int) -> dict[str, list[Took]]:
    """
    Return all repetitions for one graph, per node.

    `run` is with an empty cache, `cached` again with the result of every node in it, so that the
    last one answers for all. In `hits` (a fan's) the last node is never cached, so that each of the
    others is looked up, found and told of.
    """
    of = shape(name, size)
    text, expected = document(of), of.result()
    found: dict[str, list[Took]] = {}
    with Engine() as engine:
        # The first plan hashes the source of the node classes, once per process.
        engine.plan(build(document(shape(name, 5))), RunOptions())
        for _ in range(repeats):
            for step, took in load(text, engine).items():
                found.setdefault(step, []).append(took.per(size))
    graph = build(text)
    fresh = build(document(of, FreshTotal)) if name == "fan" else None
    for _ in range(repeats):
        with Engine() as engine:
            rows = [("run", graph, size + 1), ("cached", graph, 1)]
            if fresh is not None:
                rows += [("", fresh, 2), ("hits", fresh, 2)]
            for row, asked, computed in rows:
                took, result = run(engine, asked)
                if result["result"] != expected or len(result.ran) != computed:
                    raise AssertionError(
                        f"{name} of {size}, {row}: {result['result']} with {len(result.ran)} nodes"
                        " computed."
                    )
                if row:
                    found.setdefault(row, []).append(took.per(size))
    return found


__all__ = ["NODES", "Clock", "Counter", "Took", "build", "document", "load", "measure", "run"]
