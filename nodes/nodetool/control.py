"""Control flow: branches, and loops over lists."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple

from nodes._expression import evaluated, names_in
from nodes._template import fill
from nodetool_core import SKIPPED, Context, Field, Lane, Node, NodeError

Value = Any
"""What is of whatever type comes along an edge."""


class Branches(NamedTuple):
    """The two ways out of an `If`."""

    if_true: Annotated[Value, "The value, where the condition holds; nothing otherwise."]
    if_false: Annotated[Value, "The value, where the condition does not hold; nothing otherwise."]


@dataclass(frozen=True, slots=True)
class Item:
    """One round of a loop."""

    output: Annotated[Value, "The item."]
    index: Annotated[int, "Its place in the list, from 0."]


@dataclass(frozen=True, slots=True)
class Combination:
    """One combination of items of several lists."""

    first: Annotated[Value, "The item of the first list."]
    second: Annotated[Value, "The item of the second list."]
    third: Annotated[Value, "The item of the third list; none where there is no such list."]
    index: Annotated[int, "The number of the combination, from 0."]


class If(Node):
    """
    Sends a value one of two ways. Nodes behind the way that is not taken don't run, nor does what
    only they need.
    control, if, branch, condition

    Use cases:
    - Upscale an image only where it is small
    - Leave items of a list out of the rest of a loop
    """

    synonyms = ("If Else", "Branch", "Gate", "Conditional")

    lane = Lane.INLINE
    branches = True

    condition: bool = Field(default=False, description="Which way to go.")
    value: Value = Field(default=None, description="Value to send on.")

    def process(self) -> Branches:
        return Branches(self.value, SKIPPED) if self.condition else Branches(SKIPPED, self.value)


class Merge(Node):
    """
    Brings two branches together again: gives the value of whichever ran. Where both did, the first
    counts.
    control, merge, join, branch

    Use cases:
    - Continue with an image, whether it was upscaled or not
    - End both ways of an If in one output
    """

    synonyms = ("Join Branches", "Any Switch", "Coalesce", "Fallback")

    lane = Lane.INLINE
    merges = True

    a: Value = Field(default=None, description="Value of one branch.")
    b: Value = Field(default=None, description="Value of the other branch.")

    def process(self) -> Annotated[Value, "The value that is there."]:
        return self.b if self.a is None else self.a


class ForEach(Node):
    """
    Gives the items of a list one by one: what follows runs once for each, until a Collect gathers
    the results.
    control, loop, for, each, list, iterate

    Use cases:
    - Turn every image of a folder into a winter scene
    - Try one image with a list of prompts
    """

    synonyms = ("Loop", "Loop Start", "For Loop", "Iterate", "Iterate Images", "Iterator")

    lane = Lane.INLINE

    spreads = "on_workers"

    input_list: list[Value] = Field(default=[], description="Items to go through.")
    on_workers: bool = Field(
        default=False,
        description=(
            "Have what follows run as a job on a worker for each item, where the run has workers."
        ),
    )

    def process(self, context: Context) -> Iterator[Item]:
        context.expects(len(self.input_list))
        for index, item in enumerate(self.input_list):
            yield Item(item, index)


class ForEachCombination(Node):
    """
    Gives the items of two or three lists at once: what follows runs once for each combination,
    until a Collect gathers the results. Item with item, for lists of one length, or each with each.
    control, loop, for, each, zip, product, combinations, grid

    Use cases:
    - Go through images and their masks side by side
    - Try each prompt with each strength
    """

    lane = Lane.INLINE
    synonyms = ("Zip", "Cartesian Product", "XY Plot", "Nested Loop", "Pairs", "Permutations")

    first_list: list[Value] = Field(description="Items of the first list.")
    second_list: list[Value] = Field(description="Items of the second list.")
    third_list: list[Value] | None = Field(
        default=None, description="Items of a third list, if any."
    )
    combine: Literal["zip", "product"] = Field(
        default="zip",
        description=(
            "`zip` takes the first item of each list, then the second of each; `product` each item"
            " with each, those of the last list changing first."
        ),
    )

    def process(self, context: Context) -> Iterator[Combination]:
        lists = {"first": self.first_list, "second": self.second_list}
        if self.third_list is not None:
            lists["third"] = self.third_list
        lengths = [len(items) for items in lists.values()]
        if self.combine == "zip" and len(set(lengths)) > 1:
            counts = ", ".join(f"{name} has {len(items)}" for name, items in lists.items())
            raise NodeError(
                f"The lists have not one length: {counts} items.",
                "Give lists of one length, or set combine to product for each item with each.",
            )
        context.expects(lengths[0] if self.combine == "zip" else math.prod(lengths))
        items = lists.values()
        rows = zip(*items, strict=True) if self.combine == "zip" else product(*items)
        for index, (first, second, *third) in enumerate(rows):
            yield Combination(first, second, third[0] if third else None, index)


class Collect(Node):
    """
    Gathers one value of every round of a loop into a list, in the order of the items. Rounds whose
    branch was not taken are left out. A round that failed fails the list, unless it is to be
    skipped or to leave its place empty; the run then continues and warns.
    control, loop, collect, gather, list

    Use cases:
    - Make a list of the images of a loop
    - Show all results of a loop side by side
    - Continue with the images of a folder that could be worked on
    """

    synonyms = ("Loop End", "Accumulate", "Gather", "Image List to Batch")

    lane = Lane.INLINE
    gathers = frozenset({"input_item"})
    gap_policy = "on_error"

    input_item: Value = Field(default=[], description="Value of one round.")
    on_error: Literal["fail", "skip", "none"] = Field(
        default="fail",
        description=(
            "After a round that failed: give no list, leave the round out, or put none in its"
            " place."
        ),
    )

    def process(self) -> Annotated[list[Value], "The values, in order."]:
        return self.input_item if isinstance(self.input_item, list) else [self.input_item]


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a `While`."""

    output: Annotated[Value, "The value: first the initial one, then what Next took."]
    index: Annotated[int, "The number of the round, from 0."]


@dataclass(frozen=True, slots=True)
class Fold:
    """One round of a `Reduce`."""

    accumulated: Annotated[Value, "What has been made of the items before: what Next took."]
    output: Annotated[Value, "The item."]
    index: Annotated[int, "Its place in the list, from 0."]


Sent = Mapping[str, Value]
"""What a `Next` takes, by property."""


class While(Node):
    """
    Repeats what follows up to a Next, each round with the value that the last one led to, as long
    as Next asks for another and for no more than a number of rounds. The first round always runs.
    control, loop, while, repeat, iterate, until

    Use cases:
    - Refine an image until a measure is good enough
    - Apply the same step a number of times
    """

    lane = Lane.INLINE
    synonyms = ("For Loop", "Repeat", "Loop Open", "Do While", "Until")

    initial: Value = Field(default=None, description="Value of the first round.")
    max_rounds: int = Field(default=100, ge=1, le=100_000, description="Most rounds there are.")
    at_limit: Literal["end", "fail"] = Field(
        default="end",
        description="Where Next asks for more rounds: end with the last value, or fail.",
    )

    def process(self) -> Generator[Round, Sent, Sent]:
        value: Value = self.initial
        for index in range(self.max_rounds):
            sent = yield Round(value, index)
            value = _carried(sent, value)
            if not sent["again"]:
                return {"value": value, "again": False}
        if self.at_limit == "fail":
            raise NodeError(
                f"The loop asks for more than {self.max_rounds} rounds.",
                "Raise max_rounds, or change what is connected to again of Next.",
                code="too_many_rounds",
            )
        return {"value": value, "again": True}


class Reduce(Node):
    """
    Makes one value of a list: what follows up to a Next runs for one item after the other, with
    what has been made of those before. Without an initial value it begins with the first item.
    control, loop, reduce, fold, accumulate, list

    Use cases:
    - Lay the images of a list over one another
    - Go through a list until something is found, and no further
    """

    lane = Lane.INLINE
    synonyms = ("Fold", "Accumulate", "Aggregate", "Loop Open")

    input_list: list[Value] = Field(default=[], description="Items to go through, in order.")
    initial: Value = Field(
        default=None, description="Value before the first item; none to begin with the first item."
    )

    def process(self, context: Context) -> Generator[Fold, Sent, Sent]:
        items = list(enumerate(self.input_list))
        value: Value = self.initial
        if value is None and items:
            value = items.pop(0)[1]
        context.expects(len(items))
        for index, item in items:
            sent = yield Fold(value, item, index)
            value = _carried(sent, value)
            if not sent["again"]:
                return {"value": value, "again": False}
        return {"value": value, "again": True}


def _carried(sent: Sent, before: Value) -> Value:
    """Return the value of the next round: the same again where a branch was not taken."""
    return before if sent["value"] is SKIPPED else sent["value"]


class Next(Node):
    """
    Ends a round of a While or a Reduce: its value is what the next round begins with, and the last
    one is what it gives. Where a round's branch was not taken, the value stays as it was.
    control, loop, next, end, break, reduce, while

    Use cases:
    - Continue with an image that the last round made
    - Stop a loop early, once something is found
    """

    lane = Lane.INLINE
    gathers = frozenset({"value", "again"})
    carries = True
    synonyms = ("Loop Close", "End Loop", "Break", "End While")

    value: Value = Field(default=None, description="Value that the round led to.")
    again: bool = Field(
        default=True, description="Whether there is another round, from a node of this one."
    )

    def process(self) -> Annotated[Value, "The value of the last round."]:
        return self.value


class Assert(Node):
    """
    Passes a value on where a condition holds, and stops the run with your message where it does
    not. The condition is an expression as `Expression` reads it, of `value` and of what is
    connected to properties of any name: `value.width >= 1024`, `psnr > 40`.
    control, assert, check, condition, error, stop, validate

    Use cases:
    - Refuse images that are too small, with a reason
    - Stop a batch where a result is not like its original
    - Check in a test of a workflow what comes out
    """

    dynamic = True
    synonyms = ("Stop If", "Raise Error", "Validate", "Require", "Guard", "Fail", "Check", "Throw")

    value: Value = Field(default=None, description="Value to pass on; `value` in the condition.")
    condition: str = Field(
        default="", description="What has to hold, as an expression; empty for `holds` alone."
    )
    holds: bool = Field(
        default=True, description="What has to hold besides, from another node, such as Compare."
    )
    message: str = Field(
        default="",
        description=(
            "What is said where it does not hold, with placeholders: `{{ value.width }} pixels are"
            " too few`; empty for the condition itself."
        ),
    )

    def process(self, context: Context) -> Annotated[Value, "The value."]:
        names = names_in({**self.dynamic_values, "value": self.value}, context)
        if self.holds and (not self.condition or evaluated(self.condition, names)):
            return self.value
        said = fill(self.message, names).strip()
        missed = self.condition or "the value of `holds`"
        raise NodeError(
            said or f"The condition does not hold: {missed}.",
            f"The workflow checks this: {missed}.",
            code="assertion_failed",
        )


class Reroute(Node):
    """
    Passes a value on unchanged.
    control, reroute, pass, organize

    Use cases:
    - Lead an edge around other nodes
    - Name a value that several nodes take
    """

    synonyms = ("Pass Through", "Relay", "Dot")

    lane = Lane.INLINE

    input_value: Value = Field(default=None, description="Value to pass on.")

    def process(self) -> Annotated[Value, "The value."]:
        return self.input_value
