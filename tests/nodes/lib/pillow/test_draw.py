from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from nodes._fonts import SHIPPED
from nodes.lib.pillow.draw import Background, GaussianNoise, QRCode, RenderText
from nodes.nodetool.output import Output
from nodetool_core import ColorRef, FontRef, ImageData, NodeError, RunCancelled, Workflow
from nodetool_core.errors import ImageError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, pixels


@pytest.mark.parametrize(
    ("colour", "mode", "pixel"),
    [
        ("#ff8000", "RGB", (255, 128, 0)),
        ("#ff800040", "RGBA", (255, 128, 0, 64)),
        (None, "RGBA", (0, 0, 0, 0)),
    ],
)
def test_a_background(
    colour: str | None, mode: str, pixel: tuple[int, ...], run_node: NodeRunner
) -> None:
    made = run_node(Background(width=7, height=5, color=ColorRef(value=colour))).image
    assert (made.mode, made.size, made.getpixel((6, 4))) == (mode, (7, 5), pixel)


def test_noise_has_the_mean_and_the_spread_asked_for(run_node: NodeRunner) -> None:
    made = (
        pixels(run_node(GaussianNoise(mean=0.2, stddev=0.1, width=200, height=200, seed=1)).image)
        / 127.5
        - 1
    )
    assert abs(made.mean() - 0.2) < 0.005 and abs(made.std() - 0.1) < 0.005
    assert set(
        run_node(GaussianNoise(mean=-1.0, stddev=0.0, width=2, height=2)).image.tobytes()
    ) == {0}


def test_noise_follows_its_seed() -> None:
    def make(seed: int) -> ImageData:
        image: ImageData = Workflow(
            Output(name="noise", value=GaussianNoise(width=8, height=8, seed=seed).output)
        ).run()["noise"]
        return image

    assert make(1) == make(1) != make(2)
    assert make(-1) != make(-1), "another one each time"


def test_text_is_drawn_where_it_is_asked_for(run_node: NodeRunner) -> None:
    canvas = ImageData.of(Image.new("RGB", (120, 60), "white"))
    node = {"image": canvas, "text": "lake", "size": 20, "color": ColorRef(value="#0000ff")}
    changed = np.argwhere(
        (pixels(run_node(RenderText(**node, x=30, y=20)).image) != 255).any(axis=2)
    )
    assert (
        changed.min(axis=0)[0] >= 20
        and changed.min(axis=0)[1] >= 30
        and changed.max(axis=0)[0] < 48
    )
    assert difference(run_node(RenderText(**node, x=500, y=20)).image, canvas.image) == 0
    blue = pixels(run_node(RenderText(**node)).image)
    assert blue[..., 2].min() == 255 and blue[..., 0].min() < 20


def test_lines_are_aligned_to_each_other(run_node: NodeRunner) -> None:
    def starts(align: str) -> list[int]:
        canvas = ImageData.of(Image.new("L", (160, 60), 255))
        made = pixels(
            run_node(
                RenderText(image=canvas, text="a long line\nx", size=16, align=align)
            ).image.convert("L")
        )
        return [int(np.flatnonzero((rows < 128).any(axis=0))[0]) for rows in (made[:19], made[22:])]

    first, second = zip(*(starts(align) for align in ("left", "center", "right")), strict=True)
    assert len(set(first)) == 1 and second[0] < second[1] < second[2]


def test_transparent_text_and_images(run_node: NodeRunner) -> None:
    canvas = Image.new("RGB", (60, 30), "white")
    half = pixels(
        run_node(
            RenderText(
                image=ImageData.of(canvas), text="X", size=30, color=ColorRef(value="#00000080")
            )
        ).image
    )
    assert 120 < half.min() < 130
    drawn = run_node(
        RenderText(image=ImageData.of(glass(scene(60, 30), 0)), text="X", size=30)
    ).image
    assert drawn.mode == "RGBA" and drawn.getchannel("A").getextrema() == (0, 255)


def test_a_font_by_its_file(run_node: NodeRunner, tmp_path: Path) -> None:
    shutil.copy(SHIPPED, tmp_path / "own.ttf")
    canvas = ImageData.of(Image.new("RGB", (90, 30), "white"))
    own, usual = (
        run_node(RenderText(image=canvas, text="lake", size=20, font=FontRef(name=name))).image
        for name in (str(tmp_path / "own.ttf"), "")
    )
    assert difference(own, usual) == 0
    (tmp_path / "fonts").mkdir()
    (tmp_path / "own.ttf").rename(tmp_path / "fonts" / "other.ttf")
    (tmp_path / "beside.ttf").write_bytes((tmp_path / "fonts" / "other.ttf").read_bytes())
    for relative in ("fonts/other.ttf", "./beside.ttf", "beside.ttf"):
        drawn = run_node(
            RenderText(image=canvas, text="lake", size=20, font=FontRef(name=relative))
        ).image
        assert difference(drawn, usual) == 0, "a relative path starts from the workflow's folder"


def test_a_confined_run_reads_no_font_file(tmp_path: Path) -> None:
    runner = NodeRunner(tmp_path, confined=True)
    with pytest.raises(ImageError, match="may not read"):
        runner(
            RenderText(
                image=ImageData.of(scene()), text="x", font=FontRef(name="/usr/share/fonts/any.ttf")
            )
        )


def test_i4_letters_beyond_ascii_are_no_boxes(run_node: NodeRunner) -> None:
    canvas = ImageData.of(Image.new("L", (40, 40), 255))

    def drawn(sign: str) -> bytes:
        return bytes(run_node(RenderText(image=canvas, text=sign, size=30)).image.tobytes())

    signs = "éüß\u2013€ŻğЯщλΩ…"
    assert len({drawn(sign) for sign in signs} | {drawn("\uffff")}) == len(signs) + 1
    assert run_node.warnings() == [
        "No font on this machine has \uffff: boxes are drawn. Install one that has, such as those"
        " of the Noto family."
    ]


@pytest.mark.parametrize("align", ["left", "center", "right"])
def test_i5_a_long_line_in_a_big_size_is_cut_off(align: str, run_node: NodeRunner) -> None:
    canvas = ImageData.of(Image.new("RGB", (300, 200), "white"))
    long, short = (
        run_node(RenderText(image=canvas, text="word " * count, size=512, align=align)).image
        for count in (20_000, 4)
    )
    assert difference(long, short) == 0 and long.getextrema()[0][0] == 0
    assert run_node(
        RenderText(image=canvas, text="line\n" * 100_000, size=20, align=align)
    ).image.size == (300, 200)


def test_i5_lines_are_wrapped_between_words(run_node: NodeRunner) -> None:
    canvas = ImageData.of(Image.new("RGB", (200, 200), "white"))
    text = "a caption that is much too long for one line of this image"
    one, wrapped = (
        run_node(RenderText(image=canvas, text=text, size=20, wrap=wrap)).image for wrap in (0, 180)
    )
    (_, _, _, bottom), (_, _, right, lower) = (
        ImageChops.invert(image.convert("L")).getbbox() for image in (one, wrapped)
    )
    assert right <= 181 and lower > 3 * bottom


def test_a_long_text_can_be_cancelled(run_node: NodeRunner) -> None:
    run_node.cancelled.set()
    with pytest.raises(RunCancelled):
        run_node(
            RenderText(image=ImageData.of(Image.new("RGB", (300, 200))), text="word " * 200_000)
        )


def test_a_font_that_is_not_there(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="no font 'No Such Sans' on this machine"):
        run_node(
            RenderText(image=ImageData.of(scene()), text="x", font=FontRef(name="No Such Sans"))
        )


def test_noise_far_out_is_black_or_white(run_node: NodeRunner) -> None:
    for mean, expected in ((1e300, 255), (-1e308, 0)):
        noise = run_node(GaussianNoise(mean=mean, stddev=1e308, width=4, height=4, seed=1))
        assert set(noise.image.tobytes()) <= {0, 255}
        even = run_node(GaussianNoise(mean=mean, stddev=0.0, width=4, height=4, seed=1))
        assert set(even.image.tobytes()) == {expected}


def test_half_of_a_character_has_no_code(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="half of a character"):
        run_node(QRCode(text="a lake \ud800"))
