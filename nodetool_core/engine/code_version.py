"""
The code that a node's result depends on, as a digest: what makes a changed node compute again.

Two things are counted. The *sources*: the node's module and, at any depth, the modules that it imports (code_sources.py). And the
*state* in this process: functions, closures and the values of the globals that the code names (code_objects.py), which tells classes
of one factory apart, and what was typed into a notebook, patched or assigned from what stands in the files. Libraries, nodetool_core among
them, count by their versions (versions.py).

Where the code depends on something that has no content, its digest is one of this process: nothing is then shared with others, and a
log line says why.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.engine.code_objects import Watch, are_current, state_of
from nodetool_core.engine.code_sources import DIGEST_BYTES, Sources, source_digest

if TYPE_CHECKING:
    from nodetool_core.node import Node

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """A version of a node class's code."""

    digest: bytes
    unknown: tuple[str, ...]
    """What the code depends on that no other process can have; results are not shared then."""
    watches: tuple[Watch, ...]

    def is_current(self) -> bool:
        """Whether the code is still as it was; microseconds."""
        return are_current(self.watches)


def version_of(node_class: type[Node]) -> CodeVersion:
    """The version of a class's code as it is now."""
    bases = [base.__module__ for base in node_class.__mro__]
    sources = Sources(own=bases)
    digest, state = state_of(node_class, sources)
    parts = [source_digest(name, path) for name, path in sources.follow([*bases, *sorted(state.modules)])]
    if state.unknown:
        _log.warning(
            "Results of %s stay in this process: its code uses %s.", node_class.__qualname__, ", ".join(sorted(set(state.unknown)))
        )
    whole = hashlib.blake2b(b"".join([digest, *sorted(parts)]), digest_size=DIGEST_BYTES).digest()
    return CodeVersion(whole, tuple(state.unknown), tuple(state.watches))


def code_version(node_class: type[Node]) -> bytes:
    """Digest of the code that the class's results depend on, as it is now."""
    return version_of(node_class).digest
