"""
Functions as nodes: `@node` makes a node class of a function.

    @node
    def soften(image: ImageRef, radius: float = 2.0) -> ImageRef:
        '''
        Softens an image.

        Args:
            radius: Standard deviation, in pixels.
        '''

The parameters are the properties, with their defaults; `Annotated[float, Field(ge=0)]` gives bounds
and the rest of what `Field` states. A parameter of the type `Context` is the context. What the
function returns, yields or awaits are the outputs, as with `Node.process`. The docstring is that of
a class; its `Args:` describe the properties. The function itself is `soften.__wrapped__`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, TypeVar, cast, get_args, get_type_hints, overload

from nodetool_core.context import Context
from nodetool_core.errors import DeclarationError, Problem
from nodetool_core.node_base import Lane, Node
from nodetool_core.properties import MISSING, FieldInfo
from nodetool_core.types import Annotation, origin_of, strip

Function = TypeVar("Function", bound=Callable[..., object])


@overload
def node(function: Function, /) -> type[Node]: ...


@overload
def node(
    *,
    lane: Lane = Lane.CPU,
    cacheable: bool = True,
    synonyms: tuple[str, ...] = (),
    services: tuple[type, ...] = (),
) -> Callable[[Function], type[Node]]: ...


def node(
    function: Function | None = None,
    /,
    *,
    lane: Lane = Lane.CPU,
    cacheable: bool = True,
    synonyms: tuple[str, ...] = (),
    services: tuple[type, ...] = (),
) -> type[Node] | Callable[[Function], type[Node]]:
    """
    Return the node class of a function; with arguments, a decorator that does.

    Args:
        lane: Where the function runs.
        cacheable: False for one that is never the same twice, such as a clock.
        synonyms: What other programs call it; found by searches.
        services: Classes of the services that it asks its context for.

    Raises DeclarationError where its parameters or its annotations can't be those of a node.
    """
    settings = {
        "lane": lane,
        "cacheable": cacheable,
        "synonyms": synonyms,
        "services": services,
    }
    local_names = sys._getframe(1).f_locals
    if function is not None:
        return _node_class(function, settings, local_names)
    return lambda function: _node_class(function, settings, local_names)


def _node_class(
    function: Callable[..., object],
    settings: Mapping[str, object],
    local_names: Mapping[str, object],
) -> type[Node]:
    description, notes = _described(function.__doc__ or "")
    hints = _hints(function, local_names)
    context_name, names = _parameters(function, hints)
    parameters = inspect.signature(function).parameters
    defaults = {name: _field(parameters[name], hints[name], notes.get(name, "")) for name in names}
    process = _process(function, names, context_name)
    process.__annotations__ = {"return": hints["return"]} if "return" in hints else {}
    content = {
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": description,
        "__annotations__": {name: hints[name] for name in names},
        "__wrapped__": staticmethod(function),
        "process": process,
        **settings,
        **defaults,
    }
    return type(function.__name__, (Node,), content)


def _hints(
    function: Callable[..., object], local_names: Mapping[str, object]
) -> dict[str, Annotation]:
    if not inspect.isfunction(function):
        raise _refused(function, "is no function.", "Write @node above a function.")
    try:
        return get_type_hints(function, localns=dict(local_names), include_extras=True)
    except NameError as error:
        raise _refused(function, f"has an annotation that can't be resolved: {error}.") from error


def _parameters(
    function: Callable[..., object], hints: Mapping[str, Annotation]
) -> tuple[str | None, list[str]]:
    """
    Return the name of the parameter that takes the context, if there is one, and the other names.
    """
    contexts: list[str] = []
    names: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise _refused(
                function,
                f"has the parameter {parameter.name!r}, which can't be given by name.",
                "Declare each property as a parameter of its own.",
            )
        if parameter.name not in hints:
            raise _refused(
                function,
                f"has the parameter {parameter.name!r} without a type.",
                f"Annotate it, such as {parameter.name}: float.",
            )
        taken = contexts if strip(hints[parameter.name]) is Context else names
        taken.append(parameter.name)
    if len(contexts) > 1:
        raise _refused(function, f"takes the context twice: {', '.join(contexts)}.")
    return next(iter(contexts), None), names


def _field(parameter: inspect.Parameter, annotation: Annotation, note: str) -> FieldInfo:
    """Return what a parameter states of its property."""
    default = MISSING if parameter.default is parameter.empty else parameter.default
    stated = default if isinstance(default, FieldInfo) else _stated(annotation)
    if stated is None:
        return FieldInfo(default, note, {}, None, False)
    if stated is not default and default is not MISSING:
        stated = replace(stated, default=default)
    return stated if stated.description else replace(stated, description=note)


def _stated(annotation: Annotation) -> FieldInfo | None:
    """Return the `Field` in `Annotated[T, Field(…)]`."""
    notes = get_args(annotation)[1:] if origin_of(annotation) is Annotated else ()
    return next((note for note in notes if isinstance(note, FieldInfo)), None)


def _process(
    function: Callable[..., object], names: list[str], context_name: str | None
) -> Callable[..., object]:
    """Return the method that calls the function; a coroutine function where it is one."""

    def given(self: Node, context: Context) -> dict[str, object]:
        values = {name: getattr(self, name) for name in names}
        return values if context_name is None else values | {context_name: context}

    async def yielding(self: Node, context: Context) -> AsyncIterator[object]:
        async for item in cast("AsyncIterator[object]", function(**given(self, context))):
            yield item

    async def awaiting(self: Node, context: Context) -> object:
        return await cast("Awaitable[object]", function(**given(self, context)))

    def calling(self: Node, context: Context) -> object:
        return function(**given(self, context))

    if inspect.isasyncgenfunction(function):
        return yielding
    return awaiting if inspect.iscoroutinefunction(function) else calling


def _described(text: str) -> tuple[str, dict[str, str]]:
    """
    Return a docstring without its sections, and its notes on arguments.

    Sections are `Args:`, `Returns:`, `Yields:` and `Raises:`.
    """
    kept: list[str] = []
    notes: dict[str, str] = {}
    section = name = ""
    for line in inspect.cleandoc(text).splitlines():
        heading = line.rstrip()
        if heading in ("Args:", "Returns:", "Raises:", "Yields:"):
            section, name = heading, ""
        elif section and line.strip() and not line.startswith(" "):
            section = ""
        if not section:
            kept.append(line)
        elif section == "Args:" and heading != section and line.strip():
            head, colon, tail = line.strip().partition(":")
            if colon and head.isidentifier():
                name, notes[head] = head, tail.strip()
            elif name:
                notes[name] = f"{notes[name]} {line.strip()}".strip()
    return "\n".join(kept).strip(), notes


def _refused(function: object, message: str, hint: str = "") -> DeclarationError:
    name = getattr(function, "__qualname__", repr(function))
    where = f"{getattr(function, '__module__', '?')}.{name}"
    return DeclarationError(Problem("invalid_declaration", where, message, hint))
