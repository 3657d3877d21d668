"""
What is served: the workflows of a folder, by name, and models, by id.

A workflow's name is its path below the folder without the suffix. A model is served as a workflow
of one node, whose properties are the parameters; so everything above this file knows workflows
alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from nodetool_core.errors import NodetoolError, Problem, near_miss
from nodetool_core.graph import Graph
from nodetool_core.models.sources.allowlist import ModelAllowlist
from nodetool_core.references import ImageRef, ModelRef
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.parameters import (
    Input,
    declared_inputs,
    exposed_inputs,
    generating_node,
    model_inputs,
)
from nodetool_core.subworkflow import expand
from nodetool_core.types import union_members
from nodetool_core.validation import build_graph
from nodetool_core.values import leaves
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

_log = logging.getLogger(__name__)

Task = Literal["image-to-image", "text-to-image"]

MODEL_NODES: Final[Mapping[Task, str]] = {
    "image-to-image": "huggingface.image_to_image.ImageToImage",
    "text-to-image": "huggingface.text_to_image.TextToImage",
}
"""
The node that a model id stands for, by task; a task whose node is not installed is not served.
"""


@dataclass(frozen=True)
class ServedWorkflow:
    """One workflow, ready to be run with a client's values."""

    name: str
    graph: Graph
    document: WorkflowDocument
    base: Path
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Any]
    """Output name to the type of its value, as an annotation."""
    model: str = ""
    """The id of the model that is served; empty for a workflow."""
    confined: bool = False
    """Whether it may read no file of this machine: a client's own workflow."""

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
        takes_images = any(given.is_image for given in self.inputs.values())
        return "text-to-image" if self.prompt_input and not takes_images else None

    @property
    def models(self) -> list[ModelRef]:
        """The models that are named in it."""
        found = leaves([node.values for node in self.graph.nodes], ModelRef)
        return [ref for ref in found if not ref.is_empty()]


class Catalog:
    """Everything that is served."""

    def __init__(
        self, registry: Registry, folder: Path | None, models: tuple[str, ...] = ()
    ) -> None:
        self._registry = registry
        self.problems: dict[str, tuple[Problem, ...]] = {}
        """Files that could not be read, by name, and why."""
        self.workflows: dict[str, ServedWorkflow] = {}
        self.models: dict[str, dict[Task | None, ServedWorkflow]] = {}
        for path in _files(folder):
            assert folder is not None
            self._add_file(path.relative_to(folder).with_suffix("").as_posix(), path)
        for model in models:
            self.models[model] = self._served_model(model)
        self._folders = {_without_dots(model): model for model in reversed(models)}
        """The models by what clients and proxies leave of a path in an address."""
        self.listed = ModelAllowlist([*models, *registry.weights()])
        """The models that may be used at all."""
        for ref in (ref for one in self.workflows.values() for ref in one.models):
            self.listed.add(ref)

    def __iter__(self) -> Iterator[ServedWorkflow]:
        yield from self.workflows.values()

    def workflow(self, name: str) -> ServedWorkflow:
        """
        Return the workflow of that name, or a model as `id` (image-to-image where it does both).

        Raises HttpError 404.
        """
        found = self.tasks(name)
        return next(iter(found.values()))

    def tasks(self, name: str) -> dict[Task | None, ServedWorkflow]:
        """
        Return what a name stands for, by task: one workflow, or what a model does.

        Raises HttpError 404.
        """
        if name in self.workflows:
            served = self.workflows[name]
            return {served.task: served}
        model = name if name in self.models else self._folders.get(_without_dots(name), "")
        if self.models.get(model):
            return dict(self.models[model])
        hint = (
            near_miss(name, [*self.workflows, *self.models])
            or "GET /v1/workflows lists what is served."
        )
        raise HttpError(
            404, Problem("unknown_workflow", "", f"Nothing is served as {name[:200]!r}.", hint)
        )

    def _add_file(self, name: str, path: Path) -> None:
        try:
            document = WorkflowDocument.load(path)
            graph = build_graph(
                expand(document, self._registry, path.absolute().parent, (str(path.resolve()),)),
                self._registry,
            )
        except NodetoolError as error:
            self.problems[name] = error.problems
            _log.warning("The workflow %s is not served: %s", name, error)
            return
        self.workflows[name] = served_workflow(name, document, graph, path.absolute().parent)

    def _served_model(self, model: str) -> dict[Task | None, ServedWorkflow]:
        found: dict[Task | None, ServedWorkflow] = {}
        for task, node_type in MODEL_NODES.items():
            if self._registry.get(node_type) is not None:
                found[task] = self._model_workflow(model, node_type)
        return found

    def _model_workflow(self, model: str, node_type: str) -> ServedWorkflow:
        nodes = [
            NodeRecord(id="image", type="nodetool.input.ImageInput", data={"name": "image"}),
            NodeRecord(id="step", type=node_type, data={"model": {"repo_id": model}}),
            NodeRecord(id="result", type="nodetool.output.Output", data={"name": "image"}),
        ]
        edges = [EdgeRecord(source="step", target="result", targetHandle="value")]
        node_class = self._registry.get(node_type)
        assert node_class is not None
        if "image" in node_class.spec.properties:
            edges.append(EdgeRecord(source="image", target="step", targetHandle="image"))
        else:
            del nodes[0]
        document = WorkflowDocument(name=model, graph=GraphRecord(nodes=nodes, edges=edges))
        graph = build_graph(document, self._registry)
        step = next(node for node in graph.nodes if node.id == "step")
        inputs = declared_inputs(graph) | model_inputs(step)
        return ServedWorkflow(
            model, graph, document, Path.cwd(), inputs, _outputs(graph), model=model
        )


def served_workflow(
    name: str, document: WorkflowDocument, graph: Graph, base: Path
) -> ServedWorkflow:
    """Return a workflow that was read, as it is served."""
    return ServedWorkflow(
        name, graph, document, base, exposed_inputs(graph) | declared_inputs(graph), _outputs(graph)
    )


def _without_dots(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _files(folder: Path | None) -> list[Path]:
    return (
        [] if folder is None else sorted(path for path in folder.rglob("*.json") if path.is_file())
    )


def _outputs(graph: Graph) -> dict[str, Any]:
    """Each output's type: that of what feeds it."""
    found: dict[str, Any] = {}
    for name, node in graph.outputs().items():
        edge = next((edge for edge in node.inputs if edge.property == "value"), None)
        source = None if edge is None else graph.nodes[edge.source]
        found[name] = (
            Any
            if edge is None or source is None
            else list(source.spec.outputs.values())[edge.output].annotation
        )
    return found


__all__ = ["Catalog", "ServedWorkflow", "Task"]
