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

    synonyms = ("If Else", "Ternary", "Switch Any", "Image Switch", "Select Input")

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
    Compares two values: numbers with a tolerance, texts with or without their capitals.
    boolean, compare, equal, less, greater, tolerance

    Use cases:
    - Ask whether an image is too small
    - Ask whether two measured numbers are about the same
    - Take another way from a certain item of a loop on
    """

    lane = Lane.INLINE
    synonyms = (
        "Equals",
        "Greater Than",
        "Less Than",
        "Comparison",
        "Compare Numbers",
        "Compare Strings",
        "Tolerance",
        "isclose",
    )

    a: Any = Field(default=0, description="First value.")
    b: Any = Field(default=0, description="Second value.")
    comparison: Comparison = Field(default="==", description="How to compare.")
    tolerance: float = Field(
        default=0.0,
        ge=0.0,
        description=(
            "How far numbers may be apart and count as equal; `>` and `<` then ask for more than"
            " that."
        ),
    )
    case_sensitive: bool = Field(
        default=True, description="Whether capital and small letters of texts differ."
    )

    def process(self) -> Annotated[bool, "Whether the comparison holds."]:
        a, b = self.a, self.b
        if isinstance(a, str) and isinstance(b, str) and not self.case_sensitive:
            a, b = a.casefold(), b.casefold()
        if self.tolerance and _are_close(a, b, self.tolerance):
            a = b = 0
        try:
            return bool(_COMPARE[self.comparison](a, b))
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

    synonyms = ("Invert Boolean", "Negate")

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

    synonyms = ("Logic Gate", "Boolean Logic", "Logic")

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

    synonyms = ("Logical And", "Every")

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

    synonyms = ("Logical Or", "Any True")

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

    synonyms = ("Contains", "List Contains", "Member")

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

    synonyms = ("Is Empty", "Is Null", "Missing")

    lane = Lane.INLINE

    value: Any = Field(default=None, description="Value to look at.")

    def process(self) -> Annotated[bool, "Whether there is none."]:
        return self.value is None


def _are_close(a: object, b: object, tolerance: float) -> bool:
    if not (isinstance(a, (int, float)) and isinstance(b, (int, float))):
        return False
    try:
        # 1.1 and 1 are 0.1 apart, and binary fractions a little more.
        return abs(a - b) <= tolerance * (1 + 1e-9)
    except OverflowError:
        return False


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
