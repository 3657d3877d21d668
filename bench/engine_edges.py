"""
What handing a value on costs.

A chain of nodes that take a value and give it again, with the cache off.
"""

from __future__ import annotations

import gc
from statistics import median
from time import perf_counter
from typing import Any, Final

from engine_figures import Figure, graph_of

from nodetool_core import Context, ImageRef, Lane, Node, Role
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.engine import Engine

LENGTH: Final = 200
SIDE: Final = 2048
"""Of an image of 4 megapixels."""
NUMBERS: Final = 1_000


_marks: list[float] = []
"""When the first node was done, and when the last one began."""


class ImageNode(Node):
    """Makes an image."""

    side: int

    def process(self, context: Context) -> ImageRef:
        from PIL import Image

        image = context.image_from_pil(Image.new("RGB", (self.side, self.side), "white"))
        _marks.append(perf_counter())
        return image


class Number(Node):
    """Gives a number."""

    number: int

    def process(self) -> int:
        _marks.append(perf_counter())
        return self.number


class Numbers(Node):
    """Makes a list of numbers."""

    count: int

    def process(self) -> list[int]:
        numbers = list(range(self.count))
        _marks.append(perf_counter())
        return numbers


class SameImage(Node):
    """Opens an image and gives it again."""

    lane = Lane.INLINE

    value: ImageRef

    def process(self, context: Context) -> ImageRef:
        return context.image_from_pil(context.image(self.value))


class SameNumbers(Node):
    """Gives a list again."""

    lane = Lane.INLINE

    value: list[int]

    def process(self) -> list[int]:
        return self.value


class SameNumber(Node):
    """Gives a number again."""

    lane = Lane.INLINE

    value: int

    def process(self) -> int:
        return self.value


class Last(Node):
    """The workflow's output, which holds nothing."""

    lane = Lane.INLINE
    role = Role.OUTPUT

    name: str = "result"
    value: Any

    def process(self) -> bool:
        _marks.append(perf_counter())
        return self.value is not None


CHAINS: Final[dict[str, tuple[str, type[Node], type[Node], dict[str, Any]]]] = {
    "edge number": ("a number", Number, SameNumber, {"number": 1}),
    "edge list": (f"a list of {NUMBERS:,} numbers", Numbers, SameNumbers, {"count": NUMBERS}),
    "edge image": ("an image of 4 MP", ImageNode, SameImage, {"side": SIDE}),
}
"""By what their cost is held to."""


def edges(repeats: int) -> list[Figure]:
    """Return the seconds per node of each chain."""
    figures = []
    for row, (what, first, same, data) in CHAINS.items():
        nodes = [{"id": "n0", "type": first.spec.node_type, "data": data}]
        nodes += [
            {"id": f"n{number}", "type": same.spec.node_type, "data": {}}
            for number in range(1, LENGTH)
        ]
        nodes.append({"id": "out", "type": Last.spec.node_type, "data": {}})
        ends = [
            (f"n{number - 1}", f"n{number}" if number < LENGTH else "out", "value")
            for number in range(1, LENGTH + 1)
        ]
        graph = graph_of((first, same, Last), nodes, ends)
        walls = []
        with Engine(cache=MemoryCache(0)) as engine:
            for _ in range(repeats):
                gc.collect()
                _marks.clear()
                engine.start(graph).result()
                walls.append(_marks[-1] - _marks[0])
        figures.append(Figure(row, f"handing on {what}, per node", median(walls) / LENGTH))
    return figures


__all__ = ["edges"]
