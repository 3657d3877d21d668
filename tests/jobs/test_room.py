"""
What uploads and results may fill (V7).

A bound of bytes, a part of the disk that stays free, and what goes to make room.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodetool_core.jobs.database import Database
from nodetool_core.jobs.files import GRACE_SECONDS, Files, describe
from nodetool_core.jobs.job import JobsError, JobState
from nodetool_core.jobs.leases import Leases, Outcome
from nodetool_core.jobs.queue import JobSpec, Queue
from nodetool_core.jobs.storage import DirectoryStorage, digest_of
from tests.jobs.test_storage import Clock

KIB = 1024
LIMIT = 4 * KIB + 300
"""Room for four files, and the margin that is made free with the first one that goes."""


@dataclass
class House:
    """A storage with what belongs to it, under a clock that the test moves."""

    folder: Path
    url: str = ""
    limit: int | None = None
    spare: int = 0
    disk: int | None = None
    """Bytes that the disk has in all; that of the machine unless given."""
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.database = Database(self.url or str(self.folder / "jobs.sqlite"), clock=self.clock)
        self.storage = (
            DirectoryStorage(self.folder / "files")
            if self.disk is None
            else SmallDisk(self.folder / "files", self.disk)
        )
        self.files = Files(self.database, self.storage, limit=self.limit, spare=self.spare)
        self.queue, self.leases = (
            Queue(self.database),
            Leases(self.database, length=10**9, lost_attempts=5),
        )

    def put(self, name: str, size: int = KIB) -> str:
        """Keep a file of that many bytes, which is then old enough to go."""
        data = name.encode().ljust(size, b".")
        self.files.put([(describe(data), data)])
        self.clock.now += GRACE_SECONDS + 1
        return digest_of(data)

    def job(
        self, *digests: str, results: tuple[str, ...] = (), state: JobState = JobState.QUEUED
    ) -> str:
        """Return a job that names files, in a state."""
        job = self.queue.submit(JobSpec("", "w", "{}", "", "{}", "{}", "r", files=digests))
        if state is not JobState.QUEUED:
            claim = self.leases.claim("worker")
            assert claim is not None and claim.job_id == job.id
            if state.ended:
                assert self.leases.finish(claim, Outcome(state, files=results))
        self.clock.now += GRACE_SECONDS + 1
        return job.id

    def has(self, digest: str) -> bool:
        """Return whether a file is there, which database and storage have to agree on."""
        try:
            self.files.get(digest)
        except JobsError:
            assert not self.storage.path(digest).exists(), "bytes that nobody knows of"
            return False
        assert self.storage.read(digest)
        return True


class SmallDisk(DirectoryStorage):
    """A directory on a disk of so many bytes."""

    def __init__(self, directory: Path, size: int) -> None:
        super().__init__(directory)
        self._size = size

    def free_bytes(self) -> int:
        return self._size - sum(
            path.stat().st_size for path in self.directory.rglob("*") if path.is_file()
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, limit=LIMIT)


def test_v7_what_was_used_longest_ago_goes_first(tmp_path: Path, database_url: str) -> None:
    house = House(tmp_path, database_url, limit=LIMIT)
    one, two, three, four = (house.put(name) for name in ("one", "two", "three", "four"))
    assert house.put("one") == one, "it is used again"
    five = house.put("five")
    assert [house.has(digest) for digest in (one, two, three, four, five)] == [
        True,
        False,
        True,
        True,
        True,
    ]
    assert house.files.total_bytes() <= LIMIT
    house.database.close()


def test_v7_the_files_of_ended_jobs_go_with_their_jobs(tmp_path: Path, database_url: str) -> None:
    house = House(tmp_path, database_url, limit=LIMIT)
    shared, upload, result = (house.put(name) for name in ("shared", "upload", "result"))
    ended = house.job(shared, upload, results=(result,), state=JobState.DONE)
    waiting = house.job(shared)
    new = house.put("new", 3 * KIB)
    assert [house.has(digest) for digest in (shared, upload, result, new)] == [
        True,
        False,
        False,
        True,
    ]
    assert house.queue.get(waiting).state is JobState.QUEUED
    with pytest.raises(JobsError) as caught:
        house.queue.get(ended)
    assert caught.value.problem.code == "unknown_job"
    house.database.close()


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_v7_what_a_waiting_or_running_job_needs_never_goes(house: House, state: JobState) -> None:
    needed, other = house.put("needed", 2 * KIB), house.put("other")
    house.job(needed, state=state)
    with pytest.raises(JobsError) as caught:
        house.put("too much", 3 * KIB)
    assert caught.value.problem.code == "storage_full"
    assert house.has(needed)
    assert house.has(other), "it went in vain"
    assert house.has(house.put("fits", 2 * KIB))
    assert not house.has(other)


def test_v7_what_was_put_a_moment_ago_stays(house: House) -> None:
    fresh = [house.put(name) for name in "abcd"]
    house.clock.now -= 4 * (GRACE_SECONDS + 1)
    with pytest.raises(JobsError):
        house.put("e")
    assert all(map(house.has, fresh))


def test_v7_a_file_that_is_there_needs_no_room(house: House) -> None:
    whole = house.put("whole", 4 * KIB)
    house.job(whole)
    assert house.put("whole", 4 * KIB) == whole


def test_v7_some_of_the_disk_stays_free(tmp_path: Path) -> None:
    house = House(tmp_path, spare=2 * KIB, disk=4 * KIB)
    one, two = house.put("one"), house.put("two")
    three = house.put("three")
    assert [house.has(digest) for digest in (one, two, three)] == [False, True, True]
    with pytest.raises(JobsError) as caught:
        house.put("larger than the disk", 3 * KIB)
    assert caught.value.problem.code == "storage_full"


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "submit", "claim", "finish", "later"]),
        st.integers(0, 7),
        st.integers(1, 3),
    ),
    max_size=40,
)


@given(actions=ACTIONS)
@settings(max_examples=25, deadline=None)
def test_v7_the_bound_holds_and_jobs_have_what_they_need(
    actions: list[tuple[str, int, int]],
) -> None:
    """
    Whatever happens, there are no more bytes than the bound.

    And each file that a job which has not ended names can be read.
    """
    folder = Path(tempfile.mkdtemp())
    house, needed, claims = House(folder, limit=6 * KIB), dict[str, str](), []
    try:
        for action, number, size in actions:
            digest = digest_of(f"file {number}".encode().ljust(size * KIB, b"."))
            try:
                if action == "put":
                    house.put(f"file {number}", size * KIB)
                elif action == "submit":
                    job = house.queue.submit(
                        JobSpec("", "w", "{}", "", "{}", "{}", "r", files=[digest])
                    )
                    needed[job.id] = digest
                elif action == "claim" and (claim := house.leases.claim("worker")) is not None:
                    claims.append(claim)
                elif action == "finish" and claims:
                    claim = claims.pop()
                    assert house.leases.finish(claim, Outcome(JobState.DONE))
                    del needed[claim.job_id]
                elif action == "later":
                    house.clock.now += number * 20
            except JobsError as error:
                assert error.problem.code in ("storage_full", "unknown_file")
            assert house.files.total_bytes() <= 6 * KIB
            assert all(map(house.has, needed.values()))
    finally:
        house.database.close()
        shutil.rmtree(folder)
