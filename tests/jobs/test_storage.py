"""
Files by the hash of their content: in a directory, in other file systems, and how long they stay.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nodetool_core.jobs.database import Database
from nodetool_core.jobs.files import Files, describe
from nodetool_core.jobs.job import JobsError, JobState
from nodetool_core.jobs.leases import Leases, Outcome
from nodetool_core.jobs.queue import JobSpec, Queue
from nodetool_core.jobs.storage import Storage, digest_of, open_storage

ABSENT = "0" * 64


@pytest.fixture(params=["directory", "file URL", "memory", "fsspec on disk"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    urls = {
        "directory": str(tmp_path / "files"),
        "file URL": f"file://{tmp_path / 'files'}",
        "memory": f"memory://{secrets.token_hex(4)}",
        "fsspec on disk": f"local://{tmp_path / 'files'}",
    }
    return open_storage(urls[request.param])


def code_of(caught: pytest.ExceptionInfo[JobsError]) -> str:
    return caught.value.problem.code


def test_what_was_put_is_read_by_its_digest(storage: Storage) -> None:
    for data in (b"", b"abc", secrets.token_bytes(100_000)):
        digest = storage.put(data)
        assert digest == digest_of(data) == storage.put(data)
        assert storage.read(digest) == data


def test_what_is_gone_is_unknown_and_can_be_put_again(storage: Storage) -> None:
    digest = storage.put(b"abc")
    storage.delete(digest)
    storage.delete(digest)
    with pytest.raises(JobsError) as caught:
        storage.read(digest)
    assert code_of(caught) == "unknown_file"
    assert storage.put(b"abc") == digest
    assert storage.read(digest) == b"abc"


@pytest.mark.parametrize(
    "name", ["", "abc", "../../etc/passwd", "A" * 64, f"{ABSENT}\n", f"../{ABSENT[3:]}", ABSENT]
)
def test_what_is_no_digest_names_no_file(storage: Storage, name: str) -> None:
    with pytest.raises(JobsError) as caught:
        storage.read(name)
    assert code_of(caught) == "unknown_file"


def test_a_damaged_file_is_refused_and_one_cut_short_is_replaced(tmp_path: Path) -> None:
    for storage in (open_storage(tmp_path / "a"), open_storage(f"local://{tmp_path / 'a'}")):
        digest = storage.put(b"abcdef")
        path = tmp_path / "a" / digest[:2] / digest[2:]
        path.write_bytes(b"abc")
        with pytest.raises(JobsError) as caught:
            storage.read(digest)
        assert code_of(caught) == "damaged_file"
        storage.put(b"abcdef")
        assert storage.read(digest) == b"abcdef"


def test_a_directory_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for url in (tmp_path / "file", f"local://{tmp_path / 'file'}"):
        with pytest.raises(JobsError) as caught:
            open_storage(url).put(b"abc")
        assert code_of(caught) == "storage_failed"


def test_a_file_system_that_is_not_known_is_an_error_of_ours() -> None:
    with pytest.raises(JobsError) as caught:
        open_storage("nonsense://bucket/prefix")
    assert code_of(caught) in ("storage_failed", "missing_package")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_files_stay_while_a_job_names_them_and_go_when_nobody_does(tmp_path: Path) -> None:
    clock = Clock()
    database = Database(str(tmp_path / "jobs.sqlite"), clock=clock)
    storage = open_storage(tmp_path / "files")
    files, queue, leases = (
        Files(database, storage),
        Queue(database),
        Leases(database, length=60, lost_attempts=5),
    )

    def put(data: bytes) -> str:
        files.put([(describe(data), data)])
        return digest_of(data)

    upload, unused, result, shared = (
        put(name) for name in (b"upload", b"unused", b"result", b"shared")
    )
    early = queue.submit(JobSpec("", "w", "{}", "", "{}", "{}", "r", files=[upload]))
    claim = leases.claim("worker")
    assert claim is not None and leases.finish(
        claim, Outcome(JobState.DONE, files=[result, shared, upload])
    )
    clock.now += 50
    queue.submit(JobSpec("", "v", "{}", "", "{}", "{}", "r", files=[shared]))
    assert files.purge(keep=100) == (0, 0)

    clock.now += 60
    put(b"unused again")
    assert files.purge(keep=100) == (1, 3)
    assert files.get(shared).digest == shared and storage.read(shared) == b"shared"
    for digest in (upload, unused, result):
        with pytest.raises(JobsError):
            files.get(digest)
        with pytest.raises(JobsError):
            storage.read(digest)
    with pytest.raises(JobsError) as caught:
        queue.get(early.id)
    assert code_of(caught) == "unknown_job"
    with database.read() as connection:
        counts = {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            for table in ("events", "workflows", "job_files")
        }
    assert counts == {"events": 1, "workflows": 1, "job_files": 1}

    # Whoever puts a file again has it for as long as at first.
    assert put(b"result") == result
    clock.now += 99
    assert files.purge(keep=100)[1] == 0
    assert storage.read(result) == b"result"
    database.close()


def test_a_file_that_is_put_again_is_kept_anew(tmp_path: Path) -> None:
    clock = Clock()
    files = Files(
        Database(str(tmp_path / "jobs.sqlite"), clock=clock), open_storage(tmp_path / "files")
    )
    upload = describe(b"upload"), b"upload"
    for seconds in (0, 60, 60):
        clock.now += seconds
        assert files.purge(keep=100) == (0, 0)
        files.put([upload])
    clock.now += 101
    assert files.purge(keep=100) == (0, 1)


def test_a_file_that_is_put_while_others_are_removed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    storage = open_storage(tmp_path / "files")
    purging, putting = (
        Files(Database(str(tmp_path / "jobs.sqlite"), clock=clock), storage) for _ in range(2)
    )
    upload = describe(b"upload"), b"upload"
    putting.put([upload])
    clock.now += 200
    found = purging.database.read

    @contextmanager
    def then_put() -> Iterator[Any]:
        with found() as connection:
            yield connection
        putting.put([upload])

    monkeypatch.setattr(purging.database, "read", then_put)
    assert purging.purge(keep=100) == (0, 0)
    assert storage.read(upload[0].digest) == b"upload"
    assert putting.get(upload[0].digest) == upload[0]
