from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodetool_core.cli.app import execute
from nodetool_core.engine.caching.tiered import default_disk_cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path))
    return tmp_path / "results"


def fill(count: int) -> None:
    cache = default_disk_cache()
    for number in range(count):
        cache.put(number.to_bytes(16, "big"), (number,))
    cache.close()


def test_info_of_no_cache_makes_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["cache", "info"]) == 0
    assert "0 results, 0 bytes" in capsys.readouterr().out and not folder.exists()


def test_info_and_clear(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(3)
    assert execute(["cache", "info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["directory"], found["entries"], found["bytes"]) == (
        str(folder),
        3,
        3 * 4096,
    ) and found["bound"] > 0
    assert execute(["cache", "info"]) == 0
    assert "3 results, 12.0 KiB" in capsys.readouterr().out
    assert execute(["cache", "clear"]) == 0
    assert "Removed 3 results" in capsys.readouterr().err
    assert execute(["cache", "clear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 0


def test_what_can_not_be_removed_is_an_error_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(1)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr("nodetool_core.engine.caching.disk_store.remove_entry", refuse)
    assert execute(["cache", "clear"]) == 1
    assert "/some/file: can't be removed" in capsys.readouterr().err
