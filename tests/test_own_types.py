"""E12: types of a pack's own, in properties, outputs, files and the disk cache."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, Self, TypedDict

import pytest

from nodes.nodetool.output import Output
from nodetool_core import ImageRef, JsonValue, Node, Registry, Workflow, WorkflowError
from nodetool_core.engine.caching.codec import NoCodecError, decode, encode
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.caching.tiered import TieredCache
from nodetool_core.engine.engine import Engine
from nodetool_core.reference.schema import workflow_schema
from nodetool_core.types import is_assignable
from tests.engine.nodes import Anything


class Options(TypedDict):
    steps: int
    image: NotRequired[ImageRef]
    shares: NotRequired[list[float]]


class MoreOptions(Options):
    name: str


class Other(TypedDict):
    steps: str


@dataclass
class Point:
    x: int
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    start: Point
    end: Point
    labels: list[str] = field(default_factory=list)


class Palette(JsonValue):
    """Colours, with what is said of them."""

    def __init__(self, colours: list[str]) -> None:
        self.colours = colours

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Palette) and other.colours == self.colours

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> Any:
        return self.colours

    @classmethod
    def from_json(cls, form: Any) -> Self:
        if not isinstance(form, list):
            raise ValueError("a palette is a list of colours")
        return cls(form)


class Plain:
    """Has no JSON form."""


class Takes(Node):
    """Takes values of each of these types."""

    options: Options = {"steps": 1}
    line: Line = Line(Point(0), Point(1))
    palette: Palette | None = None
    palettes: dict[str, list[Palette]] = {}

    def process(self) -> list[Any]:
        named = {
            name: [palette.colours for palette in palettes]
            for name, palettes in self.palettes.items()
        }
        return [
            self.options,
            dataclasses.asdict(self.line),
            None if self.palette is None else self.palette.colours,
            named,
        ]


class Base:
    """What several outputs have in common."""


@dataclass
class Common(Base):
    first: int


@dataclass
class Both(Common):
    second: str


class Gives(Node):
    """Gives outputs of a dataclass that inherits some."""

    def process(self) -> Both:
        return Both(1, "b")


class MakesPalette(Node):
    """Gives values of own types."""

    def process(self) -> list[Any]:
        return [Palette(["red"]), Point(1, 2.0), {"line": Line(Point(1), Point(2), ["a"])}]


GIVEN: dict[str, Any] = {
    "options": {"steps": 3, "shares": [0.5, 1]},
    "line": {"start": {"x": 1}, "end": {"x": 2, "y": 1.5}, "labels": ["a"]},
    "palette": ["red"],
    "palettes": {"warm": [["red"], ["orange"]]},
}
LINE = {"start": {"x": 1, "y": 0.0}, "end": {"x": 2, "y": 1.5}, "labels": ["a"]}
SHOWN = [GIVEN["options"], LINE, ["red"], {"warm": [["red"], ["orange"]]}]


def test_values_come_from_json_and_go_back(tmp_path: Path) -> None:
    """E12: as values in Python, in a file, and from outside."""
    registry = Registry(Registry.installed().packs, [Takes])
    with Engine(workers=1) as engine:
        built = Workflow(Output(name="x", value=Takes(**GIVEN)), engine=engine)
        assert built.run()["x"] == SHOWN
        own = Takes(
            options={"steps": 3, "shares": [0.5, 1]},
            line=Line(Point(1), Point(2, 1.5), ["a"]),
            palette=Palette(["red"]),
        )
        assert Workflow(Output(name="x", value=own), engine=engine).run()["x"][:3] == SHOWN[:3]
        path = built.save(tmp_path / "w.json")
        data = json.loads(path.read_text())["graph"]["nodes"][0]["data"]
        assert (data["line"], data["palettes"]) == (LINE, GIVEN["palettes"])
        assert Workflow.load(path, registry, engine=engine).run()["x"] == SHOWN
        again = Workflow(Output(name="x", value=Takes()), engine=engine).run(
            {f"takes.{name}": value for name, value in GIVEN.items()}
        )
        assert again["x"] == SHOWN


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"options": {"steps": "3"}},
            "Takes.options.steps: expects options: Input should be a valid integer.",
        ),
        ({"options": {}}, "Takes.options.steps: expects options: Field required."),
        (
            {"options": {"steps": 1, "step": 2}},
            "Takes.options.step: expects options: Extra inputs are not permitted.",
        ),
        (
            {"options": {"steps": 1, "shares": [float("nan")]}},
            "Takes.options: nan is not a finite number.",
        ),
        (
            {"line": {"start": {"x": 1}, "end": {"x": 1.5}}},
            "Takes.line.end.x: expects line: Input should be a valid integer",
        ),
        (
            {"line": {"start": {"x": 1}, "end": {"x": 1}, "colour": 3}},
            "Takes.line.colour: expects line: Unexpected keyword argument.",
        ),
        ({"line": 3}, "Takes.line: expects line, got 3 (int)."),
        ({"palettes": {"a": ["red"]}}, "a palette is a list of colours."),
    ],
)
def test_what_does_not_fit_names_the_field(given: dict[str, Any], says: str) -> None:
    """E12: nothing is coerced, and nothing left out silently."""
    with pytest.raises(WorkflowError) as caught:
        Takes(**given)
    assert says in str(caught.value)


def test_an_own_type_says_itself_what_is_wrong() -> None:
    class One(Node):
        """Takes a palette."""

        palette: Palette

        def process(self) -> int:
            return 1

    with pytest.raises(
        WorkflowError,
        match=r"One.palette: expects palette, got 'red' \(str\). a palette is a list of colours.",
    ):
        One(palette="red")


def test_inherited_fields_are_outputs() -> None:
    """E12."""
    assert list(Gives.spec.outputs) == ["first", "second"]
    with Engine(workers=1) as engine:
        given = Gives()
        result = Workflow(
            Output(name="a", value=given.first), Output(name="b", value=given.second), engine=engine
        ).run()
        assert dict(result) == {"a": 1, "b": "b"}


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        (MoreOptions, Options, True),
        (Options, MoreOptions, False),
        (Other, Options, False),
        (dict[str, Any], Options, True),
        (dict[str, int], Options, False),
        (Options, dict[str, Any], True),
        (Options, int, False),
    ],
)
def test_which_mappings_are_which(source: Any, target: Any, fits: bool) -> None:
    """E12: a mapping with more fields is one with fewer."""
    assert is_assignable(source, target) is fits


def test_mappings_are_checked_on_edges() -> None:
    """E12: where a type says nothing of the fields, the value does."""

    class Loose(Node):
        """Gives a mapping."""

        def process(self) -> dict[str, Any]:
            return {"steps": "many"}

    with (
        Engine(workers=1) as engine,
        pytest.raises(Exception, match=r"loose.output → takes.options: expects options, got dict"),
    ):
        Workflow(Output(name="x", value=Takes(options=Loose())), engine=engine).run()


@pytest.mark.parametrize(
    "value",
    [
        Palette(["red"]),
        Point(1, 2.0),
        Line(Point(1), Point(2), ["a"]),
        {"a": [Palette([]), (Point(3),)]},
    ],
)
def test_values_go_to_the_disk_and_back(value: Any) -> None:
    """E12: equal, and of their own class."""
    encoded = encode((value,))
    (found,) = decode(memoryview(b"".join(bytes(part) for part in encoded.payload())))
    assert found == value and type(found) is type(value)


def test_what_holds_more_than_its_fields_has_no_codec() -> None:
    """E12: nothing of a value is lost."""
    point = Point(1)
    point.z = 3  # type: ignore[attr-defined]
    for value in (point, Plain()):
        with pytest.raises(NoCodecError):
            encode((value,))


def test_the_next_process_finds_them(tmp_path: Path) -> None:
    """E12: with a cache on disk, as another engine over the same folder finds it."""

    def run() -> tuple[list[str], Any]:
        with Engine(
            cache=TieredCache(MemoryCache(), DiskCache(tmp_path, least_seconds=0)), workers=1
        ) as engine:
            node = Anything(value=MakesPalette())
            takes = Takes(palette=Palette(["blue"]))
            workflow = Workflow(
                Output(name="x", value=node), Output(name="y", value=takes), engine=engine
            )
            result = workflow.run()
            engine.cache.flush()  # type: ignore[attr-defined]
            return [name for name in result.ran if not name.startswith("output")], result["x"]

    ran, value = run()
    assert sorted(ran) == ["anything", "makes_palette", "takes"]
    assert run() == ([], value)


def test_the_schema_knows_them() -> None:
    """E12: editors are told of the fields."""
    schema = workflow_schema([Takes])
    data = schema["$defs"]["node"]["allOf"][0]["then"]["properties"]["data"]["properties"]
    assert set(data) == {"options", "line", "palette", "palettes"}
    assert "steps" in json.dumps(data["options"]) + json.dumps(schema["$defs"])
