"""
Graphs of trivial work, in three shapes: the same for every engine that is measured.

    chain    each node takes what the one before it gave
    fan      one source, which all others take; one node that takes them all
    layers   about sqrt(n) layers of as many nodes; each takes its neighbour above and another one
             of that layer, drawn at random

Node `i` takes the values of `parents[i]`, all of which have lower numbers, and its own number, so
that no two nodes are the same work. Every node is needed for the last one, which is the result.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SHAPES: Final = ("chain", "fan", "layers")
SIZES: Final = (100, 1_000, 10_000, 100_000)

_MASK: Final = 0xFFFF_FFFF
_SEED: Final = 7


def source(number: int) -> int:
    """Return the work of a node without inputs."""
    return number + 1


def add(number: int, a: int) -> int:
    """Return the work of a node with one input."""
    return (a + number) & _MASK


def mix(number: int, a: int, b: int) -> int:
    """Return the work of a node with two inputs."""
    return (a + 3 * b + number) & _MASK


def total(number: int, *values: int) -> int:
    """Return the work of the node that takes a whole layer."""
    return (sum(values) + number) & _MASK


Work = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Shape:
    """A graph: whose values each node takes."""

    name: str
    parents: list[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.parents)

    def work(self, node: int) -> Work:
        """Return what a node does: called with its number and the values of its parents."""
        if node == len(self.parents) - 1 and self.name != "chain":
            return total
        return (source, add, mix)[len(self.parents[node])]

    def result(self) -> int:
        """Return the value of the last node."""
        values: list[int] = []
        for node, parents in enumerate(self.parents):
            values.append(self.work(node)(node, *[values[parent] for parent in parents]))
        return values[-1]


def shape(name: str, size: int) -> Shape:
    """Return a graph of `size` nodes."""
    parents: list[tuple[int, ...]] = [()]
    if name == "chain":
        parents += [(node - 1,) for node in range(1, size)]
    elif name == "fan":
        parents += [(0,) for _ in range(1, size - 1)]
        parents.append(tuple(range(1, size - 1)))
    elif name == "layers":
        parents += _layers(size)
    else:
        raise ValueError(f"There is no shape {name!r}, only {', '.join(SHAPES)}.")
    return Shape(name, parents)


def _layers(size: int) -> list[tuple[int, ...]]:
    """Return everything after the source: layers, and the node that takes the last of them."""
    draw = random.Random(_SEED)
    width = math.isqrt(size)
    parents: list[tuple[int, ...]] = []
    above = [0]
    while len(parents) < size - 2:
        first = len(parents) + 1
        count = min(width, size - 2 - len(parents))
        parents += [(above[place % len(above)], draw.choice(above)) for place in range(count)]
        # A last layer that is not full leaves the rest of the one above it for the end.
        above = [*range(first, first + count), *above[count:]]
    return [*parents, tuple(above)]
