"""What made a picture: the workflow, its seeds, the models' revisions, the versions of the libraries."""

from __future__ import annotations

import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from nodetool_core.assets.picture import Picture
from nodetool_core.engine.result import RunResult
from nodetool_core.references import ModelRef

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.workflow import WorkflowDocument

PACKAGES = ("nodetool", "torch", "diffusers", "transformers", "pillow", "numpy")


class Recorder:
    """Puts the origin into the pictures of one run."""

    def __init__(self, document: WorkflowDocument | None, result: RunResult, engine: Engine) -> None:
        self._document = document
        self._result = result
        self._engine = engine
        self._lock = threading.Lock()

    def note_model(self, ref: ModelRef) -> None:
        """A node uses a model; its revision is looked up once it is loaded."""
        with self._lock:
            self._result.models.setdefault(ref.repo_id, ref.revision)

    def finished(self, value: Any) -> Any:
        """An output's value with its pictures knowing what made them."""
        if isinstance(value, Picture):
            return value.with_provenance(self.provenance())
        if isinstance(value, list):
            return [self.finished(item) for item in value]
        return value

    def provenance(self) -> dict[str, Any]:
        revision = getattr(self._engine.models, "revision", None) if self._result.models else None
        with self._lock:
            if revision is not None:
                for name, known in self._result.models.items():
                    self._result.models[name] = known or revision(ModelRef(repo_id=name))
            models = dict(self._result.models)
        return {
            "workflow": self._document.to_json() if self._document else None,
            "seeds": self._result.seeds,
            "models": models,
            "versions": versions(),
        }


def versions() -> dict[str, str]:
    """Versions of what a picture depends on, as far as installed."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
