"""Conditions, and choices that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from nodetool_core import Field, Lane, Node, NodeError

Comparison = Literal["==", "!=", ">", "<", ">=", "<="]
Operation = Literal["and", "or", "xor", "nand", "nor"]


class ConditionalSwitch(Node):
    """
    Gives one of two values. Only what the chosen one needs is run.
    boolean, switch, choose, condition, lazy

    Use cases:
    - Use the user's image where there is one, else generate one
    - Choose a quick or a careful way by one setting
    """

    lane = Lane.INLINE
    lazy = frozenset({"if_true", "if_false"})

    condition: bool = Field(default=False, description="Which value to give.")
    if_true: Any = Field(default=None, description="Value where the condition holds.")
    if_false: Any = Field(default=None, description="Value where it does not.")

    def demand(self, values: dict[str, Any]) -> frozenset[str]:
        return frozenset({"if_true" if values["condition"] else "if_false"})

    def process(self) -> Annotated[Any, "The chosen value."]:
        return self.if_true if self.condition else self.if_false


class Compare(Node):
    """
    Compares two values.
    boolean, compare, equal, less, greater

    Use cases:
    - Ask whether an image is too small
    - Take another way from a certain item of a loop on
    """

    lane = Lane.INLINE

    a: Any = Field(default=0, description="First value.")
    b: Any = Field(default=0, description="Second value.")
    comparison: Comparison = Field(default="==", description="How to compare.")

    def process(self) -> Annotated[bool, "Whether the comparison holds."]:
        try:
            return bool(_COMPARE[self.comparison](self.a, self.b))
        except TypeError as error:
            raise NodeError(
                f"{self.a!r} and {self.b!r} have no order.",
                "Compare numbers with numbers, texts with texts.",
            ) from error


class Not(Node):
    """
    Turns a condition around.
    boolean, not, invert

    Use cases:
    - Go one way where a condition does not hold
    - Use a switch the other way round
    """

    lane = Lane.INLINE

    value: bool = Field(default=False, description="Condition to turn around.")

    def process(self) -> Annotated[bool, "Whether the condition does not hold."]:
        return not self.value


class LogicalOperator(Node):
    """
    Combines two conditions.
    boolean, logic, and, or, xor

    Use cases:
    - Continue only where two things hold
    - Choose a way where one of two options is set
    """

    lane = Lane.INLINE

    a: bool = Field(default=False, description="First condition.")
    b: bool = Field(default=False, description="Second condition.")
    operation: Operation = Field(
        default="and",
        description=(
            "Both hold, either does, just one does; nand and nor are the opposites of and and or."
        ),
    )

    def process(self) -> Annotated[bool, "Whether the combination holds."]:
        return _COMBINE[self.operation](self.a, self.b)


class All(Node):
    """
    Says whether all conditions of a list hold. Of none, all do.
    boolean, all, and, list

    Use cases:
    - Continue only where every check passed
    - Check all items of a loop at once
    """

    lane = Lane.INLINE

    values: list[bool] = Field(default=[], description="The conditions.")

    def process(self) -> Annotated[bool, "Whether all hold."]:
        return all(self.values)


class Some(Node):
    """
    Says whether at least one condition of a list holds.
    boolean, some, any, or, list

    Use cases:
    - Stop where any check failed
    - Find out whether a loop found anything
    """

    lane = Lane.INLINE

    values: list[bool] = Field(default=[], description="The conditions.")

    def process(self) -> Annotated[bool, "Whether one holds."]:
        return any(self.values)


class IsIn(Node):
    """
    Says whether a value is in a list.
    boolean, contains, membership, list

    Use cases:
    - Treat certain options in another way
    - Leave items of a loop out by name
    """

    lane = Lane.INLINE

    value: Any = Field(default=None, description="Value to look for.")
    options: list[Any] = Field(default=[], description="List to look in.")

    def process(self) -> Annotated[bool, "Whether it is there."]:
        return self.value in self.options


class IsNone(Node):
    """
    Says whether a value is missing.
    boolean, none, missing, null, empty

    Use cases:
    - Use a default where nothing was given
    - Find out whether a reading of JSON found something
    """

    lane = Lane.INLINE

    value: Any = Field(default=None, description="Value to look at.")

    def process(self) -> Annotated[bool, "Whether there is none."]:
        return self.value is None


_COMBINE: dict[Operation, Callable[[bool, bool], bool]] = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "xor": lambda a, b: a != b,
    "nand": lambda a, b: not (a and b),
    "nor": lambda a, b: not (a or b),
}

_COMPARE: dict[str, Any] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
