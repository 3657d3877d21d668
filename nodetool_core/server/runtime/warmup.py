"""
The models of a server: the weights manager, and models loaded ahead of the runs that need them.

A request that needs a model that is not loaded waits for it, or is answered with how long that may
take.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.loader import ImageLoader
from nodetool_core.context import Context, Models, Reporter
from nodetool_core.errors import NodetoolError, Problem, RunCancelled
from nodetool_core.garbage_collection import keep_for_good
from nodetool_core.models.diffusers.tasks import ANY
from nodetool_core.references import ModelRef
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.served_workflow import ServedWorkflow

if TYPE_CHECKING:
    from nodetool_core.models.manager import ModelManager
    from nodetool_core.models.sources.allowlist import ModelAllowlist
    from nodetool_core.models.sources.hub import Hub
    from nodetool_core.registry import Registry
    from nodetool_core.server.settings import Settings

_log = logging.getLogger(__name__)

PIPELINES: Final = frozenset({"hf.model", "hf.image_to_image", "hf.text_to_image", "hf.inpainting"})
"""Kinds of models that are pipelines by themselves."""

ESTIMATED_SECONDS: Final = 20.0
"""What a client reads of a model that was not loaded before."""


def open_models(
    settings: Settings, registry: Registry, listed: ModelAllowlist | None, hub: Hub | None = None
) -> ModelManager:
    """
    Return the weights manager of a server or a worker.

    With a list, it lends no other models, but the LoRAs and embeddings in the folders of models;
    and where clients may send workflows, all that is in them.

    Raises ModelError for what is no amount of memory.

    Args:
        hub: Where Hub ids are fetched from; the Hugging Face Hub unless given.
    """
    from nodetool_core.models.manager import ModelManager
    from nodetool_core.models.residency.devices import parse_bytes
    from nodetool_core.models.sources.model_folders import ModelFolders
    from nodetool_core.server.runtime.networks import list_all, list_networks

    folders = ModelFolders([Path(one) for one in settings.models_dir])
    if listed is not None:
        list_networks(folders, listed)
        if settings.client_workflows:
            list_all(folders, listed)
    return ModelManager(
        registry.weights(),
        device=settings.device or None,
        budget=parse_bytes(settings.device_memory, "device_memory"),
        host_budget=parse_bytes(settings.host_memory, "host_memory"),
        idle_seconds=settings.idle_seconds or None,
        calls=settings.calls or None,
        batch=settings.batch,
        hub=hub,
        allowlist=listed,
        folders=folders,
    )


class ModelWarmup:
    """Loads the models of a workflow ahead of its run, once however many wait."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._threads = ThreadPoolExecutor(2, "nodetool-load")
        self._under_way: dict[ModelRef, Future[None]] = {}
        self._seconds: dict[ModelRef, float] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._has_loaded = False
        self._first: Future[None] | None = None
        self._first_until = 0.0

    def begin(self, served: ServedWorkflow, seconds: float) -> None:
        """
        Load what a model that is served needs, ahead of all requests.

        For so many seconds the server is not ready meanwhile.
        """
        for ref in self.missing(served):
            self._first, self._first_until = self._start(ref), time.monotonic() + seconds
            self._first.add_done_callback(partial(_note_first, served.name))

    @property
    def has_begun(self) -> bool:
        """Whether the first model is loaded, could not be, or is no longer waited for."""
        return self._first is None or self._first.done() or time.monotonic() > self._first_until

    def missing(self, served: ServedWorkflow) -> list[ModelRef]:
        """
        Return the pipelines that a workflow names and that are not loaded.

        Parts of pipelines come with the run.
        """
        return [
            ref
            for ref in served.models
            if ref.type in PIPELINES and not self._models.is_loaded(ref)
        ]

    async def wait(self, missing: list[ModelRef], seconds: float) -> None:
        """
        Until the models are loaded.

        Raises HttpError 503 with `estimated_time` after `seconds`; loading goes on then.

        One that can't be loaded is the run's to report.
        """
        until = time.monotonic() + seconds
        for ref in missing:
            loading = self._start(ref)
            try:
                await asyncio.wait_for(
                    asyncio.shield(asyncio.wrap_future(loading)), max(0.0, until - time.monotonic())
                )
            except NodetoolError:
                _log.warning("The model %s could not be loaded ahead of its run.", ref.label)
            except TimeoutError:
                raise self._not_loaded(ref) from None

    def close(self) -> None:
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, ref: ModelRef) -> Future[None]:
        with self._lock:
            known = self._under_way.get(ref)
            if known is not None:
                return known
            begun = self._under_way[ref] = self._threads.submit(self._load, ref)
        # Not under the lock: what has failed by now is forgotten at once, by this very thread.
        begun.add_done_callback(lambda done: self._forget(ref))
        return begun

    def _forget(self, ref: ModelRef) -> None:
        with self._lock:
            self._under_way.pop(ref, None)

    def _load(self, ref: ModelRef) -> None:
        started = time.monotonic()
        context = Context(
            "server",
            reporter=Reporter(),
            cancelled=self._closed,
            images=ImageLoader(),
            models=self._models,
        )
        with self._models.use(ref, ANY, context=context):
            self._seconds[ref] = time.monotonic() - started
        if not self._has_loaded:
            self._has_loaded = True
            keep_for_good()

    def _not_loaded(self, ref: ModelRef) -> HttpError:
        seconds = round(self._seconds.get(ref, ESTIMATED_SECONDS), 1)
        problem = Problem("model_loading", "", f"Model {ref.label} is currently loading")
        headers = {"Retry-After": str(max(1, round(seconds)))}
        return HttpError(503, problem, headers=headers, more={"estimated_time": seconds})


def _note_first(name: str, loading: Future[None]) -> None:
    if loading.cancelled():
        return
    error = loading.exception()
    if error is None:
        _log.info("the first model is loaded", extra={"model": name})
    elif isinstance(error, RunCancelled):
        _log.info("the server ends before its first model is loaded", extra={"model": name})
    elif isinstance(error, NodetoolError):
        _log.warning("The first model %s could not be loaded: %s", name, error)
    else:
        _log.error("The first model %s could not be loaded.", name, exc_info=error)
