"""Control flow: branches, and loops over lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from nodes._expression import evaluated, names_in
from nodes._template import fill
from nodetool_core import SKIPPED, Context, Field, Lane, Node, NodeError


class Branches(NamedTuple):
    """The two ways out of an `If`."""

    if_true: Annotated[Any, "The value, where the condition holds; nothing otherwise."]
    if_false: Annotated[Any, "The value, where the condition does not hold; nothing otherwise."]


@dataclass(frozen=True, slots=True)
class Item:
    """One round of a loop."""

    output: Annotated[Any, "The item."]
    index: Annotated[int, "Its place in the list, from 0."]


class If(Node):
    """
    Sends a value one of two ways. Nodes behind the way that is not taken don't run, nor does what
    only they need.
    control, if, branch, condition

    Use cases:
    - Upscale an image only where it is small
    - Leave items of a list out of the rest of a loop
    """

    lane = Lane.INLINE
    branches = True

    condition: bool = Field(default=False, description="Which way to go.")
    value: Any = Field(default=None, description="Value to send on.")

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

    lane = Lane.INLINE
    merges = True

    a: Any = Field(default=None, description="Value of one branch.")
    b: Any = Field(default=None, description="Value of the other branch.")

    def process(self) -> Annotated[Any, "The value that is there."]:
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

    lane = Lane.INLINE

    input_list: list[Any] = Field(default=[], description="Items to go through.")

    def process(self) -> Iterator[Item]:
        for index, item in enumerate(self.input_list):
            yield Item(item, index)


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

    lane = Lane.INLINE
    gathers = frozenset({"input_item"})
    gap_policy = "on_error"

    input_item: Any = Field(default=[], description="Value of one round.")
    on_error: Literal["fail", "skip", "none"] = Field(
        default="fail",
        description=(
            "After a round that failed: give no list, leave the round out, or put none in its"
            " place."
        ),
    )

    def process(self) -> Annotated[list[Any], "The values, in order."]:
        return self.input_item if isinstance(self.input_item, list) else [self.input_item]


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

    value: Any = Field(default=None, description="Value to pass on; `value` in the condition.")
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

    def process(self, context: Context) -> Annotated[Any, "The value."]:
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

    lane = Lane.INLINE

    input_value: Any = Field(default=None, description="Value to pass on.")

    def process(self) -> Annotated[Any, "The value."]:
        return self.input_value
