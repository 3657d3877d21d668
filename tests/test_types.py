"""Behaviour 8: what may be connected to what, and which values belong to a type."""

from __future__ import annotations

import enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetool_core import FolderRef, ImageRef, Node
from nodetool_core.types import checker, is_assignable, is_open


class Colour(enum.Enum):
    RED = "red"


class Shade(enum.StrEnum):
    DARK = "dark"


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        (int, int, True),
        (int, float, True),
        (float, int, False),
        (bool, int, False),
        (bool, float, False),
        (int, bool, False),
        (list[int], int, False),
        (int, list[int], False),
        (str, list[str], False),
        (list[int], list[float], True),
        (list[float], list[int], False),
        (list[bool], list[int], False),
        (list[Any], list[int], True),
        (dict[str, int], dict[str, float], True),
        (tuple[int, int], tuple[float, float], True),
        (tuple[int, int], tuple[int, ...], True),
        (tuple[int, str], tuple[int, ...], False),
        (tuple[int, ...], tuple[int, int], False),
        (tuple[int, ...], tuple[float, ...], True),
        (tuple[int, int, int], tuple[int, int], False),
        (Shade, str, True),
        (Literal["a"], str, True),
        (Literal["a"], Literal["a", "b"], True),
        (str, Literal["a"], False),
        (str, Colour, False),
        (int, int | str, True),
        (str | int, int | str, True),
        (int | str, int, False),
        (int | None, int, False),
        (int, int | None, True),
        (ImageRef, ImageRef | None, True),
        (ImageRef, FolderRef, False),
        (Any, int, True),
        (int, Any, True),
    ],
)
def test_what_may_be_connected(source: Any, target: Any, allowed: bool) -> None:
    assert is_assignable(source, target) is allowed


TYPES = st.recursive(
    st.sampled_from([int, float, bool, str, type(None), Literal["a", "b"], Literal[1, "a"], Shade]),
    lambda inner: (
        st.builds(lambda item: list[item], inner) | st.builds(lambda a, b: a | b, inner, inner)
    ),  # type: ignore[valid-type]
    max_leaves=4,
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.5, 1.0])
    | st.sampled_from(["a", "b", "dark", Shade.DARK]),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)


@given(source=TYPES, target=TYPES, value=VALUES)
def test_a_value_of_an_assignable_type_belongs_to_the_target(
    source: Any, target: Any, value: Any
) -> None:
    """What `is_assignable` promises, `checker` keeps."""
    if is_assignable(source, target) and checker(source)(value):
        assert checker(target)(value)


@given(one=TYPES, two=TYPES, three=TYPES)
def test_assignable_is_reflexive_and_transitive(one: Any, two: Any, three: Any) -> None:
    assert is_assignable(one, one)
    assert is_assignable(one, one | two)
    if is_assignable(one, two) and is_assignable(two, three):
        assert is_assignable(one, three)


@pytest.mark.parametrize(
    ("annotation", "is_it"),
    [
        (Any, True),
        (list[Any], True),
        (list, True),
        (Any | None, True),
        (list[int], False),
        (Literal["Any"], False),
    ],
)
def test_an_open_type_leaves_the_question_to_run_time(annotation: Any, is_it: bool) -> None:
    assert is_open(annotation) is is_it


def test_an_enum_is_given_by_its_value_or_itself() -> None:
    class Paint(Node):
        """Paints."""

        colour: Colour = Colour.RED
        shade: Shade = Shade.DARK

        def process(self) -> str:
            return str(self.colour.value)

    assert Paint(colour="red", shade="dark").colour is Colour.RED  # type: ignore[arg-type]
    assert Paint(shade=Shade.DARK).shade is Shade.DARK
    with pytest.raises(Exception, match="is not one of the choices: 'red'"):
        Paint(colour="blue")  # type: ignore[arg-type]
