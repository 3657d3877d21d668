"""
Types of a pack's own: what makes their values at home in files and in the disk cache.

Values of any class may travel along edges. One that is also to be written into workflow files,
given as JSON, compared with those of earlier runs, or kept on disk has a form in JSON: its
class derives from `JsonValue`. A dataclass needs nothing of that; its fields are its form.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, get_args, get_origin, get_type_hints

from nodetool_core.json_types import Json
from nodetool_core.type_forms import forms_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


class JsonValue(ABC):
    """
    Base of classes whose values have a JSON form.

    Two values with the same form are the same to the result cache, so it has to hold all that
    matters.
    """

    __slots__ = ()

    @abstractmethod
    def to_json(self) -> Any:
        """
        Return the value as JSON.

        Texts, numbers, booleans, None, lists, and mappings with texts as names.
        """

    @classmethod
    @abstractmethod
    def from_json(cls, form: Any) -> Self:
        """Make the value of a JSON form. Raise ValueError with what is wrong with it."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object) -> Any:
            return value if isinstance(value, cls) else cls.from_json(value)

        return core_schema.no_info_plain_validator_function(read)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {}


def fields_of(value: object) -> dict[str, object] | None:
    """
    Return the fields of a dataclass's value, by name.

    None for anything else, and for one that holds more than its fields.
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return None
    fields = {
        field.name: getattr(value, field.name)
        for field in dataclasses.fields(value)
        if hasattr(value, field.name)
    }
    return (
        fields
        if len(fields) == len(dataclasses.fields(value))
        and getattr(value, "__dict__", {}).keys() <= fields.keys()
        else None
    )


def with_fields(kind: type, fields: dict[str, object]) -> object:
    """Return the value of a dataclass with these fields, without calling code of its own."""
    value: object = object.__new__(kind)
    for name, field in fields.items():
        object.__setattr__(value, name, field)
    return value


def typed_fields(annotation: Any) -> tuple[dict[str, object], frozenset[str]]:
    """
    Return the types of the fields of a `TypedDict`, and the names of those that have to be there.
    """
    marked = get_type_hints(annotation, include_extras=True)
    # The class itself does not see what is marked in annotations that are kept as texts.
    marks = {name: get_origin(hint) for name, hint in marked.items()}
    optional = (typing.NotRequired, typing.Required)
    by_default = {
        name
        for name, mark in marks.items()
        if mark not in optional and name in annotation.__required_keys__
    }
    return get_type_hints(annotation), frozenset(
        by_default | {name for name, mark in marks.items() if mark is typing.Required}
    )


@lru_cache(maxsize=1024)
def readable(annotation: Any) -> Any:
    """
    Return the type as pydantic reads it.

    Before Python 3.12, it does not know the standard library's `TypedDict`.
    """
    import typing_extensions

    if isinstance(annotation, type) and (forms := forms_of(annotation)) and forms.from_json:
        return _read_by(annotation, forms.from_json)
    if typing.is_typeddict(annotation):
        hints, needed = typed_fields(annotation)
        fields = {
            name: readable(of) if name in needed else typing_extensions.NotRequired[readable(of)]
            for name, of in hints.items()
        }
        return typing_extensions.TypedDict(annotation.__name__, fields)  # type: ignore[operator]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (list, dict, tuple, set, frozenset) and arguments:
        return origin[
            tuple(map(readable, arguments)) if len(arguments) > 1 else readable(arguments[0])
        ]
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(map(readable, arguments))]  # noqa: UP007 - of types that are known here alone
    return annotation


def _read_by(kind: type, from_json: Callable[[Json], object]) -> Any:
    """Return a type as pydantic reads it by a function."""
    from pydantic import PlainValidator, WithJsonSchema

    def read(value: Any) -> object:
        return value if isinstance(value, kind) else from_json(value)

    return typing.Annotated[kind, PlainValidator(read), WithJsonSchema({})]
