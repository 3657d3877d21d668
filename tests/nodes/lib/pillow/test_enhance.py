from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from nodes.lib.pillow import enhance
from nodes.lib.pillow import filter as filters
from nodes.lib.pillow._adaptive import _limited
from nodetool_core import ImageData, Node, NodeError
from nodetool_core.errors import RunCancelled
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, noise, pixels

FACTORS: list[type[Node]] = [enhance.Brightness, enhance.Color, enhance.Contrast, enhance.Sharpness]
SHARPENERS: list[type[Node]] = [
    enhance.Detail,
    enhance.EdgeEnhance,
    enhance.Sharpen,
    enhance.UnsharpMask,
]


def flat() -> Image.Image:
    """Return an image whose tones lie between 96 and 160."""
    return Image.fromarray((96 + np.asarray(scene()) // 4).astype(np.uint8))


@pytest.mark.parametrize("node", FACTORS)
def test_a_factor_of_1_changes_nothing(node: type[Node], run_node: NodeRunner) -> None:
    assert difference(run_node(node(image=ImageData.of(scene()), factor=1.0)).image, scene()) == 0


@pytest.mark.parametrize("factor", [-1e300, -3.0, 0.0, 1e-300, 50.0, 1e300])
@pytest.mark.parametrize("node", FACTORS)
def test_any_factor_gives_an_image(node: type[Node], factor: float, run_node: NodeRunner) -> None:
    result = run_node(node(image=ImageData.of(glass(scene())), factor=factor)).image
    assert result.size == (40, 24) and set(result.getchannel("A").tobytes()) == {128}


def test_brightness_multiplies(run_node: NodeRunner) -> None:
    half = pixels(run_node(enhance.Brightness(image=ImageData.of(scene()), factor=0.5)).image)
    assert np.abs(half - pixels(scene()) / 2).max() <= 1
    assert (
        pixels(run_node(enhance.Brightness(image=ImageData.of(scene()), factor=0)).image).max() == 0
    )


def test_colour_and_contrast(run_node: NodeRunner) -> None:
    grey = pixels(run_node(enhance.Color(image=ImageData.of(scene()), factor=0.0)).image)
    assert (grey.max(axis=2) - grey.min(axis=2)).max() == 0
    even = run_node(enhance.Contrast(image=ImageData.of(scene()), factor=0.0)).image
    assert even.getextrema()[0][0] == even.getextrema()[0][1]
    assert (
        pixels(run_node(enhance.Contrast(image=ImageData.of(flat()), factor=2.0)).image).std()
        > 1.8 * pixels(flat()).std()
    )


@pytest.mark.parametrize("node", SHARPENERS)
def test_sharpening_strengthens_detail(node: type[Node], run_node: NodeRunner) -> None:
    soft = noise().filter(ImageFilter.GaussianBlur(1))
    sharp = run_node(node(image=ImageData.of(soft))).image
    assert pixels(sharp).std() > 1.1 * pixels(soft).std()
    even = Image.new("RGB", (9, 9), (10, 200, 90))
    assert difference(run_node(node(image=ImageData.of(even))).image, even) == 0


def test_sharpness_goes_both_ways(run_node: NodeRunner) -> None:
    softer, sharper = (
        pixels(run_node(enhance.Sharpness(image=ImageData.of(noise()), factor=f)).image).std()
        for f in (0.0, 2.0)
    )
    assert softer < pixels(noise()).std() < sharper


def test_an_unsharp_mask_of_nothing(run_node: NodeRunner) -> None:
    for options in ({"percent": 0}, {"threshold": 512}, {"radius": 0.0}):
        assert (
            difference(
                run_node(enhance.UnsharpMask(image=ImageData.of(noise()), **options)).image, noise()
            )
            == 0
        )


def test_auto_contrast_reaches_black_and_white(run_node: NodeRunner) -> None:
    assert (
        run_node(enhance.AutoContrast(image=ImageData.of(flat()))).image.getextrema()
        == ((0, 255),) * 3
    )
    assert run_node.warnings() == []


def test_a_cutoff_that_leaves_nothing_is_told(run_node: NodeRunner) -> None:
    assert (
        difference(
            run_node(enhance.AutoContrast(image=ImageData.of(flat()), cutoff=60)).image, flat()
        )
        == 0
    )
    assert run_node.warnings() == [
        "A cutoff of 60 percent at each end leaves no tones, so the contrast stays as it is."
    ]


def test_equalizing_spreads_the_tones(run_node: NodeRunner) -> None:
    skewed = Image.fromarray((np.linspace(0, 1, 4096).reshape(64, 64) ** 4 * 255).astype(np.uint8))
    shares = (
        np.cumsum(run_node(enhance.Equalize(image=ImageData.of(skewed))).image.histogram()) / 4096
    )
    before = np.cumsum(skewed.histogram()) / 4096
    even = np.arange(256) / 255
    assert np.abs(shares - even)[64:].mean() < np.abs(before - even)[64:].mean() / 3


@pytest.mark.parametrize("pixels", [2, 7, 100, 255, 256, 500, 700])
def test_i7_equalizing_spreads_few_pixels_as_well(pixels: int, run_node: NodeRunner) -> None:
    dull = Image.fromarray(np.linspace(100, 130, pixels).astype(np.uint8)[None])
    made = np.asarray(run_node(enhance.Equalize(image=ImageData.of(dull))).image, int)[0]
    assert made[0] == 0 and made[-1] == 255 and (np.diff(made) >= 0).all()
    assert np.abs(made - np.linspace(0, 255, pixels)).max() <= 255 / min(pixels, 31) + 1
    flat = run_node(enhance.Equalize(image=ImageData.of(Image.new("L", (pixels, 1), 90)))).image
    assert flat.getextrema() == (90, 90)


def test_i8_sharpness_reaches_the_edge(run_node: NodeRunner) -> None:
    stripes = Image.fromarray(np.tile(np.array([[80, 160]], np.uint8), (16, 8)))
    for factor in (0.0, 3.0):
        made = np.asarray(
            run_node(enhance.Sharpness(image=ImageData.of(stripes), factor=factor)).image, int
        )
        inside = made[4:12, 4:12]
        assert np.array_equal(made[0, 4:12], inside[0]), "the first line is that of any other"
        assert (made[:, 0] != 80).all() and abs(made[8, 0] - inside[4, 0]) < 50


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_i11_a_clip_limit_of_1_changes_nothing(mode: str, run_node: NodeRunner) -> None:
    for image in (scene(64, 48).convert(mode), half_dark().convert(mode)):
        made = run_node(
            enhance.AdaptiveContrast(image=ImageData.of(image), clip_limit=1.0, grid_size=4)
        ).image
        usual = image if mode == "L" else image.convert("YCbCr").convert("RGB")
        assert np.abs(np.asarray(made, int) - np.asarray(usual)).max() <= 1


@given(counts=st.lists(st.integers(0, 1000), min_size=256, max_size=256), limit=st.floats(1.0, 8.0))
def test_i11_no_tone_is_stretched_more_than_the_limit(counts: list[int], limit: float) -> None:
    whole = np.array(counts, float) + 0.1
    most = limit * whole.sum() / 256
    limited = _limited(whole, most)
    assert limited.max() <= most * (1 + 1e-9) and limited.sum() == pytest.approx(whole.sum())


def half_dark() -> Image.Image:
    """Fine stripes of little contrast, dark on the left and bright on the right."""
    stripes = np.tile([[0, 12]], (64, 32))
    stripes[:, :32] += 20
    stripes[:, 32:] += 220
    return Image.fromarray(stripes.astype(np.uint8))


def test_adaptive_contrast_strengthens_each_part(run_node: NodeRunner) -> None:
    before = pixels(half_dark())
    after = pixels(
        run_node(
            enhance.AdaptiveContrast(image=ImageData.of(half_dark()), clip_limit=0.0, grid_size=4)
        ).image
    )
    for part in (np.s_[8:56, 4:28], np.s_[8:56, 36:60]):
        assert after[part].std() > 4 * before[part].std()
    limited = pixels(
        run_node(
            enhance.AdaptiveContrast(image=ImageData.of(half_dark()), clip_limit=2.0, grid_size=4)
        ).image
    )
    assert before[:, :28].std() < limited[:, :28].std() < after[:, :28].std()


def test_adaptive_contrast_shows_no_tiles_and_keeps_hues(run_node: NodeRunner) -> None:
    ramp = Image.fromarray(np.repeat(np.linspace(60, 180, 256)[None], 64, 0).astype(np.uint8))
    after = pixels(
        run_node(enhance.AdaptiveContrast(image=ImageData.of(ramp), clip_limit=2.0)).image
    )
    assert np.abs(np.diff(after, axis=1)).max() <= 8 and np.abs(np.diff(after, axis=0)).max() <= 1
    grey = scene().convert("L").convert("RGB")
    result = pixels(run_node(enhance.AdaptiveContrast(image=ImageData.of(grey))).image)
    assert (result.max(axis=2) - result.min(axis=2)).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (70, 3)])
def test_adaptive_contrast_with_more_tiles_than_pixels(
    size: tuple[int, int], run_node: NodeRunner
) -> None:
    assert (
        run_node(
            enhance.AdaptiveContrast(image=ImageData.of(scene(*size)), grid_size=64)
        ).image.size
        == size
    )


def test_the_middle_rank_removes_specks_and_the_ends_make_parts_grow(run_node: NodeRunner) -> None:
    speck = Image.new("L", (9, 9), 100)
    speck.putpixel((4, 4), 255)
    assert set(
        run_node(enhance.RankFilter(image=ImageData.of(speck), size=3, rank=4)).image.tobytes()
    ) == {100}
    grown = np.asarray(
        run_node(enhance.RankFilter(image=ImageData.of(speck), size=3, rank=8)).image
    )
    assert (grown == 255).sum() == 9


@pytest.mark.parametrize("rank", [0, 100, 17 * 17 // 2, 17 * 17 - 1])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_large_square_is_ranked_as_a_small_one_is(
    rank: int, mode: str, run_node: NodeRunner
) -> None:
    image = noise().convert(mode)
    result = run_node(enhance.RankFilter(image=ImageData.of(image), size=17, rank=rank)).image
    assert difference(result, image.filter(ImageFilter.RankFilter(17, rank))) == 0


def test_the_largest_square_ends_and_can_be_cancelled(run_node: NodeRunner) -> None:
    speck = Image.new("L", (300, 200), 100)
    speck.putpixel((4, 4), 255)
    grown = run_node(enhance.RankFilter(image=ImageData.of(speck), size=511, rank=511**2 - 1)).image
    assert grown.getpixel((259, 199)) == 255 and grown.getpixel((260, 199)) == 100
    run_node.cancelled.set()
    with pytest.raises(RunCancelled):
        run_node(enhance.RankFilter(image=ImageData.of(speck), size=511))


MEASURING: list[type[Node]] = [
    enhance.AdaptiveContrast,
    enhance.AutoContrast,
    enhance.Contrast,
    enhance.Equalize,
]


@pytest.mark.parametrize("node", MEASURING)
def test_what_is_hidden_is_not_measured(node: type[Node], run_node: NodeRunner) -> None:
    def cut_out(hidden: tuple[int, int, int]) -> Image.Image:
        image = Image.new("RGBA", (64, 64), (*hidden, 0))
        image.paste(flat().resize((40, 40)), (0, 0))
        return image

    options = {"factor": 2.0} if node is enhance.Contrast else {}
    results = [
        pixels(run_node(node(image=ImageData.of(cut_out(hidden)), **options)).image)
        for hidden in ((0, 0, 0), (255, 255, 255))
    ]
    assert np.array_equal(*(result[:40, :40] for result in results))
    assert not np.array_equal(results[0][:40, :40], pixels(cut_out((0, 0, 0)))[:40, :40]), (
        "it did change what is seen"
    )


NEIGHBOURS: list[tuple[type[Node], dict[str, Any]]] = [
    (enhance.Detail, {}),
    (enhance.EdgeEnhance, {}),
    (enhance.RankFilter, {"size": 5, "rank": 12}),
    (enhance.Sharpen, {}),
    (enhance.Sharpness, {"factor": 3.0}),
    (enhance.UnsharpMask, {"radius": 0.7}),
    (enhance.UnsharpMask, {"radius": 6.0, "threshold": 0}),
    (filters.Blur, {}),
    (filters.Contour, {}),
    (filters.Emboss, {}),
    (filters.FindEdges, {}),
    (filters.Smooth, {}),
]


@pytest.mark.parametrize(("node", "options"), NEIGHBOURS)
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_hidden_colours_do_not_reach_their_neighbours(
    node: type[Node], options: dict[str, Any], mode: str, run_node: NodeRunner
) -> None:
    shape, source = (20, 30, len(mode)), np.random.default_rng(4)
    tones = source.integers(0, 256, shape, np.uint8)
    tones[..., -1] = source.choice(np.array([0, 90, 255], np.uint8), shape[:2], p=(0.8, 0.1, 0.1))
    others = tones.copy()
    others[tones[..., -1] == 0, :-1] = source.integers(0, 256, len(mode) - 1, np.uint8)
    first, second = (
        pixels(run_node(node(image=ImageData.of(Image.fromarray(part, mode)), **options)).image)
        for part in (tones, others)
    )
    assert np.array_equal(first[first[..., -1] > 0], second[first[..., -1] > 0])


@pytest.mark.parametrize(("node", "options"), NEIGHBOURS)
def test_the_edge_of_an_even_cutout_looks_like_its_inside(
    node: type[Node], options: dict[str, Any], run_node: NodeRunner
) -> None:
    cutout = Image.new("RGBA", (30, 20), (0, 255, 0, 0))
    cutout.paste((200, 50, 20, 255), (5, 5, 20, 15))
    result = pixels(run_node(node(image=ImageData.of(cutout), **options)).image)[5:15, 5:20]
    colours = result[..., :3] if result.shape[2] == 4 else result[..., :1]
    assert np.abs(colours.astype(int) - colours[5, 7].astype(int)).max() <= 2, "weighting rounds"


@pytest.mark.parametrize("node", MEASURING)
def test_a_image_of_which_nothing_is_seen(node: type[Node], run_node: NodeRunner) -> None:
    clear = scene().convert("RGBA")
    clear.putalpha(0)
    assert set(run_node(node(image=ImageData.of(clear))).image.getchannel("A").tobytes()) == {0}


@pytest.mark.parametrize(
    ("size", "rank", "says"),
    [(4, 3, "4 pixels has no middle"), (3, 9, "no rank 9: a square of size 3 has 9 pixels")],
)
def test_ranks_that_are_not_there(size: int, rank: int, says: str, run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match=says):
        run_node(enhance.RankFilter(image=ImageData.of(scene()), size=size, rank=rank))
