"""
Declarations of nodes: what is read off a class, and what is refused when the class is created.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

from nodetool_core import Context, Field, ImageRef, Lane, Node, Workflow, WorkflowError
from nodetool_core.errors import DeclarationError


class Tuple(NamedTuple):
    """Outputs as a named tuple."""

    image: Annotated[ImageRef, "An image."]
    width: int


@dataclass
class Record:
    """Outputs as a dataclass."""

    image: Annotated[ImageRef, "An image."]
    width: int


class Mapping(TypedDict):
    """Outputs as a mapping."""

    image: Annotated[ImageRef, "An image."]
    width: int


class Blur(Node):
    """
    Softens an image with a Gaussian blur. Edges stay where they are.
    image, filter, blur

    Use cases:
    - Hide detail before a second pass
    - Calm a background
    """

    image: ImageRef = Field(description="Image to soften.")
    radius: float = Field(
        default=2.0, ge=0.0, le=128.0, description="Standard deviation, in pixels."
    )
    edges: Literal["keep", "wrap"] = "keep"

    def process(self, context: Context) -> Annotated[ImageRef, "The softened image."]:
        raise AssertionError("never called here")


def test_the_docstring_gives_description_tags_and_use_cases() -> None:
    spec = Blur.spec
    assert spec.description == "Softens an image with a Gaussian blur. Edges stay where they are."
    assert spec.tags == ("image", "filter", "blur")
    assert spec.use_cases == ("Hide detail before a second pass", "Calm a background")


def test_a_class_may_have_no_docstring() -> None:
    class Plain(Node):
        def process(self) -> str:
            raise AssertionError("never called here")

    assert (Plain.spec.description, Plain.spec.tags, Plain.spec.use_cases) == ("", (), ())


def test_prose_that_looks_like_tags_stays_in_the_description() -> None:
    class Move(Node):
        """
        Moves an image, in this order, around its middle. The
        canvas keeps its size.
        image, move

        Another paragraph.
        """

        def process(self) -> str:
            raise AssertionError("never called here")

    assert Move.spec.tags == ("image", "move")
    first = "Moves an image, in this order, around its middle. The canvas keeps its size."
    assert Move.spec.description == f"{first}\n\nAnother paragraph."


def test_properties_and_outputs_are_what_the_class_says() -> None:
    spec = Blur.spec
    assert list(spec.properties) == ["image", "radius", "edges"]
    assert [prop.required for prop in spec.properties.values()] == [True, False, False]
    assert spec.properties["radius"].json_schema() == {
        "type": "number",
        "minimum": 0.0,
        "maximum": 128.0,
        "description": "Standard deviation, in pixels.",
        "default": 2.0,
    }
    assert [
        (output.name, output.annotation, output.description) for output in spec.outputs.values()
    ] == [("output", ImageRef, "The softened image.")]


@pytest.mark.parametrize("kind", [Tuple, Record, Mapping])
def test_several_outputs_have_names_and_descriptions(kind: Any) -> None:
    class Split(Node):
        """Gives two things."""

        def process(self) -> kind:
            return None

    assert [(output.name, output.description) for output in Split.spec.outputs.values()] == [
        ("image", "An image."),
        ("width", ""),
    ]


def test_a_generator_streams_its_items() -> None:
    class Count(Node):
        """Counts."""

        def process(self) -> Iterator[int]:
            yield 1

    assert Count.spec.streams and Count.spec.outputs["output"].annotation is int


def test_a_subclass_has_the_properties_of_its_base_and_may_change_defaults() -> None:
    class Softer(Blur):
        """Softens more."""

        radius: float = Field(default=20.0, le=30.0)
        passes: int = 1

    assert list(Softer.spec.properties) == ["image", "radius", "edges", "passes"]
    assert Softer.spec.properties["radius"].default == 20.0
    assert Blur.spec.properties["radius"].default == 2.0


def test_every_fault_of_a_declaration_is_named_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:

        class Faulty(Node):
            """Wrong in many ways."""

            steps: int = Field(default=3.5)
            strength: float = Field(default=2.0, le=1.0)
            mode: Literal["a", "b"] = "c"  # type: ignore[assignment]
            spec: int = 1  # type: ignore[assignment, misc]
            nameless = Field(default=1)

            def process(self) -> int:
                return 1

    text = str(caught.value)
    for part in (
        "Faulty.steps",
        "Faulty.strength",
        "Faulty.mode",
        "Faulty.spec: is a reserved name",
        "Faulty.nameless: has no type",
    ):
        assert part in text


def test_i14_an_output_that_hides_behind_a_property_is_refused() -> None:
    class Found(NamedTuple):
        image: int
        mask: int

    with pytest.raises(DeclarationError, match=r"Hiding\.image: is a property and an output"):

        class Hiding(Node):
            """`node.image` would be the property."""

            image: int = 1

            def process(self) -> Found:
                return Found(1, 2)


def test_e28_a_property_can_not_have_the_name_that_the_engine_uses() -> None:
    with pytest.raises(DeclarationError, match=r"Free\.dynamic_values: is a reserved name"):

        class Free(Node):
            """Takes values of any name."""

            dynamic = True
            dynamic_values: dict[str, int] = {}

            def process(self) -> int:
                return len(self.dynamic_values)


def test_a_missing_return_annotation_is_refused() -> None:
    with pytest.raises(DeclarationError, match="no return annotation"):

        class Silent(Node):
            """Says nothing of its output."""

            def process(self):  # type: ignore[no-untyped-def]
                return 1


def test_a_coroutine_can_not_claim_a_device() -> None:
    with pytest.raises(DeclarationError, match="device"):

        class Async(Node):
            """Would share its device."""

            lane = Lane.DEVICE

            async def process(self) -> int:
                return 1


def test_a_node_keeps_nothing() -> None:
    node = Blur(image="lake.png")
    with pytest.raises(AttributeError, match="can't be assigned"):
        node.radius = 3.0


def test_a_misspelled_output_gets_its_nearest_name() -> None:
    node = Blur(image="lake.png")
    with pytest.raises(AttributeError, match="Did you mean 'output'"):
        _ = node.outpt
    with pytest.raises(WorkflowError, match="has no output 'image'"):
        _ = node["image"]


def test_class_bodies_stay_importable_without_process() -> None:
    class Base(Node):
        """Shared properties."""

        radius: float = 1.0

    with pytest.raises(TypeError, match="no process"):
        Base()


class Hue(enum.Enum):
    RED = "red"


class Formed(Node):
    """Has values that JSON has no form of its own for."""

    hue: Hue | None = None
    hues: list[Hue] = []
    pair: tuple[int, float] = (1, 2.0)
    when: datetime.date = datetime.date(2026, 1, 1)
    some: set[int] = set()

    def process(self) -> int:
        return 0


@pytest.mark.parametrize(
    "given",
    [
        {"hue": Hue.RED},
        {"hues": [Hue.RED, Hue.RED]},
        {"pair": (3, 4.5)},
        {"when": datetime.date(1912, 6, 23)},
        {"some": {3}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_every_value_comes_back_from_a_file(given: dict[str, Any], tmp_path: Path) -> None:
    workflow = Workflow(Formed(**given))
    again = Workflow.load(workflow.save(tmp_path / "formed.json"), workflow.registry)
    assert {name: again.graph.nodes[0].values[name] for name in given} == given


@pytest.mark.parametrize(
    "given",
    [
        {"hue": "blue"},
        {"hues": "red"},
        {"pair": [1]},
        {"pair": [True, 2.0]},
        {"when": 3},
        {"some": ["3"]},
    ],
)
def test_what_is_no_form_of_the_type_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError):
        Formed(**given)
