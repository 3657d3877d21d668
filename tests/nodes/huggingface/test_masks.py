"""Masks: what is painted, what fades, what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from nodes.huggingface.masks import Mask
from nodetool_core import NodeError


def spot(
    size: tuple[int, int] = (40, 30), box: tuple[int, int, int, int] = (15, 12, 19, 15)
) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=255)
    return mask


@settings(deadline=None, max_examples=60)
@given(
    grow=st.integers(0, 12),
    fade=st.integers(0, 12),
    left=st.integers(0, 36),
    upper=st.integers(0, 26),
)
def test_what_grows_and_what_fades(grow: int, fade: int, left: int, upper: int) -> None:
    box = (left, upper, left + 3, upper + 2)
    mask = Mask.of(spot(box=box), grow, fade)
    opacity = np.asarray(mask.opacity)
    rows, columns = np.mgrid[0:30, 0:40]
    away = np.maximum.reduce(
        [
            box[0] - columns,
            columns - (box[2] - 1),
            box[1] - rows,
            rows - (box[3] - 1),
            np.zeros_like(rows),
        ]
    )
    assert (opacity[away <= grow] == 255).all()
    assert (opacity[away > grow + fade] == 0).all()
    assert ((opacity > 0) == (np.asarray(mask.paint) == 255)).all(), "all that is seen is painted"
    if fade > 1:
        assert ((opacity > 0) & (opacity < 255)).any()


def test_the_region_is_the_box_with_its_surroundings_inside_of_the_image() -> None:
    assert Mask.of(spot()).region(0) == (15, 12, 19, 15)
    assert Mask.of(spot()).region(13) == (2, 0, 32, 28)
    assert Mask.of(spot(), grow=2).region(0) == (13, 10, 21, 17)


def test_laying_over_keeps_every_bit_outside() -> None:
    noise = Image.effect_noise((40, 30), 80).convert("RGB")
    mask = Mask.of(spot(), fade=4)
    box = mask.region(3)
    result = np.asarray(
        mask.composite(noise, Image.new("RGB", (box[2] - box[0], box[3] - box[1]), "red"), box)
    )
    kept = np.asarray(mask.paint) == 0
    assert (result[kept] == np.asarray(noise)[kept]).all()
    assert (result[12:15, 15:19] == (255, 0, 0)).all()


def test_grey_counts_from_the_middle_on() -> None:
    tones = Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8))
    assert list(Mask.of(tones).paint.tobytes()) == [0, 0, 255, 255]


def test_a_mask_of_nothing_is_refused() -> None:
    with pytest.raises(NodeError) as caught:
        Mask.of(Image.new("L", (4, 4)))
    assert caught.value.problem.code == "empty_mask"
