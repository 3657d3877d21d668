"""A workflow as it is served: what clients may set of it, and what it can be used for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from nodetool_core.graph import Graph
from nodetool_core.references import ImageRef, ModelRef
from nodetool_core.server.parameters import (
    Input,
    declared_inputs,
    exposed_inputs,
    generating_node,
)
from nodetool_core.types import union_members
from nodetool_core.values import leaves
from nodetool_core.workflow import WorkflowDocument

Task = Literal["image-to-image", "text-to-image"]

TASKS: Final[tuple[Task, ...]] = get_args(Task)


@dataclass(frozen=True)
class ServedWorkflow:
    """One workflow, ready to be run with a client's values."""

    name: str
    graph: Graph
    document: WorkflowDocument
    base: Path
    inputs: Mapping[str, Input]
    outputs: Mapping[str, object]
    """Output name to the type of its value, as an annotation."""
    model: str = ""
    """The id of the model that is served; empty for a workflow."""
    confined: bool = False
    """Whether it may read no file of this machine: a client's own workflow."""
    modified: float = 0.0
    """When its file was changed last, Unix time in seconds; 0 for what has none."""

    @property
    def shown(self) -> str:
        """What messages call it; a workflow that a client sends may have no name."""
        return self.name or "The workflow"

    @property
    def image_outputs(self) -> list[str]:
        return [
            name
            for name, annotation in self.outputs.items()
            if ImageRef in union_members(annotation)
        ]

    @property
    def image_input(self) -> str | None:
        """
        The one input that takes an image and can't do without; None where there is none or several.
        """
        names = [name for name, given in self.inputs.items() if given.prop.annotation is ImageRef]
        return names[0] if len(names) == 1 else None

    @property
    def prompt_input(self) -> str | None:
        """
        The input that takes the text of text-to-image: the one named `prompt`, else the only text.
        """
        texts = {name: given for name, given in self.inputs.items() if given.is_text}
        declared = [name for name, given in texts.items() if not given.is_exposed]
        return "prompt" if "prompt" in texts else declared[0] if len(declared) == 1 else None

    @property
    def follows_image(self) -> bool:
        """
        Whether the result is as large as the image that is given.

        The one generating node takes that, and no size.
        """
        node, name = generating_node(self.graph), self.image_input
        if node is None or name is None or {"width", "height"} & node.spec.properties.keys():
            return False
        given = self.graph.inputs().get(self.inputs[name].given)
        return any(
            edge.property == "image" and self.graph.nodes[edge.source] is given
            for edge in node.inputs
        )

    @property
    def task(self) -> Task | None:
        """What the Hugging Face API can use it for, if anything."""
        if len(self.image_outputs) != 1:
            return None
        if self.image_input:
            return "image-to-image"
        takes_images = any(
            given.is_image and not given.is_exposed for given in self.inputs.values()
        )
        return "text-to-image" if self.prompt_input and not takes_images else None

    @property
    def models(self) -> list[ModelRef]:
        """The models that are named in it."""
        found = leaves([node.values for node in self.graph.nodes], ModelRef)
        return [ref for ref in found if not ref.is_empty()]


def served_workflow(
    name: str, document: WorkflowDocument, graph: Graph, base: Path, modified: float = 0.0
) -> ServedWorkflow:
    """Return a workflow that was read, as it is served."""
    return ServedWorkflow(
        name,
        graph,
        document,
        base,
        exposed_inputs(graph) | declared_inputs(graph),
        outputs_of(graph),
        modified=modified,
    )


def outputs_of(graph: Graph) -> dict[str, object]:
    """Return each output's type: that of what feeds it."""
    found: dict[str, object] = {}
    for name, node in graph.outputs().items():
        edge = next((edge for edge in node.inputs if edge.property == "value"), None)
        source = None if edge is None else graph.nodes[edge.source]
        found[name] = (
            Any
            if edge is None or source is None
            else list(source.spec.outputs.values())[edge.output].annotation
        )
    return found
