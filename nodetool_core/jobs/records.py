"""Rows as values, and the one way in which events are written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import insert, select, update

from nodetool_core.errors import Problem
from nodetool_core.jobs import schema
from nodetool_core.jobs.job import Job, JobsError, JobState, StoredEvent, unknown_job
from nodetool_core.json_types import Json
from nodetool_core.values import json_form

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

jobs = schema.jobs.c

EventData = Mapping[str, object]

JobRow: TypeAlias = "Row[Any]"
"""A row of a table of jobs, by the names of its columns."""


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event before it has a number."""

    at: float
    data: EventData


def job_of(row: JobRow) -> Job:
    """Return the public record of a row of `jobs`."""
    return Job(
        id=row.id,
        client=row.client,
        state=JobState(row.state),
        workflow=row.name,
        workflow_digest=row.workflow,
        priority=row.priority,
        created=row.created,
        started=row.started,
        ended=row.ended,
        deadline=row.deadline,
        attempts=row.fence,
        cancel_requested=bool(row.cancel_requested),
        worker=row.worker,
        model=row.model,
        retry_of=row.retry_of,
        idempotency_key=row.idempotency_key,
        problems=tuple(Problem(**problem) for problem in json.loads(row.problems)),
        report=json.loads(row.report),
        note=json.loads(row.options).get("note") or {},
    )


def row_of(connection: Connection, job_id: str) -> JobRow:
    """Return the row of a job. Raises JobsError(`unknown_job`)."""
    row = connection.execute(select(schema.jobs).where(jobs.id == job_id)).one_or_none()
    if row is None:
        raise JobsError(unknown_job(job_id))
    return row


def append_events(
    connection: Connection, number: int, attempt: int, happened: Sequence[TimedEvent]
) -> None:
    """
    Write events of one job behind those it has.

    Their numbers are taken under the lock of the job's row.
    """
    if not happened:
        return
    counted = (
        update(schema.jobs)
        .where(jobs.number == number)
        .values(last_event=jobs.last_event + len(happened))
        .returning(jobs.last_event)
    )
    last = connection.execute(counted).scalar_one()
    first = last - len(happened) + 1
    rows = [
        {
            "job": number,
            "number": first + place,
            "at": event.at,
            "attempt": attempt,
            "data": to_text(event.data),
        }
        for place, event in enumerate(happened)
    ]
    connection.execute(insert(schema.events), rows)


def event_of(row: JobRow) -> StoredEvent:
    return StoredEvent(row.number, row.at, row.attempt, json.loads(row.data))


def to_text(value: object) -> str:
    """
    Return JSON as it is stored: compact, in ASCII.

    Texts stand in place of numbers that JSON has no form for (`nan`, `inf`).
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(json_form(value, _finite), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Json:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
