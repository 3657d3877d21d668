"""Where the editor keeps what is not in the workflows' files."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodetool_core.editor.launch import data_directory


def test_folders_share_no_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODETOOL_DATA_DIR", str(tmp_path / "data"))
    first, second = tmp_path / "a" / "graphs", tmp_path / "b" / "graphs"
    assert data_directory(first) != data_directory(second)
    assert data_directory(first).is_relative_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert data_directory(Path("a/graphs")) == data_directory(first), "however it is written"


def test_it_is_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NODETOOL_DATA_DIR", raising=False)
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert not data_directory(tmp_path).is_relative_to(tmp_path / "cache")
