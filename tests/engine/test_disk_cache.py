from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.caching import disk_store
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.caching.disk_index import NAME
from nodetool_core.engine.caching.entry_file import entries, entry_path, write_entry
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.caching.tiered import TieredCache, cache_directory, default_disk_cache
from nodetool_core.engine.caching.write_behind import WriteBehind


def key_of(number: int) -> bytes:
    return hashlib.blake2b(b"%d" % number, digest_size=16).digest()


def numbers_in(directory: Path, up_to: int) -> set[int]:
    kept = {file.key for file in entries(directory)}
    return {number for number in range(up_to) if key_of(number) in kept}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def cache(directory: Path) -> Iterator[DiskCache]:
    cache = DiskCache(directory)
    yield cache
    cache.close()


def written(
    cache: DiskCache, number: int, values: tuple[Any, ...], seconds: float | None = None
) -> None:
    cache.put(key_of(number), values, seconds)
    assert cache.flush(30)


def test_a_result_outlives_its_cache(cache: DiskCache, directory: Path) -> None:
    image = ImageData.of(Image.linear_gradient("L"))
    written(cache, 1, (image, "ä", [1.5, None]))
    cache.close()
    other = DiskCache(directory)
    assert other.get(key_of(1)) == (image, "ä", [1.5, None])
    assert other.get(key_of(2)) is None
    assert (other.info.entries, other.info.hits, other.info.misses) == (1, 1, 1)
    other.close()


def test_a_new_result_takes_the_place_of_the_old(cache: DiskCache) -> None:
    written(cache, 1, ("one",))
    written(cache, 1, ("two" * 5000,))
    assert cache.get(key_of(1)) == ("two" * 5000,)
    assert cache.info.entries == 1 and cache.info.bytes == 16384


def test_what_waits_is_found(cache: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    inner = write_entry
    monkeypatch.setattr(
        disk_store, "write_entry", lambda *arguments: (gate.wait(30), inner(*arguments))
    )
    cache.put(key_of(1), ("value",))
    assert cache.get(key_of(1)) == ("value",)
    assert not list(entries(cache.directory))
    gate.set()
    assert cache.flush(30) and cache.get(key_of(1)) == ("value",)


# -- what is stored --------------------------------------------------------------------------------


def test_cheap_results_are_left_out_until_they_add_up(cache: DiskCache) -> None:
    for number in range(100):
        written(cache, number, (number,), 0.001)
    assert numbers_in(cache.directory, 100) == {49, 99}
    written(cache, 200, ("slow",), 0.5)
    assert cache.get(key_of(200)) == ("slow",)


def test_a_result_that_is_made_faster_than_read_is_left_out(cache: DiskCache) -> None:
    large = ImageData.of(Image.new("RGB", (3000, 3000)))
    written(cache, 1, (large,), 0.02)
    written(cache, 2, (large,), 0.5)
    assert cache.get(key_of(1)) is None and cache.get(key_of(2)) == (large,)


def test_least_seconds_of_zero_stores_everything(directory: Path) -> None:
    cache = DiskCache(directory, least_seconds=0)
    for number in range(5):
        written(cache, number, (number,), 1e-6)
    assert numbers_in(directory, 5) == set(range(5))
    cache.close()


def test_a_relative_folder_stays_where_it_was_when_the_current_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(here)
    cache = DiskCache("results", least_seconds=0)
    monkeypatch.chdir(there)
    cache.put(key_of(1), ("kept",), 9.0)
    assert cache.flush(30)
    cache.close()
    assert (here / "results").is_dir() and list(there.iterdir()) == []


def test_what_has_no_codec_stays_in_memory(cache: DiskCache) -> None:
    tiers, value = TieredCache(MemoryCache(), cache), (object(),)
    tiers.put(key_of(1), value, 9.0)
    assert tiers.flush(30) and tiers.get(key_of(1)) is value
    assert cache.get(key_of(1)) is None


def test_a_value_that_holds_itself_is_not_kept(cache: DiskCache) -> None:
    value: list[Any] = []
    value.append(value)
    tiers = TieredCache(MemoryCache(), cache)
    tiers.put(key_of(1), (value,))
    assert tiers.flush(30) and tiers.get(key_of(1)) is None


def test_what_is_written_while_the_index_is_asked_is_known(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = cache._store._index
    asked = index.news

    def news() -> Any:
        answer = asked()
        written(cache, 1, (1,))
        return answer

    monkeypatch.setattr(index, "news", news)
    assert cache.get(key_of(0)) is None
    assert cache.get(key_of(1)) == (1,)


def test_what_is_found_on_disk_is_kept_in_memory(cache: DiskCache) -> None:
    written(cache, 1, (["list"],))
    tiers = TieredCache(MemoryCache(), cache)
    first = tiers.get(key_of(1))
    assert first is not None and first == (["list"],) and tiers.get(key_of(1)) is first
    assert tiers.get(key_of(2)) is None


def test_clear_removes_every_entry_and_nothing_else(cache: DiskCache) -> None:
    for number in range(4):
        written(cache, number, (number,))
    mine = cache.directory / "ab" / "notes.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    assert cache.clear() == (4, 4 * 4096)
    assert cache.info.entries == cache.info.bytes == 0
    assert cache.get(key_of(1)) is None and mine.read_text() == "mine"
    written(cache, 1, ("new",))
    assert cache.get(key_of(1)) == ("new",)


# -- the bound -------------------------------------------------------------------------------------


def test_the_bound_is_kept_and_the_least_recently_used_goes(directory: Path) -> None:
    cache = DiskCache(directory, 10 * 4096)
    for number in range(10):
        written(cache, number, (number,))
    assert cache.get(key_of(0)) == (0,)
    for number in range(10, 15):
        written(cache, number, (number,))
        assert sum(file.size for file in entries(directory)) <= cache.bound
    kept = numbers_in(directory, 15)
    assert 0 in kept and 14 in kept and not {1, 2, 3} & kept
    assert cache.info.entries == len(kept) >= 9 and cache.info.bytes == len(kept) * 4096
    cache.close()


def test_uses_are_remembered_by_the_next_process(directory: Path) -> None:
    cache = DiskCache(directory, 4 * 4096)
    for number in range(4):
        written(cache, number, (number,))
    cache.get(key_of(0))
    cache.close()
    cache = DiskCache(directory, 4 * 4096)
    written(cache, 4, (4,))
    assert 0 in numbers_in(directory, 5)
    cache.close()


def test_a_result_larger_than_the_bound_is_not_kept_and_nothing_goes_for_it(
    directory: Path,
) -> None:
    cache = DiskCache(directory, 8192)
    written(cache, 1, ("small",))
    written(cache, 2, (os.urandom(9000),))
    assert cache.get(key_of(2)) is None and cache.get(key_of(1)) == ("small",)
    cache.close()


def test_a_full_queue_leaves_out_what_comes() -> None:
    gate, begun, done = threading.Event(), threading.Event(), []

    def work(key: bytes, job: str) -> None:
        begun.set()
        gate.wait(30)
        done.append(job)

    queue = WriteBehind[str](work, 100)
    assert queue.offer(b"1", "larger than the bound, but the queue is empty", 150)
    assert begun.wait(30)
    assert not queue.offer(b"2", "no room", 1) and queue.left_out == 1
    gate.set()
    assert queue.flush(30) and queue.offer(b"3", "room again", 90)
    assert queue.close(30) and not queue.offer(b"4", "closed", 1)
    assert done == ["larger than the bound, but the queue is empty", "room again"]


def test_a_job_that_fails_does_not_end_the_writing(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    queue = WriteBehind[int](lambda key, job: done.append(1 // job), 100)
    queue.offer(b"1", 0, 1)
    queue.offer(b"2", 1, 1)
    assert queue.close(30) and done == [1] and "ZeroDivisionError" in caplog.text


# -- damage ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[DiskCache, bytes, tuple[Any, ...]]:
    cache = DiskCache(tmp_path_factory.mktemp("sound"))
    values = (
        ImageData.of(Image.linear_gradient("L").resize((9, 9))),
        {"text": "ä" * 40},
        b"b" * 300,
    )
    written(cache, 1, values)
    return cache, entry_path(cache.directory, key_of(1)).read_bytes(), values


def damaged(sound: tuple[DiskCache, bytes, tuple[Any, ...]], content: bytes) -> None:
    cache, good, values = sound
    path = entry_path(cache.directory, key_of(1))
    write_entry(cache.directory, key_of(1), [b""])
    path.write_bytes(content)
    cache._store._known.add(key_of(1))
    assert cache.get(key_of(1)) == (values if content == good else None)
    assert path.exists() == (content == good)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_changed_bytes_are_a_miss(
    sound: tuple[DiskCache, bytes, tuple[Any, ...]], data: st.DataObject
) -> None:
    content = bytearray(sound[1])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    damaged(sound, bytes(content))


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_part_of_an_entry_or_more_than_one_is_a_miss(
    sound: tuple[DiskCache, bytes, tuple[Any, ...]], data: st.DataObject
) -> None:
    good = sound[1]
    length = data.draw(st.integers(0, len(good)))
    tail = data.draw(st.binary(max_size=20) | st.just(bytes(len(good) - length)))
    damaged(sound, good[:length] + tail)


def test_a_damaged_entry_is_named_removed_and_computed_again(
    cache: DiskCache, caplog: pytest.LogCaptureFixture
) -> None:
    written(cache, 1, ("value",))
    path = entry_path(cache.directory, key_of(1))
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.get(key_of(1)) is None
    assert key_of(1).hex() in caplog.text and not path.exists() and cache.info.entries == 0
    written(cache, 1, ("value",))
    assert cache.get(key_of(1)) == ("value",)


def test_the_entry_of_another_key_is_a_miss(cache: DiskCache) -> None:
    written(cache, 1, ("one",))
    written(cache, 2, ("two",))
    shutil.copy(entry_path(cache.directory, key_of(1)), entry_path(cache.directory, key_of(2)))
    assert cache.get(key_of(2)) is None and cache.get(key_of(1)) == ("one",)


def test_an_entry_of_a_future_version_is_a_miss(
    cache: DiskCache, caplog: pytest.LogCaptureFixture
) -> None:
    written(cache, 1, ("one",))
    path = entry_path(cache.directory, key_of(1))
    content = bytearray(path.read_bytes())
    struct.pack_into(">H", content, 17, 2)
    path.write_bytes(content)
    assert cache.get(key_of(1)) is None and "version is 2" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500, None])
def test_a_damaged_index_is_made_again_from_the_files(
    content: bytes | None, cache: DiskCache
) -> None:
    for number in range(3):
        written(cache, number, (number,))
    cache.close()
    index = cache.directory / NAME
    if content is None:
        good = index.read_bytes()
        content = good[:4096] + b"\xff" * (len(good) - 4096)
    index.write_bytes(content)
    again = DiskCache(cache.directory)
    assert [again.get(key_of(number)) for number in range(3)] == [(0,), (1,), (2,)]
    written(again, 3, (3,))
    assert again.info.entries == 4
    again.close()


def test_an_index_that_is_locked_for_long_costs_only_the_writing(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr("nodetool_core.engine.caching.disk_index.BUSY_SECONDS", 0.01)
    written(cache, 1, ("one",))
    cache.close()
    again = DiskCache(cache.directory)
    with sqlite3.connect(cache.directory / NAME, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert again.get(key_of(1)) == ("one",)
        written(again, 2, ("two",))
        written(again, 3, ("three",))
        assert again.get(key_of(2)) is None
        assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
        other.execute("ROLLBACK")
    other.close()
    again.close()


# -- a folder in trouble ---------------------------------------------------------------------------


def test_a_full_disk_is_said_once_and_leaves_nothing_half_written(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    written(cache, 1, ("one",))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for number in range(2, 5):
            written(cache, number, ("more",))
    assert len([record for record in caplog.records if "No space left" in record.message]) == 1
    assert cache.get(key_of(1)) == ("one",) and cache.get(key_of(2)) is None
    assert cache.info.entries == 1 and not list((cache.directory / "tmp").iterdir())
    monkeypatch.setattr(cache._store, "_write_again", 0.0)
    written(cache, 2, ("there is room again",))
    assert cache.get(key_of(2)) == ("there is room again",)


def test_a_really_full_disk(tmp_path: Path) -> None:
    mount = tmp_path / "full"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("can't mount a small file system here")
    cache = DiskCache(mount / "results")
    try:
        for number in range(40):
            cache._store._write_again = 0.0
            written(cache, number, (os.urandom(60_000),))
        values = [cache.get(key_of(number)) for number in range(40)]
        assert 3 <= len([value for value in values if value]) < 20
        assert all(value is None or len(value[0]) == 60_000 for value in values)
    finally:
        cache.close()
        subprocess.run(["umount", str(mount)], check=True)


def test_a_folder_that_can_not_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = DiskCache(tmp_path / "file" / "results")
    tiers = TieredCache(MemoryCache(), cache)
    tiers.put(key_of(1), ("value",))
    tiers.put(key_of(2), ("value",))
    assert tiers.flush(30) and tiers.get(key_of(1)) == ("value",) and tiers.get(key_of(3)) is None
    assert "can't be written" in caplog.text
    assert cache.info.entries == 0
    tiers.close()


READER = """
import os, sys
from pathlib import Path
from nodetool_core.engine.caching.disk import DiskCache

# Everything is imported by a first use: after the change of user, the code itself may be out of
# reach.
first = DiskCache(Path(sys.argv[3]))
first.put(b"0" * 16, ("zero",))
first.flush()
assert DiskCache(Path(sys.argv[3])).get(b"0" * 16) == ("zero",)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
cache = DiskCache(Path(sys.argv[1]))
cache.put(b"2" * 16, ("two",))
cache.flush()
print(cache.get(bytes.fromhex(sys.argv[2])), cache.get(b"2" * 16))
cache.close()
"""


def test_a_read_only_folder_is_read(cache: DiskCache, tmp_path: Path) -> None:
    written(cache, 1, ("one",))
    cache.close()
    for parent in [cache.directory, *cache.directory.parents][:5]:
        parent.chmod(0o755)
    cache.directory.chmod(0o555)
    command = [
        sys.executable,
        "-c",
        READER,
        str(cache.directory),
        key_of(1).hex(),
        str(tmp_path / "first"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    cache.directory.chmod(0o755)
    assert result.stdout == "('one',) None\n", result.stderr


def test_a_folder_that_is_deleted_meanwhile_is_made_again(cache: DiskCache) -> None:
    written(cache, 1, ("one",))
    shutil.rmtree(cache.directory)
    assert cache.get(key_of(1)) is None
    written(cache, 2, ("two",))
    assert cache.get(key_of(2)) == ("two",) and cache.info.entries == 1


def test_what_a_killed_writer_left_is_swept_after_a_while(cache: DiskCache) -> None:
    old, young = cache.directory / "tmp" / "old", cache.directory / "tmp" / "young"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (0, 0))
    written(cache, 1, (1,))
    assert not old.exists() and young.exists()


# -- processes -------------------------------------------------------------------------------------

WRITER = """
import hashlib, os, sys
from nodetool_core.engine.caching.disk import DiskCache
def key(number): return hashlib.blake2b(b"%d" % number, digest_size=16).digest()
cache = DiskCache(sys.argv[1], int(sys.argv[4]))
first, count = int(sys.argv[2]), int(sys.argv[3])
for number in range(first, first + count):
    cache.put(key(number), (number, os.urandom(500), "x" * 3000))
    if number % 5 == 0:
        cache.flush()
        print(number, flush=True)
"""


def start(directory: Path, first: int, count: int, bound: int = 1 << 40) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(directory), str(first), str(count), str(bound)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_share_a_folder(cache: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_store, "REFRESH_SECONDS", 0.0)
    assert cache.get(key_of(0)) is None
    for process in [
        start(cache.directory, 0, 40),
        start(cache.directory, 20, 40),
        start(cache.directory, 60, 20),
    ]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0 and not errors, errors
    for number in range(80):
        values = cache.get(key_of(number))
        assert values is not None and values[0] == number
    assert cache.info.entries == 80 and cache.info.bytes == 80 * 4096


def test_processes_keep_the_bound_together(directory: Path) -> None:
    bound = 20 * 4096
    processes = [start(directory, first, 60, bound) for first in (0, 100, 200)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0 and not errors, errors
    cache = DiskCache(directory, bound)
    assert sum(file.size for file in entries(directory)) == cache.info.bytes <= bound
    cache.close()


@pytest.mark.parametrize("lines", [1, 4])
def test_a_killed_process_leaves_whole_entries_only(lines: int, directory: Path) -> None:
    process = start(directory, 0, 1_000_000)
    assert process.stdout is not None
    for _ in range(lines):
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    cache = DiskCache(directory)
    for number in range(last + 1):
        values = cache.get(key_of(number))
        assert values is not None and values[0] == number, number
    later = [cache.get(key_of(number)) for number in range(last + 1, last + 200)]
    assert all(values is None or values[2] == "x" * 3000 for values in later)
    assert cache.info.entries >= last + 1
    written(cache, 0, ("still writable",))
    assert cache.get(key_of(0)) == ("still writable",)
    cache.close()


def test_what_waits_is_written_at_exit(directory: Path) -> None:
    code = WRITER.replace("cache.flush()", "pass")
    subprocess.run(
        [sys.executable, "-c", code, str(directory), "0", "12", str(1 << 40)],
        check=True,
        timeout=60,
        capture_output=True,
    )
    assert numbers_in(directory, 12) == set(range(12))


FORK = """
import os, threading
from nodetool_core.engine.caching.write_behind import WriteBehind
done, begun, gate = [], threading.Event(), threading.Event()
queue = WriteBehind(lambda key, job: (begun.set(), gate.wait(), done.append(job)), 100)
queue.offer(b"key", "job", 1)
begun.wait()
child = os.fork()
if not child:
    os._exit(queue.close(60.0))
_, status = os.waitpid(child, 0)
gate.set()
print(status, queue.close(60.0), done)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="The system has no forks.")
def test_a_fork_does_not_wait_for_what_its_parent_writes() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORK], check=True, timeout=30, capture_output=True, text=True
    )
    assert ran.stdout == "0 True ['job']\n"


# -- where it is -----------------------------------------------------------------------------------


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NODETOOL_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == tmp_path / ".cache" / "nodetool" / "results"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "nodetool" / "results"
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own" / "results"
    cache = default_disk_cache()
    assert 0 < cache.bound <= 10 * 1024**3 and not cache.directory.exists()


def test_the_share_of_a_small_disk_counts_what_the_cache_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path))
    cache = default_disk_cache()
    written(cache, 1, ("one",))
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert default_disk_cache().bound == 200_000 + 4096
    cache.close()


def test_a_cache_that_nobody_holds_any_more_writes_what_waits(cache: DiskCache) -> None:
    other = DiskCache(cache.directory)
    other.put(key_of(5), (5,))
    del other
    assert numbers_in(cache.directory, 6) == {5}


def test_what_another_process_stored_just_now_is_seen_when_asked_for(cache: DiskCache) -> None:
    reader = DiskCache(cache.directory)
    assert reader.get(key_of(7)) is None
    written(cache, 7, ("seven",))
    reader.refresh()
    assert reader.get(key_of(7)) == ("seven",)
    reader.close()
