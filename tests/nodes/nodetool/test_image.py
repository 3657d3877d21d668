from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodes._geometry import fitted_size
from nodes.nodetool.image import (
    BatchToList,
    Crop,
    Fit,
    GetMetadata,
    ImagesToList,
    Paste,
    Resize,
    Scale,
)
from nodetool_core import ImageData, ImageRef, Node, NodeError, WorkflowError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


def image(width: int = 40, height: int = 24, mode: str = "RGB") -> ImageData:
    return ImageData.of(scene(width, height).convert(mode))


def test_resize_gives_the_size_asked_for(run_node: NodeRunner) -> None:
    resized = run_node(Resize(image=image(400, 240), width=40, height=24)).image
    assert difference(resized, scene()) < 2


@pytest.mark.parametrize("node", [Resize, Fit])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_can_be_resampled(mode: str, node: type[Node], run_node: NodeRunner) -> None:
    image = (
        Image.new(mode, (9, 7))
        if mode in ("I;16", "PA")
        else scene(9, 7).convert("L").convert(mode)
        if mode in ("I", "F")
        else None
    )
    source = ImageData.of(image or scene(9, 7).convert(mode))
    assert run_node(node(image=source, width=5, height=5)).image.size == (
        (5, 5) if node is Resize else (5, 4)
    )


def test_palettes_and_bilevel_images_become_smooth(run_node: NodeRunner) -> None:
    stripes = Image.fromarray(np.tile(np.array([[0, 255]], np.uint8), (8, 32)))
    for source in (stripes.convert("1"), stripes.convert("P")):
        small = np.asarray(
            run_node(Resize(image=ImageData.of(source), width=8, height=2)).image.convert("L")
        )
        assert 100 < small.mean() < 156 and small.std() < 30


def test_hidden_colours_leave_no_fringe(run_node: NodeRunner) -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    small = np.asarray(run_node(Resize(image=ImageData.of(image), width=15, height=15)).image)
    visible = small[small[..., 3] > 8]
    assert visible[:, 0].max() <= 2 and visible[:, 2].min() >= 250


def test_a_colour_key_is_not_averaged(run_node: NodeRunner) -> None:
    image = Image.new("RGB", (8, 8), (255, 0, 255))
    image.info["transparency"] = (255, 0, 255)
    small = run_node(Resize(image=ImageData.of(image), width=3, height=3)).image
    assert small.mode == "RGBA" and small.getpixel((1, 1))[3] == 0


@given(
    size=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
    box=st.tuples(st.integers(1, 16_384), st.integers(1, 16_384)),
)
def test_fitted_sizes(size: tuple[int, int], box: tuple[int, int]) -> None:
    width, height = fitted_size(size, box)
    assert 1 <= width <= box[0] and 1 <= height <= box[1]
    assert width == box[0] or height == box[1], "as large as the box allows"
    scale = min(box[0] / size[0], box[1] / size[1])
    assert (
        abs(width - max(1, size[0] * scale)) <= 0.51
        and abs(height - max(1, size[1] * scale)) <= 0.51
    ), "nearest pixel"


@pytest.mark.parametrize(
    ("box", "expected"),
    [((20, 20), (20, 12)), ((80, 30), (50, 30)), ((40, 24), (40, 24)), ((1, 1), (1, 1))],
)
def test_fit_keeps_the_shape(
    box: tuple[int, int], expected: tuple[int, int], run_node: NodeRunner
) -> None:
    fitted = run_node(Fit(image=image(), width=box[0], height=box[1])).image
    assert fitted.size == expected


@pytest.mark.parametrize(
    ("scale", "expected"), [(1.0, (40, 24)), (0.5, (20, 12)), (2.0, (80, 48)), (0.0001, (1, 1))]
)
def test_scale(scale: float, expected: tuple[int, int], run_node: NodeRunner) -> None:
    assert run_node(Scale(image=image(), scale=scale)).image.size == expected


def test_sizes_that_can_not_be_made(run_node: NodeRunner) -> None:
    with pytest.raises(WorkflowError, match=r"Resize\.width: 0 is below 1"):
        Resize(image=image(), width=0)
    with pytest.raises(WorkflowError, match="not above"):
        Scale(image=image(), scale=0.0)
    with pytest.raises(NodeError, match="16000 x 16000"):
        run_node(Resize(image=image(), width=16_000, height=16_000))
    with pytest.raises(NodeError, match="20000 x 10"):
        run_node(Scale(image=image(2000, 1), scale=10.0))


def test_crop_takes_exactly_the_rectangle(run_node: NodeRunner) -> None:
    cut = run_node(Crop(image=image(), left=3, top=4, right=13, bottom=24)).image
    assert np.array_equal(np.asarray(cut), np.asarray(scene())[4:24, 3:13])


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ((0, 0, 41, 24), "has 40 x 24 pixels"),
        ((0, 0, 40, 25), "bottom at most 24"),
        ((5, 0, 5, 9), "empty"),
        ((9, 0, 3, 9), "right has to be"),
    ],
)
def test_a_rectangle_that_is_not_there(
    box: tuple[int, int, int, int], says: str, run_node: NodeRunner
) -> None:
    left, top, right, bottom = box
    with pytest.raises(NodeError, match=says):
        run_node(Crop(image=image(), left=left, top=top, right=right, bottom=bottom))


def test_crop_and_paste_undo_each_other(run_node: NodeRunner) -> None:
    cut = run_node(Crop(image=image(), left=3, top=4, right=13, bottom=24))
    hole = scene()
    hole.paste((0, 0, 0), (3, 4, 13, 24))
    again = run_node(Paste(image=ImageData.of(hole), paste=cut, left=3, top=4)).image
    assert difference(again, scene()) == 0


def test_paste_shows_what_is_below_transparent_pixels(run_node: NodeRunner) -> None:
    glass = ImageData.of(Image.new("RGBA", (10, 10), (255, 255, 255, 0)))
    source = image()
    assert (
        difference(run_node(Paste(image=source, paste=glass, left=35, top=20)).image, scene()) == 0
    )
    half = ImageData.of(Image.new("RGBA", (4, 4), (255, 255, 255, 128)))
    black = ImageData.of(Image.new("RGB", (4, 4)))
    assert run_node(Paste(image=black, paste=half)).image.getpixel((0, 0)) == (128, 128, 128)
    assert difference(source.image, scene()) == 0, "the source is not changed"


@pytest.mark.parametrize(
    ("below", "above", "result"),
    [
        ("RGB", "RGBA", "RGB"),
        ("RGBA", "RGB", "RGBA"),
        ("L", "L", "L"),
        ("L", "RGB", "RGB"),
        ("P", "L", "RGB"),
    ],
)
def test_paste_keeps_the_lower_images_kind(
    below: str, above: str, result: str, run_node: NodeRunner
) -> None:
    assert run_node(Paste(image=image(mode=below), paste=image(5, 5, above))).image.mode == result


def test_i15_paste_cuts_off_what_reaches_over_any_edge(run_node: NodeRunner) -> None:
    patch = scene(10, 8)
    for left, top in [(-4, -3), (-9, 20), (35, -7), (0, 0)]:
        whole = Image.new("RGB", (60, 40))
        whole.paste(scene(), (10, 8))
        whole.paste(patch, (10 + left, 8 + top))
        pasted = run_node(Paste(image=image(), paste=ImageData.of(patch), left=left, top=top)).image
        assert difference(pasted, whole.crop((10, 8, 50, 32))) == 0


@pytest.mark.parametrize("place", [(40, 0), (-40, 0), (0, 24), (0, -24), (-(10**9), 10**9)])
def test_paste_outside_is_an_error(place: tuple[int, int], run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match=r"left can be -39 to 39, top -23 to 23"):
        run_node(Paste(image=image(), paste=image(), left=place[0], top=place[1]))


def test_metadata(run_node: NodeRunner, tmp_path: Path) -> None:
    glass = scene().convert("RGBA")
    glass.putalpha(128)
    glass.save(tmp_path / "a.webp", lossless=True)
    found = tuple(run_node(GetMetadata(image=ImageRef(uri="a.webp"))))
    assert found[:5] == ("WEBP", "RGBA", 40, 24, 4)
    scene().convert("L").save(tmp_path / "a.jpg")
    found = tuple(run_node(GetMetadata(image=ImageRef(uri="a.jpg"))))
    assert found[:5] == ("JPEG", "L", 40, 24, 1)
    found = tuple(run_node(GetMetadata(image=image(mode="RGBA"))))
    assert found[:5] == ("", "RGBA", 40, 24, 4)


def test_images_to_list_orders_by_name(run_node: NodeRunner) -> None:
    first, second = image(1, 1), image(2, 2)
    found = run_node(
        ImagesToList(
            image_10="c.png", image_2=second, image_1=first, b={"type": "image", "uri": "b.png"}
        )
    )
    assert found == [ImageRef(uri="b.png"), first, second, ImageRef(uri="c.png")]
    assert run_node(ImagesToList()) == []
    with pytest.raises(NodeError, match="'size' is int"):
        run_node(ImagesToList(size=3))


def test_resize_can_crop_to_the_new_shape(run_node: NodeRunner) -> None:
    stripes = Image.new("RGB", (60, 20), "red")
    stripes.paste("blue", (20, 0, 40, 20))
    cropped = run_node(Resize(image=ImageData.of(stripes), width=10, height=10, fit="crop")).image
    assert (
        cropped.size == (10, 10)
        and cropped.getextrema()[0][1] < 20
        and cropped.getextrema()[2][0] > 235
    )
    stretched = run_node(Resize(image=ImageData.of(stripes), width=12, height=10)).image
    assert stretched.getpixel((1, 5))[0] > 200 < stretched.getpixel((10, 5))[0]


def test_a_batch_becomes_a_list(run_node: NodeRunner) -> None:
    first, second = image(1, 1), image(2, 2)
    assert run_node(BatchToList(batch=first)) == [first]
    assert run_node(BatchToList(batch=[first, second])) == [first, second]
