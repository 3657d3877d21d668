"""
Workflows of ours as files of other tools.

Which tools there are, the installed packs state (`Pack.exporters`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.importing.draft import Grade, grade_of
from nodetool_core.json_types import JsonObject
from nodetool_core.properties import jsonable
from nodetool_core.specialized import class_of

if TYPE_CHECKING:
    from nodetool_core.registry import Registry
    from nodetool_core.workflow import NodeRecord, WorkflowDocument


@dataclass(frozen=True)
class Exported:
    """A workflow that was exported."""

    content: JsonObject
    """The file of the other tool."""
    notes: list[Problem]
    """
    What was changed or left out: notes for what makes no great difference, warnings for the rest.
    """

    @property
    def grade(self) -> Grade:
        return grade_of(self.notes)


class Exporter(Protocol):
    """Writes workflows in the form of one tool."""

    def __call__(self, document: WorkflowDocument, registry: Registry, where: str) -> Exported:
        """
        Return the file of a workflow.

        Args:
            document: The workflow, which is valid; no edge comes from a bypassed node.
            registry: The nodes that there are.
            where: The file that it comes from, as errors name it.

        Raises WorkflowError where no output of it has a counterpart.
        """
        ...


def export(document: WorkflowDocument, to: str, registry: Registry, where: str) -> Exported:
    """
    Return a workflow as a file of another tool.

    Args:
        document: The workflow.
        to: The tool, as a pack names its exporter: `comfyui`.
        registry: The nodes that there are.
        where: The file that it comes from, as errors name it.

    Raises WorkflowError where the workflow is not valid, no exporter has that name, or no output
    has a counterpart there.
    """
    from nodetool_core.bypass import pass_by
    from nodetool_core.validation import build_graph

    exporters = registry.exporters()
    exporter = exporters.get(to.lower())
    if exporter is None:
        known = ", ".join(sorted(exporters)) or "none is installed"
        message = f"is no tool that workflows are written for: {known}."
        raise WorkflowError(Problem("no_exporter", to, message, "Name one of them, or install it."))
    build_graph(document, registry)
    return cast("Exporter", exporter)(pass_by(document, registry), registry, where)


def values_of(node: NodeRecord, registry: Registry) -> tuple[JsonObject, JsonObject]:
    """Return the values of all properties of a node as JSON, and their defaults."""
    node_class = class_of(node, registry)
    if node_class is None:
        return {}, {}
    defaults: JsonObject = {}
    values: JsonObject = {}
    for name, prop in node_class.spec.properties.items():
        defaults[name] = None if prop.required else jsonable(prop.default)
        values[name] = defaults[name]
        if name in node.data:
            read, problems = prop.validate(node.data[name], name)
            values[name] = node.data[name] if problems else jsonable(read)
    return values, defaults
