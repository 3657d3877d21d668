"""Numbers worked out from others."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Annotated, Final, Literal, NamedTuple

from nodes._expression import calculated, names_in, power
from nodes._numbers import Number, as_outputs
from nodetool_core import Context, Field, Lane, Node, NodeError

Operation = Literal[
    "add",
    "subtract",
    "multiply",
    "divide",
    "floor_divide",
    "modulo",
    "power",
    "minimum",
    "maximum",
    "average",
    "distance",
]

_WORK: Final[dict[Operation, Callable[[float, float], float]]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "modulo": operator.mod,
    "power": power,
    "minimum": min,
    "maximum": max,
    "average": lambda a, b: (a + b) / 2,
    "distance": lambda a, b: abs(a - b),
}


class Calculate(Node):
    """
    Works out a number from two others. For more than one step, take `Expression`.
    number, math, arithmetic, add, subtract, multiply, divide

    Use cases:
    - Double the width of an image for another node
    - Count a seed up from round to round of a loop
    """

    lane = Lane.INLINE
    synonyms = (
        "Math",
        "Simple Math",
        "Math Operation",
        "Add Numbers",
        "Sum",
        "Product",
        "Modulus",
        "Integer Math",
        "Float Math",
        "Number Operation",
    )

    a: float = Field(default=0.0, description="First number, whole or not.")
    b: float = Field(default=0.0, description="Second number, whole or not.")
    operation: Operation = Field(
        default="add",
        description=(
            "`divide` gives fractions, `floor_divide` rounds down, `modulo` is the rest of that and"
            " has the sign of b; `power` is a to the power of b, `distance` how far they are apart."
        ),
    )

    def process(self) -> Number:
        try:
            return as_outputs(_WORK[self.operation](self.a, self.b))
        except ZeroDivisionError as error:
            raise NodeError(
                f"{self.a} can't be worked out with {self.b}: that divides by 0.",
                "Give another b, or choose between two ways with a ConditionalSwitch.",
            ) from error
        except (ArithmeticError, ValueError) as error:
            raise NodeError(
                f"{self.operation} of {self.a!r} and {self.b!r} has no result: {error}.",
                "Give numbers between -10^300 and 10^300; only whole powers of negative ones.",
            ) from error


class ExpressionResult(NamedTuple):
    number: Annotated[float, "The number; 1 for what holds, 0 for what does not."]
    integer: Annotated[int, "The number rounded to a whole one, halves away from zero."]
    boolean: Annotated[bool, "Whether the number is not 0: whether a comparison holds."]


class Expression(Node):
    """
    Works out an expression such as `max(image.width, 512) * 2`. Add properties of any name to the
    node: each is a value of that name. Images have `.width`, `.height`, `.aspect` (width by height)
    and `.megapixels`.

    It reads as in Python: `+ - * / // % **`, comparisons, `and`, `or`, `not`, `a if b else c`,
    texts in quotes, `pi`, `e`, `true`, `false`, and the functions abs, min, max, sum, mean, round,
    floor, ceil, trunc, snap (to a multiple), clamp, lerp, sign, sqrt, exp, log, log2, log10, hypot,
    sin, cos, tan, asin, acos, atan, atan2 (angles in radians), degrees, radians, gcd and len.
    number, math, expression, formula, calculate

    Use cases:
    - Work out the size of one image from that of another
    - Vary a strength from round to round of a loop
    - Ask several things of an image at once
    """

    dynamic = True
    synonyms = (
        "Math Expression",
        "Evaluate",
        "Evaluate Integers",
        "Evaluate Floats",
        "Simple Math",
        "Formula",
        "Calculator",
        "Eval",
        "Absolute Value",
    )

    expression: str = Field(default="", description="The expression; at most 10,000 characters.")

    def process(self, context: Context) -> ExpressionResult:
        number = calculated(self.expression, names_in(self.dynamic_values, context))
        return ExpressionResult(*as_outputs(number), bool(number))
