"""Two images in one: Blend and Composite, and what all such nodes make of colour profiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageCms, ImageFilter

from nodes.lib.grid import CombineImageGrid
from nodes.lib.pillow import Blend, Composite, MergeChannels
from nodes.lib.pillow.compare import MatchHistogram, TransferColor
from nodes.lib.pillow.filter import GetChannel
from nodes.nodetool.image import Paste
from nodetool_core import ImageData, Node, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, noise

SHAPE = st.shared(st.tuples(st.integers(1, 12), st.integers(1, 12)), key="shape")


def rgba() -> st.SearchStrategy[Any]:
    return SHAPE.flatmap(lambda shape: arrays(np.uint8, (*shape, 4)))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_the_ends_of_a_blend_are_the_images(mode: str, run_node: NodeRunner) -> None:
    first, second = glass(scene(), 77).convert(mode), glass(noise(40, 24), 200).convert(mode)
    for alpha, expected in ((0.0, first), (1.0, second)):
        assert (
            difference(
                run_node(
                    Blend(image1=ImageData.of(first), image2=ImageData.of(second), alpha=alpha)
                ).image,
                expected,
            )
            == 0
        )
    between = run_node(
        Blend(image1=ImageData.of(first), image2=ImageData.of(second), alpha=0.5)
    ).image
    assert between.mode == mode and difference(between, first) > 1 < difference(between, second)


def test_a_blend_of_other_size_and_kind(run_node: NodeRunner) -> None:
    wide = Image.new("RGB", (90, 10), "red")
    result = run_node(
        Blend(image1=ImageData.of(scene().convert("L")), image2=ImageData.of(wide), alpha=1.0)
    ).image
    assert (
        result.mode == "RGB" and result.size == (40, 24) and result.getpixel((0, 0)) == (255, 0, 0)
    )


def test_invisible_colours_do_not_count_in_a_blend(run_node: NodeRunner) -> None:
    hidden, seen = (
        Image.new("RGBA", (2, 2), (255, 0, 0, 0)),
        Image.new("RGBA", (2, 2), (0, 0, 255, 255)),
    )
    red, _, blue, alpha = run_node(
        Blend(image1=ImageData.of(hidden), image2=ImageData.of(seen))
    ).image.getpixel((0, 0))
    assert red == 0 and blue == 255 and alpha == 128


@settings(max_examples=60, deadline=None)
@given(first=rgba(), second=rgba(), mask=SHAPE.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_a_composite_keeps_each_side_of_the_mask(
    tmp_path_factory: pytest.TempPathFactory, first: Any, second: Any, mask: Any
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    images = {
        name: ImageData.of(Image.fromarray(array))
        for name, array in (("image1", first), ("image2", second), ("mask", mask))
    }
    result = np.asarray(run(Composite(**images)).image)
    assert np.array_equal(result[mask == 255], first[mask == 255]) and np.array_equal(
        result[mask == 0], second[mask == 0]
    )


def test_grey_masks_mix_and_other_sizes_are_fitted(run_node: NodeRunner) -> None:
    white, black = Image.new("L", (10, 10), 255), Image.new("L", (4, 8), 0)
    mask = Image.new("RGB", (3, 3), (100, 100, 100))
    result = run_node(
        Composite(image1=ImageData.of(white), image2=ImageData.of(black), mask=ImageData.of(mask))
    ).image
    assert result.mode == "L" and result.size == (10, 10) and set(result.tobytes()) == {100}


def profiled(image: Image.Image, profile: bytes | None) -> ImageData:
    image = image.copy()
    if profile is not None:
        image.info["icc_profile"] = profile
    return ImageData.of(image)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"temp").replace(b"gXYZ", b"rXYZ").replace(b"temp", b"gXYZ")
"""A profile in which red and green have changed places."""


def mixing(first: ImageData, second: ImageData) -> list[Node]:
    """Nodes that should show the second image alone, in an image that began as the first."""
    return [
        Blend(image1=first, image2=second, alpha=1.0),
        Composite(image1=first, image2=second, mask=ImageData.of(Image.new("L", first.image.size))),
        Paste(image=first, paste=second),
        CombineImageGrid(tiles=[first, second], columns=1),
    ]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_second_image_keeps_its_colours_in_the_profile_of_the_first(
    mode: str, run_node: NodeRunner
) -> None:
    red = Image.new(mode, (4, 4), (250, 10, 20, 255)[: len(mode)])
    for node in mixing(profiled(scene(4, 4).convert(mode), SRGB), profiled(red, SWAPPED)):
        result = run_node(node).image
        assert result.info["icc_profile"] == SRGB, "the numbers mean what they meant in the first"
        found = result.getpixel((1, result.height - 2))
        assert (
            max(abs(one - other) for one, other in zip(found[:3], (10, 250, 20), strict=True)) <= 2
        ), node.spec.title


@pytest.mark.parametrize(
    "profiles",
    [(SRGB, None), (None, SRGB), (SRGB, b"wide"), (b"wide", SRGB), (SRGB, SRGB), (None, None)],
)
def test_what_is_srgb_or_can_not_be_read_keeps_its_numbers(
    profiles: tuple[bytes | None, bytes | None], run_node: NodeRunner
) -> None:
    red = Image.new("RGB", (4, 4), (250, 10, 20))
    for node in mixing(profiled(scene(4, 4), profiles[0]), profiled(red, profiles[1])):
        result = run_node(node).image
        assert result.getpixel((1, result.height - 2)) == (250, 10, 20), node.spec.title


@pytest.mark.parametrize(
    ("first", "second"), [(None, SWAPPED), (SWAPPED, None), (b"wide", SWAPPED), (SWAPPED, b"wide")]
)
def test_i2_an_image_without_a_profile_is_srgb(
    first: bytes | None, second: bytes | None, run_node: NodeRunner
) -> None:
    red = Image.new("RGB", (4, 4), (250, 10, 20))
    for node in mixing(profiled(scene(4, 4), first), profiled(red, second)):
        result = run_node(node).image
        assert result.info.get("icc_profile") == (SWAPPED if first == SWAPPED else None), (
            node.spec.title
        )
        found = result.getpixel((1, result.height - 2))
        assert (
            max(abs(one - other) for one, other in zip(found[:3], (10, 250, 20), strict=True)) <= 2
        ), node.spec.title


@pytest.mark.parametrize(
    ("node", "name"), [(MatchHistogram, "reference"), (TransferColor, "colors")]
)
def test_colours_are_taken_from_a_reference_in_another_profile(
    node: type[Node], name: str, run_node: NodeRunner
) -> None:
    image, (red, green, blue) = (
        profiled(scene(), SRGB),
        noise(40, 24).filter(ImageFilter.GaussianBlur(4)).split(),
    )
    red = red.point(lambda tone: tone // 2)
    reference, turned = (
        Image.merge("RGB", (red, green, blue)),
        Image.merge("RGB", (green, red, blue)),
    )
    others = ImageData.of(reference), profiled(turned, SWAPPED), ImageData.of(turned)
    expected, found, wrong = (
        run_node(node(**{"image": image, name: other})).image for other in others
    )
    assert difference(expected, found) < 3 < difference(expected, wrong)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_channels_taken_apart_are_the_image_again(mode: str, run_node: NodeRunner) -> None:
    source = glass(noise(40, 24), 77).convert(mode)
    red, green, blue, alpha = (
        run_node(GetChannel(image=ImageData.of(source), channel=channel)) for channel in "RGBA"
    )
    whole = run_node(
        MergeChannels(red=red, green=green, blue=blue, alpha=alpha if mode == "RGBA" else None)
    ).image
    assert whole.mode == mode and whole.tobytes() == source.tobytes()
    swapped = run_node(MergeChannels(red=blue, green=green, blue=red)).image
    assert np.array_equal(np.asarray(swapped), np.asarray(source.convert("RGB"))[..., ::-1])
    assert mode == "RGBA" or alpha.image.getextrema() == (255, 255)


def test_channels_have_one_size(run_node: NodeRunner) -> None:
    small, large = (ImageData.of(Image.new("L", size)) for size in ((4, 4), (5, 4)))
    with pytest.raises(NodeError, match="red channel and the blue one differ in size"):
        run_node(MergeChannels(red=small, green=small, blue=large))
