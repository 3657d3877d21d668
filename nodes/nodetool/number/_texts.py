"""Numbers read from texts, and written as such."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final, Literal

from nodes._numbers import Number, as_outputs, checked, exact, rounded
from nodetool_core import Field, Lane, Node, NodeError

DecimalMark = Literal["point", "comma"]
Style = Literal["plain", "percent", "scientific", "bytes", "hexadecimal", "binary"]

_SPACES: Final = " _'\u2019\u00a0\u202f"
"""What separates thousands besides points and commas."""
_MAX_DIGITS: Final = 300


def _pattern(mark: str, other: str) -> re.Pattern[str]:
    whole = rf"(?:\d{{1,3}}(?:[{other}{_SPACES}]\d{{3}})+(?!\d)|\d+)"
    decimal = rf"(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][-+]?\d{{1,4}})?"
    return re.compile(
        r"(?:(?<![\w.,])(?P<sign>[-+\u2212])\s?)?"
        rf"(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<over>\d+)\s?/\s?(?P<under>\d+)|(?P<decimal>{decimal}))"
        r"(?P<percent>\s?%)?"
    )


_PATTERNS: Final[dict[DecimalMark, re.Pattern[str]]] = {
    "point": _pattern(r"\.", ","),
    "comma": _pattern(",", r"\."),
}


class TextToNumber(Node):
    """
    Reads the first number of a text: `1024`, `-0.5`, `1,234.5`, `1.5e3`, `50 %`, `2/3`, `0xff`.
    number, text, parse, convert, read

    Use cases:
    - Take a strength out of what somebody typed
    - Read a number from a file name
    """

    lane = Lane.INLINE
    synonyms = (
        "String to Number",
        "String to Int",
        "String to Float",
        "Text to Int",
        "Parse Number",
        "Parse Int",
        "Convert to Number",
    )

    text: str = Field(default="", description="Text to read.")
    decimal_mark: DecimalMark = Field(
        default="point",
        description=(
            "Which mark begins the fraction: `point` reads 1,234.5, `comma` reads 1.234,5. The"
            " other one, and spaces, may separate thousands."
        ),
    )
    exact: bool = Field(
        default=False, description="Whether the text has to be a number and nothing else."
    )

    def process(self) -> Number:
        pattern = _PATTERNS[self.decimal_mark]
        found = pattern.fullmatch(self.text.strip()) if self.exact else pattern.search(self.text)
        if found is None or len(found[0]) > _MAX_DIGITS:
            shown = self.text if len(self.text) <= 80 else f"{self.text[:77]}..."
            raise NodeError(
                f"{shown!r} {'is' if self.exact else 'has'} no number that can be read.",
                "Give one such as 0.5; a fraction begins with the mark of `decimal_mark`.",
                where="text",
            )
        try:
            value = _value(found, self.decimal_mark)
        except ZeroDivisionError as error:
            raise NodeError(f"{found[0]!r} divides by 0.", "Give another fraction.") from error
        value = value / 100 if found["percent"] else value
        return as_outputs(-value if found["sign"] in ("-", "\u2212") else value)


def _value(found: re.Match[str], mark: DecimalMark) -> float:
    """Return the number that was found, without its sign and percent. Raises ZeroDivisionError."""
    if found["hex"]:
        return int(found["hex"], 16)
    if found["under"]:
        return int(found["over"]) / int(found["under"])
    removed = _SPACES + ("," if mark == "point" else ".")
    digits = found["decimal"].translate(str.maketrans("", "", removed)).replace(",", ".")
    return int(digits) if digits.isdecimal() else float(digits)


class NumberToText(Node):
    """
    Writes a number as text: with so many digits, thousands separated, or as percent, bytes, powers
    of ten, hexadecimal or binary.
    number, text, format, convert, digits, pad

    Use cases:
    - Number files so that they sort (0001, 0002)
    - Write a measure onto an image
    """

    lane = Lane.INLINE
    synonyms = (
        "Number to String",
        "Int to String",
        "Float to String",
        "Format Number",
        "Zero Pad",
        "Number to Text",
    )

    value: float = Field(default=0.0, description="Number to write.")
    style: Style = Field(
        default="plain",
        description=(
            "`percent` writes 0.5 as 50%, `scientific` 1500 as 1.5e+03, `bytes` 1500 as 1.5 kB;"
            " `hexadecimal` and `binary` write the nearest whole number."
        ),
    )
    decimals: int = Field(
        default=-1,
        ge=-1,
        le=50,
        description="Digits after the mark, halves rounded away from zero; -1 for those there are.",
    )
    min_digits: int = Field(
        default=0,
        ge=0,
        le=100,
        description="The least digits before the mark; zeros are put in front.",
    )
    thousands: str = Field(
        default="", description="What separates thousands, such as a comma; empty for nothing."
    )
    decimal_mark: DecimalMark = Field(
        default="point", description="Which mark begins the fraction."
    )
    sign: bool = Field(default=False, description="Whether numbers above 0 get a plus sign.")

    def process(self) -> Annotated[str, "The text."]:
        value = checked(self.value)
        digits, unit = _STYLES[self.style](abs(value), self.decimals)
        is_zero = not digits.strip("0.")
        sign = "" if is_zero else "-" if value < 0 else "+" if self.sign else ""
        whole, _, fraction = digits.partition(".")
        whole = whole.zfill(self.min_digits)
        if self.thousands:
            groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)]
            whole = self.thousands.join(reversed(groups))
        mark = "." if self.decimal_mark == "point" else ","
        return f"{sign}{whole}{mark if fraction else ''}{fraction}{unit}"


def _digits(value: float, decimals: int) -> str:
    """Return a number above 0 in digits, never as a power of ten."""
    if decimals >= 0:
        step = exact(1).scaleb(-decimals)
        return f"{exact(rounded(value, float(step), 'nearest')):.{decimals}f}"
    written = f"{exact(value):f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _percent(value: float, decimals: int) -> tuple[str, str]:
    return _digits(float(exact(value).scaleb(2)), decimals), "%"


def _scientific(value: float, decimals: int) -> tuple[str, str]:
    written = f"{exact(value):e}" if decimals < 0 else f"{exact(value):.{decimals}e}"
    mantissa, _, power = written.partition("e")
    if decimals < 0 and "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa, f"e{int(power):+03}"


def _bytes(value: float, decimals: int) -> tuple[str, str]:
    """Return a number of bytes in the largest unit (powers of 1000) that it fills."""
    power = 0
    while power < len(_UNITS) - 1 and value >= 1000 ** (power + 1):
        power += 1
    return _digits(float(exact(value).scaleb(-3 * power)), decimals), f" {_UNITS[power]}"


_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_STYLES: Final[dict[Style, Callable[[float, int], tuple[str, str]]]] = {
    "plain": lambda value, decimals: (_digits(value, decimals), ""),
    "percent": _percent,
    "scientific": _scientific,
    "bytes": _bytes,
    "hexadecimal": lambda value, _: (f"{int(rounded(value, 1, 'nearest')):x}", ""),
    "binary": lambda value, _: (f"{int(rounded(value, 1, 'nearest')):b}", ""),
}
