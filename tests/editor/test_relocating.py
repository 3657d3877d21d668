"""Paths in workflows that are saved, moved or pasted into another folder."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from nodetool_core import Registry
from nodetool_core.relocating import relocated_file, relocations
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur

IMAGE_INPUT = "nodetool.input.ImageInput"
WORKFLOW_NODE = "nodetool.workflows.workflow_node.WorkflowNode"


def photo(uri: Any) -> dict[str, Any]:
    return {"id": "photo", "type": IMAGE_INPUT, "data": {"name": "p", "value": uri}}


def as_image(uri: str) -> dict[str, Any]:
    return {"type": "image", "uri": uri, "metadata": {"kept": True}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for name in ("photo.png", "a/deep/near.png", "b/other.png", "look.cube"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("uri", "after"),
    [
        ("photo.png", "../../photo.png"),
        ("./a/deep/near.png", "near.png"),
        ("b/other.png", "../../b/other.png"),
        ("b", "../../b"),
        ("missing.png", "missing.png"),
        ("/etc/hostname", "/etc/hostname"),
        ("~/photo.png", "~/photo.png"),
        ("https://example.org/photo.png", "https://example.org/photo.png"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
        ("asset:photo.png", "asset:photo.png"),
        ("file:///etc/hostname", "file:///etc/hostname"),
        ("x" * 9000, "x" * 9000),
        ("a\0b", "a\0b"),
        ("", ""),
    ],
)
def test_a_relative_path_leads_to_the_same_file(folder: Path, uri: str, after: str) -> None:
    found = relocations([photo(as_image(uri))], Registry.installed(), folder, folder / "a" / "deep")
    assert [one.value for one in found] == ([] if uri == after else [after])
    for node, place, value in found:
        assert (node, place) == (0, ("data", "value", "uri"))
        again = relocations(
            [photo(as_image(value))], Registry.installed(), folder / "a" / "deep", folder
        )
        assert [one.value for one in again] == [uri.removeprefix("./")]


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (photo("photo.png"), ("data", "value")),
        (
            {"type": "nodetool.input.ImageListInput", "data": {"value": ["x", "photo.png"]}},
            ("data", "value", 1),
        ),
        ({"type": "nodetool.image.LoadImageFile", "data": {"path": "photo.png"}}, ("data", "path")),
        ({"type": "lib.pillow.color_grading.ApplyLut", "data": {"path": "look.cube"}},
         ("data", "path")),
        ({"type": WORKFLOW_NODE, "data": {"path": "photo.png"}}, ("data", "path")),
        (
            {"type": WORKFLOW_NODE, "dynamic_properties": {"p": as_image("photo.png")}},
            ("dynamic_properties", "p", "uri"),
        ),
        (
            {
                "type": WORKFLOW_NODE,
                "data": {"workflow_json": {"graph": {"nodes": [photo("photo.png")]}}},
            },
            ("data", "workflow_json", "graph", "nodes", 0, "data", "value"),
        ),
        ({"type": "unknown.Node", "data": {"x": [as_image("photo.png")]}}, ("data", "x", 0, "uri")),
        # Texts, and names of what is written, are no paths.
        ({"type": "nodetool.input.StringInput", "data": {"value": "photo.png"}}, None),
        ({"type": "nodetool.image.SaveImageFile", "data": {"filename": "photo.png"}}, None),
        ({"type": "unknown.Node", "data": {"path": "photo.png"}}, None),
        ({"type": IMAGE_INPUT, "data": None}, None),
        ("no record", None),
    ],
)  # fmt: skip
def test_what_is_a_path(folder: Path, record: Any, place: tuple[Any, ...] | None) -> None:
    found = relocations([record], Registry.installed(), folder, folder / "b")
    assert [one.place for one in found] == ([] if place is None else [place])


def test_a_file_that_is_no_workflow_stays_as_it_is(folder: Path) -> None:
    for text in (b"no json", b"\xff", b'{"photo": "photo.png"}', b'{"graph": {"nodes": []}}'):
        assert relocated_file(text, Registry.installed(), folder, folder / "b") == text


def test_a_moved_workflow_finds_its_images(owner: httpx2.Client, editor: LiveEditor) -> None:
    """So do its versions and its draft."""
    owner.delete("/v1/workflows/before")
    for radius in (1.0, 2.0):
        etag = owner.get("/v1/workflows/before/document").headers.get("etag")
        headers = {"If-Match": etag} if etag else {}
        answer = owner.put(
            "/v1/workflows/before/document", json=blur(radius).to_json(), headers=headers
        )
        assert answer.status_code == 200
    draft = {"document": blur(3.0).to_json(), "etag": ""}
    assert owner.put("/v1/workflows/before/draft", json=draft).status_code == 204
    answer = owner.post("/v1/workflows/before/move", json={"to": "deep/er/after"})
    assert answer.status_code == 200
    document = owner.get("/v1/workflows/deep/er/after/document")
    assert document.headers["etag"] == answer.json()["etag"]
    (version,) = owner.get("/v1/workflows/deep/er/after/versions").json()["versions"]
    kept = owner.get(f"/v1/workflows/deep/er/after/versions/{version['id']}").json()
    drafted = owner.get("/v1/workflows/deep/er/after/draft").json()["document"]
    for content, radius in ((document.json(), 2.0), (kept, 1.0), (drafted, 3.0)):
        first, second, *_ = content["graph"]["nodes"]
        assert first["data"]["value"]["uri"] == "../../photo.png"
        assert second["data"]["radius"] == radius
    shown = owner.get("/v1/workflows/deep/er/after/files?path=../../photo.png&side=32")
    assert shown.status_code == 200
    with Image.open(BytesIO(shown.content)) as image:
        assert image.size == (32, 21)
    outside = owner.get("/v1/workflows/deep/er/after/files?path=../../../secret.png")
    assert outside.status_code == 404
    body = {"document": document.json(), "name": "deep/er/after"}
    assert owner.post("/v1/check", json=body).json()["problems"] == []
    back = owner.post("/v1/workflows/deep/er/after/move", json={"to": "before"})
    assert back.status_code == 200
    text = (editor.graphs / "before.json").read_text("utf-8")
    assert json.loads(text).items() >= blur(2.0).to_json().items()


def test_paths_of_nodes_are_named_by_their_places(owner: httpx2.Client) -> None:
    body = {"nodes": [photo(as_image("photo.png"))], "before": "", "after": "deep/x"}
    (change,) = owner.post("/v1/relocate", json=body).json()["changes"]
    assert change == {"node": 0, "place": ["data", "value", "uri"], "value": "../photo.png"}
    assert owner.post("/v1/relocate", json=body | {"after": "../x"}).status_code == 422
