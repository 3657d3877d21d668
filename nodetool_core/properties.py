"""
A property of a node: its name, type, bounds and default.

What fits it, what is reported of what does not, and its JSON form.

Checks are done without pydantic, because they are made for every value of every run; a pydantic
adapter is made when the first JSON value has to be read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from nodetool_core.errors import Problem
from nodetool_core.own_types import JsonValue, fields_of, readable
from nodetool_core.ownership import NoCopyError, own_copy
from nodetool_core.references import Reference, reference_types
from nodetool_core.type_forms import forms_of
from nodetool_core.types import (
    Annotation,
    checker,
    choices,
    exact_type,
    has_numbers,
    is_open,
    type_name,
    union_members,
    value_type_name,
)
from nodetool_core.values import CONTAINERS, PLAIN_TYPES, complaint, fits_floats, levels

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MISSING: Any = object()
"""The default of a property that has none: the property is a required input."""

Place = Literal["file", "folder", "address"]
"""What a value names outside of the workflow, and a node reads, writes or calls there."""

PLACES: frozenset[str] = frozenset(get_args(Place))

_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "ge": (lambda value, bound: value >= bound, "below"),
    "gt": (lambda value, bound: value > bound, "not above"),
    "le": (lambda value, bound: value <= bound, "above"),
    "lt": (lambda value, bound: value < bound, "not below"),
}


@dataclass(frozen=True)
class FieldInfo:
    """What `Field` was given, before the annotation is known."""

    default: Any
    description: str
    bounds: dict[str, float]
    max_length: int | None
    seed: bool
    label: bool = False
    place: Place | None = None


def Field(  # noqa: N802 - reads as a declaration, like pydantic's
    default: object = MISSING,
    *,
    description: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    max_length: int | None = None,
    seed: bool = False,
    label: bool = False,
    place: Place | None = None,
) -> Any:
    """
    Return a property of a node.

    Args:
        default: The value where none is given. Without a default the property is a required input.
        description: One sentence for the reference page and the forms.
        ge: Least value of a number.
        gt: What a number has to be above.
        le: Greatest value of a number.
        lt: What a number has to be below.
        max_length: The most characters of a text, or items of a list.
        seed: The property is the seed of a random generator: -1 is replaced by a drawn number
            before the run, which is recorded.
        label: The property names or describes the node to people, and has no part in its results:
            changing it computes nothing again.
        place: The value names a file, a folder or an address, or a part of one, which the node
            reads, writes or calls. Clients of a server can't set it, nor anything that leads to it.
            References (`ImageRef`, `FolderRef`) need no such mark: their type is one.
    """
    given = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    bounds = {name: bound for name, bound in given.items() if bound is not None}
    return FieldInfo(default, description, bounds, max_length, seed, label, place)


@dataclass(frozen=True)
class Property:
    """One property of a node: a name, a type, bounds, a default."""

    name: str
    annotation: Annotation
    default: Any
    description: str
    bounds: dict[str, float]
    max_length: int | None = None
    seed: bool = False
    label: bool = False
    place: Place | None = None
    """What a value names outside of the workflow; None where that is nothing, or a reference."""

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def is_default(self, value: object) -> bool:
        """Return whether a value is the same as leaving the property out."""
        if value is self.default:
            return True
        if type(value) is not type(self.default):
            # Of another type is another value, though True == 1.
            return False
        try:
            return bool(value == self.default)
        except ValueError:
            # Arrays compare number by number.
            return False

    @cached_property
    def accepts(self) -> Callable[[object], bool]:
        """Whether a value is of the type; bounds are `misfit`'s."""
        return checker(self.annotation)

    @cached_property
    def exact(self) -> type | None:
        """
        The class whose own instances are all right as they are, without a call of `validate`.

        None where there is none such.
        """
        return None if self.is_bounded else exact_type(self.annotation)

    @cached_property
    def is_bounded(self) -> bool:
        """Whether a value of the right type can still be wrong."""
        return bool(self.bounds) or self.max_length is not None or has_numbers(self.annotation)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Reads the JSON form of a value (references from objects and texts), strictly."""
        from pydantic import BaseModel, ConfigDict, TypeAdapter
        from typing_extensions import TypeAliasType

        if isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel):
            return TypeAdapter(self.annotation)
        config = ConfigDict(
            strict=True, allow_inf_nan=False, arbitrary_types_allowed=True, extra="forbid"
        )
        # By another name, for pydantic takes no configuration for what could have one of its own,
        # as a dataclass could.
        named: Any = TypeAliasType("Value", readable(self.annotation))
        return TypeAdapter(named, config=config)

    def validate(self, value: object, where: str) -> tuple[Any, list[Problem]]:
        """
        Return an own copy of the value, in the property's type, and what is wrong with it.

        Numbers are never coerced.
        """
        from pydantic import ValidationError

        if isinstance(value, CONTAINERS) and (wrong := complaint(value)):
            return value, [Problem("invalid_value", where, wrong)]
        try:
            value = own_copy(value)
        except NoCopyError as error:
            return value, [replace(error.problem, where=where)]
        if not self.accepts(value):
            try:
                value = self._read(value)
            except ValidationError as error:
                return value, self._explain(value, where, error)
        elif isinstance(value, (list, dict)) and self._is_open:
            value = _with_references(value)
        wrong = self.misfit(value)
        return value, [Problem("invalid_value", where, wrong)] if wrong else []

    def _read(self, value: object) -> object:
        """Return the value that a JSON form stands for. Raises ValidationError."""
        from pydantic import ValidationError

        if isinstance(value, (tuple, range)) and self.accepts(items := list(value)):
            return items
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            # What JSON has no form of its own for (enums, tuples, times, dataclasses) is read only
            # from JSON itself.
            try:
                return self.adapter.validate_json(json.dumps(value, allow_nan=False))
            except ValidationError as from_json:
                is_dataclass = any(
                    detail["type"] == "dataclass_exact_type"
                    for detail in error.errors(include_url=False)
                )
                raise from_json if is_dataclass else error from None
            except (TypeError, ValueError):
                raise error from None

    def misfit(self, value: object) -> str:
        """Return why a value of the right type is out of bounds, or an empty string."""
        if isinstance(value, (float, *CONTAINERS)) and (wrong := complaint(value)):
            return wrong
        if (
            has_numbers(self.annotation)
            and isinstance(value, (int, *CONTAINERS))
            and not fits_floats(value)
        ):
            return "has a number that is too large: the largest is about 1.8e308."
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for kind, bound in self.bounds.items():
                fits, wording = _BOUNDS[kind]
                if not fits(value, bound):
                    return f"{value} is {wording} {bound}."
        if (
            self.max_length is not None
            and hasattr(value, "__len__")
            and len(value) > self.max_length
        ):
            return f"has {len(value)} elements, at most {self.max_length} are allowed."
        return ""

    def _explain(self, value: Any, where: str, error: Any) -> list[Problem]:
        allowed = choices(self.annotation)
        if allowed is not None:
            from nodetool_core.errors import near_miss

            names = ", ".join(repr(choice) for choice in allowed)
            hint = near_miss(str(value), map(str, allowed))
            return [
                Problem(
                    "invalid_value", where, f"{value!r} is not one of the choices: {names}.", hint
                )
            ]
        expected = type_name(self.annotation)
        if not isinstance(value, (dict, list)):
            reason = next(
                (
                    detail["msg"]
                    for detail in error.errors(include_url=False)
                    if detail["type"] == "value_error"
                ),
                "",
            )
            hint = f"{reason.removeprefix('Value error, ')}." if reason else self._hint(value)
            return [
                Problem(
                    "invalid_value",
                    where,
                    f"expects {expected}, got {shown(value)} ({value_type_name(value)}).",
                    hint,
                )
            ]
        found = []
        for detail in error.errors(include_url=False, include_context=False):
            place = "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]
            )
            found.append(
                Problem("invalid_value", where + place, f"expects {expected}: {detail['msg']}.")
            )
        return found

    def _hint(self, value: object) -> str:
        """
        Return what to write in place of a value that is nearly one.

        A number that is given as a text.
        """
        if isinstance(value, str) and not {int, float}.isdisjoint(union_members(self.annotation)):
            with suppress(ValueError):
                number = float(value.replace(",", "."))
                if math.isfinite(number):
                    return f"Write it as a number: {number:g}"
        return ""

    @cached_property
    def _is_open(self) -> bool:
        """
        Whether the type leaves some part of its values open, so that only these show what they are.
        """
        return is_open(self.annotation)

    def not_kept(self, value: object) -> str:
        """Return what a file would not keep of a value, or an empty string."""
        if not self._is_open:
            try:
                self.to_json(value)
            except TypeError as error:
                return str(error)
            return ""
        for level in levels(value):
            for item in level:
                if type(item) not in _OF_JSON and not isinstance(item, Reference):
                    return (
                        f"a file would not give back a {type(item).__name__} where any value is"
                        " allowed."
                    )
                if (
                    type(item) is dict
                    and (name := next((name for name in item if type(name) is not str), None))
                    is not None
                ):
                    return f"a file would give back the name {name!r} as a text."
        return ""

    def to_json(self, value: object) -> Any:
        """Return the JSON form of a value of this property."""
        return jsonable(value)

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of the property, with default, bounds and description."""
        schema = dict(self.adapter.json_schema())
        keys = {
            "ge": "minimum",
            "gt": "exclusiveMinimum",
            "le": "maximum",
            "lt": "exclusiveMaximum",
        }
        schema |= {keys[kind]: bound for kind, bound in self.bounds.items()}
        if self.place is not None:
            schema["place"] = self.place
        if self.description:
            schema["description"] = self.description
        if not self.required:
            schema["default"] = self.to_json(self.default)
        return schema


def shown(value: object) -> str:
    """Return a value as messages show it: as Python writes it, not too long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


ANYTHING = Property("", Any, None, "", {})
"""What holds for values of properties that a node takes under any name."""


_OF_JSON = PLAIN_TYPES | {list, dict}
"""Types whose values a file keeps as they are."""


def _with_references(value: object) -> object:
    """
    Return a value with references in place of their JSON forms.

    This is for properties whose type names none.
    """
    from pydantic import ValidationError

    if type(value) is list:
        return [_with_references(item) for item in value]
    if type(value) is not dict:
        return value
    kind = reference_types().get(value["type"]) if isinstance(value.get("type"), str) else None
    if kind is not None:
        with suppress(ValidationError):
            return kind.model_validate(value)
    return {name: _with_references(item) for name, item in value.items()}


def jsonable(value: object) -> Any:
    """
    Return the JSON form of a property's value.

    References and dataclasses as objects, images as encoded files, enums by value, containers by
    element, values of a pack's own types in their form. Raises TypeError where there is none.
    """
    # What nearly all documents are made of, first.
    if type(value) in PLAIN_TYPES:
        return value
    if type(value) is dict:
        return _json_object(value)
    if type(value) is list:
        return [jsonable(item) for item in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return getattr(value, "value", value)
    if isinstance(value, JsonValue):
        return jsonable(value.to_json())
    if hasattr(value, "inline"):
        value = value.inline()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return _json_object(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if (fields := fields_of(value)) is not None:
        return {name: jsonable(item) for name, item in fields.items()}
    forms = forms_of(type(value))
    if forms is not None and forms.to_json is not None:
        return jsonable(forms.to_json(value))
    if hasattr(value, "value"):
        return jsonable(value.value)
    raise TypeError(f"{value_type_name(value)} has no JSON form.")


def _json_object(value: Mapping[object, object]) -> dict[str, object]:
    written = {
        str(key): item if type(item) in PLAIN_TYPES else jsonable(item)
        for key, item in value.items()
    }
    if len(written) < len(value):
        raise TypeError(
            "A mapping with names such as 1 and '1', which are one name in JSON, has no JSON form."
        )
    return written
