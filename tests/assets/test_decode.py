from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from nodetool_core.assets.decode import ImageLimits, decode_bytes, decode_file
from nodetool_core.assets.profiles import srgb_profile
from nodetool_core.errors import ImageError
from tests.assets.images import difference, encoded, scene
from tests.assets.profiles import printing_colours

pillow_heif.register_heif_opener()  # for encoding the sample

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "HEIF"]
SAMPLES = {name: encoded(scene(), name) for name in FORMATS}


def code_of(caught: pytest.ExceptionInfo[ImageError]) -> str:
    problem = caught.value.problem
    assert problem.message and problem.hint
    return problem.code


@pytest.mark.parametrize("name", FORMATS)
def test_every_listed_format_is_decoded(name: str, tmp_path: Path) -> None:
    path = tmp_path / "image.any"
    path.write_bytes(SAMPLES[name])
    image = decode_file(path)
    assert (image.mode, image.size, image.format) == ("RGB", (40, 24), name)
    assert difference(image, scene()) < 12
    path.unlink()
    image.load()


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "empty_image", "empty"),
        (b"just some words\n", "not_an_image", "text"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not_an_image", "SVG"),
        (b'<?xml version="1.0"?>\n<svg/>', "not_an_image", "SVG"),
        (b"%PDF-1.7\n", "not_an_image", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not_an_image", "PostScript"),
        (b"<!DOCTYPE html><html></html>", "not_an_image", "web page"),
        (b"\x00\x00\x00\x18ftypheic", "broken_image", "damaged HEIF"),
        (b"\x00\x00\x00\x18ftypisom", "not_an_image", "video"),
        (bytes(range(256)), "not_an_image", "unknown"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "broken_image", "damaged PNG"),
    ],
)
def test_what_is_no_image_is_named(content: bytes, code: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        decode_file(path)
    assert code_of(caught) == code
    assert says in str(caught.value) and str(path) in str(caught.value)


def test_n4_an_image_whose_container_names_no_coding_is_decoded() -> None:
    """Some phones write the brand `mif1`, which AVIF files may have too."""
    sample = SAMPLES["HEIF"]
    assert sample[8:12] == b"heic"
    image = decode_bytes(sample[:8] + b"mif1" + sample[12:], "photo.heic")
    assert image.format == "HEIF" and difference(image, scene()) < 12


def test_n4_a_phone_s_image_is_upright_and_keeps_its_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = scene().copy()
    exif = turned.getexif()
    exif[0x0112] = 6
    image = decode_bytes(
        encoded(turned, "HEIF", exif=exif.tobytes(), icc_profile=profile), "photo.heic"
    )
    assert image.size == (24, 40) and image.info["icc_profile"] == profile
    assert difference(image, scene().transpose(Image.Transpose.ROTATE_270)) < 12


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_n4_without_the_extra_the_refusal_names_it(brand: bytes) -> None:
    start = (bytes([0, 0, 0, 24]) + b"ftyp" + brand + bytes(40)).hex()
    program = f"""
import sys
sys.modules["pillow_heif"] = None
from nodetool_core.assets.decode import decode_bytes
from nodetool_core.errors import ImageError
try:
    decode_bytes(bytes.fromhex("{start}"), "photo.heic")
except ImageError as error:
    print(error.problem.code, error)
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert shown.startswith("missing_package photo.heic") and "'.[heic]'" in shown


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "HEIF"])
def test_a_truncated_file_is_an_error(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode_bytes(SAMPLES[name][: len(SAMPLES[name]) // 2], "half")
    assert code_of(caught) in ("truncated_image", "broken_image")


def test_missing_files_directories_and_devices_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "lake.png").write_bytes(SAMPLES["PNG"])
    os.mkfifo(tmp_path / "pipe")
    for path, code, says in [
        (tmp_path / "lakes.png", "missing_file", "Did you mean 'lake.png'?"),
        (tmp_path / "nowhere" / "lake.png", "missing_file", "no folder"),
        (tmp_path / "lake.png" / "x.png", "missing_file", "does not exist"),
        (tmp_path, "is_directory", "directory"),
        (tmp_path / "pipe", "not_a_file", "pipe"),
        (tmp_path / "a\0b", "unreadable_file", "null"),
        (tmp_path / ("x" * 300), "unreadable_file", "too long"),
    ]:
        with pytest.raises(ImageError) as caught:
            decode_file(path)
        assert code_of(caught) == code
        assert says in str(caught.value)


def test_size_is_checked_before_pixels_are_decoded() -> None:
    bomb = encoded(Image.new("1", (20_000, 5_001)))
    settings_before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="20000 x 5001 pixels") as caught:
            decode_bytes(bomb, "bomb")
        assert code_of(caught) == "image_too_large"
        wide = encoded(Image.new("1", (19_000, 5_000)))
        assert decode_bytes(wide, "wide").size == (
            19_000,
            5_000,
        ), "above Pillow's own limit, below ours"
    assert settings_before == Image.MAX_IMAGE_PIXELS


def test_limits_are_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(SAMPLES["PNG"])
    assert decode_file(path, ImageLimits(max_pixels=40 * 24)).size == (40, 24)
    for limits in (ImageLimits(max_pixels=40 * 24 - 1), ImageLimits(max_bytes=100)):
        with pytest.raises(ImageError) as caught:
            decode_file(path, limits)
        assert code_of(caught) == "image_too_large"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(orientation: int, name: str) -> None:
    turned_back = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = scene()
    for turn in turned_back[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_bytes(
        encoded(stored, name, exif=exif, **({"quality": 95} if name in ("JPEG", "WEBP") else {})),
        "turned",
    )
    assert image.size == (40, 24)
    assert difference(image, scene()) < 6


def test_damaged_exif_does_not_cost_the_image() -> None:
    assert decode_bytes(
        encoded(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(20)), "photo"
    ).size == (40, 24)


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    for name in ("GIF", "WEBP", "TIFF"):
        image = decode_bytes(
            encoded(frames[0], name, save_all=True, append_images=frames[1:]), name
        )
        red, green, blue = image.convert("RGB").getpixel((4, 4))  # type: ignore[misc]
        assert red > 200 and green < 60 and blue < 60


def grey_with_key() -> bytes:
    return encoded(Image.new("L", (4, 4), 7), transparency=7)


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (encoded(Image.new("1", (4, 4))), "1"),
        (encoded(Image.new("L", (4, 4))), "L"),
        (encoded(Image.new("LA", (4, 4))), "LA"),
        (encoded(Image.new("RGBA", (4, 4))), "RGBA"),
        (encoded(scene().quantize(8)), "RGB"),
        (encoded(scene().quantize(8), transparency=0), "RGBA"),
        (grey_with_key(), "LA"),
        (encoded(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3)), "RGBA"),
        (encoded(Image.new("CMYK", (4, 4)), "JPEG"), "RGB"),
        (encoded(Image.new("CMYK", (4, 4)), "TIFF"), "RGB"),
        (encoded(Image.new("LAB", (4, 4)), "TIFF"), "RGB"),
        (encoded(Image.new("YCbCr", (4, 4)), "TIFF"), "RGB"),
        (encoded(Image.fromarray(np.full((4, 4), 40_000, np.uint16))), "I;16"),
        (encoded(Image.new("F", (4, 4), 0.5), "TIFF"), "F"),
        (encoded(Image.new("I", (4, 4), 70_000), "TIFF"), "I;16"),
    ],
)
def test_every_mode_is_legal(data: bytes, mode: str) -> None:
    image = decode_bytes(data, "image")
    assert image.mode == mode
    assert "transparency" not in image.info


@pytest.mark.parametrize(
    ("name", "says"),
    [("GIF", "animated"), ("WEBP", "animated"), ("PNG", "animated"), ("TIFF", "several pages")],
)
def test_m21_further_frames_are_not_left_out_without_a_word(name: str, says: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    told: list[str] = []
    decode_bytes(
        encoded(frames[0], name, save_all=True, append_images=frames[1:]), name, warn=told.append
    )
    assert len(told) == 1 and says in told[0] and "first" in told[0]
    told.clear()
    decode_bytes(SAMPLES[name], name, warn=told.append)
    assert not told


def deep(channels: int, kind: str = "PNG") -> bytes:
    """
    Return a file with 16 bits a channel, all of them 40,000, which Pillow reads and does not write.
    """
    tones = np.full((4, 4, channels), 40_000, ">u2")
    if kind == "PPM":
        return b"P6 4 4 65535\n" + tones.tobytes()
    if kind == "TIFF":
        entries = [
            (256, 3, 4),
            (257, 3, 4),
            (258, 3, 16),
            (259, 3, 1),
            (262, 3, 2),
            (273, 4, 8),
            (277, 3, channels),
            (278, 3, 4),
        ]
        entries = [*entries, (279, 4, tones.nbytes), (284, 3, 1)]
        start = 8 + tones.nbytes
        table = b"".join(
            struct.pack(">HHI", tag, form, 1)
            + struct.pack(">I" if form == 4 else ">HH", *[n, 0][: 3 - form // 2])
            for tag, form, n in entries
        )
        bits = struct.pack(">HHI", 258, 3, channels) + struct.pack(
            ">I", start + 6 + 12 * len(entries)
        )
        table = table[:24] + bits + table[36:]
        return (
            b"MM\0*"
            + struct.pack(">I", start)
            + tones.tobytes()
            + struct.pack(">H", len(entries))
            + table
            + bytes(4)
            + struct.pack(">HHHH", *[16] * 4)
        )
    rows = b"".join(b"\0" + row.tobytes() for row in tones)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, colour_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


@pytest.mark.parametrize(
    ("data", "lost"),
    [
        (deep(3), 1),
        (deep(4), 1),
        (deep(2), 1),
        (deep(3, "PPM"), 1),
        (deep(3, "TIFF"), 1),
        (deep(1), 0),
    ],
)
def test_i13_bits_are_not_lost_without_a_word(data: bytes, lost: int) -> None:
    told: list[str] = []
    image = decode_bytes(data, "deep", warn=told.append)
    assert len(told) == lost and all("8 bits" in note for note in told)
    assert image.mode == "I;16" or abs(image.getpixel((0, 0))[0] - 156) <= 1  # type: ignore[index]


def test_i13_printing_colours_are_converted_by_their_profile() -> None:
    cyan = Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    for name in ("JPEG", "TIFF"):
        told: list[str] = []
        image = decode_bytes(
            encoded(cyan, name, icc_profile=printing_colours()), name, warn=told.append
        )
        assert (
            image.mode == "RGB" and difference(image, Image.new("RGB", (4, 4), (36, 126, 186))) < 3
        )
        assert not told and image.info["icc_profile"] == srgb_profile()
        decode_bytes(encoded(cyan, name), name, warn=told.append)
        assert len(told) == 1 and "approximate" in told[0]


@pytest.mark.parametrize(
    ("number", "white"),
    [(0.25, None), (0.5, None), (191.0, "255"), (40_000.0, "65535"), (4.0, "1")],
)
def test_i1_a_guess_of_the_scale_is_told(number: float, white: str | None) -> None:
    told: list[str] = []
    image = decode_bytes(
        encoded(Image.new("F", (4, 4), number), "TIFF"), "floats", warn=told.append
    )
    assert image.mode == "F"
    assert image.getpixel((0, 0)) == pytest.approx(min(1.0, number / float(white or 1)))
    assert (
        not told if white is None else (len(told) == 1 and f" {white} is taken as white" in told[0])
    )


def test_i1_sixteen_bits_that_come_as_32_need_no_guess() -> None:
    told: list[str] = []
    image = decode_bytes(
        b"P5 2 1 65535\n" + np.array([100, 65_535], ">u2").tobytes(), "grey", warn=told.append
    )
    assert (image.mode, image.getpixel((0, 0)), told) == ("I;16", 100, [])


def test_colour_profile_stays_and_the_rest_goes() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = decode_bytes(encoded(scene(), "JPEG", icc_profile=profile, comment=b"private"), "photo")
    assert set(image.info) <= {"icc_profile", "dpi"} and image.info["icc_profile"] == profile


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(FORMATS),
    cut=st.integers(0, 4000),
    noise=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
)
def test_damaged_bytes_never_raise_anything_but_image_errors(
    name: str, cut: int, noise: list[tuple[int, int]]
) -> None:
    data = bytearray(SAMPLES[name][: cut or None])
    for position, value in noise:
        if data:
            data[position % len(data)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            decode_bytes(bytes(data), "damaged", ImageLimits(max_pixels=1_000_000)).getpixel((0, 0))
        except ImageError as error:
            assert error.problem.code in (
                "empty_image",
                "not_an_image",
                "broken_image",
                "truncated_image",
                "image_too_large",
            )


@settings(max_examples=100, deadline=None)
@given(
    data=st.binary(max_size=200),
    start=st.sampled_from(
        [
            b"",
            b"BM",
            b"GIF89a",
            b"II*\0",
            b"MM\0*",
            b"P6 ",
            b"\xff\xd8\xff",
            b"RIFF\0\0\0\0WEBPVP8 ",
        ]
    ),
)
def test_random_bytes_never_raise_anything_but_image_errors(data: bytes, start: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImageError):
            decode_bytes(start + data, "random", ImageLimits(max_pixels=1_000_000))
