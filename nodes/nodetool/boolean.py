"""Conditions, and choices that follow from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from nodetool_core import Field, Lane, Node, NodeError

Comparison = Literal["==", "!=", ">", "<", ">=", "<="]


class ConditionalSwitch(Node):
    """
    Gives one of two values. Only what the chosen one needs is run.
    boolean, switch, choose, condition, lazy

    Use cases:
    - Use the user's picture where there is one, else generate one
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
    - Ask whether a picture is too small
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
            raise NodeError(f"{self.a!r} and {self.b!r} have no order.", "Compare numbers with numbers, texts with texts.") from error


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


_COMPARE: dict[str, Any] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
