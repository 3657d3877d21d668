from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from nodes._pixels import LUMA
from nodes.lib.pillow import _grading as grading
from nodes.lib.pillow import color_grading as nodes
from nodes.lib.pillow._looks import LOOKS
from nodetool_core import ImageData, Node, NodeError, RunCancelled
from nodetool_core.types import choices
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, pixels

UNCHANGED: list[tuple[type[Node], dict[str, Any]]] = [
    (nodes.CDL, {}),
    (nodes.ColorBalance, {}),
    (nodes.Curves, {}),
    (nodes.Exposure, {}),
    (nodes.FilmLook, {"intensity": 0.0}),
    (nodes.HSLAdjust, {}),
    (nodes.LiftGammaGain, {}),
    (nodes.SaturationVibrance, {}),
    (nodes.SplitToning, {"shadow_saturation": 0.0, "highlight_saturation": 0.0}),
    (nodes.Vignette, {"amount": 0.0}),
]
RAMP = np.repeat(np.linspace(0, 255, 64)[None, :, None], 3, 2).astype(np.uint8)
"""Greys from black to white."""


def rainbow() -> Image.Image:
    """Return all hues from left to right, from strong to weak."""
    colours = [[colorsys.hsv_to_rgb(x / 72, 1 - y / 12, 0.8) for x in range(72)] for y in range(12)]
    return Image.fromarray((np.array(colours) * 255).astype(np.uint8))


def graded(run: NodeRunner, node: Node) -> Any:
    return pixels(run(node).image)


def luma(array: Any) -> Any:
    return array[..., :3] @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("node", "given_"),
    UNCHANGED,
    ids=lambda part: part.__name__ if isinstance(part, type) else None,
)
def test_at_rest_nothing_changes(
    node: type[Node], given_: dict[str, Any], run_node: NodeRunner
) -> None:
    for image in (scene(), rainbow()):
        assert (
            np.abs(
                graded(run_node, node(image=ImageData.of(image), **given_)) - pixels(image)
            ).max()
            <= 1
        )


@pytest.mark.parametrize("node", [node for node, _ in UNCHANGED])
def test_alpha_is_kept_and_grey_becomes_rgb(node: type[Node], run_node: NodeRunner) -> None:
    assert run_node(node(image=ImageData.of(scene().convert("L")))).image.mode == "RGB"
    result = run_node(node(image=ImageData.of(glass(scene())))).image
    assert result.mode == "RGBA" and set(result.getchannel("A").tobytes()) == {128}


def test_large_images_are_graded_in_bands_and_can_be_cancelled(run_node: NodeRunner) -> None:
    wide = Image.new("RGB", (2048, 700), (100, 50, 25))
    assert run_node(nodes.CDL(image=ImageData.of(wide), slope_r=2.0)).image.getextrema() == (
        (200, 200),
        (50, 50),
        (25, 25),
    )
    whole = graded(run_node, nodes.Vignette(image=ImageData.of(wide)))
    assert np.abs(whole - whole[::-1]).max() <= 1, "no seam between the bands"
    run_node.cancelled.set()
    with pytest.raises(RunCancelled):
        run_node(nodes.CDL(image=ImageData.of(wide)))


def test_cdl_is_slope_offset_power_then_saturation(run_node: NodeRunner) -> None:
    node = nodes.CDL(
        image=ImageData.of(scene()), slope_r=1.2, offset_g=0.1, power_b=2.0, saturation=0.5
    )
    tones = pixels(scene()) / 255
    toned = np.clip(tones * [1.2, 1, 1] + [0, 0.1, 0], 0, 1) ** [1, 1, 2]
    expected = luma(toned)[..., None] + (toned - luma(toned)[..., None]) * 0.5
    assert np.abs(graded(run_node, node) - np.clip(expected, 0, 1) * 255).max() <= 1


def test_balance_shifts_colours_and_keeps_the_brightness(run_node: NodeRunner) -> None:
    grey = ImageData.of(Image.new("RGB", (4, 4), (128, 128, 128)))
    warm, cool = (
        graded(run_node, nodes.ColorBalance(image=grey, temperature=t))[0, 0] for t in (1.0, -1.0)
    )
    assert warm[0] > 140 > 110 > warm[2] and cool[2] > 140 > 110 > cool[0]
    magenta = graded(run_node, nodes.ColorBalance(image=grey, tint=1.0))[0, 0]
    assert magenta[1] < 120 < magenta[0] == magenta[2]
    assert all(abs(luma(colour) - 128) < 2 for colour in (warm, cool, magenta))


def test_curves(run_node: NodeRunner) -> None:
    ramp = ImageData.of(Image.fromarray(RAMP))
    stretched = graded(run_node, nodes.Curves(image=ramp, black_point=0.25, white_point=0.75))[
        0, :, 0
    ]
    assert (
        (stretched[:16] == 0).all()
        and (stretched[48:] == 255).all()
        and abs(stretched[32] - 129.5) < 3
    )
    before = RAMP[0, :, 0].astype(float)
    for name, middle in (("shadows", 21), ("midtones", 32), ("highlights", 42)):
        change = graded(run_node, nodes.Curves(image=ramp, **{name: 0.1}))[0, :, 0] - before
        assert (
            abs(np.flatnonzero(change == change.max()).mean() - middle) <= 2
            and 24 <= change.max() <= 27
            and change[0] == change[-1] == 0
        )
    red = graded(run_node, nodes.Curves(image=ramp, red_midtones=0.2))[0, 32]
    assert red[0] > red[1] + 40 and red[1] == red[2]
    with pytest.raises(NodeError, match="same tone"):
        run_node(nodes.Curves(image=ramp, black_point=0.5, white_point=0.5))


TONES = {
    name: st.floats(-0.5, 0.5)
    for name in (
        "shadows",
        "midtones",
        "highlights",
        "red_midtones",
        "green_midtones",
        "blue_midtones",
    )
}
RANGES = {name: st.floats(-1.0, 1.0) for name in ("shadows", "highlights", "blacks", "whites")}


@settings(max_examples=40)
@given(given_=st.fixed_dictionaries(TONES), exposing=st.fixed_dictionaries(RANGES))
def test_i12_what_was_brighter_stays_so(
    given_: dict[str, float], exposing: dict[str, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_node = NodeRunner(tmp_path_factory.getbasetemp())
    ramp = ImageData.of(Image.fromarray(np.arange(256, dtype=np.uint8)[None]).convert("RGB"))
    for node in (nodes.Curves(image=ramp, **given_), nodes.Exposure(image=ramp, **exposing)):
        assert (np.diff(np.asarray(run_node(node).image, int)[0], axis=0) >= 0).all()


@settings(max_examples=40)
@given(temperature=st.floats(-1.0, 1.0), tint=st.floats(-1.0, 1.0), seed=st.integers(0, 1000))
def test_i12_balance_keeps_the_brightness_of_every_colour(
    temperature: float, tint: float, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_node = NodeRunner(tmp_path_factory.getbasetemp())
    source = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    made = run_node(
        nodes.ColorBalance(
            image=ImageData.of(Image.fromarray(source)), temperature=temperature, tint=tint
        )
    ).image
    assert np.abs(np.asarray(made, float) @ LUMA - source @ np.array(LUMA)).max() <= 1.0


def test_a_stop_is_twice_the_light(run_node: NodeRunner) -> None:
    def light(image: Any) -> Any:
        tones = image / 255
        return np.where(tones <= 0.04045, tones / 12.92, ((tones + 0.055) / 1.055) ** 2.4)

    grey = Image.new("RGB", (2, 2), (60, 90, 120))
    for stops in (-2.0, 1.0):
        made = graded(run_node, nodes.Exposure(image=ImageData.of(grey), exposure=stops))
        assert np.allclose(light(made), light(pixels(grey)) * 2**stops, rtol=0.05)


@pytest.mark.parametrize(
    ("name", "place"), [("blacks", 0), ("shadows", 21), ("highlights", 42), ("whites", 63)]
)
def test_ranges_of_tones(name: str, place: int, run_node: NodeRunner) -> None:
    ramp = ImageData.of(Image.fromarray(RAMP))
    sign = -1.0 if name == "whites" else 1.0
    change = np.abs(
        graded(run_node, nodes.Exposure(image=ramp, **{name: sign}))[0, :, 0] - RAMP[0, :, 0]
    )
    assert (
        abs(int(np.argmax(change)) - place) <= 3
        and change.max() > 50
        and change[63 - place] <= change[place] / 2
    )


def test_contrast_turns_around_the_middle(run_node: NodeRunner) -> None:
    ramp = ImageData.of(Image.fromarray(RAMP))
    flat, steep = (
        graded(run_node, nodes.Exposure(image=ramp, contrast=c))[0, :, 0] for c in (-1.0, 1.0)
    )
    assert set(flat) == {128.0} and steep[16] < 10 and steep[48] > 245


@pytest.mark.parametrize("preset", sorted(LOOKS))
def test_every_look_is_one_of_its_own(preset: str, run_node: NodeRunner) -> None:
    image = ImageData.of(rainbow())
    whole = graded(run_node, nodes.FilmLook(image=image, preset=preset))
    half = graded(run_node, nodes.FilmLook(image=image, preset=preset, intensity=0.5))
    change = np.abs(whole - pixels(rainbow())).mean()
    assert change > 4 and 0.3 * change < np.abs(half - pixels(rainbow())).mean() < 0.7 * change
    others = [
        graded(run_node, nodes.FilmLook(image=image, preset=other))
        for other in LOOKS
        if other != preset
    ]
    assert min(np.abs(whole - other).mean() for other in others) > 2
    if preset == "noir":
        assert (whole.max(axis=2) - whole.min(axis=2)).max() <= 1


def test_the_presets_are_those_with_a_look() -> None:
    assert set(choices(nodes.FilmLook.spec.properties["preset"].annotation) or ()) == set(LOOKS)


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (3, 5, 3)))
def test_hsl_there_and_back(colours: Any) -> None:
    band = colours.astype(np.float32) / 255
    hue, saturation, lightness = grading.to_hsl(band)
    assert np.abs(grading.from_hsl(hue, saturation, lightness) - band).max() < 1e-5
    for place in np.ndindex(3, 5):
        expected = colorsys.rgb_to_hls(*map(float, band[place]))
        assert np.allclose(
            (hue[place] % 1, lightness[place], saturation[place]),
            (expected[0] % 1, *expected[1:]),
            atol=1e-4,
        )


def test_a_range_of_colours_is_changed_alone(run_node: NodeRunner) -> None:
    before = pixels(rainbow())
    after = graded(
        run_node,
        nodes.HSLAdjust(image=ImageData.of(rainbow()), color_range="greens", saturation=-1.0),
    )
    spread = after.max(axis=2) - after.min(axis=2)
    assert spread[0, 24] <= 1, "pure green becomes grey"
    assert (
        np.abs(after - before)[:, :12].max() <= 1 and np.abs(after - before)[:, 40:].max() <= 1
    ), "red and blue don't change"
    everything = graded(run_node, nodes.HSLAdjust(image=ImageData.of(rainbow()), saturation=-1.0))
    assert (everything.max(axis=2) - everything.min(axis=2)).max() <= 1


@pytest.mark.parametrize(
    "color_range", list(choices(nodes.HSLAdjust.spec.properties["color_range"].annotation) or ())
)
def test_every_range_changes_something_and_grey_never(
    color_range: str, run_node: NodeRunner
) -> None:
    made = graded(
        run_node,
        nodes.HSLAdjust(image=ImageData.of(rainbow()), color_range=color_range, hue_shift=0.5),
    )
    assert np.abs(made - pixels(rainbow())).max() > 60
    grey = Image.fromarray(RAMP)
    made = graded(
        run_node,
        nodes.HSLAdjust(
            image=ImageData.of(grey), color_range=color_range, hue_shift=0.5, saturation=1.0
        ),
    )
    assert np.abs(made - pixels(grey)).max() <= 1


def test_luminance_and_hue(run_node: NodeRunner) -> None:
    for luminance, tone in ((-1.0, 0), (1.0, 255)):
        assert set(
            np.unique(
                graded(run_node, nodes.HSLAdjust(image=ImageData.of(scene()), luminance=luminance))
            )
        ) == {tone}
    red = ImageData.of(Image.new("RGB", (1, 1), (255, 0, 0)))
    assert graded(run_node, nodes.HSLAdjust(image=red, hue_shift=1.0)).tolist() == [[[0, 255, 255]]]


def test_lift_gamma_gain_change_their_end(run_node: NodeRunner) -> None:
    ramp = ImageData.of(Image.fromarray(RAMP))
    lift, gamma, gain = (
        graded(run_node, nodes.LiftGammaGain(image=ramp, **{name: value}))[0, :, 0] - RAMP[0, :, 0]
        for name, value in (("lift_master", 0.2), ("gamma_master", 2.0), ("gain_master", 0.5))
    )
    assert (
        lift[0] == 51
        and lift[-1] == 0
        and gamma[0] == gamma[-1] == 0 < gamma[16]
        and gain[0] == 0
        and gain[-1] < -120
    )
    blue = graded(run_node, nodes.LiftGammaGain(image=ramp, lift_b=0.3))[0, 0]
    assert blue.tolist() == [0, 0, 77]


def test_vibrance_spares_strong_colours(run_node: NodeRunner) -> None:
    strong, weak = Image.new("RGB", (1, 1), (255, 0, 0)), Image.new("RGB", (1, 1), (140, 120, 120))
    moved = [
        np.abs(
            graded(run_node, nodes.SaturationVibrance(image=ImageData.of(i), vibrance=-1.0))
            - pixels(i)
        ).max()
        for i in (strong, weak)
    ]
    assert moved[0] <= 1 < moved[1]
    grey = graded(run_node, nodes.SaturationVibrance(image=ImageData.of(scene()), saturation=-1.0))
    assert (grey.max(axis=2) - grey.min(axis=2)).max() <= 1


def test_split_toning_tints_both_ends(run_node: NodeRunner) -> None:
    ramp = ImageData.of(Image.fromarray(RAMP))
    made = graded(
        run_node,
        nodes.SplitToning(
            image=ramp, shadow_hue=240, highlight_hue=0, shadow_saturation=1, highlight_saturation=1
        ),
    )
    dark, bright = made[0, 16], made[0, 48]
    assert dark[2] > dark[0] + 15 and bright[0] > bright[2] + 15
    assert np.abs(luma(made[0, 12:48]) - RAMP[0, 12:48, 0]).max() < 3, (
        "it is no brighter than before"
    )


@pytest.mark.parametrize("roundness", [-1.0, 0.0, 1.0])
def test_a_vignette_darkens_or_brightens_the_edges(roundness: float, run_node: NodeRunner) -> None:
    grey = ImageData.of(Image.new("RGB", (90, 60), (128, 128, 128)))
    dark, bright = (
        graded(run_node, nodes.Vignette(image=grey, amount=a, roundness=roundness))[..., 0]
        for a in (1.0, -1.0)
    )
    assert dark[30, 45] == bright[30, 45] == 128 and dark[0, 0] == 0 and bright[0, 0] == 255
    assert (np.diff(dark[30, 45:]) <= 0).all()


def test_a_hard_vignette_is_a_shape(run_node: NodeRunner) -> None:
    grey = ImageData.of(Image.new("RGB", (120, 60), (128, 128, 128)))
    circle = (
        graded(
            run_node,
            nodes.Vignette(image=grey, amount=1.0, roundness=1.0, midpoint=0.4, feather=0.0),
        )[..., 0]
        > 0
    )
    ellipse = (
        graded(run_node, nodes.Vignette(image=grey, amount=1.0, midpoint=0.4, feather=0.0))[..., 0]
        > 0
    )
    assert (
        circle.any(axis=0).sum() == circle.any(axis=1).sum()
        and ellipse.any(axis=0).sum() == 2 * ellipse.any(axis=1).sum()
    )


@pytest.mark.parametrize("saturation", [-1.0, -0.4, 0.3, 1.0])
def test_saturation_alone_is_that_with_next_to_no_vibrance(
    saturation: float, run_node: NodeRunner
) -> None:
    given = {"image": ImageData.of(scene(60, 40)), "saturation": saturation}
    alone, graded = (
        np.asarray(run_node(nodes.SaturationVibrance(**given, vibrance=vibrance)).image, int)
        for vibrance in (0.0, 1e-9)
    )
    assert abs(alone - graded).max() <= 1
