from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from nodetool_core.assets.files import atomic_write, write_new, write_problem


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.bin"
    assert atomic_write(path, b"one") == path
    atomic_write(path, b"two")
    assert contents(path.parent) == {"a.bin": b"two"}


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "a.bin", tmp_path / "link.bin"
    atomic_write(target, b"one")
    target.chmod(0o640)
    link.symlink_to(target)
    atomic_write(link, b"two")
    assert link.is_symlink() and target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_what_existed(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    atomic_write(path, b"one")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os if failing == "fsync" else Path, failing, full)
    with pytest.raises(OSError) as caught:
        atomic_write(path, b"two")
    assert contents(tmp_path) == {"a.bin": b"one"}
    problem = write_problem(path, caught.value)
    assert problem.code == "disk_full" and str(path) == problem.where and "space" in problem.hint


def test_a_really_full_disk(tmp_path: Path) -> None:
    """/dev/full answers every write with ENOSPC."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(OSError) as caught, Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")
    assert write_problem(tmp_path, caught.value).code == "disk_full"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.mkdir(), IsADirectoryError),
        (lambda path: path.parent.rmdir() or path.parent.write_bytes(b"x"), OSError),
    ],
)
def test_paths_that_can_not_be_written(make: object, kind: type[OSError], tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.bin"
    path.parent.mkdir()
    make(path)  # type: ignore[operator]
    with pytest.raises(kind) as caught:
        atomic_write(path, b"x")
    assert write_problem(path, caught.value).code == "unwritable_file"
    assert "folder" in write_problem(path, caught.value).hint


def test_a_write_protected_file_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    atomic_write(path, b"one")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError):
        atomic_write(path, b"two")
    assert contents(tmp_path) == {"a.bin": b"one"}


def test_unique_names_count_up(tmp_path: Path) -> None:
    names = [write_new(tmp_path, "lake.png", b"x").name for _ in range(3)]
    assert names == ["lake.png", "lake-2.png", "lake-3.png"]
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    assert write_new(tmp_path, "dangling.png", b"x").name == "dangling-2.png"


def test_a_link_that_leads_to_itself_can_not_be_written(tmp_path: Path) -> None:
    link = tmp_path / "a.bin"
    link.symlink_to(link)
    with pytest.raises(OSError):
        atomic_write(link, b"x")
    assert list(tmp_path.iterdir()) == [link] and link.is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="The system has no named pipes.")
@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_pipe_is_written_to_and_stays_one(name: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    # Open for both, so that neither side waits for the other.
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        atomic_write(tmp_path / name, b"content")
        assert pipe.is_fifo() and os.read(reader, 100) == b"content"
    finally:
        os.close(reader)


@pytest.mark.parametrize("has_links", [True, False])
def test_many_writers_never_share_a_name(
    has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_links:

        def link(*_: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", link)
    writers = [
        threading.Thread(target=write_new, args=(tmp_path, "a.bin", bytes([number])))
        for number in range(12 if has_links else 1)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(contents(tmp_path).values()) == [
        bytes([number]) for number in range(len(writers))
    ]
