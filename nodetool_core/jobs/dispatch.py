"""How jobs reach workers in other processes, as far as the queue knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nodetool_core.jobs.queue import Queue
    from nodetool_core.jobs.workers import Workers


class Dispatch(Protocol):
    """
    Notifies workers that there is something to do.

    What it announces may be lost or come twice: the database alone is the truth.

    No method raises for a broker that can't be reached; `sweep` makes up for it later.
    """

    def route(self, model: str | None, workers: Workers) -> str:
        """Return the queue for a job that needs a model."""
        ...

    def announce(self, job_id: str, queue: str) -> None:
        """Announce that a job waits."""
        ...

    def sweep(self, queue: Queue, workers: Workers) -> None:
        """
        Make up for what was lost: announcements, and workers whose queues nobody reads any more.
        """
        ...

    def cancel(self, job_id: str) -> None:
        """Have whoever runs a job look at once whether it was cancelled."""
        ...
