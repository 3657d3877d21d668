from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from nodes.lib.pillow.compare import BeforeAfter, Difference, MatchHistogram, TransferColor
from nodetool_core import ImageData, NodeError
from tests.assets.images import difference, scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.lib.pillow.test_filter import glass, noise, pixels


def test_before_and_after_side_by_side(run_node: NodeRunner) -> None:
    small, large = scene(20, 12), noise(200, 120)
    sheet = run_node(
        BeforeAfter(before=ImageData.of(small), after=ImageData.of(large), gap=4)
    ).image
    plain = run_node(
        BeforeAfter(before=ImageData.of(small), after=ImageData.of(large), gap=4, labels=[])
    ).image
    assert (
        sheet.width == plain.width == 4 + 200 + 4 + 200 + 4 and sheet.height > plain.height == 128
    )
    assert difference(sheet.crop((208, 4, 408, 124)), large) == 0


def test_before_and_after_split(run_node: NodeRunner) -> None:
    red, blue = Image.new("RGB", (40, 10), "red"), Image.new("RGBA", (40, 10), "blue")
    sheet = run_node(
        BeforeAfter(before=ImageData.of(red), after=ImageData.of(blue), layout="split", gap=2)
    ).image
    assert sheet.size == (40, 10) and [sheet.getpixel((x, 5))[:3] for x in (18, 19, 20, 21)] == [
        (255, 0, 0),
        (255, 255, 255),
        (255, 255, 255),
        (0, 0, 255),
    ]
    bare = run_node(
        BeforeAfter(before=ImageData.of(red), after=ImageData.of(blue), layout="split", gap=0)
    ).image
    assert bare.getpixel((19, 5))[0] == 255 and bare.getpixel((20, 5))[2] == 255


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (2, 4, 5, 3)))
def test_the_difference_is_measured(
    tmp_path_factory: pytest.TempPathFactory, both: np.ndarray
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    first, second = (ImageData.of(Image.fromarray(part)) for part in both)
    found = run(Difference(image1=first, image2=second))
    expected = np.abs(both[0].astype(int) - both[1])
    assert np.array_equal(np.asarray(found.image.image), expected)
    assert found.mean == pytest.approx(expected.mean()) and found.maximum == expected.max()
    assert found.changed == pytest.approx(expected.any(axis=2).mean())


def test_no_difference(run_node: NodeRunner) -> None:
    found = run_node(Difference(image1=ImageData.of(scene()), image2=ImageData.of(scene())))
    assert (found.mean, found.maximum, found.changed) == (
        0.0,
        0,
        0.0,
    ) and found.image.image.getextrema() == ((0, 0),) * 3


def test_differences_can_be_amplified_and_alpha_counts(run_node: NodeRunner) -> None:
    dark, darker = Image.new("L", (4, 4), 12), Image.new("L", (4, 4), 10)
    assert set(
        run_node(
            Difference(image1=ImageData.of(dark), image2=ImageData.of(darker), amplify=20.0)
        ).image.image.tobytes()
    ) == {40}
    found = run_node(
        Difference(
            image1=ImageData.of(glass(scene(), 100)), image2=ImageData.of(glass(scene(), 140))
        )
    )
    assert found.maximum == 40 and found.changed == 1.0 and found.image.image.mode == "L"


def test_images_of_other_sizes_have_no_difference(run_node: NodeRunner) -> None:
    with pytest.raises(
        NodeError, match="image1 and image2 differ in size: 40 x 24 and 4 x 4 pixels"
    ):
        run_node(Difference(image1=ImageData.of(scene()), image2=ImageData.of(scene(4, 4))))


def test_a_matched_image_has_the_tones_of_the_other(run_node: NodeRunner) -> None:
    dull = Image.fromarray((90 + pixels(noise(64, 64)) / 8).astype(np.uint8))
    matched = run_node(
        MatchHistogram(image=ImageData.of(dull), reference=ImageData.of(scene(200, 100)))
    ).image
    for own, other in zip(matched.split(), scene(200, 100).split(), strict=True):
        shares = [
            np.cumsum(channel.histogram()) / (channel.width * channel.height)
            for channel in (own, other)
        ]
        assert np.abs(shares[0] - shares[1]).mean() < 0.03
    half = run_node(
        MatchHistogram(image=ImageData.of(dull), reference=ImageData.of(scene()), strength=0.5)
    ).image
    assert pixels(dull).std() < pixels(half).std() < pixels(matched).std()


def test_a_image_matched_to_itself(run_node: NodeRunner) -> None:
    for image in (noise(), scene(), scene().quantize(5).convert("RGB")):
        assert (
            difference(
                run_node(
                    MatchHistogram(image=ImageData.of(image), reference=ImageData.of(image))
                ).image,
                image,
            )
            == 0
        )
        assert (
            difference(
                run_node(
                    MatchHistogram(
                        image=ImageData.of(image), reference=ImageData.of(noise()), strength=0.0
                    )
                ).image,
                image,
            )
            == 0
        )


def test_only_visible_pixels_are_matched(run_node: NodeRunner) -> None:
    image = Image.new("RGBA", (20, 10), (255, 255, 255, 0))
    image.paste((40, 40, 40, 255), (0, 0, 10, 10))
    reference = Image.new("RGB", (5, 5), (200, 100, 50))
    matched = run_node(
        MatchHistogram(image=ImageData.of(image), reference=ImageData.of(reference))
    ).image
    assert matched.getpixel((2, 2)) == (200, 100, 50, 255) and matched.getpixel((15, 5))[3] == 0
    grey = run_node(
        MatchHistogram(
            image=ImageData.of(scene().convert("L")), reference=ImageData.of(reference.convert("L"))
        )
    ).image
    assert grey.mode == "L"


@given(st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=20, deadline=None)
def test_images_of_one_tone(
    tmp_path_factory: pytest.TempPathFactory, own: int, wanted: int
) -> None:
    run = NodeRunner(tmp_path_factory.getbasetemp())
    images = {
        "image": ImageData.of(Image.new("L", (3, 3), own)),
        "reference": ImageData.of(Image.new("L", (2, 2), wanted)),
    }
    assert set(run(MatchHistogram(**images)).image.tobytes()) == {wanted}


def test_a_grey_image_takes_colours_and_keeps_its_brightness(run_node: NodeRunner) -> None:
    coloured = scene(60, 40)
    grey = coloured.convert("L")
    back = run_node(
        TransferColor(image=ImageData.of(grey), colors=ImageData.of(coloured.resize((30, 20))))
    ).image
    assert back.mode == "RGB" and back.size == grey.size
    assert difference(back.convert("L"), grey) < 2
    assert difference(back, coloured) < 0.5 * difference(grey.convert("RGB"), coloured)
    half = run_node(
        TransferColor(
            image=ImageData.of(glass(coloured, 90)), colors=ImageData.of(grey), strength=0.0
        )
    ).image
    assert half.mode == "RGBA" and difference(half, glass(coloured, 90)) == 0
