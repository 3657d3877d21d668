"""
A graph, or one node, as SVG that stands alone: no script, no font, no file beside it.

Boxes bring their own ground and edges have colours of medium lightness, so that a drawing can be
read on a light and on a dark page; where the reader's browser prefers dark, boxes are dark as well.
Everything that comes from a file is escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from nodetool_core.declaration import NodeSpec
from nodetool_core.drawing.labels import fit, short, told_values, width
from nodetool_core.drawing.layout import Layout, Link, lay_out
from nodetool_core.node_base import Role
from nodetool_core.references import AssetRef, ColorRef, FolderRef, ImageRef, ModelRef
from nodetool_core.types import choices, type_name, union_members

if TYPE_CHECKING:
    from nodetool_core.graph import Graph, GraphNode

WIDTH = 220.0
GAP_X = 72.0
GAP_Y = 22.0
MARGIN = 16.0
HEADER = 40.0
ROW = 20.0
PADDING = 8.0
FONT = 12.0

_STYLE = """
.nt-box{fill:#fff;stroke:#94a3b8}.nt-text{fill:#1e293b}.nt-dim{fill:#64748b}.nt-title{fill:#0f172a;font-weight:600}
.nt-step{fill:#e2e8f0}.nt-input{fill:#bfdbfe}.nt-output,.nt-sink{fill:#bbf7d0}.nt-comment{fill:#fef08a}.nt-hollow{fill:#fff}
@media (prefers-color-scheme:dark){
.nt-box{fill:#1e293b;stroke:#64748b}.nt-text{fill:#e2e8f0}.nt-dim{fill:#94a3b8}.nt-title{fill:#f8fafc}
.nt-step{fill:#334155}.nt-input{fill:#1e3a8a}.nt-output,.nt-sink{fill:#14532d}.nt-comment{fill:#713f12}.nt-hollow{fill:#1e293b}}
"""

_COLOURS = {
    "image": "#3b82f6",
    "text": "#d97706",
    "number": "#16a34a",
    "switch": "#dc2626",
    "choice": "#0d9488",
    "model": "#9333ea",
    "colour": "#db2777",
    "file": "#0891b2",
    "any": "#64748b",
}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_LOOKS = {Role.WORKFLOW: Role.STEP}
"""Roles that look like another one."""


@dataclass(frozen=True)
class _Row:
    """A line of a box: a property on the left, an output on the right, or one of them."""

    property: str = ""
    value: str = ""
    accepts: Any = None
    connected: bool = False
    output: str = ""
    gives: Any = None


@dataclass(frozen=True)
class _Box:
    title: str
    subtitle: str
    role: Role
    rows: list[_Row]

    @property
    def height(self) -> float:
        return HEADER + len(self.rows) * ROW + PADDING

    def port(self, row: int) -> float:
        return HEADER + row * ROW + ROW / 2 + PADDING / 2


def graph_svg(graph: Graph, *, title: str = "Workflow") -> str:
    """
    Return a drawing of a graph.

    A box per node with the values that differ from their defaults, a line per edge.
    """
    taken = {edge.source for node in graph.nodes for edge in node.inputs}
    boxes = [_box_of(node, number in taken) for number, node in enumerate(graph.nodes)]
    ends = [
        (link, _colour(_annotation(graph, source, output)))
        for link, source, output in _links(graph, boxes)
    ]
    layout = lay_out(
        [box.height for box in boxes],
        [link for link, _ in ends],
        width=WIDTH,
        gap_x=GAP_X,
        gap_y=GAP_Y,
    )
    parts = [_edge(route, colour) for route, (_, colour) in zip(layout.routes, ends, strict=True)]
    parts += [_draw(box, place.x, place.y) for box, place in zip(boxes, layout.places, strict=True)]
    return _document(parts, layout, title)


def node_svg(spec: NodeSpec, role: Role = Role.STEP) -> str:
    """Return a drawing of one node with all its properties, their defaults, and its outputs."""
    left = [
        _Row(
            prop.name,
            "" if prop.required else short(prop.default),
            prop.annotation,
            connected=prop.required,
        )
        for prop in spec.properties.values()
    ]
    box = _Box(spec.title, spec.namespace, role, _with_outputs(left, spec))
    return _document(
        [_draw(box, 0, 0)],
        lay_out([box.height], [], width=WIDTH, gap_x=GAP_X, gap_y=GAP_Y),
        spec.node_type,
    )


def _box_of(node: GraphNode, is_taken: bool) -> _Box:
    connected = {edge.property for edge in node.inputs}
    told = {name: short(value) for name, value in told_values(node) if name != "description"}
    left = []
    for name, prop in node.spec.properties.items():
        if name in connected:
            left.append(_Row(name, "", prop.annotation, connected=True))
        elif name in told:
            left.append(_Row(name, told[name], prop.annotation))
    left += [
        _Row(edge.property, "", Any, connected=True) for edge in node.inputs if edge.is_dynamic
    ]
    left += [_Row(name, told[name], Any) for name in node.dynamic]
    rows = left if node.role is Role.OUTPUT and not is_taken else _with_outputs(left, node.spec)
    return _Box(node.spec.title, node.id, node.role, rows)


def _with_outputs(left: list[_Row], spec: NodeSpec) -> list[_Row]:
    """Return the rows with outputs in the first ones, on the right."""
    rows = []
    outputs = list(spec.outputs.values())
    for number in range(max(len(left), len(outputs))):
        row = left[number] if number < len(left) else _Row()
        if number < len(outputs):
            output = outputs[number]
            label = type_name(output.annotation) if output.name == "output" else output.name
            row = _Row(
                row.property, row.value, row.accepts, row.connected, label, output.annotation
            )
        rows.append(row)
    return rows


def _links(graph: Graph, boxes: list[_Box]) -> list[tuple[Link, int, int]]:
    links = []
    for target, node in enumerate(graph.nodes):
        row_of = {
            row.property: number for number, row in enumerate(boxes[target].rows) if row.property
        }
        for edge in node.inputs:
            source_port = boxes[edge.source].port(edge.output)
            link = Link(
                edge.source,
                source_port,
                target,
                boxes[target].port(row_of[edge.property]),
                edge.output,
            )
            links.append((link, edge.source, edge.output))
    return links


def _annotation(graph: Graph, source: int, output: int) -> object:
    return list(graph.nodes[source].spec.outputs.values())[output].annotation


def _document(parts: list[str], layout: Layout, title: str) -> str:
    wide, high = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    name = _escaped(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-MARGIN:g} {-MARGIN:g} {wide:g}'
        f' {high:g}" width="{wide:g}" height="{high:g}" role="img" aria-label="{name}"'
        ' font-family="system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"'
        f' font-size="{FONT:g}">\n<title>{name}</title>\n<style>{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _edge(points: list[tuple[float, float]], colour: str) -> str:
    """Return a curve through the gaps between columns, straight along the lanes."""
    path = [f"M{points[0][0]:g},{points[0][1]:.1f}"]
    for number in range(0, len(points) - 1, 2):
        (x1, y1), (x2, y2) = points[number], points[number + 1]
        if number:
            path.append(f"L{x1:g},{y1:.1f}")
        middle = min((x2 - x1) / 2, GAP_X)
        path.append(f"C{x1 + middle:g},{y1:.1f} {x2 - middle:g},{y2:.1f} {x2:g},{y2:.1f}")
    return f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _draw(box: _Box, x: float, y: float) -> str:
    room = WIDTH - 2 * PADDING - 4
    inner = WIDTH - 0.6
    header = (
        f"M.6,{HEADER:g} V8 A7.4,7.4 0 0 1 8,.6 H{WIDTH - 8:g} A7.4,7.4 0 0 1 {inner:g},8"
        f" V{HEADER:g} Z"
    )
    parts = [
        f'<g transform="translate({x:g},{y:.1f})">',
        (
            f'<rect class="nt-box" width="{WIDTH:g}" height="{box.height:g}" rx="8"'
            ' stroke-width="1.2"/>'
        ),
        f'<path class="nt-{_LOOKS.get(box.role, box.role).value}" d="{header}"/>',
        _label("nt-title", PADDING + 4, 17, fit(box.title, room, FONT * 1.08), size=FONT + 1),
        _label("nt-dim", PADDING + 4, 32, fit(box.subtitle, room, FONT - 1), size=FONT - 1),
    ]
    for number, row in enumerate(box.rows):
        parts += _row(row, box.port(number))
    return "\n".join([*parts, "</g>"])


def _row(row: _Row, y: float) -> list[str]:
    parts = []
    right = 0.0
    if row.output:
        label = fit(row.output, WIDTH / 2 - 24, FONT)
        right = width(label, FONT) + 12
        parts.append(_handle(WIDTH, y, row.gives, True))
        parts.append(_label("nt-text", WIDTH - PADDING - 4, y + 4, label, anchor="end"))
    if row.property:
        room = WIDTH - 2 * PADDING - 4 - right
        name = fit(row.property, room if not row.value else max(room - 30, 40), FONT)
        value = fit(row.value, room - width(name, FONT) - 8, FONT) if row.value else ""
        text = _escaped(name) + (
            f'<tspan class="nt-dim" dx="6">{_escaped(value)}</tspan>' if value else ""
        )
        parts.append(_handle(0, y, row.accepts, row.connected))
        parts.append(f'<text class="nt-text" x="{PADDING + 4:g}" y="{y + 4:g}">{text}</text>')
    return parts


def _handle(x: float, y: float, annotation: object, filled: bool) -> str:
    """Return a round handle; a square one for lists."""
    colour = _colour(annotation)
    fill = f'fill="{colour}"' if filled else 'class="nt-hollow"'
    if _is_list(annotation):
        return (
            f'<rect x="{x - 4:g}" y="{y - 4:g}" width="8" height="8" {fill} stroke="{colour}"'
            ' stroke-width="1.5"/>'
        )
    return f'<circle cx="{x:g}" cy="{y:g}" r="4.5" {fill} stroke="{colour}" stroke-width="1.5"/>'


def _label(
    kind: str, x: float, y: float, text: str, *, size: float = FONT, anchor: str = "start"
) -> str:
    scale = f' font-size="{size:g}"' if size != FONT else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{scale}{place}>{_escaped(text)}</text>'


def _is_list(annotation: object) -> bool:
    return any(
        getattr(member, "__origin__", member) in (list, tuple, set)
        for member in union_members(annotation)
    )


def _colour(annotation: object) -> str:
    return _COLOURS[_family(annotation)]


def _family(annotation: object) -> str:
    """
    Return what a type is about, for its colour.

    A list like its items, an optional like what it may be.
    """
    members = [member for member in union_members(annotation) if member not in (None, type(None))]
    if choices(annotation) is not None:
        return "choice"
    if len(members) != 1:
        return "any"
    kind = members[0]
    arguments = getattr(kind, "__args__", ())
    if _is_list(kind) and arguments and arguments[0] is not kind:
        return _family(arguments[0])
    if not isinstance(kind, type):
        return "any"
    families: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "switch"),
        ((int, float), "number"),
        (str, "text"),
        (ColorRef, "colour"),
        (FolderRef, "file"),
        (ImageRef, "image"),
        (AssetRef, "file"),
        (ModelRef, "model"),
    ]
    return next((name for base, name in families if issubclass(kind, base)), "any")


def _escaped(text: str) -> str:
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text), {'"': "&quot;"})
