"""The owner's folder: what is listed of it, what is read of it, and how often."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.datastructures import Headers

from nodetool_core import Registry
from nodetool_core.editor.sessions import COOKIE, Sessions
from nodetool_core.server import catalog
from nodetool_core.server.catalog import Catalog
from nodetool_core.workflow import WorkflowDocument
from tests.editor.conftest import LiveEditor
from tests.editor.documents import BLUR, blur


def test_folders_and_files_are_listed(
    editor: LiveEditor, owner: httpx2.Client, tmp_path: Path
) -> None:
    (editor.graphs / "sub" / "deep").mkdir(parents=True)
    (editor.graphs / ".hidden").mkdir()
    (editor.graphs / "sub" / "out").symlink_to(tmp_path)
    (editor.graphs / "sub" / "gone").symlink_to(tmp_path / "nowhere")
    top = owner.get("/v1/places").json()
    assert (top["path"], top["parent"], top["left_out"]) == ("", None, 0)
    assert "sub" in top["folders"] and ".hidden" not in top["folders"]
    assert {"blur.json", "photo.png"} <= {one["name"] for one in top["files"]}
    inside = owner.get("/v1/places?path=sub").json()
    assert (inside["parent"], inside["files"]) == ("", [])
    assert owner.get("/v1/places?path=sub/deep").json()["parent"] == "sub"
    for outside in ("..", "sub/out", "/", "blur.json", "none", "a\0b", "sub/../.."):
        answer = owner.get("/v1/places", params={"path": outside})
        assert answer.status_code == 404, outside


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read as workflows from now on."""
    found: list[str] = []
    load = WorkflowDocument.load

    def counted(path: Any) -> WorkflowDocument:
        found.append(Path(path).name)
        return load(path)

    monkeypatch.setattr(WorkflowDocument, "load", counted)
    return found


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, reads: list[str]) -> None:
    for number in range(40):
        (tmp_path / f"data{number}.json").write_text('{"name": "no workflow"}')
    (tmp_path / "blur.json").write_bytes(BLUR.to_bytes())
    found = Catalog(Registry.installed(), tmp_path)
    assert len(reads) == 41
    reads.clear()
    version = found.version
    found.refresh()
    assert (reads, found.version) == ([], version)
    (tmp_path / "blur.json").write_bytes(blur(12.5).to_bytes())
    (tmp_path / "data1.json").unlink()
    found.refresh()
    assert reads == ["blur.json"]
    assert found.changed_since(version) == ["blur", "data1"]


def test_a_folder_is_looked_at_within_bounds(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_MOST_FILES", 10)
    monkeypatch.setattr(catalog, "_LARGEST", 100_000)
    for name in ("node_modules/a", ".git", "site-packages"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "package.json").write_text("{}")
    (tmp_path / "a.json").write_text(json.dumps({"data": "x" * 200_000}))
    for number in range(30):
        (tmp_path / f"b{number:02}.json").write_text("{}")
    found = Catalog(Registry.installed(), tmp_path)
    assert "package.json" not in reads and "a.json" not in reads
    assert len(found.problems) == 10


def test_the_stream_says_that_a_file_has_changed(editor: LiveEditor, owner: httpx2.Client) -> None:
    with owner.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        (editor.graphs / "elsewhere.json").write_bytes(blur(3.5).to_bytes())
        names = next(
            json.loads(line[6:])["names"]
            for line in lines
            if line.startswith("data: ") and "workflows_changed" in line
        )
    assert names == ["elsewhere"]


def test_an_owners_session_outlives_the_program(tmp_path: Path) -> None:
    kept = tmp_path / "data" / "sessions.json"
    first = Sessions(is_required=True, kept=kept)
    cookie = first.open(key=first.new_key())
    assert cookie is not None
    assert cookie not in kept.read_text("utf-8"), "digests alone are on disk"
    assert kept.stat().st_mode & 0o077 == 0
    headers = Headers({"cookie": f"{COOKIE}={cookie}"})
    assert Sessions(kept=kept).client(headers) == "owner"
    Sessions(kept=kept).close(headers)
    assert Sessions(kept=kept).client(headers) is None
    kept.write_text("broken")
    assert Sessions(kept=kept).client(headers) is None
