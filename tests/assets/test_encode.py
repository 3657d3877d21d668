from __future__ import annotations

import errno
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nodetool_core import ImageData
from nodetool_core.assets.decode import decode_file
from nodetool_core.assets.encode import (
    SUFFIXES,
    encode_image,
    format_of,
    read_provenance,
    save_image,
)
from nodetool_core.errors import ImageError
from tests.assets.images import difference, encoded, scene

PROVENANCE: dict[str, Any] = {
    "workflow": {"graph": {"nodes": [{"id": "ä…日本"}]}},
    "seeds": {"node": 7},
}
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_image_is_read_again_as_it_was_written(suffix: str, tmp_path: Path) -> None:
    path = save_image(scene(), tmp_path / f"image{suffix}")
    image = decode_file(path)
    assert image.format == SUFFIXES[suffix]
    assert difference(image.convert("RGB"), scene()) < (
        0.01 if suffix in (".png", ".tif", ".tiff", ".bmp") else 10
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp", ".gif"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_goes_into_every_format(mode: str, suffix: str, tmp_path: Path) -> None:
    assert decode_file(save_image(Image.new(mode, (4, 3)), tmp_path / f"a{suffix}")).size == (4, 3)


def test_what_a_format_can_not_hold(tmp_path: Path) -> None:
    hidden = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert decode_file(save_image(hidden, tmp_path / "a.jpg")).getpixel((0, 0)) == (255, 255, 255)
    assert decode_file(save_image(hidden, tmp_path / "a.png")).getpixel((0, 0)) == (0, 0, 0, 0)
    deep = Image.fromarray(np.full((4, 4), 32_896, np.uint16))
    assert decode_file(save_image(deep, tmp_path / "b.png")).getpixel((0, 0)) == 32_896
    grey = decode_file(save_image(deep, tmp_path / "b.jpg"))
    assert grey.mode == "L" and abs(int(grey.getpixel((0, 0))) - 128) <= 1  # type: ignore[arg-type]


def test_a_profile_that_no_longer_fits_is_dropped() -> None:
    from PIL import ImageCms

    image = scene()
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert "icc_profile" in Image.open(BytesIO(encode_image(image, "PNG"))).info
    assert "icc_profile" in Image.open(BytesIO(encode_image(image.convert("RGBA"), "JPEG"))).info
    assert "icc_profile" not in Image.open(BytesIO(encode_image(image.convert("L"), "PNG"))).info


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tiff", ".tif", ".gif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_provenance_is_read_again(suffix: str, mode: str, tmp_path: Path) -> None:
    path = save_image(scene().convert(mode), tmp_path / f"a{suffix}", provenance=PROVENANCE)
    assert read_provenance(path) == PROVENANCE
    assert read_provenance(save_image(decode_file(path), tmp_path / f"b{suffix}")) is None, (
        "another image has another origin"
    )


def test_a_long_provenance(tmp_path: Path) -> None:
    long = PROVENANCE | {"workflow": ["node"] * 300_000}
    for suffix in (".png", ".webp", ".tiff"):
        assert (
            read_provenance(save_image(scene(), tmp_path / f"a{suffix}", provenance=long)) == long
        )
    shortened = read_provenance(save_image(scene(), tmp_path / "a.jpg", provenance=long))
    assert shortened == {"seeds": {"node": 7}, "left_out": ["workflow"]}


def test_other_programs_metadata_is_no_provenance(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270] = "A lake"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0holiday"
    cases: list[tuple[str, dict[str, Any]]] = [
        (".jpg", {"exif": exif}),
        (".tiff", {"exif": exif}),
        (".gif", {"comment": b"made with love"}),
        (".bmp", {}),
    ]
    for suffix, options in cases:
        path = tmp_path / f"a{suffix}"
        path.write_bytes(encoded(scene(), SUFFIXES[suffix], **options))
        assert read_provenance(path) is None
    assert read_provenance(save_image(scene(), tmp_path / "b.bmp", provenance=PROVENANCE)) is None


def test_a_damaged_provenance_says_so(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add_text("nodetool", '{"seeds": ')
    (tmp_path / "a.png").write_bytes(encoded(scene(), pnginfo=chunks))
    with pytest.raises(ImageError, match="damaged record") as caught:
        read_provenance(tmp_path / "a.png")
    assert caught.value.problem.code == "broken_provenance"


@pytest.mark.parametrize(
    ("name", "says"),
    [("a.jpgg", "Did you mean '.jpg'?"), ("a.xyz", ".png, .jpg"), ("image", "no suffix")],
)
def test_an_unknown_suffix_names_the_known_ones(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        save_image(scene(), tmp_path / name)
    assert caught.value.problem.code == "unknown_format"
    assert says in str(caught.value) and name in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_suffixes_are_read_in_any_case() -> None:
    assert format_of("A.PNG") == "PNG" and format_of(Path("b.JPeG")) == "JPEG"


def test_a_full_disk_keeps_the_older_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_image(scene(), tmp_path / "lake.png")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageError) as caught:
        save_image(Image.new("RGB", (64, 64)), path)
    assert caught.value.problem.code == "disk_full"
    assert str(path) in str(caught.value) and "Free some space" in str(caught.value)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"lake.png": before}


@pytest.mark.parametrize("name", ["file.txt/a.png", "folder.png", "a\0b.png", "x" * 300 + ".png"])
def test_a_place_that_can_not_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError) as caught:
        save_image(scene(), tmp_path / name)
    assert caught.value.problem.code == "unwritable_file" and caught.value.problem.hint
    assert (tmp_path / "file.txt").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_size_the_format_can_not_hold() -> None:
    with pytest.raises(ImageError, match="20000 x 1") as caught:
        encode_image(Image.new("RGB", (20_000, 1)), "WEBP", where="wide.webp")
    assert (
        caught.value.problem.code == "encoding_failed" and caught.value.problem.where == "wide.webp"
    )


def test_equal_images_make_equal_files() -> None:
    for name in set(SUFFIXES.values()):
        assert encode_image(scene(), name, PROVENANCE) == encode_image(scene(), name, PROVENANCE)


def test_a_image_saves_itself_with_its_origin(tmp_path: Path) -> None:
    path = ImageData.of(scene(), PROVENANCE).save(str(tmp_path / "out" / "lake.png"))
    assert path == tmp_path / "out" / "lake.png" and read_provenance(path) == PROVENANCE
