"""
Filters, tones and masks beside an independent form of each: its formula in NumPy, or OpenCV.

Each is asked for grey and colours, without alpha and with an alpha that has to stay. Profiles,
further modes and 16 bits are asked of every node in `test_every_node.py` and
`test_tones_and_colours.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from nodes.lib.pillow.enhance import (
    AutoContrast,
    Brightness,
    Color,
    Contrast,
    Detail,
    EdgeEnhance,
    Sharpen,
    Sharpness,
    UnsharpMask,
)
from nodes.lib.pillow.filter import (
    Blur,
    Contour,
    Emboss,
    Expand,
    FindEdges,
    Invert,
    Posterize,
    Smooth,
    Solarize,
)
from nodes.lib.pillow.mask import CombineMasks, InvertMask, Threshold
from nodes.nodetool.image import Flip, Offset
from nodetool_core import ImageData, Node
from tests.nodes.conftest import NodeRunner

Tones = np.ndarray[Any, Any]
Reference = Callable[[Tones], Tones]

ALPHA = 200
LUMA = np.array([0.299, 0.587, 0.114])
AROUND = np.ones((3, 3))


def tones() -> Tones:
    """Return colours from 0 to 255 with smooth parts and noise, (40, 56, 3)."""
    random = np.random.default_rng(3)
    smooth = cv2.resize(random.uniform(0, 255, (5, 7, 3)), (56, 40), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + random.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def grey(colours: Tones) -> Tones:
    """Return how bright each colour is, (height, width, 1); of grey, itself."""
    return colours if colours.shape[2] == 1 else (colours @ LUMA)[..., None]


def kernel(numbers: Any, offset: float = 0.0) -> Reference:
    """Return a filter by a kernel, as if the image went on evenly beyond its edges."""
    weights = np.array(numbers, np.float64)

    def filtered(image: Tones) -> Tones:
        found = cv2.filter2D(image, cv2.CV_64F, weights, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(found).reshape(image.shape) + offset

    return filtered


SMOOTH = kernel((AROUND + 4 * np.pad([[1]], 1)) / 13)
"""Pillow's kernel of 3 x 3 that softens: 1 around 5."""


def blurred(image: Tones, deviation: float) -> Tones:
    found = cv2.GaussianBlur(image, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(found).reshape(image.shape)


def unsharp(image: Tones) -> Tones:
    apart = image - blurred(image, 2.0)
    return np.where(np.abs(apart) > 3, image + 1.5 * apart, image)


def stretched(image: Tones) -> Tones:
    low, high = image.min((0, 1)), image.max((0, 1))
    return (image - low) / (high - low) * 255


def ring(middle: float) -> Tones:
    """Return -1 around a number."""
    return -AROUND + (middle + 1) * np.pad([[1]], 1)


CROSS = [[0, -1, 0], [-1, 10, -1], [0, -1, 0]]
RELIEF = [[0, 0, 0], [0, 1, 0], [-1, 0, 0]]

CASES: list[tuple[type[Node], dict[str, Any], Reference, float]] = [
    (Brightness, {"factor": 1.3}, lambda image: image * 1.3, 1),
    (Brightness, {"factor": 0.4}, lambda image: image * 0.4, 1),
    (
        Contrast,
        {"factor": 1.5},
        lambda image: (image - grey(image).mean()) * 1.5 + grey(image).mean(),
        2,
    ),
    (Color, {"factor": 0.3}, lambda image: grey(image) + 0.3 * (image - grey(image)), 1),
    (Color, {"factor": 1.8}, lambda image: grey(image) + 1.8 * (image - grey(image)), 2),
    (Sharpness, {"factor": 1.7}, lambda image: SMOOTH(image) + 1.7 * (image - SMOOTH(image)), 2),
    (Sharpness, {"factor": 0.2}, lambda image: SMOOTH(image) + 0.2 * (image - SMOOTH(image)), 2),
    (UnsharpMask, {"radius": 2.0, "percent": 150, "threshold": 3}, unsharp, 8),
    (AutoContrast, {}, stretched, 1),
    (Sharpen, {}, kernel((2 * ring(16)) / 16), 1),
    (Detail, {}, kernel(np.array(CROSS) / 6), 1),
    (EdgeEnhance, {}, kernel(ring(10) / 2), 1),
    (Smooth, {}, SMOOTH, 2),
    (Contour, {}, kernel(ring(8), 255), 1),
    (Emboss, {}, kernel(RELIEF, 128), 1),
    (FindEdges, {}, kernel(ring(8)), 1),
    (Blur, {"radius": 3.0}, lambda image: blurred(image, 3.0), 6),
    (Invert, {}, lambda image: 255 - image, 0),
    (Posterize, {"bits": 3}, lambda image: np.rint(image // 32 * 255 / 7), 0),
    (Solarize, {"threshold": 100}, lambda image: np.where(image < 100, image, 255 - image), 0),
    (Expand, {"border": 3, "fill": 90}, lambda image: np.pad(image, ROOM, constant_values=90), 0),
    (Flip, {"direction": "horizontal"}, lambda image: image[:, ::-1], 0),
    (Flip, {"direction": "both"}, lambda image: image[::-1, ::-1], 0),
    (Flip, {"direction": "transpose"}, lambda image: image.transpose(1, 0, 2), 0),
    (Flip, {"direction": "transverse"}, lambda image: image[::-1, ::-1].transpose(1, 0, 2), 0),
    (Offset, {"x": 5, "y": -7, "unit": "pixels"}, lambda image: np.roll(image, (-7, 5), (0, 1)), 0),
]
ROOM = ((3, 3), (3, 3), (0, 0))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(("node", "properties", "reference", "tolerance"), CASES)
def test_it_is_what_its_formula_says(
    node: type[Node],
    properties: dict[str, Any],
    reference: Reference,
    tolerance: float,
    mode: str,
    run_node: NodeRunner,
) -> None:
    source = Image.fromarray(tones()).convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        source.putalpha(ALPHA)
    result = run_node(node(image=ImageData.of(source), **properties)).image
    assert result.mode == mode
    planes = np.atleast_3d(np.asarray(source)).astype(np.float64)
    found = np.atleast_3d(np.asarray(result)).astype(np.float64)
    if mode.endswith("A"):
        inside = np.s_[3:-3, 3:-3] if node is Expand else np.s_[:, :]
        assert (found[inside][..., -1] == ALPHA).all()
        planes, found = planes[..., :-1], found[..., :-1]
    expected = np.clip(reference(planes), 0, 255)
    assert np.abs(found - expected).max() <= tolerance + 0.5


MASKS: list[tuple[str, Callable[[Tones, Tones], Tones]]] = [
    ("union", np.maximum),
    ("intersection", np.minimum),
    ("subtract", lambda a, b: np.minimum(a, 255 - b)),
    ("difference", lambda a, b: np.abs(a - b)),
]


@pytest.mark.parametrize(("operation", "reference"), MASKS)
def test_masks_are_combined_as_the_operation_says(
    operation: str, reference: Callable[[Tones, Tones], Tones], run_node: NodeRunner
) -> None:
    a, b, _ = np.moveaxis(tones(), -1, 0)
    first, second = (ImageData.of(Image.fromarray(np.ascontiguousarray(mask))) for mask in (a, b))
    result = run_node(CombineMasks(a=first, b=second, operation=operation))  # type: ignore[arg-type]
    expected = reference(a.astype(np.float64), b.astype(np.float64))
    assert np.abs(np.asarray(result.image) - expected).max() <= 1


def test_masks_of_tones_and_their_opposites(run_node: NodeRunner) -> None:
    plane = np.ascontiguousarray(tones()[..., 0])
    image = ImageData.of(Image.fromarray(plane))
    for select, expected in (("bright", plane >= 120), ("dark", plane < 120)):
        made = run_node(Threshold(image=image, threshold=120, select=select))
        assert np.array_equal(np.asarray(made.image), expected * np.uint8(255))
    assert np.array_equal(np.asarray(run_node(InvertMask(mask=image)).image), 255 - plane)
