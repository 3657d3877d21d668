"""`TransferLight` carries light and colour of a small result onto a large original."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nodes._oklab import from_oklab, to_oklab
from nodes.lib.pillow import compare
from nodes.lib.pillow.compare import TransferLight
from nodetool_core import ImageData
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner


def oklab(tones: Any) -> NDArray[np.float64]:
    """Return Oklab of sRGB from 0 to 255, by Ottosson's formulas written out."""
    codes = np.asarray(tones, np.float64) / 255
    red, green, blue = np.moveaxis(
        np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4), -1, 0
    )
    long = np.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = np.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = np.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return np.stack(
        [
            0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
        ],
        axis=-1,
    )


def landscape(width: int = 360, height: int = 240) -> Image.Image:
    """Return a bright sky over a dark ground, with thin dark trunks before the sky, and noise."""
    rng = np.random.default_rng(5)
    tones = np.empty((height, width, 3))
    tones[:] = (196, 214, 238)
    tones[height * 2 // 3 :] = (62, 70, 44)
    for left in range(width // 12, width, width // 6):
        tones[height // 4 :, left : left + 3] = (48, 40, 34)
    return Image.fromarray((tones + rng.normal(0, 2, tones.shape)).clip(0, 255).astype(np.uint8))


def repainted(image: Image.Image, size: tuple[int, int] = (90, 60)) -> Image.Image:
    """Return what a small model makes of it: an evening, smeared."""
    from PIL import ImageFilter

    tones = np.asarray(image.resize(size)).astype(float)
    sky = tones.mean(axis=2, keepdims=True) > 130
    evening = np.where(sky, (150, 96, 70), (40, 34, 30))
    small = Image.fromarray(evening.astype(np.uint8))
    return small.filter(ImageFilter.GaussianBlur(1.5))


@pytest.fixture
def relit(run_node: NodeRunner) -> Any:
    def relit(image: Image.Image, changed: Image.Image, **properties: Any) -> Image.Image:
        node = TransferLight(image=ImageData.of(image), changed=ImageData.of(changed), **properties)
        result: Image.Image = run_node(node).image
        return result

    return relit


def test_oklab_is_ottossons_and_comes_back_exactly() -> None:
    tones = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    tones[0, :256] = np.arange(256, dtype=np.uint8)[:, None]
    planes = to_oklab(tones)
    assert np.abs(np.moveaxis(planes, 0, -1) - oklab(tones)).max() < 1e-5
    assert (from_oklab(planes) == tones).all()


def test_what_is_out_of_gamut_keeps_its_luminance() -> None:
    vivid = to_oklab(np.array([[[200, 40, 40], [30, 60, 220]]], np.uint8))
    vivid[1:] *= 1.6
    red, green, blue = np.moveaxis(from_oklab(vivid)[0].astype(float), -1, 0)
    assert red[0] > 3 * max(green[0], blue[0]) and blue[1] > 2 * max(red[1], green[1])


@pytest.mark.parametrize("size", [(90, 60), (360, 240), (31, 47)])
def test_where_nothing_changes_every_byte_stays(relit: Any, size: tuple[int, int]) -> None:
    from nodes._geometry import resized

    photo = landscape()
    assert relit(photo, resized(photo, size)).tobytes() == photo.tobytes()


def test_at_strength_0_every_byte_stays(relit: Any) -> None:
    photo = landscape()
    assert relit(photo, repainted(photo), strength=0.0).tobytes() == photo.tobytes()


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_flat_parts_take_the_colour_that_they_were_given(relit: Any, strength: float) -> None:
    sky, ground = ((190, 205, 225), (60, 70, 50))
    new_sky, new_ground = ((150, 105, 90), (45, 42, 40))

    def halves(upper: Any, lower: Any, size: tuple[int, int]) -> Image.Image:
        image = Image.new("RGB", size, upper)
        image.paste(lower, (0, size[1] // 2, *size))
        return image

    photo, changed = halves(sky, ground, (300, 200)), halves(new_sky, new_ground, (60, 40))
    made = relit(photo, changed, strength=strength, deepen=0.0)
    for place, old, new in (((150, 10), sky, new_sky), ((150, 190), ground, new_ground)):
        expected = oklab(old) + strength * (oklab(new) - oklab(old))
        assert np.abs(oklab(made.getpixel(place)) - expected).max() < 0.02


def test_detail_follows_the_light(relit: Any) -> None:
    rng = np.random.default_rng(2)
    photo = Image.fromarray(
        np.repeat((150 + rng.normal(0, 6, (200, 300, 1))).astype(np.uint8), 3, axis=2)
    )
    made = relit(photo, Image.new("RGB", (60, 40), (75, 75, 75)), deepen=0.0)
    before, after = oklab(photo)[..., 0], oklab(made)[..., 0]
    ratio = (oklab([75, 75, 75])[0] + 0.05) / (before.mean() + 0.05)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99
    assert after.std() / before.std() == pytest.approx(ratio, rel=0.1)


def test_there_is_no_halo_beside_thin_edges(relit: Any) -> None:
    photo = landscape()
    made = oklab(relit(photo, repainted(photo)))[..., 0]
    trunk = 360 // 12 + 360 // 6
    rows = slice(80, 140)
    beside = made[rows, trunk + 5 : trunk + 10].mean()
    far = made[rows, trunk + 28 : trunk + 33].mean()
    assert abs(beside - far) < 0.01
    assert made[rows, trunk : trunk + 3].mean() < 0.6 * far, "a trunk stays darker than the sky"


def test_what_was_lighter_stays_lighter(relit: Any) -> None:
    ramp = np.repeat(np.arange(0, 255, dtype=np.uint8)[None, :, None], 90, axis=0).repeat(3, 2)
    inverted = Image.fromarray(255 - ramp).resize((85, 30))
    made = oklab(relit(Image.fromarray(ramp), inverted))[45, :, 0]
    # Places have their own light as well, so equal tones are compared over the whole width.
    rows = np.tile(np.array([60, 180], np.uint8), (90, 60))
    image = Image.fromarray(np.stack([rows] * 3, axis=-1))
    changed = Image.fromarray(np.stack([240 - rows] * 3, axis=-1))
    stripes = oklab(relit(image, changed))[..., 0]
    assert stripes[:, 1::2].mean() > stripes[:, ::2].mean()
    assert np.isfinite(made).all()


def test_nights_are_deepened(relit: Any) -> None:
    photo = landscape()
    night = Image.new("RGB", (90, 60), (70, 74, 96))
    lightness = [oklab(relit(photo, night, deepen=deepen))[..., 0].mean() for deepen in (0, 1, 2)]
    assert lightness[0] > lightness[1] + 0.02 > lightness[2] + 0.03


def test_lamps_keep_their_light_and_light_what_is_near(relit: Any) -> None:
    tones = np.full((240, 360, 3), (40, 44, 60), np.uint8)
    tones[150:158, 178:186] = (255, 236, 190)
    photo, night = Image.fromarray(tones), Image.new("RGB", (90, 60), (12, 14, 24))
    kept, lost = (oklab(relit(photo, night, keep_lights=share))[..., 0] for share in (1.0, 0.0))
    before = oklab(tones)[..., 0]
    assert kept[154, 182] > 0.97 * before[154, 182] > lost[154, 182] + 0.05
    assert kept[152, 192] > lost[152, 192] + 0.01 and kept[10, 10] == pytest.approx(lost[10, 10])


def test_alpha_stays_and_hidden_colours_do_not_count(relit: Any) -> None:
    photo = landscape().convert("RGBA")
    alpha = Image.new("L", photo.size, 255)
    alpha.paste(0, (0, 0, 180, 240))
    alpha.paste(100, (180, 0, 200, 240))
    photo.putalpha(alpha)
    loud = photo.copy()
    loud.paste((255, 0, 255, 0), (0, 0, 180, 240))
    changed = repainted(landscape())
    made, other = relit(photo, changed), relit(loud, changed)
    assert made.mode == "RGBA" and made.getchannel("A").tobytes() == alpha.tobytes()
    seen = np.abs(np.asarray(made, int) - np.asarray(other, int))[:, 200:]
    assert seen.max() <= 1


def test_grey_of_16_bits_is_coloured(relit: Any) -> None:
    deep = Image.fromarray(np.asarray(landscape().convert("L"), np.uint16) * 257)
    made = relit(deep, repainted(landscape()))
    red, _, blue = np.asarray(made, float)[:60].mean(axis=(0, 1))
    assert made.mode == "RGB" and red > blue + 20


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (333, 1), (17, 3), (259, 131)])
def test_odd_sizes_keep_their_size(relit: Any, size: tuple[int, int]) -> None:
    assert relit(scene(*size), scene(13, 7)).size == size


def test_blocks_leave_no_seam(relit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = landscape()
    whole = relit(photo, repainted(photo))
    monkeypatch.setattr(compare, "_BLOCK_PIXELS", 7 * photo.width)
    assert relit(photo, repainted(photo)).tobytes() == whole.tobytes()


def test_memory_does_not_grow_with_the_image(relit: Any) -> None:
    changed, peaks = repainted(landscape()), []
    for width, height in ((800, 600), (3200, 2400)):
        photo = landscape(width, height)
        tracemalloc.start()
        relit(photo, changed)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] < 20e6
