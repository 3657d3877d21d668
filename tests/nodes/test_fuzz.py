"""
Every node that needs no model and no network, with values drawn from its declaration.

Properties are drawn together, most of them small or at a bound, one at most far out. Images have
every mode, one pixel or a few, alpha or none. A node does its work, the same each time, and leaves
what it was given alone; or it says with a problem and a hint why it can't. Whatever else it raises
is a fault, and so is a result that is not of the declared type.

The draws are the same in each run, about a minute's work. More, and others each time:
`NODETOOL_FUZZ_EXAMPLES=1000 pytest tests/nodes/test_fuzz.py`.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nodetool_core import (
    ColorRef,
    FolderRef,
    FontRef,
    ImageData,
    ImageRef,
    ImageSizeRef,
    ModelRef,
    Node,
    WorkflowError,
)
from nodetool_core.errors import ImageError, NodeError
from nodetool_core.properties import Property
from nodetool_core.types import checker, choices, strip, union_members
from tests.assets.images import scene
from tests.nodes.conftest import NodeRunner
from tests.nodes.test_every_node import GIVEN, MODES, NODES, in_every_way, name_of

EXAMPLES = int(os.environ.get("NODETOOL_FUZZ_EXAMPLES", "0"))
SECONDS = 20.0
"""What no small input takes, on however busy a machine."""

MOMENTS = {"nodetool.text.SaveTextFile", "nodetool.image.SaveImageFile"}
"""Nodes that write a new file each time."""

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "a lake",
            "{{ a }}",
            "{% for a in b %}{{ a }}{% endfor %}",
            "{a|b}",
            "__a__",
            "max(a, 2) * 3",
            '{"a": [1, {"b": null}]}',
            "$..a",
            "$.a[0]",
            "(a|b)+",
            "[",
            "1,234.5",
            "16:9",
            "#ff880080",
            "%Y-%%",
            "\u202e\u05e9\u05dc\u05d5\u05dd \U0001f469\u200d\U0001f680 e\u0301 \x00\ud800",
            "a\r\nb\tc\u2028d",
            "word " * 300,
        ]
    ),
    st.text(max_size=12),
)
FILES = ["lake.png", "note.txt", "look.cube", "out", "nowhere", "", ".", "../out", "a/b", "a\x00b"]
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 0.5, -0.25, 2, 3.7, 100]), st.integers(-20, 20), st.floats(-20, 20)
)
FAR: tuple[Any, ...] = (2**31, -(2**31), 2**64, -(2**64), 1e-300, 1e300, -1e308, 10**400)
COLOURS = ["#ffffff", "#000000", "#ff8800", "#00000000", "#12345678", None]


@st.composite
def images(draw: st.DrawFn) -> ImageData:
    """Draw a small image of any mode: even, of one tone, noisy or invisible."""
    size = draw(
        st.sampled_from([(1, 1), (1, 9), (9, 1), (2, 2), (16, 11), (24, 24), (31, 7), (5, 40)])
    )
    image = scene(*size)
    kind = draw(st.sampled_from(["scene", "flat", "noise", "clear", "half"]))
    if kind == "flat":
        image.paste(draw(st.sampled_from(["black", "white", "#3060a0"])), (0, 0, *size))
    if kind == "noise":
        tones = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), np.uint8)
        image = Image.fromarray(tones)
    if kind in ("clear", "half"):
        image.putalpha(0 if kind == "clear" else 100)
        return ImageData.of(image if draw(st.booleans()) else image.convert("LA"))
    return ImageData.of(in_every_way(image, draw(st.sampled_from(MODES))))


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
ANY_VALUE = st.one_of(ANYTHING, images())

OF_CLASS: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    str: TEXTS,
    bytes: st.binary(max_size=4),
    ImageRef: images(),
    ColorRef: st.sampled_from([ColorRef(value=colour) for colour in COLOURS]),
    FontRef: st.sampled_from([FontRef(), FontRef(name="DejaVuSans.ttf"), FontRef(name="no such")]),
    FolderRef: st.sampled_from([FolderRef(uri=uri) for uri in FILES if "\x00" not in uri]),
    ImageSizeRef: st.builds(ImageSizeRef, width=st.integers(1, 64), height=st.integers(1, 64)),
    ModelRef: st.builds(ModelRef, repo_id=st.sampled_from(["", "a/b"])),
    dt.date: st.dates(),
    dt.datetime: st.datetimes(timezones=st.just(dt.UTC)),
    Any: ANY_VALUE,
    type(None): st.none(),
}


def numbers(kind: type, prop: Property | None) -> st.SearchStrategy[Any]:
    """Return numbers within the bounds: mostly near the lower one, where the work is small."""
    bounds = prop.bounds if prop else {}
    low = bounds.get("ge", bounds.get("gt", -30))
    high = min(bounds.get("le", bounds.get("lt", low + 60)), low + 60 if low > -60 else 30)
    if kind is int:
        low, high = low + ("gt" in bounds), high - ("lt" in bounds and high == bounds["lt"])
        ends = [int(low), int(high), *([0, 1] if low <= 0 and high >= 1 else [])]
        return st.one_of(st.sampled_from(ends), st.integers(math.ceil(low), math.floor(high)))
    low = math.nextafter(low, math.inf) if "gt" in bounds else low
    high = math.nextafter(high, -math.inf) if "lt" in bounds and high == bounds["lt"] else high
    return st.one_of(st.sampled_from([float(low), float(high)]), st.floats(low, high))


def of_type(annotation: Any, prop: Property | None) -> st.SearchStrategy[Any]:
    """Return values of a type."""
    annotation = strip(annotation)
    if allowed := choices(annotation):
        return st.sampled_from(list(allowed))
    if len(members := union_members(annotation)) > 1:
        return st.one_of([of_type(member, prop) for member in members])
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin in (int, float):
        return numbers(origin, prop)
    if origin in (list, tuple):
        most = min(prop.max_length or 4, 4) if prop else 3
        return st.lists(of_type(args[0] if args else Any, None), max_size=most)
    if origin is dict:
        return st.dictionaries(TEXTS, of_type(args[1] if args else Any, None), max_size=3)
    return OF_CLASS[origin]


def values_of(prop: Property) -> st.SearchStrategy[Any]:
    """Return values of a property: those of its type, or places in the folder of the test."""
    return st.sampled_from(FILES) if prop.place else of_type(prop.annotation, prop)


def far_out(prop: Property) -> list[Any]:
    """Return the bounds of a number, or numbers that are very large where it has none."""
    kind = next((one for one in (int, float) if one in union_members(prop.annotation)), None)
    if kind is None:
        return []
    ends = [prop.bounds[name] for name in ("ge", "le") if name in prop.bounds]
    fits = [*ends, *(FAR if len(ends) < 2 else ())]
    return [
        kind(value) if abs(value) < 1e300 else value
        for value in fits
        if not (kind is int and isinstance(value, float) and abs(value) >= 1e300)
        and not prop.misfit(value)
    ]


@st.composite
def given_to(draw: st.DrawFn, node: type[Node]) -> dict[str, Any]:
    """Draw what a node is given: some properties at their defaults, the rest drawn."""
    properties = node.spec.properties
    values = dict(GIVEN.get(node.spec.node_type, {})) if draw(st.booleans()) else {}
    for prop in properties.values():
        is_missing = prop.required and prop.name not in values
        if is_missing or draw(st.booleans()):
            values[prop.name] = draw(values_of(prop))
    far = [(prop.name, value) for prop in properties.values() for value in far_out(prop)]
    is_far = draw(st.booleans())
    if far and is_far:
        place = draw(st.integers(0, len(far) - 1))
        values[far[place][0]] = far[place][1]
    if node.dynamic and draw(st.booleans()):
        values |= draw(
            st.dictionaries(
                st.sampled_from(["a", "b", "item_2", "item_10"]).filter(
                    lambda name: name not in properties
                ),
                ANY_VALUE,
                max_size=3,
            )
        )
    return values


def images_within(value: Any) -> Iterator[Image.Image]:
    if isinstance(value, ImageData):
        yield value.image
    elif isinstance(value, dict):
        for inner in value.values():
            yield from images_within(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from images_within(inner)


def contents(value: Any) -> Any:
    """Return what a value holds, so that two of them can be compared."""
    if isinstance(value, ImageData):
        image = value.image
        return image.mode, image.size, image.tobytes()
    if isinstance(value, dict):
        return {name: contents(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [contents(inner) for inner in value]
    return repr(value)


def run(node: type[Node], values: dict[str, Any], runner: NodeRunner) -> Any:
    """Return what a node gives, checked; or the problem that it has with its values."""
    try:
        made = node(**values)
    except WorkflowError as error:
        return str(error)
    try:
        began = time.monotonic()
        result = runner(made)
        assert time.monotonic() - began < SECONDS
    except (NodeError, ImageError) as error:
        is_own_text = error.problem.code == "assertion_failed"
        assert is_own_text or len(error.problem.message) > 15, "what is wrong"
        assert error.problem.hint, "what to do"
        return error.problem.message
    check_outputs(node, result)
    return contents(result)


def check_outputs(node: type[Node], result: Any) -> None:
    spec = node.spec
    for item in result if spec.streams else [result]:
        parts = spec.unpack(item) if spec.unpack else (item,)
        assert len(parts) == len(spec.outputs)
        for part, output in zip(parts, spec.outputs.values(), strict=True):
            if not node.branches:
                assert checker(output.annotation)(part), f"{output.name} is {type(part).__name__}"
            assert not (isinstance(part, float) and not math.isfinite(part)), output.name
            for image in images_within(part):
                saved = image.convert("RGBA") if image.mode in ("PA", "La", "RGBa") else image
                saved.save(io.BytesIO(), "TIFF")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    scene().save(folder / "lake.png")
    (folder / "note.txt").write_text("a lake\n")
    (folder / "look.cube").write_text("LUT_1D_SIZE 2\n0 0 0\n1 0.9 0.8\n")
    return folder


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no regular expression take its ten seconds."""
    monkeypatch.setattr("nodes.nodetool.text._regex.PATIENCE", 0.5)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("node", NODES, ids=name_of)
@settings(
    max_examples=EXAMPLES or 15,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_it_works_or_says_why_not(node: type[Node], base: Path, data: st.DataObject) -> None:
    values = data.draw(given_to(node))
    runner = NodeRunner(base, confined=True)
    before = contents(values)
    first = run(node, values, runner)
    assert contents(values) == before, "a node changes nothing that it was given"
    if node.cacheable and node.spec.node_type not in MOMENTS:
        assert run(node, values, runner) == first, "the same values give the same"
