"""Workflows ready to run, by the digest of what was stored; the last ones used are kept."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.api import Workflow
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.registry import Registry

KEPT = 64


def workflow_digest(document: str, base: str) -> str:
    """Return the name of a workflow: equal for equal documents that read the same files."""
    return hashlib.blake2b(f"{base}\0{document}".encode(), digest_size=32).hexdigest()


class WorkflowCache:
    """Checked workflows by digest. Safe to use from several threads."""

    def __init__(self, registry: Registry, engine: Engine | None = None) -> None:
        self.registry = registry
        self._engine = engine
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Workflow] = OrderedDict()

    def get(self, digest: str, document: str, base: str) -> Workflow:
        """Return the workflow, checked. Raises WorkflowError with every problem there is."""
        with self._lock:
            found = self._known.get(digest)
            if found is not None:
                self._known.move_to_end(digest)
                return found
        read = WorkflowDocument.from_json(json.loads(document))
        made = Workflow.from_document(
            read, self.registry, base=Path(base), engine=self._engine, copies=False
        )
        with self._lock:
            self._known[digest] = made
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return made
