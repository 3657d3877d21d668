"""Lists made of values, of other lists, and of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import zip_longest
from typing import Annotated, Any, Final, Literal, NamedTuple

from nodes._natural import natural
from nodes._numbers import checked, exact, rounded
from nodes._values import Values
from nodetool_core import Field, Lane, Node, NodeError

MAX_ITEMS: Final = 1_000_000


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
    synonyms = ("Make List", "Create List", "List of Any", "To List", "Batch Any")
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

    synonyms = ("Create Tuple", "Pair")

    lane = Lane.INLINE
    dynamic = True

    def process(
        self,
    ) -> Annotated[tuple, "The values, ordered by the names of their properties."]:  # type: ignore[type-arg]
        return tuple(self.dynamic_values[name] for name in sorted(self.dynamic_values, key=natural))


class Append(Node):
    """
    Adds a value to a list, at its end or at another place.
    list, append, insert, add

    Use cases:
    - Put the original in front of the results of a loop
    - Add one more prompt to those of a file
    """

    lane = Lane.INLINE
    synonyms = ("Add to List", "Insert", "List Append", "Push")

    values: Values = Field(default=[], description="The list.")
    value: Any = Field(default=None, description="The value to add; a list is added as one value.")
    index: int = Field(
        default=-1,
        description=(
            "Its place in the new list, from 0; below 0 counts from the end: -1 is the last place."
        ),
    )

    def process(self) -> Annotated[Values, "The list with the value."]:
        places = len(self.values) + 1
        if not -places <= self.index < places:
            raise NodeError(
                f"There is no place {self.index} for a value among {places - 1} others.",
                f"Give a place from {-places} to {places - 1}.",
                where="index",
            )
        values = list(self.values)
        values.insert(self.index % places, self.value)
        return values


class Extend(Node):
    """
    Puts lists together, one after the other. Connect more of them to properties of any name: they
    follow ordered by name, numbers by value. A value that is no list counts as a list of one.
    list, extend, concatenate, join, merge, combine

    Use cases:
    - Run one loop over the images of two folders
    - Put prompts of several kinds into one list
    """

    lane = Lane.INLINE
    dynamic = True
    synonyms = ("Concatenate Lists", "Join Lists", "Merge Lists", "List Concat", "Combine Lists")

    values: Values = Field(default=[], description="First list.")
    other: Values = Field(default=[], description="Second list.")

    def process(self) -> Annotated[Values, "The items of all lists, in order."]:
        more = [self.dynamic_values[name] for name in sorted(self.dynamic_values, key=natural)]
        return [
            item for values in (self.values, self.other, *map(as_list, more)) for item in values
        ]


class Zip(Node):
    """
    Puts the items of several lists together by their places: first with first, second with second.
    Connect lists to properties of any name, ordered by name, numbers by value.
    list, zip, pair, combine, transpose

    Use cases:
    - Run a loop over images and their prompts together
    - Give each image of a folder a label of its own
    """

    lane = Lane.INLINE
    dynamic = True
    synonyms = ("Pair Lists", "Zip Lists", "Combine Lists", "Transpose List")

    kind: Literal["lists", "dictionaries"] = Field(
        default="lists",
        description=(
            "What the items are: lists of values, or values by the names of the properties."
        ),
    )
    length: Literal["shortest", "longest"] = Field(
        default="shortest",
        description="How long the result is; beside a longer list, a shorter one has `fill`.",
    )
    fill: Any = Field(default=None, description="What shorter lists are filled up with.")

    def process(self) -> Annotated[Values, "The items that belong together, in order."]:
        names = sorted(self.dynamic_values, key=natural)
        lists = [as_list(self.dynamic_values[name]) for name in names]
        rows: Iterable[tuple[Any, ...]] = (
            zip(*lists, strict=False)
            if self.length == "shortest"
            else zip_longest(*lists, fillvalue=self.fill)
        )
        if self.kind == "lists":
            return [list(row) for row in rows]
        return [dict(zip(names, row, strict=True)) for row in rows]


class Numbers(NamedTuple):
    numbers: Annotated[list[float], "The numbers."]
    integers: Annotated[list[int], "The same as whole numbers, halves rounded away from zero."]


class Range(Node):
    """
    Makes a list of numbers: from one to another by a step, or so many evenly spaced.
    list, range, number, sequence, steps

    Use cases:
    - Run a loop over strengths from 0.2 to 0.8
    - Try several seeds
    """

    lane = Lane.INLINE
    synonyms = (
        "Number Range",
        "Sequence",
        "List Range",
        "linspace",
        "arange",
        "Float Range",
        "Count",
    )

    start: float = Field(default=0.0, description="First number.")
    stop: float = Field(
        default=10.0, description="Where it ends; with a step, this one is left out."
    )
    step: float = Field(
        default=1.0, description="Distance of the numbers; below 0 for a list that goes down."
    )
    count: int = Field(
        default=0,
        ge=0,
        le=MAX_ITEMS,
        description="How many numbers, with both ends, whatever the step; 0 to go by the step.",
    )

    def process(self) -> Numbers:
        start, stop = checked(self.start), checked(self.stop)
        if self.count == 1:
            return _numbers([start])
        if self.count:
            last = self.count - 1
            shares = (place / last for place in range(self.count))
            return _numbers([start * (1 - share) + stop * share for share in shares])
        if not self.step:
            raise NodeError("A step of 0 never comes to an end.", "Give a step, or a count.")
        # In decimals, 0 to 1 by 0.1 has ten numbers, and 0.3 is 0.3.
        first, step = exact(start), exact(checked(self.step))
        length = (exact(stop) - first) / step
        if length > MAX_ITEMS:
            raise NodeError(
                f"There would be more than {MAX_ITEMS:,} numbers.", "Give a larger step."
            )
        places = range(max(0, math.ceil(length)))
        if isinstance(self.start, int) and isinstance(self.step, int):
            return _numbers([self.start + place * self.step for place in places])
        return _numbers([float(first + place * step) for place in places])


def as_list(value: object) -> Values:
    """Return a list as it is, and any other value as a list of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _numbers(numbers: list[float]) -> Numbers:
    return Numbers(numbers, [int(rounded(checked(number), 1, "nearest")) for number in numbers])
