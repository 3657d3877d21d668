"""Parts of lists: their length, items, random ones, and what numbers amount to."""

from __future__ import annotations

import random
import statistics
from typing import Annotated, Any, NamedTuple

from nodes._numbers import checked
from nodes._values import Values
from nodetool_core import Field, Lane, Node, NodeError


class Length(Node):
    """
    Counts the items of a list.
    list, length, count, size

    Use cases:
    - Choose a branch by the number of images
    - Number the results of a loop
    """

    lane = Lane.INLINE
    synonyms = ("List Length", "Count", "List Count", "Size of List", "len")

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
    synonyms = ("Select from List", "List Item", "Get Item", "Pick from Batch", "ImageFromBatch")

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
    synonyms = ("Sublist", "Take", "First Items", "Last Items", "Reverse List", "Limit")

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


class Chosen(NamedTuple):
    item: Annotated[Any, "The first item that was drawn."]
    items: Annotated[Values, "All that were drawn, in that order."]


class Choose(Node):
    """
    Draws items of a list. The same seed draws the same ones, on every machine.
    list, random, choose, draw, sample, seed

    Use cases:
    - Take one of several styles by chance
    - Try a workflow with a few images of a large folder
    """

    lane = Lane.INLINE
    synonyms = ("Random Choice", "Random Item", "Random Select", "Sample", "Random Image")

    values: Values = Field(default=[], description="Items to draw from.")
    number: int = Field(default=1, ge=1, le=100_000, description="How many are drawn.")
    repeat: bool = Field(
        default=False,
        description="Whether an item may be drawn again; otherwise there are at most as many.",
    )
    weights: list[float] = Field(
        default=[],
        description="How often each item is drawn beside the others; empty for equally often.",
    )
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description="Seed of the random generator; -1 draws another each time.",
    )

    def process(self) -> Chosen:
        if not self.values:
            raise NodeError("The list is empty.", "Connect a list with at least one item.")
        weights = self.weights or [1.0] * len(self.values)
        if len(weights) != len(self.values) or min(weights) < 0 or not max(weights):
            raise NodeError(
                f"There are {len(weights)} weights for {len(self.values)} items, or none above 0.",
                "Give one weight for each item, 0 or more.",
                where="weights",
            )
        generator = random.Random(max(0, self.seed))
        if self.repeat:
            share = max(weights)
            places = generator.choices(
                range(len(weights)), [weight / share for weight in weights], k=self.number
            )
        else:
            # Times until an event of each weight happens: the first ones are those drawn.
            times = [
                (generator.expovariate(1.0) / weight, place)
                for place, weight in enumerate(weights)
                if weight
            ]
            places = [place for _, place in sorted(times)[: self.number]]
        chosen = [self.values[place] for place in places]
        return Chosen(chosen[0], chosen)


class Summary(NamedTuple):
    mean: Annotated[float, "Arithmetic mean."]
    total: Annotated[float, "Sum of all."]
    minimum: Annotated[float, "The least."]
    maximum: Annotated[float, "The greatest."]
    median: Annotated[float, "As many are below as above."]
    deviation: Annotated[float, "Standard deviation of all (not of a sample)."]
    length: Annotated[int, "How many there are."]


class Statistics(Node):
    """
    Works out what numbers of a list amount to: mean, sum, extremes, median, standard deviation.
    list, number, statistics, mean, average, sum, minimum, maximum, median

    Use cases:
    - Report the mean brightness of a folder of images
    - Find the largest width of several images
    """

    lane = Lane.INLINE
    synonyms = ("Average", "Sum of List", "Maximum of List", "Minimum of List", "Reduce List")

    values: list[float] = Field(default=[], description="The numbers; at least one.")

    def process(self) -> Summary:
        if not self.values:
            raise NodeError("The list has no numbers.", "Connect a list with at least one number.")
        numbers = [checked(value) for value in self.values]
        try:
            return Summary(
                checked(statistics.fmean(numbers)),
                checked(sum(numbers)),
                min(numbers),
                max(numbers),
                checked(statistics.median(numbers)),
                checked(statistics.pstdev(map(float, numbers))),
                len(numbers),
            )
        except (ArithmeticError, ValueError) as error:
            raise NodeError(
                f"The numbers amount to nothing that can be written: {error}.",
                "Give smaller numbers.",
            ) from error
