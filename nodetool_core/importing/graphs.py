"""
Graphs that clients of other tools' servers send, as workflows of ours.

Who speaks such a server's protocol finds the reader of its graphs by `reader_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from nodetool_core.errors import Problem
from nodetool_core.json_types import Json, JsonObject

if TYPE_CHECKING:
    from nodetool_core.registry import Registry
    from nodetool_core.workflow import WorkflowDocument

__all__ = ["WHOLE", "Files", "GraphReader", "Json", "JsonObject", "ReadGraph", "reader_of"]

WHOLE = ""
"""In place of a node's id: what holds for the graph as a whole."""

Files = Mapping[str, Sequence[str]]
"""Names that clients may choose among, by the tool's name of the folder."""


@dataclass(frozen=True)
class ReadGraph:
    """A graph that was read. Problems and notes are by the ids of its nodes, or `WHOLE`."""

    document: WorkflowDocument | None
    """The workflow, of the nodes that have counterparts; None where no output is left."""
    problems: Mapping[str, Sequence[Problem]]
    """Why nodes are left out, or can't be run."""
    notes: Mapping[str, Sequence[Problem]]
    """What is done otherwise than the graph says."""
    origins: Mapping[str, str]
    """For each node of the workflow, the node that it is made of."""


class GraphReader(Protocol):
    """Reads the graphs of one tool."""

    def classes(self, files: Files) -> Mapping[str, JsonObject]:
        """
        Return the classes of nodes that have counterparts, as the tool's server describes them.

        Args:
            files: What the inputs that name files may be.
        """
        ...

    def read(self, graph: JsonObject, registry: Registry) -> ReadGraph:
        """Return the workflow of a graph. Raises nothing: what is wrong stands in it."""
        ...


def reader_of(protocol: str, registry: Registry) -> GraphReader | None:
    """Return what reads the graphs of a protocol; None where no installed pack has a reader."""
    make = registry.graph_readers().get(protocol)
    return None if make is None else cast("GraphReader", make())
