"""
A workflow as a node class: its inputs are the properties, its outputs are the outputs.

A file names the pack's node for workflows (`Pack.workflow`) in the place of such a class, with the
workflow written inside of it, so that it is read like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from nodetool_core.declaration import Output
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.graph import Graph, GraphNode, is_missing_asset
from nodetool_core.node_base import Node
from nodetool_core.properties import MISSING, Property
from nodetool_core.registry import Registry
from nodetool_core.types import Annotation
from nodetool_core.workflow import WorkflowDocument

_ATTRIBUTE: Final = "__reused__"


@dataclass(frozen=True)
class Reused:
    """What a class that was made of a workflow stands for."""

    recorded_class: type[Node]
    """The class that a file names."""
    values: Mapping[str, object]
    """Values of its properties besides those that are given."""
    registry: Registry
    """Where the workflow's own nodes are found."""


def reused(node_class: type[Node]) -> Reused | None:
    """Return what a class stands for that was made of a workflow; None for any other class."""
    found = getattr(node_class, _ATTRIBUTE, None)
    return found if isinstance(found, Reused) else None


def workflow_class(
    name: str, document: WorkflowDocument, graph: Graph, registry: Registry
) -> type[Node]:
    """
    Return a node class of a workflow.

    Args:
        name: Name of the class.
        document: The workflow, with relative paths as the caller's folder has them.
        graph: What the document means.
        registry: Where its nodes are found.

    Raises WorkflowError where no installed pack has a node for workflows, or an input is called as
    that node's own properties are; DeclarationError for names that no property may have.
    """
    base = registry.workflow_node() or Registry.installed().workflow_node()
    if base is None:
        message = "a workflow as a node needs a node for workflows, and no installed pack has one."
        raise WorkflowError(Problem("unknown_type", name, message, "Install the built-in pack."))
    inputs = graph.inputs()
    if taken := inputs.keys() & base.spec.properties.keys():
        message = f"the input {min(taken)!r} is called like a property of {base.spec.title}."
        raise WorkflowError(Problem("invalid_value", name, message, "Rename the input."))
    properties = {given: _property(given, node) for given, node in inputs.items()}
    content: dict[str, object] = {
        "__doc__": document.description or document.name,
        "__annotations__": {given: prop.annotation for given, prop in properties.items()},
        "dynamic": False,
        "run": _run,
        **{given: prop.default for given, prop in properties.items() if not prop.required},
    }
    made: type[Node] = type(name, (base,), content)
    made.spec = replace(
        made.spec,
        node_type=base.spec.node_type,
        properties=properties,
        outputs={given: _output(given, node, graph) for given, node in graph.outputs().items()},
    )
    setattr(made, _ATTRIBUTE, Reused(base, {"workflow_json": document.to_json()}, registry))
    return made


def _run(self: Node) -> object:
    """Run the workflow, and return its output; of several, a mapping by name."""
    # The public face, which lies above: only here does a node know of what runs it.
    from nodetool_core import Workflow

    output = Registry.installed().output_node()
    assert output is not None, "a pack with a node for workflows has one for outputs"
    return Workflow(*(output(name=name, value=self[name]) for name in self.spec.outputs))()


def _property(name: str, node: GraphNode) -> Property:
    """Return the property that an input of a workflow is; required where it has no value."""
    taken = node.spec.properties["value"]
    value = node.values.get("value", MISSING)
    if value is not MISSING and is_missing_asset(taken, value):
        value = MISSING
    return Property(
        name,
        taken.annotation,
        value,
        str(node.values.get("description") or taken.description),
        taken.bounds,
        taken.max_length,
        place=taken.place,
    )


def _output(name: str, node: GraphNode, graph: Graph) -> Output:
    """Return the output that an output of a workflow is, with the type of what feeds it."""
    annotation: Annotation = node.spec.properties["value"].annotation
    for edge in node.inputs:
        if edge.property == "value":
            annotation = list(graph.nodes[edge.source].spec.outputs.values())[
                edge.output
            ].annotation
    return Output(name, annotation, str(node.values.get("description") or ""))
