"""
What made an image.

The workflow as it ran, with drawn seeds and given inputs in place, the content of the files it
read, the revisions of the models, the versions of the libraries. Enough to make the image again,
and to say what has changed since.
"""

from __future__ import annotations

import threading
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.provenance import INFOTEXT
from nodetool_core.engine.generation import generation_text
from nodetool_core.engine.plan import Plan
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.seeds import Seeds
from nodetool_core.engine.steps import NodeStep
from nodetool_core.engine.versions import versions
from nodetool_core.errors import NodetoolError
from nodetool_core.graph import Graph
from nodetool_core.node_base import Role
from nodetool_core.properties import jsonable
from nodetool_core.references import AssetRef, ImageRef, ModelRef
from nodetool_core.registry import distinct_types
from nodetool_core.values import Place, map_places

if TYPE_CHECKING:
    from nodetool_core.assets.loader import ImageLoader

FORMAT = 1


class ProvenanceRecorder:
    """Puts the origin into the images of one run."""

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        seeds: Seeds,
        result: RunResult,
        images: ImageLoader,
        *,
        infotext: bool = True,
    ) -> None:
        self._graph = graph
        self._infotext = infotext
        self._values = {
            step.node.id: values
            for number, values in seeds.fixed.items()
            if isinstance(step := plan.steps[number], NodeStep) and number not in seeds.varied
        }
        self._seeds = seeds
        self._plan = plan
        self._result = result
        self._images = images
        self._lock = threading.Lock()
        self._workflow: dict[str, Any] | None = None
        self._files: dict[str, str] = {}
        self._unrecorded: list[str] = []
        """Places of values that have no JSON form, such as bytes that Python passed to a node."""

    def note_model(self, ref: ModelRef, revision: str | None) -> None:
        """Note that the run uses a model, and which weights it stands for."""
        with self._lock:
            self._result.models[_model_name(ref)] = revision

    def knows_model(self, ref: ModelRef) -> bool:
        """Return whether the weights of a model were noted, as by the key of the node."""
        with self._lock:
            return self._result.models.get(_model_name(ref)) is not None

    def finished(self, name: str, value: Any) -> Any:
        """Return the value of the output `name` with its images knowing what made them."""

        def finish(leaf: Any, item: Place) -> Any:
            # What stands under a name that is no text can't be found again by it.
            if not isinstance(leaf, ImageData) or not all(isinstance(p, int | str) for p in item):
                return leaf
            made = self._provenance(name, item) | {"pixels": leaf.digest}
            return leaf.with_provenance(made | self._text(name, item, leaf.image.size))

        return map_places(value, finish)

    @cached_property
    def _in_loops(self) -> dict[str, NodeStep]:
        """The steps in loops, by node: looked for when a run gives the first image."""
        return {
            step.node.id: step
            for step in self._plan.steps
            if step.loops and isinstance(step, NodeStep)
        }

    def _text(
        self, name: str, item: tuple[int | str, ...], size: tuple[int, int]
    ) -> dict[str, object]:
        """Return the text that web UIs write, where it is wanted and a node generates the image."""
        if not self._infotext:
            return {}
        text = generation_text(self._graph, partial(self._values_at, item), name, size)
        return {INFOTEXT: text} if text else {}

    def _values_at(self, item: tuple[int | str, ...], node_id: str) -> tuple[dict[str, Any], int]:
        """
        Return the values of a node that differ from the graph's, for an item of an output.

        And its number among several images of the node.
        """
        step = self._in_loops.get(node_id)
        depth = len(step.loops) if step is not None else 0
        index = tuple([place for place in item if isinstance(place, int)])
        values = self._values.get(node_id, {})
        if step is not None and len(index) >= depth:
            values = values | self._seeds.of_item(step, index[:depth])
        return values, index[depth] if len(index) > depth else 0

    def _provenance(self, name: str, item: tuple[int | str, ...]) -> dict[str, Any]:
        with self._lock:
            if self._workflow is None:
                self._workflow = self._document()
            models = dict(self._result.models)
        return {
            "format": FORMAT,
            "output": name,
            "item": list(item),
            "workflow": self._workflow,
            "files": self._files,
            "seeds": self._result.seeds,
            "models": models,
            "versions": dict(versions()),
        } | ({"unrecorded": self._unrecorded} if self._unrecorded else {})

    def _document(self) -> dict[str, Any]:
        """
        Return the workflow as it runs: workflow nodes put in place, inputs given, seeds drawn.
        """
        nodes, edges = [], []
        types = distinct_types(node.node_class for node in self._graph.nodes)
        for node in self._graph.nodes:
            if node.role is Role.COMMENT:
                continue
            properties = node.spec.properties
            values = self._values.get(node.id, node.values) | node.dynamic
            given = {
                name: value
                for name, value in values.items()
                if name not in properties or not properties[name].is_default(value)
            }
            data: dict[str, Any] = {}
            for name, value in given.items():
                try:
                    data[name] = self._recorded(f"{node.id}.{name}", value)
                except TypeError:
                    self._unrecorded.append(f"{node.id}.{name}")
            nodes.append({"id": node.id, "type": types[node.node_class], "data": data})
            for edge in node.inputs:
                source = self._graph.nodes[edge.source]
                handle = list(source.spec.outputs)[edge.output]
                edges.append(
                    {
                        "source": source.id,
                        "sourceHandle": handle,
                        "target": node.id,
                        "targetHandle": edge.property,
                    }
                )
        return {"graph": {"nodes": nodes, "edges": edges}}

    def _recorded(self, place: str, value: Any) -> Any:
        """
        Return a value in JSON.

        Of a file its path, seen from the current folder where that is shorter, and its digest.
        """
        if isinstance(value, list):
            return [self._recorded(f"{place}[{number}]", item) for number, item in enumerate(value)]
        if isinstance(value, AssetRef) and not value.is_empty():
            try:
                self._files[place] = self._images.digest(value)
                if not (value.data or value.stored_as or value.uri[:5].lower() in ("", "data:")):
                    value = value.model_copy(
                        update={"uri": _from_here(self._images.path(value.uri))}
                    )
            except NodetoolError:
                # A file that the run did not need, or the node would have failed.
                self._files[place] = ""
        # The pixels that Python passed to a node are left out: they are not the size of a note.
        return jsonable(ImageRef() if isinstance(value, ImageData) else value)


def _model_name(ref: ModelRef) -> str:
    name = ref.label
    return f"{name} ({ref.variant})" if ref.variant else name


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
