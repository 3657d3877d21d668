"""Report what a pipeline does while it runs: its steps, and the warnings that diffusers logs."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.protocols import is_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodetool_core.context import Context, Pipeline

_RELAYED = re.compile(r"ignored|will be (changed|resized)", re.IGNORECASE)
"""Warnings of diffusers about the user's own values; the rest is about its internals."""

_TRUNCATED = re.compile(r"truncated", re.IGNORECASE)
"""Its warnings about prompts, for encoders whose limit is not known here."""


class StepReporter:
    """
    Replaces a pipeline's progress bar: reports each step to a context, which raises on a cancel.

    Every pipeline of diffusers wraps its loop in `self.progress_bar`, with the true number of
    steps, while not all have a callback, and those are of three kinds. Used as a context manager or
    as an iterator.
    """

    def __init__(
        self,
        context: Context,
        message: str,
        iterable: Iterable[object] | None = None,
        total: int | None = None,
        progress_slice: tuple[int, int] = (0, 1),
    ) -> None:
        self._context = context
        self._message = message
        self._iterable = iterable
        self._total = len(iterable) if total is None and isinstance(iterable, Sized) else total or 0
        self._done = 0
        self._slice, self._slices = progress_slice

    def update(self, n: int = 1) -> None:
        self._done += n
        total = max(self._total, self._done)
        self._context.progress(
            self._slice * total + self._done, self._slices * total, self._message
        )

    def __iter__(self) -> Iterator[object]:
        for item in () if self._iterable is None else self._iterable:
            self._context.check_cancelled()
            yield item
            self.update()

    def __enter__(self) -> StepReporter:
        self._context.check_cancelled()
        return self

    def __exit__(self, *error: object) -> None:
        return None


def report_steps(pipeline: Pipeline, context: Context, progress_slice: tuple[int, int]) -> None:
    """
    Replace the progress bars of a pipeline, and of the pipelines that it is made of.

    Args:
        progress_slice: Which slice this call is of how many, from 0.
    """
    inner = {name: part for name, part in vars(pipeline).items() if is_pipeline(part)}
    for name, part in {"": pipeline, **inner}.items():
        message = "prior" if name == "prior_pipe" else ""

        def progress_bar(
            iterable: Iterable[object] | None = None,
            total: int | None = None,
            message: str = message,
            **_appearance: object,
        ) -> StepReporter:
            return StepReporter(context, message, iterable, total, progress_slice)

        part.progress_bar = progress_bar


def steps_made(pipeline: object) -> int:
    """Return how often the callback of the call that is under way is called."""
    return int(getattr(pipeline, "num_timesteps"))  # noqa: B009 - no attribute of all pipelines


class _Relay(logging.Handler):
    """Takes what is logged on the thread that made it."""

    def __init__(self, context: Context, *, truncated: bool) -> None:
        super().__init__(logging.WARNING)
        self._context = context
        self._truncated = truncated
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.thread == self._thread and (
            _RELAYED.search(message) or (not self._truncated and _TRUNCATED.search(message))
        ):
            self._context.warn(message)


@contextmanager
def relayed_warnings(context: Context, *, truncated: bool) -> Iterator[None]:
    """
    Relay warnings that diffusers logs on this thread to the context.

    Args:
        truncated: Whether a truncated prompt was reported already.
    """
    relay = _Relay(context, truncated=truncated)
    logger = logging.getLogger("diffusers")
    logger.addHandler(relay)
    try:
        yield
    finally:
        logger.removeHandler(relay)
