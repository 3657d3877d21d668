"""
Expressions: numbers worked out from named values, such as `max(width, height) / 2`.

The grammar, from what binds least to what binds most:

    choice     = or [ "if" or "else" choice ]
    or         = and { "or" and }
    and        = not { "and" not }
    not        = "not" not | comparison
    comparison = sum { ("<" | "<=" | ">" | ">=" | "==" | "!=") sum }
    sum        = product { ("+" | "-") product }
    product    = sign { ("*" | "/" | "//" | "%") sign }
    sign       = ("-" | "+") sign | power
    power      = member [ "**" sign ]
    member     = part { "." name }
    part       = number | text | name | name "(" [ choice { "," choice } ] ")" | "(" choice ")"

It is Python's, and means the same: a subset without indexes, methods and assignments. `/` divides
floats, `//` and `%` round down, comparisons may follow one another (`0 < a < 1`). Nothing of Python
is run: what is read becomes closures over the operations and functions that are listed here. A part
that is not chosen by `if`, `and` or `or` is not worked out.

An expression is read once from left to right; its work is linear in its length, which is bounded,
as are its depth and the size of whole numbers.
"""

from __future__ import annotations

import math
import operator
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from nodes._numbers import MAX_BITS, checked, rounded
from nodetool_core import Context, ImageRef, ImageSizeRef, NodeError
from nodetool_core.errors import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

Names = Mapping[str, object]
"""Values by name, which an expression may use."""
Work = Callable[[Names], object]
"""Works out a part of an expression."""

MAX_LENGTH: Final = 10_000
MAX_DEPTH: Final = 40

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>(),.]))"
)
_WORDS: Final = frozenset({"and", "or", "not", "if", "else"})
_CONSTANTS: Final[Names] = {
    "pi": math.pi,
    "e": math.e,
    "true": True,
    "false": False,
    "True": True,
    "False": False,
}
_HINT: Final = "It reads as in Python: numbers, names, + - * / // % ** and functions such as max()."

_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def evaluated(text: str, names: Names) -> object:
    """
    Return what an expression gives: a number, a truth, or a value as it was given.

    Raises NodeError where it can't be read, names what is not there, or has no result.
    """
    return compiled(text)(names)


def compiled(text: str) -> Work:
    """Return what works an expression out, as `evaluated` does. Raises NodeError."""
    if len(text) > MAX_LENGTH:
        raise NodeError(
            f"The expression has {len(text)} characters, more than {MAX_LENGTH}.",
            "Divide it among several nodes.",
        )
    work = _Reader(text).read()

    def worked_out(names: Names) -> object:
        try:
            return work(names)
        except ZeroDivisionError as error:
            raise NodeError(
                f"The expression {_short(text)} divides by 0.", "Guard it: `a / b if b else 0`."
            ) from error
        except (ArithmeticError, ValueError) as error:
            raise NodeError(
                f"The expression {_short(text)} has no result: {error}.",
                "Check the values that it is given.",
            ) from error

    return worked_out


def names_in(values: Names, context: Context) -> Names:
    """Return values as expressions and templates use them: images and sizes by their parts."""

    def used(value: object) -> object:
        if isinstance(value, ImageRef):
            width, height = context.image(value).size
            return {
                "width": width,
                "height": height,
                "aspect": width / height,
                "megapixels": width * height / 1_000_000,
            }
        if isinstance(value, ImageSizeRef):
            return {"width": value.width, "height": value.height}
        return value

    return {name: used(value) for name, value in values.items()}


def calculated(text: str, names: Names) -> float:
    """Return the number that an expression gives; truths are 1 and 0. Raises NodeError."""
    return checked(_number(evaluated(text, names)))


class _Reader:
    """Reads an expression from left to right, one token ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._depth = 0
        self._place = 0
        self._start = 0
        self.kind, self.token = "", ""
        self._next()

    def read(self) -> Work:
        if self.kind == "end":
            raise NodeError("The expression is empty.", "Write one, such as `width * 2`.")
        work = self._choice()
        if self.kind != "end":
            raise self._unexpected()
        return work

    def _next(self) -> str:
        """Return the token that was read, and go to the one behind it."""
        before = self.token
        found = _TOKEN.match(self.text, self._place)
        rest = self.text[self._place :].lstrip()
        self._start = len(self.text) - len(rest)
        if found:
            self.kind, self.token = found.lastgroup or "", found[found.lastgroup or 0]
            self.kind = "sign" if self.token in _WORDS else self.kind
            self._place = found.end()
        else:
            self.kind, self.token = ("unknown", rest[0]) if rest else ("end", "")
        return before

    def _takes(self, *tokens: str) -> str:
        """Return the token where it is one of these, and go on; empty otherwise."""
        return self._next() if self.kind == "sign" and self.token in tokens else ""

    def _needs(self, token: str) -> None:
        if not self._takes(token):
            raise self._unexpected(f"`{token}` is expected")

    def _unexpected(self, wanted: str = "") -> NodeError:
        found = "it ends too early" if self.kind == "end" else f"`{self.token}` is out of place"
        hint = "Write ** for a power." if self.token == "^" else _HINT
        hint = "Write == to compare." if self.token == "=" else hint
        return NodeError(
            f"The expression {_short(self.text)} can't be read at character {self._start + 1}:"
            f" {found}{f', where {wanted}' if wanted else ''}.",
            hint,
            where="expression",
        )

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NodeError(
                f"The expression {_short(self.text)} is nested more than {MAX_DEPTH} deep.",
                "Divide it among several nodes.",
            )
        yield
        self._depth -= 1

    def _choice(self) -> Work:
        with self._deeper():
            first = self._or()
            if not self._takes("if"):
                return first
            condition = self._or()
            self._needs("else")
            otherwise = self._choice()
            return lambda names: first(names) if condition(names) else otherwise(names)

    def _or(self) -> Work:
        return self._chain(self._and, "or", until=True)

    def _and(self) -> Work:
        return self._chain(self._not, "and", until=False)

    def _chain(self, part: Callable[[], Work], word: str, *, until: bool) -> Work:
        """Return what gives the first value that decides, else the last, as in Python."""
        parts = [part()]
        while self._takes(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]

        def chosen(names: Names) -> object:
            value: object = None
            for work in parts:
                value = work(names)
                if bool(value) is until:
                    break
            return value

        return chosen

    def _not(self) -> Work:
        if not self._takes("not"):
            return self._comparison()
        with self._deeper():
            part = self._not()
            return lambda names: not part(names)

    def _comparison(self) -> Work:
        parts, signs = [self._sum()], []
        while sign := self._takes(*_COMPARE):
            signs.append(sign)
            parts.append(self._sum())
        if not signs:
            return parts[0]

        def compared(names: Names) -> bool:
            pairs = pairwise(part(names) for part in parts)
            return all(_holds(sign, *pair) for sign, pair in zip(signs, pairs, strict=True))

        return compared

    def _sum(self) -> Work:
        return self._row(self._product, "+", "-")

    def _product(self) -> Work:
        return self._row(self._sign, "*", "/", "//", "%")

    def _row(self, part: Callable[[], Work], *signs: str) -> Work:
        first, rest = part(), []
        while sign := self._takes(*signs):
            rest.append((_ARITHMETIC[sign], part()))
        if not rest:
            return first

        def worked_out(names: Names) -> object:
            total = _number(first(names))
            for operation, other in rest:
                total = checked(operation(total, _number(other(names))))
            return total

        return worked_out

    def _sign(self) -> Work:
        sign = self._takes("-", "+")
        if not sign:
            return self._power()
        with self._deeper():
            part = self._sign()
            turn = operator.neg if sign == "-" else operator.pos
            return lambda names: turn(_number(part(names)))

    def _power(self) -> Work:
        base = self._member()
        if not self._takes("**"):
            return base
        with self._deeper():
            exponent = self._sign()
            return lambda names: power(_number(base(names)), _number(exponent(names)))

    def _member(self) -> Work:
        part = self._part()
        while self._takes("."):
            if self.kind != "name":
                raise self._unexpected("a name is expected")
            part = _member_of(part, self._next())
        return part

    def _part(self) -> Work:
        if self.kind == "number":
            literal = self._literal(self._next())
            return lambda _: literal
        if self.kind == "text":
            text = self._next()[1:-1]
            return lambda _: text
        if self.kind == "name":
            name = self._next()
            return self._call(name) if self._takes("(") else lambda names: _named(name, names)
        if self._takes("("):
            inner = self._choice()
            self._needs(")")
            return inner
        raise self._unexpected()

    def _literal(self, token: str) -> float:
        return checked(int(token) if token.isdecimal() and len(token) < MAX_BITS else float(token))

    def _call(self, name: str) -> Work:
        if name not in FUNCTIONS:
            hint = near_miss(name, FUNCTIONS) or f"There are {', '.join(FUNCTIONS)}."
            raise NodeError(f"There is no function {name!r}.", hint, where="expression")
        arguments: list[Work] = []
        while not self._takes(")"):
            if arguments:
                self._needs(",")
            arguments.append(self._choice())
        least, most, function = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} or more"
            raise NodeError(
                f"{name}() takes {wanted} values, not {len(arguments)}.",
                "Separate them by commas.",
                where="expression",
            )
        return lambda names: function(*(argument(names) for argument in arguments))


def power(base: float, exponent: float) -> float:
    """Return a number to the power of another. Raises NodeError, ValueError, ZeroDivisionError."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if base.bit_length() > 1 and base.bit_length() * exponent > 2 * MAX_BITS:
            return checked(math.inf)
        return checked(int(base**exponent))
    # Unlike `**`, this has no complex results.
    return checked(float(math.pow(base, exponent)) if base else float(base**exponent))


def _number(value: object) -> float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return checked(value)
    raise NodeError(
        f"{_kind(value)} is no number.",
        "Use a part of it, such as `.width` of an image, or len() of a list or a text.",
    )


def _holds(sign: str, first: object, second: object) -> bool:
    if sign in ("==", "!="):
        return (first == second) is (sign == "==")
    if isinstance(first, str) and isinstance(second, str):
        order = (first > second) - (first < second)
    else:
        one, other = _number(first), _number(second)
        order = (one > other) - (one < other)
    return bool(_COMPARE[sign](order, 0))


def _named(name: str, names: Names) -> object:
    if name in names:
        return names[name]
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    known = [*names, *_CONSTANTS]
    hint = near_miss(name, known) or (
        f"There are {', '.join(sorted(names))}." if names else "Give the node a value of that name."
    )
    raise NodeError(f"There is no value {name!r}.", hint, code="missing_value")


def _member_of(part: Work, member: str) -> Work:
    def found(names: Names) -> object:
        value = part(names)
        if isinstance(value, Mapping) and member in value:
            inner: object = value[member]
            return inner
        known = [str(name) for name in value] if isinstance(value, Mapping) else []
        hint = near_miss(member, known) or (
            f"It has {', '.join(known[:20])}."
            if known
            else "Only images, sizes and named values have parts."
        )
        raise NodeError(f"{_kind(value)} has no {member!r}.", hint, code="missing_value")

    return found


def _kind(value: object) -> str:
    kinds = {str: "A text", list: "A list", dict: "A set of named values", type(None): "Nothing"}
    return kinds.get(type(value)) or f"A value of the type {type(value).__name__}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def _length(value: object) -> int:
    if isinstance(value, (str, Sequence, Mapping)):
        return len(value)
    raise NodeError(f"{_kind(value)} has no length.", "Give len() a list or a text.")


def _numbers(values: tuple[object, ...]) -> list[float]:
    """Return the numbers that a function is given: one by one, or as one list."""
    first = values[0]
    inner = list(first) if len(values) == 1 and isinstance(first, (list, tuple)) else values
    numbers = [_number(value) for value in inner]
    if not numbers:
        raise NodeError("A list has no numbers.", "Guard it: `max(a) if len(a) else 0`.")
    return numbers


def _of(function: Callable[..., float]) -> Callable[..., object]:
    """Return a function of numbers that takes values of any kind and refuses the others."""
    return lambda *values: checked(function(*map(_number, values)))


def _clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def _round(value: float, digits: float = 0) -> float:
    places = int(_clamp(digits, -300, 300))
    return rounded(value, 1 if not places else float(f"1e{-places}"), "nearest")


def _snap(value: float, step: float) -> float:
    if step <= 0:
        raise ValueError("the step of snap() has to be above 0")
    return rounded(value, step, "nearest")


_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
FUNCTIONS: Final[Mapping[str, tuple[int, int, Callable[..., object]]]] = {
    "abs": (1, 1, _of(abs)),
    "min": (1, 1000, lambda *values: min(_numbers(values))),
    "max": (1, 1000, lambda *values: max(_numbers(values))),
    "sum": (1, 1000, lambda *values: checked(sum(_numbers(values)))),
    "mean": (1, 1000, lambda *values: statistics.fmean(_numbers(values))),
    "round": (1, 2, _of(_round)),
    "floor": (1, 1, _of(math.floor)),
    "ceil": (1, 1, _of(math.ceil)),
    "trunc": (1, 1, _of(math.trunc)),
    "snap": (2, 2, _of(_snap)),
    "clamp": (3, 3, _of(_clamp)),
    "lerp": (3, 3, _of(lambda start, end, share: start + (end - start) * share)),
    "sign": (1, 1, _of(lambda value: (value > 0) - (value < 0))),
    "sqrt": (1, 1, _of(math.sqrt)),
    "exp": (1, 1, _of(math.exp)),
    "log": (1, 2, _of(math.log)),
    "log2": (1, 1, _of(math.log2)),
    "log10": (1, 1, _of(math.log10)),
    "hypot": (1, 1000, _of(math.hypot)),
    "sin": (1, 1, _of(math.sin)),
    "cos": (1, 1, _of(math.cos)),
    "tan": (1, 1, _of(math.tan)),
    "asin": (1, 1, _of(math.asin)),
    "acos": (1, 1, _of(math.acos)),
    "atan": (1, 1, _of(math.atan)),
    "atan2": (2, 2, _of(math.atan2)),
    "degrees": (1, 1, _of(math.degrees)),
    "radians": (1, 1, _of(math.radians)),
    "gcd": (2, 2, _of(lambda first, second: math.gcd(int(first), int(second)))),
    "len": (1, 1, _length),
}
"""Functions by name: the fewest and most values that they take, and what they do."""
