"""Whose turn it is: priorities, and clients in turn inside each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodetool_core.jobs.database import Database
from nodetool_core.jobs.job import JobState
from nodetool_core.jobs.leases import Leases, Outcome
from nodetool_core.jobs.queue import JobSpec, Queue


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def submit(database: Database) -> Callable[..., str]:
    queue = Queue(database)

    def give(client: str, priority: int = 0) -> str:
        return queue.submit(JobSpec("", "w", "{}", "", "{}", "{}", "r", client, priority)).id

    return give


@pytest.fixture
def take(database: Database) -> Callable[[], str]:
    leases, queue = Leases(database, length=60, lost_attempts=5), Queue(database)

    def take_one() -> str:
        claim = leases.claim("worker")
        return queue.get(claim.job_id).client if claim else ""

    return take_one


def test_a_client_with_many_jobs_delays_others_by_one_job_a_turn(
    submit: Callable[..., str], take: Callable[[], str]
) -> None:
    for client in "aaaaabbc":
        submit(client)
    assert "".join(take() for _ in range(9)) == "abcabaaa"


def test_who_comes_later_has_the_next_turn(
    submit: Callable[..., str], take: Callable[[], str]
) -> None:
    for client in "aaaaa":
        submit(client)
    assert take() + take() == "aa"
    submit("b")
    submit("b")
    assert "".join(take() for _ in range(5)) == "ababa"


def test_a_client_that_sends_one_at_a_time_gets_no_more_than_its_turn(
    submit: Callable[..., str], take: Callable[[], str]
) -> None:
    for client in "aaaaaa":
        submit(client)
    served = ""
    for _ in range(5):
        submit("b")
        served += take() + take()
    assert served.count("a") == served.count("b")


def test_a_higher_priority_goes_first_whoever_waits(
    submit: Callable[..., str], take: Callable[[], str]
) -> None:
    for client, priority in [("a", 0), ("a", 5), ("b", -1), ("c", 5), ("a", 5)]:
        submit(client, priority)
    assert "".join(take() for _ in range(5)) == "acaab"


def test_a_job_that_is_given_back_goes_first_in_the_round_and_sets_nobody_back(
    database: Database, submit: Callable[..., str]
) -> None:
    leases, queue = Leases(database, length=60, lost_attempts=5), Queue(database)
    early = submit("a")
    claim = leases.claim("worker")
    assert claim is not None
    for client in "bbbb":
        submit(client)
    for _ in range(2):
        taken = leases.claim("worker")
        assert taken is not None and leases.finish(taken, Outcome(JobState.DONE))
    assert leases.release(claim, "released")
    for client in "ccc":
        submit(client)
    order = []
    while (taken := leases.claim("worker")) is not None:
        order.append(queue.get(taken.job_id))
    assert order[0].id == early
    assert "".join(job.client for job in order) == "abcbcc"


@given(
    clients=st.text("abcd", min_size=1, max_size=30),
    priorities=st.lists(st.integers(0, 2), min_size=30, max_size=30),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_turns_are_round_robin_inside_a_priority(
    tmp_path_factory: pytest.TempPathFactory, clients: str, priorities: list[int]
) -> None:
    """
    In each priority, everybody's first job comes before anybody's second, and so on.
    """
    fast = Path("/dev/shm")
    folder = tmp_path_factory.mktemp("turns")
    database = Database(str((fast if fast.is_dir() else folder) / f"{folder.name}.sqlite"))
    try:
        queue, leases = Queue(database), Leases(database, length=60, lost_attempts=5)
        given_jobs = list(zip(clients, priorities, strict=False))
        for client, priority in given_jobs:
            queue.submit(JobSpec("", "w", "{}", "", "{}", "{}", "r", client, priority))
        taken = []
        while (claim := leases.claim("worker")) is not None:
            job = queue.get(claim.job_id)
            taken.append((job.client, job.priority))
        ranked = [
            (-priority, given_jobs[:place].count((client, priority)), place)
            for place, (client, priority) in enumerate(given_jobs)
        ]
        assert taken == [given_jobs[place] for *_, place in sorted(ranked)]
    finally:
        database.close()
        for file in fast.glob(f"{folder.name}.sqlite*"):
            file.unlink()
