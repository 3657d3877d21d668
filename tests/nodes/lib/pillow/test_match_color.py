"""Colours are matched as scikit-image, SciPy and the formulas of the papers say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.linalg import sqrtm
from skimage import color, exposure

from nodes._colour_match import Method
from nodes._lab import from_lab, to_lab
from nodes.lib.pillow.color_grading import MatchColor
from nodetool_core import ImageData
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import noise
from tests.nodes.lib.pillow.test_transfer_light import oklab

Array = np.ndarray[Any, Any]

METHODS = Method.__args__
SPACES = ["oklab", "lab"]
PHOTO = noise(60, 40).filter(ImageFilter.GaussianBlur(2))
TO_LINEAR = np.linalg.inv(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_ROOTS = np.linalg.inv(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def soft(image: Image.Image, base: tuple[int, int, int], share: float = 0.3) -> Image.Image:
    """Return an image in soft colours, so that nothing is cut off at the edge of RGB."""
    tones = np.asarray(image.convert("RGB"), np.float64) * share + base
    return Image.fromarray(tones.astype(np.uint8))


OWN, WANTED = soft(PHOTO, (90, 60, 80)), soft(scene(60, 40), (90, 110, 100), 0.15)


def in_space(tones: Array, space: str) -> Array:
    """Return tones as colours of a space, (count, 3), by another library or the formula."""
    found = oklab(tones) if space == "oklab" else color.rgb2lab(tones.astype(np.uint8))
    return np.asarray(found, np.float64).reshape(-1, 3)


def in_tones(colours: Array, space: str) -> Array:
    """Return colours of a space as tones of sRGB, from 0 to 255."""
    if space == "lab":
        return np.asarray(color.lab2rgb(colours)) * 255
    linear = (colours @ TO_ROOTS.T) ** 3 @ TO_LINEAR.T
    bent = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, bent) * 255


def expected(own: Array, wanted: Array, method: str) -> Array:
    """Return colours matched as the papers say it."""
    if method == "histogram":
        return np.asarray(exposure.match_histograms(own, wanted, channel_axis=1))
    factors = np.eye(3)
    if method == "reinhard":
        factors = np.diag(wanted.std(0) / own.std(0))
    if method == "mkl":
        covariance, goal = np.cov(own.T), np.cov(wanted.T)
        root = np.real(sqrtm(covariance))
        inverse = np.linalg.inv(root)
        factors = inverse @ np.real(sqrtm(root @ goal @ root)) @ inverse
    return np.asarray((own - own.mean(0)) @ factors.T + wanted.mean(0))


def matched(run_node: NodeRunner, image: Image.Image, **options: Any) -> Image.Image:
    reference = options.pop("reference", WANTED)
    data = {"image": ImageData.of(image), "reference": ImageData.of(reference)}
    found: Image.Image = run_node(MatchColor(**data, **options)).image
    return found


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("method", METHODS)
def test_colours_are_matched_as_the_papers_say(
    method: str, space: str, run_node: NodeRunner
) -> None:
    own, wanted = (in_space(np.asarray(image), space) for image in (OWN, WANTED))
    for strength in (1.0, 0.4):
        goal = own + (expected(own, wanted, method) - own) * strength
        found = np.asarray(matched(run_node, OWN, method=method, space=space, strength=strength))
        apart = np.abs(found.reshape(-1, 3) - in_tones(goal, space))
        assert apart.max() < 2 and apart.mean() < 0.35


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("method", METHODS)
def test_an_alpha_stays_and_what_it_hides_is_not_measured(
    method: str, space: str, run_node: NodeRunner
) -> None:
    hidden = Image.new("RGB", OWN.size, (255, 0, 255))
    halves = Image.new("L", OWN.size, 0)
    halves.paste(255, (0, 0, 30, 40))
    glassy = Image.composite(OWN, hidden, halves)
    glassy.putalpha(halves)
    found = matched(run_node, glassy, method=method, space=space)
    assert found.mode == "RGBA" and found.getchannel("A").tobytes() == halves.tobytes()
    alone = matched(run_node, OWN.crop((0, 0, 30, 40)), method=method, space=space)
    apart = np.asarray(found.crop((0, 0, 30, 40)).convert("RGB"), float) - np.asarray(alone)
    assert np.abs(apart).max() <= 3


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("method", METHODS)
def test_matching_to_itself_and_by_nothing_changes_nothing(
    method: str, space: str, run_node: NodeRunner
) -> None:
    for options in ({"reference": PHOTO}, {"reference": scene(), "strength": 0.0}):
        found = matched(run_node, PHOTO, method=method, space=space, **options)
        assert np.abs(np.asarray(found, float) - np.asarray(PHOTO)).max() <= 1


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("method", METHODS)
def test_grey_takes_one_tint_and_no_noise(method: str, space: str, run_node: NodeRunner) -> None:
    flat = Image.new("RGB", (20, 10), (120, 120, 120))
    colours = matched(run_node, flat, method=method, space=space).getcolors()
    assert colours is not None and len(colours) == 1
    tint = np.asarray(WANTED, float).mean((0, 1))
    assert np.abs(np.array(colours[0][1]) - tint).max() < 6


def test_lab_is_that_of_scikit_image_and_comes_back() -> None:
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    tones = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    planes = to_lab(tones)
    assert np.abs(np.moveaxis(planes, 0, -1) * 100 - color.rgb2lab(tones)).max() < 0.02
    assert (from_lab(planes) == tones).all()
