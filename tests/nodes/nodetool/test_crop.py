"""Parts of an image, and what is pasted back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodes._geometry import Anchor
from nodes.nodetool.image import (
    Crop,
    CropToMask,
    PasteBack,
)
from nodetool_core import ImageData, NodeError
from nodetool_core.errors import WorkflowError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.nodetool.geometry import apart, array, image, smooth_noise


@pytest.mark.parametrize(
    ("properties", "box"),
    [
        ({"by": "aspect", "aspect": "1:1"}, (8, 0, 32, 24)),
        ({"by": "aspect", "aspect": "1:1", "anchor": "right"}, (16, 0, 40, 24)),
        ({"by": "aspect", "aspect": "4:1"}, (0, 7, 40, 17)),
        ({"by": "size", "width": 10, "height": 4, "anchor": "bottom_right"}, (30, 20, 40, 24)),
        ({"by": "box", "box": [1, 2, 3, 4]}, (1, 2, 3, 4)),
    ],
)
def test_crops(
    properties: dict[str, Any], box: tuple[int, int, int, int], run_node: NodeRunner
) -> None:
    assert difference(run_node(Crop(image=image(), **properties)).image, scene().crop(box)) == 0


def test_a_size_that_the_image_does_not_have(run_node: NodeRunner) -> None:
    for width, height in [(41, 4), (10, 25)]:
        with pytest.raises(NodeError, match=f"40 x 24 pixels, so that {width} x {height}"):
            run_node(Crop(image=image(), by="size", width=width, height=height))


def masked(box: tuple[int, int, int, int], width: int = 120, height: int = 90) -> ImageData:
    mask = Image.new("L", (width, height))
    mask.paste(255, box)
    return ImageData.of(mask)


@settings(max_examples=60, deadline=None)
@given(
    left=st.integers(0, 100),
    top=st.integers(0, 70),
    width=st.integers(1, 20),
    height=st.integers(1, 20),
    margin=st.integers(0, 60),
    least=st.integers(1, 130),
    multiple=st.sampled_from([1, 8, 64]),
)
def test_a_part_holds_the_mask_and_lies_in_the_image(
    tmp_path_factory: pytest.TempPathFactory,
    left: int,
    top: int,
    width: int,
    height: int,
    margin: int,
    least: int,
    multiple: int,
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    inside = (left, top, left + width, top + height)
    part = run(
        CropToMask(
            image=image(120, 90),
            mask=masked(inside),
            margin=margin,
            min_width=least,
            multiple_of=multiple,
        )
    )
    box = part.box
    assert 0 <= box[0] <= left and 0 <= box[1] <= top
    assert inside[2] <= box[2] <= 120 and inside[3] <= box[3] <= 90
    assert difference(part.output.image, scene(120, 90).crop(box)) == 0
    assert part.part_mask.image.size == part.output.image.size
    assert box[2] - box[0] >= min(least, 64 if multiple == 64 else 120)
    assert (box[3] - box[1]) % multiple == 0


def test_a_part_of_an_aspect_ratio(run_node: NodeRunner) -> None:
    node = CropToMask(
        image=image(120, 90), mask=masked((50, 40, 70, 44)), margin=2, aspect="1:1", multiple_of=1
    )
    assert run_node(node).box == [48, 30, 72, 54]


def test_a_mask_without_an_inside(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="nothing is inside"):
        run_node(CropToMask(image=image(120, 90), mask=masked((0, 0, 0, 0))))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("match", ["none", "mean", "mean_and_contrast"])
def test_an_unchanged_part_pasted_back_changes_nothing(
    mode: str, match: Any, run_node: NodeRunner
) -> None:
    source, mask = image(120, 90, mode), masked((50, 40, 70, 60))
    part = run_node(CropToMask(image=source, mask=mask, margin=10))
    for given_mask in (mask, part.part_mask, None):
        back = run_node(
            PasteBack(image=source, patch=part.output, box=part.box, mask=given_mask, match=match)
        ).image
        assert apart(array(back), array(source)) <= (0 if match == "none" else 1)


def test_a_part_is_brought_to_its_place_and_its_colours_to_those_around(
    run_node: NodeRunner,
) -> None:
    source = ImageData.of(smooth_noise(120, 90))
    mask = masked((50, 40, 70, 60))
    part = run_node(CropToMask(image=source, mask=mask, margin=16, multiple_of=1))
    large = part.output.image.resize((208, 208), Image.Resampling.BICUBIC)
    tinted = ImageData.of(large.point([min(255, tone + 40) for tone in range(256)] * 3))
    far = {
        match: difference(
            run_node(
                PasteBack(image=source, patch=tinted, box=part.box, mask=mask, match=match)
            ).image,
            source.image,
        )
        for match in ("none", "mean", "mean_and_contrast")
    }
    assert far["mean"] < far["none"] / 8 and far["mean_and_contrast"] < far["none"] / 8


def test_without_a_mask_the_seam_is_soft_except_along_the_edge(run_node: NodeRunner) -> None:
    black, white = (ImageData.of(Image.new("L", (60, 60), tone)) for tone in (0, 255))
    found = array(run_node(PasteBack(image=black, patch=white, box=[0, 20, 30, 40], feather=10)))
    row = found[30].astype(int)
    assert row[0] >= 240 and row[15] >= 240 and row[30] == 0
    assert row[20:30].tolist() == sorted(row[20:30].tolist(), reverse=True) and 100 < row[25] < 160


def test_every_anchor_is_a_choice() -> None:
    with pytest.raises(WorkflowError):
        Crop(image=image(), anchor="middle")  # type: ignore[arg-type]
    assert len(Anchor.__args__) == 9
