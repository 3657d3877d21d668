from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nodes.nodetool.image import LoadImageFile, LoadImageFolder, SaveImageFile
from nodetool_core import ImageData, NodeError, Role, RunCancelled
from nodetool_core.assets.encode import read_provenance
from nodetool_core.errors import ImageError
from tests.assets.images import difference, encoded, scene
from tests.nodes.conftest import NodeRunner


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in (
        "b.png",
        "a.JPG",
        "c.webp",
        "lake_1.png",
        "deep/d.png",
        ".hidden.png",
        ".git/e.png",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(scene()))
    (folder / "notes.txt").write_text("not an image")
    return folder


def names(run_node: NodeRunner, **properties: Any) -> list[str]:
    items = run_node(LoadImageFolder(folder="photos", **properties))
    assert all(isinstance(item.image, ImageData) for item in items)
    return [Path(item.path).relative_to(run_node.base / "photos").as_posix() for item in items]


def test_a_file_is_loaded_by_its_path(run_node: NodeRunner, photos: Path) -> None:
    for path in ("photos/b.png", str(photos / "b.png")):
        assert difference(run_node(LoadImageFile(path=path)).image, scene()) == 0
    for path, says in [
        ("", "No image was given"),
        ("photos", "directory"),
        ("photos/notes.txt", "text"),
        ("photos/x.png", "does not exist"),
    ]:
        with pytest.raises(ImageError, match=says):
            run_node(LoadImageFile(path=path))


def test_a_folder_is_read_in_order(run_node: NodeRunner, photos: Path) -> None:
    assert names(run_node) == ["a.JPG", "b.png", "c.webp", "lake_1.png"]
    assert names(run_node, include_subdirectories=True) == [
        "a.JPG",
        "b.png",
        "c.webp",
        "deep/d.png",
        "lake_1.png",
    ]
    assert names(run_node, extensions=["png"]) == ["b.png", "lake_1.png"]
    assert names(run_node, pattern="lake_*") == ["lake_1.png"]
    assert run_node.reports == []


def test_a_folder_of_every_kind_of_photo_is_read_whole(run_node: NodeRunner, photos: Path) -> None:
    for name in ("scan.tif", "scan.TIFF", "phone.heic", "phone.HEIF", "new.avif", "old.bmp"):
        (photos / name).write_bytes(encoded(scene()))
    assert len(names(run_node)) == 4 + 6


def test_what_is_lost_in_a_file_is_said_with_its_name(run_node: NodeRunner, photos: Path) -> None:
    frames = [scene(), scene().transpose(Image.Transpose.ROTATE_180)]
    (photos / "two.gif").write_bytes(
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    )
    assert "two.gif" in names(run_node)
    assert run_node.warnings() == ["two.gif: The image is animated; only its first frame is used."]


def test_a_file_that_is_no_image_is_left_out_with_a_warning(
    run_node: NodeRunner, photos: Path
) -> None:
    (photos / "b.png").write_text("no image")
    assert names(run_node) == ["a.JPG", "c.webp", "lake_1.png"]
    assert len(run_node.warnings()) == 1 and "b.png" in run_node.warnings()[0]
    with pytest.raises(NodeError, match="None of the 1 files"):
        names(run_node, pattern="b.*")


def test_folders_without_images(run_node: NodeRunner, photos: Path) -> None:
    assert names(run_node, pattern="nothing") == []
    assert "holds no file that matches" in run_node.warnings()[0]
    for folder, says in [("nowhere", "does not exist"), ("photos/b.png", "is a file")]:
        with pytest.raises(NodeError, match=says):
            run_node(LoadImageFolder(folder=folder))


def test_reading_a_folder_can_be_cancelled(run_node: NodeRunner, photos: Path) -> None:
    run_node.cancelled.set()
    with pytest.raises(RunCancelled):
        names(run_node)


def test_a_image_is_saved_and_passed_on(run_node: NodeRunner, tmp_path: Path) -> None:
    image = ImageData.of(scene(), {"seeds": {"a": 1}})
    saved = run_node(SaveImageFile(image=image, folder="out/new", filename="lake.png"))
    assert saved.output is image and saved.path == str(tmp_path / "out/new/lake.png")
    written = tmp_path / "out/new/lake.png"
    assert read_provenance(written) == {"seeds": {"a": 1}}
    assert difference(run_node(LoadImageFile(path=str(written))).image, scene()) == 0
    assert SaveImageFile.role is Role.SINK and not SaveImageFile.cacheable


def test_an_existing_file_is_replaced_only_on_request(run_node: NodeRunner, tmp_path: Path) -> None:
    for _ in range(3):
        run_node(SaveImageFile(image=ImageData.of(scene()), filename="lake.png"))
    run_node(SaveImageFile(image=ImageData.of(scene(8, 8)), filename="lake.png", overwrite=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lake-2.png",
        "lake-3.png",
        "lake.png",
    ]
    assert run_node(LoadImageFile(path="lake.png")).image.size == (8, 8)


def test_names_take_the_time(run_node: NodeRunner, tmp_path: Path) -> None:
    run_node(SaveImageFile(image=ImageData.of(scene()), filename="shot %Y-%m"))
    run_node(SaveImageFile(image=ImageData.of(scene())))
    found = sorted(path.name for path in tmp_path.iterdir())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.png", found[0])
    assert re.fullmatch(r"shot \d{4}-\d\d\.png", found[1])


@pytest.mark.parametrize("name", ["", "..", "../escaped.png", "a/b.png", "a\\b.png"])
def test_a_name_never_leaves_the_folder(name: str, run_node: NodeRunner, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="no name of a file"):
        run_node(SaveImageFile(image=ImageData.of(scene()), filename=name))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"filename": "a.xyz"}, "unknown_format"),
        ({"folder": "file.txt", "filename": "a.png"}, "unwritable_file"),
    ],
)
def test_what_can_not_be_saved(
    properties: dict[str, str], code: str, run_node: NodeRunner, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").write_text("kept")
    for overwrite in (True, False):
        with pytest.raises(ImageError) as caught:
            run_node(SaveImageFile(image=ImageData.of(scene()), overwrite=overwrite, **properties))
        assert caught.value.problem.code == code
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_full_disk_damages_nothing(
    run_node: NodeRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_node(SaveImageFile(image=ImageData.of(scene()), filename="lake.png"))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for overwrite in (True, False):
        with pytest.raises(ImageError, match="Free some space"):
            run_node(
                SaveImageFile(
                    image=ImageData.of(scene(8, 8)), filename="lake.png", overwrite=overwrite
                )
            )
    assert [path.name for path in tmp_path.iterdir()] == ["lake.png"]
    assert run_node(LoadImageFile(path="lake.png")).image.size == (40, 24)


@pytest.mark.parametrize(
    ("name", "loses"), [("a.png", False), ("a.tiff", False), ("a.jpg", True), ("a.webp", True)]
)
def test_i13_bits_are_not_lost_without_a_word(name: str, loses: bool, run_node: NodeRunner) -> None:
    deep = ImageData.of(Image.fromarray(np.full((4, 4), 40_000, np.uint16)))
    run_node(SaveImageFile(image=deep, filename=name))
    assert len(run_node.warnings()) == loses
