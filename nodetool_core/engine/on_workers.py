"""
A part of a workflow that runs elsewhere, for one item of a loop: as a job on a worker.

What all items share is sent once; of each item, what is its own. Images and files go through the
storage of the jobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nodetool_core.context import Context
from nodetool_core.engine.failures import ElsewhereError
from nodetool_core.engine.mapping import Begin, Executor
from nodetool_core.engine.result import RunError, RunResult
from nodetool_core.engine.steps import NodeStep, Step
from nodetool_core.errors import NodetoolError
from nodetool_core.graph import Edge, Graph, GraphNode, Port
from nodetool_core.node_base import SKIPPED, Lane, Node
from nodetool_core.own_types import JsonValue
from nodetool_core.properties import MISSING, Property, jsonable
from nodetool_core.references import AssetRef, ImageRef
from nodetool_core.registry import Registry
from nodetool_core.types import Annotation
from nodetool_core.values import PLAIN_TYPES, leaves, map_leaves
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument

_ELSEWHERE: Final = "given"
"""Stands in a document for the name of a file whose content each job is given."""

Value = Any
"""What is of whatever type comes along an edge."""


class OnWorkers(Node):
    """Runs a part of a workflow as a job, and waits for what comes of it."""

    lane = Lane.NETWORK
    dynamic = True

    part: Value = None

    async def process(self, context: Context) -> Value:
        part: Part = self.part
        seeds = {name: value for name, value in vars(self).items() if "." in name}
        return await part.run(self.dynamic_values | seeds, context)


class OfPart(Node):
    """Takes one of the values of a part."""

    lane = Lane.INLINE

    values: Value
    number: int = 0

    def process(self) -> Value:
        return self.values[self.number]


class OfBranchingPart(OfPart):
    """Takes a value that is left out where a branch is not taken."""

    branches = True


@dataclass
class _PartWorkflow:
    """A part as an executor takes it."""

    graph: Graph
    base: Path
    document: WorkflowDocument

    def portable_document(self) -> WorkflowDocument:
        return self.document


@dataclass(frozen=True)
class Place:
    """Where parts of a run go, and where what they did is noted."""

    executor: Executor
    base: Path
    """The folder that relative paths start from."""
    result: RunResult


class Part(JsonValue):
    """The nodes of one loop that run elsewhere, in one run."""

    def __init__(
        self,
        nodes: Sequence[GraphNode],
        wanted: Sequence[tuple[int, int]],
        shared: frozenset[str],
        place: Place,
        key: str,
    ) -> None:
        """
        Make a part.

        Args:
            nodes: In topological order; edges from outside of the part left out.
            wanted: Outputs that are taken from outside: position of the node, number of the output.
            shared: Properties that have the same value for all items, as `node.property`.
            key: What its results are made of besides what it is given.
        """
        self.at_once = place.executor.concurrency
        self._nodes = nodes
        self._place = place
        self._shared = shared
        self._key = key
        self._wanted = [
            (str(number), list(nodes[position].spec.outputs.values())[output].annotation)
            for number, (position, output) in enumerate(wanted)
        ]
        self._outputs = wanted
        self._begin: tuple[Mapping[str, object], asyncio.Task[Begin]] | None = None

    def to_json(self) -> str:
        return self._key

    @classmethod
    def from_json(cls, form: object) -> Part:
        raise ValueError("A part of a workflow has no form in files.")

    async def run(self, given: Mapping[str, object], context: Context) -> tuple[object, ...]:
        """Return the wanted values for an item. Raises what a run of the part would."""
        begin = await self._starter(given)
        own = {name: value for name, value in given.items() if name not in self._shared}
        run = await asyncio.to_thread(begin, own)
        try:
            result = await asyncio.wrap_future(run.future)
        except asyncio.CancelledError:
            run.cancel()
            raise
        except RunError as error:
            raise ElsewhereError(error.failures[0]) from None
        self._note(result, context)
        return tuple([self._value(result, name, kind) for name, kind in self._wanted])

    async def _starter(self, given: Mapping[str, object]) -> Begin:
        """Return what begins a job, with what all items share sent along once."""
        shared = {name: given[name] for name in self._shared if name in given}
        if self._begin is None or not _is_same(self._begin[0], shared):
            made = asyncio.create_task(asyncio.to_thread(self._make, dict(given), shared))
            self._begin = shared, made
        return await asyncio.shield(self._begin[1])

    def _make(self, given: Mapping[str, object], shared: Mapping[str, object]) -> Begin:
        nodes = [
            GraphNode(
                node.id,
                node.node_class,
                node.values
                | {
                    name: given[f"{node.id}.{name}"]
                    for name in node.spec.properties
                    if f"{node.id}.{name}" in given
                },
                node.dynamic,
                node.inputs,
                position,
            )
            for position, node in enumerate(self._nodes)
        ]
        graph = Graph([*nodes, *self._output_nodes()])
        return self._place.executor.starter(
            _PartWorkflow(graph, self._place.base, _document(graph))
        )

    def _output_nodes(self) -> list[GraphNode]:
        output = Registry.installed().output_node()
        assert output is not None, "the built-in pack has one"
        return [
            GraphNode(
                f"output {number}",
                output,
                {"name": str(number)},
                inputs=[Edge(position, Port(source, "value", is_dynamic=False, checked=True))],
            )
            for number, (position, source) in enumerate(self._outputs)
        ]

    def _value(self, result: RunResult, name: str, annotation: Annotation) -> object:
        if name not in result.outputs:
            return SKIPPED
        prop = Property(name, annotation, MISSING, "", {})
        value, problems = prop.validate(result.outputs[name], f"output {name}")
        if problems:
            raise NodetoolError(*problems)
        return value

    def _note(self, result: RunResult, context: Context) -> None:
        own = self._place.result
        own.ran.extend(name for name in result.ran if not name.startswith("output "))
        own.hits.extend(result.hits)
        own.models.update(result.models)
        for warning in result.warnings:
            context.warn(warning.message)


def jobs_at_once(step: Step) -> int:
    """Return how many items of a loop a step can have under way elsewhere; 0 for any other step."""
    part = step.node.values.get("part") if isinstance(step, NodeStep) else None
    return part.at_once if isinstance(part, Part) else 0


def _is_same(before: object, now: object) -> bool:
    """Return whether two values hold the same objects, or equal plain ones."""
    one, other = list(leaves(before, object)), list(leaves(now, object))
    return len(one) == len(other) and all(
        a is b or (type(a) is type(b) and type(a) in PLAIN_TYPES and a == b)
        for a, b in zip(one, other, strict=True)
    )


def _document(graph: Graph) -> WorkflowDocument:
    """Return a graph as a document; what is in files is given to each job."""
    nodes = [
        NodeRecord(
            id=node.id,
            type=node.spec.node_type,
            data={
                name: jsonable(map_leaves(value, _named))
                for name, value in node.values.items()
                if not node.spec.properties[name].is_default(value)
            },
        )
        for node in graph.nodes
    ]
    edges = [
        EdgeRecord(
            source=source.id,
            sourceHandle=list(source.spec.outputs)[edge.output],
            target=node.id,
            targetHandle=edge.property,
        )
        for node in graph.nodes
        for edge in node.inputs
        for source in [graph.nodes[edge.source]]
    ]
    return WorkflowDocument(graph=GraphRecord(nodes=nodes, edges=edges))


def _named(value: object) -> object:
    """Return a reference that stands for one whose content is given to each job."""
    if not isinstance(value, AssetRef) or value.is_empty():
        return value
    kind = ImageRef if isinstance(value, ImageRef) else type(value)
    return kind(uri=_ELSEWHERE)
