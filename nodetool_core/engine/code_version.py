"""
The code that a node's result depends on, as a digest: what makes a changed node compute again.

Counted is the source of the node's module and, at any depth, of the modules of the same top-level packages that it imports, whether
at the top of a file or inside a function. Libraries, nodetool_core among them, count by their versions (versions.py). A file that was
changed after this process began to read nodes may hold other code than what runs; then nothing outside the process is told that
they are the same. A class that is in no file (typed into an interpreter) counts by its declaration and its compiled code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from nodetool_core.declaration import LOADED_AT

if TYPE_CHECKING:
    from nodetool_core.node import Node

_DIGEST_BYTES = 16
_FOREIGN = frozenset({"builtins", "nodetool_core"})
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]+))", re.MULTILINE)


def code_version(node_class: type[Node]) -> bytes:
    """Digest of the code that the class's results depend on; of a class whose code is not known for certain, never the same twice."""
    pending = [base.__module__ for base in node_class.__mro__ if base.__module__.partition(".")[0] not in _FOREIGN]
    seen: set[str] = set()
    parts: list[bytes] = []
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file_of(name)
        source = None if path is None else _source_in(path)
        if path is not None and source is not None:
            pending.extend(_imports(name, source, is_package=path.name == "__init__.py"))
            parts.append(_digest(name, source))
            if name in sys.modules and path.stat().st_mtime > LOADED_AT:
                parts.append(secrets.token_bytes(_DIGEST_BYTES))
        elif any(base.__module__ == name for base in node_class.__mro__):
            parts += [_digest(name, text) for text in _class_code(node_class, name)]
    return hashlib.blake2b(b"".join(sorted(parts)), digest_size=_DIGEST_BYTES).digest()


def _digest(name: str, text: str) -> bytes:
    return hashlib.blake2b(f"{len(name)}:{name}{text}".encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def _file_of(module: str) -> Path | None:
    """The Python file of a module, loaded or not; None where it has none."""
    path = getattr(sys.modules.get(module), "__file__", None)
    if module not in sys.modules:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        path = found.origin if found else None
    return Path(path) if path is not None and path.endswith(".py") else None


def _source_in(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _imports(module: str, source: str, *, is_package: bool) -> Iterator[str]:
    """The modules of the same top-level package that a source may import, at any depth of its code; names that are none among them."""
    package, parents = module.partition(".")[0], module.split(".") if is_package else module.split(".")[:-1]
    for origin, names, plain in _IMPORT.findall(re.sub(r"\\\r?\n", " ", source)):
        named = [words[0] for part in re.sub(r"#[^\n]*|;.*|[()]", " ", names or plain).split(",") if (words := part.split())]
        if not origin:
            found = named
        else:
            bare = origin.lstrip(".")
            above = parents[: len(parents) + 1 - (len(origin) - len(bare))] if bare != origin else []
            base = ".".join([*above, *filter(None, [bare])])
            found = [base, *(f"{base}.{name}" for name in named if name.isidentifier())]
        yield from (name for name in found if name.partition(".")[0] == package)


def _class_code(node_class: type[Node], module: str) -> Iterator[str]:
    """What a class of a module without a file declares, and its functions with those of the module that they call by name."""
    for prop in node_class.spec.properties.values():
        yield f"{prop.name} {prop.annotation!r} {'' if prop.required else repr(prop.default)}"
    own = [base for base in node_class.__mro__ if base.__module__ == module]
    pending = [inspect.unwrap(getattr(member, "__func__", member)) for base in own for member in vars(base).values() if callable(member)]
    seen: set[int] = set()
    while pending:
        function = pending.pop()
        if isinstance(function, FunctionType) and id(function) not in seen:
            seen.add(id(function))
            code = _code_text(function.__code__)
            yield f"{function.__qualname__} {function.__defaults__!r} {function.__kwdefaults__!r} {code}"
            called = [function.__globals__.get(name) for name in function.__code__.co_names]
            pending += [one for one in called if isinstance(one, FunctionType) and one.__module__ == module]


def _code_text(code: CodeType) -> str:
    constants = [_code_text(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants))
