"""
The weights manager: what is loaded, where, and who holds it.

`use` pins the components of a model on a device, and lends a pipeline over them until its block
ends, whichever way it ends. What stays when nobody holds it, and what goes, is for the weight store
(`residency/`), with the forecasts of all runs as their guide (`planning/`). While one
node computes, the weights of the next one are fetched (`planning/prefetch.py`). A call that runs
out of memory is tried again with less (`calls/oom_recovery.py`).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem
from nodetool_core.forking import renewed_after_fork
from nodetool_core.models.components.encoder_cache import BOUND, EncoderCache
from nodetool_core.models.libraries import import_libraries
from nodetool_core.models.model_table import ModelTable
from nodetool_core.models.runtime import DeviceRuntime, RuntimeOptions
from nodetool_core.models.sources.adapter_fit import lora_misfit
from nodetool_core.models.sources.repository_files import TENSORS
from nodetool_core.models.sources.resolver import Resolver
from nodetool_core.models.weights_manager import WeightsManager

if TYPE_CHECKING:
    from pathlib import Path

    from nodetool_core.context import Context, Pipeline
    from nodetool_core.models.calls.lease import Lease
    from nodetool_core.models.calls.model import Model
    from nodetool_core.models.components.networks import ModelPart
    from nodetool_core.models.planning.lookahead import ReadyUse, RunForecast
    from nodetool_core.models.residency.activation_memory import Meter
    from nodetool_core.models.residency.component import Component, Counts
    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.residency.replicas import Slot
    from nodetool_core.models.residency.transfer import ModuleCopier
    from nodetool_core.models.sources.allowlist import ModelAllowlist
    from nodetool_core.models.sources.hub import Hub
    from nodetool_core.models.sources.model_folders import ModelFolders
    from nodetool_core.references import ModelRef


@dataclass(frozen=True)
class LoadedModel:
    """One row of the listing: a model that could run at once."""

    name: str
    revision: str
    bytes: int
    pins: int
    device: str


class ModelManager(WeightsManager):
    """
    Loads each component once and keeps it for the next node and the next run.

    Safe to use from many threads.

    Args:
        weights: Models that ship with packs: id to directory (`Registry.weights()`).
        device: As torch spells it, several separated by commas; all CUDA devices, or the best one
            there is, where none is named. Looked at on first use.
        budget: Bytes of each device for weights and working memory; None for what the hardware
            suggests. What is in use may exceed it.
        host_budget: Bytes of copies to keep in host memory, besides what is on a device; None for
            what the hardware suggests.
        idle_seconds: After so long without a use, all that is loaded is let go of; None keeps it.
        encoder_cache: Bytes of what text encoders and autoencoders gave, kept for the next call; 0
            keeps nothing.
        calls: How many calls are under way at once on a processor, over the same weights; None for
            as many as it has cores for, each taking as many threads as torch has. A card has one at
            a time.
        batch: How many equal calls of nodes, of one run or of several, are done as one, which is
            then one at a time; 1 does each alone, to the last bit.
        hub: Where Hub ids are fetched from.
        allowlist: The only models that may be used; any where none is given.
        folders: Folders of models as other tools have them, in which names are looked for.
        copier: Copies weights to devices.
        meter: Measures working memory.
    """

    def __init__(
        self,
        weights: Mapping[str, Path] | None = None,
        *,
        device: str | None = None,
        budget: int | None = None,
        host_budget: int | None = None,
        idle_seconds: float | None = None,
        encoder_cache: int = BOUND,
        calls: int | None = 1,
        batch: int = 1,
        hub: Hub | None = None,
        allowlist: ModelAllowlist | None = None,
        folders: ModelFolders | None = None,
        copier: ModuleCopier | None = None,
        meter: Meter | None = None,
    ) -> None:
        for name, size in (
            ("budget", budget),
            ("host_budget", host_budget),
            ("encoder_cache", encoder_cache),
        ):
            if size is not None and size < 0:
                raise ModelError(
                    Problem(
                        "budget_invalid",
                        name,
                        f"{size} bytes is below 0.",
                        "Give bytes, or leave it out.",
                    )
                )
        self.resolver = Resolver(weights, hub, allowlist, folders)
        self.encoder_cache = EncoderCache(encoder_cache)
        self.loads = 0
        """How many times a model was not there as a whole and weights were read for it."""
        self.options = RuntimeOptions(
            device, budget, host_budget, calls, max(1, batch), copier, meter
        )
        self._runtime: DeviceRuntime | None = None
        self.table = self._empty_table()
        self._idle_seconds = idle_seconds
        self._timer: threading.Timer | None = None
        self._last_use = time.monotonic()
        self._lock = threading.RLock()
        renewed_after_fork(self)

    def _empty_table(self) -> ModelTable:
        return ModelTable(self.resolver, self.encoder_cache, lambda: self.runtime)

    def after_fork(self) -> None:
        """
        Begin anew in a forked process, where nothing is loaded.

        What held the weights has locks and threads of the other process.
        """
        self._lock = threading.RLock()
        self._runtime, self._timer = None, None
        self.encoder_cache = EncoderCache(self.encoder_cache.bound)
        self.table = self._empty_table()
        self.resolver.after_fork()
        if "torch" in sys.modules:
            import torch

            # With GNU's OpenMP, a fork of a process that has computed in parallel waits for ever
            # when it does so itself.
            torch.set_num_threads(1)

    # -- using -------------------------------------------------------------------------------------

    @contextmanager
    def use(self, ref: ModelRef, task: str, *, context: Context) -> Iterator[Lease]:
        """
        Lend a pipeline for a task, pinned until the block ends.

        Tasks are `image-to-image`, `text-to-image`, `inpainting` and so on; for those of
        `models/components/networks.py` the lease has a `ModelPart`. Weights are shared with every
        other block; pipeline object and schedulers are the block's own. Raises ModelError with what
        to do where the model can't be had, RunCancelled where the run ends while waiting.
        """
        from nodetool_core.models.calls.call_options import CallOptions
        from nodetool_core.models.calls.lease import Lease

        resolved = self.resolver.resolve(ref, context, task)
        model = self.table.model(ref, resolved, task)
        model.recipe.check(task)
        options = CallOptions.of(ref)
        if options != CallOptions():
            options.check(model.recipe.class_of(task), model.name)
        self.table.begin(model)
        try:
            components, lent = self._borrow(model, task, context)
            try:
                for remark in model.remarks(components):
                    context.warn(remark)
                lease = Lease(
                    lent,
                    model.name,
                    task,
                    model.device,
                    context,
                    self.runtime.call,
                    components,
                    model.states(components, self.runtime.replica),
                    options=options,
                    widen=self.runtime.widen,
                    give_back=partial(self.runtime.give_back, model.device),
                )
                try:
                    self.runtime.prefetch.wake(model.device)
                    yield lease
                finally:
                    lease.close()
            finally:
                self.runtime.store.release(components)
        finally:
            self._end(model)

    def class_of(self, ref: ModelRef, task: str, *, context: Context) -> type | None:
        """
        Return the class of the pipeline, or of the network, that `use` would lend.

        Loads no weights; fetches what `use` would. None where only the weights can say. Raises
        ModelError where the model can't do the task.
        """
        resolved = self.resolver.resolve(ref, context, task)
        return self.table.model(ref, resolved, task).recipe.class_of(task)

    def add_weights(self, weights: Mapping[str, Path]) -> None:
        """
        Make models known that ship with packs: id to directory.

        What is known already stays as it is.
        """
        for name, directory in weights.items():
            self.resolver.weights.setdefault(name, directory)

    def forecast(self) -> RunForecast:
        """Return a forecast, which a run updates with what it will use, and closes when it ends."""
        return self.runtime.lookahead.forecast()

    def run_closed(self, forecast: RunForecast, *, cancelled: bool) -> None:
        """
        Forget a run that has ended.

        What was loaded for a cancelled one, and no other needs, is let go of.
        """
        loaded_for = {part for parts, _ in forecast.planned.values() for part in parts}
        forecast.close()
        if cancelled and loaded_for:
            needed = self.runtime.lookahead.needed()
            self.runtime.store.drop(lambda one: one.key not in loaded_for or one.key in needed)

    def pick(
        self, ready: list[ReadyUse], device: str, running: list[ReadyUse], idle: set[str]
    ) -> int | None:
        """
        Return which of the uses that wait a device should take; None where another should.

        Args:
            running: What is under way on other devices.
            idle: Names of the other devices that could take something at once.
        """
        return self.runtime.lookahead.pick(ready, self.runtime.device(device), running, idle)

    def fits(self, use: ReadyUse, device: str, beside: list[ReadyUse]) -> bool:
        """
        Return whether a device has the memory for a use beside others that are under way on it.
        """
        return self.runtime.lookahead.fits(use, device, beside)

    @contextmanager
    def at(self, slot: Slot) -> Iterator[None]:
        """Have what this thread uses in the block placed there."""
        with self.runtime.bound(slot):
            yield

    # -- looking -----------------------------------------------------------------------------------

    def revision(self, ref: ModelRef) -> str | None:
        """
        Return which weights a reference stands for: a commit, or a digest of local files.

        None where none are here yet.

        After `use` it is what was used. Asks no network. Raises ModelError for a local path that
        isn't there.
        """
        return self.resolver.revision(ref)

    def lora_misfit(
        self, lora: ModelRef, model: ModelRef, task: str, *, context: Context
    ) -> str | None:
        """
        Return why a LoRA can't be put on a model; None where the heads of the files show nothing.

        Files are fetched where they are not here yet, and no weights are read. Raises ModelError.
        """
        found = self.resolver.resolve(lora, context, TENSORS)
        return lora_misfit(found, self.resolver.resolve(model, context, task))

    def is_loaded(self, ref: ModelRef) -> bool:
        """Return whether the weights of a reference are loaded; use no network, load nothing."""
        if self._runtime is None:
            return False
        try:
            revision = self.resolver.revision(ref)
        except ModelError:
            return False
        return any(
            model.recipe.resolved.revision == revision and self.table.is_placed(model)
            for model in self.table.models()
        )

    def loaded(self) -> list[LoadedModel]:
        """Return the models whose weights are all on a device, least recently used first."""
        if self._runtime is None:
            return []
        models = sorted(self.table.models(), key=lambda model: model.used)
        sizes = {(one.key, one.device.name): one.bytes for one in self.runtime.store.components()}
        return [
            LoadedModel(
                model.name,
                model.recipe.resolved.revision,
                sum(sizes.get((key, model.device.name), 0) for key in model.keys),
                model.uses,
                model.device.name,
            )
            for model in models
            if self.table.is_placed(model)
        ]

    @property
    def counts(self) -> Counts:
        """What was read and moved since the manager was made."""
        return self.runtime.store.counts

    @property
    def devices(self) -> list[Device]:
        """Where models run. Raises ModelError where this machine lacks a device that was named."""
        return self.runtime.devices

    @property
    def slots(self) -> list[Slot]:
        """
        Where calls can be under way at once.

        Each thread that computes beside another needs its own.
        """
        return self.runtime.slots

    @property
    def device(self) -> Device:
        """The first of the devices."""
        return self.devices[0]

    @property
    def runtime(self) -> DeviceRuntime:
        """
        Devices, weight store, planner: made on first use, which imports torch.

        Raises ModelError for an unknown device, and where a library that models need is not there.
        """
        with self._lock:
            if self._runtime is None:
                import_libraries()
                self._runtime = DeviceRuntime(self.options, self.table.keys_of)
            return self._runtime

    # -- letting go --------------------------------------------------------------------------------

    def free(self) -> int:
        """Drop everything that is not in use; returns the bytes that were freed."""
        self.encoder_cache.clear()
        if self._runtime is None:
            return 0
        freed = self.runtime.store.drop(lambda one: False)
        self.table.forget_unused()
        return freed

    def _end(self, model: Model) -> None:
        self.table.end(model)
        with self._lock:
            self._last_use = time.monotonic()
            if self._idle_seconds is not None and self._timer is None:
                self._start_timer(self._idle_seconds)

    def _start_timer(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._look_whether_idle)
        self._timer.daemon = True
        self._timer.start()

    def _look_whether_idle(self) -> None:
        assert self._idle_seconds is not None
        is_used = any(model.uses for model in self.table.models())
        with self._lock:
            self._timer = None
            left = self._last_use + self._idle_seconds - time.monotonic()
            if left > 0:
                self._start_timer(left)
                return
        if is_used:
            return
        self.free()

    def _borrow(
        self, model: Model, task: str, context: Context
    ) -> tuple[list[Component], Pipeline | ModelPart]:
        """
        Return the components of a model, pinned, and a pipeline over them.

        A model that can't be had leaves nothing behind.
        """
        try:
            components = self._acquire(model, context)
            try:
                return components, model.lend(task, components, self.runtime.replica)
            except BaseException:
                self.runtime.store.release(components)
                raise
        except ModelError:
            self.table.forget(model)
            raise

    def _acquire(self, model: Model, context: Context) -> list[Component]:
        requests = model.requests(context)
        is_here = self.table.is_placed(model)
        if not is_here:
            context.progress(0, 1, f"Loading {model.name}")
        components, is_read = self.runtime.store.acquire(requests, model.device, context)
        self.loads += is_read
        try:
            if not is_here:
                context.progress(1, 1, f"Loading {model.name}")
        except BaseException:
            # Cancelled, or a listener failed: nobody gets the components, who could give their pins
            # back.
            self.runtime.store.release(components)
            raise
        return components
