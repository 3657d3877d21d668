"""
The code that a node's result depends on, as a digest: what makes a changed node compute again.

Two things are counted. The *sources*: the node's module and, at any depth, the modules that it
imports (code_sources.py). And the *state* in this process: functions, closures and the values of
the globals that the code names (code_objects.py), which differ between classes of one factory, and
what was typed into a notebook, patched or assigned from what stands in the files. Libraries,
nodetool_core among them, count by their versions (versions.py).

Where the code depends on something that has no content, its digest is one of this process: nothing
is then shared with others, and a log line states why.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from nodetool_core.engine.code_data import Watch, are_current
from nodetool_core.engine.code_objects import CodeState, Part, state_of
from nodetool_core.engine.code_sources import DIGEST_BYTES, ModuleSources, source_digest

if TYPE_CHECKING:
    from nodetool_core.node_base import Node


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """A version of a node class's code."""

    digest: bytes
    unknown: tuple[str, ...]
    """What the code depends on that no other process can have; results are not shared then."""
    watches: tuple[Watch, ...]
    process: int
    """Where it was made: a fork is another process."""

    def is_current(self) -> bool:
        """Return whether the code is still as it was; microseconds."""
        return self.process == os.getpid() and are_current(self.watches)


def version_of(node_class: type[Node]) -> CodeVersion:
    """Return the version of a class's code as it is now."""
    bases = [base.__module__ for base in node_class.__mro__]
    sources = ModuleSources(own=bases)
    digest, state = state_of(node_class, sources)
    parts = [
        source_digest(name, path) for name, path in sources.follow([*bases, *sorted(state.modules)])
    ]
    parts += _changed_since(state, sources)
    whole = hashlib.blake2b(b"".join([digest, *sorted(parts)]), digest_size=DIGEST_BYTES).digest()
    return CodeVersion(whole, tuple(sorted(set(state.unknown))), tuple(state.watches), os.getpid())


_at_first: WeakKeyDictionary[ModuleType, dict[tuple[tuple[str, ...], frozenset[str]], bytes]] = (
    WeakKeyDictionary()
)
"""
What names of the code meant in modules that functions import by themselves, when each of these was
first looked at.
"""


def _changed_since(state: CodeState, sources: ModuleSources) -> list[bytes]:
    """
    Return what has changed in modules that functions import by themselves.

    They may be loaded during a run, and then are what their sources say; that a run loads them must
    make no other version.
    """
    changed = []
    for name, parts in sorted(state.taken.items()):
        module = sys.modules.get(name)
        if not sources.is_followed(name):
            continue
        if module is None:
            state.watches.append(partial(_is_not_loaded, name))
            continue
        for names, of_modules in parts:
            part = CodeState(sources)
            digest = part.digest(Part(module, names, of_modules))
            state.watches += part.watches
            if _at_first.setdefault(module, {}).setdefault((names, of_modules), digest) != digest:
                changed.append(digest)
                state.unknown += part.unknown
    return changed


def _is_not_loaded(module: str) -> bool:
    return module not in sys.modules


def code_version(node_class: type[Node]) -> bytes:
    """Return the digest of the code that the class's results depend on, as it is now."""
    return version_of(node_class).digest
