"""Measures, against scikit-image, OpenCV, SciPy and the formulas of their papers."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.cluster import vq  # type: ignore[import-untyped]
from skimage import metrics

from nodes._oklab import to_oklab
from nodes.lib.pillow.compare import Difference
from nodes.lib.pillow.measure import DominantColors, Histogram, MeasureImage, Similarity
from nodetool_core import ImageData, NodeError
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner

Array = np.ndarray[Any, Any]
_METRICS: Any = metrics
LUMA = (0.2126, 0.7152, 0.0722)


def data(image: Image.Image | Array) -> ImageData:
    return ImageData.of(image if isinstance(image, Image.Image) else Image.fromarray(image))


def noisy(image: Image.Image, deviation: float, seed: int = 3) -> Image.Image:
    tones = np.asarray(image, np.float64)
    noise = np.random.default_rng(seed).normal(0, deviation, tones.shape)
    return Image.fromarray(np.clip(np.rint(tones + noise), 0, 255).astype(np.uint8))


@settings(max_examples=25)
@given(
    width=st.integers(11, 70),
    height=st.integers(11, 70),
    deviation=st.sampled_from([0.3, 2.0, 30.0]),
    mode=st.sampled_from(["L", "RGB"]),
)
def test_likeness_is_that_of_scikit_image(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, deviation: float, mode: str
) -> None:
    run_node = NodeRunner(tmp_path_factory.getbasetemp())
    first = scene(width, height).convert(mode)
    second = noisy(first, deviation)
    found = run_node(Similarity(image1=data(first), image2=data(second)))
    one, other = np.asarray(first), np.asarray(second)
    expected, whole = _METRICS.structural_similarity(
        one,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=None if mode == "L" else 2,
        full=True,
    )
    assert found.ssim == pytest.approx(expected, abs=1e-9)
    change = one.astype(float) - other
    assert found.mse == pytest.approx(np.square(change).mean())
    assert found.mae == pytest.approx(np.abs(change).mean())
    if found.mse:
        assert found.psnr == pytest.approx(_METRICS.peak_signal_noise_ratio(one, other))
    shown = np.asarray(found.map.image, float)[5:-5, 5:-5]
    expected_map = 255 * (1 - np.clip(whole if mode == "L" else whole.mean(axis=2), 0, 1))
    assert np.abs(shown - expected_map[5:-5, 5:-5]).max() <= 0.5 + 1e-6


def test_large_images_are_measured_in_bands(run_node: NodeRunner) -> None:
    first = scene(1500, 700)
    second = noisy(first, 5)
    found = run_node(Similarity(image1=data(first), image2=data(second)))
    expected = _METRICS.structural_similarity(
        np.asarray(first),
        np.asarray(second),
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    assert found.ssim == pytest.approx(expected, abs=1e-9)


def test_equal_images_and_those_that_can_not_be_compared(run_node: NodeRunner) -> None:
    image = data(scene())
    found = run_node(Similarity(image1=image, image2=image))
    assert (found.ssim, found.psnr, found.mse, found.mae) == (1.0, 200.0, 0.0, 0.0)
    assert found.map.image.getextrema() == (0, 0)
    with pytest.raises(NodeError, match="differ in size"):
        run_node(Similarity(image1=image, image2=data(scene(50, 50))))


def test_images_smaller_than_the_window_are_mirrored(run_node: NodeRunner) -> None:
    first = scene(7, 40)
    second = noisy(first, 9)
    found = run_node(Similarity(image1=data(first), image2=data(second)))
    expected = _METRICS.structural_similarity(
        *(
            np.pad(np.asarray(one), ((5, 5), (5, 5), (0, 0)), "symmetric")
            for one in (first, second)
        ),
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    assert found.ssim == pytest.approx(expected, abs=1e-9)
    assert found.map.image.size == first.size


def luma(image: Image.Image) -> Array:
    tones: Array = np.asarray(image, np.float64) @ np.array(LUMA)
    return tones


@pytest.mark.parametrize("size", [(40, 24), (900, 800), (1, 1), (1, 5), (5, 1), (2, 2)])
def test_measures_are_those_of_the_formulas(size: tuple[int, int], run_node: NodeRunner) -> None:
    image = noisy(scene(*size), 6)
    found = run_node(MeasureImage(image=data(image)))
    tones, colours = luma(image), np.asarray(image, np.float64)
    assert found.brightness == pytest.approx(tones.mean() / 255, abs=2e-4)
    assert found.contrast == pytest.approx(tones.std() / 255, abs=2e-4)
    for measured, share in ((found.darkest, 1), (found.median, 50), (found.brightest, 99)):
        wanted = np.percentile(tones, share, method="inverted_cdf") / 255
        assert measured == pytest.approx(wanted, abs=2e-4)
    laplacian = cv2.Laplacian(tones, cv2.CV_64F, borderType=cv2.BORDER_REFLECT_101)
    assert found.sharpness == pytest.approx(laplacian.var(), rel=1e-3, abs=1e-3)
    light = np.where(
        colours <= 0.04045 * 255, colours / 255 / 12.92, ((colours / 255 + 0.055) / 1.055) ** 2.4
    )
    assert found.exposure == pytest.approx(
        math.log2((light @ np.array(LUMA)).mean() / 0.18), abs=1e-4
    )
    red, green, blue = colours.transpose(2, 0, 1)
    first, second = red - green, (red + green) / 2 - blue
    assert found.colorfulness == pytest.approx(
        np.hypot(first.std(), second.std()) + 0.3 * np.hypot(first.mean(), second.mean()), rel=1e-3
    )
    assert found.clipped_dark == (colours.max(axis=2) == 0).mean()
    assert found.clipped_bright == (colours.max(axis=2) == 255).mean()


def test_noise_is_found(run_node: NodeRunner) -> None:
    for deviation in (2.0, 10.0):
        grey = Image.new("L", (400, 300), 128)
        found = run_node(MeasureImage(image=data(noisy(grey, deviation))))
        assert found.noise == pytest.approx(deviation, rel=0.05)


def test_a_blurred_image_is_less_sharp_and_a_dark_one_darker(run_node: NodeRunner) -> None:
    from PIL import ImageFilter

    image = noisy(scene(200, 150), 4)
    plain, blurred, dark = (
        run_node(MeasureImage(image=data(one)))
        for one in (
            image,
            image.filter(ImageFilter.GaussianBlur(2)),
            image.point(lambda tone: tone // 2),
        )
    )
    assert blurred.sharpness < plain.sharpness / 10
    assert dark.exposure < plain.exposure - 1 and dark.brightness < plain.brightness


def test_transparent_pixels_do_not_count(run_node: NodeRunner) -> None:
    image = Image.new("RGBA", (40, 20), (255, 255, 255, 0))
    image.paste((200, 100, 50, 255), (0, 0, 20, 20))
    found = run_node(MeasureImage(image=data(image)))
    assert found.brightness == pytest.approx(
        (200 * 0.2126 + 100 * 0.7152 + 50 * 0.0722) / 255, abs=2e-4
    )
    assert found.clipped_bright == 0.0
    assert run_node(DominantColors(image=data(image))).hex == ["#c86432"]
    assert sum(run_node(Histogram(image=data(image))).counts) == 400


def test_flat_colours_are_found_with_their_shares(run_node: NodeRunner) -> None:
    image = Image.new("RGB", (100, 60), "#2f6f9f")
    image.paste("#f4d58d", (0, 0, 30, 60))
    image.paste("#0b3d2e", (0, 0, 10, 60))
    found = run_node(DominantColors(image=data(image)))
    assert found.hex == ["#2f6f9f", "#f4d58d", "#0b3d2e"]
    assert [color.value for color in found.colors] == found.hex
    assert found.shares == pytest.approx([0.7, 0.2, 0.1])
    widths = [count for count, _ in found.palette.image.getcolors()]
    assert sorted(widths) == sorted(96 * width for width in (358, 103, 51))


def test_groups_are_those_of_scipy(run_node: NodeRunner) -> None:
    image = noisy(scene(60, 40), 3)
    found = run_node(DominantColors(image=data(image), number=6))
    pixels = np.asarray(image).reshape(-1, 3)
    means = np.array(
        [[int(name[place : place + 2], 16) for place in (1, 3, 5)] for name in found.hex], np.uint8
    )
    points, starts = to_oklab(pixels).T, to_oklab(means).T
    expected, labels = vq.kmeans2(
        points.astype(np.float64), starts.astype(np.float64), minit="matrix"
    )
    # Started where the node ended, SciPy stays there.
    assert np.abs(expected - starts).max() < 0.004
    shares = np.bincount(labels, minlength=6) / len(points)
    assert found.shares == pytest.approx(shares, abs=0.01)
    assert found.shares == sorted(found.shares, reverse=True)


@pytest.mark.parametrize("scale", ["linear", "logarithmic"])
def test_the_histogram_has_the_heights_of_its_counts(scale: Any, run_node: NodeRunner) -> None:
    image = noisy(scene(90, 70), 5)
    found = run_node(
        Histogram(image=data(image), channels="rgb", scale=scale, width=256, height=300)
    )
    drawn = np.asarray(found.histogram.image)
    counts = [
        cv2.calcHist([np.asarray(image)], [channel], None, [256], [0, 256]).ravel()
        for channel in range(3)
    ]
    grey = np.bincount(np.floor(luma(image) + 0.5).astype(int).ravel(), minlength=256)
    highest = max(grey.max(), max(one.max() for one in counts))
    assert np.abs(np.array(found.counts) - grey).sum() <= 0.01 * image.width * image.height
    for channel, one in enumerate(counts):
        heights = (drawn[..., channel] > 0).sum(axis=0)
        share = np.log1p(one) / np.log1p(highest) if scale == "logarithmic" else one / highest
        assert np.abs(heights - share * 300).max() <= 1


@pytest.mark.parametrize("channels", ["rgb", "luma", "both"])
def test_histograms_of_one_tone(channels: Any, run_node: NodeRunner) -> None:
    grey = run_node(Histogram(image=data(Image.new("L", (8, 8), 128)), channels=channels))
    drawn = np.asarray(grey.histogram.image)
    assert drawn[:, 256:258].min() > 0 and drawn[:, :256].max() == drawn[:, 258:].max() == 0
    assert grey.counts[128] == 64


def test_a_heat_map_goes_from_black_over_red_to_yellow(run_node: NodeRunner) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    black = np.zeros_like(ramp)
    found = run_node(Difference(image1=data(ramp), image2=data(black), view="heat_map"))
    shown = np.asarray(found.image.image, float)
    assert shown.shape == (4, 256, 3)
    brightness = shown[0] @ np.array(LUMA)
    assert (np.diff(brightness) >= -0.5).all(), "more is never darker"
    assert brightness[0] < 2 and brightness[255] > 240
    assert shown[0, 128, 0] > 2 * shown[0, 128, 1], "the middle is red"
    plain = run_node(Difference(image1=data(ramp), image2=data(black)))
    assert plain[1:] == found[1:]
