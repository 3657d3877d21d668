"""
Several images of one request as one job.

The workflow stands in it as many times as images are wanted.

Copy 1 is the workflow itself; ids and names of copy n end in `~n`. A fixed seed, and an input that
is one, counts up from copy to copy; a seed of -1 is drawn for each. What the copies have in common
is computed once: the result cache does not look at ids.
"""

from __future__ import annotations

from collections.abc import Mapping

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.node_base import Role
from nodetool_core.server.seeds import counted_up, fixed_seeds
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument


def fan_out_document(served: ServedWorkflow, count: int) -> WorkflowDocument:
    """Return the workflow `count` times in one document."""
    if count == 1:
        return served.document
    graph = served.document.graph
    kinds = {node.id: node for node in served.graph.nodes}
    seeds = fixed_seeds(served.graph)
    nodes, edges = [], []
    for number in range(1, count + 1):
        for record in graph.nodes:
            data = dict(record.data)
            known = kinds.get(record.id)
            if known is not None and number > 1:
                data |= {
                    name: value + number - 1 for name, value in seeds.get(known.id, {}).items()
                }
                if known.role in (Role.INPUT, Role.OUTPUT):
                    data["name"] = _named(known.name, number)
            changed = {"id": _named(record.id, number), "data": data}
            nodes.append(NodeRecord.model_validate({**record.model_dump(), **changed}))
        for edge in graph.edges:
            ends = {"source": _named(edge.source, number), "target": _named(edge.target, number)}
            edges.append(EdgeRecord.model_validate({**edge.model_dump(), **ends}))
    return WorkflowDocument(name=served.document.name, graph=GraphRecord(nodes=nodes, edges=edges))


def fan_out_inputs(served: ServedWorkflow, inputs: Mapping[str, Json], count: int) -> JsonObject:
    """
    Return the inputs for every copy; a seed that is given counts up.

    Args:
        inputs: By the names that `inputs.apply` takes.
    """
    found: JsonObject = {}
    for number in range(1, count + 1):
        counted = counted_up(served.graph, inputs, number - 1)
        for name in inputs:
            seed = counted[name]
            value = seed if isinstance(seed, int) else inputs[name]
            node, dot, prop = (
                ("", "", name) if name in served.graph.inputs() else name.rpartition(".")
            )
            copied = f"{_named(node, number)}.{prop}" if dot else _named(name, number)
            found[copied] = value
    return found


def fan_out_outputs(output: str, count: int) -> list[str]:
    """Return the names of one output in every copy."""
    return [_named(output, number) for number in range(1, count + 1)]


def _named(name: str, number: int) -> str:
    return name if number == 1 else f"{name}~{number}"
