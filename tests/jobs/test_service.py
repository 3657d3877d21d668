"""Jobs from submission to results, run by threads of this process."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodes.nodetool.input import ImageInput, StringInput
from nodes.nodetool.output import Output
from nodes.nodetool.text import ParseJSON
from nodetool_core import ImageRef, Workflow
from nodetool_core.assets.provenance import read_provenance
from nodetool_core.errors import WorkflowError
from nodetool_core.jobs.job import (
    JobOptions,
    JobRequest,
    JobsError,
    JobState,
    StoredEvent,
    StoredFile,
)
from nodetool_core.jobs.service import Jobs
from nodetool_core.jobs.storage import DirectoryStorage
from nodetool_core.registry import Registry
from tests.jobs import graphs
from tests.jobs.conftest import QUICK, MakeJobs
from tests.jobs.pack.work import Break, Darken, Hold, Lucky, Odd, Refuse, Steps, Work
from tests.waiting import eventually

WAIT = 30.0


def png(colour: str = "white", size: tuple[int, int] = (6, 4)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def data_uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def names(events: list[StoredEvent]) -> list[str]:
    return [event.name for event in events]


def ended(jobs: Jobs, request: JobRequest, state: JobState = JobState.DONE) -> Any:
    job = jobs.wait(jobs.submit(request).id, WAIT)
    assert job.state is state, job.problems
    return job


def test_a_job_gives_what_the_workflow_gives(jobs: Jobs) -> None:
    job = ended(jobs, JobRequest(graphs.words(), {"word": "snow"}, client="ann"))
    assert jobs.results(job.id) == {"text": "snow"}
    assert (job.client, job.attempts, job.problems) == ("ann", 1, ())
    assert job.created <= job.started <= job.ended
    assert job.report["computed"] >= 1


def test_a_workflow_is_found_by_its_name_and_kept_as_it_was(
    make_jobs: MakeJobs, registry: Registry, tmp_path: Path
) -> None:
    served = {"words": Workflow.from_document(graphs.words(), registry)}
    jobs = make_jobs(find=served.get)
    job = jobs.submit(JobRequest("words", {"word": "early"}))
    served["words"] = Workflow.from_document(graphs.chain(1, tmp_path / "log"), registry)
    jobs.start()
    assert jobs.wait(job.id, WAIT).workflow == "words"
    assert jobs.results(job.id) == {"text": "early"}
    with pytest.raises(JobsError) as caught:
        jobs.submit(JobRequest("wrods"))
    assert caught.value.problem.code == "unknown_workflow"


def test_images_come_in_by_upload_and_inline_and_go_out_as_files(jobs: Jobs) -> None:
    workflow = graphs.workflow(dark=Darken(image=ImageInput(name="photo").output))
    uploaded = jobs.put(png("white"))
    assert (uploaded.media_type, uploaded.width, uploaded.height) == ("image/png", 6, 4)
    for photo in (
        uploaded.to_json(),
        f"asset:{uploaded.digest}",
        data_uri(png("white")),
        {"type": "image", "data": base64.b64encode(png("white")).decode()},
    ):
        job = ended(jobs, JobRequest(workflow, {"photo": photo}))
        found = jobs.results(job.id)["dark"]
        assert isinstance(found, StoredFile)
        image = Image.open(BytesIO(jobs.read(found.digest)))
        assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (6, 4), 127)
        assert isinstance(jobs.storage, DirectoryStorage)
        assert read_provenance(jobs.storage.path(found.digest)) is not None
    jpeg = ended(
        jobs,
        JobRequest(
            workflow,
            {"photo": uploaded.to_json()},
            options=JobOptions(image_format="JPEG", provenance=False),
        ),
    )
    assert jobs.results(jpeg.id)["dark"].media_type == "image/jpeg"


LOOKS_LIKE_A_FILE = [
    {
        "type": "image",
        "asset_id": "a" * 64,
        "metadata": {"media_type": "image/png", "size": 1, "colour": "red"},
    },
    {"type": "asset", "asset_id": 5, "metadata": {"media_type": "a", "size": 1}},
    {"type": "image", "asset_id": "a" * 64, "metadata": {"media_type": 5, "size": 1}},
    {"type": "image", "asset_id": "a" * 64, "metadata": "media_type and size"},
    {"asset_id": "a" * 64, "metadata": {"media_type": "image/png", "size": 1}},
    {"metadata": {"media_type": "image/png"}},
]


def test_a_result_that_only_looks_like_a_file_stays_what_it_is(jobs: Jobs) -> None:
    workflow = graphs.workflow(value=ParseJSON(text=StringInput(name="text").output))
    for value in (*LOOKS_LIKE_A_FILE, LOOKS_LIKE_A_FILE):
        job = ended(jobs, JobRequest(workflow, {"text": json.dumps(value)}))
        assert jobs.results(job.id) == {"value": value}
    file = StoredFile("a" * 64, "image/png", 3, 4, 5)
    assert StoredFile.from_json(json.loads(json.dumps(file.to_json()))) == file


def test_what_is_put_can_be_given_back_however_it_is_named(jobs: Jobs) -> None:
    """And stays as long as the job that names it."""
    workflow = graphs.workflow(dark=Darken(image=ImageInput(name="photo").output))
    uploaded = jobs.put(png("white"))
    assert ImageRef.model_validate(uploaded.to_json()).stored_as == uploaded.digest
    for photo in (
        uploaded.to_json(),
        f"asset:{uploaded.digest}",
        f"ASSET://{uploaded.digest}",
        {"type": "image", "uri": f"asset:{uploaded.digest}"},
    ):
        job = ended(jobs, JobRequest(workflow, {"photo": photo}))
        made = jobs.results(job.id)["dark"]
        assert uploaded.digest in jobs.queue.spec_of(job.id)[0].files
        assert ended(jobs, JobRequest(workflow, {"photo": made.to_json()})).state is JobState.DONE


def test_a_image_that_goes_through_unchanged_is_a_stored_file_too(
    jobs: Jobs, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(png("red"))
    workflow = Workflow(
        Output(name="same", value=ImageInput(name="photo", value="photo.png").output)
    ).document
    job = ended(jobs, JobRequest(workflow, base=tmp_path))
    found = jobs.results(job.id)["same"]
    assert Image.open(BytesIO(jobs.read(found.digest))).convert("RGB").getpixel((0, 0)) == (
        255,
        0,
        0,
    )


def test_what_is_wrong_is_said_before_the_job_is_accepted(jobs: Jobs) -> None:
    for inputs, place in [
        ({"wrod": "x"}, "wrod"),
        ({"word": 3}, "word"),
        ({"word": object()}, "inputs"),
        ({"word": float("nan")}, "inputs"),
    ]:
        with pytest.raises(WorkflowError) as caught:
            jobs.submit(JobRequest(graphs.words(), inputs))
        assert caught.value.problem.where == place
    with pytest.raises(WorkflowError):
        jobs.submit(
            JobRequest({"graph": {"nodes": [{"id": "a", "type": "no.such.Node"}], "edges": []}})
        )
    with pytest.raises(JobsError) as refused:
        jobs.submit(
            JobRequest(
                Workflow(Output(name="same", value=ImageInput(name="photo").output)).document,
                {"photo": {"asset_id": "0" * 64}},
            )
        )
    assert refused.value.problem.code == "unknown_file"
    assert jobs.list() == []


def test_events_are_numbered_stored_and_end_with_the_job(jobs: Jobs) -> None:
    job = jobs.submit(JobRequest(graphs.workflow(count=Steps(count=500))))
    live = list(jobs.events(job.id))
    assert [event.number for event in live] == list(range(1, len(live) + 1))
    assert names(live)[:3] == ["job_queued", "job_started", "run_started"]
    assert names(live)[-1] == "job_ended" and live[-1].data["state"] == "done"
    assert {"node_finished", "output_ready", "run_finished"} <= set(names(live))
    assert list(jobs.events(job.id)) == live
    assert list(jobs.events(job.id, after=4)) == live[4:]
    progress = [event.data["step"] for event in live if event.name == "node_progress"]
    assert len(progress) < 250 and progress == sorted(progress)


def test_events_and_waiting_inside_an_event_loop(jobs: Jobs, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"

    async def follow() -> list[str]:
        job = jobs.submit(JobRequest(graphs.held(gate, log)))
        seen = []
        async for event in jobs.events_async(job.id):
            seen.append(event.name)
            if event.name == "node_started" and event.data["node_id"] == "hold":
                assert not (await jobs.wait_async(job.id, 0.01)).state.ended
                gate.touch()
        assert (await jobs.wait_async(job.id)).state is JobState.DONE
        return seen

    seen = asyncio.run(follow())
    assert seen[0] == "job_queued" and seen[-1] == "job_ended"


def test_a_running_job_is_cancelled_and_a_waiting_one_never_begins(
    make_jobs: MakeJobs, tmp_path: Path
) -> None:
    jobs = make_jobs(replace(QUICK, workers=1))
    jobs.start()
    running = jobs.submit(JobRequest(graphs.held(tmp_path / "gate", tmp_path / "log")))
    waiting = jobs.submit(JobRequest(graphs.held(tmp_path / "gate", tmp_path / "log")))
    eventually((tmp_path / "log").exists)
    assert jobs.cancel(waiting.id).state is JobState.CANCELLED
    assert jobs.cancel(running.id).cancel_requested
    assert jobs.wait(running.id, WAIT).state is JobState.CANCELLED
    assert (tmp_path / "log").read_text() == "holding\n"
    assert jobs.cancel(running.id).state is JobState.CANCELLED
    assert names(list(jobs.events(running.id)))[-1] == "job_ended"


def test_a_deadline_ends_a_running_job_and_a_waiting_one(
    make_jobs: MakeJobs, tmp_path: Path
) -> None:
    jobs = make_jobs(replace(QUICK, workers=1))
    jobs.start()
    request = JobRequest(
        graphs.held(tmp_path / "gate", tmp_path / "log"), deadline=time.time() + 0.5
    )
    running = jobs.submit(request)
    eventually((tmp_path / "log").exists)
    waiting = jobs.submit(request)
    for job in (running, waiting):
        found = jobs.wait(job.id, WAIT)
        assert (found.state, found.problems[0].code) == (JobState.EXPIRED, "deadline_passed")


def test_a_node_that_fails_fails_the_job_without_a_traceback(jobs: Jobs) -> None:
    refused = ended(jobs, JobRequest(graphs.workflow(text=Refuse())), JobState.FAILED)
    assert "This can't be done." in refused.problems[0].message
    broken = ended(jobs, JobRequest(graphs.workflow(text=Break())), JobState.FAILED)
    assert broken.problems
    told = str([event.data for event in jobs.events(broken.id)])
    assert "Traceback" not in told


def test_values_that_json_cannot_hold_end_the_job_all_the_same(jobs: Jobs) -> None:
    job = ended(jobs, JobRequest(graphs.workflow(odd=Odd())))
    assert jobs.results(job.id) == {
        "odd": {"number": "nan", "text": "a\x00b\ud800c", "list": ["-inf", 1.0]}
    }
    assert names(list(jobs.events(job.id)))[-1] == "job_ended"
    assert "odd" in job.report["warnings"][0]["message"]


@pytest.mark.parametrize("name", ["x" * 300, "a\nb", "a\x00b", "\ud800"])
def test_names_are_lines_of_text(jobs: Jobs, name: str) -> None:
    for request in (
        JobRequest(graphs.words(), client=name),
        JobRequest(graphs.words(), idempotency_key=name),
    ):
        with pytest.raises(JobsError) as caught:
            jobs.submit(request)
        assert caught.value.problem.code == "invalid_value"


def test_on_error_continue_keeps_what_was_finished(jobs: Jobs) -> None:
    workflow = graphs.workflow(good=Steps(count=1), bad=Refuse())
    job = ended(
        jobs, JobRequest(workflow, options=JobOptions(on_error="continue")), JobState.FAILED
    )
    assert jobs.results(job.id) == {"good": 1}


def test_a_retry_is_a_new_job_that_goes_on_where_the_old_one_was(
    jobs: Jobs, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    work = Work(
        value=StringInput(name="word", value="a").output, label="slow", log=str(log), seconds=0.05
    )
    job = jobs.submit(
        JobRequest(
            graphs.workflow(text=Hold(value=work.output, gate=str(gate), log=str(log))),
            client="ann",
            priority=3,
        )
    )
    with pytest.raises(JobsError) as caught:
        jobs.retry(job.id)
    assert caught.value.problem.code == "not_ended"
    eventually(lambda: log.exists() and "holding" in log.read_text())
    jobs.cancel(job.id)
    jobs.wait(job.id, WAIT)
    gate.touch()
    again = jobs.retry(job.id)
    assert (again.retry_of, again.client, again.priority) == (job.id, "ann", 3)
    assert jobs.wait(again.id, WAIT).state is JobState.DONE
    assert jobs.results(again.id) == {"text": "aslow;"}
    assert log.read_text().count("begin slow") == 1


def test_drawn_seeds_belong_to_the_job(jobs: Jobs) -> None:
    workflow = graphs.workflow(number=Lucky(), other=Lucky(seed=7))
    first = ended(jobs, JobRequest(workflow))
    again = ended_retry(jobs, first.id)
    other = ended(jobs, JobRequest(workflow))
    assert jobs.results(first.id) == jobs.results(again)
    assert jobs.results(first.id)["number"] >= 0 and jobs.results(first.id)["other"] == 7
    assert jobs.results(first.id)["number"] != jobs.results(other.id)["number"]


def ended_retry(jobs: Jobs, job_id: str) -> str:
    again = jobs.retry(job_id)
    assert jobs.wait(again.id, WAIT).state is JobState.DONE
    return again.id


def test_draining_lets_jobs_end_or_gives_them_back(make_jobs: MakeJobs, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    jobs = make_jobs(replace(QUICK, workers=1))
    jobs.start()
    held = jobs.submit(JobRequest(graphs.held(gate, log)))
    later = jobs.submit(JobRequest(graphs.words(), {"word": "later"}))
    eventually(log.exists)
    assert jobs.drain(0.05) is False
    assert [jobs.get(job.id).state for job in (held, later)] == [JobState.QUEUED, JobState.QUEUED]
    gate.touch()
    next_process = make_jobs()
    next_process.start()
    assert [next_process.wait(job.id, WAIT).state for job in (held, later)] == [
        JobState.DONE,
        JobState.DONE,
    ]
    assert next_process.drain(WAIT) is True
    assert [
        event.data["reason"] for event in jobs.events(held.id) if event.name == "job_requeued"
    ] == ["released"]


def test_a_worker_that_was_presumed_dead_keeps_nothing(make_jobs: MakeJobs, tmp_path: Path) -> None:
    """
    Its heart stops, another takes the job over, then it comes back: only the other's ending counts.
    """
    gate, log = tmp_path / "gate", tmp_path / "log"
    frozen = make_jobs(replace(QUICK, workers=1, lease=0.5))
    frozen.workers.announce()
    frozen.runner.start(1)
    job = frozen.submit(JobRequest(graphs.held(gate, log)))
    eventually(log.exists)
    other = make_jobs(replace(QUICK, workers=1, lease=0.5))
    other.start()
    eventually(lambda: log.read_text().count("holding") == 2)
    gate.touch()
    assert other.wait(job.id, WAIT).state is JobState.DONE
    assert frozen.heartbeat.wait_idle(WAIT)
    found = other.get(job.id)
    assert (found.state, found.attempts, found.worker) == (JobState.DONE, 2, other.workers.id)
    assert names(list(other.events(job.id))).count("job_ended") == 1


def test_many_clients_at_once(jobs: Jobs) -> None:
    results: dict[str, str] = {}

    def client(name: str) -> None:
        for number in range(5):
            job = jobs.submit(JobRequest(graphs.words(), {"word": f"{name}{number}"}, client=name))
            assert jobs.wait(job.id, WAIT).state is JobState.DONE
            results[f"{name}{number}"] = jobs.results(job.id)["text"]

    threads = [threading.Thread(target=client, args=[name]) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {
        f"{name}{number}": f"{name}{number}" for name in "abcdef" for number in range(5)
    }


def test_workers_need_an_engine(tmp_path: Path) -> None:
    jobs = Jobs.open(tmp_path / "jobs.sqlite", tmp_path / "files")
    with pytest.raises(JobsError) as caught:
        jobs.start()
    assert caught.value.problem.code == "no_engine"
    jobs.close()
