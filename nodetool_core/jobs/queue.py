"""
The queue as clients see it: submit, look, cancel.

Turns. Among waiting jobs the highest priority goes first, and inside a priority clients take turns
(start-time fair queueing, Goyal et al. 1996). A job gets its *round* when it is accepted: the round
after its client's last waiting job, or the round that is being served now, whichever is later. Jobs
go by (priority, round, number); so each round serves each client once, whoever sends a thousand
jobs delays others by one job a round, and whoever was away gains nothing from it. Cost: a few index
look-ups per job, no matter how many wait.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, or_, select, update

from nodetool_core.errors import Problem
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import Job, JobsError, JobState, StoredEvent, unknown_file, unknown_job
from nodetool_core.jobs.records import (
    JobRow,
    TimedEvent,
    append_events,
    event_of,
    job_of,
    jobs,
    row_of,
    to_text,
)
from nodetool_core.json_types import Json

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from nodetool_core.jobs.database import Database

DEFAULT_QUEUE = "default"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A request that was checked and can be stored."""

    name: str
    workflow: str
    """Digest of document and base."""
    document: str
    base: str
    inputs: str
    options: str
    request: str
    """Digest of the request as it came, by which a repeated one is known."""
    client: str = ""
    priority: int = 0
    deadline: float | None = None
    idempotency_key: str | None = None
    model: str | None = None
    files: Sequence[str] = field(default=())
    """Digests of the stored files that it reads."""


class Queue:
    """Jobs in the database. Safe to use from several threads and processes."""

    def __init__(
        self, database: Database, *, limit: int = 1000, client_limit: int | None = None
    ) -> None:
        self.database = database
        self.limit = limit
        self.client_limit = client_limit

    def submit(
        self, spec: JobSpec, *, queue: str = DEFAULT_QUEUE, retry_of: str | None = None
    ) -> Job:
        """
        Accept a job; it is on disk when this returns.

        Raises JobsError where there is no room, or the key was used for another.
        """
        with self.database.write() as connection:
            known = self._known(connection, spec)
            if known is not None:
                return known
            self._check_room(connection, spec.client)
            now = self.database.now(connection)
            _keep_workflow(connection, spec)
            values = {
                "id": secrets.token_hex(12),
                "client": spec.client,
                "state": JobState.QUEUED.value,
                "name": spec.name,
                "workflow": spec.workflow,
                "inputs": spec.inputs,
                "options": spec.options,
                "model": spec.model,
                "queue": queue,
                "priority": spec.priority,
                "round": _round(connection, spec),
                "created": now,
                "deadline": spec.deadline,
                "idempotency_key": spec.idempotency_key,
                "request": spec.request,
                "retry_of": retry_of,
            }
            row = connection.execute(
                insert(schema.jobs).values(values).returning(schema.jobs)
            ).one()
            _keep_files(connection, row.number, spec.files)
            append_events(connection, row.number, 0, [TimedEvent(now, {"event": "job_queued"})])
            return job_of(row)

    def get(self, job_id: str) -> Job:
        """Return a job. Raises JobsError(`unknown_job`)."""
        with self.database.read() as connection:
            return job_of(row_of(connection, job_id))

    def ended(self, job_ids: Sequence[str]) -> list[Job]:
        """Return those of some jobs that have ended."""
        over = jobs.state.in_([state.value for state in JobState if state.ended])
        with self.database.read() as connection:
            rows = connection.execute(select(schema.jobs).where(jobs.id.in_(job_ids), over))
            return [job_of(row) for row in rows]

    def of_key(self, client: str, key: str) -> Job | None:
        """Return the job that a client requested with an idempotency key; None where none was."""
        wanted = jobs.client == client, jobs.idempotency_key == key
        with self.database.read() as connection:
            row = connection.execute(select(schema.jobs).where(*wanted)).one_or_none()
        return None if row is None else job_of(row)

    def page(
        self,
        *,
        client: str | None = None,
        states: Sequence[JobState] | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """
        Return a page of jobs, the newest first; `before` is the last job of the page before it.
        """
        query = select(schema.jobs).order_by(jobs.number.desc()).limit(limit)
        if client is not None:
            query = query.where(jobs.client == client)
        if states is not None:
            query = query.where(jobs.state.in_([state.value for state in states]))
        with self.database.read() as connection:
            if before is not None:
                query = query.where(jobs.number < row_of(connection, before).number)
            return [job_of(row) for row in connection.execute(query)]

    def spec_of(self, job_id: str) -> tuple[JobSpec, Job]:
        """Return the spec behind a job, to give it again."""
        with self.database.read() as connection:
            row = row_of(connection, job_id)
            kept = connection.execute(
                select(schema.workflows).where(schema.workflows.c.digest == row.workflow)
            ).one()
            digests = (
                connection.execute(
                    select(schema.job_files.c.digest).where(schema.job_files.c.job == row.number)
                )
                .scalars()
                .all()
            )
        copied = {
            name: getattr(row, name)
            for name in (
                "name",
                "workflow",
                "inputs",
                "options",
                "request",
                "client",
                "priority",
                "model",
            )
        }
        return JobSpec(**copied, document=kept.document, base=kept.base, files=digests), job_of(row)

    def results(self, job_id: str) -> str:
        """Return the results as JSON text."""
        with self.database.read() as connection:
            return str(row_of(connection, job_id).results)

    def change(
        self, job_id: str, *, priority: int | None = None, note: Mapping[str, Json] | None = None
    ) -> Job:
        """Give a job another priority, and put values into its note."""
        with self.database.write() as connection:
            row = row_of(connection, job_id)
            values: dict[str, object] = {}
            if priority is not None:
                values["priority"] = priority
            if note:
                options = json.loads(row.options)
                merged = {**(options.get("note") or {}), **note}
                values["options"] = to_text({**options, "note": merged})
            if values:
                changed = update(schema.jobs).where(jobs.number == row.number).values(**values)
                connection.execute(changed)
            return job_of(row_of(connection, job_id))

    def cancel(self, job_id: str) -> Job:
        """
        End a waiting job at once; request of a running one that it stops.

        One that has ended stays as it is.
        """
        with self.database.write() as connection:
            row = row_of(connection, job_id)
            now = self.database.now(connection)
            if row.state == JobState.QUEUED:
                end_job(connection, row, JobState.CANCELLED, now)
            elif row.state == JobState.RUNNING and not row.cancel_requested:
                connection.execute(
                    update(schema.jobs)
                    .where(jobs.number == row.number)
                    .values(cancel_requested=True)
                )
                append_events(
                    connection,
                    row.number,
                    row.fence,
                    [TimedEvent(now, {"event": "job_cancel_requested"})],
                )
            return job_of(row_of(connection, job_id))

    def events(
        self, job_id: str, after: int = 0, limit: int = 1000
    ) -> tuple[list[StoredEvent], bool]:
        """Return events with numbers above `after`, and whether further ones may come."""
        columns = jobs.number, jobs.state, jobs.last_event
        with self.database.read() as connection:
            row = connection.execute(select(*columns).where(jobs.id == job_id)).one_or_none()
            if row is None:
                raise JobsError(unknown_job(job_id))
            wanted = schema.events.c.job == row.number, schema.events.c.number > after
            rows = connection.execute(
                select(schema.events).where(*wanted).order_by(schema.events.c.number).limit(limit)
            ).all()
        found = [event_of(event) for event in rows]
        last = found[-1].number if found else after
        return found, not JobState(row.state).ended or last < row.last_event

    def waiting_by_queue(self) -> dict[str, list[str]]:
        """Return the ids of each queue's waiting jobs, in the order in which they came."""
        found: dict[str, list[str]] = {}
        query = (
            select(jobs.queue, jobs.id)
            .where(jobs.state == JobState.QUEUED.value)
            .order_by(jobs.number)
        )
        with self.database.read() as connection:
            for queue, job_id in connection.execute(query):
                found.setdefault(queue, []).append(job_id)
        return found

    def reroute(self, held: Sequence[str], patience: float) -> None:
        """
        Move waiting jobs to the common queue where theirs is not served.

        Nobody reads it, or nobody has taken them for `patience` seconds.
        """
        elsewhere = jobs.state == JobState.QUEUED.value, jobs.queue != DEFAULT_QUEUE
        with self.database.read() as connection:
            if (
                connection.execute(
                    select(func.count()).select_from(schema.jobs).where(*elsewhere)
                ).scalar_one()
                == 0
            ):
                return
        with self.database.write() as connection:
            late = jobs.created < self.database.now(connection) - patience
            moved = update(schema.jobs).where(*elsewhere, or_(late, jobs.queue.not_in(held)))
            connection.execute(moved.values(queue=DEFAULT_QUEUE))

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs there are in each state."""
        with self.database.read() as connection:
            found = connection.execute(select(jobs.state, func.count()).group_by(jobs.state)).all()
        return dict.fromkeys(JobState, 0) | {JobState(state): count for state, count in found}

    def _known(self, connection: Connection, spec: JobSpec) -> Job | None:
        """Return the job that the same client got for the same key."""
        if spec.idempotency_key is None:
            return None
        wanted = jobs.client == spec.client, jobs.idempotency_key == spec.idempotency_key
        row = connection.execute(select(schema.jobs).where(*wanted)).one_or_none()
        if row is None:
            return None
        if row.request != spec.request:
            message = (
                f"The key {spec.idempotency_key!r} was used for another request, job {row.id}."
            )
            raise JobsError(
                Problem(
                    "idempotency_conflict",
                    "idempotency_key",
                    message,
                    "Use a new key for a new request.",
                )
            )
        return job_of(row)

    def _check_room(self, connection: Connection, client: str) -> None:
        counted = (
            select(func.count()).select_from(schema.jobs).where(jobs.state == JobState.QUEUED.value)
        )
        count = connection.execute(counted).scalar_one()
        if count >= self.limit:
            raise JobsError(
                Problem(
                    "queue_full",
                    "queue",
                    f"{count} jobs wait, and no more may.",
                    "Try again later.",
                )
            )
        if self.client_limit is None:
            return
        own = connection.execute(counted.where(jobs.client == client)).scalar_one()
        if own >= self.client_limit:
            raise JobsError(
                Problem(
                    "client_queue_full",
                    "queue",
                    f"{own} jobs of yours wait, and no more may.",
                    "Wait for one to end.",
                )
            )


def end_job(
    connection: Connection,
    row: JobRow,
    state: JobState,
    now: float,
    problems: Sequence[Problem] = (),
) -> None:
    """Put a job that nobody runs into its last state."""
    written = to_text([problem.to_json() for problem in problems])
    ended = {"state": state.value, "ended": now, "lease": None, "problems": written}
    connection.execute(update(schema.jobs).where(jobs.number == row.number).values(ended))
    append_events(
        connection,
        row.number,
        row.fence,
        [TimedEvent(now, {"event": "job_ended", "state": state.value})],
    )


def waiting(priority: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the condition for jobs that wait in one priority."""
    return jobs.state == JobState.QUEUED.value, jobs.priority == priority


def _round(connection: Connection, spec: JobSpec) -> int:
    others = waiting(spec.priority)
    served = connection.execute(select(func.min(jobs.round)).where(*others)).scalar_one()
    own = connection.execute(
        select(func.max(jobs.round)).where(*others, jobs.client == spec.client)
    ).scalar_one()
    return max(served or 0, 0 if own is None else own + 1)


def _keep_workflow(connection: Connection, spec: JobSpec) -> None:
    known = connection.execute(
        select(schema.workflows.c.digest).where(schema.workflows.c.digest == spec.workflow)
    ).one_or_none()
    if known is None:
        connection.execute(
            insert(schema.workflows).values(
                digest=spec.workflow, document=spec.document, base=spec.base
            )
        )


def _keep_files(connection: Connection, number: int, digests: Sequence[str]) -> None:
    """Note which files a job needs, so that they stay as long as it does."""
    wanted = set(digests)
    if not wanted:
        return
    there = set(
        connection.execute(
            select(schema.files.c.digest).where(schema.files.c.digest.in_(wanted))
        ).scalars()
    )
    if wanted - there:
        raise JobsError([unknown_file(digest) for digest in sorted(wanted - there)])
    connection.execute(
        insert(schema.job_files), [{"job": number, "digest": digest} for digest in sorted(wanted)]
    )
