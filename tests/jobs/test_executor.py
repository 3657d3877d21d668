"""Mappings whose items are jobs, run here and by workers under Celery with a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from nodes.nodetool.input import ImageInput, IntegerInput, StringInput
from nodes.nodetool.output import Output
from nodetool_core import ImageRef, RunError, RunResult, Workflow, WorkflowError
from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.mapping import Outcome
from nodetool_core.jobs.executor import JobExecutor
from nodetool_core.jobs.job import JobOptions, JobRequest, JobSettings, JobState
from nodetool_core.jobs.service import Jobs
from nodetool_core.jobs.workers import Workers
from nodetool_core.registry import Registry
from tests.jobs.conftest import MakeJobs
from tests.jobs.pack.work import Darken, Hold, Lucky, Refuse, Work
from tests.jobs.processes import Fleet, fleet


@pytest.fixture
def workers(jobs: Jobs) -> Iterator[JobExecutor]:
    """Yield workers of this process."""
    with JobExecutor(jobs) as executor:
        yield executor


def worded(log: Path) -> Workflow:
    """Return a workflow that works on a text for a while."""
    work = Work(value=StringInput(name="word", value="").output, log=str(log))
    return Workflow(Output(name="text", value=work.output))


def refusing() -> Workflow:
    refused = Refuse(value=StringInput(name="word", value="").output)
    return Workflow(Output(name="text", value=refused.output))


def test_results_of_jobs_come_in_the_order_of_the_items(
    workers: JobExecutor, tmp_path: Path
) -> None:
    heard: list[tuple[int, Outcome]] = []
    results = worded(tmp_path / "log").map(
        ["a", "b", "c", "d"],
        executor=workers,
        on_item=lambda number, outcome: heard.append((number, outcome)),
    )
    assert [result["text"] for result in results] == ["awork;", "bwork;", "cwork;", "dwork;"]
    assert sorted(number for number, _ in heard) == [0, 1, 2, 3]
    assert all(outcome is results[number] for number, outcome in heard)
    assert "work" in results[0].ran and results[0].status == "completed"


def test_images_go_there_and_back(workers: JobExecutor, tmp_path: Path) -> None:
    Image.new("L", (4, 4), 100).save(tmp_path / "grey.png")
    photo = ImageInput(name="photo", value=ImageRef(uri="missing.png"))
    workflow = Workflow(Output(name="image", value=Darken(image=photo.output).output))
    given = [tmp_path / "grey.png", Image.new("L", (2, 2), 60)]
    images = [result["image"] for result in workflow.map(given, executor=workers)]
    assert all(isinstance(image, ImageData) for image in images)
    assert [image.image.getpixel((0, 0)) for image in images] == [50, 30]
    assert [image.image.size for image in images] == [(4, 4), (2, 2)]
    assert images[0].provenance["workflow"]["graph"]["nodes"]


def test_files_that_the_workflow_names_go_along(
    workers: JobExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job finds the image though its file is gone when it runs."""
    place = tmp_path / "own"
    place.mkdir()
    Image.new("L", (4, 4), 100).save(place / "grey.png")
    monkeypatch.chdir(place)
    count = IntegerInput(name="count", value=1)
    workflow = Workflow(
        Output(name="image", value=Darken(image=ImageRef(uri="grey.png")).output),
        Output(name="count", value=count.output),
    )
    begin = workers.starter(workflow)
    (place / "grey.png").unlink()
    result = begin({"count": 3}).future.result(30)
    assert result["count"] == 3 and result["image"].image.getpixel((0, 0)) == 50


def test_a_failed_item_names_its_node(workers: JobExecutor) -> None:
    with pytest.raises(RunError, match="This can't be done") as caught:
        refusing().map(["x"], executor=workers)
    assert caught.value.failures[0].node_id == "refuse"
    assert caught.value.__notes__ == ["Item 0 of the mapping, counted from 0."]


def test_errors_stand_in_the_place_of_their_results(workers: JobExecutor, tmp_path: Path) -> None:
    items = ["a", {"wrod": "b"}, 3]
    first, second, third = worded(tmp_path / "log").map(
        items, executor=workers, on_error="continue"
    )
    assert isinstance(first, RunResult) and first["text"] == "awork;"
    assert isinstance(second, WorkflowError) and second.problem.code == "unknown_input"
    assert isinstance(third, WorkflowError) and third.problem.code == "invalid_value"


def test_the_first_failure_cancels_what_waits(make_jobs: MakeJobs, tmp_path: Path) -> None:
    jobs = make_jobs()
    jobs.start()
    word = StringInput(name="word", value="")
    workflow = Workflow(
        Output(name="held", value=Hold(value=word.output, gate=str(tmp_path / "gate")).output),
        Output(name="refused", value=Refuse(value=word.output).output),
    )
    with JobExecutor(jobs) as workers, pytest.raises(RunError, match="This can't be done"):
        workflow.map(["a", "b", "c", "d"], executor=workers)
    assert jobs.counts()[JobState.QUEUED] == jobs.counts()[JobState.RUNNING] == 0


def test_workers_are_those_that_are_there(make_jobs: MakeJobs) -> None:
    jobs = make_jobs()
    with JobExecutor(jobs) as executor:
        assert executor.workers() == []
        jobs.start()
        assert executor.workers() == [jobs.workers.id]


def test_jobs_are_removed_when_their_results_are_here(jobs: Jobs, tmp_path: Path) -> None:
    with JobExecutor(jobs) as workers:
        worded(tmp_path / "log").map(["a", "b"], executor=workers)
        refusing().map(["x"], executor=workers, on_error="continue")
    assert not any(jobs.counts().values())


def test_a_job_that_has_ended_is_cancelled_without_a_word(jobs: Jobs, tmp_path: Path) -> None:
    """Its result is here and it is removed: whoever cancels a whole batch comes too late."""
    with JobExecutor(jobs) as workers:
        run = workers.starter(worded(tmp_path / "log"))({"word": "a"})
        assert run.wait(60)
    assert not any(jobs.counts().values())
    run.cancel()


def test_what_a_batch_that_died_has_left_is_ended(make_jobs: MakeJobs, tmp_path: Path) -> None:
    """Waiting jobs at once, running ones as if they were cancelled; others stay."""
    gate, log = tmp_path / "gate", tmp_path / "log"
    held = Hold(value=StringInput(name="word", value="").output, gate=str(gate), log=str(log))
    workflow = Workflow(Output(name="text", value=held.output))
    jobs = make_jobs(JobSettings(workers=1, poll=0.02))
    other = jobs.submit(JobRequest(workflow.document, {"word": "other"}))
    # As an executor is, without the thread that takes what has ended.
    owner = Workers(jobs.leases.database, lease=jobs.settings.lease, only_waits=True)
    owner.announce()
    options = JobOptions(owner=owner.id)
    batch = [
        jobs.submit(JobRequest(workflow.document, {"word": word}, options=options)).id
        for word in "ab"
    ]

    def sweep() -> list[str]:
        waiting = jobs.workers.waiting()
        return jobs.leases.sweep((), waiting)

    assert sweep() == []
    assert jobs.leases.claim("worker").job_id == other.id  # type: ignore[union-attr]
    assert jobs.leases.claim("worker").job_id == batch[0]  # type: ignore[union-attr]
    owner.leave()
    assert (sweep(), sweep()) == (batch, [])
    assert jobs.get(batch[0]).cancel_requested
    assert [problem.code for problem in jobs.get(batch[1]).problems] == ["job_abandoned"]
    assert jobs.get(other.id).state is JobState.RUNNING


def test_who_waits_is_no_worker(make_jobs: MakeJobs) -> None:
    """And is there until it ends, by which its jobs are known to be wanted."""
    jobs = make_jobs()
    with JobExecutor(jobs) as workers:
        assert workers.workers() == [] and len(jobs.workers.waiting()) == 1
    assert jobs.workers.waiting() == set()


def test_a_full_queue_is_waited_for(make_jobs: MakeJobs, tmp_path: Path) -> None:
    jobs = make_jobs(JobSettings(workers=1, poll=0.02, queue_limit=2))
    jobs.start()
    with JobExecutor(jobs) as workers:
        results = worded(tmp_path / "log").map(map(str, range(12)), executor=workers)
    assert [result["text"] for result in results] == [f"{number}work;" for number in range(12)]


def test_each_item_has_a_seed_of_its_own(workers: JobExecutor) -> None:
    workflow = Workflow(
        Output(name="seed", value=Lucky().output),
        Output(name="count", value=IntegerInput(name="count", value=0).output),
    )
    results = workflow.map([1, 2, 3], executor=workers)
    seeds = [result["seed"] for result in results]
    assert len(set(seeds)) == 3
    assert [result.seeds["lucky"]["seed"] for result in results] == seeds


def test_jobs_in_an_event_loop(workers: JobExecutor, tmp_path: Path) -> None:
    results = asyncio.run(worded(tmp_path / "log").amap(["a", "b"], executor=workers))
    assert [result["text"] for result in results] == ["awork;", "bwork;"]


@pytest.fixture
def two_workers(tmp_path: Path, redis_url: str) -> Iterator[Fleet]:
    with fleet(tmp_path, "--broker", redis_url) as started:
        started.start()
        started.start()
        yield started


@pytest.mark.slow
def test_a_batch_over_two_workers(
    two_workers: Fleet,
    redis_url: str,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """Both are at work, and the results in order."""
    settings = JobSettings(workers=0)
    looking = Jobs.open(
        two_workers.database, two_workers.storage, registry=registry, settings=settings
    )
    workflow = worded(tmp_path / "log")
    worked: set[str | None] = set()

    def note(number: int, outcome: Outcome) -> None:
        # The job is removed once its result has been taken.
        assert isinstance(outcome, RunResult)
        worked.add(looking.get(outcome.run_id).worker)

    with JobExecutor.open(
        two_workers.database,
        two_workers.storage,
        broker=redis_url,
        registry=registry,
        options=JobOptions(node_attempts=2),
    ) as workers:
        results = workflow.map(map(str, range(40)), executor=workers, on_item=note)
    assert [result["text"] for result in results] == [f"{number}work;" for number in range(40)]
    assert len(worked) == 2, two_workers.said()
    looking.close()
