"""
A layered layout: boxes in columns, edges from left to right.

The idea is Sugiyama's, in three steps. (1) A node's column is its longest distance from a source; a
source stands right before the first that takes from it. (2) An edge that passes a column gets a
place of its own there (a *lane*, shared by the edges of one output), so that it runs between boxes
instead of behind them; columns are ordered by the barycentre of their neighbours, to and fro. (3)
Heights: everything wants to be level with its neighbours; where that overlaps, the least squares
solution that keeps order and distances is taken (isotonic regression by pooling adjacent
violators).

Invariant: boxes of one column do not overlap, whatever the graph. Cost: O((V + E + lanes) log V)
per sweep, and nothing recurses. Where lanes would outgrow the graph (long chains with far edges)
there are none, and edges pass behind boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SWEEPS = 6
LANE_HEIGHT = 10.0
MOST_LANES = 4_000


@dataclass(frozen=True)
class Link:
    """
    An edge between boxes: from the port of one, at a height below its top, to a port of another.
    """

    source: int
    source_port: float
    target: int
    target_port: float
    handle: int = 0
    """Number of the output at the source; edges of one output share lanes."""


@dataclass(frozen=True)
class Place:
    """Where a box's upper left corner is."""

    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    places: list[Place]
    routes: list[list[tuple[float, float]]]
    """
    Points per link: the source's port, where it enters and leaves each lane, the target's port.
    """
    width: float
    height: float


@dataclass
class _Item:
    """A box, or a lane, in a column."""

    column: int
    height: float
    y: float = 0.0
    before: list[tuple[int, float, float]] = field(default_factory=list)
    """Neighbours in the column before: item, its port's height, the own port's height."""
    after: list[tuple[int, float, float]] = field(default_factory=list)


def lay_out(
    heights: Sequence[float], links: Sequence[Link], *, width: float, gap_x: float, gap_y: float
) -> Layout:
    """
    Return places for boxes of given heights and one width.

    Args:
        links: Edges without a cycle, between boxes that stand in topological order.
    """
    columns = _columns(len(heights), links)
    items = [_Item(column, height) for column, height in zip(columns, heights, strict=True)]
    lanes = _add_lanes(items, links)
    by_column: list[list[int]] = [[] for _ in range(max(columns, default=-1) + 1)]
    for index, item in enumerate(items):
        by_column[item.column].append(index)
    _order(items, by_column)
    _set_heights(items, by_column, gap_y)
    top = min((item.y for item in items), default=0.0)
    bottom = max((item.y + item.height for item in items), default=0.0)
    places = [Place(item.column * (width + gap_x), item.y - top) for item in items[: len(heights)]]
    routes = [
        _route(link, chain, items, places, top, width, gap_x)
        for link, chain in zip(links, lanes, strict=True)
    ]
    return Layout(places, routes, max(0.0, len(by_column) * (width + gap_x) - gap_x), bottom - top)


def _columns(count: int, links: Sequence[Link]) -> list[int]:
    columns = [0] * count
    into: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        into[link.target].append(link.source)
    for target in range(count):
        columns[target] = max((columns[source] + 1 for source in into[target]), default=0)
    first_use: dict[int, int] = {}
    for link in links:
        first_use[link.source] = min(
            columns[link.target], first_use.get(link.source, columns[link.target])
        )
    return [
        first_use[index] - 1 if index in first_use and not into[index] else column
        for index, column in enumerate(columns)
    ]


def _add_lanes(items: list[_Item], links: Sequence[Link]) -> list[list[int]]:
    """
    Connect neighbours, through lanes where an edge passes columns. Gives the lanes of each link.
    """
    boxes = len(items)
    spans: dict[tuple[int, int], int] = {}
    for link in links:
        span = items[link.target].column - items[link.source].column - 1
        spans[link.source, link.handle] = max(span, spans.get((link.source, link.handle), 0))
    with_lanes = sum(spans.values()) <= MOST_LANES
    known: dict[tuple[int, int, int], int] = {}
    chains: list[list[int]] = []
    for link in links:
        last, port, chain = link.source, link.source_port, []
        passed = (
            range(items[link.source].column + 1, items[link.target].column) if with_lanes else ()
        )
        for column in passed:
            key = (link.source, link.handle, column)
            if key not in known:
                known[key] = len(items)
                items.append(_Item(column, LANE_HEIGHT))
                _connect(items, last, port, known[key], LANE_HEIGHT / 2)
            last, port = known[key], LANE_HEIGHT / 2
            chain.append(last)
        _connect(items, last, port, link.target, link.target_port)
        chains.append(chain)
    assert all(lane >= boxes for chain in chains for lane in chain)
    return chains


def _connect(
    items: list[_Item], source: int, source_port: float, target: int, target_port: float
) -> None:
    items[target].before.append((source, source_port, target_port))
    items[source].after.append((target, target_port, source_port))


def _order(items: list[_Item], by_column: list[list[int]]) -> None:
    """Order each column by where its neighbours stand in theirs."""
    rank = {index: float(position) for column in by_column for position, index in enumerate(column)}
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for column in by_column if forward else reversed(by_column):
            wanted = {}
            for index in column:
                neighbours = items[index].before if forward else items[index].after
                # The port counts a little: of two edges to one box, the upper one should come from
                # above.
                ranks = [rank[other] + port / 10_000 for other, port, _ in neighbours]
                wanted[index] = sum(ranks) / len(ranks) if ranks else rank[index]
            column.sort(key=lambda index: wanted[index])
            rank.update((index, float(position)) for position, index in enumerate(column))


def _set_heights(items: list[_Item], by_column: list[list[int]], gap: float) -> None:
    for column in by_column:
        y = 0.0
        for index in column:
            items[index].y = y
            y += items[index].height + gap
        for index in column:
            items[index].y -= y / 2
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for column in by_column if forward else reversed(by_column):
            wanted = []
            for index in column:
                item = items[index]
                neighbours = (item.before or item.after) if forward else (item.after or item.before)
                level = [items[other].y + port - own for other, port, own in neighbours]
                wanted.append(sum(level) / len(level) if level else item.y)
            for index, y in zip(
                column, _apart(wanted, [items[index].height + gap for index in column]), strict=True
            ):
                items[index].y = y


def _apart(wanted: list[float], distances: list[float]) -> list[float]:
    """
    Return heights as near as possible to the wanted ones, in order.

    Each is at least its distance above the next.
    """
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
    levels = [mean for mean, count in pools for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]


def _route(
    link: Link,
    chain: list[int],
    items: list[_Item],
    places: list[Place],
    top: float,
    width: float,
    gap_x: float,
) -> list[tuple[float, float]]:
    source, target = places[link.source], places[link.target]
    points = [(source.x + width, source.y + link.source_port)]
    for lane in chain:
        left, y = items[lane].column * (width + gap_x), items[lane].y - top + LANE_HEIGHT / 2
        points += [(left, y), (left + width, y)]
    points.append((target.x, target.y + link.target_port))
    return points
