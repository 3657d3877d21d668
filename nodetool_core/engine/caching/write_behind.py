"""
Writing behind: jobs wait in a queue, and one thread does them as they come.

The queue goes by key and is bounded in bytes.
Offering a job never waits: where the queue is full, the job is left out. A process that is killed
loses the jobs that wait and the one being done. The thread ends when it has had nothing to do for a
while, so that an idle owner holds none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from nodetool_core.engine.keys import Key

Job = TypeVar("Job")

_log = logging.getLogger(__name__)

IDLE_SECONDS = 2.0


class WriteBehind(Generic[Job]):
    """Does jobs on a thread of its own."""

    def __init__(self, work: Callable[[Key, Job], None], bound: int) -> None:
        self.bound = bound
        self.left_out = 0
        """Jobs for which there was no room."""
        self._work = work
        self._jobs: OrderedDict[Key, tuple[Job, int]] = OrderedDict()
        """What waits, and first what is being done."""
        self._bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def after_fork(self) -> None:
        """Begin anew in a forked process; the jobs are the other one's."""
        self._changed = threading.Condition()
        self._jobs.clear()
        self._bytes, self._thread = 0, None

    def offer(self, key: Key, job: Job, size: int) -> bool:
        """
        Have a job done.

        False where it is left out: the queue is full (a job larger than the bound needs it empty),
        or closed.
        """
        with self._changed:
            if self._is_closed or key in self._jobs:
                return False
            if self._jobs and self._bytes + size > self.bound:
                self.left_out += 1
                return False
            self._jobs[key] = (job, size)
            self._bytes += size
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._run, name="nodetool-cache", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
            return True

    def waiting(self, key: Key) -> Job | None:
        """Return the job for a key that is not done yet."""
        if not self._jobs:
            return None
        with self._changed:
            found = self._jobs.get(key)
            return found[0] if found else None

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all is done. False where that takes longer than `timeout` seconds."""
        if threading.current_thread() is self._thread:
            # The collector may end the owner on this very thread, which then has the rest still to
            # do.
            return False
        with self._changed:
            # A fork of the process has the jobs, but not the thread that does them: its parent
            # does.
            self._changed.wait_for(
                lambda: not self._jobs or self._thread is None or not self._thread.is_alive(),
                timeout,
            )
            return not self._jobs

    def close(self, timeout: float | None = None) -> bool:
        """
        Do what waits, and take nothing further.

        False where that takes longer than `timeout` seconds.
        """
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        return self.flush(timeout)

    def _run(self) -> None:
        while (found := self._next()) is not None:
            key, job = found
            try:
                self._work(key, job)
            except Exception:  # noqa: BLE001 - one result that can't be written must not end the writing of all others
                _log.exception("A result could not be written to the cache on disk.")
            del job, found
            with self._changed:
                _, size = self._jobs.pop(key)
                self._bytes -= size
                self._changed.notify_all()

    def _next(self) -> tuple[Key, Job] | None:
        """Return the next job; None when there has been none for a while, or there will be none."""
        until = time.monotonic() + IDLE_SECONDS
        with self._changed:
            while not self._jobs:
                left = until - time.monotonic()
                if self._is_closed or left <= 0:
                    self._thread = None
                    return None
                self._changed.wait(left)
            key = next(iter(self._jobs))
            return key, self._jobs[key][0]
