"""
Values that can be handed on without anybody changing them behind another's back.

A value has several holders at once: the node that made it, the nodes that take it, the result
cache, whoever asked for the run. Each gets what `own_copy` makes of it:

    number, text, None, bytes, enum       itself: it can't be changed
    list, mapping, set, tuple, dataclass  a new one, with own copies of what is in it; what occurs
                                          twice in it still does
    `ImageData`                           itself: the images that it lends copy their pixels before
                                          they are changed
    image of Pillow                       a new one over the same pixels, which copies them before
                                          they are changed
    array                                 a view that can't be written
    tensor without gradient               a copy
    anything else                         itself: an object of a class of one's own is a handle,
                                          which its holders share

What comes from outside (what `process` returned, what a caller gives) may still be written by
whoever made it. Pixels and arrays of which that can't be ruled out are copied, once: what was an
own copy before is only looked at again.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import lru_cache
from typing import Any, Final

from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.values import PLAIN_TYPES

Seen = dict[int, Any]
"""Own copies by the identity of what they are copies of."""

Copier = Callable[[Any, Seen], Any]

_IMMUTABLE: Final = PLAIN_TYPES | {bytes, complex, range}
_READ_ONCE: Final = frozenset({"builtins", "itertools"})
"""
Modules whose iterators are used up by the first who reads them.

An iterator of a class of one's own may be a handle.
"""


class NoCopyError(NodetoolError):
    """A value can't be handed to more than one holder."""


def own_copy(value: object) -> Any:
    """
    Return the value for one more holder.

    Raises NoCopyError for what can be read only once, such as a generator.
    """
    if type(value) in _IMMUTABLE:
        return value
    try:
        return _copied(value, {})
    except RecursionError:
        message = "is nested more deeply than can be followed."
        raise NoCopyError(
            Problem("invalid_value", "", message, "Give it as a flat list, or as a text.")
        ) from None


def is_immutable(value: object) -> bool:
    """Return whether a value is its own copy, as numbers and texts are."""
    return type(value) in _IMMUTABLE


def _copied(value: object, seen: Seen) -> object:
    kind: object = type(value)
    if kind in _IMMUTABLE:
        return value
    if id(value) in seen:
        return seen[id(value)]
    return _copier(kind)(value, seen)


@lru_cache(maxsize=1024)
def _copier(kind: Any) -> Copier:
    """Return how values of a class are copied."""
    for known, copier in _COPIERS.items():
        if issubclass(kind, known):
            return copier
    for name, copier in _OF_LIBRARIES.items():
        module, _, attribute = name.partition(":")
        if issubclass(kind, getattr(sys.modules.get(module), attribute, ())):
            return copier
    if dataclasses.is_dataclass(kind):
        return _of_fields
    if kind.__module__ in _READ_ONCE and issubclass(kind, Iterator | AsyncIterator | Coroutine):
        return _refuse
    return _itself


def _itself(value: object, seen: Seen) -> object:
    return value


def _refuse(value: object, seen: Seen) -> object:
    message = f"is a {type(value).__name__}, which can be read only once."
    raise NoCopyError(
        Problem("invalid_value", "", message, "Give a list of what it yields: list(…).")
    )


def _list(value: list[object], seen: Seen) -> list[object]:
    new = seen[id(value)] = copy.copy(value)
    if not _IMMUTABLE.issuperset(map(type, value)):
        new[:] = [_copied(item, seen) for item in value]
    return new


def _dict(value: dict[object, object], seen: Seen) -> dict[object, object]:
    new = seen[id(value)] = copy.copy(value)
    for name, item in value.items():
        if type(item) not in _IMMUTABLE:
            new[name] = _copied(item, seen)
    return new


def _tuple(value: tuple[Any, ...], seen: Seen) -> tuple[object, ...]:
    if _IMMUTABLE.issuperset(map(type, value)):
        return value
    items = [_copied(item, seen) for item in value]
    if all(map(_is, items, value)):
        return value
    kind: Any = type(value)
    return kind._make(items) if hasattr(kind, "_make") else kind(items)  # type: ignore[no-any-return]


def _deque(value: deque[object], seen: Seen) -> deque[object]:
    new = seen[id(value)] = copy.copy(value)
    for position, item in enumerate(value):
        new[position] = _copied(item, seen)
    return new


def _shallow(value: object, seen: Seen) -> object:
    return copy.copy(value)


def _of_fields(value: Any, seen: Seen) -> object:
    """Return a dataclass instance."""
    new = seen[id(value)] = copy.copy(value)
    for field in dataclasses.fields(value):
        if hasattr(value, field.name):
            object.__setattr__(new, field.name, _copied(getattr(value, field.name), seen))
    return new


def _model(value: Any, seen: Seen) -> object:
    """
    Return a pydantic model, such as a reference; one whose fields can't be changed is its own copy.
    """
    if _IMMUTABLE.issuperset(map(type, vars(value).values())) and (
        type(value).model_config.get("frozen")
    ):
        return value
    fields = {name: _copied(item, seen) for name, item in vars(value).items()}
    if type(value).model_config.get("frozen") and all(
        map(_is, fields.values(), vars(value).values())
    ):
        return value
    new = seen[id(value)] = value.model_copy()
    vars(new).update(fields)
    return new


def _image_data(value: Any, seen: Seen) -> object:
    return value.sealed()


def _image(value: Any, seen: Seen) -> Any:
    from nodetool_core.assets.copy_on_write import CopyOnWriteImage

    # One that is not lent is its maker's, who may go on drawing.
    is_lent = isinstance(value, CopyOnWriteImage) and value.is_sealed
    new = seen[id(value)] = CopyOnWriteImage.sealed(value if is_lent else value.copy())
    return new


def _array(value: Any, seen: Seen) -> object:
    if value.dtype.hasobject or type(value) is not sys.modules["numpy"].ndarray:
        # A subclass may hold more than its memory, such as a mask.
        new = seen[id(value)] = copy.deepcopy(value)
        return new
    frozen = value
    if not _is_frozen(value):
        frozen = value.copy(order="K")
        frozen.flags.writeable = False
    new = seen[id(value)] = frozen.view()
    return new


def _is_frozen(array: Any) -> bool:
    """
    Return whether nobody can write an array's memory: it and what it is a view of are read-only.
    """
    while not array.flags.writeable:
        base = array.base
        if base is None or isinstance(base, bytes):
            return True
        if not hasattr(base, "flags"):
            return False
        array = base
    return False


def _tensor(value: Any, seen: Seen) -> Any:
    if value.requires_grad:
        return value
    new = seen[id(value)] = value.clone()
    return new


def _is(one: object, other: object) -> bool:
    return one is other


_COPIERS: Final[dict[type[Any], Copier]] = {
    list: _list,
    dict: _dict,
    tuple: _tuple,
    deque: _deque,
    set: _shallow,
    bytearray: _shallow,
}

_OF_LIBRARIES: Final[dict[str, Copier]] = {
    "nodetool_core.assets.image_data:ImageData": _image_data,
    "pydantic:BaseModel": _model,
    "PIL.Image:Image": _image,
    "numpy:ndarray": _array,
    "torch:Tensor": _tensor,
}
"""
Copiers of classes that are only looked up where their library is loaded, as it is where there is a
value of it.
"""
