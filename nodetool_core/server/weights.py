"""
The models of a server: only listed ones are used, and a request that needs one that is not loaded waits for it or is told how
long it may take.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from nodetool_core.assets.loader import ImageLoader
from nodetool_core.context import Context, Models
from nodetool_core.errors import ModelError, NodetoolError, Problem
from nodetool_core.references import ModelRef
from nodetool_core.server.catalog import Served
from nodetool_core.server.failures import HttpError

_log = logging.getLogger(__name__)

PIPELINES: Final = frozenset({"hf.model", "hf.image_to_image", "hf.text_to_image", "hf.inpainting"})
"""Kinds of models that are pipelines by themselves."""

ESTIMATED_SECONDS: Final = 20.0
"""What a client is told of a model that was not loaded before."""


class ListedModels:
    """
    A weights manager that gives out listed models only, wherever a node got the name from.

    The list is shared with whoever made it, so that it may grow.
    """

    def __init__(self, models: Models, listed: Collection[str]) -> None:
        self._models = models
        self._listed = listed

    @contextmanager
    def use(self, ref: ModelRef, task: str, *, context: Context) -> Iterator[Any]:
        self._check(ref)
        with self._models.use(ref, task, context=context) as pipeline:
            yield pipeline

    def is_loaded(self, ref: ModelRef) -> bool:
        return self._models.is_loaded(ref)

    def revision(self, ref: ModelRef) -> str | None:
        self._check(ref)
        return self._models.revision(ref)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)

    def _check(self, ref: ModelRef) -> None:
        name = ref.repo_id or ref.path or ""
        if name and name not in self._listed:
            hint = "The operator lists models in the setting `models`."
            raise ModelError(Problem("model_unlisted", "model", f"The model {name[:200]!r} is not served here.", hint))


class Loading:
    """Loads the models of a workflow ahead of its run, once however many wait."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._threads = ThreadPoolExecutor(2, "nodetool-load")
        self._under_way: dict[ModelRef, Future[None]] = {}
        self._seconds: dict[ModelRef, float] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def missing(self, served: Served) -> list[ModelRef]:
        """The pipelines that a workflow names and that are not loaded; parts of pipelines come with the run."""
        return [ref for ref in served.models if ref.type in PIPELINES and not self._models.is_loaded(ref)]

    async def wait(self, served: Served, missing: list[ModelRef], seconds: float) -> None:
        """
        Until the models are loaded. Raises HttpError 503 with `estimated_time` after `seconds`; loading goes on then.

        One that can't be loaded is the run's to report.
        """
        until = time.monotonic() + seconds
        for ref in missing:
            loading = self._start(ref, served.task or "image-to-image")
            try:
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(loading)), max(0.0, until - time.monotonic()))
            except NodetoolError:
                _log.warning("The model %s could not be loaded ahead of its run.", ref.repo_id)
            except TimeoutError:
                raise self._not_loaded(ref) from None

    def close(self) -> None:
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, ref: ModelRef, task: str) -> Future[None]:
        with self._lock:
            known = self._under_way.get(ref)
            if known is None:
                known = self._under_way[ref] = self._threads.submit(self._load, ref, task)
                known.add_done_callback(lambda done: self._forget(ref))
            return known

    def _forget(self, ref: ModelRef) -> None:
        with self._lock:
            self._under_way.pop(ref, None)

    def _load(self, ref: ModelRef, task: str) -> None:
        started = time.monotonic()
        context = Context("server", report=lambda kind, details: None, cancelled=self._closed, images=ImageLoader(), models=self._models)
        with self._models.use(ref, task, context=context):
            self._seconds[ref] = time.monotonic() - started

    def _not_loaded(self, ref: ModelRef) -> HttpError:
        seconds = round(self._seconds.get(ref, ESTIMATED_SECONDS), 1)
        problem = Problem("model_loading", "", f"Model {ref.repo_id or ref.path} is currently loading")
        headers = {"Retry-After": str(max(1, round(seconds)))}
        return HttpError(503, problem, headers=headers, more={"estimated_time": seconds})
