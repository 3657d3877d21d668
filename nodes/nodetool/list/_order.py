"""Lists in another order, without repetitions, without lists in them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, NamedTuple

from nodes._json_path import found_at, read_path
from nodes._natural import natural
from nodes._values import Values
from nodetool_core import Field, Lane, Node, NodeError

_BY: Final = (
    "Where the value is that counts, for items that are dictionaries: a name, or a JSONPath such as"
    " `$.scene.hour`; empty for the item itself."
)


class Sort(Node):
    """
    Orders a list: numbers by size, texts by their letters, missing values first. Items that are
    equal keep their order.
    list, sort, order, rank

    Use cases:
    - Number files as people do (image_2 before image_10)
    - Put the sharpest of several images first
    """

    lane = Lane.INLINE
    synonyms = ("Sort List", "Order By", "Natural Sort", "Rank")

    values: Values = Field(default=[], description="List to order: numbers, texts or dictionaries.")
    by: str = Field(default="", description=_BY)
    descending: bool = Field(default=False, description="Whether the greatest comes first.")
    text_order: Literal["natural", "exact"] = Field(
        default="natural",
        description=(
            "How texts are compared: `natural` reads numbers in them and takes capitals as small"
            " letters, `exact` goes by the code of each character."
        ),
    )

    def process(self) -> Annotated[Values, "The list in order."]:
        keys = [self._key(place, item) for place, item in enumerate(self.values)]
        # Equal ones keep their order in this direction as well: `reverse` of sorted does so.
        order = sorted(range(len(keys)), key=keys.__getitem__, reverse=self.descending)
        return [self.values[place] for place in order]

    def _key(self, place: int, item: object) -> _Key:
        value = value_by(self.by, item)
        if value is None:
            return 0, 0.0, ()
        if isinstance(value, (int, float)):
            return 1, value, ()
        if isinstance(value, str):
            parts = natural(value.casefold()) if self.text_order == "natural" else (value,)
            return 2, 0.0, (*parts, value)
        raise NodeError(
            f"Item {place} has no order: it is a {type(value).__name__}.",
            "Give numbers or texts, or say in `by` which value of an item counts.",
        )


_Key = tuple[int, float, tuple[object, ...]]
"""Which kind a value is of, its number, its text."""


class Shuffle(Node):
    """
    Puts a list into a random order. The same seed gives the same order, on every machine.
    list, shuffle, random, order, seed

    Use cases:
    - Show the images of a folder in another order each time
    - Take different prompts for the same images
    """

    lane = Lane.INLINE
    synonyms = ("Shuffle List", "Randomize", "Random Order", "Permute")

    values: Values = Field(default=[], description="List to shuffle.")
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description="Seed of the random generator; -1 draws another each time.",
    )

    def process(self) -> Annotated[Values, "The list in another order."]:
        values = list(self.values)
        random.Random(max(0, self.seed)).shuffle(values)
        return values


class Occurring(NamedTuple):
    items: Annotated[Values, "Each value once, in the order of their first places."]
    counts: Annotated[list[int], "How often each of them is in the list."]


class Unique(Node):
    """
    Leaves out of a list what is in it already, and counts how often each value is there.
    list, unique, duplicates, count, distinct

    Use cases:
    - Remove repeated prompts
    - Count how often each label occurs
    """

    lane = Lane.INLINE
    synonyms = (
        "Remove Duplicates",
        "Distinct",
        "Dedupe",
        "Deduplicate",
        "Count Values",
        "Histogram of List",
    )

    values: Values = Field(default=[], description="The list.")
    by: str = Field(default="", description=_BY)

    def process(self) -> Occurring:
        counts: dict[object, int] = {}
        first: Values = []
        for item in self.values:
            key = _identity(value_by(self.by, item))
            if key not in counts:
                first.append(item)
            counts[key] = counts.get(key, 0) + 1
        return Occurring(first, list(counts.values()))


class Flatten(Node):
    """
    Makes one list of a list of lists.
    list, flatten, nested, join

    Use cases:
    - Gather the tiles of several images
    - Run one loop over the results of loops in loops
    """

    lane = Lane.INLINE
    synonyms = ("Flatten List", "Unnest", "Merge Nested Lists", "Rebatch")

    values: Values = Field(default=[], description="A list that has lists in it.")
    depth: int = Field(
        default=0, ge=0, le=1000, description="How many levels are taken apart; 0 for all."
    )

    def process(self) -> Annotated[Values, "The items, in order."]:
        return list(_flat(self.values, self.depth or 1_000_000))


def value_by(path: str, item: object) -> object:
    """Return the value of an item that a name or a JSONPath leads to; None where there is none."""
    if not path:
        return item
    if path.startswith("$"):
        found = found_at(read_path(path), item)
        return found[0] if found else None
    value: object = item.get(path) if isinstance(item, Mapping) else None
    return value


def _flat(values: Values, depth: int) -> Iterator[object]:
    """Yield the items of a list and of the lists in it."""
    pending = [(iter(values), depth)]
    while pending:
        items, left = pending[-1]
        for item in items:
            if left and isinstance(item, (list, tuple)):
                pending.append((iter(item), left - 1))
                break
            yield item
        else:
            pending.pop()


def _identity(value: object) -> object:
    """Return what equal values have in common; 1 and True are different, 1 and 1.0 are equal."""
    if isinstance(value, (list, tuple)):
        return "list", tuple(map(_identity, value))
    if isinstance(value, Mapping):
        return "names", frozenset((name, _identity(inner)) for name, inner in value.items())
    try:
        hash(value)
    except TypeError:
        return "object", id(value)
    return isinstance(value, bool), value
