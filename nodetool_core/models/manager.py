"""
The weights manager: what is loaded, and who holds it.

The idea: an *entry* per (files, revision, variant, device, number format) holds one loaded pipeline and counts its pins.
`use` pins an entry and lends a shell of it until its block ends, whichever way it ends.

- Single flight: the first to ask makes the entry and loads, outside the lock; whoever asks meanwhile waits for that entry
  alone. A load that fails removes its entry and tells all who wait; one that was cancelled lets the next waiter load.
- Eviction: before and after a load, unpinned entries go, least recently used first, until all fit the budget or nothing
  more may go. A pinned entry never goes, so pins can exceed the budget; the excess goes when they end.

Invariant: under the lock, an entry with pins is in the table, and an entry in the table is loaded or being loaded by one.
Costs: O(entries) per eviction, O(1) per use.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem, RunCancelled
from nodetool_core.models.devices import Device, choose_device
from nodetool_core.models.loading import load_base, shell
from nodetool_core.models.memory import estimated_bytes, weights_bytes
from nodetool_core.models.resolve import ResolvedModel, Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nodetool_core.context import Context
    from nodetool_core.models.hub import Hub
    from nodetool_core.references import ModelRef

_Key = tuple[str, str, str | None, str, str]


@dataclass(eq=False)
class _Entry:
    resolved: ResolvedModel
    loading: Future[Any] = field(default_factory=Future)
    pins: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class LoadedModel:
    """One row of the listing."""

    name: str
    revision: str
    bytes: int
    pins: int
    device: str


class ModelManager:
    """
    Loads each model once and keeps it for the next node and the next run. Safe to use from many threads.

    Args:
        weights: Models that ship with packs: id to directory (`Registry.weights()`).
        device: As torch spells it; the best one of this machine where none is named. Looked at on first use.
        budget: Bytes of weights to keep loaded; None keeps all. What is in use may exceed it.
        hub: Where Hub ids are fetched from.
    """

    def __init__(
        self,
        weights: Mapping[str, Path] | None = None,
        *,
        device: str | None = None,
        budget: int | None = None,
        hub: Hub | None = None,
    ) -> None:
        if budget is not None and budget < 0:
            raise ModelError(Problem("budget_invalid", "budget", f"{budget} bytes is below 0.", "Give bytes, or None to keep all."))
        self.budget = budget
        self.resolver = Resolver(weights, hub)
        self.loads = 0
        """How many times weights were read since the manager was made."""
        self._device_name = device
        self._device: Device | None = None
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def use(self, ref: ModelRef, task: str, *, context: Context) -> Iterator[Any]:
        """
        A pipeline for `task` (`image-to-image`, `text-to-image`, `inpainting`), pinned until the block ends.

        Weights are shared with every other block; pipeline object and schedulers are the block's own.
        Raises ModelError with what to do where the model can't be had, RunCancelled where the run ends while waiting.
        """
        resolved = self.resolver.resolve(ref, context)
        entry = self._acquire(resolved, task, context)
        try:
            yield shell(entry.loading.result(), task, resolved.name)
        finally:
            self._release(entry)

    def revision(self, ref: ModelRef) -> str | None:
        """
        Which weights a reference stands for: a commit on the Hub, or a digest of local files; None where none are here yet.

        After `use` it is what was used. Asks no network. Raises ModelError for a local path that isn't there.
        """
        return self.resolver.revision(ref)

    def is_loaded(self, ref: ModelRef) -> bool:
        """Whether the weights that a reference stands for are loaded. Asks no network, loads nothing."""
        try:
            revision = self.resolver.revision(ref)
        except ModelError:
            return False
        with self._lock:
            entries = list(self._entries.values())
        return any(entry.resolved.revision == revision and entry.loading.done() for entry in entries)

    def loaded(self) -> list[LoadedModel]:
        """What is loaded, least recently used first."""
        device = self.device.name
        with self._lock:
            done = [entry for entry in self._entries.values() if entry.loading.done()]
            return [LoadedModel(e.resolved.name, e.resolved.revision, e.bytes, e.pins, device) for e in done]

    def free(self) -> int:
        """Drop everything that is not in use; returns the bytes that were freed."""
        return self._evict(0)

    @property
    def device(self) -> Device:
        """Where models run. Raises ModelError where this machine lacks the device that was named."""
        if self._device is None:
            self._device = choose_device(self._device_name)
        return self._device

    def _acquire(self, resolved: ResolvedModel, task: str, context: Context) -> _Entry:
        """The entry, loaded and pinned."""
        device = self.device
        key = (str(resolved.path), resolved.revision, resolved.variant, device.name, str(device.dtype))
        while True:
            with self._lock:
                entry = self._entries.get(key)
                is_first = entry is None
                if entry is None:
                    entry = self._entries[key] = _Entry(resolved)
                entry.pins += 1
                self._entries.move_to_end(key)
            try:
                if is_first:
                    self._load(key, entry, task, device, context)
                else:
                    _wait(entry, context)
            except RunCancelled:
                self._release(entry)
                context.check_cancelled()
                # It was the run that loads which was cancelled, not this one: load it here.
                continue
            except BaseException:
                self._release(entry)
                raise
            return entry

    def _load(self, key: _Key, entry: _Entry, task: str, device: Device, context: Context) -> None:
        try:
            self._make_room(estimated_bytes(entry.resolved, device.dtype.itemsize))
            context.progress(0, 1, f"Loading {entry.resolved.name}")
            base = load_base(entry.resolved, task, device, self.resolver.hub, context)
            entry.bytes = weights_bytes(base)
            context.progress(1, 1, f"Loading {entry.resolved.name}")
        except BaseException as error:
            with self._lock:
                self._entries.pop(key, None)
            entry.loading.set_exception(error)
            raise
        self.loads += 1
        entry.loading.set_result(base)
        self._make_room(0)

    def _release(self, entry: _Entry) -> None:
        with self._lock:
            entry.pins -= 1
        self._make_room(0)

    def _make_room(self, wanted: int) -> None:
        if self.budget is not None:
            self._evict(max(0, self.budget - wanted))

    def _evict(self, target: int) -> int:
        """Drop unpinned entries, least recently used first, until at most `target` bytes are loaded; gives the bytes freed."""
        freed = 0
        with self._lock:
            total = sum(entry.bytes for entry in self._entries.values())
            for key, entry in list(self._entries.items()):
                if total - freed <= target:
                    break
                if entry.pins == 0:
                    del self._entries[key]
                    freed += entry.bytes
        if freed:
            _return_memory()
        return freed


def _wait(entry: _Entry, context: Context) -> None:
    """Until another thread has loaded the entry; leaves when the run is cancelled."""
    while True:
        context.check_cancelled()
        try:
            entry.loading.result(timeout=0.1)
        except NotYet:
            if entry.loading.done():
                raise
            continue
        return


def _return_memory() -> None:
    """Hand memory that was freed back to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
