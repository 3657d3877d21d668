"""
The public face in Python: a workflow, built from nodes or loaded from a file, run, and saved.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nodetool_core import editing
from nodetool_core.building import document_of
from nodetool_core.engine.result import RunResult
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.graph import Graph
from nodetool_core.node_base import Node, Role
from nodetool_core.pack_versions import with_versions
from nodetool_core.properties import ANYTHING
from nodetool_core.registry import Registry, distinct_types, shared_type
from nodetool_core.running import RunnableWorkflow
from nodetool_core.subworkflow import expand
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine

_log = logging.getLogger(__name__)

_KEPT = (
    "Give texts, numbers, booleans, None, lists, mappings with texts as names, or references; or"
    " declare the type on the property."
)


class Workflow(RunnableWorkflow):
    """
    A graph of nodes.

    `Workflow(Output(name="image", value=night.output))` takes the nodes that are wanted and finds
    all that they need. `Workflow.load("graphs/night.json")` reads a file. All workflows of a
    process share an engine (`default_engine()`), so that a run finds results and weights of those
    before it; give an `engine` to those that shall have another.
    """

    def __init__(
        self, *wanted: Node, name: str = "", description: str = "", engine: Engine | None = None
    ) -> None:
        if not wanted:
            raise WorkflowError(
                Problem(
                    "invalid_document",
                    "Workflow",
                    "needs at least one node.",
                    "Give it the nodes you want results of.",
                )
            )
        for node in wanted:
            if not isinstance(node, Node):
                hint = (
                    "Give nodes one by one, such as Workflow(Output(name='image',"
                    " value=night.output))."
                )
                raise WorkflowError(
                    Problem(
                        "invalid_document",
                        "Workflow",
                        f"is made of nodes, got {type(node).__name__}.",
                        hint,
                    )
                )
        document, registry = document_of(wanted)
        document.name, document.description = name, description
        self._set_up(document, registry, Path.cwd(), engine)

    @classmethod
    def from_document(
        cls,
        document: WorkflowDocument,
        registry: Registry | None = None,
        *,
        base: Path | None = None,
        engine: Engine | None = None,
        copies: bool = True,
    ) -> Self:
        """
        Return a workflow from a document that was read before.

        Args:
            base: The folder that its relative paths start from.
            copies: Whether the document is copied; not needed where nobody else changes it.
        """
        workflow = object.__new__(cls)
        workflow._set_up(document, registry or Registry.installed(), base or Path.cwd(), engine)
        if copies:
            workflow._document = document.copied()
        return workflow

    @classmethod
    def load(
        cls,
        path: str | Path,
        registry: Registry | None = None,
        *,
        base: Path | None = None,
        engine: Engine | None = None,
    ) -> Self:
        """
        Read a workflow file. Raises WorkflowError with every problem there is.

        Args:
            base: The folder that its relative paths start from, in place of its own. It reads the
                same files, and what it writes goes there.
        """
        path = Path(path)
        workflow = object.__new__(cls)
        document, folder = WorkflowDocument.load(path), path.absolute().parent
        registry = registry or Registry.installed()
        if base is not None:
            from nodetool_core.relocating import relocated

            document, folder = relocated(document, registry, folder, base), base
        workflow._set_up(document, registry, folder, engine, (str(path.resolve()),))
        return workflow

    def _set_up(
        self,
        document: WorkflowDocument,
        registry: Registry,
        base: Path,
        engine: Engine | None,
        inside: tuple[str, ...] = (),
    ) -> None:
        self._document = document
        self.registry = registry
        self.base = base
        self.graph: Graph = build_graph(expand(document, registry, base, inside), registry)
        _check_loops(self.graph)
        self._engine = engine

    @property
    def document(self) -> WorkflowDocument:
        """
        A copy of the document that the workflow was made of.

        To run an edited one, give it to `Workflow.from_document`.
        """
        return self._document.copied()

    def __getstate__(self) -> dict[str, object]:
        # In another process, the engine is that process's.
        return {**vars(self), "_engine": None}

    def __repr__(self) -> str:
        inputs, outputs = self.graph.inputs(), self.graph.outputs()
        count = len(self.graph.nodes)
        parts = [
            *([repr(self._document.name)] if self._document.name else []),
            "1 node" if count == 1 else f"{count} nodes",
            f"inputs: {', '.join(inputs) or 'none'}",
            f"outputs: {', '.join(outputs) or 'none'}",
        ]
        return f"Workflow({', '.join(parts)})"

    def _repr_svg_(self) -> str:
        """Return what a notebook shows: a drawing of the graph."""
        from nodetool_core.drawing import graph_svg

        return graph_svg(self.graph, title=self._document.name or "Workflow")

    def __copy__(self) -> Self:
        """Return this workflow: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return this workflow: it never changes."""
        return self

    def save(self, path: str | Path) -> Path:
        """
        Write the workflow as a JSON file, whole or not at all.

        Raises WorkflowError where it has several classes of one type, as a factory makes them: a
        file could name only one of them; and for values that the file would not give back as they
        are, such as a tuple where any value is allowed.
        """
        return with_versions(self.portable_document(), self.registry).save(path)

    def portable_document(self) -> WorkflowDocument:
        """
        Return the document, which another process reads as the same workflow.

        Raises WorkflowError where `save` does.
        """
        shared = [
            node_class
            for node_class, node_type in distinct_types(
                node.node_class for node in self.graph.nodes
            ).items()
            if node_type != node_class.spec.node_type
        ]
        if shared:
            raise WorkflowError([shared_type(node_class) for node_class in shared])
        if problems := self._not_kept():
            raise WorkflowError(problems)
        return self._document

    def _not_kept(self) -> list[Problem]:
        """Return the values that a file would not keep as they are."""
        problems = []
        for index, record in enumerate(self._document.graph.nodes):
            node_class = self.registry.get(record.type)
            known = {} if node_class is None else node_class.spec.properties
            for name, value in record.data.items():
                if wrong := known.get(name, ANYTHING).not_kept(value):
                    problems.append(
                        Problem("invalid_value", f"nodes[{index}].data.{name}", wrong, _KEPT)
                    )
        return problems

    @property
    def engine(self) -> Engine:
        """The engine that runs it: the default one of the process where none was given."""
        if self._engine is not None:
            return self._engine
        from nodetool_core.engine.default import default_engine

        engine = default_engine()
        engine.add_packs(self.registry.packs)
        return engine

    def as_node(self, name: str = "") -> type[Node]:
        """
        Return this workflow as a node class: `Night = workflow.as_node("Night")`.

        Its inputs are the properties and its outputs the outputs, with their types. A workflow that
        uses the class has this one written inside of it, as it is now.

        Args:
            name: Name of the class; made of the workflow's name unless given.

        Raises WorkflowError where an input has a name that no property may have.
        """
        from nodetool_core.relocating import relocated
        from nodetool_core.workflow_class import workflow_class

        words = re.findall(r"\w+", name or self._document.name or "Workflow")
        title = "".join(word[:1].upper() + word[1:] for word in words)
        document = relocated(self._document, self.registry, self.base, Path.cwd())
        return workflow_class(title, document, self.graph, self.registry)

    def upto(self, *nodes: str) -> Self:
        """
        Return the workflow of some nodes, by id, and all that they need.

        Its results are those of the outputs among them, or, where there are none, of its last
        nodes, by id. Raises WorkflowError for an unknown id.
        """
        return self._changed(editing.part_of(self._document, nodes))

    def without(self, node: str) -> Self:
        """
        Return this workflow without a node: what it takes goes straight on to what takes from it.

        Raises WorkflowError for an unknown id, and where something is missing then.
        """
        return self._changed(editing.without_node(self._document, node, self.registry))

    def replace(self, node: str, by: type[Node], /, **properties: object) -> Self:
        """
        Return this workflow with another node in the place of one.

        `replace("fit", Scale, scale=2.0)`. It is connected as the old one was, but for properties
        that are given.

        Raises WorkflowError for an unknown id, and where the new node lacks a property or an output
        that is connected.
        """
        document, registry = editing.with_replacement(
            self._document, node, by(**properties), self.registry
        )
        return self._changed(document, registry)

    def rename(self, names: Mapping[str, str] | None = None, /, **named: str) -> Self:
        """
        Return this workflow with other names of inputs and outputs, and other ids of nodes.

        Old to new: `rename(photo="image")`, `rename({"old name": "new name"})`. Raises
        WorkflowError for a name that nothing has, or a new one that is taken.
        """
        new_names = {**(names or {}), **named}
        return self._changed(editing.with_names(self._document, new_names, self.registry))

    def _changed(self, document: WorkflowDocument, registry: Registry | None = None) -> Self:
        return self.from_document(
            document, registry or self.registry, base=self.base, engine=self._engine
        )


def _check_loops(graph: Graph) -> None:
    """Raise WorkflowError where loops can't be run as they are connected."""
    classes = {node.node_class for node in graph.nodes}
    if any(one.carries or one.gap_policy or one.spec.carries for one in classes):
        from nodetool_core.engine.compiler import compile_plan

        compile_plan(graph)


__all__ = ["Role", "RunResult", "Workflow"]
