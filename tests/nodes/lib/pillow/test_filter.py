from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from nodes.lib.pillow import filter as filters
from nodetool_core import ImageData, Node, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner

TONES = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))


def noise(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


def step(width: int = 32, height: int = 16) -> Image.Image:
    """Return black on the left half, white on the right."""
    return Image.fromarray(
        np.repeat([[0] * (width // 2) + [255] * (width // 2)], height, 0).astype(np.uint8)
    )


def glass(image: Image.Image, alpha: int = 128) -> Image.Image:
    image = image.convert("RGBA")
    image.putalpha(alpha)
    return image


def pixels(image: Image.Image) -> Any:
    return np.asarray(image, float)


def test_a_blur_takes_detail_and_keeps_the_mean(run_node: NodeRunner) -> None:
    before = pixels(noise())
    spread = [before.std()]
    for radius in (1.0, 2.0, 4.0):
        after = pixels(run_node(filters.Blur(image=ImageData.of(noise()), radius=radius)).image)
        assert abs(after.mean() - before.mean()) < 4
        spread.append(after.std())
    assert spread == sorted(spread, reverse=True) and spread[1] < spread[0] / 2
    assert (
        difference(run_node(filters.Blur(image=ImageData.of(noise()), radius=0.0)).image, noise())
        == 0
    )


def test_smoothing_takes_less_than_a_blur(run_node: NodeRunner) -> None:
    smooth = pixels(run_node(filters.Smooth(image=ImageData.of(noise()))).image).std()
    blurred = pixels(run_node(filters.Blur(image=ImageData.of(noise()))).image).std()
    assert blurred < smooth < pixels(noise()).std()


def test_hidden_colours_do_not_bleed_into_a_blur(run_node: NodeRunner) -> None:
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 20, 20))
    blurred = pixels(run_node(filters.Blur(image=ImageData.of(image), radius=3.0)).image)
    visible = blurred[blurred[..., 3] > 8]
    assert visible[:, 0].max() <= 4 and visible[:, 2].min() >= 248
    assert 0 < blurred[10, 22, 3] < 255, "the edge of the alpha is soft"


@settings(max_examples=40, deadline=None)
@given(TONES)
def test_inverting_twice_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, tones: Any
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    once = run(filters.Invert(image=ImageData.of(Image.fromarray(tones))))
    assert np.array_equal(np.asarray(once.image), 255 - tones)
    assert np.array_equal(np.asarray(run(filters.Invert(image=once)).image), tones)


COLOUR_FILTERS: list[type[Node]] = [
    filters.Contour,
    filters.Emboss,
    filters.FindEdges,
    filters.Invert,
    filters.Posterize,
    filters.Solarize,
]


@pytest.mark.parametrize("node", [*COLOUR_FILTERS, filters.ConvertToGrayscale])
def test_alpha_is_kept(node: type[Node], run_node: NodeRunner) -> None:
    result = run_node(node(image=ImageData.of(glass(scene())))).image
    assert result.mode == ("LA" if node is filters.ConvertToGrayscale else "RGBA") and set(
        result.getchannel("A").tobytes()
    ) == {128}


@pytest.mark.parametrize("node", COLOUR_FILTERS)
def test_grey_and_deep_images_come_out_grey(node: type[Node], run_node: NodeRunner) -> None:
    grey = scene().convert("L")
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    results = [run_node(node(image=ImageData.of(image))).image for image in (grey, deep)]
    assert difference(*results) == 0 and results[0].mode == "L"


def test_edges_are_where_the_tones_change(run_node: NodeRunner) -> None:
    edges = pixels(run_node(filters.FindEdges(image=ImageData.of(step()))).image)
    assert (
        edges[:, 15:17].max(axis=1).min() == 255
        and edges[:, :14].max() == 0
        and edges[:, 18:].max() == 0
    )
    lines = pixels(run_node(filters.Contour(image=ImageData.of(step()))).image)
    assert lines[:, 15:17].min(axis=1).max() == 0 and lines[:, :14].min() == 255
    relief = pixels(run_node(filters.Emboss(image=ImageData.of(step()))).image)
    assert relief[:, :14].std() == 0 and relief.std() > 10


def test_canny_draws_one_thin_line_along_an_edge(run_node: NodeRunner) -> None:
    edges = np.asarray(run_node(filters.Canny(image=ImageData.of(step()))).image)
    assert edges.shape == (16, 32) and set(np.unique(edges)) == {0, 255}
    assert (np.flatnonzero(edges.any(axis=0)) // 2 == 7).all() and (edges > 0).sum(
        axis=1
    ).tolist() == [1] * 16
    assert (
        np.asarray(
            run_node(filters.Canny(image=ImageData.of(Image.new("L", (9, 9), 77)))).image
        ).max()
        == 0
    )


def test_canny_goes_on_where_a_strong_edge_becomes_weak(run_node: NodeRunner) -> None:
    tones = np.zeros((40, 32), np.uint8)
    tones[:, 16:] = np.linspace(240, 30, 40)[:, None]
    weak = Image.fromarray(tones)
    both = np.asarray(
        run_node(
            filters.Canny(image=ImageData.of(weak), low_threshold=100, high_threshold=255)
        ).image
    )
    strong = np.asarray(
        run_node(
            filters.Canny(image=ImageData.of(weak), low_threshold=255, high_threshold=255)
        ).image
    )
    assert (strong > 0).sum() < (both > 0).sum() and both[-4:].any() and not strong[-4:].any()
    alone = weak.crop((0, 36, 32, 40))
    assert not np.asarray(
        run_node(
            filters.Canny(image=ImageData.of(alone), low_threshold=100, high_threshold=255)
        ).image
    ).any()


def test_a_snake_of_edges_is_followed_to_its_end() -> None:
    from nodes.lib.pillow._canny import _connected

    path = np.zeros((61, 61), bool)
    path[::2] = True
    path[1::4, -1] = path[3::4, 0] = True
    start = np.zeros_like(path)
    start[0, 0] = True
    assert np.array_equal(_connected(start, path), path)
    start[:] = False
    assert not _connected(start, path).any()


def test_canny_thresholds_in_the_wrong_order(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="low_threshold 200 is above high_threshold 100"):
        run_node(filters.Canny(image=ImageData.of(scene()), low_threshold=200, high_threshold=100))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_border_is_around_an_unchanged_image(mode: str, run_node: NodeRunner) -> None:
    image = glass(scene()).convert(mode)
    framed = run_node(filters.Expand(image=ImageData.of(image), border=3, fill=200)).image
    assert framed.size == (46, 30) and difference(framed.crop((3, 3, 43, 27)), image) == 0
    grey, alpha = [200] * (len(mode) - mode.count("A")), [255] * mode.count("A")
    assert list(np.atleast_1d(framed.getpixel((0, 0)))) == grey + alpha


def test_a_border_that_is_too_much(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="17024 x 1026 pixels"):
        run_node(filters.Expand(image=ImageData.of(Image.new("1", (16_000, 2))), border=512))


def test_channels(run_node: NodeRunner) -> None:
    for number, name in enumerate("RGB"):
        channel = run_node(filters.GetChannel(image=ImageData.of(scene()), channel=name)).image
        assert channel.mode == "L" and np.array_equal(
            np.asarray(channel), np.asarray(scene())[..., number]
        )
    grey = scene().convert("L")
    assert (
        difference(run_node(filters.GetChannel(image=ImageData.of(grey), channel="G")).image, grey)
        == 0
    )


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterizing_leaves_so_many_tones(bits: int, run_node: NodeRunner) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    assert (
        len(set(run_node(filters.Posterize(image=ImageData.of(ramp), bits=bits)).image.tobytes()))
        == 2**bits
    )


@pytest.mark.parametrize("bits", range(1, 9))
def test_i9_posterizing_keeps_black_and_white(bits: int, run_node: NodeRunner) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None]).convert("RGB")
    made = np.asarray(run_node(filters.Posterize(image=ImageData.of(ramp), bits=bits)).image, int)[
        0
    ]
    assert made.min() == 0 and made.max() == 255 and (np.diff(made, axis=0) >= 0).all()
    assert np.abs(made[:, 0] - np.arange(256)).max() <= 256 / 2**bits


def test_solarizing_inverts_from_the_threshold_on(run_node: NodeRunner) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    result = np.asarray(
        run_node(filters.Solarize(image=ImageData.of(Image.fromarray(ramp)), threshold=100)).image
    )
    assert np.array_equal(result, np.where(ramp < 100, ramp, 255 - ramp))


def test_grey_has_no_colour(run_node: NodeRunner) -> None:
    grey = run_node(filters.ConvertToGrayscale(image=ImageData.of(scene()))).image
    assert grey.mode == "L" and difference(grey, scene().convert("L")) == 0
