"""
The data that a node's code reaches (code_objects.py): described by content, and watched.

What has no content that is known counts as itself, which no other process has.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import re
import types
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import is_dataclass
from operator import is_
from typing import Final, Protocol, runtime_checkable

from nodetool_core.engine.code_sources import DIGEST_BYTES, ModuleSources, of_this_process

Watch = Callable[[], bool]
"""Whether something is as it was."""

PLAIN: Final = frozenset(
    {str, int, float, bool, bytes, complex, range, type(None), type(...), type(NotImplemented)}
)
CONTAINERS: Final = (list, tuple, dict, deque, types.MappingProxyType)
_TOLD_BY_REPR: Final = frozenset(
    {
        "datetime",
        "decimal",
        "fractions",
        "uuid",
        "pathlib",
        "ipaddress",
        "operator",
        "typing",
        "zoneinfo",
    }
)
"""Modules whose objects are what their `repr` shows."""
_OF_TYPES: Final = (slice, types.GenericAlias, types.UnionType, re.Pattern)
SILENT: Final = frozenset({"logging", "_thread", "threading", "_contextvars", "contextvars"})
"""
Modules whose objects have no part in a result: loggers, locks, thread-local and context variables.
"""
_WITHOUT_STATE: Final = frozenset({"builtins", "typing", "abc", "collections.abc", "enum"})
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")


@runtime_checkable
class _Bytes(Protocol):
    """An array or an image."""

    def tobytes(self) -> bytes: ...


class DataState(ABC):
    """The data among what code can reach, as it is now."""

    def __init__(self, sources: ModuleSources) -> None:
        self.watches: list[Watch] = []
        self.unknown: list[str] = []
        """What has no content that is known."""
        self._sources = sources

    @abstractmethod
    def _mention(self, value: object) -> str:
        """Return what stands where an object is met."""

    def _mentions(self, values: Iterable[object]) -> str:
        return ",".join(map(self._mention, values))

    def _is_own_class(self, cls: type[object]) -> bool:
        return self._sources.is_followed(cls.__module__)

    # -- describing: what an object is -------------------------------------------------------------

    def _object(self, value: object) -> str:
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if isinstance(value, CONTAINERS):
            self._watch_items(value)
            items = (
                [part for item in value.items() for part in item]
                if isinstance(value, Mapping)
                else value
            )
            return (
                f"{self._mention(kind)} {self._mentions(items)}"
                f" {self._mention(getattr(value, '__dict__', None) or None)}"
            )
        if isinstance(value, set | frozenset):
            self._watch_items(value)
            return (
                f"{self._mention(kind)} {sorted(map(repr, value))}"
                if PLAIN.issuperset(map(type, value))
                else self._itself(value)
            )
        if isinstance(value, enum.Enum):
            return f"{self._mention(kind)} {value.name}"
        if isinstance(value, functools.partial):
            return f"partial {self._mentions((value.func, value.args, value.keywords))}"
        if isinstance(value, types.MethodType | types.BuiltinMethodType):
            return (
                f"method {getattr(value, '__name__', '')}"
                f" {self._mentions((getattr(value, '__func__', None), value.__self__))}"
            )
        if kind.__module__.partition(".")[0] in _TOLD_BY_REPR or isinstance(value, _OF_TYPES):
            return f"{name} {text_of(value)}"
        wrapped = getattr(value, "__wrapped__", None)
        if isinstance(wrapped, types.FunctionType):
            return f"{name} {self._mention(wrapped)}"
        if isinstance(value, _Bytes):
            return self._bytes(value, name)
        return self._instance(value, name)

    def _bytes(self, value: _Bytes, name: str) -> str:
        """Return an array or an image."""
        if getattr(getattr(value, "dtype", None), "hasobject", False):
            return self._itself(value)
        digest = _content(value)
        self.watches.append(lambda: _content(value) == digest)
        return f"{name} {digest}"

    def _instance(self, value: object, name: str) -> str:
        """
        Return an object of some class: by its fields, where these are all that there is to it.
        """
        kind = type(value)
        fields: dict[str, object] = getattr(value, "__dict__", {})
        slots = [
            slot
            for base in kind.__mro__
            for slot in _listed(vars(base).get("__slots__", ()))
            if hasattr(value, slot)
        ]
        is_data = (
            is_dataclass(value)
            or hasattr(kind, "model_fields")
            or all(map(self._has_only_fields, kind.__mro__))
        )
        parts = [*fields.values(), *(getattr(value, slot) for slot in slots)]
        plain = next((base for base in kind.__mro__ if base in PLAIN), None)
        content = "" if plain is None else str(vars(plain)["__repr__"](value))
        if hasattr(value, "digest") and hasattr(value, "sealed"):
            return f"{name} {value.digest}"
        if not parts and kind.__basicsize__ <= _NO_FIELDS:
            return f"nothing but a {name}"
        if not is_data or any(
            type(part).__module__ in SILENT and type(part).__name__ != "Logger" for part in parts
        ):
            return self._itself(value)
        self._watch_items(fields)
        if slots:
            self.watches.append(
                lambda: all(
                    map(is_, [getattr(value, slot, None) for slot in slots], parts[len(fields) :])
                )
            )
        return f"{self._mention(kind)} {content} {list(fields)} {slots} {self._mentions(parts)}"

    def _has_only_fields(self, cls: type[object]) -> bool:
        """Return whether instances have nothing beside their fields because of a class."""
        return self._is_own_class(cls) or cls in PLAIN or cls.__module__ in _WITHOUT_STATE

    def _itself(self, value: object) -> str:
        """Return an object whose content is not known."""
        self.unknown.append(f"an object of {type(value).__module__}.{type(value).__qualname__}")
        return of_this_process(_identities.of(value))

    # -- watching ----------------------------------------------------------------------------------

    def _watch_names(self, namespace: Mapping[str, object], names: list[str]) -> None:
        found, get = [namespace[name] for name in names], namespace.get
        if names:
            self.watches.append(lambda: all(map(is_, map(get, names), found)))

    def _watch_items(self, container: Collection[object]) -> None:
        if isinstance(container, tuple | frozenset):
            return
        if isinstance(container, Mapping):
            keys, values = list(container), list(container.values())
            self.watches.append(
                lambda: (
                    len(container) == len(keys)
                    and all(map(is_, container, keys))
                    and all(map(is_, container.values(), values))
                )
            )
        else:
            items = list(container)
            self.watches.append(
                lambda: len(container) == len(items) and all(map(is_, container, items))
            )


class _Empty:
    """An object without fields."""


_NO_FIELDS: Final = _Empty.__basicsize__
"""The size of an object that can't hold anything beside what its `__dict__` does."""


class _Identities:
    """Names of objects by which they are known in this process, never given twice."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], object], str]] = {}
        self._count = 0

    def of(self, value: object) -> str:
        known = self._known.get(id(value))
        if known is not None and known[0]() is value:
            return known[1]
        self._count += 1
        try:
            holder: Callable[[], object] = weakref.ref(value)
        except TypeError:
            holder = lambda: value  # noqa: E731
        self._known[id(value)] = holder, str(self._count)
        return str(self._count)


_identities: Final = _Identities()


def _listed(slots: str | Iterable[str]) -> list[str]:
    return (
        [slots]
        if isinstance(slots, str)
        else [slot for slot in slots if slot not in ("__dict__", "__weakref__")]
    )


def _content(value: _Bytes) -> str:
    about = (
        getattr(value, "shape", None),
        str(getattr(value, "dtype", "")),
        getattr(value, "mode", ""),
        getattr(value, "size", 0),
    )
    return f"{about} {hashlib.blake2b(value.tobytes(), digest_size=DIGEST_BYTES).hexdigest()}"


def text_of(value: object) -> str:
    return _ADDRESS.sub("", repr(value))


def are_current(watches: Iterable[Watch]) -> bool:
    """Return whether all that was watched is as it was."""
    try:
        return all(watch() for watch in watches)
    except Exception:  # noqa: BLE001 - a value that is being changed, or can't be looked at any more, is not what it was
        return False
