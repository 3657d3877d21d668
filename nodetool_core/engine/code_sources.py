"""
The source files that a node's code is made of.

Its modules, and at any depth the modules that these import.

A module is followed unless it is a library: part of Python, installed in `site-packages`, or
nodetool_core. So a helper beside a script counts, a package that is installed in place (`pip
install -e`) does, and the package of the node itself does wherever it lies. Imports are found in
the text, at the top of a file or inside a function, so that what is not imported yet counts as
well; nothing is imported to find out.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import secrets
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final

from nodetool_core.declaration import LOADED_AT

DIGEST_BYTES: Final = 16
_IMPORT: Final = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]+))",
    re.MULTILINE,
)
_LIBRARY_FOLDERS: Final = frozenset({"site-packages", "dist-packages"})
_SECRET: Final = secrets.token_bytes(DIGEST_BYTES)


def of_this_process(what: str) -> str:
    """
    Return a text that no other process has, for what must not be taken for the same elsewhere.
    """
    return f"{_SECRET.hex()}:{os.getpid()}:{what}"


@cache
def is_library_file(name: str) -> bool:
    """
    Return whether code in a file of this name counts by its version.

    It is Python's, installed, or nodetool_core's.
    """
    if name.startswith("<frozen"):
        return True
    path = Path(name)
    return not _LIBRARY_FOLDERS.isdisjoint(path.parts) or any(
        path.is_relative_to(root) for root in _library_roots()
    )


@cache
def _library_roots() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    found = [
        paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths
    ]
    return (*map(Path, found), Path(site.getusersitepackages()), Path(__file__).parents[1])


class ModuleSources:
    """Where modules lie, as of now."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        """
        Follow what some modules import.

        Args:
            own: Modules whose packages are followed wherever they are installed.
        """
        self._own = {name.partition(".")[0] for name in own if not _is_foreign(name)}
        self._is_library: dict[str, bool] = {}

    def is_followed(self, module: str) -> bool:
        """Return whether a module is no library."""
        top = module.partition(".")[0]
        if top not in self._is_library:
            self._is_library[top] = top not in self._own and (
                _is_foreign(top) or self._is_installed(top)
            )
        return not self._is_library[top]

    def follow(self, modules: Iterable[str]) -> Iterator[tuple[str, Path]]:
        """
        Yield the modules with a file that are followed, and those that they import, each once.
        """
        pending, seen = list(modules), set[str]()
        while pending:
            name = pending.pop()
            if not name or name in seen or not self.is_followed(name):
                continue
            seen.add(name)
            pending.append(name.rpartition(".")[0])
            path = _file_of(name)
            if path is not None and not (name == "__main__" and is_library_file(str(path))):
                yield name, path
                pending.extend(_imports(name, path))

    def _is_installed(self, top: str) -> bool:
        if top == "__main__" or (
            top in sys.modules and _file_of(top) is None and not _locations(top)
        ):
            # Typed in, or made in memory.
            return False
        path = _file_of(top)
        places = [str(path)] if path is not None else _locations(top)
        return not places or all(map(is_library_file, places))


def source_digest(name: str, path: Path) -> bytes:
    """
    Return the digest of the source of a module.

    A file that was changed after this process began to read nodes may hold other code than what
    runs: where it is loaded, its digest is one of this process alone.
    """
    status = path.stat()
    digest = _read(path, status.st_mtime_ns, status.st_size)[0]
    late = (
        of_this_process(str(status.st_mtime_ns))
        if name in sys.modules and status.st_mtime > LOADED_AT
        else ""
    )
    return hashlib.blake2b(
        f"{name}:{digest.hex()}:{late}".encode(), digest_size=DIGEST_BYTES
    ).digest()


def _is_foreign(module: str) -> bool:
    top = module.partition(".")[0]
    return (
        top == "nodetool_core" or top in sys.builtin_module_names or top in sys.stdlib_module_names
    )


@lru_cache(maxsize=4096)
def _read(path: Path, changed: int, size: int) -> tuple[bytes, str]:
    """Return the digest of a file and, of Python code, its text."""
    content = path.read_bytes()
    text = content.decode("utf-8", "surrogateescape") if path.suffix == ".py" else ""
    imports = "\n".join(match[0] for match in _IMPORT.finditer(re.sub(r"\\\r?\n", " ", text)))
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest(), imports


def _file_of(module: str) -> Path | None:
    """
    Return the file of a module, loaded or not; None where it has none, or there is no such module.
    """
    origin = (
        getattr(sys.modules.get(module), "__file__", None)
        if module in sys.modules
        else getattr(_spec(module), "origin", None)
    )
    path = Path(origin) if isinstance(origin, str) else None
    return path if path is not None and path.is_file() else None


def _spec(module: str) -> ModuleSpec | None:
    """
    Return how a module that is not loaded would be found.

    Imports nothing, not even the packages that it lies in.
    """
    parent = module.rpartition(".")[0]
    try:
        return (
            PathFinder.find_spec(module, _locations(parent))
            if parent
            else importlib.util.find_spec(module)
        )
    except (ImportError, ValueError, AttributeError):
        return None


def _locations(package: str) -> list[str]:
    """Return the folders in which the modules of a package lie."""
    if package in sys.modules:
        return list(getattr(sys.modules[package], "__path__", ()))
    return list(getattr(_spec(package), "submodule_search_locations", None) or ())


def _imports(module: str, path: Path) -> Iterator[str]:
    """
    Yield the modules that a source may import, at any depth of its code.

    Names that are none among them.
    """
    status = path.stat()
    parents = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for origin, names, plain in _IMPORT.findall(_read(path, status.st_mtime_ns, status.st_size)[1]):
        named = [
            words[0]
            for part in re.sub(r"#[^\n]*|;.*|[()]", " ", names or plain).split(",")
            if (words := part.split())
        ]
        if not origin:
            yield from named
            continue
        bare = origin.lstrip(".")
        above = parents[: len(parents) + 1 - (len(origin) - len(bare))] if bare != origin else []
        base = ".".join([*above, *filter(None, [bare])])
        yield base
        yield from (f"{base}.{name}" for name in named if name.isidentifier())


__all__ = ["DIGEST_BYTES", "ModuleSources", "is_library_file", "of_this_process", "source_digest"]
