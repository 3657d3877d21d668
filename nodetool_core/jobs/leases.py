"""
The queue as workers see it: a claim is a lease.

A worker that takes a job holds it until a time that it moves on while it lives (`beat`). One that
is not heard of until then is taken for dead, and the job waits again (`sweep`). Each claim of a job
has a higher *fence*; everything a worker writes names its fence and counts only while that claim is
the job's last and the job still runs. So whoever comes back from the dead writes nothing, and a job
ends once.

    claim:   queued, no other first        → running, fence + 1, lease = now + length
    beat:    running with this fence       → lease = now + length, events appended
    finish:  running with this fence       → done | failed | cancelled | expired
    release: running with this fence       → queued
    sweep:   running, lease over           → queued; failed after too many lost attempts in a row;
                                             cancelled where that was requested
             queued, deadline over         → expired
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, or_, select, update

from nodetool_core.errors import Problem
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import JobState
from nodetool_core.jobs.queue import end_job, waiting
from nodetool_core.jobs.records import JobRow, TimedEvent, append_events, jobs, to_text

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from nodetool_core.jobs.database import Database


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in a worker's hands, with all that it takes to run it."""

    number: int
    job_id: str
    fence: int
    workflow: str
    document: str
    base: str
    inputs: str
    options: str
    deadline: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended, as it is stored."""

    state: JobState
    problems: Sequence[Problem] = ()
    report: Mapping[str, object] | None = None
    results: Mapping[str, object] | None = None
    files: Collection[str] = ()
    """Digests of the result files."""


class Leases:
    """Claims on jobs in the database. Safe to use from several threads and processes."""

    def __init__(self, database: Database, *, length: float, lost_attempts: int) -> None:
        """
        Claim jobs in a database.

        Args:
            length: Seconds until a worker that is not heard of is taken for dead.
            lost_attempts: How many workers in a row may die with a job without getting further.
        """
        self.database = database
        self.length = length
        self.lost_attempts = lost_attempts

    def claim(self, worker: str, queues: Sequence[str] | None = None) -> Claim | None:
        """Take the job whose turn it is, of these queues or of all; None where none waits."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            query = select(jobs.number).where(
                jobs.state == JobState.QUEUED.value,
                or_(jobs.deadline.is_(None), jobs.deadline > now),
            )
            if queues is not None:
                query = query.where(jobs.queue.in_(queues))
            turn = (
                query.order_by(jobs.priority.desc(), jobs.round, jobs.number)
                .limit(1)
                .scalar_subquery()
            )
            taken = {
                "state": JobState.RUNNING.value,
                "fence": jobs.fence + 1,
                "worker": worker,
                "started": now,
                "lease": now + self.length,
            }
            row = connection.execute(
                update(schema.jobs).where(jobs.number == turn).values(taken).returning(schema.jobs)
            ).one_or_none()
            if row is None:
                return None
            happened = {"event": "job_started", "worker": worker}
            append_events(connection, row.number, row.fence, [TimedEvent(now, happened)])
            kept = connection.execute(
                select(schema.workflows).where(schema.workflows.c.digest == row.workflow)
            ).one()
            return Claim(
                row.number,
                row.id,
                row.fence,
                row.workflow,
                kept.document,
                kept.base,
                row.inputs,
                row.options,
                row.deadline,
            )

    def beat(self, beats: Mapping[Claim, Sequence[TimedEvent]]) -> set[Claim]:
        """
        Renew claims, and store what happened meanwhile.

        Returns those that are lost: their work is to be dropped.
        """
        lost = set()
        with self.database.write() as connection:
            lease = self.database.now(connection) + self.length
            for claim, happened in beats.items():
                if connection.execute(
                    update(schema.jobs).where(*_held(claim)).values(lease=lease)
                ).rowcount:
                    append_events(connection, claim.number, claim.fence, happened)
                else:
                    lost.add(claim)
        return lost

    def to_stop(self, claims: Iterable[Claim]) -> tuple[set[Claim], set[Claim]]:
        """Return the claims whose job is to be cancelled, and those that are lost."""
        wanted = {claim.number: claim for claim in claims}
        cancelled, held = set(), set()
        with self.database.read() as connection:
            rows = connection.execute(
                select(jobs.number, jobs.fence, jobs.state, jobs.cancel_requested).where(
                    jobs.number.in_(wanted)
                )
            )
            for row in rows:
                claim = wanted[row.number]
                if row.fence == claim.fence and row.state == JobState.RUNNING.value:
                    held.add(claim)
                    if row.cancel_requested:
                        cancelled.add(claim)
        return cancelled, set(wanted.values()) - held

    def finish(self, claim: Claim, outcome: Outcome, happened: Sequence[TimedEvent] = ()) -> bool:
        """End a job. False where the claim is lost: the job is another's to end, or has ended."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            values = {
                "state": outcome.state.value,
                "ended": now,
                "lease": None,
                "problems": to_text([problem.to_json() for problem in outcome.problems]),
                "report": to_text(outcome.report or {}),
                "results": to_text(outcome.results or {}),
            }
            if not connection.execute(
                update(schema.jobs).where(*_held(claim)).values(values)
            ).rowcount:
                return False
            _keep_results(connection, claim.number, outcome.files)
            ended = TimedEvent(now, {"event": "job_ended", "state": outcome.state.value})
            append_events(connection, claim.number, claim.fence, [*happened, ended])
            return True

    def release(self, claim: Claim, reason: str, happened: Sequence[TimedEvent] = ()) -> bool:
        """Give a job back, to be run by somebody else. False where the claim is lost."""
        with self.database.write() as connection:
            row = connection.execute(select(schema.jobs).where(*_held(claim))).one_or_none()
            if row is None:
                return False
            append_events(connection, claim.number, claim.fence, happened)
            _put_back(connection, row, reason, self.database.now(connection))
            return True

    def sweep(self, dead: Collection[str] = ()) -> list[str]:
        """
        End what has waited too long, put back what dead workers held.

        `dead`: workers known to be so. Returns the jobs it changed.
        """
        with self.database.write() as connection:
            now = self.database.now(connection)
            over = (
                jobs.state == JobState.RUNNING.value,
                or_(jobs.lease < now, jobs.worker.in_(dead)),
            )
            lost = connection.execute(select(schema.jobs).where(*over).order_by(jobs.number)).all()
            late = connection.execute(
                select(schema.jobs).where(jobs.state == JobState.QUEUED.value, jobs.deadline <= now)
            ).all()
            for row in lost:
                self._take_from_dead(connection, row, now)
            for row in late:
                end_job(connection, row, JobState.EXPIRED, now, [waited_too_long()])
        return [row.id for row in [*lost, *late]]

    def _take_from_dead(self, connection: Connection, row: JobRow, now: float) -> None:
        lost_attempts = 0 if _got_further(connection, row) else row.losses + 1
        connection.execute(
            update(schema.jobs).where(jobs.number == row.number).values(losses=lost_attempts)
        )
        if lost_attempts < self.lost_attempts or row.cancel_requested:
            _put_back(connection, row, "worker_lost", now)
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


def waited_too_long() -> Problem:
    return Problem(
        "deadline_passed",
        "deadline",
        "passed before the job's turn came.",
        "Give it more time, or a higher priority.",
    )


def ran_too_long() -> Problem:
    return Problem(
        "deadline_passed",
        "deadline",
        "passed while the job ran.",
        "Give it more time; a retry continues where it was.",
    )


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """Return the condition under which a claim counts."""
    return (
        jobs.number == claim.number,
        jobs.fence == claim.fence,
        jobs.state == JobState.RUNNING.value,
    )


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


def _put_back(connection: Connection, row: JobRow, reason: str, now: float) -> None:
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


def _keep_results(connection: Connection, number: int, digests: Collection[str]) -> None:
    """Note the result files; some may be inputs as well."""
    known = connection.execute(
        select(schema.job_files.c.digest).where(schema.job_files.c.job == number)
    ).scalars()
    new = sorted(set(digests) - set(known))
    if new:
        connection.execute(
            insert(schema.job_files), [{"job": number, "digest": digest} for digest in new]
        )
