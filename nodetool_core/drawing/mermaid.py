"""A graph as Mermaid text, as GitHub and many documentation sites draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodetool_core.drawing.labels import short, told_values
from nodetool_core.node_base import Role

if TYPE_CHECKING:
    from nodetool_core.graph import Graph, GraphNode

_SHAPES = {
    Role.INPUT: ("([", "])"),
    Role.OUTPUT: ("([", "])"),
    Role.SINK: ("[/", "/]"),
    Role.COMMENT: (">", "]"),
}
_CLASSES = {
    Role.INPUT: "fill:#dbeafe,stroke:#2563eb,color:#111827",
    Role.OUTPUT: "fill:#dcfce7,stroke:#16a34a,color:#111827",
    Role.SINK: "fill:#dcfce7,stroke:#16a34a,color:#111827",
    Role.COMMENT: "fill:#fef9c3,stroke:#ca8a04,color:#111827",
    Role.STEP: "fill:#f3f4f6,stroke:#6b7280,color:#111827",
    Role.WORKFLOW: "fill:#f3f4f6,stroke:#6b7280,color:#111827",
}
_MOST_VALUES = 4
_ENTITIES = str.maketrans({character: f"#{ord(character)};" for character in '"#<>&`\\'})


def graph_mermaid(graph: Graph) -> str:
    """
    Return the text of a left-to-right flowchart.

    A box per node, an arrow per edge with the name of the property it feeds.
    """
    lines = ["flowchart LR"]
    used: set[Role] = set()
    for number, node in enumerate(graph.nodes):
        opening, closing = _SHAPES.get(node.role, ("[", "]"))
        lines.append(f'  n{number}{opening}"{_label(node)}"{closing}:::{node.role.value}')
        used.add(node.role)
    for number, node in enumerate(graph.nodes):
        for edge in node.inputs:
            output = list(graph.nodes[edge.source].spec.outputs)[edge.output]
            name = edge.property if output == "output" else f"{output} → {edge.property}"
            lines.append(f'  n{edge.source} -->|"{_escaped(name)}"| n{number}')
    lines += [f"  classDef {role.value} {_CLASSES[role]}" for role in Role if role in used]
    return "\n".join(lines) + "\n"


def _label(node: GraphNode) -> str:
    """Title, id, and the first few values that are not the defaults."""
    values = [(name, value) for name, value in told_values(node) if name != "description"]
    lines = [f"<b>{_escaped(node.spec.title)}</b>"]
    if node.id.lower() != node.spec.title.lower():
        lines.append(f"<i>{_escaped(short(node.id))}</i>")
    lines += [_escaped(f"{name}: {short(value)}") for name, value in values[:_MOST_VALUES]]
    if len(values) > _MOST_VALUES:
        lines.append("…")
    return "<br/>".join(lines)


def _escaped(text: str) -> str:
    """Text that Mermaid shows as it is, whatever it holds."""
    visible = "".join(character if character.isprintable() else " " for character in text)
    return visible.translate(_ENTITIES)
