"""The names that a piece of Python code uses: globals, attributes, imports."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a piece of code uses, those of functions inside it among them."""

    every: frozenset[str]
    """Attributes as well."""
    globals: frozenset[str]
    """Globals that it reads and does not assign."""
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    """What it imports: how many packages up it starts, the module, what is taken from it."""


@functools.lru_cache(maxsize=8192)
def names_in(code: types.CodeType) -> Names:
    inner = [names_in(one) for one in code.co_consts if isinstance(one, types.CodeType)]
    read, assigned, imports, constants = (
        set[str](),
        set[str](),
        list[tuple[int, str, tuple[str, ...]]](),
        list[Any](),
    )
    for one in dis.get_instructions(code):
        if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            read.add(one.argval)
        elif one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            assigned.add(one.argval)
        elif one.opname == "IMPORT_NAME":
            level, taken = ([0, None, *constants])[-2:]
            imports.append(
                (
                    level if isinstance(level, int) else 0,
                    one.argval,
                    taken if isinstance(taken, tuple) else (),
                )
            )
        elif one.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
            constants.append(one.argval)
    return Names(
        frozenset(code.co_names).union(*(names.every for names in inner)),
        frozenset(read).union(*(names.globals for names in inner)) - assigned,
        (*imports, *(found for names in inner for found in names.imports)),
    )


def imported_by(
    names: Names, namespace: Mapping[str, Any]
) -> Iterable[tuple[str, tuple[str, ...]]]:
    """
    Yield the modules that code imports, by their whole names, and what it takes from each.

    Nothing where it takes the module.
    """
    package = str(namespace.get("__package__") or "").split(".")
    for level, module, taken in names.imports:
        yield (
            ".".join(
                [*(package[: len(package) + 1 - level] if level else ()), *filter(None, [module])]
            ),
            taken,
        )
