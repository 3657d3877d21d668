"""
What is served: the workflows of a folder, by name, and models, by id.

A workflow's name is its path below the folder without the suffix. A model is served as a workflow of one node, whose
properties are the parameters; so everything above this file knows workflows alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from nodetool_core import graph as graphs
from nodetool_core.errors import NodetoolError, Problem, near_miss
from nodetool_core.graph import Graph, GraphNode
from nodetool_core.models.listed import ListedModels
from nodetool_core.properties import Property
from nodetool_core.references import AssetRef, FolderRef, ImageRef, ModelRef
from nodetool_core.server.failures import HttpError
from nodetool_core.subworkflow import expand
from nodetool_core.types import union_members
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

_log = logging.getLogger(__name__)

Task = Literal["image-to-image", "text-to-image"]

MODEL_NODES: Final[Mapping[Task, str]] = {
    "image-to-image": "huggingface.image_to_image.ImageToImage",
    "text-to-image": "huggingface.text_to_image.TextToImage",
}
"""The node that a model id stands for, by task; a task whose node is not installed is not served."""

NOT_FOR_CLIENTS: Final = ("num_images",)
"""Properties of those nodes that clients can't set: an answer holds one picture."""

PATH_INPUTS: Final = frozenset({"nodetool.input.FilePathInput", "nodetool.input.FolderPathInput"})
"""Inputs whose text names a place on this machine: clients can't set them."""

PLACES: Final = frozenset(
    {"path", "folder", "file", "filename", "file_path", "folder_path", "directory", "url", "uri", "base_url", "endpoint", "endpoint_url"}
)
"""Names of properties that say where a node reads, writes or asks: no input that leads to a text of that name can be set by clients."""


@dataclass(frozen=True)
class Input:
    """A value that a client can set."""

    name: str
    given: str
    """How `inputs.apply` calls it."""
    prop: Property
    default: Any
    """The value where none is given; `properties.MISSING` where one must be."""
    description: str
    bounds: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schema keys that the input node adds, such as `maximum`."""

    @property
    def is_image(self) -> bool:
        return ImageRef in union_members(self.prop.annotation)

    @property
    def is_text(self) -> bool:
        return self.prop.annotation is str


@dataclass(frozen=True)
class Served:
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
    def image_outputs(self) -> list[str]:
        return [name for name, annotation in self.outputs.items() if ImageRef in union_members(annotation)]

    @property
    def picture_input(self) -> str | None:
        """The one input that takes a picture and can't do without; None where there is none or several."""
        names = [name for name, given in self.inputs.items() if given.prop.annotation is ImageRef]
        return names[0] if len(names) == 1 else None

    @property
    def prompt_input(self) -> str | None:
        """The input that takes the text of text-to-image: the one named `prompt`, else the only text."""
        texts = [name for name, given in self.inputs.items() if given.is_text]
        return "prompt" if "prompt" in texts else texts[0] if len(texts) == 1 else None

    @property
    def task(self) -> Task | None:
        """What the Hugging Face API can use it for, if anything."""
        if len(self.image_outputs) != 1:
            return None
        if self.picture_input:
            return "image-to-image"
        takes_pictures = any(given.is_image for given in self.inputs.values())
        return "text-to-image" if self.prompt_input and not takes_pictures else None

    @property
    def models(self) -> list[ModelRef]:
        """The models that are named in it."""
        pending = [value for node in self.graph.nodes for value in node.values.values()]
        found = []
        for value in pending:
            if isinstance(value, list):
                pending.extend(value)
            elif isinstance(value, ModelRef) and not value.is_empty():
                found.append(value)
        return found


class Catalog:
    """Everything that is served."""

    def __init__(self, registry: Registry, folder: Path | None, models: tuple[str, ...] = ()) -> None:
        self._registry = registry
        self.problems: dict[str, tuple[Problem, ...]] = {}
        """Files that could not be read, by name, and why."""
        self.workflows: dict[str, Served] = {}
        self.models: dict[str, dict[Task | None, Served]] = {}
        for path in _files(folder):
            assert folder is not None
            self._add_file(path.relative_to(folder).with_suffix("").as_posix(), path)
        for model in models:
            self.models[model] = self._served_model(model)
        self._folders = {_without_dots(model): model for model in reversed(models)}
        """The models by what clients and proxies leave of a path in an address."""
        self.listed = ListedModels([*models, *registry.weights()])
        """The models that may be used at all."""
        for ref in (ref for one in self.workflows.values() for ref in one.models):
            self.listed.add(ref)

    def __iter__(self) -> Iterator[Served]:
        yield from self.workflows.values()

    def workflow(self, name: str) -> Served:
        """The workflow of that name, or a model as `id` (image-to-image where it does both). Raises HttpError 404."""
        found = self.tasks(name)
        return next(iter(found.values()))

    def tasks(self, name: str) -> dict[Task | None, Served]:
        """What a name stands for, by task: one workflow, or what a model does. Raises HttpError 404."""
        if name in self.workflows:
            served = self.workflows[name]
            return {served.task: served}
        model = name if name in self.models else self._folders.get(_without_dots(name), "")
        if self.models.get(model):
            return dict(self.models[model])
        hint = near_miss(name, [*self.workflows, *self.models]) or "GET /v1/workflows lists what is served."
        raise HttpError(404, Problem("unknown_workflow", "", f"Nothing is served as {name[:200]!r}.", hint))

    def _add_file(self, name: str, path: Path) -> None:
        try:
            document = WorkflowDocument.load(path)
            graph = graphs.build(expand(document, self._registry, path.absolute().parent, (str(path.resolve()),)), self._registry)
        except NodetoolError as error:
            self.problems[name] = error.problems
            _log.warning("The workflow %s is not served: %s", name, error)
            return
        self.workflows[name] = served_workflow(name, document, graph, path.absolute().parent)

    def _served_model(self, model: str) -> dict[Task | None, Served]:
        found: dict[Task | None, Served] = {}
        for task, node_type in MODEL_NODES.items():
            if self._registry.get(node_type) is not None:
                found[task] = self._model_workflow(model, node_type)
        return found

    def _model_workflow(self, model: str, node_type: str) -> Served:
        nodes = [
            NodeRecord(id="image", type="nodetool.input.ImageInput", data={"name": "image"}),
            NodeRecord(id="step", type=node_type, data={"model": {"repo_id": model}}),
            NodeRecord(id="picture", type="nodetool.output.Output", data={"name": "picture"}),
        ]
        edges = [EdgeRecord(source="step", target="picture", targetHandle="value")]
        node_class = self._registry.get(node_type)
        assert node_class is not None
        if "image" in node_class.spec.properties:
            edges.append(EdgeRecord(source="image", target="step", targetHandle="image"))
        else:
            del nodes[0]
        document = WorkflowDocument(name=model, graph=GraphRecord(nodes=nodes, edges=edges))
        graph = graphs.build(document, self._registry)
        step = next(node for node in graph.nodes if node.id == "step")
        settable = {
            prop.name: Input(prop.name, f"step.{prop.name}", prop, step.values[prop.name], prop.description)
            for prop in step.spec.properties.values()
            if prop.name in step.values and not _names_a_place(prop) and not isinstance(step.values[prop.name], (ModelRef, AssetRef))
        }
        for name in NOT_FOR_CLIENTS:
            settable.pop(name, None)
        return Served(model, graph, document, Path.cwd(), _inputs(graph) | settable, _outputs(graph), model=model)


def served_workflow(name: str, document: WorkflowDocument, graph: Graph, base: Path) -> Served:
    """A workflow that was read, as it is served."""
    return Served(name, graph, document, base, _inputs(graph), _outputs(graph))


def _without_dots(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _files(folder: Path | None) -> list[Path]:
    return [] if folder is None else sorted(path for path in folder.rglob("*.json") if path.is_file())


def _inputs(graph: Graph) -> dict[str, Input]:
    """What clients can set: the inputs that name no place on this machine, nor lead to a property that does."""
    forbidden = _leading_to_paths(graph)
    found = {}
    for name, node in graph.inputs().items():
        prop = node.spec.properties.get("value")
        if prop is None or node.id in forbidden or node.spec.node_type in PATH_INPUTS or _names_a_place(prop):
            continue
        default = node.values.get("value", prop.default)
        found[name] = Input(name, name, prop, default, str(node.values.get("description") or prop.description), _bounds(node))
    return found


def _bounds(node: GraphNode) -> dict[str, Any]:
    keys = {"min": "minimum", "max": "maximum"}
    found = {keys[name]: node.values[name] for name in keys if name in node.values}
    if node.values.get("max_length"):
        found["maxLength"] = node.values["max_length"]
    return found


def _names_a_place(prop: Property) -> bool:
    return any(isinstance(member, type) and issubclass(member, FolderRef) for member in union_members(prop.annotation))


def _leading_to_paths(graph: Graph) -> set[str]:
    """Ids of the nodes from which a value can reach a property that names a place. Backwards, in one pass over the edges."""
    leading: set[int] = set()
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        for edge in node.inputs:
            if index in leading or edge.property in PLACES:
                leading.add(edge.source)
    return {graph.nodes[index].id for index in leading}


def _outputs(graph: Graph) -> dict[str, Any]:
    """Each output's type: that of what feeds it."""
    found: dict[str, Any] = {}
    for name, node in graph.outputs().items():
        edge = next((edge for edge in node.inputs if edge.property == "value"), None)
        source = None if edge is None else graph.nodes[edge.source]
        found[name] = Any if edge is None or source is None else list(source.spec.outputs.values())[edge.output].annotation
    return found


__all__ = ["Catalog", "Input", "Served", "Task"]
