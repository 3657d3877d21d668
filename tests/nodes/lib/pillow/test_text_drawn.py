"""Text with an anchor, outline, shadow, plate and direction, and watermarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from nodes._bidi import base_direction, has_raqm
from nodes._fonts import SHIPPED
from nodes.lib.pillow.draw import RenderText, Watermark
from nodetool_core import ColorRef, ImageData, NodeError
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, pixels
from tests.nodes.lib.pillow.test_shapes import farthest
from tests.nodes.test_fonts import format_12, own_fonts, with_map

__all__ = ["own_fonts"]

WHITE = Image.new("RGB", (200, 120), "white")
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
ARABIC = "\u0645\u0631\u062d\u0628\u0627"


def written(run: NodeRunner, image: Image.Image = WHITE, **properties: Any) -> Image.Image:
    return run(
        RenderText(**{"image": ImageData.of(image), "text": "lake", "size": 24} | properties)
    ).image


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is not white."""
    rows, columns = np.nonzero((pixels(image)[..., :3] < 250).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_text_is_put_to_sides_and_corners(run_node: NodeRunner) -> None:
    width = ImageFont.truetype(SHIPPED, 24).getlength("lake")
    for anchor, (across, down) in {
        "top_left": (0, 0),
        "top": (0.5, 0),
        "right": (1, 0.5),
        "center": (0.5, 0.5),
        "bottom_right": (1, 1),
    }.items():
        left, top, right, bottom = ink(written(run_node, anchor=anchor))
        assert left == pytest.approx(across * (200 - width), abs=3) and right - left <= width + 1
        room = 120 - 28
        assert top == pytest.approx(down * room + 5, abs=4) and bottom <= 120
    moved = ink(written(run_node, anchor="bottom_right", x=-20, y=-10))
    plain = ink(written(run_node, anchor="bottom_right"))
    assert np.subtract(plain, moved).tolist() == [20, 10, 20, 10]


def test_several_lines_keep_together_at_the_bottom(run_node: NodeRunner) -> None:
    one = ink(written(run_node, text="g", anchor="bottom"))
    two = ink(written(run_node, text="g\ng", anchor="bottom"))
    assert two[3] == one[3] and two[1] < one[1] - 20


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5, 2.0])
def test_the_distance_of_lines(factor: float, run_node: NodeRunner) -> None:
    made = pixels(written(run_node, text="x\nx", line_height=factor))[..., 0]
    rows = np.flatnonzero((made < 128).any(axis=1))
    step = sum(ImageFont.truetype(SHIPPED, 24).getmetrics()) * factor
    assert rows[-1] - rows[0] == pytest.approx(step + 13, abs=1.5)


def test_an_outline_is_what_pillow_strokes(run_node: NodeRunner) -> None:
    made = written(
        run_node,
        x=20,
        y=20,
        outline=3,
        outline_color=ColorRef(value="#ff0000"),
        color=ColorRef(value="#0000ff"),
    )
    font = ImageFont.truetype(SHIPPED, 24)
    expected = WHITE.copy()
    place = (20, 20 + font.getmetrics()[0])
    drawing = ImageDraw.Draw(expected)
    drawing.text(place, "lake", "#ff0000", font, anchor="ls", stroke_width=3)
    drawing.text(place, "lake", "#0000ff", font, anchor="ls")
    assert farthest(made, expected) <= 2


def test_a_shadow_is_the_blur_of_the_letters(run_node: NodeRunner) -> None:
    made = written(
        run_node,
        x=20,
        y=20,
        color=ColorRef(value="#00000000"),
        shadow_x=7,
        shadow_y=5,
        shadow_blur=3.0,
        shadow_color=ColorRef(value="#000000"),
    )
    font = ImageFont.truetype(SHIPPED, 24)
    letters = Image.new("L", WHITE.size)
    ImageDraw.Draw(letters).text((27, 25 + font.getmetrics()[0]), "lake", 255, font, anchor="ls")
    # Letters that can't be seen have no shadow either.
    assert farthest(made, WHITE) == 0
    shown = written(
        run_node,
        x=20,
        y=20,
        color=ColorRef(value="#ffffff"),
        shadow_x=7,
        shadow_y=5,
        shadow_blur=3.0,
        shadow_color=ColorRef(value="#000000"),
    )
    expected = 255 - pixels(letters.filter(ImageFilter.GaussianBlur(3)))
    away = abs(pixels(shown)[..., 0] - expected)
    outside = (
        pixels(letters.transform(letters.size, Image.Transform.AFFINE, (1, 0, 7, 0, 1, 5))) == 0
    )
    assert away[outside].max() <= 2


def test_a_plate_lies_behind_the_text(run_node: NodeRunner) -> None:
    made = written(
        run_node,
        x=40,
        y=30,
        background=ColorRef(value="#ffff00"),
        padding=10,
        color=ColorRef(value="#000000"),
    )
    font = ImageFont.truetype(SHIPPED, 24)
    yellow = (pixels(made) == (255, 255, 0)).all(axis=2)
    rows, columns = np.nonzero(yellow)
    assert (columns.min(), rows.min()) == (30, 20)
    assert columns.max() + 1 == 50 + round(font.getlength("lake"))
    assert rows.max() + 1 == 40 + sum(font.getmetrics())
    half = written(run_node, x=40, y=30, background=ColorRef(value="#00000080"), padding=4)
    assert pixels(half)[30, 38, 0] == pytest.approx(127, abs=1)


def test_text_is_made_smaller_until_it_fits(run_node: NodeRunner) -> None:
    text = "a caption that is much too long for the box that it has to stand in " * 2
    node = {"text": text, "size": 60, "wrap": 180}
    tall = ink(written(run_node, Image.new("RGB", (200, 2000), "white"), **node))
    fitted = ink(written(run_node, max_height=80, **node))
    assert tall[3] > 400 and fitted[3] <= 80 and fitted[2] <= 181
    larger = ink(written(run_node, max_height=110, **node))
    assert fitted[3] < larger[3] <= 110, "as large as it can be"
    assert farthest(written(run_node, max_height=110), written(run_node)) == 0
    squeezed = written(run_node, max_height=1, **node)
    assert ink(squeezed)[3] > 1, "what does not fit in 4 pixels reaches over"


def test_text_on_glass_and_grey(run_node: NodeRunner) -> None:
    clear = glass(scene(80, 40), 0)
    made = written(run_node, clear, outline=2, outline_color=ColorRef(value="#ffffff"))
    assert made.mode == "RGBA" and made.getchannel("A").getextrema() == (0, 255)
    grey = written(run_node, scene(80, 40).convert("L"), color=ColorRef(value="#ff0000"))
    assert grey.mode == "RGB" and (pixels(grey)[..., 0] > pixels(grey)[..., 1] + 50).any()


@pytest.mark.parametrize(
    ("line", "direction"),
    [
        ("lake", "ltr"),
        (HEBREW, "rtl"),
        (f"12 {ARABIC} lake", "rtl"),
        (f"lake {HEBREW}", "ltr"),
        ("12!", "ltr"),
    ],
)
def test_the_first_letter_says_where_a_line_begins(line: str, direction: str) -> None:
    assert base_direction(line, "auto") == direction
    assert base_direction(line, "rtl") == "rtl"


@pytest.mark.skipif(not has_raqm(), reason="this Pillow has no Raqm")
@pytest.mark.parametrize("line", [HEBREW, ARABIC, f"{HEBREW} lake 12", f"lake {ARABIC}"])
def test_lines_from_right_to_left_are_what_raqm_sets(line: str, run_node: NodeRunner) -> None:
    made = written(run_node, text=line)
    font = ImageFont.truetype(SHIPPED, 24, layout_engine=ImageFont.Layout.RAQM)
    expected = WHITE.copy()
    ImageDraw.Draw(expected).text(
        (0, font.getmetrics()[0]),
        line,
        "black",
        font,
        anchor="ls",
        direction=base_direction(line, "auto"),
    )
    assert farthest(made, expected) <= 1
    assert run_node.warnings() == []


@pytest.mark.skipif(not has_raqm(), reason="this Pillow has no Raqm")
def test_the_direction_can_be_chosen(run_node: NodeRunner) -> None:
    first, second = (
        written(run_node, text=f"lake {HEBREW}", direction=way) for way in ("ltr", "rtl")
    )
    assert farthest(first, second) > 100
    latin, other = (written(run_node, text="lake", direction=way) for way in ("ltr", "rtl"))
    assert farthest(latin, other) == 0


@pytest.mark.skipif(not has_raqm(), reason="this Pillow has no Raqm")
def test_letters_of_several_fonts_follow_the_direction_of_the_line(
    run_node: NodeRunner, own_fonts: Path
) -> None:
    with_map(own_fonts / "cjk.ttf", format_12([(0x65E5, 0x65E5, 36)]))
    alone = written(run_node, text="\u65e5")
    made = written(run_node, text=f"{HEBREW}\u65e5")
    width = ink(alone)[2] + 1
    first = (0, 0, width, WHITE.height)
    assert farthest(made.crop(first), alone.crop(first)) == 0, "what is last stands at the left"
    assert ink(made)[2] > width + 20


def test_without_raqm_a_warning_says_what_is_wrong(
    run_node: NodeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFont.core, "HAVE_RAQM", False)
    written(run_node, text=HEBREW)
    written(run_node, text="lake", direction="rtl")
    assert len(run_node.warnings()) == 1 and "no Raqm" in run_node.warnings()[0]


def marked(run: NodeRunner, image: Image.Image = WHITE, **properties: Any) -> Image.Image:
    return run(
        Watermark(
            **{
                "image": ImageData.of(image),
                "color": ColorRef(value="#000000"),
                "shade": False,
                "opacity": 1.0,
                "size": 0.2,
            }
            | properties
        )
    ).image


@pytest.mark.parametrize("anchor", ["top_left", "center", "bottom_right"])
def test_a_watermark_is_in_its_corner(anchor: str, run_node: NodeRunner) -> None:
    left, top, right, bottom = ink(marked(run_node, text="me", anchor=anchor, margin=0.1))
    places = {"top_left": (12, 12), "bottom_right": (188, 108)}
    if anchor == "center":
        assert abs(left + right - 200) <= 2 and abs(top + bottom - 120) <= 2
    else:
        found = (left, top) if anchor == "top_left" else (right, bottom)
        assert max(abs(a - b) for a, b in zip(found, places[anchor], strict=True)) <= 1


def test_a_watermark_grows_with_the_image(run_node: NodeRunner) -> None:
    small, large = (ink(marked(run_node, WHITE.resize(size))) for size in ((200, 120), (800, 480)))
    assert (large[3] - large[1]) / (small[3] - small[1]) == pytest.approx(4, rel=0.15)


def test_a_logo_is_a_watermark(run_node: NodeRunner) -> None:
    logo = Image.new("RGBA", (40, 20), (255, 0, 0, 255))
    made = marked(run_node, mark=ImageData.of(logo), anchor="top_left", margin=0.0, size=0.5)
    assert ink(made) == (0, 0, 120, 60)
    half = marked(run_node, mark=ImageData.of(logo), anchor="top_left", margin=0.0, opacity=0.5)
    assert half.getpixel((2, 2)) == (255, pytest.approx(127, abs=1), pytest.approx(127, abs=1))


def test_tiled_marks_are_all_over_the_image(run_node: NodeRunner) -> None:
    logo = ImageData.of(Image.new("RGBA", (10, 10), (0, 0, 0, 255)))
    made = pixels(marked(run_node, mark=logo, layout="tiled", size=0.1, gap=0.1))[..., 0]
    assert (made == 0).mean() == pytest.approx(0.25, abs=0.04), "as much mark as gap"
    for quarter in (made[:60, :100], made[60:, :100], made[:60, 100:], made[60:, 100:]):
        assert (quarter == 0).mean() == pytest.approx(0.25, abs=0.08)
    turned = marked(run_node, text="mine", layout="tiled", angle=-30.0)
    assert farthest(turned, marked(run_node, text="mine", layout="tiled")) > 100


def test_a_watermark_of_nothing(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="nothing to mark"):
        marked(run_node, text="  ")
    assert farthest(marked(run_node, opacity=0.0), WHITE) == 0
