"""
The queue against a plain model.

Random clients and workers, workers that die, a clock that the test moves.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nodetool_core.jobs.database import Database
from nodetool_core.jobs.job import JobsError, JobState
from nodetool_core.jobs.leases import Claim, Leases, Outcome
from nodetool_core.jobs.queue import JobSpec, Queue
from nodetool_core.jobs.records import TimedEvent
from tests.jobs.conftest import new_database

LIMIT, CLIENT_LIMIT, LEASE, LOST_ATTEMPTS = 6, 4, 10.0, 2


@dataclass
class Expected:
    """A job as the model has it."""

    number: int
    client: str
    priority: int
    turn: int
    deadline: float | None
    state: JobState = JobState.QUEUED
    lease: float = 0.0
    lost_attempts: int = 0
    cancel: bool = False
    fence: int = 0
    ended: int = 0
    reached: set[str] = field(default_factory=set)
    """Nodes that were told to be finished."""
    reached_before: set[str] = field(default_factory=set)
    """Those of earlier attempts."""
    events: list[str] = field(default_factory=lambda: ["job_queued"])


class QueueMachine(RuleBasedStateMachine):
    """What a handful of lists and loops say about the queue, and what the queue says."""

    url: str | None = None

    def __init__(self) -> None:
        super().__init__()
        fast = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=fast if fast.is_dir() else None))
        self.time = 1000.0
        url = (
            f"sqlite:///{self.folder / 'jobs.sqlite'}"
            if self.url is None
            else new_database(self.url)
        )
        self.database = Database(url, clock=lambda: self.time)
        self.queue = Queue(self.database, limit=LIMIT, client_limit=CLIENT_LIMIT)
        self.leases = Leases(self.database, length=LEASE, lost_attempts=LOST_ATTEMPTS)
        self.model: dict[str, Expected] = {}
        self.keys: dict[tuple[str, str], str] = {}

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def waiting(self, priority: int | None = None, client: str | None = None) -> list[Expected]:
        return [
            job
            for job in self.model.values()
            if job.state is JobState.QUEUED
            and priority in (None, job.priority)
            and client in (None, job.client)
        ]

    def end(self, job: Expected, state: JobState) -> None:
        assert not job.state.ended
        job.state = state
        job.ended += 1
        job.events.append("job_ended")

    def put_back(self, job: Expected) -> None:
        if job.cancel:
            self.end(job, JobState.CANCELLED)
        elif job.deadline is not None and job.deadline <= self.time:
            self.end(job, JobState.EXPIRED)
        else:
            job.turn = min((other.turn for other in self.waiting(job.priority)), default=job.turn)
            job.state = JobState.QUEUED
            job.events.append("job_requeued")

    @rule(
        target=jobs,
        client=st.sampled_from("abc"),
        priority=st.integers(0, 1),
        patience=st.none() | st.integers(1, 30),
        key=st.none() | st.sampled_from(["k", "l"]),
        request=st.sampled_from(["one", "two"]),
    )
    def submit(
        self, client: str, priority: int, patience: int | None, key: str | None, request: str
    ) -> object:
        deadline = None if patience is None else self.time + patience
        spec = JobSpec("", "w", "{}", "", "{}", "{}", request, client, priority, deadline, key)
        known = self.keys.get((client, key)) if key else None
        try:
            job = self.queue.submit(spec)
        except JobsError as error:
            if error.problem.code == "idempotency_conflict":
                assert known is not None and known.partition(" ")[2] != request
            elif error.problem.code == "queue_full":
                assert len(self.waiting()) >= LIMIT
            else:
                assert (
                    error.problem.code == "client_queue_full"
                    and len(self.waiting(client=client)) >= CLIENT_LIMIT
                )
            return multiple()
        if known is not None:
            assert known == f"{job.id} {request}"
            return multiple()
        assert len(self.waiting()) < LIMIT and len(self.waiting(client=client)) < CLIENT_LIMIT
        served = min((other.turn for other in self.waiting(priority)), default=0)
        own = max((other.turn + 1 for other in self.waiting(priority, client)), default=0)
        self.model[job.id] = Expected(len(self.model), client, priority, max(served, own), deadline)
        if key:
            self.keys[client, key] = f"{job.id} {request}"
        return job.id

    @rule(target=claims)
    def claim(self) -> object:
        ready = [job for job in self.waiting() if job.deadline is None or job.deadline > self.time]
        claim = self.leases.claim("worker")
        if not ready:
            assert claim is None
            return multiple()
        first = min(ready, key=lambda job: (-job.priority, job.turn, job.number))
        assert claim is not None and self.model[claim.job_id] is first
        first.state, first.lease, first.fence = JobState.RUNNING, self.time + LEASE, first.fence + 1
        assert claim.fence == first.fence
        first.events.append("job_started")
        return claim

    def holds(self, claim: Claim) -> bool:
        job = self.model[claim.job_id]
        return job.state is JobState.RUNNING and job.fence == claim.fence

    @rule(claim=claims, nodes=st.lists(st.sampled_from("xy"), max_size=2))
    def beat(self, claim: Claim, nodes: list[str]) -> None:
        held = self.holds(claim)
        cancelled, lost = self.leases.to_stop([claim])
        assert (lost == set()) is held
        assert (cancelled == {claim}) is (held and self.model[claim.job_id].cancel)
        happened = [
            TimedEvent(self.time, {"event": "node_finished", "node_id": node}) for node in nodes
        ]
        assert self.leases.beat({claim: happened}) == (set() if held else {claim})
        if held:
            self.model[claim.job_id].lease = self.time + LEASE
            self.model[claim.job_id].events += ["node_finished"] * len(nodes)
            self.model[claim.job_id].reached |= set(nodes)

    @rule(claim=claims, state=st.sampled_from([JobState.DONE, JobState.FAILED, JobState.CANCELLED]))
    def finish(self, claim: Claim, state: JobState) -> None:
        held = self.holds(claim)
        assert self.leases.finish(claim, Outcome(state, results={"fence": claim.fence})) is held
        if held:
            self.end(self.model[claim.job_id], state)
            assert self.queue.results(claim.job_id) == f'{{"fence":{claim.fence}}}'

    @rule(claim=consumes(claims))
    def release(self, claim: Claim) -> None:
        held = self.holds(claim)
        assert self.leases.release(claim, "released") is held
        if held:
            self.model[claim.job_id].reached_before |= self.model[claim.job_id].reached
            self.put_back(self.model[claim.job_id])

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        job = self.model[job_id]
        if job.state is JobState.QUEUED:
            self.end(job, JobState.CANCELLED)
        elif job.state is JobState.RUNNING and not job.cancel:
            job.cancel = True
            job.events.append("job_cancel_requested")
        assert self.queue.cancel(job_id).state is job.state

    @rule(seconds=st.sampled_from([1.0, 4.0, 11.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.time += seconds

    @rule()
    def sweep(self) -> None:
        lost = [
            job
            for job in self.model.values()
            if job.state is JobState.RUNNING and job.lease < self.time
        ]
        late = [
            job for job in self.waiting() if job.deadline is not None and job.deadline <= self.time
        ]
        changed = {self.model[job_id].number for job_id in self.leases.sweep()}
        assert changed == {job.number for job in lost + late}
        for job in sorted(lost, key=lambda job: job.number):
            job.lost_attempts = 0 if job.reached - job.reached_before else job.lost_attempts + 1
            job.reached_before |= job.reached
            if job.lost_attempts >= LOST_ATTEMPTS and not job.cancel:
                self.end(job, JobState.FAILED)
            else:
                self.put_back(job)
        for job in late:
            self.end(job, JobState.EXPIRED)

    @precondition(lambda self: any(job.state is JobState.RUNNING for job in self.model.values()))
    @rule(target=claims)
    def another_takes_over(self) -> object:
        """
        Let happen what two workers need to have a claim on one job.

        More often than chance has it.
        """
        self.let_time_pass(LEASE + 1)
        self.sweep()
        return self.claim()

    @initialize()
    def start(self) -> None:
        assert self.leases.claim("worker") is None

    @invariant()
    def the_records_say_the_same(self) -> None:
        found = {job.id: job for job in self.queue.page(limit=1000)}
        assert set(found) == set(self.model)
        for job_id, job in self.model.items():
            assert (found[job_id].state, found[job_id].attempts) == (job.state, job.fence)
            assert job.ended == int(job.state.ended)

    @invariant()
    def events_are_numbered_without_gaps(self) -> None:
        for job_id, job in self.model.items():
            events, more = self.queue.events(job_id)
            assert [event.number for event in events] == list(range(1, len(events) + 1))
            assert [event.name for event in events] == job.events
            assert more is not job.state.ended


SETTINGS = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_queue_is_what_the_model_says() -> None:
    run_state_machine_as_test(QueueMachine, settings=SETTINGS)  # type: ignore[no-untyped-call]


@pytest.mark.slow
def test_the_queue_in_postgresql_is_what_the_model_says(postgres_server: str) -> None:
    class PostgresMachine(QueueMachine):
        url = postgres_server

    run_state_machine_as_test(PostgresMachine, settings=settings(SETTINGS, max_examples=5))  # type: ignore[no-untyped-call]
