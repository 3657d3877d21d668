"""
Jobs whose files lie in an object store.

A real server of the S3 protocol on loopback, and s3fs as the client that everybody uses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.lib.pillow.draw import Background
from nodetool_core.jobs.job import JobRequest, JobsError, JobState
from nodetool_core.jobs.service import Jobs
from nodetool_core.jobs.storage import digest_of, open_storage
from tests.jobs import graphs
from tests.jobs.processes import Fleet, fleet
from tests.server import nodes
from tests.server.live import LiveServer, opened, png

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

KEY, SECRET = "AKIAEXAMPLE", "not-to-be-told-3141592653"
BUCKET, PREFIX = "images", "of/jobs"
URL = f"s3://{BUCKET}/{PREFIX}"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Yield the address of an object store of the tests' own."""
    made = moto_server.ThreadedMotoServer(port=0, verbose=False)
    made.start()
    host, port = made.get_host_and_port()
    yield f"http://{host}:{port}"
    made.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """
    Yield an empty bucket.

    This process and those that it starts find it by the environment, as they would Amazon's.
    """
    import boto3
    from s3fs import S3FileSystem

    given = {
        "ENDPOINT_URL": server,
        "ACCESS_KEY_ID": KEY,
        "SECRET_ACCESS_KEY": SECRET,
        "DEFAULT_REGION": "us-east-1",
        "MAX_ATTEMPTS": "1",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    S3FileSystem.clear_instance_cache()
    made = boto3.resource("s3").create_bucket(Bucket=BUCKET)
    yield made
    made.objects.all().delete()
    made.delete()


@pytest.fixture
def workers(tmp_path: Path, bucket: Any) -> Iterator[Fleet]:
    with fleet(tmp_path, storage=URL) as started:
        started.start()
        yield started


def keys(bucket: Any) -> set[str]:
    return {found.key for found in bucket.objects.all()}


def place(digest: str) -> str:
    return f"{PREFIX}/{digest[:2]}/{digest[2:]}"


def test_a_worker_writes_what_the_server_reads(
    workers: Fleet, bucket: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nodetool_core")
    given = {
        "database": workers.database,
        "results": URL,
        "job_workers": 0,
        "results_seconds": 3600.0,
    }
    with (
        LiveServer(tmp_path / "server", {"resize": nodes.resize()}, **given) as live,
        live.client() as client,
    ):
        upload = client.post("/v1/uploads", content=png(40, 30)).json()
        inputs = {
            "photo": {"type": "image", "asset_id": upload["asset_id"]},
            "width": 20,
            "height": 15,
        }
        said = [client.post("/v1/workflows/resize/runs", json={"inputs": inputs, "wait": False})]
        assert said[0].status_code == 202, said[0].text
        said.append(client.get(f"/v1/jobs/{said[0].json()['id']}?wait=60"))
        done = said[1].json()
        assert done["state"] == "done", (done, workers.said())
        image = done["outputs"]["small"]
        assert opened(client.get(image["url"]).content).size == (20, 15)
        assert keys(bucket) == {place(upload["asset_id"]), place(image["asset_id"])}

        said.append(client.post(f"/v1/jobs/{done['id']}/retry"))
        said.append(client.get(f"/v1/jobs/{said[2].json()['id']}?wait=60"))
        assert said[3].json()["outputs"]["small"]["asset_id"] == image["asset_id"]
        assert len(keys(bucket)) == 2, "the same file was put again"

        jobs = live.state.jobs
        assert jobs.files.purge(keep=3600) == (0, 0)
        assert jobs.files.purge(keep=-1) == (2, 2)
        assert keys(bucket) == set()
        said.append(client.get(image["url"]))
        assert said[4].status_code == 404
    told = "\n".join([*(answer.text for answer in said), workers.said(), caplog.text])
    assert SECRET not in told and KEY not in told


def test_a_store_that_refuses_is_an_error_of_the_job_that_tells_no_secret(
    workers: Fleet, bucket: Any
) -> None:
    """
    The bucket is gone when the result is to be written, and there when the job is tried again.
    """
    jobs = Jobs.open(workers.database, URL)
    bucket.delete()
    failed = jobs.wait(
        jobs.submit(JobRequest(graphs.workflow(image=Background(width=8, height=8)))).id, 60
    )
    assert (failed.state, [problem.code for problem in failed.problems]) == (
        JobState.FAILED,
        ["storage_failed"],
    )
    with pytest.raises(JobsError) as caught:
        jobs.put(b"abc")
    told = f"{failed.problems} {caught.value} {workers.said()}"
    assert "bucket" in failed.problems[0].message and "bucket" in workers.said()
    assert SECRET not in told and KEY not in told
    bucket.create()
    again = jobs.wait(jobs.retry(failed.id).id, 60)
    assert again.state is JobState.DONE, workers.said()
    jobs.close()


def test_a_damaged_object_is_refused_and_replaced(bucket: Any) -> None:
    storage = open_storage(URL)
    digest = storage.put(b"abcdef")
    assert keys(bucket) == {place(digest)} and digest == digest_of(b"abcdef")
    bucket.put_object(Key=place(digest), Body=b"abc")
    with pytest.raises(JobsError) as caught:
        storage.read(digest)
    assert caught.value.problem.code == "damaged_file"
    storage.put(b"abcdef")
    assert storage.read(digest) == b"abcdef"
    storage.delete(digest)
    storage.delete(digest)
    assert keys(bucket) == set()
    with pytest.raises(JobsError) as gone:
        storage.read(digest)
    assert gone.value.problem.code == "unknown_file"
