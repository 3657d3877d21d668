"""
Workers under Celery with a real Redis.

Jobs are run, survive killed workers, go where their model is, and can be cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nodetool_core.jobs.celery_dispatch import KEY_PREFIX, CeleryDispatch, make_app, model_queue
from nodetool_core.jobs.job import JobRequest, JobSettings, JobState
from nodetool_core.jobs.queue import DEFAULT_QUEUE
from nodetool_core.jobs.service import Jobs
from nodetool_core.jobs.workers import Workers
from nodetool_core.registry import Registry
from nodetool_core.workflow import WorkflowDocument
from tests.jobs import graphs
from tests.jobs.faults import check, request, stopped_at_work
from tests.jobs.pack.work import Paint
from tests.jobs.processes import ROOT, Fleet, fleet
from tests.waiting import eventually

pytestmark = pytest.mark.slow

LEASE = 30.0
MODEL = "nodetool/tiny-landscapes"


@pytest.fixture
def workers(tmp_path: Path, redis_url: str) -> Iterator[Fleet]:
    with fleet(tmp_path, "--broker", redis_url, "--lease", str(LEASE)) as started:
        yield started


@pytest.fixture
def jobs(workers: Fleet, redis_url: str, registry: Registry) -> Iterator[Jobs]:
    """Yield the server's side: accepts jobs and runs none."""
    settings = JobSettings(workers=0, poll=0.05, lease=LEASE)
    opened = Jobs.open(
        workers.database,
        workers.storage,
        registry=registry,
        settings=settings,
        dispatch=CeleryDispatch(make_app(redis_url)),
    )
    opened.start()
    yield opened
    opened.drain(0)
    opened.close()


def test_jobs_are_run_while_workers_are_killed(workers: Fleet, jobs: Jobs, tmp_path: Path) -> None:
    log = tmp_path / "log"
    accepted = {number: jobs.submit(request(number, log)).id for number in range(16)}
    running = [workers.start(), workers.start(), workers.start()]
    for _ in range(2):
        victim = stopped_at_work(running, jobs)
        victim.kill()
        victim.wait()
        running.remove(victim)
    for job_id in accepted.values():
        assert jobs.wait(job_id, 120).state.ended, workers.said()
    assert check(jobs, accepted, log) >= 1
    running[0].terminate()
    assert running[0].wait(30) == 0, workers.said()


def test_a_running_job_is_cancelled_and_a_worker_that_ends_gives_its_job_back(
    workers: Fleet, jobs: Jobs, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    first = workers.start("--drain", "0")
    job = jobs.submit(JobRequest(graphs.held(gate, log)))
    eventually(log.exists, 60)
    jobs.cancel(job.id)
    assert jobs.wait(job.id, 30).state is JobState.CANCELLED

    moved = jobs.submit(JobRequest(graphs.held(gate, log), client="another"))
    eventually(lambda: log.read_text().count("holding") == 2)
    first.terminate()
    assert first.wait(30) == 0, workers.said()
    assert jobs.get(moved.id).state is JobState.QUEUED
    gate.touch()
    workers.start()
    ended = jobs.wait(moved.id, 60)
    assert (ended.state, ended.attempts) == (JobState.DONE, 2)
    assert jobs.results(moved.id) == {"text": "held"}
    assert [
        event.data.get("reason") for event in jobs.events(moved.id) if event.name == "job_requeued"
    ] == ["released"]


def test_a_broker_that_forgets_everything_costs_no_job(
    workers: Fleet, jobs: Jobs, redis_url: str
) -> None:
    import redis

    accepted = [
        jobs.submit(JobRequest(graphs.words(), {"word": str(number)})).id for number in range(5)
    ]
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen(f"{KEY_PREFIX}{DEFAULT_QUEUE}") == 5
        client.flushall()
    workers.start()
    assert [jobs.wait(job_id, 60).state for job_id in accepted] == [JobState.DONE] * 5


def test_jobs_go_to_the_queue_of_their_model_while_somebody_holds_it(
    jobs: Jobs, redis_url: str
) -> None:
    import redis

    holder = Workers(jobs.queue.database, lease=LEASE, models=lambda: ["owner/held"])
    holder.announce()
    for model in ("owner/held", "owner/other"):
        jobs.submit(JobRequest(graphs.workflow(text=Paint(model=model)), {}, client="c"))
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen(KEY_PREFIX + model_queue("owner/held")) == 1
        assert client.llen(KEY_PREFIX + DEFAULT_QUEUE) == 1
    assert {name: len(ids) for name, ids in jobs.queue.waiting_by_queue().items()} == {
        model_queue("owner/held"): 1,
        DEFAULT_QUEUE: 1,
    }
    holder.leave()
    eventually(lambda: list(jobs.queue.waiting_by_queue()) == [DEFAULT_QUEUE], 20)


def test_a_worker_that_has_loaded_a_model_gets_the_jobs_that_need_it(
    workers: Fleet, jobs: Jobs
) -> None:
    """
    Two workers, and a model that ships.

    The second job goes to the one that loaded it for the first, though both are idle.
    """
    workflow = WorkflowDocument.load(ROOT / "graphs" / "image_to_image.json")
    given = {"model": {"repo_id": MODEL}, "image_to_image.keep_size": "no"}
    request = JobRequest(workflow, given, base=ROOT / "graphs")
    workers.start()
    workers.start()
    first = jobs.wait(jobs.submit(request).id, 120)
    assert first.state is JobState.DONE, (first.problems, workers.said())
    assert first.model == MODEL
    eventually(lambda: jobs.workers.holders().get(MODEL) == [first.worker])
    for seed in range(2):
        again = jobs.submit(
            replace(request, inputs={**request.inputs, "image_to_image.seed": seed})
        )
        assert [name for name, ids in jobs.queue.waiting_by_queue().items() if again.id in ids] in (
            [model_queue(MODEL)],
            [],
        )
        done = jobs.wait(again.id, 60)
        assert (done.state, done.worker) == (JobState.DONE, first.worker), (
            done.problems,
            workers.said(),
        )
