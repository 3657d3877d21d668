"""Threads of this process that take jobs and run them."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from nodetool_core.jobs.execution import Execution, Stop
from nodetool_core.jobs.job import JobsError
from nodetool_core.jobs.notifications import QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodetool_core.jobs.files import Files
    from nodetool_core.jobs.heartbeat import Heartbeat
    from nodetool_core.jobs.leases import Leases
    from nodetool_core.jobs.notifications import Notifier
    from nodetool_core.jobs.workflow_cache import WorkflowCache

_log = logging.getLogger(__name__)

LAST_SECONDS = 5.0
"""How long runs that are given back may take to notice."""


class Runner:
    """Takes jobs and runs them, as many at once as there are threads."""

    def __init__(
        self,
        worker: str,
        leases: Leases,
        workflows: WorkflowCache,
        files: Files,
        heartbeat: Heartbeat,
        notifier: Notifier,
        poll: float,
        refresh: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Prepare to run jobs; `start` begins.

        Args:
            refresh: Has the result cache see at once what other workers have stored.
        """
        self._worker = worker
        self._leases = leases
        self._workflows = workflows
        self._files = files
        self._heartbeat = heartbeat
        self._notifier = notifier
        self._poll = poll
        self._refresh = refresh
        self._draining = threading.Event()
        self._taking = threading.Lock()
        """
        Held from looking for a job until its claim is watched, so that draining overlooks none.
        """
        self._threads: list[threading.Thread] = []

    def start(self, count: int) -> None:
        self._threads = [
            threading.Thread(target=self._work, name=f"nodetool-jobs-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def drain(self, timeout: float) -> bool:
        """
        Take no further job, and give those under way `timeout` seconds.

        What has not ended then goes back to the queue.

        True where all ended by themselves.
        """
        with self._taking:
            self._draining.set()
        self._notifier.notify(QUEUE)
        if self._heartbeat.wait_idle(timeout):
            return True
        for execution in self._heartbeat.executions():
            execution.stop(Stop.RELEASED)
        if not self._heartbeat.wait_idle(LAST_SECONDS):
            for execution in self._heartbeat.executions():
                # The node that is being computed doesn't look up. Its job needs not wait until the
                # lease is over.
                execution.stop(Stop.LOST)
                try:
                    self._leases.release(execution.claim, "released")
                except JobsError as error:
                    _log.warning(
                        "Job %s was not given back; it waits until its lease is over: %s",
                        execution.claim.job_id,
                        error,
                    )
        return False

    def run_one(self, queues: Sequence[str] | None = None) -> bool:
        """
        Take the next job and run it to its end.

        False where none waits. Raises JobsError where the database can't be used.
        """
        with self._taking:
            claim = None if self._draining.is_set() else self._leases.claim(self._worker, queues)
            if claim is None:
                return False
            if claim.fence > 1:
                # What another worker finished of this job just now is in the cache on disk.
                self._refresh()
            execution = Execution(claim, self._workflows, self._files, self._leases)
            self._heartbeat.watch(execution)
        try:
            if not execution.run():
                _log.warning(
                    "The job was lost to another worker, or ended by one; nothing of this run is"
                    " kept.",
                    extra={"job_id": claim.job_id},
                )
        finally:
            self._heartbeat.unwatch(execution)
        return True

    def _work(self) -> None:
        with self._notifier.subscribe(QUEUE) as subscription:
            while not self._draining.is_set():
                try:
                    found = self.run_one()
                except JobsError as error:
                    _log.warning("No job could be taken: %s", error)
                    found = False
                if not found:
                    subscription.wait(self._poll)
