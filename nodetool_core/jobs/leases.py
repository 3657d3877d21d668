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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, or_, select, update

from nodetool_core.errors import Problem
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import JobState
from nodetool_core.jobs.lost_workers import end_abandoned, requeue, requeue_lost
from nodetool_core.jobs.queue import end_job
from nodetool_core.jobs.records import TimedEvent, append_events, jobs, to_text

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
            requeue(connection, row, reason, self.database.now(connection))
            return True

    def sweep(
        self, dead: Collection[str] = (), waiting: Collection[str] | None = None
    ) -> list[str]:
        """
        End what has waited too long, put back what dead workers held.

        Args:
            dead: Workers known to be so.
            waiting: The processes that wait for jobs of theirs; jobs of others that did are ended.
                None where that is not known.

        Returns the jobs it changed.
        """
        with self.database.write() as connection:
            now = self.database.now(connection)
            lost = requeue_lost(connection, now, dead, self.lost_attempts)
            late = connection.execute(
                select(schema.jobs).where(jobs.state == JobState.QUEUED.value, jobs.deadline <= now)
            ).all()
            for row in late:
                end_job(connection, row, JobState.EXPIRED, now, [waited_too_long()])
            left = [] if waiting is None else end_abandoned(connection, now, waiting)
        return [*lost, *(row.id for row in late), *left]


def waited_too_long() -> Problem:
    return Problem(
        "deadline_passed",
        "deadline",
        "passed before the job's turn came.",
        "Give it more time, or a higher priority.",
    )


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """Return the condition under which a claim counts."""
    return (
        jobs.number == claim.number,
        jobs.fence == claim.fence,
        jobs.state == JobState.RUNNING.value,
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
