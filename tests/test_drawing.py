"""Drawings are valid, complete, and nothing in a file can break out of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodetool_core import Registry, Workflow
from nodetool_core.drawing import graph_mermaid, graph_svg, node_svg
from nodetool_core.drawing.labels import fit, short, width
from nodetool_core.drawing.layout import Link, lay_out
from nodetool_core.graph import Graph
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

FILES = sorted((Path(__file__).parents[1] / "graphs").glob("*.json"))
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> str:
    return "\n".join(
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")
    )


def chain(*values: str) -> Graph:
    """Text constants that go into one another's template."""
    nodes: list[dict[str, Any]] = [
        {"id": value, "type": "nodetool.constant.String", "data": {"value": value}}
        for value in values
    ]
    nodes.append({"id": "out", "type": "nodetool.output.Output", "data": {"name": "out"}})
    edges = [
        {"source": values[0], "sourceHandle": "output", "target": "out", "targetHandle": "value"}
    ]
    return build_graph(
        WorkflowDocument.from_json({"graph": {"nodes": nodes, "edges": edges}}),
        Registry.installed(),
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples_are_drawn_with_every_node_and_edge(path: Path) -> None:
    graph = Workflow.load(path).graph
    svg, mermaid = graph_svg(graph), graph_mermaid(graph)
    edges = sum(len(node.inputs) for node in graph.nodes)
    assert (
        len(
            [
                path
                for path in ElementTree.fromstring(svg).iter(f"{SVG}path")
                if path.get("fill") == "none"
            ]
        )
        == edges
    )
    assert mermaid.count("-->|") == edges
    for node in graph.nodes:
        assert node.spec.title in texts(svg) and node.spec.title in mermaid
        assert node.id in texts(svg)


@pytest.mark.parametrize(
    "nasty",
    [
        '</text><script>"&',
        "]]> -->|x| `**b**`",
        "\x00\x1b\ufffe",
        "#quot; end",
        "a\nb\r\n",
        "漢字 🏔",
    ],
)
def test_nothing_breaks_out(nasty: str) -> None:
    graph = chain(nasty)
    root = ElementTree.fromstring(graph_svg(graph, title=nasty))
    assert root.find(f".//{SVG}script") is None
    lines = graph_mermaid(graph).splitlines()
    assert len(lines) == 1 + 2 + 1 + 2 and all(line.count('"') in (0, 2) for line in lines)
    assert "<script" not in graph_mermaid(graph)


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_text_gives_valid_xml(text: str) -> None:
    ElementTree.fromstring(graph_svg(chain(text), title=text))


def test_every_installed_node_can_be_drawn() -> None:
    for node in Registry.installed():
        assert node.spec.title in texts(node_svg(node.spec, node.role))


def test_an_empty_graph_is_an_empty_drawing() -> None:
    ElementTree.fromstring(graph_svg(Graph([])))
    assert graph_mermaid(Graph([])) == "flowchart LR\n"


@st.composite
def layered(draw: st.DrawFn) -> tuple[list[float], list[Link]]:
    count = draw(st.integers(1, 25))
    heights = [float(draw(st.integers(20, 200))) for _ in range(count)]
    pairs = draw(
        st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=60)
    )
    return heights, [
        Link(source, 10.0, target, 12.0) for source, target in sorted(pairs) if source < target
    ]


@settings(max_examples=100, deadline=None)
@given(layered())
def test_boxes_never_overlap_and_edges_go_right(case: tuple[list[float], list[Link]]) -> None:
    heights, links = case
    layout = lay_out(heights, links, width=100, gap_x=50, gap_y=10)
    columns: dict[float, list[tuple[float, float]]] = {}
    for place, height in zip(layout.places, heights, strict=True):
        columns.setdefault(place.x, []).append((place.y, height))
        assert place.y >= -1e-6 and place.y + height <= layout.height + 1e-6
    for boxes in columns.values():
        for (y, height), (below, _) in pairwise(sorted(boxes)):
            assert y + height + 10 <= below + 1e-6
    for link, route in zip(links, layout.routes, strict=True):
        assert layout.places[link.source].x < layout.places[link.target].x
        assert all(x1 <= x2 for (x1, _), (x2, _) in pairwise(route)) and len(route) % 2 == 0


def test_a_long_edge_runs_between_boxes() -> None:
    links = [Link(0, 10, 1, 10), Link(1, 10, 2, 10), Link(0, 10, 2, 30)]
    layout = lay_out([40, 40, 40], links, width=100, gap_x=50, gap_y=10)
    _, (_, lane), _, _ = layout.routes[2]
    middle = layout.places[1]
    assert not middle.y <= lane <= middle.y + 40


def test_large_graphs_are_no_special_case() -> None:
    links = [Link(index, 10, index + 1, 10) for index in range(5_000)] + [
        Link(0, 10, index, 20) for index in range(2, 5_000)
    ]
    assert lay_out([40] * 5_001, links, width=100, gap_x=50, gap_y=10).width > 0


def test_texts_are_cut_to_their_room() -> None:
    assert fit("short", 200, 12) == "short"
    cut = fit("a very long text indeed " * 9, 100, 12)
    assert cut.endswith("…") and width(cut, 12) <= 100
    assert (
        short("x" * 99, 10) == "xxxxxxxxx…"
        and short([1]) == "1 item"
        and short(None) == "none"
        and short("") == '""'
    )
