"""
What a node class declares.

Its properties, its outputs, and the parts of its docstring, read once and checked.

Reading is done without pydantic, because it happens at import for every node there is.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import time
import typing
from collections.abc import AsyncGenerator as AsyncGeneratorType
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args, get_type_hints
from weakref import WeakKeyDictionary

from nodetool_core.errors import DeclarationError, Problem
from nodetool_core.properties import MISSING, PLACES, FieldInfo, Place, Property
from nodetool_core.references import FolderRef
from nodetool_core.types import (
    Annotation,
    accepts_none,
    origin_of,
    strip,
    type_name,
    union_members,
    value_type_name,
)

LOADED_AT = time.time()
"""
When this process began to read node classes.

A source file that was changed later may not be what runs.
"""

RESERVED = frozenset(
    {
        "spec",
        "lane",
        "role",
        "cacheable",
        "dynamic",
        "dynamic_values",
        "lazy",
        "gathers",
        "gap_policy",
        "spreads",
        "carries",
        "branches",
        "merges",
        "services",
        "process",
        "instantiate",
        "run",
        "demand",
        "fingerprint",
        "id",
        "type",
    }
)


@dataclass(frozen=True)
class Output:
    """One output of a node."""

    name: str
    annotation: Annotation
    description: str = ""

    @property
    def optional(self) -> bool:
        return accepts_none(self.annotation)


@dataclass(frozen=True)
class NodeSpec:
    """Everything a node class declares."""

    node_type: str
    title: str
    description: str
    tags: tuple[str, ...]
    synonyms: tuple[str, ...]
    """What other programs call the node or what it does."""
    use_cases: tuple[str, ...]
    properties: dict[str, Property]
    outputs: dict[str, Output]
    unpack: Callable[[Any], tuple[Any, ...]] | None
    """
    Turns what `process` returns into one value per output; None where it is the one output itself.
    """
    streams: bool
    carries: bool
    """Whether it is sent what came of each item, and so can make the next one of it."""
    is_async: bool
    takes_context: bool

    @property
    def namespace(self) -> str:
        return self.node_type.rpartition(".")[0]


def public_module(cls: type) -> str:
    """
    Return the module that a class is imported from.

    One whose name starts with an underscore is part of the package it lies in.
    """
    package, *inner = cls.__module__.split(".")
    return ".".join([package, *(part for part in inner if not part.startswith("_"))])


def node_type_of(cls: type) -> str:
    """
    Return the type of a node class: its import path.

    The built-in pack's own package name is left out.
    """
    return f"{public_module(cls).removeprefix('nodes.')}.{cls.__qualname__.rpartition('.')[2]}"


def declare(cls: type, local_names: Mapping[str, object]) -> NodeSpec:
    """
    Read and check the declaration of a node class.

    Raises DeclarationError with everything that is wrong with it.
    """
    properties, problems = _properties(cls, local_names)
    process = inspect.unwrap(cls.process)  # type: ignore[attr-defined]
    returned = _hints(cls, process, local_names).get("return", MISSING)
    if returned is MISSING:
        problems.append(
            _declaration(cls, "process", "has no return annotation, so the outputs are unknown.")
        )
        raise DeclarationError(problems)
    returned, streams, carries = _stream_item(returned)
    outputs, unpack = _outputs(returned, local_names)
    problems += _misnamed_outputs(cls, outputs, properties)
    if _is_async(process) and getattr(cls, "lane", None) == "device":
        problems.append(
            _declaration(
                cls,
                "process",
                "is a coroutine, but a device node has its device's thread to itself: write a"
                " function.",
            )
        )
    if problems:
        raise DeclarationError(problems)
    for name in properties:
        if name in vars(cls):
            delattr(cls, name)
    description, tags, use_cases = _read_docstring(cls.__doc__ or "")
    return NodeSpec(
        node_type=vars(cls).get("node_type") or node_type_of(cls),
        title=cls.__name__,
        description=description,
        tags=tags,
        synonyms=tuple(getattr(cls, "synonyms", ())),
        use_cases=use_cases,
        properties=properties,
        outputs=outputs,
        unpack=unpack,
        streams=streams
        or inspect.isgeneratorfunction(process)
        or inspect.isasyncgenfunction(process),
        carries=carries,
        is_async=_is_async(process),
        takes_context=len(inspect.signature(process).parameters) > 1,
    )


def _properties(
    cls: type, local_names: Mapping[str, object]
) -> tuple[dict[str, Property], list[Problem]]:
    """Return the properties that a class declares, and what is wrong with them."""
    hints = _class_hints(cls, local_names)
    properties: dict[str, Property] = {}
    problems: list[Problem] = []
    for name, annotation in hints.items():
        if origin_of(annotation) is ClassVar or annotation is ClassVar or name.startswith("_"):
            continue
        properties[name] = prop = _property(cls, name, annotation)
        problems.extend(_check_property(cls, prop))
    bare = [
        name
        for name, value in vars(cls).items()
        if isinstance(value, FieldInfo) and name not in hints
    ]
    problems.extend(_declaration(cls, name, "has no type annotation.") for name in bare)
    return properties, problems


def _misnamed_outputs(
    cls: type, outputs: Mapping[str, object], properties: Mapping[str, object]
) -> Iterator[Problem]:
    """Yield a problem for each output whose name means something else of a node."""
    for name in outputs.keys() & RESERVED:
        yield _declaration(cls, name, "is a reserved name, so it can't be an output.")
    for name in outputs.keys() & properties.keys():
        message = (
            f"is a property and an output, and `node.{name}` can only be one of them: rename the"
            " output."
        )
        yield _declaration(cls, name, message)


def _is_async(process: object) -> bool:
    return inspect.iscoroutinefunction(process) or inspect.isasyncgenfunction(process)


def _declaration(cls: type, name: str, message: str) -> Problem:
    return Problem("invalid_declaration", f"{cls.__module__}.{cls.__qualname__}.{name}", message)


_own_hints: WeakKeyDictionary[type, dict[str, object]] = WeakKeyDictionary()
"""What each class annotates itself: most of what a node class has is its bases'."""


def _class_hints(cls: type, local_names: Mapping[str, object]) -> dict[str, object]:
    """Return the annotations of a class and its bases, as types."""
    hints: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        own = _own_hints.get(base)
        if own is None:
            annotated = {
                "__annotations__": vars(base).get("__annotations__", {}),
                "__module__": base.__module__,
            }
            own = _hints(cls, type(base.__name__, (), annotated), local_names)
            _own_hints[base] = own
        hints |= own
    return hints


def _hints(cls: type, of: object, local_names: Mapping[str, object]) -> dict[str, object]:
    try:
        return get_type_hints(of, localns=dict(local_names), include_extras=True)
    except NameError as error:
        raise DeclarationError(
            _declaration(
                cls,
                getattr(of, "__name__", "?"),
                f"has an annotation that can't be resolved: {error}.",
            )
        ) from error


def _property(cls: type, name: str, annotation: Annotation) -> Property:
    inherited = next(
        (_properties_of(base)[name] for base in cls.__mro__[1:] if name in _properties_of(base)),
        None,
    )
    value = getattr(cls, name, MISSING)
    if isinstance(value, FieldInfo):
        info = value
    elif value is MISSING and inherited is not None:
        return inherited
    else:
        info = FieldInfo(value, "", {}, None, False)
    description = info.description or _note(annotation)
    return Property(
        name,
        strip(annotation),
        info.default,
        description,
        info.bounds,
        info.max_length,
        info.seed,
        info.label,
        info.place or _implied_place(annotation),
    )


def _implied_place(annotation: Annotation) -> Place | None:
    """Return the place that values of a type name by themselves: folders, as `FolderRef`."""
    members = [annotation, *union_members(annotation)]
    members += [item for member in members for item in get_args(member)]
    return "folder" if any(_is_folder(member) for member in members) else None


def _is_folder(annotation: Annotation) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, FolderRef)


def _properties_of(base: type) -> dict[str, Property]:
    spec = vars(base).get("spec")
    return spec.properties if isinstance(spec, NodeSpec) else {}


def _check_property(cls: type, prop: Property) -> Iterable[Problem]:
    if prop.name in RESERVED:
        yield _declaration(cls, prop.name, "is a reserved name.")
    if prop.place is not None and prop.place not in PLACES:
        expected = ", ".join(sorted(PLACES))
        yield _declaration(
            cls, prop.name, f"has the place {prop.place!r}, which is none of {expected}."
        )
    if prop.required:
        return
    if not prop.accepts(prop.default):
        expected, got = type_name(prop.annotation), value_type_name(prop.default)
        yield _declaration(
            cls, prop.name, f"has the default {prop.default!r} ({got}), which is no {expected}."
        )
    elif complaint := prop.misfit(prop.default):
        yield _declaration(cls, prop.name, f"has a default that breaks its own bounds: {complaint}")


def _stream_item(returned: Annotation) -> tuple[Annotation, bool, bool]:
    """
    Return the type of what `process` returns, or of its items.

    And whether it yields items, and whether it is sent something with each.
    """
    origin = origin_of(strip(returned))
    if origin in (Iterator, Iterable, Generator, AsyncIterator, AsyncGeneratorType):
        item, *sent = get_args(strip(returned))
        is_sent = origin is Generator and sent[:1] not in ([], [None], [type(None)], [Any])
        return item, True, is_sent
    return returned, False, False


def _outputs(
    returned: Annotation, local_names: Mapping[str, object]
) -> tuple[dict[str, Output], Callable[[Any], tuple[Any, ...]] | None]:
    """
    Return the outputs that a return annotation declares, and how to take the returned value apart.
    """
    kind = strip(returned)
    if kind in (None, type(None)):
        return {}, lambda value: ()
    fields = list(getattr(kind, "__annotations__", {})) if isinstance(kind, type) else []
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _named(kind, fields, local_names), tuple
    if dataclasses.is_dataclass(kind):
        fields = [field.name for field in dataclasses.fields(kind)]
        return _named(kind, fields, local_names), lambda value: tuple(
            getattr(value, name) for name in fields
        )
    if typing.is_typeddict(kind):
        return _named(kind, fields, local_names), lambda value: tuple(
            value.get(name) for name in fields
        )
    return {"output": Output("output", kind, _note(returned))}, None


def _named(kind: object, fields: list[str], local_names: Mapping[str, object]) -> dict[str, Output]:
    hints = get_type_hints(kind, localns=dict(local_names), include_extras=True)
    return {name: Output(name, strip(hints[name]), _note(hints[name])) for name in fields}


def _note(annotation: Annotation) -> str:
    """Return the description in `Annotated[T, "description"]`, or an empty string."""
    notes = get_args(annotation)[1:] if origin_of(annotation) is Annotated else ()
    return next((note for note in notes if isinstance(note, str)), "")


def _read_docstring(text: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """
    Return a docstring's description, tags and use cases.

    They are its first paragraph, its comma line and its list.
    """
    lines = inspect.cleandoc(text).splitlines()
    head, _, tail = "\n".join(lines).partition("Use cases:")
    paragraph = head.strip().splitlines()
    # Within a paragraph, a line of prose may look like tags as well.
    below = [*paragraph[1:], ""]
    ends = [at for at in range(len(paragraph)) if not below[at].strip()]
    place = next((at for at in reversed(ends) if _looks_like_tags(paragraph[at])), None)
    tags = () if place is None else tuple(word.strip() for word in paragraph.pop(place).split(","))
    use_cases = tuple(
        line.strip()[1:].strip() for line in tail.splitlines() if line.strip().startswith("-")
    )
    return _unwrapped(paragraph), tags, use_cases


def _looks_like_tags(line: str) -> bool:
    words = [word.strip() for word in line.split(",")]
    return (
        len(words) > 1
        and not line.rstrip().endswith(".")
        and all(re.fullmatch(r"[\w+./ -]{1,40}", word) for word in words)
    )


def _unwrapped(lines: list[str]) -> str:
    """
    Return the paragraphs of lines, each on one line: where a line ends is a matter of the source.
    """
    text = "\n".join(lines).strip()
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in text.split("\n\n"))
