"""
Nodes return the same for an image in any mode as for it in plain RGB or grey.

No mode comes out black or shifted (I1), and images in different profiles are put into one (I2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodes.lib.pillow.mask import ChromaKey
from nodetool_core import ColorRef, ImageData, ImageRef, Node
from nodetool_core.assets.modes import BITS_LOST, DEEP_MODES, in_mode
from nodetool_core.assets.profiles import in_profile, in_srgb, profile_of
from nodetool_core.types import is_assignable, strip, union_members
from tests.assets.images import scene
from tests.assets.profiles import display_p3, grey_gamma, tagged
from tests.nodes.conftest import NodeRunner
from tests.nodes.test_every_node import (
    WITH_IMAGES,
    images_in,
    in_every_way,
    name_of,
    takes_images,
    values,
)

GREY = {"1", "I", "F", "I;16", "L", "LA"}
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F"]
WHITES = {"F": (1.0, 255.0, 65_535.0), "I": (255.0, 65_535.0)}

MEASURES = {
    "nodetool.image.GetMetadata",
    "nodetool.image.SaveAnimation",
    "nodetool.image.SaveImageFile",
    "nodetool.image.SavePDF",
}
"""Nodes whose result is no image, or the one that was given."""
NEEDS_FILE = {"lib.pillow.color_grading.ApplyLut"}
"""Nodes that read a file beside their image; `test_colour.py` tests them."""
NODES = [node for node in WITH_IMAGES if node.spec.node_type not in MEASURES | NEEDS_FILE]
SENSITIVE = {
    "lib.pillow.filter.Canny",
    "lib.pillow.filter.FindEdges",
    "lib.pillow.filter.Contour",
    "lib.pillow.enhance.Equalize",
}
"""Nodes that make much of one tone's difference, which rounding may be."""

SHAPES = st.tuples(st.integers(8, 40), st.integers(8, 40), st.sampled_from(["smooth", "edge"]))


def pattern(width: int, height: int, kind: str) -> Image.Image:
    """Smooth colours, or the hard edge at which resampling overshoots."""
    image = scene(width, height)
    if kind == "edge":
        image = Image.new("RGB", (width, height), (20, 30, 40))
        image.paste("white", (width // 2, 0, width, height))
    return image


def stored(image: Image.Image, mode: str, white: float) -> Image.Image:
    if mode in WHITES:
        tones = np.asarray(image.convert("L"), np.float64) / 255 * white
        return Image.fromarray(tones.astype(np.float32 if mode == "F" else np.int32))
    if mode == "LAB":
        from PIL import ImageCms

        lab = ImageCms.profileToProfile(
            image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert lab is not None
        return lab
    return in_every_way(image, mode)


def shown(result: Any) -> list[np.ndarray[Any, Any]]:
    """Return how the images of a result look: sRGB on white."""
    return [
        np.asarray(in_mode(in_srgb(in_mode(image, "RGBA")), "RGB"), float)
        for image in images_in(result)
    ]


def differences(first: Any, second: Any) -> list[float]:
    ones, others = shown(first), shown(second)
    assert [one.shape for one in ones] == [other.shape for other in others]
    return [float(np.abs(one - other).mean()) for one, other in zip(ones, others, strict=True)]


@pytest.mark.parametrize("node", NODES, ids=name_of)
@settings(max_examples=12)
@given(mode=st.sampled_from(MODES), scale=st.integers(0, 2), shape=SHAPES)
def test_i1_no_mode_gives_a_black_or_shifted_result(
    node: type[Node], mode: str, scale: int, shape: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runner = NodeRunner(tmp_path_factory.getbasetemp())
    whites = WHITES.get(mode, (255.0,))
    source = stored(pattern(*shape), mode, whites[scale % len(whites)])
    plain = in_mode(
        source,
        (
            "L"
            if mode in GREY - {"LA"}
            else "LA"
            if mode == "LA"
            else "RGBA"
            if source.has_transparency_data
            else "RGB"
        ),
    )
    for difference in differences(
        *(runner(node(**values(node, ImageData.of(image)))) for image in (source, plain))
    ):
        assert difference < (25 if node.spec.node_type in SENSITIVE else 3)


def muted(seed: int) -> Image.Image:
    """Return colours that sRGB and Display P3 both have."""
    image = Image.blend(scene(24, 16), Image.new("RGB", (24, 16), "grey"), 0.6)
    return image if seed == 0 else image.transpose(Image.Transpose.ROTATE_180)


def slots(node: type[Node]) -> int:
    """Return how many images a node puts together, as far as the test gives it some."""
    images = [prop for prop in node.spec.properties.values() if takes_images(prop)]
    return max(
        len(images),
        2 if any(is_assignable(list[ImageRef], prop.annotation) for prop in images) else 0,
    )


MIXING = [node for node in NODES if slots(node) > 1]
COMPUTING = {
    "lib.pillow.compare.Difference",
    "lib.pillow.compare.TransferColor",
    "lib.pillow.compare.TransferLight",
    "lib.pillow.mask.ShowMask",
}
"""Nodes that reckon with the numbers themselves, which depend a little on the space."""

WITHOUT_PROFILE = {"lib.pillow.compare.Difference", "lib.pillow.MergeChannels"}
"""Nodes whose result is made of numbers or of greys, and is sRGB."""


def several(node: type[Node], images: list[Image.Image]) -> dict[str, Any]:
    """
    Return the images in the order of the properties that take them.

    The last one for all that are left.
    """
    given = values(node, ImageData.of(images[-1]))
    left = list(images)
    for prop in node.spec.properties.values():
        if takes_images(prop) and left:
            is_one = is_assignable(ImageRef, prop.annotation)
            given[prop.name] = (
                ImageData.of(left.pop(0))
                if is_one
                else [ImageData.of(left.pop(0)) for _ in list(left)]
            )
    return given


@pytest.mark.parametrize("node", MIXING, ids=name_of)
@pytest.mark.parametrize("wide", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_i2_images_in_different_profiles_meet_in_one(
    node: type[Node], wide: tuple[bool, bool], mode: str, run_node: NodeRunner
) -> None:
    images = [
        in_profile(muted(index).convert(mode), display_p3() if is_wide else None)
        for index, is_wide in enumerate(wide)
    ]
    expected = run_node(node(**several(node, [in_srgb(image) for image in images])))
    result = run_node(node(**several(node, images)))
    computes = node.spec.node_type in COMPUTING
    for difference in differences(result, expected):
        assert difference < (12 if computes else 1.5)
    made = next(images_in(result))
    if made.mode in ("RGB", "RGBA") and node.spec.node_type not in WITHOUT_PROFILE:
        assert profile_of(made) == profile_of(images[0]), (
            "the result is in the profile of the first"
        )


@pytest.mark.parametrize("node", MIXING, ids=name_of)
def test_i2_grey_in_a_profile_of_its_own_meets_colours(
    node: type[Node], run_node: NodeRunner
) -> None:
    grey = in_profile(muted(0).convert("L"), grey_gamma())
    for pair in ([grey, muted(1)], [muted(1), grey], [grey, in_profile(muted(1), display_p3())]):
        expected = run_node(node(**several(node, [in_srgb(image) for image in pair])))
        for difference in differences(run_node(node(**several(node, pair))), expected):
            assert difference < 3


def test_tones_of_16_bits_are_kept_or_their_loss_is_said(run_node: NodeRunner) -> None:
    """Of nodes that give images; `docs/guides/which-node.md` names those that keep them."""
    deep = Image.fromarray(np.asarray(scene().convert("L"), np.uint16) * 257 + 3)
    kept, silent = set(), set()
    for node in NODES:
        if node.spec.node_type in NEEDS_FILE | {"nodetool.output.Output"}:
            continue
        runner = NodeRunner(run_node.base)
        found = list(images_in(runner(node(**values(node, ImageData.of(deep))))))
        if found and all(image.mode in DEEP_MODES for image in found):
            kept.add(node.__name__)
        elif found and not any(BITS_LOST in warning for warning in runner.warnings()):
            silent.add(node.spec.node_type)
    assert silent == set()
    page = (Path(__file__).parents[2] / "docs/guides/which-node.md").read_text("utf-8")
    promised = page.partition("## Sixteen bits")[2].partition(", and SaveImageFile")[0]
    named = set(promised.partition("16 bits: ")[2].split(", "))
    assert named and named <= kept


def given_colours(node: type[Node]) -> dict[str, Any]:
    """Return a value for each property that takes one colour or several."""
    one = ColorRef(value="#3080ff")
    found: dict[str, Any] = {}
    for prop in node.spec.properties.values():
        kinds = [strip(kind) for kind in union_members(prop.annotation)]
        if ColorRef in kinds:
            found[prop.name] = one
        elif list[ColorRef] in kinds:
            found[prop.name] = [one, one]
    return found


COLOURED = [node for node in NODES if given_colours(node) and slots(node) > 0]


@pytest.mark.parametrize("node", COLOURED, ids=name_of)
def test_a_given_colour_looks_alike_in_every_profile(
    node: type[Node], run_node: NodeRunner
) -> None:
    grey = Image.new("RGB", (24, 16), "#808080")
    plain, wide = (
        run_node(node(**values(node, ImageData.of(image)) | given_colours(node)))
        for image in (grey, tagged(grey, display_p3()))
    )
    assert max(differences(plain, wide), default=0) < 2


def test_a_green_screen_in_display_p3_is_keyed(run_node: NodeRunner) -> None:
    screen = Image.new("RGB", (24, 16), "#00b140")
    screen.paste("#b07060", (8, 4, 16, 12))
    expected = run_node(ChromaKey(image=ImageData.of(screen)))
    seen = run_node(ChromaKey(image=ImageData.of(in_profile(screen, display_p3()))))
    assert expected.output.image.getextrema() == (0, 255)
    assert differences(expected, seen)[0] < 2
    assert seen.cutout.image.info["icc_profile"] == display_p3()
