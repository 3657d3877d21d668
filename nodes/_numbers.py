"""Numbers of nodes: whole ones are exact; how they are rounded, and how large they may be."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from typing import Annotated, Final, Literal, NamedTuple

from nodetool_core import NodeError

MAX_BITS: Final = 1024
"""Whole numbers have at most so many binary digits, so that no power fills the memory."""

Rounding = Literal["nearest", "nearest_even", "down", "up", "towards_zero"]

_MODES: Final[dict[Rounding, str]] = {
    "nearest": decimal.ROUND_HALF_UP,
    "nearest_even": decimal.ROUND_HALF_EVEN,
    "down": decimal.ROUND_FLOOR,
    "up": decimal.ROUND_CEILING,
    "towards_zero": decimal.ROUND_DOWN,
}
_EXACT: Final = decimal.Context(
    prec=1400, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.InvalidOperation]
)
"""Digits enough for every float, and for its quotient by another one's last digit."""


class Number(NamedTuple):
    """A number in both forms."""

    number: Annotated[float, "The number."]
    integer: Annotated[int, "The number rounded to a whole one, halves away from zero."]


def as_outputs(value: float) -> Number:
    """Return a number in both forms. Raises NodeError where it is too large."""
    value = checked(value)
    return Number(value, int(rounded(value, 1, "nearest")))


def checked(value: float) -> float:
    """Return the number. Raises NodeError for one that is infinite, undefined or too large."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
    elif value.bit_length() <= MAX_BITS:
        return value
    raise NodeError(
        "The result is too large for a number, or undefined.",
        "Give smaller numbers: the largest is about 10^300.",
    )


def exact(value: float) -> Decimal:
    """Return the number as it is written, which for 0.1 is 0.1."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def rounded(value: float, step: float, mode: Rounding) -> float:
    """
    Return the multiple of a step (above 0) that is nearest, or the next one in a direction.

    It is whole where the number and the step are, or the step is a whole number.
    """
    wanted = exact(step)
    count = _EXACT.divide(exact(checked(value)), wanted).to_integral_value(
        _MODES[mode], context=_EXACT
    )
    result = _EXACT.multiply(count, wanted)
    is_whole = wanted == wanted.to_integral_value(context=_EXACT)
    return checked(int(result) if is_whole else float(result))
