"""
A document before it runs: its mistakes, and for each node whether its result is known.

A document with mistakes is still looked at: nodes that are wrong, and what they feed, are left out,
and the rest is reported as if it stood alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from nodetool_core.bypass import pass_by
from nodetool_core.editor.answers import CheckAnswer, Fix, NodeCheck, PlacedProblem
from nodetool_core.editor.states import NodeStates
from nodetool_core.engine.forecast import NodeForecast, Outlook
from nodetool_core.errors import NodetoolError, Problem, WorkflowError
from nodetool_core.graph import Graph, GraphNode
from nodetool_core.inputs import check_given
from nodetool_core.node_base import Role
from nodetool_core.subworkflow import expand
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine

_NODE: Final = re.compile(r"nodes\[(\d+)\](?:\.(?:data|dynamic_properties))?(?:\.([^.\[ ]+))?")
_EDGE: Final = re.compile(r"edges\[(\d+)\]")
_FIXED: Final[dict[str, Literal["value", "property", "type"]]] = {
    "unknown_property": "property",
    "unknown_type": "type",
}
"""What a near miss is to take the place of, by the code of the mistake; else a value."""
_NEAR_MISS: Final = re.compile(r"Did you mean '([^']+)'\?")


@dataclass
class Check:
    """What is known of a document."""

    problems: list[PlacedProblem] = field(default_factory=list)
    notes: list[PlacedProblem] = field(default_factory=list)
    nodes: dict[str, NodeCheck] = field(default_factory=dict)
    passing: set[str] = field(default_factory=set)
    """Ids of those that only pass on what they are given: a run does not count them."""

    def answer(self) -> CheckAnswer:
        states = [node.state for name, node in self.nodes.items() if name not in self.passing]
        return CheckAnswer(
            problems=self.problems,
            notes=self.notes,
            nodes=self.nodes,
            will_run=sum(state in (Outlook.MISSING, Outlook.VOLATILE) for state in states),
            total=sum(state not in ("broken", Outlook.UNNEEDED) for state in states),
        )


def check_document(
    engine: Engine,
    document: WorkflowDocument,
    *,
    base: Path,
    inside: tuple[str, ...] = (),
    targets: Sequence[str] | None = None,
) -> Check:
    """
    Return what a run of a document would do, and every mistake in it. Blocks while files are read.

    Args:
        base: The folder that relative paths start from.
        inside: The file of the document, for one that contains itself.
        targets: Ids of the nodes that are wanted; all outputs unless given.
    """
    found = Check()
    broken: dict[str, str] = {}
    graph = _graph(engine, document, base, inside, found, broken)
    forecasts: Mapping[str, NodeForecast] = {}
    if graph is not None:
        known = {node.id for node in graph.nodes}
        wanted = None if targets is None else [name for name in targets if name in known]
        try:
            forecasts = engine.forecast(graph, outputs=wanted, base=base)
            check_given([node for node in graph.of_role(Role.INPUT) if _is_wanted(node, forecasts)])
        except NodetoolError as error:
            found.problems += [_shown(problem, document) for problem in error.problems]
        found.notes = [_shown(problem, document) for problem in graph.notes]
    roles = {} if graph is None else {node.id: node.role for node in graph.nodes}
    states = NodeStates(forecasts, roles, pass_by(document, engine.registry).graph.edges)
    for record in document.graph.nodes:
        name = record.id
        if name in broken:
            found.nodes[name] = NodeCheck(key=None, state="broken", reason=broken[name])
            continue
        found.nodes[name] = states.of(name)
        if name in forecasts and roles.get(name) in (Role.INPUT, Role.OUTPUT):
            found.passing.add(name)
    return found


def _graph(
    engine: Engine,
    document: WorkflowDocument,
    base: Path,
    inside: tuple[str, ...],
    found: Check,
    broken: dict[str, str],
) -> Graph | None:
    """Return the graph of what is right in a document, and note what is not."""
    rest = document
    while True:
        expanded = rest
        try:
            expanded = expand(rest, engine.registry, base, inside)
            return build_graph(expanded, engine.registry)
        except WorkflowError as error:
            problems = [_outside(problem, expanded, rest) for problem in error.problems]
            wrong = _wrong_nodes(problems, rest)
            if rest is document:
                found.problems = [_shown(problem, document) for problem in problems]
            new = wrong.keys() - broken.keys()
            if not new:
                return None
            broken |= {name: wrong[name] for name in new}
            rest = _without(document, broken)


def _outside(problem: Problem, expanded: WorkflowDocument, document: WorkflowDocument) -> Problem:
    """Return a problem with its place in a document, not in what its workflow nodes stand for."""
    if expanded is document:
        return problem
    inner, outer = expanded.graph, document.graph
    if match := _NODE.match(problem.where):
        name = inner.nodes[int(match[1])].id
        own = next((at for at, one in enumerate(outer.nodes) if one.id == name), None)
        if own is not None:
            return replace(problem, where=f"nodes[{own}]{problem.where[match.end(1) + 1 :]}")
        around = name.partition("/")[0]
        own = next((at for at, one in enumerate(outer.nodes) if one.id == around), None)
        return problem if own is None else replace(problem, where=f"nodes[{own}]")
    if match := _EDGE.match(problem.where):
        target = inner.edges[int(match[1])].target.partition("/")[0]
        own = next((at for at, one in enumerate(outer.nodes) if one.id == target), None)
        return problem if own is None else replace(problem, where=f"nodes[{own}]")
    return problem


def _is_wanted(node: GraphNode, forecasts: Mapping[str, NodeForecast]) -> bool:
    own = forecasts.get(node.id)
    return own is not None and own.outlook is not Outlook.UNNEEDED


def _wrong_nodes(problems: Iterable[Problem], document: WorkflowDocument) -> dict[str, str]:
    """Return the ids of the nodes that problems are about, with the first message of each."""
    nodes, edges = document.graph.nodes, document.graph.edges
    wrong: dict[str, str] = {}
    for problem in problems:
        if (match := _NODE.match(problem.where)) and int(match[1]) < len(nodes):
            wrong.setdefault(nodes[int(match[1])].id, problem.message)
        elif (match := _EDGE.match(problem.where)) and int(match[1]) < len(edges):
            wrong.setdefault(edges[int(match[1])].target, problem.message)
    return wrong


def _without(document: WorkflowDocument, broken: dict[str, str]) -> WorkflowDocument:
    """Return a document without broken nodes and what they feed, which are noted as well."""
    pending = list(broken)
    takers: dict[str, list[str]] = {}
    for edge in document.graph.edges:
        takers.setdefault(edge.source, []).append(edge.target)
    while pending:
        source = pending.pop()
        for taker in takers.get(source, ()):
            if taker not in broken:
                broken[taker] = f"It needs {source}, which is wrong."
                pending.append(taker)
    graph = document.graph.model_copy(
        update={
            "nodes": [node for node in document.graph.nodes if node.id not in broken],
            "edges": [
                edge
                for edge in document.graph.edges
                if edge.source not in broken and edge.target not in broken
            ],
        }
    )
    return document.model_copy(update={"graph": graph})


def _shown(problem: Problem, document: WorkflowDocument) -> PlacedProblem:
    """Return a problem with the node, property or edge that it is about."""
    shown = PlacedProblem.model_validate(problem.to_json())
    nodes = document.graph.nodes
    if (match := _NODE.match(problem.where)) and int(match[1]) < len(nodes):
        shown.node = nodes[int(match[1])].id
        if match[2] and match[2] not in ("type", "id"):
            shown.property = match[2]
    elif match := _EDGE.match(problem.where):
        shown.edge = int(match[1])
    if near := _NEAR_MISS.search(problem.hint):
        of = _FIXED.get(problem.code, "value")
        shown.fix = Fix(value=near[1], text=near[1], of=of)
    return shown
