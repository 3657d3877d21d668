"""
Which models a server, and the workers that run its jobs, may use for clients.

The resolver asks, as every way from a name to files leads through it: a node that was given the
name, a node that made it from a text while it ran, a cache key that needs the revision, weights
that are fetched ahead of their use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem

if TYPE_CHECKING:
    from nodetool_core.references import ModelRef


class ModelAllowlist(Collection[str]):
    """
    Names of models: Hub ids, or places on this machine.

    Of a listed one any file inside of it may be used.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._revisions: dict[str, set[str | None]] = {name: {None} for name in names}

    def add(self, ref: ModelRef) -> None:
        """List what a reference names and its parts, with the revisions that it names."""
        for one in (ref.without_parts, *(part for _, part in ref.parts)):
            if not one.is_empty():
                self._revisions.setdefault(_name(one), {None}).add(one.revision)

    def check(self, ref: ModelRef) -> None:
        """
        Raise ModelError(`model_unlisted`) for a model, a revision or a place that is not listed.
        """
        name = _name(ref)
        revisions = self._revisions.get(name)
        if revisions is None:
            raise _unlisted(f"The model {name[:200]!r}")
        if ref.revision not in revisions:
            raise _unlisted(f"The revision {str(ref.revision)[:200]!r} of the model {name!r}")
        if ref.repo_id and ref.path and _leads_out(ref.path):
            raise _unlisted(f"The file {ref.path[:200]!r} outside of the model {name!r}")

    def __contains__(self, name: object) -> bool:
        return name in self._revisions

    def __iter__(self) -> Iterator[str]:
        return iter(self._revisions)

    def __len__(self) -> int:
        return len(self._revisions)


def _name(ref: ModelRef) -> str:
    return ref.repo_id or ref.path or ""


def _leads_out(path: str) -> bool:
    return PurePath(path).is_absolute() or ".." in PurePath(path).parts


def _unlisted(what: str) -> ModelError:
    hint = "The operator lists models in the setting `models`, for servers and workers alike."
    return ModelError(Problem("model_unlisted", "model", f"{what} is not served here.", hint))
