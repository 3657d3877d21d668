"""The measures of bench/embedded_model.py on images whose distance is known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from image_metrics import delta_e, lab, psnr, ssim


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 246, (2, 40, 48, 3)).astype(np.uint8)


def test_equal_images_are_as_near_as_can_be() -> None:
    same = noise()
    assert np.isinf(psnr(same, same)).all()
    assert ssim(same, same) == pytest.approx([1, 1])
    assert delta_e(same, same).tolist() == [0, 0]


def test_ten_tones_are_28_decibels() -> None:
    assert psnr(noise(), noise() + 10) == pytest.approx([20 * np.log10(255 / 10)] * 2)


def test_blur_lowers_similarity_and_unrelated_images_have_none() -> None:
    first = noise()
    blurred = np.stack(
        [np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1))) for image in first]
    )
    assert (ssim(first, noise(1)) < 0.1).all() and (ssim(first, blurred) < 0.9).all()
    assert (ssim(first, blurred) > ssim(first, noise(1))).all()


def test_lab_of_known_colours() -> None:
    # Lindbloom's figures for sRGB under D65.
    colours = np.array(
        [[[[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]]], np.uint8
    )
    known = [
        [100, 0, 0],
        [53.24, 80.09, 67.20],
        [87.73, -86.18, 83.18],
        [32.30, 79.19, -107.86],
        [0, 0, 0],
    ]
    assert lab(colours)[0, 0] == pytest.approx(np.array(known), abs=0.1)
