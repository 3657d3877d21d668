"""
Keep the jobs of a process alive: its heartbeat, in two threads for all jobs together.

The heart

- renews leases and stores what happened (`flush`),
- looks whether a job was cancelled elsewhere, a claim was lost, or a deadline has passed (`poll`);

the other thread

- requeues what dead workers held, ends what waited too long, and announces to workers what they
  may have missed,
- removes what was kept long enough.

The end of a node is stored after its result lies in the cache on disk. So what was reported as
finished is not computed again, whenever the process dies. (Results that are cheaper to make than
to read back are not kept: see engine/caching/disk.py.)
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.jobs.execution import Stop
from nodetool_core.jobs.job import JobsError
from nodetool_core.jobs.notifications import QUEUE

if TYPE_CHECKING:
    from nodetool_core.jobs.execution import Execution
    from nodetool_core.jobs.files import Files
    from nodetool_core.jobs.job import JobSettings
    from nodetool_core.jobs.leases import Claim, Leases
    from nodetool_core.jobs.notifications import Notifier
    from nodetool_core.jobs.workers import Workers

_log = logging.getLogger(__name__)

BEATS_PER_LEASE = 3
SWEEP_SECONDS = 1.0
PURGE_SECONDS = 600.0
CLOSE_SECONDS = 5.0
"""How long the end of the process waits for what is under way."""


@dataclass
class PeriodicTask:
    """Something that has to be done now and then."""

    seconds: float
    work: Callable[[], None]
    due: float = 0.0


class Heartbeat:
    """The heartbeat. Safe to use from several threads."""

    def __init__(
        self,
        leases: Leases,
        files: Files,
        workers: Workers,
        notifier: Notifier,
        settings: JobSettings,
        flush_cache: Callable[[], object] = lambda: None,
        on_sweep: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Prepare the heartbeat; `start` begins it.

        Args:
            flush_cache: Waits until finished results lie on disk.
            on_sweep: Called after each look for dead workers.
        """
        self._leases = leases
        self._files = files
        self._workers = workers
        self._notifier = notifier
        self._settings = settings
        self._flush_cache = flush_cache
        self._on_sweep = on_sweep
        self._lock = threading.Condition()
        self._executions: dict[Claim, Execution] = {}
        self._closing = threading.Event()
        self._next_lease = 0.0
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """
        Begin to beat.

        What may take long (a storage or a broker far away) has a thread of its own: the heart must
        not wait for it.
        """
        settings, lease = self._settings, self._leases.length
        heart = [
            PeriodicTask(settings.flush, self._flush),
            PeriodicTask(settings.poll, self._poll_cancellations),
        ]
        chores = [
            PeriodicTask(min(SWEEP_SECONDS, lease), self._sweep),
            PeriodicTask(min(SWEEP_SECONDS, lease), self._on_sweep),
        ]
        if settings.keep is not None:
            chores.append(PeriodicTask(PURGE_SECONDS, self._purge))
        for name, tasks in (("heartbeat", heart), ("chores", chores)):
            thread = threading.Thread(
                target=self._do, args=[tasks], name=f"nodetool-jobs-{name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(CLOSE_SECONDS)

    def watch(self, execution: Execution) -> None:
        """Keep a claim alive from now on."""
        with self._lock:
            self._executions[execution.claim] = execution
        self._notifier.notify(execution.claim.job_id)

    def unwatch(self, execution: Execution) -> None:
        """Stop keeping a claim alive: the work on it has ended."""
        with self._lock:
            del self._executions[execution.claim]
            self._lock.notify_all()
        self._notifier.notify(execution.claim.job_id, QUEUE)

    def executions(self) -> list[Execution]:
        with self._lock:
            return list(self._executions.values())

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing runs. False where that takes longer than `timeout` seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._executions, timeout)

    def poll_now(self) -> None:
        """Look now whether a job was cancelled elsewhere."""
        self._try(self._poll_cancellations)

    def stop(self, job_id: str, reason: Stop) -> None:
        """Stop a job if it runs in this process."""
        for execution in self.executions():
            if execution.claim.job_id == job_id:
                execution.stop(reason)

    def _do(self, tasks: list[PeriodicTask]) -> None:
        while not self._closing.wait(min(task.seconds for task in tasks)):
            for task in tasks:
                if time.monotonic() >= task.due:
                    task.due = time.monotonic() + task.seconds
                    self._try(task.work)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except JobsError as error:
            # It may come back before the leases are over; if not, others take the jobs and this
            # process is notified that it lost them.
            _log.warning("The jobs' heartbeat was missed: %s", error)
        except Exception:  # noqa: BLE001 - whatever it is that went wrong once, all jobs would be lost if the heart stopped
            _log.exception("The jobs' heartbeat was missed.")

    def _flush(self) -> None:
        """Store events, and move leases on where it is time to."""
        now = time.monotonic()
        must = now >= self._next_lease
        if must:
            self._next_lease = now + self._leases.length / BEATS_PER_LEASE
        # Sealed before the results are on disk: of what ends meanwhile, nothing is reported yet.
        sealed = [execution.events.seal() for execution in self.executions()]
        if any(sealed):
            self._flush_cache()
        with ExitStack() as held:
            executions = []
            for execution in self.executions():
                held.enter_context(execution.writing)
                if not execution.over:
                    executions.append(execution)
            self._store(executions, must)

    def _store(self, executions: list[Execution], must: bool) -> None:
        taken = {execution: execution.events.take_sealed() for execution in executions}
        beating = {execution.claim: events for execution, events in taken.items() if events or must}
        if not beating:
            return
        try:
            lost = self._leases.beat(beating)
        except Exception:
            for execution, events in taken.items():
                execution.events.give_back(events)
            raise
        for execution in executions:
            if execution.claim in lost:
                execution.stop(Stop.LOST)
        self._notifier.notify(*(claim.job_id for claim, events in beating.items() if events))

    def _poll_cancellations(self) -> None:
        executions = {execution.claim: execution for execution in self.executions()}
        if not executions:
            return
        now = time.time()
        for claim, execution in executions.items():
            if claim.deadline is not None and claim.deadline <= now:
                execution.stop(Stop.EXPIRED)
        cancelled, lost = self._leases.to_stop(executions)
        for claim in cancelled:
            executions[claim].stop(Stop.CANCELLED)
        for claim in lost:
            executions[claim].stop(Stop.LOST)

    def _sweep(self) -> None:
        dead = self._workers.dead()
        changed = self._leases.sweep(dead, self._workers.waiting().difference(dead))
        self._workers.forget(dead)
        self._workers.announce()
        if changed:
            self._notifier.notify(QUEUE, *changed)

    def _purge(self) -> None:
        assert self._settings.keep is not None
        jobs, files = self._files.purge(self._settings.keep)
        if jobs or files:
            _log.info("Removed %d ended jobs and %d files that nobody needs.", jobs, files)
