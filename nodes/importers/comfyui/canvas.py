"""
The canvases of a file of ComfyUI's editor, and what a link on them leads to.

A file is a tree of canvases: its own, and one for each node that is an instance of a subgraph.
Every link is followed back to what it means (`Canvas.source`): through the borders of subgraphs,
reroutes, Set and Get nodes, and nodes that are bypassed. It ends at an output of a node that runs,
at a value, or at nothing. So what only leads links has no counterpart here, and needs none.

A value in the form of a subgraph's instance (a promoted widget) stands above that in the form of
the node inside. Of two instances in one another, the outer one counts.

Refused are subgraphs that contain themselves or are nested too deeply, more nodes than any
workflow has, and links that run in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from nodes.importers.comfyui.graph import Form, Inactive, Link, form, forms

MOST_NODES: Final = 20_000
DEEPEST: Final = 64
"""Of subgraphs inside one another."""

_MUTED, _BYPASSED = 2, 4
MODES: Final[Mapping[object, str]] = {_MUTED: "muted", _BYPASSED: "bypassed"}
"""Modes of a node, besides the usual one."""

_SETS: Final = frozenset({"SetNode", "easy setNode"})
_GETS: Final = frozenset({"GetNode", "easy getNode"})
LEADS: Final = frozenset({"PrimitiveNode", "Reroute", "Reroute (rgthree)", *_SETS, *_GETS})
"""Classes that only lead links."""

ABSENT: Final = object()


@dataclass(frozen=True)
class Source:
    """Where an input comes from."""

    value: object
    """A Link, a value, Inactive, or `ABSENT` where nothing is connected."""
    shown: str = ""
    """Its name in the file's app mode, where that shows it."""


NOTHING: Final = Source(ABSENT)


class DamagedError(Exception):
    """A file can't be read; the message says what of it."""


@dataclass
class Canvas:
    """One level of a file: its own nodes, or those of an instance of a subgraph."""

    nodes: dict[str, Form]
    links: dict[object, tuple[str, int]]
    """Source of each link: a node and its output, or the border and a number."""
    prefix: str = ""
    names: str = ""
    """The names of the subgraphs, from the outermost on."""
    outside: Canvas | None = None
    instance: Form = field(default_factory=dict)
    definition: Form = field(default_factory=dict)
    inside: dict[str, Canvas] = field(default_factory=dict)
    """The instances of subgraphs among the nodes."""
    promoted: dict[str, object] = field(default_factory=dict)
    """Values in the instance's form, by the inputs of its definition."""
    replaced: dict[tuple[str, str], object] = field(default_factory=dict)
    """Values in the instance's form, by node and widget inside."""
    app: set[tuple[str, str]] = field(default_factory=set)
    """Nodes and widgets that the file's app mode shows."""

    def source(self, link: object) -> Source:
        """
        Follow a link back to what it means.

        Raises DamagedError for a circle.
        """
        canvas, found = self, NOTHING
        for _ in range(MOST_NODES):
            if link is None or link not in canvas.links:
                return found
            origin, output = canvas.links[link]
            if canvas.outside is not None and origin == _border(canvas.definition, "inputNode"):
                name = _name(canvas.definition, output)
                instance, outside = canvas.instance, canvas.outside
                shown = (str(instance["id"]), name) in outside.app
                found = Source(
                    canvas.promoted.get(name, found.value), name if shown else found.shown
                )
                link = next(
                    (s.get("link") for s in slots_of(instance) if s.get("name") == name), None
                )
                canvas = outside
                continue
            node = canvas.nodes.get(origin)
            if node is None:
                return Source(Link(f"{canvas.prefix}{origin}", output))
            kind, mode = str(node["type"]), node.get("mode", 0)
            if kind == "PrimitiveNode":
                return Source(first_value(node, found.value), found.shown)
            if mode == _MUTED:
                return Source(Inactive(f"{kind} ({canvas.prefix}{origin})"))
            if mode == _BYPASSED:
                link = _passed_on(node, output)
            elif origin in canvas.inside:
                canvas = canvas.inside[origin]
                link = canvas.link_to_output(output)
            elif kind in LEADS:
                canvas, link = canvas.lead(node)
            else:
                return Source(Link(f"{canvas.prefix}{origin}", output))
        raise DamagedError("its links run in a circle")

    def link_to_output(self, number: int) -> object:
        """Return the link that leads to an output of the subgraph."""
        border = _border(self.definition, "outputNode")
        for link in _links(self.definition):
            number_of, target, slot = _link(link, "id", "target_id", "target_slot")
            if str(target) == border and slot == number:
                return number_of
        return None

    def lead(self, node: Form) -> tuple[Canvas, object]:
        """Return the link that a reroute, a Set or a Get node goes on with, and where it is."""
        if node["type"] not in _GETS:
            return self, next((slot.get("link") for slot in slots_of(node)), None)
        wanted, canvas = first_value(node, None), self
        while True:
            for other in canvas.nodes.values():
                if other["type"] in _SETS and first_value(other, None) == wanted:
                    return canvas, next((slot.get("link") for slot in slots_of(other)), None)
            if canvas.outside is None:
                return self, None
            canvas = canvas.outside

    def all_nodes(self) -> Iterator[tuple[Canvas, Form]]:
        """Yield the nodes of this level and of those inside, each with where it is."""
        for node_id, node in self.nodes.items():
            yield self, node
            if node_id in self.inside and node.get("mode", 0) not in MODES:
                yield from self.inside[node_id].all_nodes()


def _definitions(content: Form) -> dict[str, Form]:
    found = forms(form(content, "definitions"), "subgraphs")
    return {str(definition["id"]): definition for definition in found}


def tree_of(content: Form) -> Canvas:
    """
    Return the tree of canvases of a file.

    Raises DamagedError, or KeyError, TypeError and their like where its form is another.
    """
    top, definitions = _level(content), _definitions(content)
    top.app = _app_inputs(content)
    count = 0
    waiting: list[tuple[Canvas, tuple[str, ...]]] = [(top, ())]
    while waiting:
        canvas, above = waiting.pop()
        count += len(canvas.nodes)
        if count > MOST_NODES:
            raise DamagedError(f"it has more than {MOST_NODES} nodes")
        for node_id, node in canvas.nodes.items():
            kind = str(node["type"])
            if kind not in definitions or node.get("mode", 0) in MODES:
                continue
            name = str(definitions[kind].get("name") or kind)
            if kind in above:
                raise DamagedError(f"the subgraph {name!r} contains itself")
            if len(above) >= DEEPEST:
                raise DamagedError(f"its subgraphs are nested more than {DEEPEST} deep")
            inside = _instance(canvas, node, definitions[kind], name)
            canvas.inside[node_id] = inside
            waiting.append((inside, (*above, kind)))
    return top


def _level(content: Form) -> Canvas:
    links = {}
    for link in _links(content):
        number, origin, output = _link(link, "id", "origin_id", "origin_slot")
        links[number] = (str(origin), _whole(output))
    return Canvas({str(node["id"]): node for node in forms(content, "nodes")}, links)


def _instance(outside: Canvas, node: Form, definition: Form, name: str) -> Canvas:
    """Return the canvas of a subgraph as one of its instances has it."""
    canvas = _level(definition)
    canvas.prefix = f"{outside.prefix}{node['id']}:"
    canvas.names = f"{outside.names}, {name}" if outside.names else name
    canvas.outside, canvas.instance, canvas.definition = outside, node, definition
    values = node.get("widgets_values")
    if not isinstance(values, list) or not values:
        return canvas
    proxies = form(node, "properties").get("proxyWidgets")
    if isinstance(proxies, list) and len(proxies) == len(values):
        for proxy, value in zip(proxies, values, strict=True):
            inner, widget = _two_texts(proxy)
            if inner == "-1":
                canvas.promoted[widget] = value
            else:
                canvas.replaced[inner, widget] = value
        return canvas
    names = _promoted_names(canvas)
    if len(names) == len(values):
        canvas.promoted = dict(zip(names, values, strict=True))
    return canvas


def _promoted_names(canvas: Canvas) -> list[str]:
    """Return the inputs of a subgraph that lead to widgets, in the order of its form."""
    border = _border(canvas.definition, "inputNode")
    to_widgets = set()
    for link in _links(canvas.definition):
        origin, slot, target, at = _link(
            link, "origin_id", "origin_slot", "target_id", "target_slot"
        )
        slots = slots_of(canvas.nodes.get(str(target), {}))
        at = _whole(at)
        if str(origin) == border and 0 <= at < len(slots) and slots[at].get("widget"):
            to_widgets.add(slot)
    inputs = forms(canvas.definition, "inputs")
    return [str(slot["name"]) for number, slot in enumerate(inputs) if number in to_widgets]


def _app_inputs(content: Form) -> set[tuple[str, str]]:
    """Return the nodes and widgets that the app mode of a file shows."""
    shown = form(form(content, "extra"), "linearData").get("inputs")
    return {_two_texts(entry) for entry in shown} if isinstance(shown, list) else set()


def _two_texts(value: object) -> tuple[str, str]:
    """Return a pair of a node's id and a widget's name."""
    if not isinstance(value, list) or len(value) < 2:
        raise TypeError("a node and the name of a widget are expected")
    return str(value[0]), str(value[1])


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"the number of an input or an output is {value!r}")
    return value


def _passed_on(node: Form, output: int) -> object:
    """
    Return the link that stands for an output of a node that is bypassed.

    By the editor's rule: the input of the same number where its type fits, else the first that
    fits.
    """
    slots = slots_of(node)
    outputs = forms(node, "outputs")
    kind = outputs[output].get("type") if 0 <= output < len(outputs) else None
    same = slots[output : output + 1] if output >= 0 else []
    fitting = [slot for slot in (*same, *slots) if _fits(slot.get("type"), kind)]
    return fitting[0].get("link") if fitting else None


def _fits(one: object, other: object) -> bool:
    """Return whether two types can be connected; several stand in one text, with commas."""
    if "*" in (one, other) or "" in (one, other):
        return True
    return bool({*str(one).lower().split(",")} & {*str(other).lower().split(",")})


def slots_of(node: Form) -> list[Form]:
    return forms(node, "inputs")


def first_value(node: Form, default: object) -> object:
    """Return the first value of a node's form."""
    values = node.get("widgets_values")
    if isinstance(values, Mapping):
        values = list(values.values())
    return values[0] if isinstance(values, list) and values else default


def _name(definition: Form, number: int) -> str:
    inputs = forms(definition, "inputs")
    return str(inputs[number]["name"]) if 0 <= number < len(inputs) else ""


def _border(definition: Form, name: str) -> str:
    """Return the id that stands for the inputs or the outputs of a subgraph."""
    usual = {"inputNode": -10, "outputNode": -20}
    return str(form(definition, name).get("id", usual[name]))


def _links(of: Form) -> list[object]:
    """Return the links of a canvas; nulls among them are places that are free."""
    found = of.get("links") or []
    if not isinstance(found, list):
        raise TypeError("'links' is no list")
    return [link for link in found if link is not None]


def _link(link: object, *names: str) -> list[object]:
    """Return parts of a link, which newer files write as objects and older ones as lists."""
    if isinstance(link, Mapping):
        return [link[name] for name in names]
    if not isinstance(link, list):
        raise TypeError(f"a link is {link!r}")
    order = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return [link[order.index(name)] for name in names]
