"""A ComfyUI workflow as plain nodes, whichever form of file it came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Final, TypeAlias

Form: TypeAlias = Mapping[str, object]
"""An object of a file, whose fields may hold anything."""


def forms(of: Form, name: str) -> list[Form]:
    """
    Return the objects that a field lists; none where it is absent or null.

    Raises TypeError where it holds something else.
    """
    found = of.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise TypeError(f"{name!r} lists something else than objects")
    return found


def form(of: Form, name: str) -> Form:
    """Return the object in a field; an empty one where it is absent, or something else."""
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Link:
    """An output of another node, where an input comes from."""

    node: str
    output: int


@dataclass(frozen=True)
class Inactive:
    """Stands for what a muted node would give: ComfyUI drops such an input."""

    node: str
    """The node, as messages name it."""


GROUP: Final = "LGraphGroup"
"""The class of a group of nodes on the canvas, as if it were a node."""


@dataclass
class ComfyNode:
    """One node of a ComfyUI workflow."""

    id: str
    class_type: str
    inputs: dict[str, object] = field(default_factory=dict)
    """Values and links, by input."""
    title: str = ""
    position: tuple[float, float] | None = None
    mode: str = ""
    """
    `muted` or `bypassed`: it does not run, and no link leads to it. `field`: what a client put
    beside the nodes.
    """
    subgraph: str = ""
    """The names of the subgraphs that it is in, from the outermost on."""
    look: dict[str, object] = field(default_factory=dict)
    """Its size and colours, as `ui_properties` have them."""
    models: dict[str, str] = field(default_factory=dict)
    """Addresses of the files that it names."""
    unnamed: list[object] = field(default_factory=list)
    """Values of its form whose inputs are not known."""
    group: str = ""
    """The id of the group that is drawn around it: a node of the class GROUP."""

    @property
    def label(self) -> str:
        """How a message names it."""
        place = f" in {self.subgraph}" if self.subgraph else ""
        return f"{self.class_type} ({self.id}){place}".lstrip()

    def links(self) -> list[Link]:
        return [value for value in self.inputs.values() if isinstance(value, Link)]

    def values(self) -> dict[str, object]:
        """Return what was typed into it: its inputs without links."""
        named = {
            name: value
            for name, value in self.inputs.items()
            if not isinstance(value, (Link, Inactive))
        }
        return named | ({"values": self.unnamed} if self.unnamed else {})


def in_order(nodes: list[ComfyNode], refused: Callable[[str], Exception]) -> list[ComfyNode]:
    """
    Return the nodes so that each comes after those that it depends on.

    Args:
        nodes: Those of one file; links to others are left to whoever reads them.
        refused: Returns what is raised for a file with a circle, of words about it.
    """
    by_id = {node.id: node for node in nodes}
    sorter = TopologicalSorter(
        {node.id: [link.node for link in node.links() if link.node in by_id] for node in nodes}
    )
    try:
        return [by_id[node_id] for node_id in sorter.static_order()]
    except CycleError as error:
        path = " → ".join(by_id[node_id].label for node_id in error.args[1][:12])
        raise refused(f"runs in a circle: {path}.") from None
