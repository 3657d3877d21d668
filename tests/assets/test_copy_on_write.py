"""
E3: an image that is lent can be changed in every way that Pillow has, and nobody else sees it.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw, ImageOps

from nodetool_core import ImageData
from nodetool_core.assets.copy_on_write import CopyOnWriteImage

Change = Callable[[Image.Image], object]


def assign_pixels(image: Image.Image) -> None:
    pixels = image.load()
    assert pixels is not None
    before = pixels[3, 3]
    pixels[0, 0] = 255 if isinstance(before, int) else tuple(255 for _ in before)
    assert pixels[3, 3] == before and image.getpixel((0, 0)) == pixels[0, 0] != before
    image.putpixel((1, 1), pixels[0, 0])
    assert pixels[1, 1] == pixels[0, 0]


def convert_in_place(image: Image.Image) -> None:
    srgb = ImageCms.createProfile("sRGB")
    ImageCms.profileToProfile(image, srgb, ImageCms.createProfile("XYZ"), inPlace=True)


def turn_in_place(image: Image.Image) -> None:
    image.getexif()[0x0112] = 3
    ImageOps.exif_transpose(image, in_place=True)
    image.putpixel((0, 0), 255)


ANY_MODE: dict[str, Change] = {
    "draw": lambda image: ImageDraw.Draw(image).line((0, 0, 7, 7), fill=255),
    "paste": lambda image: image.paste(255, (0, 0, 4, 4)),
    "put pixel": lambda image: image.putpixel((0, 0), 255),
    "put data": lambda image: image.putdata(
        [image.getpixel((0, 0))] * 63 + [255 if image.mode in "LP" else (255, 255, 255)]
    ),
    "assign pixels": assign_pixels,
    "flood": lambda image: ImageDraw.floodfill(
        image, (0, 0), 255 if image.mode in "LP" else (255, 255, 255)
    ),
    "from bytes": lambda image: image.frombytes(b"\xff" * len(image.tobytes())),
    "turn": turn_in_place,
    "shrink": lambda image: image.thumbnail((2, 2)),
    "close": lambda image: image.close(),
    "notes": lambda image: image.info.update(dpi=(1, 1), icc_profile=b"x"),
}
CHANGES = [
    (mode, name, change) for mode in ("RGB", "L", "P") for name, change in ANY_MODE.items()
] + [
    ("RGB", "alpha", lambda image: image.putalpha(7)),
    ("L", "alpha", lambda image: image.putalpha(7)),
    ("RGBA", "composite", lambda image: image.alpha_composite(Image.new("RGBA", (8, 8), "red"))),
    ("RGB", "profile", convert_in_place),
    ("L", "palette", lambda image: (image.putpalette([9, 8, 7] * 256), image.load())),
    ("P", "palette", lambda image: (image.putpalette([9, 8, 7] * 256), image.load())),
]


def plain(mode: str) -> Image.Image:
    image = Image.new("P" if mode == "P" else mode, (8, 8), 40 if mode == "P" else "#102030")
    if mode == "P":
        image.putpalette([10, 20, 30] * 256)
    return image


@pytest.mark.parametrize(
    ("mode", "name", "change"), CHANGES, ids=[f"{mode} {name}" for mode, name, _ in CHANGES]
)
def test_e3_a_change_in_place_stays_with_whoever_made_it(
    mode: str, name: str, change: Change
) -> None:
    value, expected = ImageData.of(plain(mode)).sealed(), plain(mode)
    own = value.image
    try:
        change(own)
    except (ValueError, ImageCms.PyCMSError):
        # Pillow can't do this with images of this mode, lent or not.
        with pytest.raises((ValueError, ImageCms.PyCMSError)):
            change(plain(mode))
    else:
        changed = plain(mode)
        change(changed)
        if name != "close":
            assert own == changed
    for image in (value.image, value.with_provenance({}).image):
        assert image == expected
        assert (image.getpalette(), image.info) == (expected.getpalette(), expected.info)


@pytest.mark.parametrize(
    ("mode", "name", "change"), CHANGES, ids=[f"{mode} {name}" for mode, name, _ in CHANGES]
)
def test_e3_an_image_does_not_follow_the_image_that_it_was_made_of(
    mode: str, name: str, change: Change
) -> None:
    image, expected = plain(mode), plain(mode)
    value = ImageData.of(image)
    with suppress(ValueError, ImageCms.PyCMSError):
        change(image)
    assert value.image == expected


def test_e3_what_is_still_held_can_not_write_into_a_sealed_image() -> None:
    image, expected = plain("RGB"), plain("RGB")
    draw, pixels = ImageDraw.Draw(image), image.load()
    assert pixels is not None
    value = ImageData.of(image).sealed()
    draw.rectangle((0, 0, 8, 8), fill="red")
    pixels[1, 1] = (1, 2, 3)
    assert value.image == expected != image


def test_e3_pixels_are_copied_only_when_they_are_written() -> None:
    value = ImageData.of(plain("RGB")).sealed()
    first, second = value.image, value.image
    assert first.im is second.im is ImageData.of(second).sealed().image.im
    second.putpixel((0, 0), (1, 2, 3))
    assert second.im is not first.im and second.load() is not None


def test_e3_a_file_that_was_opened_is_an_image(tmp_path: Path) -> None:
    plain("RGB").save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        value = ImageData.of(opened)
        opened.putpixel((0, 0), (255, 0, 0))
    assert value.image == plain("RGB")


def test_e3_a_lent_image_copies_and_pickles_as_any_image() -> None:
    lent = ImageData.of(plain("P")).sealed().image
    for again in (
        copy.copy(lent),
        copy.deepcopy(lent),
        pickle.loads(pickle.dumps(lent)),
        lent.copy(),
    ):
        assert type(again) is not CopyOnWriteImage
        assert lent == again and again == lent
        again.putpixel((0, 0), 1)
        assert lent != again
    assert lent.__ne__(3)
