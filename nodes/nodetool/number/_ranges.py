"""Numbers rounded, kept within bounds, mapped to others, drawn."""

from __future__ import annotations

from typing import Literal

from nodes._numbers import Number, Rounding, as_outputs, checked, rounded
from nodetool_core import Field, Lane, Node, NodeError


class Round(Node):
    """
    Rounds a number to a multiple of another: of 1, of 0.01, of 64.
    number, math, round, floor, ceil, multiple, snap

    Use cases:
    - Bring a width to a multiple of 8 or 64, as models need it
    - Show a measure with two digits
    """

    lane = Lane.INLINE
    synonyms = (
        "Round Number",
        "Floor",
        "Ceil",
        "Truncate",
        "Round to Multiple",
        "Snap to Grid",
        "Float to Int",
        "To Integer",
    )

    value: float = Field(default=0.0, description="Number to round.")
    multiple_of: float = Field(
        default=1.0,
        gt=0.0,
        description="What the result is a multiple of: 1 for whole numbers, 0.01 for two digits.",
    )
    method: Rounding = Field(
        default="nearest",
        description=(
            "Which multiple: the nearest one, halves away from zero or to the even one; or the next"
            " one down (floor), up (ceil) or towards zero (truncate)."
        ),
    )

    def process(self) -> Number:
        return as_outputs(rounded(self.value, self.multiple_of, self.method))


class Clamp(Node):
    """
    Keeps a number within bounds: what lies beyond one becomes that bound.
    number, math, clamp, limit, minimum, maximum

    Use cases:
    - Keep a strength between 0 and 1
    - Limit a width to what a model takes
    """

    lane = Lane.INLINE
    synonyms = ("Limit", "Constrain", "Clip Number", "Min Max", "Number Range")

    value: float = Field(default=0.0, description="Number to keep within the bounds.")
    minimum: float = Field(default=0.0, description="The least number that is given.")
    maximum: float = Field(default=1.0, description="The greatest number that is given.")

    def process(self) -> Number:
        _check_order(self.minimum, self.maximum)
        return as_outputs(max(self.minimum, min(self.maximum, self.value)))


class MapRange(Node):
    """
    Maps a number from one range to another, evenly: the ends of the one become those of the other.
    number, math, map, range, remap, normalize, interpolate

    Use cases:
    - Turn the index of a loop into a strength
    - Turn a brightness from 0 to 255 into a share from 0 to 1
    """

    lane = Lane.INLINE
    synonyms = ("Remap", "Linear Interpolation", "Lerp", "Normalize", "Scale Range", "Fit Range")

    value: float = Field(default=0.0, description="Number to map.")
    from_start: float = Field(default=0.0, description="Start of the range that it is in.")
    from_end: float = Field(
        default=1.0, description="End of that range; below the start for a range that goes down."
    )
    to_start: float = Field(default=0.0, description="What the start becomes.")
    to_end: float = Field(default=100.0, description="What the end becomes.")
    clamp: bool = Field(
        default=False, description="Whether a number outside of the range becomes its nearer end."
    )

    def process(self) -> Number:
        if self.from_start == self.from_end:
            raise NodeError(
                f"A range from {self.from_start} to {self.from_end} is a single number.",
                "Give a start and an end that differ.",
            )
        try:
            share = (self.value - self.from_start) / (self.from_end - self.from_start)
            share = max(0.0, min(1.0, share)) if self.clamp else share
            # Both ends are met exactly.
            return as_outputs(self.to_start * (1 - share) + self.to_end * share)
        except ArithmeticError as error:
            raise NodeError(
                f"{self.value} can't be mapped: {error}.", "Give smaller numbers."
            ) from error


class RandomNumber(Node):
    """
    Draws a number. The same seed draws the same number, on every machine.
    number, random, seed, noise, dice

    Use cases:
    - Vary a strength or an angle from run to run
    - Draw a seed for several nodes
    """

    lane = Lane.INLINE
    synonyms = ("Random", "Random Float", "Random Int", "Random Integer", "Dice", "Seed Generator")

    minimum: float = Field(default=0.0, description="The least number that may be drawn.")
    maximum: float = Field(default=1.0, description="The greatest number that may be drawn.")
    distribution: Literal["uniform", "whole", "normal"] = Field(
        default="uniform",
        description=(
            "`uniform`: all numbers are equally likely; `whole`: all whole numbers from minimum to"
            " maximum are; `normal`: those in the middle are likelier, with a sixth of the range as"
            " standard deviation, and none lie outside."
        ),
    )
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description="Seed of the random generator; -1 draws another each time.",
    )

    def process(self) -> Number:
        import random

        low, high = checked(self.minimum), checked(self.maximum)
        _check_order(low, high)
        generator = random.Random(max(0, self.seed))
        if self.distribution == "whole":
            first, last = int(rounded(low, 1, "up")), int(rounded(high, 1, "down"))
            if first > last:
                raise NodeError(
                    f"There is no whole number from {low} to {high}.", "Give a larger range."
                )
            return as_outputs(generator.randint(first, last))
        if self.distribution == "uniform":
            return as_outputs(_between(low, high, generator.random()))
        share = generator.gauss(0.5, 1 / 6)
        while not 0 <= share <= 1:
            share = generator.gauss(0.5, 1 / 6)
        return as_outputs(_between(low, high, share))


def _between(low: float, high: float, share: float) -> float:
    return min(high, max(low, low * (1 - share) + high * share))


def _check_order(low: float, high: float) -> None:
    if low > high:
        raise NodeError(
            f"The minimum {low} is greater than the maximum {high}.", "Exchange the two."
        )
