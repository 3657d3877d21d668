"""Two pictures in one: Blend and Composite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from nodes.lib.pillow import Blend, Composite
from nodetool_core import Picture
from tests.assets.pictures import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, noise

SHAPE = st.shared(st.tuples(st.integers(1, 12), st.integers(1, 12)), key="shape")


def rgba() -> st.SearchStrategy[Any]:
    return SHAPE.flatmap(lambda shape: arrays(np.uint8, (*shape, 4)))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_the_ends_of_a_blend_are_the_pictures(mode: str, run_node: NodeRunner) -> None:
    first, second = glass(scene(), 77).convert(mode), glass(noise(40, 24), 200).convert(mode)
    for alpha, expected in ((0.0, first), (1.0, second)):
        assert difference(run_node(Blend(image1=Picture.of(first), image2=Picture.of(second), alpha=alpha)).image, expected) == 0
    between = run_node(Blend(image1=Picture.of(first), image2=Picture.of(second), alpha=0.5)).image
    assert between.mode == mode and difference(between, first) > 1 < difference(between, second)


def test_a_blend_of_other_size_and_kind(run_node: NodeRunner) -> None:
    wide = Image.new("RGB", (90, 10), "red")
    result = run_node(Blend(image1=Picture.of(scene().convert("L")), image2=Picture.of(wide), alpha=1.0)).image
    assert result.mode == "RGB" and result.size == (40, 24) and result.getpixel((0, 0)) == (255, 0, 0)


def test_invisible_colours_do_not_count_in_a_blend(run_node: NodeRunner) -> None:
    hidden, seen = Image.new("RGBA", (2, 2), (255, 0, 0, 0)), Image.new("RGBA", (2, 2), (0, 0, 255, 255))
    red, _, blue, alpha = run_node(Blend(image1=Picture.of(hidden), image2=Picture.of(seen))).image.getpixel((0, 0))
    assert red == 0 and blue == 255 and alpha == 128


@settings(max_examples=60, deadline=None)
@given(first=rgba(), second=rgba(), mask=SHAPE.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_a_composite_keeps_each_side_of_the_mask(tmp_path_factory: pytest.TempPathFactory, first: Any, second: Any, mask: Any) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    images = {name: Picture.of(Image.fromarray(array)) for name, array in (("image1", first), ("image2", second), ("mask", mask))}
    result = np.asarray(run(Composite(**images)).image)
    assert np.array_equal(result[mask == 255], first[mask == 255]) and np.array_equal(result[mask == 0], second[mask == 0])


def test_grey_masks_mix_and_other_sizes_are_fitted(run_node: NodeRunner) -> None:
    white, black = Image.new("L", (10, 10), 255), Image.new("L", (4, 8), 0)
    mask = Image.new("RGB", (3, 3), (100, 100, 100))
    result = run_node(Composite(image1=Picture.of(white), image2=Picture.of(black), mask=Picture.of(mask))).image
    assert result.mode == "L" and result.size == (10, 10) and set(result.tobytes()) == {100}
