from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nodetool_core import ImageData
from nodetool_core.assets.modes import in_mode
from tests.assets.images import difference, scene

MODES = [
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16B",
    "La",
    "RGBa",
]


@pytest.mark.parametrize("target", ["1", "L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_a_common_form(mode: str, target: str) -> None:
    image = in_mode(Image.new(mode, (3, 2)), target)
    assert (image.mode, image.size) == (target, (3, 2))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"])
def test_colours_survive(mode: str) -> None:
    if mode == "LAB":
        from PIL import ImageCms

        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        source = ImageCms.profileToProfile(scene(), srgb, lab, outputMode="LAB")
        assert source is not None
    else:
        source = scene().convert(mode)
    assert difference(in_mode(source, "RGB"), scene()) < 4


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "La", "RGBa"])
def test_transparent_pixels_come_out_on_white(mode: str) -> None:
    hidden = (
        Image.new("LA", (2, 2), (0, 0))
        if mode in ("LA", "La")
        else Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    )
    image = hidden.convert("P").convert("PA") if mode == "PA" else hidden.convert(mode)
    if mode == "PA":
        image.putalpha(0)
    assert in_mode(image, "RGB").getpixel((0, 0)) == (255, 255, 255)
    assert in_mode(image, "L").getpixel((0, 0)) == 255


def test_half_transparent_pixels_are_blended() -> None:
    assert in_mode(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), "RGB").getpixel((0, 0)) == (
        127,
        127,
        127,
    )


def test_a_palette_with_a_transparent_entry() -> None:
    image = Image.new("P", (1, 1), 0)
    image.putpalette([255, 0, 0])
    assert in_mode(image, "RGB").getpixel((0, 0)) == (255, 0, 0)
    image.info["transparency"] = 0
    assert in_mode(image, "RGB").getpixel((0, 0)) == (255, 255, 255)
    assert in_mode(image, "RGBA").getpixel((0, 0)) == (255, 0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("I;16", [0, 32896, 65535, 257], [0, 128, 255, 1]),
        ("I", [0, 32896, 65535, 257], [0, 128, 255, 1]),
        ("I", [0, 1_000_000, 2_000_000, 4], [0, 128, 255, 0]),
        ("F", [0.0, 0.5, 1.0, -3.0], [0, 128, 255, 0]),
        ("F", [0.0, 128.0, 255.0, 1.0], [0, 128, 255, 1]),
        ("F", [0.0, 32896.0, 65535.0, 257.0], [0, 128, 255, 1]),
    ],
)
def test_deep_tones_are_scaled_not_clipped(
    mode: str, values: list[float], expected: list[int]
) -> None:
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    image = Image.fromarray(np.array([values], kind))
    assert image.mode == mode
    for target in ("L", "RGB"):
        tones = np.asarray(in_mode(image, target)).reshape(4, -1)[:, 0]
        assert np.abs(tones.astype(int) - expected).max() <= 1


def test_a_mode_change_leaves_the_source_alone() -> None:
    image = Image.fromarray(np.full((2, 2), 40_000, np.uint16))
    image.info["transparency"] = 40_000
    before = image.tobytes()
    assert in_mode(image, "RGBA").mode == "RGBA"
    assert image.tobytes() == before and image.info == {"transparency": 40_000}
    assert in_mode(image, "I;16") is image


def test_a_image_prints_what_it_is() -> None:
    image = ImageData.of(scene())
    assert str(image) == repr(image) == "ImageData(RGB, 40x24)"


def test_images_are_equal_by_their_pixels() -> None:
    assert ImageData.of(scene()) == ImageData.of(scene())
    grey = scene().convert("L")
    indices = grey.copy()
    indices.putpalette(bytes(range(256)) * 3)
    other = grey.copy()
    other.putpalette(bytes(reversed(range(256))) * 3)
    keyed = grey.copy()
    keyed.info["transparency"] = 3
    profiled = grey.copy()
    profiled.info["icc_profile"] = b"grey"
    same_bytes = (grey, indices, other, keyed, profiled)
    assert len({ImageData.of(image).digest for image in same_bytes}) == len(same_bytes), (
        "the same bytes, and different images"
    )
    assert ImageData.of(Image.frombytes("YCbCr", scene().size, scene().tobytes())) != ImageData.of(
        scene()
    )
    assert ImageData.of(scene()) != ImageData.of(scene().convert("L"))
    assert ImageData.of(Image.new("L", (2, 8))) != ImageData.of(Image.new("L", (8, 2)))
