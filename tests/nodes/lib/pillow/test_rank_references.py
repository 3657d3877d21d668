"""Ranks, histograms, transfer of colours and edges, beside SciPy, scikit-image and OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import exposure

from nodes.lib.pillow._canny import canny_edges
from nodes.lib.pillow.compare import MatchHistogram, TransferColor
from nodes.lib.pillow.enhance import AdaptiveContrast, Equalize, RankFilter
from nodetool_core import ImageData, RunCancelled
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_grading_references import source
from tests.nodes.lib.pillow.test_references import ALPHA, tones

Tones = np.ndarray[Any, Any]

COLOURS = tones()
OTHER = np.ascontiguousarray(tones()[::-1, ::-1] // 2 + 60)
GREY = np.asarray(Image.fromarray(COLOURS).convert("L"))


def planes(image: ImageData) -> Tones:
    """Return the colours of an image, (height, width, count); an alpha has to be as it was."""
    pixels = np.atleast_3d(np.asarray(image.image)).astype(np.float64)
    if image.image.mode.endswith("A"):
        assert (pixels[..., -1] == ALPHA).all()
        return pixels[..., :-1]
    return pixels


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(("size", "rank"), [(3, 0), (3, 4), (5, 12), (5, 24), (9, 60)])
def test_ranks_are_those_of_scipy(size: int, rank: int, mode: str, run_node: NodeRunner) -> None:
    image = source(mode)
    found = planes(run_node(RankFilter(image=ImageData.of(image), size=size, rank=rank)))
    for place, plane in enumerate(image.split()[: found.shape[2]]):
        expected = ndimage.rank_filter(np.asarray(plane), rank, size=size, mode="nearest")
        assert np.array_equal(found[..., place], expected)


def test_strips_of_an_image_meet_without_a_seam(run_node: NodeRunner) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (300, 9), np.uint8)
    found = run_node(RankFilter(image=ImageData.of(Image.fromarray(noise)), size=7, rank=24))
    assert np.array_equal(
        np.asarray(found.image), ndimage.rank_filter(noise, 24, size=7, mode="nearest")
    )


def test_sorting_a_small_square_can_be_cancelled(run_node: NodeRunner) -> None:
    run_node.cancelled.set()
    with pytest.raises(RunCancelled):
        run_node(RankFilter(image=ImageData.of(Image.fromarray(GREY)), size=3))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_tones_are_spread_as_opencv_spreads_them(mode: str, run_node: NodeRunner) -> None:
    image = source(mode)
    found = planes(run_node(Equalize(image=ImageData.of(image))))
    for place, plane in enumerate(image.split()[: found.shape[2]]):
        # OpenCV counts a tone's own pixels as below it, we count half of them.
        assert np.abs(found[..., place] - cv2.equalizeHist(np.asarray(plane))).max() <= 8


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_histograms_are_matched_as_scikit_image_does(mode: str, run_node: NodeRunner) -> None:
    image, reference = ImageData.of(source(mode)), ImageData.of(Image.fromarray(OTHER))
    found = planes(run_node(MatchHistogram(image=image, reference=reference)))
    expected = exposure.match_histograms(COLOURS, OTHER, channel_axis=2)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_taken_in_opencvs_chroma(mode: str, run_node: NodeRunner) -> None:
    image, other = ImageData.of(source(mode)), ImageData.of(Image.fromarray(OTHER))
    found = planes(run_node(TransferColor(image=image, colors=other)))
    own, wanted = (cv2.cvtColor(one, cv2.COLOR_RGB2YCrCb) for one in (COLOURS, OTHER))
    own[..., 1:] = wanted[..., 1:]
    assert np.abs(found - cv2.cvtColor(own, cv2.COLOR_YCrCb2RGB)).max() <= 4, "both round twice"


@pytest.mark.parametrize("limit", [1.5, 2.0, 4.0])
def test_local_contrast_is_near_to_opencvs(limit: float, run_node: NodeRunner) -> None:
    """OpenCV spreads what it cuts off over all tones, we over those below the limit."""
    large = np.asarray(Image.fromarray(GREY).resize((256, 192), Image.Resampling.BICUBIC))
    node = AdaptiveContrast(image=ImageData.of(Image.fromarray(large)), clip_limit=limit)
    found = planes(run_node(node))[..., 0]
    expected = cv2.createCLAHE(limit, (8, 8)).apply(large).astype(float)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97
    assert np.abs(found - expected).mean() < 10


@pytest.mark.parametrize(("low", "high"), [(20, 40), (40, 100), (60, 80)])
def test_edges_are_those_of_opencv(low: int, high: int) -> None:
    smooth = cv2.GaussianBlur(GREY, (0, 0), 1.0)
    found = np.asarray(canny_edges(Image.fromarray(smooth), low, high))
    expected = cv2.Canny(smooth, low, high)
    # OpenCV looks for no edges in the outermost row, and takes another one of equal neighbours.
    inside = np.s_[1:-1, 1:-1]
    assert (found != expected)[inside].mean() < 0.015 and expected[inside].any()
