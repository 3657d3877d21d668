"""
E3, E16, E22: no value is changed behind anybody's back, on any way that it takes through a run.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import (
    Context,
    FolderRef,
    ImageData,
    ImageRef,
    Lane,
    Node,
    Workflow,
    WorkflowError,
)
from nodetool_core.assets.copy_on_write import CopyOnWriteImage
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.caching.tiered import TieredCache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import OutputReady
from nodetool_core.engine.result import RunError
from nodetool_core.ownership import NoCopyError, own_copy
from tests.engine.conftest import MakeEngine
from tests.engine.nodes import Anything, Numbers


@dataclass
class Boxes:
    """Plain data of a class of one's own."""

    items: list[int] = field(default_factory=lambda: [3, 1, 2])


class Named(NamedTuple):
    """The same with a name."""

    items: list[int]


def white() -> ImageData:
    return ImageData.of(Image.new("RGB", (4, 4), "white"))


MAKERS: dict[str, Callable[[], Any]] = {
    "list": lambda: [3, 1, 2],
    "nested list": lambda: [[3, 1], [2]],
    "mapping": lambda: {"a": [3, 1, 2]},
    "ordered": lambda: OrderedDict(a=[3, 1, 2]),
    "default": lambda: defaultdict(list, a=[3, 1, 2]),
    "set": lambda: {3, 1, 2},
    "deque": lambda: deque([[3], [1]]),
    "tuple": lambda: ([3, 1, 2],),
    "named tuple": lambda: Named([3, 1, 2]),
    "dataclass": Boxes,
    "bytes": lambda: bytearray(b"cab"),
    "notes": lambda: FolderRef(uri="/", metadata={"a": [3]}),
    "array": lambda: np.array([3, 1, 2]),
    "view": lambda: np.array([3, 1, 2, 0])[:3],
    "objects": lambda: np.array([[3], [1, 2]], dtype=object),
    "tensor": lambda: torch.tensor([3, 1, 2]),
    "image": lambda: Image.new("RGB", (4, 4), "white"),
    "image data": white,
    "images": lambda: [white(), {"a": white()}],
}


def vandalize(value: Any) -> None:
    """Change all of a value that can be changed in place."""
    match value:
        case list() | deque():
            for item in value:
                vandalize(item)
            value.reverse()
            value.append("changed")
        case dict():
            for item in value.values():
                vandalize(item)
            value["changed"] = 1
        case set():
            value.clear()
        case bytearray():
            value[0] = 0
        case tuple():
            for item in value:
                vandalize(item)
        case Boxes():
            vandalize(value.items)
            value.items = []
        case ImageData():
            ImageDraw.Draw(value.image).rectangle((0, 0, 4, 4), fill="red")
            value.image.info["changed"] = 1
        case FolderRef():
            vandalize(value.metadata)
        case Image.Image():
            ImageDraw.Draw(value).rectangle((0, 0, 4, 4), fill="red")
        case np.ndarray() if value.dtype.hasobject:
            for item in value:
                vandalize(item)
        case np.ndarray():
            with pytest.raises(ValueError, match="read-only"):
                value[0] = 9
            with pytest.raises(ValueError, match="WRITEABLE"):
                value.flags.writeable = True
            value.shape = (value.size, 1)
        case torch.Tensor():
            value.add_(1)
        case _:
            pass


def shown(value: Any) -> str:
    """Return a text that differs where values do."""
    if isinstance(value, ImageData):
        return value.digest
    if isinstance(value, Image.Image):
        return f"{value.mode} {value.info} {value.tobytes()!r}"
    if isinstance(value, (list, tuple, deque)):
        return f"{type(value).__name__}{[shown(item) for item in value]}"
    if isinstance(value, dict):
        return f"{type(value).__name__}{[(name, shown(item)) for name, item in value.items()]}"
    return repr(value)


class Makes(Node):
    """Makes a value, of the kind that the test asks for."""

    kind: str

    def process(self) -> Any:
        return MAKERS[self.kind]()


class MakesInline(Makes):
    """The same on the scheduler's thread."""

    lane = Lane.INLINE


class Vandal(Node):
    """Says what it got, and changes it in place."""

    value: Any
    tag: int = 0

    def process(self) -> str:
        before = shown(self.value)
        vandalize(self.value)
        return before


class VandalInline(Vandal):
    """The same on the scheduler's thread."""

    lane = Lane.INLINE


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("makes", "vandal"), [(Makes, Vandal), (MakesInline, VandalInline)], ids=["threads", "inline"]
)
def test_e3_siblings_caches_and_results_keep_their_values(
    kind: str, makes: Any, vandal: Any, make_engine: MakeEngine
) -> None:
    """
    Several takers, the result, a listener, the same run again, and a second engine.

    Each sees what was made.
    """
    expected = shown(MAKERS[kind]())
    for _ in range(2):
        engine = make_engine()
        for tag in (0, 10):
            source = makes(kind=kind)
            takers = [
                Output(name=f"seen{n}", value=vandal(value=source.output, tag=tag + n).output)
                for n in range(2)
            ]
            workflow = Workflow(*takers, Output(name="x", value=source.output), engine=engine)
            told: list[Any] = []

            def listen(event: Any, told: list[Any] = told) -> None:
                if isinstance(event, OutputReady) and event.name == "x":
                    told.append(shown(event.value))
                    vandalize(event.value)

            result = workflow.run(on_event=listen)
            assert [result["seen0"], result["seen1"], shown(result["x"]), *told] == [expected] * 4
            vandalize(result["x"])


def test_e3_a_value_of_the_workflow_is_not_changed_by_its_node(engine: Engine) -> None:
    for kind, make in MAKERS.items():
        workflow = Workflow(Output(name="x", value=Vandal(value=make()).output), engine=engine)
        assert [workflow.run()["x"] for _ in range(2)] == [shown(make())] * 2, kind


class Draws(Node):
    """A generator that goes on drawing on what it gave."""

    count: int = 3

    def process(self, context: Context) -> Iterator[Any]:
        image, numbers = Image.new("L", (self.count, 1)), np.zeros(self.count, int)
        draw, listed = ImageDraw.Draw(image), list[int]()
        for number in range(self.count):
            draw.point((number, 0), fill=number + 1)
            numbers[number] = number + 1
            listed.append(number + 1)
            yield [context.image_from_pil(image), numbers, listed]


class Content(Node):
    """What is in the items of `Draws`."""

    items: Any

    def process(self) -> list[list[int]]:
        image, numbers, listed = self.items
        return [list(image.image.tobytes()), numbers.tolist(), listed]


def test_e3_an_item_stays_as_it_was_given(engine: Engine) -> None:
    listed = Collect(input_item=Content(items=Draws()["output"]).output)
    expected = [[[*range(1, n + 1)] + [0] * (3 - n)] * 2 + [[*range(1, n + 1)]] for n in (1, 2, 3)]
    assert Workflow(Output(name="x", value=listed.output), engine=engine).run()["x"] == expected


class Keeps(Node):
    """Gives what it keeps, against all advice, and draws on it each time."""

    image: ClassVar[Image.Image] = Image.new("L", (1, 1))
    draw: ClassVar[Any] = ImageDraw.Draw(image)
    lock: ClassVar[threading.Lock] = threading.Lock()
    tone: int

    def process(self, context: Context) -> ImageRef:
        with self.lock:
            self.draw.point((0, 0), fill=self.tone)
            return context.image_from_pil(self.image)


def test_e3_a_node_that_keeps_its_canvas_does_not_reach_earlier_results(engine: Engine) -> None:
    results = [
        Workflow(Output(name="x", value=Keeps(tone=tone).output), engine=engine).run()["x"]
        for tone in (1, 2, 3)
    ]
    assert [result.image.getpixel((0, 0)) for result in results] == [1, 2, 3]


def test_e3_a_callers_image_may_be_drawn_on_after_it_was_given(engine: Engine) -> None:
    image = Image.new("RGB", (2, 2), "white")
    draw = ImageDraw.Draw(image)
    workflow = Workflow(Output(name="x", value=ImageInput(name="photo").output), engine=engine)
    first = workflow.run(photo=image)["x"]
    draw.rectangle((0, 0, 2, 2), fill="red")
    second = workflow.run(photo=image)["x"]
    assert [shown.image.getpixel((0, 0)) for shown in (first, second)] == [
        (255, 255, 255),
        (255, 0, 0),
    ]


def test_e3_an_image_is_handed_on_without_a_copy(engine: Engine) -> None:
    """The price of an edge is that of an object, not of pixels."""

    class Same(Node):
        """Passes an image on, in a new image."""

        image: ImageRef

        def process(self, context: Context) -> ImageRef:
            return context.image_from_pil(context.image(self.image))

    first = Same(image=Makes(kind="image data").output)
    second = Same(image=first.output)
    result = Workflow(
        *[Output(name=f"o{n}", value=node.output) for n, node in enumerate((first, second))],
        engine=engine,
    ).run()
    assert isinstance(result["o0"].image, CopyOnWriteImage)
    assert result["o0"].image.im is result["o1"].image.im is result["o0"].image.im


# -- what the disk sees late -----------------------------------------------------------------------


def test_e3_what_is_written_behind_is_what_was_made(tmp_path: Path) -> None:
    cache = TieredCache(MemoryCache(), DiskCache(tmp_path, least_seconds=0))
    with Engine(cache=cache) as engine:
        for kind in MAKERS:
            vandalize(
                Workflow(Output(name="x", value=Makes(kind=kind).output), engine=engine).run()["x"]
            )
    cache.close()
    again = DiskCache(tmp_path)
    with Engine(cache=again) as engine:
        for kind, make in MAKERS.items():
            result = Workflow(Output(name="x", value=Makes(kind=kind).output), engine=engine).run()
            assert shown(result["x"]) == shown(make())
            assert ("makes" in result.hits) == (
                kind not in ("ordered", "default", "deque", "objects")
            ), kind
    again.close()


# -- own copies ------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.one_of(
        st.integers(),
        st.text(max_size=3),
        st.sampled_from(sorted(MAKERS)).map(lambda kind: MAKERS[kind]()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.tuples(inner, inner),
        st.lists(inner, min_size=1, max_size=1).map(lambda items: items * 3),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_e3_changing_a_copy_changes_neither_the_value_nor_another_copy(value: Any) -> None:
    before = shown(value)
    copies = [own_copy(value) for _ in range(2)]
    assert [shown(one) for one in copies] == [before] * 2
    vandalize(copies[0])
    assert shown(value) == shown(copies[1]) == before


def test_e3_what_occurs_twice_and_what_holds_itself() -> None:
    inner = [1]
    circle: list[Any] = [inner, inner]
    circle.append(circle)
    again = own_copy(circle)
    assert again[0] is again[1] is not inner and again[2] is again


def test_e3_a_value_that_is_too_deep_is_said_to_be() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(NoCopyError, match="nested more deeply"):
        own_copy(deep)


def test_e3_numbers_and_handles_are_themselves() -> None:
    handle, learning = threading.Lock(), torch.zeros(2, requires_grad=True)
    assert own_copy(handle) is handle and own_copy(learning) is learning
    assert type(own_copy(Counter("aab"))) is Counter


# -- the caller's own ------------------------------------------------------------------------------


def test_e16_a_callers_list_is_copied_at_the_call(engine: Engine) -> None:
    given, nested = [1, 2], {"a": [1]}
    numbers, anything = Numbers(values=given), Anything(value=nested)
    workflow = Workflow(
        Output(name="x", value=numbers.output),
        Output(name="y", value=anything.output),
        engine=engine,
    )
    given.append(3)
    nested["a"].append(2)
    numbers.values.append(4)
    assert dict(workflow.run()) == {"x": [1, 2], "y": {"a": [1]}}
    assert [node.data for node in workflow.document.graph.nodes[:2]] == [
        {"values": [1, 2]},
        {"name": "x"},
    ]


def test_e16_a_list_given_to_a_run_or_in_a_document_is_copied() -> None:
    given = [1, 2]
    loop = ForEach(input_list=[0])
    workflow = Workflow(Output(name="x", value=Collect(input_item=loop["output"]).output))
    run = workflow.start({"for_each.input_list": given})
    given.append(3)
    assert run.result()["x"] == [1, 2]
    workflow.document.graph.nodes[0].data["input_list"].append(9)
    assert workflow.run()["x"] == [0]


def test_e16_a_default_is_nobodys() -> None:
    Numbers().values.append(7)
    assert Numbers().values == []


@pytest.mark.parametrize(
    "value",
    [
        (n for n in "ab"),
        iter([1]),
        map(str, [1]),
        zip("a", "b", strict=True),
        [iter([1])],
        {"a": iter({})},
    ],
)
def test_e22_what_can_be_read_only_once_is_refused(value: Any, engine: Engine) -> None:
    for refused in (
        lambda: Anything(value=value),
        lambda: Workflow(Anything(value=0), engine=engine).run({"anything.value": value}),
    ):
        with pytest.raises(WorkflowError, match="can be read only once") as caught:
            refused()
        assert (
            "list(" in caught.value.problem.hint
            and caught.value.problem.where.lower() == "anything.value"
        )


class Yields(Node):
    """Says that it gives anything, and gives a generator."""

    def process(self) -> Any:
        return (number for number in range(3))


def test_e22_a_generator_that_a_node_returns_is_its_mistake(engine: Engine) -> None:
    with pytest.raises(
        RunError, match=r"Yields.output is a generator, which can be read only once"
    ) as caught:
        Workflow(Yields(), engine=engine).run()
    assert caught.value.problem.code == "wrong_output"


def test_e3_what_made_an_image_is_not_for_changing(engine: Engine) -> None:
    image = Workflow(Output(name="x", value=Makes(kind="image data").output), engine=engine).run()[
        "x"
    ]
    image.provenance["workflow"]["graph"]["nodes"].clear()
    assert image.provenance["workflow"]["graph"]["nodes"]
