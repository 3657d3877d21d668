"""
Types of properties and outputs, and what may be connected to what.

The annotation is the type: `int`, `float`, `str`, `bool`, `list[ImageRef]`, `Literal["a", "b"]`,
`ImageRef | None`, a class. An edge is allowed when every value of the source type is a value of the
target type (`is_assignable`); `Any` on either side defers the question to run time, where `checker`
answers it for a value.

`int → float` is the one widening. A reference to a model's weights fits wherever one is expected:
what weights are good for is found out when they are loaded. `bool` is not an `int` here: `true` as
a number of steps is a mistake.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, is_typeddict

from nodetool_core.own_types import typed_fields
from nodetool_core.references import ModelRef, Reference

Annotation = Any
"""A type as it stands in an annotation: a class, a generic alias, a union, `Any`."""

Check = Callable[[Any], bool]

_NONE = type(None)


def origin_of(annotation: Annotation) -> Any:
    """Return what a generic annotation is made from (`list` of `list[int]`), or None."""
    return get_origin(annotation)


def strip(annotation: Annotation) -> Annotation:
    """Return the annotation without `Annotated` metadata."""
    return get_args(annotation)[0] if origin_of(annotation) is Annotated else annotation


def union_members(annotation: Annotation) -> tuple[Annotation, ...]:
    """Return the alternatives of a union, or the type itself as the only one."""
    annotation = strip(annotation)
    if origin_of(annotation) in (Union, types.UnionType):
        return tuple(member for part in get_args(annotation) for member in union_members(part))
    return (annotation,)


def accepts_none(annotation: Annotation) -> bool:
    return any(member in (_NONE, None, Any) for member in union_members(annotation))


@lru_cache(maxsize=4096)
def is_assignable(source: Annotation, target: Annotation) -> bool:
    """Return whether an output of type `source` may feed a property of type `target`."""
    source, target = strip(source), strip(target)
    if source is Any or target is Any or source == target:
        return True
    if len(members := union_members(source)) > 1:
        return all(is_assignable(member, target) for member in members)
    if len(members := union_members(target)) > 1:
        return any(is_assignable(source, member) for member in members)
    if origin_of(source) is Literal:
        return all(checker(target)(value) for value in get_args(source))
    if is_typeddict(target):
        return _fits_fields(source, target)
    if is_typeddict(source):
        return is_assignable(dict[str, Any], target)
    source_origin, target_origin = origin_of(source) or source, origin_of(target) or target
    if target_origin is Literal or not (
        isinstance(source_origin, type) and isinstance(target_origin, type)
    ):
        return False
    if (source_origin is int and target_origin is float) or (
        issubclass(source_origin, ModelRef) and issubclass(target_origin, ModelRef)
    ):
        return True
    if source_origin is bool and target_origin is not bool:
        return False
    if not issubclass(source_origin, target_origin):
        return False
    source_args, target_args = get_args(source), get_args(target)
    if not source_args or not target_args:
        return True
    if target_origin is tuple:
        return _fits_tuple(source_args, target_args)
    return all(
        Ellipsis in pair or is_assignable(*pair)
        for pair in zip(source_args, target_args, strict=False)
    )


def _fits_fields(source: Annotation, target: Annotation) -> bool:
    """
    Return whether mappings of a type have the fields of a `TypedDict`.

    A type that leaves its values open fits; its values are checked later.
    """
    if not is_typeddict(source):
        return is_open(source) and is_assignable(source, dict[str, Any])
    given, there = typed_fields(source)
    wanted, needed = typed_fields(target)
    return needed <= there and all(
        name in given and is_assignable(given[name], of)
        for name, of in wanted.items()
        if name in needed
    )


def _fits_tuple(source: tuple[Annotation, ...], target: tuple[Annotation, ...]) -> bool:
    """
    Return whether tuples of some items are tuples of others.

    `tuple[int, int]` is a `tuple[int, ...]`, and not the other way round.
    """
    if Ellipsis in target:
        return all(is_assignable(item, target[0]) for item in source if item is not Ellipsis)
    return (
        Ellipsis not in source
        and len(source) == len(target)
        and all(map(is_assignable, source, target))
    )


@lru_cache(maxsize=4096)
def is_open(annotation: Annotation) -> bool:
    """Return whether a type leaves a part of its values open: `Any`, `list[Any]`, a bare `dict`."""
    annotation = strip(annotation)
    if annotation in (Any, list, dict, tuple, set, frozenset):
        return True
    origin: object = get_origin(annotation)
    return origin is not Literal and any(
        is_open(arg) for arg in get_args(annotation) if arg is not Ellipsis
    )


@lru_cache(maxsize=4096)
def has_numbers(annotation: Annotation) -> bool:
    """
    Return whether values of a type are, or hold, floating point numbers.

    These may be no number (NaN) or infinite.
    """
    annotation = strip(annotation)
    if is_typeddict(annotation):
        return any(map(has_numbers, typed_fields(annotation)[0].values()))
    return annotation is float or (
        origin_of(annotation) is not Literal and any(map(has_numbers, get_args(annotation)))
    )


@lru_cache(maxsize=4096)
def checker(annotation: Annotation) -> Check:
    """
    Return a function that checks whether a value belongs to the type.

    Lists and mappings are checked element by element.
    """
    annotation = strip(annotation)
    if annotation is Any or annotation is object:
        return lambda value: True
    if annotation in (None, _NONE):
        return lambda value: value is None
    if len(members := union_members(annotation)) > 1:
        checks = tuple(checker(member) for member in members)
        return lambda value: any(check(value) for check in checks)
    origin, args = origin_of(annotation), get_args(annotation)
    if origin is Literal:
        return lambda value: any(
            value == allowed and type(value) is type(allowed) for allowed in args
        )
    if isinstance(annotation, type) and issubclass(annotation, ModelRef):
        return lambda value: isinstance(value, ModelRef)
    if annotation is float:
        return lambda value: isinstance(value, (float, int)) and not isinstance(value, bool)
    if annotation is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if is_typeddict(annotation):
        return _fields_checker(annotation)
    if origin is None:
        return (
            (lambda value: isinstance(value, annotation))
            if isinstance(annotation, type)
            else (lambda value: True)
        )
    return _container_checker(origin, args)


def exact_type(annotation: Annotation) -> type | None:
    """
    Return the class whose own instances all belong to the type and need no `checker`.

    None where there is none such.
    """
    annotation = strip(annotation)
    return annotation if annotation in (int, float, str, bool) else None


def _fields_checker(annotation: Annotation) -> Check:
    hints, needed = typed_fields(annotation)
    checks = {name: checker(of) for name, of in hints.items()}
    return lambda value: (
        isinstance(value, dict)
        and needed <= value.keys() <= checks.keys()
        and all(checks[name](item) for name, item in value.items())
    )


def _container_checker(origin: Annotation, args: tuple[Annotation, ...]) -> Check:
    if not isinstance(origin, type):
        return lambda value: True
    if issubclass(origin, Mapping) and len(args) == 2:
        key_check, value_check = checker(args[0]), checker(args[1])
        return lambda value: (
            isinstance(value, origin)
            and all(key_check(k) and value_check(v) for k, v in value.items())
        )
    if origin is tuple and Ellipsis not in args:
        checks = tuple(checker(arg) for arg in args)
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(checks)
            and all(c(v) for c, v in zip(checks, value, strict=True))
        )
    if args and origin in (list, tuple, set, frozenset):
        item_check = checker(args[0])
        return lambda value: isinstance(value, origin) and all(item_check(item) for item in value)
    return lambda value: isinstance(value, origin)


def choices(annotation: Annotation) -> tuple[Any, ...] | None:
    """
    Return the values a property is limited to (`Literal` or an `Enum`), or None where it is not.
    """
    annotation = strip(annotation)
    if origin_of(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return tuple(member.value for member in annotation)
    return None


def type_name(annotation: Annotation) -> str:
    """
    Return the type as pages, listings and messages spell it.

    `float`, `image`, `list[image]`, `enum`, `image | none`.
    """
    annotation = strip(annotation)
    if annotation is Any:
        return "any"
    if annotation in (None, _NONE):
        return "none"
    if len(members := union_members(annotation)) > 1:
        return " | ".join(dict.fromkeys(type_name(member) for member in members))
    if choices(annotation) is not None:
        return "enum"
    origin, args = origin_of(annotation), get_args(annotation)
    if origin is not None:
        inner = ", ".join("..." if arg is Ellipsis else type_name(arg) for arg in args)
        return f"{origin.__name__.lower()}[{inner}]"
    if isinstance(annotation, type) and issubclass(annotation, Reference):
        return annotation.type_name()
    return str(getattr(annotation, "__name__", annotation)).lower()


def value_type_name(value: object) -> str:
    """Return the type of a value, spelled as `type_name` spells types."""
    return "none" if value is None else type_name(type(value))
