from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFilter

from nodes.lib.pillow import mask as masks
from nodes.nodetool.output import Output
from nodetool_core import ImageData, Node, NodeError, Workflow
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass

TONES = arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)))


def disc() -> Image.Image:
    y, x = np.mgrid[:40, :60]
    return Image.fromarray((((x - 30) ** 2 + (y - 20) ** 2 < 100) * 255).astype(np.uint8))


def test_a_threshold_divides(run_node: NodeRunner) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    bright, dark = (
        np.asarray(
            run_node(masks.Threshold(image=ImageData.of(ramp), threshold=100, select=s)).image
        )
        for s in ("bright", "dark")
    )
    assert np.array_equal(bright[0], (np.arange(256) >= 100) * 255) and np.array_equal(
        dark, 255 - bright
    )


def test_the_mask_of_an_alpha(run_node: NodeRunner) -> None:
    image = scene().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    opaque = run_node(masks.FromAlpha(image=ImageData.of(image))).image
    assert difference(opaque, image.getchannel("A")) == 0
    hole = run_node(masks.FromAlpha(image=ImageData.of(image), select="transparent")).image
    assert np.array_equal(np.asarray(hole), 255 - np.asarray(opaque))
    assert set(run_node(masks.FromAlpha(image=ImageData.of(scene()))).image.tobytes()) == {255}


@settings(max_examples=60, deadline=None)
@given(tones=TONES, pixels=st.integers(0, 12))
def test_growing_is_the_greatest_of_the_surroundings(
    tmp_path_factory: pytest.TempPathFactory, tones: Any, pixels: int
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    padded = np.pad(tones, pixels)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * pixels + 1, 2 * pixels + 1))
    grown = np.asarray(
        run(masks.Grow(mask=ImageData.of(Image.fromarray(tones)), pixels=pixels)).image
    )
    assert np.array_equal(grown, windows.max(axis=(2, 3)))
    shrunk = np.asarray(
        run(masks.Grow(mask=ImageData.of(Image.fromarray(255 - tones)), pixels=-pixels)).image
    )
    assert np.array_equal(255 - shrunk, grown), "shrinking grows the outside"


def test_growing_equals_pillows_filter(run_node: NodeRunner) -> None:
    inner = disc()
    assert (
        difference(
            run_node(masks.Grow(mask=ImageData.of(inner), pixels=3)).image,
            inner.filter(ImageFilter.MaxFilter(7)),
        )
        == 0
    )


def test_a_feather_is_soft_and_keeps_the_area(run_node: NodeRunner) -> None:
    soft = np.asarray(run_node(masks.Feather(mask=ImageData.of(disc()), radius=3.0)).image, float)
    hard = np.asarray(disc(), float)
    assert (
        abs(soft.sum() / hard.sum() - 1) < 0.02 and 0 < soft[20, 40] < 255 and soft[20, 30] == 255
    )
    assert (
        difference(run_node(masks.Feather(mask=ImageData.of(disc()), radius=0.0)).image, disc())
        == 0
    )


@settings(max_examples=30, deadline=None)
@given(arrays(np.bool_, (2, 6, 7)))
def test_masks_combine_like_sets(tmp_path_factory: pytest.TempPathFactory, both: Any) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    first, second = (ImageData.of(Image.fromarray(part.astype(np.uint8) * 255)) for part in both)
    a, b = both
    expected = {"union": a | b, "intersection": a & b, "subtract": a & ~b, "difference": a ^ b}
    for operation, inside in expected.items():
        made = run(masks.CombineMasks(a=first, b=second, operation=operation)).image
        assert np.array_equal(np.asarray(made) > 0, inside), operation


def test_inverting_a_mask_twice(run_node: NodeRunner) -> None:
    once = run_node(masks.InvertMask(mask=ImageData.of(disc())))
    assert (
        once.image.getpixel((30, 20)) == 0
        and difference(run_node(masks.InvertMask(mask=once)).image, disc()) == 0
    )


def test_a_mask_becomes_the_alpha(run_node: NodeRunner) -> None:
    image = scene(60, 40)
    cut = run_node(masks.ApplyMask(image=ImageData.of(image), mask=ImageData.of(disc()))).image
    assert (
        difference(cut.getchannel("A"), disc()) == 0 and difference(cut.convert("RGB"), image) == 0
    )
    assert (
        run_node(
            masks.ApplyMask(image=ImageData.of(glass(image)), mask=ImageData.of(disc()))
        ).image.getpixel((30, 20))[3]
        == 128
    )
    assert (
        run_node(
            masks.ApplyMask(image=ImageData.of(image.convert("L")), mask=ImageData.of(disc()))
        ).image.mode
        == "LA"
    )


def test_masks_of_another_size(run_node: NodeRunner) -> None:
    nodes: list[Node] = [
        masks.ApplyMask(image=ImageData.of(scene()), mask=ImageData.of(disc())),
        masks.CombineMasks(a=ImageData.of(scene()), b=ImageData.of(disc())),
    ]
    for node in nodes:
        with pytest.raises(NodeError, match="differ in size: 40 x 24 and 60 x 40 pixels"):
            run_node(node)


def test_room_for_outpainting(run_node: NodeRunner) -> None:
    made = run_node(
        masks.PadForOutpainting(image=ImageData.of(scene()), left=5, bottom=7, feather=0)
    )
    assert made.output.image.size == made.mask.image.size == (45, 31)
    assert difference(
        made.output.image.crop((5, 0, 45, 24)), scene()
    ) == 0 and made.output.image.getpixel((0, 0)) == (128, 128, 128)
    mask = np.asarray(made.mask.image)
    assert (mask[:24, 5:] == 0).all() and (mask[24:] == 255).all() and (mask[:, :5] == 255).all()


def test_i14_the_padded_image_is_an_output_of_its_own(tmp_path: Path) -> None:
    pad = masks.PadForOutpainting(image=ImageData.of(scene()).inline(), left=5)
    workflow = Workflow(Output(name="image", value=pad.output), Output(name="mask", value=pad.mask))
    assert workflow.run()["image"].image.size == (45, 24)
    # A file from before, in which that output was called as the property is.
    old = json.loads(
        json.dumps(workflow.document.to_json()).replace(
            '"sourceHandle": "output"', '"sourceHandle": "image"'
        )
    )
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert Workflow.load(tmp_path / "old.json").run()["image"].image.size == (45, 24)


def test_the_edge_towards_the_room_is_feathered(run_node: NodeRunner) -> None:
    mask = np.asarray(
        run_node(
            masks.PadForOutpainting(image=ImageData.of(scene()), left=5, feather=10)
        ).mask.image
    )
    line = mask[12].astype(int)
    assert (np.diff(line) <= 0).all() and line[4] == 255 > line[5] > 200 and line[16:].max() == 0, (
        "only towards the left is room"
    )


def test_a_mask_over_a_part_of_another(run_node: NodeRunner) -> None:
    soft = ImageData.of(Image.new("L", (20, 10), 100))
    below = ImageData.of(Image.new("L", (30, 20), 120))

    def made(operation: str, **properties: Any) -> Any:
        given: dict[str, Any] = {"operation": operation, "covers": "part", **properties}
        return np.asarray(run_node(masks.CombineMasks(a=below, b=soft, **given)).image)

    placed = made("add", left=15, top=15)
    assert (placed[15:, 15:] == 220).all()
    assert (placed[:15] == 120).all() and (placed[:, :15] == 120).all()
    assert (made("multiply")[:10, :20] == round(100 * 120 / 255)).all()
    assert (made("union", left=30) == 120).all()


def test_a_mask_fades_to_the_sides(run_node: NodeRunner) -> None:
    white = ImageData.of(Image.new("L", (10, 8), 255))
    faded = np.asarray(run_node(masks.FadeToSides(mask=white, left=4, bottom=2)).image)
    assert faded[0].tolist() == [64, 128, 191, *[255] * 7]
    assert faded[:, 9].tolist() == [*[255] * 7, 128]
    assert faded[7, 0] == 32
    wide = np.asarray(run_node(masks.FadeToSides(mask=white, right=50)).image)
    assert wide[0].tolist() == [round(255 * (10 - x) / 10) for x in range(10)]
    same = run_node(masks.FadeToSides(mask=ImageData.of(disc()))).image
    assert difference(same, disc()) == 0
