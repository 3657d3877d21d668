"""
What is served: the workflows of a folder, by name, and models, by id.

A workflow's name is its path below the folder without the suffix. A model is served as a workflow
of one node, whose properties are the parameters; so everything above this file knows workflows
alone.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import NodetoolError, Problem, near_miss
from nodetool_core.models.sources.allowlist import ModelAllowlist
from nodetool_core.references import ImageRef
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.parameters import declared_inputs, model_inputs
from nodetool_core.server.served_workflow import (
    TASKS,
    ServedWorkflow,
    Task,
    outputs_of,
    served_workflow,
)
from nodetool_core.subworkflow import expand
from nodetool_core.validation import build_graph
from nodetool_core.workflow import EdgeRecord, GraphRecord, NodeRecord, WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.node_base import Node
    from nodetool_core.registry import Registry

_log = logging.getLogger(__name__)

_MOST_FILES: Final = 10_000
"""JSON files of a folder that are looked at, by their paths in order."""

_MOST_FOLDERS: Final = 20_000
"""Folders that are looked into: somebody may open the editor in their home."""

_LARGEST: Final = 32 * 2**20
"""Bytes of a file that may be a workflow: those that are larger are data."""

_NOT_LOOKED_INTO: Final = frozenset({"node_modules", "__pycache__", "site-packages"})
"""Folders of programs; nor are those whose names begin with a dot."""


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
        self._folder = folder
        self._read: dict[str, tuple[int, int]] = {}
        """When each file was changed last, and its bytes, as it was read."""
        self._changed: dict[str, int] = {}
        """By name, the number of the last refresh that found the file changed, new, or gone."""
        self.version = 0
        """Counts up with each refresh that found a change."""
        self._refreshing = threading.Lock()
        self.listed = ModelAllowlist([*models, *registry.weights()])
        """The models that may be used at all."""
        self.refresh()
        for model in models:
            self.models[model] = self._served_model(model)
        self._folders = {_without_dots(model): model for model in reversed(models)}
        """The models by what clients and proxies leave of a path in an address."""

    def refresh(self) -> None:
        """
        Read what has changed in the folder. Blocks.

        A file is read where its time or size is another than before. Whoever looks at the workflows
        meanwhile goes on seeing those from before.
        """
        with self._refreshing:
            found: dict[str, tuple[int, int]] = {}
            workflows: dict[str, ServedWorkflow] = {}
            problems: dict[str, tuple[Problem, ...]] = {}
            for path in _files(self._folder):
                assert self._folder is not None
                name = path.relative_to(self._folder).with_suffix("").as_posix()
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                found[name] = (status.st_mtime_ns, status.st_size)
                known = self.workflows.get(name) or self.problems.get(name)
                if known is None or self._read.get(name) != found[name]:
                    known = self._served_file(name, path, status)
                if isinstance(known, ServedWorkflow):
                    workflows[name] = known
                else:
                    problems[name] = known
            changed = {
                name
                for name in found.keys() | self._read.keys()
                if found.get(name) != self._read.get(name)
            }
            if changed:
                self.version += 1
                self._changed |= dict.fromkeys(changed, self.version)
            self.workflows, self.problems, self._read = workflows, problems, found

    def changed_since(self, version: int) -> list[str]:
        """Return the names of files that refreshes after the one of that number found changed."""
        return sorted(name for name, number in [*self._changed.items()] if number > version)

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

    def _served_file(
        self, name: str, path: Path, status: os.stat_result
    ) -> ServedWorkflow | tuple[Problem, ...]:
        """Return the workflow of a file, or why it is not served."""
        if status.st_size > _LARGEST:
            message = f"has {status.st_size / 2**20:.0f} MiB, and {_LARGEST // 2**20} are the most."
            return (Problem("invalid_document", "workflow", message, "Is it a workflow?"),)
        try:
            document = WorkflowDocument.load(path)
            graph = build_graph(
                expand(document, self._registry, path.absolute().parent, (str(path.resolve()),)),
                self._registry,
            )
        except NodetoolError as error:
            _log.warning("The workflow %s is not served: %s", name, error)
            return error.problems
        served = served_workflow(name, document, graph, path.absolute().parent, status.st_mtime)
        for ref in served.models:
            self.listed.add(ref)
        return served

    def _served_model(self, model: str) -> dict[Task | None, ServedWorkflow]:
        """Return a model by task; one for which no pack has nodes is not served."""
        found: dict[Task | None, ServedWorkflow] = {}
        image, output = self._registry.input_node(ImageRef), self._registry.output_node()
        for task in TASKS:
            step = self._registry.serving(task)
            if step is not None and image is not None and output is not None:
                found[task] = self._model_workflow(model, step, image, output)
        return found

    def _model_workflow(
        self, model: str, step: type[Node], image: type[Node], output: type[Node]
    ) -> ServedWorkflow:
        nodes = [
            NodeRecord(id="step", type=step.spec.node_type, data={"model": {"repo_id": model}}),
            NodeRecord(id="result", type=output.spec.node_type, data={"name": "image"}),
        ]
        edges = [EdgeRecord(source="step", target="result", targetHandle="value")]
        if "image" in step.spec.properties:
            given = NodeRecord(id="image", type=image.spec.node_type, data={"name": "image"})
            nodes.insert(0, given)
            edges.append(EdgeRecord(source="image", target="step", targetHandle="image"))
        document = WorkflowDocument(name=model, graph=GraphRecord(nodes=nodes, edges=edges))
        graph = build_graph(document, self._registry)
        node = next(node for node in graph.nodes if node.id == "step")
        inputs = declared_inputs(graph) | model_inputs(node)
        return ServedWorkflow(
            model, graph, document, Path.cwd(), inputs, outputs_of(graph), model=model
        )


def _without_dots(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _files(folder: Path | None) -> list[Path]:
    """Return the JSON files below a folder, sorted, as far as the limits go."""
    found: list[Path] = []
    walked = os.walk(folder) if folder is not None else iter(())
    for number, (place, folders, files) in enumerate(walked):
        folders[:] = sorted(
            name for name in folders if name[0] != "." and name not in _NOT_LOOKED_INTO
        )
        found += (Path(place, name) for name in files if name.endswith(".json"))
        if len(found) > _MOST_FILES or number >= _MOST_FOLDERS:
            _log.warning("%s has more than is looked at; what comes later is left out.", folder)
            break
    return sorted(path for path in found[:_MOST_FILES] if path.is_file())
