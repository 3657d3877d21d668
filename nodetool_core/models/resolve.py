"""
From a model reference to files on this machine.

In this order: weights that ship with a pack, by their id; a path that exists (a directory in diffusers form, a single
safetensors file, or `path` inside a directory); a Hub id. What a reference stood for is told by a revision: the commit
on the Hub, or a digest of the local files.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nodetool_core.errors import ModelError, Problem, near_miss
from nodetool_core.models.hub import Hub
from nodetool_core.models.layout import PICKLED, pickled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nodetool_core.context import Context
    from nodetool_core.models.listed import ListedModels
    from nodetool_core.references import ModelRef

_DIGEST_LIMIT = 64 * 2**20
"""Bytes up to which local weights are told apart by content; above, by names, sizes and times, as reading would take seconds."""


_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """Weights on this machine, and which ones they are."""

    name: str
    """What the user called it; goes into messages."""
    path: Path
    kind: Literal["directory", "file"]
    revision: str
    """The commit on the Hub, or `blake3:…` / `stat:…` of local files."""
    variant: str | None = None


class Resolver:
    """Resolves references. A Hub id keeps the commit of its first use for as long as the resolver lives."""

    def __init__(self, weights: Mapping[str, Path] | None = None, hub: Hub | None = None, listed: ListedModels | None = None) -> None:
        self.weights = dict(weights or {})
        self.hub = hub or Hub()
        self._listed = listed
        self._fetched: dict[_Key, ResolvedModel] = {}
        self._digests: dict[object, str] = {}
        self._lock = threading.Lock()

    def resolve(self, ref: ModelRef, context: Context, part: str | None = None) -> ResolvedModel:
        """
        The files behind a reference, fetched where they are not here yet; bytes are reported to `context`.

        `part` is what is wanted of them where that is no pipeline: a task of `models/parts.py`.

        Raises ModelError with a code per cause (`model_gated`, `model_not_found`, `model_offline`, …), and RunCancelled.
        """
        local = self.local(ref)
        if local is not None:
            return local
        key = (*_key(ref), part)
        with self._lock:
            known = self._fetched.get(key)
        if known is not None and known.path.exists():
            return known
        if ref.path:
            _refuse_pickle(ref.path, f"{ref.repo_id}/{ref.path}")
            path, commit = self.hub.file(ref, context)
            resolved = ResolvedModel(f"{ref.repo_id}/{ref.path}", path, "file", commit, ref.variant)
        elif part is not None:
            path, commit = self.hub.part(ref, part, context)
            resolved = ResolvedModel(ref.repo_id, path, "directory", commit, ref.variant)
        else:
            path, commit = self.hub.pipeline(ref, context)
            resolved = ResolvedModel(ref.repo_id, path, "directory", commit, ref.variant)
        with self._lock:
            self._fetched[key] = resolved
        return resolved

    def here(self, ref: ModelRef) -> ResolvedModel | None:
        """The files of a pipeline that are on this machine already; None where they would be fetched. Asks no network."""
        local = self.local(ref)
        if local is not None:
            return local
        with self._lock:
            return self._fetched.get((*_key(ref), None))

    def local(self, ref: ModelRef) -> ResolvedModel | None:
        """The files behind a reference that needs no Hub; None for a Hub id. Raises ModelError for a path that isn't there."""
        name = ref.repo_id or ref.path or ""
        if not name:
            raise ModelError(Problem("model_empty", "model", "names no model.", "Set it to a Hub id, a directory, or a safetensors file."))
        if self._listed is not None:
            self._listed.check(ref)
        if name in self.weights:
            return self._at(self.weights[name], name, ref)
        # Not Path's own: that one fails where there is no such user.
        path = Path(os.path.expanduser(name))  # noqa: PTH111
        if path.exists():
            if ref.path and ref.repo_id:
                path, name = path / ref.path, f"{name}/{ref.path}"
            if not path.exists():
                raise _missing(path, name)
            return self._at(path, name, ref)
        if _looks_like_path(name):
            raise _missing(path, name)
        return None

    def revision(self, ref: ModelRef) -> str | None:
        """Which weights a reference stands for now, without asking the network: None where none are on this machine."""
        local = self.local(ref)
        if local is not None:
            return local.revision
        with self._lock:
            known = next((found for key, found in self._fetched.items() if key[:-1] == _key(ref)), None)
        return known.revision if known else self.hub.cached_commit(ref)

    def _at(self, path: Path, name: str, ref: ModelRef) -> ResolvedModel:
        if not path.exists():
            hint = "Install nodetool again: the files that ship with it are not complete."
            raise ModelError(Problem("model_path_missing", name, f"ships with a pack, but {path} is not there.", hint))
        if path.is_dir():
            return ResolvedModel(name, path.resolve(), "directory", self._digest(path), ref.variant)
        _refuse_pickle(path.name, name)
        if path.suffix != ".safetensors":
            raise ModelError(Problem("model_not_safetensors", name, "is no safetensors file.", "Give a .safetensors file or a directory."))
        return ResolvedModel(name, path.resolve(), "file", self._digest(path), ref.variant)

    def _digest(self, path: Path) -> str:
        """What tells these files from others; read again only when a name, size or time has changed."""
        from blake3 import blake3

        facts = tuple(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in _files(path)))
        with self._lock:
            known = self._digests.get(facts)
        if known is None:
            files = sorted((Path(name).relative_to(path), size, changed) for name, size, changed in facts)
            hasher = blake3()
            if is_large := sum(size for _, size, _ in files) > _DIGEST_LIMIT:
                hasher.update(repr(tuple((str(file), size, changed) for file, size, changed in files)).encode())
            else:
                for file, size, _ in files:
                    hasher.update(f"{file}\0{size}\0".encode())
                    hasher.update((path / file).read_bytes())
            known = f"{'stat' if is_large else 'blake3'}:{hasher.hexdigest()}"
            with self._lock:
                self._digests[facts] = known
        return known


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """A file, or every file below a directory; looked at for each use of a local model, so that one that was changed is read again."""
    if not path.is_dir():
        yield str(path), path.stat()
        return
    root = path.stat()
    pending, seen = [str(path)], {(root.st_dev, root.st_ino)}
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    # A link may lead back to where it lies.
                    status = entry.stat()
                    if (place := (status.st_dev, status.st_ino)) not in seen:
                        seen.add(place)
                        pending.append(entry.path)
                elif entry.is_file():
                    yield entry.path, entry.stat()


def _key(ref: ModelRef) -> _Key:
    patterns = (tuple(ref.allow_patterns or ()), tuple(ref.ignore_patterns or ()))
    return (ref.repo_id, ref.path, ref.variant, ref.revision, *patterns)


def _looks_like_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~", ".\\", "..\\")) or "\\" in name or name.endswith((".safetensors", *PICKLED))


def _refuse_pickle(file: str, name: str) -> None:
    if file.endswith(PICKLED):
        raise pickled(name, "is a pickled file")


def _missing(path: Path, name: str) -> ModelError:
    """The refusal of a path that isn't there, with the nearest name beside it."""
    existing = path
    while not existing.parent.is_dir():
        existing = existing.parent
    parent = existing.parent
    hint = near_miss(existing.name, sorted(entry.name for entry in parent.iterdir()))
    return ModelError(Problem("model_path_missing", name, f"does not exist: there is no {existing.name!r} in {parent.resolve()}.", hint))
