"""Outlines of shapes, as polygons: corners in pixels, curves in straight parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

Point = tuple[float, float]
Polygon = Sequence[Point]
Edges = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

_FLATNESS: Final = 0.02
"""How far the straight parts of a curve may be from it, in pixels."""


def ellipse(edges: Edges) -> Polygon:
    """Return the ellipse in a box."""
    left, top, right, bottom = edges
    radii = ((right - left) / 2, (bottom - top) / 2)
    middle = ((left + right) / 2, (top + bottom) / 2)
    return _arc(middle, radii, 0, 1, _parts(max(radii)))


def rounded(edges: Edges, radius: float) -> Polygon:
    """Return a rectangle with round corners."""
    left, top, right, bottom = edges
    radius = min(radius, (right - left) / 2, (bottom - top) / 2)
    if radius <= 0:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    middles = (
        (left + radius, top + radius),
        (right - radius, top + radius),
        (right - radius, bottom - radius),
        (left + radius, bottom - radius),
    )
    parts = max(2, _parts(radius) // 4)
    return [
        point
        for corner, middle in enumerate(middles)
        for point in _arc(middle, (radius, radius), 0.5 + corner / 4, 0.25, parts)
    ]


def star(edges: Edges) -> list[Point]:
    """Return a star with five points whose sides go on in one another."""
    left, top, right, bottom = edges
    middle, radii = (
        ((left + right) / 2, (top + bottom) / 2),
        ((right - left) / 2, (bottom - top) / 2),
    )
    inner = math.cos(0.4 * math.pi) / math.cos(0.2 * math.pi)
    points = []
    for corner in range(10):
        reach, angle = (1.0, inner)[corner % 2], math.pi * (corner / 5 - 0.5)
        points.append(
            (
                middle[0] + radii[0] * reach * math.cos(angle),
                middle[1] + radii[1] * reach * math.sin(angle),
            )
        )
    return points


def stroke(points: list[Point], width: float) -> list[Polygon]:
    """Return a line through points, with round ends and bends."""
    if not width:
        return []
    half = width / 2
    polygons: list[Polygon] = []
    for (x, y), (next_x, next_y) in pairwise(points):
        length = math.hypot(next_x - x, next_y - y)
        if length:
            across, down = (next_y - y) / length * half, (x - next_x) / length * half
            polygons.append(
                [
                    (x + across, y + down),
                    (next_x + across, next_y + down),
                    (next_x - across, next_y - down),
                    (x - across, y - down),
                ]
            )
    polygons += [ellipse((x - half, y - half, x + half, y + half)) for x, y in points]
    return polygons


def arrow(start: Point, end: Point, width: float) -> list[Polygon]:
    """Return a line with a head, whose tip is where it ends."""
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    if not width or not length:
        return []
    along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    head = min(length, 4 * width)
    neck = (end[0] - along[0] * head, end[1] - along[1] * head)
    # The line ends within the head, not at its tip, which is thinner.
    shaft = (end[0] - along[0] * head * 0.75, end[1] - along[1] * head * 0.75)
    side = (-along[1] * head / 2, along[0] * head / 2)
    tip: Polygon = [
        end,
        (neck[0] + side[0], neck[1] + side[1]),
        (neck[0] - side[0], neck[1] - side[1]),
    ]
    return [tip, *(stroke([start, shaft], width) if head < length else [])]


def _parts(radius: float) -> int:
    """Return into how many straight parts a circle is divided."""
    if radius <= _FLATNESS:
        return 8
    return max(8, math.ceil(math.pi / math.acos(1 - _FLATNESS / radius)))


def _arc(middle: Point, radii: Point, start: float, turn: float, parts: int) -> list[Point]:
    """Return points along an arc of an ellipse; angles in turns, clockwise from the right."""
    angles = [2 * math.pi * (start + turn * part / parts) for part in range(parts + 1)]
    return [
        (middle[0] + radii[0] * math.cos(angle), middle[1] + radii[1] * math.sin(angle))
        for angle in angles
    ]
