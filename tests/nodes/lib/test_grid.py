from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodes._fonts import SHIPPED
from nodes.lib.grid import CombineImageGrid, SliceImageGrid
from nodes.lib.pillow.compare import BeforeAfter
from nodetool_core import ColorRef, FontRef, ImageData, ImageRef, NodeError, RunCancelled
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner


def tile(colour: str, width: int = 10, height: int = 10, mode: str = "RGB") -> ImageRef:
    return ImageData.of(Image.new("RGBA", (width, height), colour).convert(mode))


FOUR = [tile(colour) for colour in ("red", "lime", "blue", "black")]


@pytest.mark.parametrize(
    ("count", "columns", "size"),
    [
        (4, 0, (20, 20)),
        (4, 4, (40, 10)),
        (4, 1, (10, 40)),
        (3, 2, (20, 20)),
        (1, 0, (10, 10)),
        (2, 9, (20, 10)),
        (5, 0, (30, 20)),
    ],
)
def test_sheets_have_rows_and_columns(
    count: int, columns: int, size: tuple[int, int], run_node: NodeRunner
) -> None:
    tiles = [tile("red")] * count
    assert run_node(CombineImageGrid(tiles=tiles, columns=columns)).image.size == size


def test_images_go_row_by_row(run_node: NodeRunner) -> None:
    sheet = run_node(CombineImageGrid(tiles=FOUR, columns=2)).image
    assert [sheet.getpixel(at) for at in ((5, 5), (15, 5), (5, 15), (15, 15))] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (0, 0, 0),
    ]


def test_smaller_images_are_centred_on_the_background(run_node: NodeRunner) -> None:
    tiles = [tile("red", 20, 10), tile("blue", 4, 30)]
    sheet = run_node(
        CombineImageGrid(tiles=tiles, columns=1, gap=3, background=ColorRef(value="#00ff00"))
    ).image
    assert sheet.size == (3 + 20 + 3, 3 + 10 + 3 + 30 + 3)
    assert sheet.getpixel((0, 0)) == (0, 255, 0) and sheet.getpixel((4, 20)) == (0, 255, 0)
    assert sheet.getpixel((13, 20)) == (0, 0, 255) and sheet.getpixel((13, 5)) == (255, 0, 0)


def test_labels_stand_below_their_images(run_node: NodeRunner) -> None:
    tiles = [tile("red", 120, 120), tile("blue", 120, 120)]
    plain = run_node(CombineImageGrid(tiles=tiles, columns=2, gap=4)).image
    sheet = run_node(CombineImageGrid(tiles=tiles, columns=2, gap=4, labels=["before"])).image
    assert sheet.width == plain.width and sheet.height > plain.height
    assert (
        difference(sheet.crop((0, 0, sheet.width, 124)), plain.crop((0, 0, plain.width, 124))) == 0
    )
    strip = np.asarray(sheet.convert("L"))[124 : sheet.height - 4]
    assert strip[:, 4:124].min() < 100 and strip[:, 128:].min() == 255, (
        "one label, under the first image"
    )


@pytest.mark.parametrize(
    ("background", "ink"), [("#ffffff", 0), ("#101010", 255), ("#ffffff00", 0)]
)
def test_labels_can_be_read_on_any_background(
    background: str, ink: int, run_node: NodeRunner
) -> None:
    sheet = run_node(
        CombineImageGrid(
            tiles=[tile("red", 120, 120)], labels=["before"], background=ColorRef(value=background)
        )
    ).image
    strip = np.asarray(sheet)[122:, :, 0]
    assert np.abs(strip.astype(int) - ink).min() < 40


def test_long_labels_stay_in_their_column(run_node: NodeRunner) -> None:
    sheet = run_node(
        CombineImageGrid(
            tiles=[tile("red", 40, 40)] * 2,
            columns=2,
            gap=8,
            labels=["a very long label indeed " * 9, ""],
        )
    ).image
    strip = np.asarray(sheet.convert("L"))[50:]
    assert strip[:, 8:48].min() < 128 and strip[:, 50:].min() == 255


@pytest.mark.parametrize(
    "label", ["x" * 20_000, "word " * 200_000, "\n" * 100_000, "é\u0301" * 50_000, "ﷺ" * 9_999]
)
def test_i3_a_label_of_any_length_is_cut_short(label: str, run_node: NodeRunner) -> None:
    tiles = [tile("red", 40, 40)] * 2
    sheet, usual = (
        run_node(CombineImageGrid(tiles=tiles, columns=2, gap=8, labels=[text, ""])).image
        for text in (label, label[:400])
    )
    assert difference(sheet, usual) == 0


def test_i3_measuring_labels_can_be_cancelled(run_node: NodeRunner) -> None:
    run_node.cancelled.set()
    with pytest.raises(RunCancelled):
        run_node(CombineImageGrid(tiles=FOUR, labels=["a", "b"]))


def test_i4_labels_are_drawn_in_the_font_asked_for(run_node: NodeRunner, tmp_path: Path) -> None:
    shutil.copy(SHIPPED, tmp_path / "own.ttf")
    tiles = [tile("red", 120, 120)]
    usual, same = (
        run_node(CombineImageGrid(tiles=tiles, labels=["größer"], font=FontRef(name=name))).image
        for name in ("", "own.ttf")
    )
    assert difference(usual, same) == 0 and run_node.warnings() == []
    run_node(
        BeforeAfter(
            before=tiles[0],
            after=tiles[0],
            labels=["vorher", "sp\uffffter"],
            font=FontRef(name="own.ttf"),
        )
    )
    assert "has \uffff: boxes" in run_node.warnings()[0]
    with pytest.raises(NodeError, match="no font 'No Such Sans'"):
        run_node(CombineImageGrid(tiles=tiles, labels=["a"], font=FontRef(name="No Such Sans")))


def test_transparent_tiles_stay_transparent(run_node: NodeRunner) -> None:
    sheet = run_node(
        CombineImageGrid(tiles=[tile("#ff000080", mode="RGBA"), tile("blue")], columns=2)
    ).image
    assert sheet.getpixel((5, 5)) == (255, 0, 0, 128) and sheet.getpixel((15, 5)) == (
        0,
        0,
        255,
        255,
    )
    assert run_node(
        CombineImageGrid(tiles=FOUR[:3], background=ColorRef(value="#00000000"))
    ).image.getpixel((15, 15)) == (0, 0, 0, 0)


def test_sheets_that_can_not_be_made(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="no images"):
        run_node(CombineImageGrid(tiles=[]))
    with pytest.raises(NodeError, match="2 labels for 1 images"):
        run_node(CombineImageGrid(tiles=FOUR[:1], labels=["a", "b"]))
    with pytest.raises(NodeError, match="20000 x 1 pixels"):
        run_node(CombineImageGrid(tiles=[tile("red", 10_000, 1)] * 2, columns=2))


@pytest.mark.parametrize(
    ("columns", "rows", "count"),
    [(2, 2, 4), (4, 3, 12), (0, 2, 6), (4, 0, 8), (0, 0, 2), (1, 1, 1), (40, 24, 960)],
)
def test_a_image_is_cut_into_tiles(
    columns: int, rows: int, count: int, run_node: NodeRunner
) -> None:
    assert (
        len(run_node(SliceImageGrid(image=ImageData.of(scene()), columns=columns, rows=rows)))
        == count
    )


@settings(max_examples=40, deadline=None)
@given(data=st.data(), width=st.integers(1, 40), height=st.integers(1, 40))
def test_cutting_and_combining_gives_the_image_back(
    data: st.DataObject, width: int, height: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns, rows = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    run = NodeRunner(tmp_path_factory.getbasetemp())
    tiles = run(
        SliceImageGrid(image=ImageData.of(scene(width, height)), columns=columns, rows=rows)
    )
    assert (
        difference(run(CombineImageGrid(tiles=tiles, columns=columns)).image, scene(width, height))
        == 0
    )


def test_more_tiles_than_anybody_looks_at(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="300 x 300 tiles are more than the 65536"):
        run_node(SliceImageGrid(image=ImageData.of(scene(300, 300)), columns=300, rows=300))


def test_more_tiles_than_pixels(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="40 x 24 pixels can't be cut into 41 x 1"):
        run_node(SliceImageGrid(image=ImageData.of(scene()), columns=41, rows=1))
