"""Looking at jobs, and waiting for what becomes of them: needs a queue, and nothing that runs."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from nodetool_core.jobs.job import Job, JobState, StoredEvent
from nodetool_core.jobs.results import revived

if TYPE_CHECKING:
    from nodetool_core.jobs.notifications import Notifier
    from nodetool_core.jobs.queue import Queue


class JobReader:
    """The jobs of a queue, as they are and as they become."""

    def __init__(self, queue: Queue, notifier: Notifier, poll: float) -> None:
        """
        Read a queue.

        Args:
            notifier: Wakes who waits for what this process did.
            poll: Seconds after which to look for what other processes did.
        """
        self.queue = queue
        self.notifier = notifier
        self._poll = poll

    def get(self, job_id: str) -> Job:
        """Return the job as it is now. Raises JobsError(`unknown_job`)."""
        return self.queue.get(job_id)

    def of_key(self, client: str, key: str) -> Job | None:
        """Return the job that a client requested with an idempotency key; None where none was."""
        return self.queue.of_key(client, key)

    def list(
        self,
        *,
        client: str | None = None,
        state: JobState | Sequence[JobState] | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """Return jobs, the newest first; with `before`, those older than the job with that id."""
        states = [state] if isinstance(state, JobState) else state
        return self.queue.page(client=client, states=states, before=before, limit=limit)

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs there are in each state."""
        return self.queue.counts()

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """
        Wait for a job to end, for `timeout` seconds at most. Return it as it is then.

        Raises JobsError(`unknown_job`).
        """
        until = None if timeout is None else time.monotonic() + timeout
        with self.notifier.subscribe(job_id) as subscription:
            while not (job := self.get(job_id)).state.ended and (pause := self._pause(until)) > 0:
                subscription.wait(pause)
        return job

    async def wait_async(self, job_id: str, timeout: float | None = None) -> Job:
        """Do as `wait` inside an event loop."""
        until = None if timeout is None else time.monotonic() + timeout
        with self.notifier.subscribe_async(job_id) as subscription:
            while (
                not (job := await asyncio.to_thread(self.get, job_id)).state.ended
                and (pause := self._pause(until)) > 0
            ):
                await subscription.wait(pause)
        return job

    def results(self, job_id: str) -> dict[str, object]:
        """
        Return what a job gave, by output name.

        JSON values, with a `StoredFile` for each image, in lists and objects too.

        Empty until the job has ended; a failed one has what was finished. Raises
        JobsError(`unknown_job`).
        """
        stored = json.loads(self.queue.results(job_id))
        return {name: revived(value) for name, value in stored.items()}

    def events(self, job_id: str, after: int = 0) -> Iterator[StoredEvent]:
        """
        Yield what happened to a job, from event number `after` + 1 on.

        Waits for further events until the job has ended.

        The last one is `job_ended`. Raises JobsError(`unknown_job`).
        """
        with self.notifier.subscribe(job_id) as subscription:
            more = True
            while more:
                found, more = self.queue.events(job_id, after)
                for event in found:
                    after = event.number
                    yield event
                if more and not found:
                    subscription.wait(self._poll)

    async def events_async(self, job_id: str, after: int = 0) -> AsyncIterator[StoredEvent]:
        """Do as `events` inside an event loop."""
        with self.notifier.subscribe_async(job_id) as subscription:
            more = True
            while more:
                found, more = await asyncio.to_thread(self.queue.events, job_id, after)
                for event in found:
                    after = event.number
                    yield event
                if more and not found:
                    await subscription.wait(self._poll)

    def _pause(self, until: float | None) -> float:
        """Return how long to wait before looking again; 0 or less when the time is up."""
        left = math.inf if until is None else until - time.monotonic()
        return min(self._poll, left)
