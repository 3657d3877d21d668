"""
Every node that needs no model runs on real data.

Images of every mode and of one pixel, every choice, every bound; and bad values are refused by
name.

A node either does its work or says with a `NodeError` why it can't. Whatever else it raises is a
fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nodetool_core import (
    ColorRef,
    ImageData,
    ImageRef,
    Lane,
    ModelRef,
    Node,
    Registry,
    WorkflowError,
)
from nodetool_core.errors import ImageError, NodeError
from nodetool_core.properties import Property
from nodetool_core.types import choices, is_assignable, type_name, union_members
from tests.assets.images import scene
from tests.assets.profiles import display_p3
from tests.nodes.conftest import NodeRunner

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16"]

GIVEN: dict[str, dict[str, Any]] = {
    "nodetool.image.Crop": {"right": 4, "bottom": 3},
    "lib.grid.MergeTiles": {"boxes": [[0, 0, 40, 24]] * 2},
    "nodetool.image.LoadFrames": {"path": "lake.png"},
    "nodetool.image.LoadImageFile": {"path": "lake.png"},
    "lib.pillow.draw.DrawShape": {"left": 0.0, "top": 0.0},
    "lib.pillow.color_grading.ApplyLut": {"path": "look.cube"},
    "nodetool.image.PasteBack": {"box": [0, 0, 1, 1]},
    "nodetool.control.ForEachCombination": {"first_list": [1, 2], "second_list": ["a", "b"]},
    "nodetool.list.GetElement": {"values": [1, 2]},
    "nodetool.list.Choose": {"values": ["noon", "night"]},
    "nodetool.list.Statistics": {"values": [1, 2.5]},
    "nodetool.number.Expression": {"expression": "width * 2", "width": 512},
    "nodetool.number.TextToNumber": {"text": "1,234.5"},
    "nodetool.image.SaveAnimation": {"folder": "out"},
    "nodetool.image.SaveImageFile": {"folder": "out", "filename": "a.png"},
    "nodetool.image.SavePDF": {"folder": "out"},
    "nodetool.text.FilterString": {"value": "a lake", "criteria": "5"},
    "nodetool.text.FilterRegexString": {"value": "a lake", "pattern": "l.k"},
    "nodetool.text.ExtractJSON": {"text": '{"strength": 0.5}'},
    "nodetool.text.LoadWildcards": {"folder": "."},
    "nodetool.text.ParseJSON": {"text": '{"strength": 0.5}'},
    "nodetool.text.SaveTextFile": {"folder": "out", "text": "a lake"},
}
"""What a node is given beside images, where its defaults are not enough to do its work."""

MADE = {
    "lib.pillow.measure.DominantColors",
    "lib.pillow.measure.Histogram",
    "lib.pillow.measure.Similarity",
}
"""Nodes whose images are drawings of what they measured, in sRGB."""

DEPENDS_ON_OTHERS = {
    "nodetool.control.Assert",
    "lib.grid.SliceImageGrid",
    "lib.grid.SplitTiles",
    "lib.pillow.color_grading.Levels",
    "lib.pillow.draw.DrawShape",
    "lib.pillow.draw.QRCode",
    "lib.pillow.enhance.RankFilter",
    "lib.pillow.filter.Canny",
    "lib.pillow.mask.FloodSelect",
    "lib.pillow.mask.MakeMask",
    "lib.pillow.mask.ToneRange",
    "lib.pillow.stylize.AdaptiveThreshold",
    "nodetool.constant.Date",
    "nodetool.constant.DateTime",
    "nodetool.image.Crop",
    "nodetool.image.CropToMask",
    "nodetool.image.LoadFrames",
    "nodetool.image.Paste",
    "nodetool.input.FloatInput",
    "nodetool.input.IntegerInput",
    "nodetool.list.Append",
    "nodetool.list.GetElement",
    "nodetool.list.Range",
    "nodetool.number.Calculate",
    "nodetool.number.Clamp",
    "nodetool.number.MapRange",
    "nodetool.number.RandomNumber",
    "nodetool.text.Chunk",
    "nodetool.text.FindAllRegex",
}
"""
Nodes where a value within its bounds can be wrong beside another value, or for the image at hand.
"""


def is_own(node: type[Node]) -> bool:
    """Return whether a node works without weights and without a network."""
    takes_models = any(isinstance(prop.default, ModelRef) for prop in node.spec.properties.values())
    if node.spec.title == "WorkflowNode" or (takes_models and node.lane is not Lane.INLINE):
        return False
    return node.lane in (Lane.INLINE, Lane.CPU) and not node.spec.node_type.startswith(
        "huggingface."
    )


NODES = [node for node in Registry.installed() if is_own(node)]


def takes_images(prop: Property) -> bool:
    """Return whether a property says that it takes an image or several."""
    fits = is_assignable(ImageRef, prop.annotation) or is_assignable(
        list[ImageRef], prop.annotation
    )
    return fits and "image" in type_name(prop.annotation)


WITH_IMAGES = [node for node in NODES if any(map(takes_images, node.spec.properties.values()))]


def name_of(node: Any) -> Any:
    return node.spec.node_type if isinstance(node, type) else None


def in_every_way(image: Image.Image, mode: str) -> Image.Image:
    """Return the image in a mode, also in those that Pillow does not convert RGB to."""
    if mode == "PA":
        return image.convert("P").convert("PA")
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    return image.convert("L").convert(mode) if mode in ("I", "F") else image.convert(mode)


def values(node: type[Node], image: ImageData) -> dict[str, Any]:
    """
    Return what the node is given.

    The image wherever it takes one, its defaults or `GIVEN` for the rest.
    """
    given = dict(GIVEN.get(node.spec.node_type, {}))
    for prop in node.spec.properties.values():
        if takes_images(prop) and prop.name not in given:
            given[prop.name] = image if is_assignable(ImageRef, prop.annotation) else [image, image]
        elif prop.required and prop.name not in given:
            given[prop.name] = {str: "a lake", int: 1, float: 1.0}[prop.annotation]
    return given


def images_in(result: Any) -> Iterator[Image.Image]:
    if isinstance(result, ImageData):
        yield result.image
    elif isinstance(result, (list, tuple)):
        for part in result:
            yield from images_in(part)


def check(node: type[Node], result: Any) -> None:
    """Assert that a result has a value for every output, and that its images can be encoded."""
    spec = node.spec
    for item in result if spec.streams else [result]:
        parts = spec.unpack(item) if spec.unpack else (item,)
        assert len(parts) == len(spec.outputs)
        for image in images_in(parts):
            assert image.width >= 1 and image.height >= 1
            image.tobytes()


@pytest.fixture
def runner(tmp_path: Path) -> NodeRunner:
    scene().save(tmp_path / "lake.png")
    (tmp_path / "note.txt").write_text("a lake")
    (tmp_path / "look.cube").write_text("LUT_1D_SIZE 2\n0 0 0\n1 0.9 0.8\n")
    return NodeRunner(tmp_path)


@pytest.mark.parametrize("node", NODES, ids=name_of)
def test_it_does_its_work(node: type[Node], runner: NodeRunner) -> None:
    check(node, runner(node(**values(node, ImageData.of(scene())))))


@pytest.mark.parametrize("node", WITH_IMAGES, ids=name_of)
def test_it_takes_images_of_every_mode(node: type[Node], runner: NodeRunner) -> None:
    for mode in MODES:
        source = in_every_way(scene(), mode)
        before = source.tobytes()
        check(node, runner(node(**values(node, ImageData.of(source)))))
        assert source.tobytes() == before, f"{node.spec.title} changed its {mode} input in place"


@pytest.mark.parametrize("node", WITH_IMAGES, ids=name_of)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_keep_their_profile(node: type[Node], mode: str, runner: NodeRunner) -> None:
    source = scene().convert(mode)
    source.info["icc_profile"] = display_p3()
    # Channels are grey, and grey has no profile of colours.
    others = {"lib.pillow.compare.Difference", "lib.pillow.MergeChannels", *MADE}
    for image in images_in(runner(node(**values(node, ImageData.of(source))))):
        if image.mode in ("RGB", "RGBA") and node.spec.node_type not in others:
            assert image.info.get("icc_profile") == display_p3(), (
                "without it, the colours would be read as others"
            )
        if image.mode == "L":
            assert "icc_profile" not in image.info, "it is one for colours"


@pytest.mark.parametrize("node", WITH_IMAGES, ids=name_of)
def test_it_takes_a_single_pixel(node: type[Node], runner: NodeRunner) -> None:
    given = values(node, ImageData.of(Image.new("RGBA", (1, 1), (200, 100, 0, 128))))
    given |= {name: 1 for name in ("right", "bottom") if name in node.spec.properties}
    check(node, runner(node(**given)))


@pytest.mark.parametrize(
    "node", [node for node in WITH_IMAGES if node.lane is not Lane.INLINE], ids=name_of
)
def test_what_it_says_of_a_broken_image(node: type[Node], runner: NodeRunner) -> None:
    (runner.base / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(ImageError, match=r"broken\.png"):
        runner(node(**values(node, ImageRef(uri="broken.png"))))  # type: ignore[arg-type]


def ends(prop: Property) -> Iterator[Any]:
    """
    Yield the extreme values of a property.

    Each choice, the bounds of a number, both truths, no text.
    """
    if allowed := choices(prop.annotation):
        yield from allowed
    elif prop.annotation is bool:
        yield from (False, True)
    elif prop.annotation in (int, float):
        kind = prop.annotation
        yield kind(
            prop.bounds.get(
                "ge", math.nextafter(prop.bounds["gt"], 1) if "gt" in prop.bounds else -1000
            )
        )
        yield kind(min(prop.bounds.get("le", 1000), 2000))
    elif prop.annotation is ColorRef:
        yield from (ColorRef(value=value) for value in ("#ffffff", "#00000080", None))


CASES = [
    (node, prop.name)
    for node in NODES
    for prop in node.spec.properties.values()
    if list(ends(prop))
]


@pytest.mark.parametrize(("node", "name"), CASES, ids=lambda part: name_of(part) or part)
def test_it_works_up_to_its_bounds(node: type[Node], name: str, runner: NodeRunner) -> None:
    for value in ends(node.spec.properties[name]):
        try:
            check(node, runner(node(**{**values(node, ImageData.of(scene())), name: value})))
        except NodeError as error:
            assert node.spec.node_type in DEPENDS_ON_OTHERS, f"{name}={value}: {error}"
            assert len(error.problem.message) > 20 and error.problem.hint, (
                "says what is wrong and what to do"
            )


HUGE = [sign * value for value in (2**31, 2**63, 2**70, 10**400) for sign in (1, -1)]
WHOLE = [
    (node, prop.name)
    for node in NODES
    for prop in node.spec.properties.values()
    if int in union_members(prop.annotation)
]


@pytest.mark.parametrize(("node", "name"), WHOLE, ids=lambda part: name_of(part) or part)
def test_huge_numbers_are_worked_with_or_refused(
    node: type[Node], name: str, runner: NodeRunner
) -> None:
    for value in HUGE:
        with suppress(NodeError, WorkflowError):
            check(node, runner(node(**{**values(node, ImageData.of(scene())), name: value})))


BOUNDED = [
    (node, prop.name)
    for node in NODES
    for prop in node.spec.properties.values()
    if prop.bounds or choices(prop.annotation)
]


@pytest.mark.parametrize(("node", "name"), BOUNDED, ids=lambda part: name_of(part) or part)
def test_bad_values_are_refused_by_name(node: type[Node], name: str) -> None:
    prop = node.spec.properties[name]
    bad: list[Any] = ["neither", None, [], math.nan] + [
        bound - 1 for kind, bound in prop.bounds.items() if kind in ("ge", "gt")
    ]
    bad += [bound + 1 for kind, bound in prop.bounds.items() if kind in ("le", "lt")]
    for value in bad:
        with pytest.raises(WorkflowError, match=rf"{node.spec.title}\.{name}: "):
            node(**{**values(node, ImageData.of(scene())), name: value})
