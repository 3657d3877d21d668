"""The queue at its edges: keys, limits, pages, events; on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from nodetool_core.jobs import schema
from nodetool_core.jobs.database import Database
from nodetool_core.jobs.job import JobsError, JobState
from nodetool_core.jobs.leases import Claim, Leases, Outcome
from nodetool_core.jobs.queue import JobSpec, Queue
from nodetool_core.jobs.records import TimedEvent
from nodetool_core.jobs.workers import Workers


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def spec(
    client: str = "a", key: str | None = None, request: str = "r", files: tuple[str, ...] = ()
) -> JobSpec:
    return JobSpec("", "w", "{}", "", "{}", "{}", request, client, idempotency_key=key, files=files)


def code_of(caught: pytest.ExceptionInfo[JobsError]) -> str:
    return caught.value.problem.code


def test_a_key_gives_the_same_job_to_the_same_client_for_the_same_request(
    database: Database,
) -> None:
    queue = Queue(database, limit=2)
    first = queue.submit(spec(key="k"))
    assert queue.submit(spec(key="k")) == first
    other = queue.submit(spec(client="b", key="k"))
    assert other.id != first.id
    assert (queue.of_key("a", "k"), queue.of_key("b", "k")) == (first, other)
    assert queue.of_key("a", "l") is None
    with pytest.raises(JobsError) as caught:
        queue.submit(spec(key="k", request="another"))
    assert code_of(caught) == "idempotency_conflict"
    # A full queue has room for what is in it.
    assert queue.submit(spec(key="k")) == first


def test_one_key_from_many_threads_is_one_job(database: Database) -> None:
    queue, found = Queue(database), []
    threads = [
        threading.Thread(target=lambda: found.append(queue.submit(spec(key="k")).id))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12 and len(set(found)) == 1


def test_limits_count_what_waits(database: Database) -> None:
    queue, leases = (
        Queue(database, limit=3, client_limit=2),
        Leases(database, length=60, lost_attempts=5),
    )
    queue.submit(spec("a"))
    queue.submit(spec("a"))
    with pytest.raises(JobsError) as caught:
        queue.submit(spec("a"))
    assert code_of(caught) == "client_queue_full"
    queue.submit(spec("b"))
    with pytest.raises(JobsError) as caught:
        queue.submit(spec("c"))
    assert code_of(caught) == "queue_full"
    assert leases.claim("worker") is not None
    queue.submit(spec("c"))


def test_each_job_goes_to_one_of_many_workers(database: Database) -> None:
    queue, taken, lock = Queue(database), [], threading.Lock()
    accepted = {queue.submit(spec(client)).id for client in "abcde" * 8}

    def work(name: str) -> None:
        leases = Leases(database, length=60, lost_attempts=5)
        while (claim := leases.claim(name)) is not None:
            with lock:
                taken.append(claim.job_id)
            assert leases.finish(claim, Outcome(JobState.DONE))

    threads = [threading.Thread(target=work, args=[f"worker {number}"]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(accepted) and set(taken) == accepted
    assert queue.counts()[JobState.DONE] == 40


def test_jobs_are_listed_in_pages_newest_first(database: Database) -> None:
    queue = Queue(database)
    ids = [queue.submit(spec("ab"[number % 2])).id for number in range(5)]
    queue.cancel(ids[1])
    assert [job.id for job in queue.page()] == ids[::-1]
    assert [job.id for job in queue.page(limit=2)] == ids[:2:-1]
    assert [job.id for job in queue.page(limit=2, before=ids[3])] == ids[2:0:-1]
    assert [job.id for job in queue.page(client="b", states=[JobState.QUEUED])] == [ids[3]]
    assert [
        job.id for job in queue.page(client="b", states=[JobState.CANCELLED, JobState.DONE])
    ] == [ids[1]]


def test_what_is_not_there_is_said_to_be_unknown(database: Database) -> None:
    queue = Queue(database)
    for ask in (
        queue.get,
        queue.cancel,
        queue.events,
        queue.results,
        queue.spec_of,
        lambda job: queue.page(before=job),
    ):
        with pytest.raises(JobsError) as caught:
            ask("nothing")
        assert code_of(caught) == "unknown_job"
    with pytest.raises(JobsError) as caught:
        queue.submit(spec(files=("0" * 64,)))
    assert code_of(caught) == "unknown_file"
    assert queue.page() == []


@pytest.mark.parametrize("how", ["given back", "worker lost"])
def test_a_job_that_was_to_be_cancelled_does_not_wait_again(database: Database, how: str) -> None:
    queue, leases = Queue(database), Leases(database, length=60, lost_attempts=5)
    job = queue.submit(spec())
    claim = leases.claim("worker")
    assert claim is not None and queue.cancel(job.id).state is JobState.RUNNING
    assert (
        leases.release(claim, "released")
        if how == "given back"
        else leases.sweep(["worker"]) == [job.id]
    )
    assert queue.get(job.id).state is JobState.CANCELLED
    assert leases.claim("other") is None


def test_events_of_many_jobs_keep_their_own_numbers(database: Database) -> None:
    queue, leases = Queue(database), Leases(database, length=60, lost_attempts=5)
    claims: list[Claim] = []
    for client in "abc":
        queue.submit(spec(client))
        claim = leases.claim("worker")
        assert claim is not None
        claims.append(claim)
    for number in range(4):
        leases.beat(
            {
                claim: (
                    [TimedEvent(float(number), {"event": "node_finished", "text": 'ä"\n'})] * number
                )
                for claim in claims
            }
        )
    for claim in claims:
        found, more = queue.events(claim.job_id, after=2)
        assert [event.number for event in found] == list(range(3, 9)) and more
        assert {event.data["text"] for event in found} == {'ä"\n'}
        assert queue.events(claim.job_id, after=2, limit=2) == (found[:2], True)
        assert leases.finish(claim, Outcome(JobState.DONE))
        assert queue.events(claim.job_id, after=8)[1] is False
        assert queue.events(claim.job_id, after=2, limit=2)[1] is True


def test_models_are_known_while_their_holder_speaks(database: Database) -> None:
    held = ["b", "a"]
    worker = Workers(database, lease=60, models=lambda: held)
    other = Workers(database, lease=60, models=lambda: ["a"])
    worker.announce()
    other.announce()
    assert {model: len(ids) for model, ids in worker.holders().items()} == {"a": 2, "b": 1}
    held.remove("b")
    worker.announce()
    other.leave()
    assert worker.holders() == {"a": [worker.id]}
    assert worker.dead() == []


def test_a_schema_from_the_future_is_refused(database: Database, database_url: str) -> None:
    with database.write() as connection:
        connection.execute(update(schema.version).values(version=schema.VERSION + 1))
    with pytest.raises(JobsError) as caught:
        Database(database_url)
    assert code_of(caught) == "newer_schema"


def test_accepting_is_durable_in_sqlite(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "jobs.sqlite"))
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        # FULL: the log is on the disk before a commit returns.
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    database.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sqlite://", "database_failed"),
        ("nonsense://x/y", "database_failed"),
        ("postgresql://user:topsecret@127.0.0.1:1/none", "database_failed"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(url: str, code: str) -> None:
    with pytest.raises(JobsError) as caught:
        Database(url)
    assert code_of(caught) == code
    assert "topsecret" not in str(caught.value)


def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_text(
        "no database at all, but long enough to be looked at " * 40
    )
    with pytest.raises(JobsError) as caught:
        Database(str(tmp_path / "jobs.sqlite"))
    assert code_of(caught) == "database_failed"
