"""Lists: their length, and parts of them."""

from __future__ import annotations

from typing import Annotated, Any

from nodes._natural import natural
from nodes._values import Values
from nodetool_core import Field, Lane, Node, NodeError


class MakeList(Node):
    """
    Makes a list of what is connected to it. Properties of any name are taken; the values are
    ordered by name, numbers by value (item_2 before item_10).
    list, make, gather, combine

    Use cases:
    - Give several results to a property that takes a list
    - Run a loop over values that other nodes made
    """

    lane = Lane.INLINE
    dynamic = True

    def process(
        self,
    ) -> Annotated[Values, "The values, ordered by the names of their properties."]:
        return [self.dynamic_values[name] for name in sorted(self.dynamic_values, key=natural)]


class MakeTuple(Node):
    """
    Makes a tuple of what is connected to it: a fixed number of values that belong together.
    Properties of any name are taken; the values are ordered by name, numbers by value.
    list, tuple, make, gather, combine

    Use cases:
    - Give a width and a height that other nodes worked out to a property that takes both
    - Keep values together on their way through a workflow
    """

    lane = Lane.INLINE
    dynamic = True

    def process(
        self,
    ) -> Annotated[tuple, "The values, ordered by the names of their properties."]:  # type: ignore[type-arg]
        return tuple(self.dynamic_values[name] for name in sorted(self.dynamic_values, key=natural))


class Length(Node):
    """
    Counts the items of a list.
    list, length, count, size

    Use cases:
    - Choose a branch by the number of images
    - Number the results of a loop
    """

    lane = Lane.INLINE

    values: Values = Field(default=[], description="The list.")

    def process(self) -> Annotated[int, "How many items there are."]:
        return len(self.values)


class GetElement(Node):
    """
    Takes one item out of a list.
    list, get, element, index, pick

    Use cases:
    - Continue with one of several images that a model made
    - Work on one tile of an image
    """

    lane = Lane.INLINE

    values: Values = Field(default=[], description="The list.")
    index: int = Field(
        default=0, description="Place of the item, from 0; below 0 counts from the end."
    )

    def process(self) -> Annotated[Any, "The item."]:
        count = len(self.values)
        if not -count <= self.index < count:
            hint = (
                f"Give a place from {-count} to {count - 1}."
                if count
                else "Connect a list with at least one item."
            )
            raise NodeError(f"There is no item {self.index} in a list of {count}.", hint)
        return self.values[self.index]


class Slice(Node):
    """
    Takes a part out of a list.
    list, slice, part, range, reverse

    Use cases:
    - Continue with the first images of a folder only
    - Take every second tile of an image
    """

    lane = Lane.INLINE

    values: Values = Field(default=[], description="The list.")
    start: int = Field(
        default=0,
        description=(
            "First item, from 0; below 0 counts from the end; going backwards, 0 is the last."
        ),
    )
    stop: int = Field(
        default=0,
        description="First item after the part; 0 for no limit, below 0 counts from the end.",
    )
    step: int = Field(default=1, description="Distance of the items; below 0 goes backwards.")

    def process(self) -> Annotated[Values, "The items."]:
        if not self.step:
            raise NodeError(
                "A step of 0 never comes to an end.",
                "Give 1 for every item, or -1 to turn the list around.",
            )
        start = None if self.step < 0 and not self.start else self.start
        return self.values[start : self.stop or None : self.step]
