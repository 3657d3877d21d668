"""
What becomes of a job whose worker died, or gave it back: it waits again, or is the cause.

And of one whose batch has died, which nobody waits for any more: it is ended.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select, update

from nodetool_core.errors import Problem
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import JobState
from nodetool_core.jobs.queue import end_job, waiting
from nodetool_core.jobs.records import JobRow, TimedEvent, append_events, jobs, to_text
from nodetool_core.jobs.workers import WAITING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def requeue_lost(
    connection: Connection, now: float, dead: Collection[str], limit: int
) -> list[str]:
    """
    Put back the running jobs whose lease is over, or whose worker is dead; return their ids.

    Args:
        dead: Workers known to be so.
        limit: How many workers in a row may die with a job without getting further.
    """
    over = (
        jobs.state == JobState.RUNNING.value,
        or_(jobs.lease < now, jobs.worker.in_(dead)),
    )
    lost = connection.execute(select(schema.jobs).where(*over).order_by(jobs.number)).all()
    for row in lost:
        _requeue_or_fail(connection, row, now, limit)
    return [row.id for row in lost]


def end_abandoned(connection: Connection, now: float, waiting: Collection[str]) -> list[str]:
    """
    End the jobs that nobody waits for any more; return their ids.

    Args:
        waiting: The processes that wait for jobs of theirs.
    """
    states = jobs.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
    owned = states, ~jobs.cancel_requested, jobs.options.contains(f'"owner":"{WAITING}')
    rows = connection.execute(select(schema.jobs).where(*owned).order_by(jobs.number)).all()
    abandoned = [row for row in rows if json.loads(row.options)["owner"] not in waiting]
    for row in abandoned:
        if row.state == JobState.QUEUED.value:
            end_job(connection, row, JobState.CANCELLED, now, [_abandoned()])
        else:
            wanted = update(schema.jobs).where(jobs.number == row.number)
            connection.execute(wanted.values(cancel_requested=True))
    return [row.id for row in abandoned]


def _abandoned() -> Problem:
    return Problem(
        "job_abandoned",
        "",
        "The process that sent the job is gone, and nobody waits for its result.",
        "Begin the batch again: what was finished is found in the cache.",
    )


def requeue(connection: Connection, row: JobRow, reason: str, now: float) -> None:
    """Have a running job wait again, unless it was to end."""
    if row.cancel_requested:
        end_job(connection, row, JobState.CANCELLED, now)
        return
    if row.deadline is not None and row.deadline <= now:
        end_job(connection, row, JobState.EXPIRED, now, [ran_too_long()])
        return
    # Into the round that is being served: its old number makes it the first there. An old round
    # would set everybody back.
    served = connection.execute(
        select(func.min(jobs.round)).where(*waiting(row.priority))
    ).scalar_one()
    values = {
        "state": JobState.QUEUED.value,
        "lease": None,
        "worker": None,
        "round": row.round if served is None else served,
    }
    connection.execute(update(schema.jobs).where(jobs.number == row.number).values(values))
    append_events(
        connection,
        row.number,
        row.fence,
        [TimedEvent(now, {"event": "job_requeued", "reason": reason})],
    )


def _requeue_or_fail(connection: Connection, row: JobRow, now: float, limit: int) -> None:
    """Put back one job of a lost worker, or end it where it is taken for the cause."""
    lost_attempts = 0 if _got_further(connection, row) else row.losses + 1
    connection.execute(
        update(schema.jobs).where(jobs.number == row.number).values(losses=lost_attempts)
    )
    if lost_attempts < limit or row.cancel_requested:
        requeue(connection, row, "worker_lost", now)
        return
    message = (
        f"{lost_attempts} workers died while they ran it and got no further; it is taken for"
        " the cause."
    )
    problem = Problem(
        "worker_lost",
        "worker",
        message,
        "Look into the workers' logs; memory is the usual reason. Then retry.",
    )
    end_job(connection, row, JobState.FAILED, now, [problem])


def _got_further(connection: Connection, row: JobRow) -> bool:
    """
    Return whether the last attempt computed a node that none before had.

    There are only so many nodes, so no job goes on like this for ever.
    """
    found: dict[bool, set[str]] = {True: set(), False: set()}
    events = schema.events.c
    query = select(events.attempt, events.data).where(
        events.job == row.number, events.data.contains('"node_finished"')
    )
    for attempt, text in connection.execute(query):
        data = json.loads(text)
        if data["event"] != "node_finished":
            continue
        found[attempt == row.fence].add(to_text([data.get("node_id"), data.get("item")]))
    return bool(found[True] - found[False])


def ran_too_long() -> Problem:
    return Problem(
        "deadline_passed",
        "deadline",
        "passed while the job ran.",
        "Give it more time; a retry continues where it was.",
    )
