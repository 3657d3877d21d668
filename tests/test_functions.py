"""Functions as nodes: `@node`."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, NamedTuple

import pytest
from PIL import Image, ImageFilter

from nodes.nodetool.control import Collect
from nodes.nodetool.output import Output
from nodetool_core import (
    Context,
    Field,
    ImageRef,
    Lane,
    Node,
    Registry,
    Workflow,
    WorkflowError,
    node,
)
from nodetool_core.engine.engine import Engine
from nodetool_core.errors import DeclarationError
from nodetool_core.reference.examples import example


@node
def soften(
    image: ImageRef,
    context: Context,
    radius: Annotated[float, Field(ge=0, le=128)] = 2.0,
) -> Annotated[ImageRef, "The softened image."]:
    """
    Soften an image with a Gaussian blur.

    image, filter, blur

    Use cases:
    - Hide detail before a second pass

    Args:
        image: Image to soften.
        radius: Standard deviation,
            in pixels.

    Returns:
        The image.
    """
    return context.image_from_pil(
        context.image(image, "RGB").filter(ImageFilter.GaussianBlur(radius))
    )


@node(lane=Lane.INLINE, cacheable=False, synonyms=("Sum",))
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@node
async def later(a: int) -> int:
    """Return a number, in a coroutine."""
    return a


@node
def count(to: int) -> Iterator[int]:
    """Count."""
    yield from range(to)


@node
async def count_later(to: int) -> AsyncIterator[int]:
    """Count, in a coroutine."""
    for number in range(to):
        yield number


class Halves(NamedTuple):
    """The two outputs of `split`."""

    low: int
    high: int


@node
def split(a: int, b: int) -> Halves:
    """Sort two numbers."""
    return Halves(min(a, b), max(a, b))


def value_of(wanted: Any) -> Any:
    return Workflow(Output(name="value", value=wanted))()


def test_the_function_is_declared_like_a_class() -> None:
    spec = soften.spec
    assert issubclass(soften, Node) and spec.node_type == "tests.test_functions.soften"
    assert spec.description == "Soften an image with a Gaussian blur."
    assert spec.tags == ("image", "filter", "blur")
    assert spec.use_cases == ("Hide detail before a second pass",)
    assert list(spec.properties) == ["image", "radius"]
    radius = spec.properties["radius"]
    assert (radius.default, radius.bounds, radius.description) == (
        2.0,
        {"ge": 0, "le": 128},
        "Standard deviation, in pixels.",
    )
    assert spec.properties["image"].required
    assert spec.outputs["output"].description == "The softened image."
    assert (add.lane, add.cacheable, add.spec.synonyms) == (Lane.INLINE, False, ("Sum",))


def test_it_runs_as_a_node_and_stays_a_function() -> None:
    image = Image.linear_gradient("L").convert("RGB")
    from nodes.nodetool.input import ImageInput

    photo = ImageInput(name="photo")
    workflow = Workflow(Output(name="image", value=soften(image=photo.output, radius=3)))
    softened = workflow(photo=image).image
    assert softened.tobytes() == image.filter(ImageFilter.GaussianBlur(3)).tobytes()
    assert add.__wrapped__(2, 3) == 5


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (lambda: add(a=1), 2),
        (lambda: later(a=4), 4),
        (lambda: Collect(input_item=count(to=3)), [0, 1, 2]),
        (lambda: Collect(input_item=count_later(to=3)), [0, 1, 2]),
        (lambda: [split(a=3, b=2).low, split(a=3, b=2).high], [2, 3]),
    ],
)
def test_functions_of_every_kind_run(wanted: Callable[[], Any], expected: object) -> None:
    assert value_of(wanted()) == expected


def test_mistakes_fail_at_the_call() -> None:
    with pytest.raises(WorkflowError, match="soften has no property 'radios'"):
        soften(image="photo.jpg", radios=3)
    with pytest.raises(WorkflowError, match="expects int, but soften"):
        add(a=soften(image="photo.jpg"))
    with pytest.raises(WorkflowError, match="above 128"):
        Workflow(Output(name="image", value=soften(image="photo.jpg", radius=200)))


def test_what_a_closure_holds_is_part_of_the_key() -> None:
    def times(factor: int) -> type[Node]:
        @node
        def scaled(a: int) -> int:
            """Multiply."""
            return a * factor

        return scaled

    with Engine() as engine:
        values = [
            Workflow(Output(name="value", value=times(factor)(a=2)), engine=engine)()
            for factor in (3, 5, 3)
        ]
        again = Workflow(Output(name="value", value=times(5)(a=2)), engine=engine).run()
    assert values == [6, 10, 6]
    assert again.hits and "scaled" not in again.ran


def test_a_saved_workflow_finds_the_function_again(tmp_path: Any) -> None:
    Workflow(Output(name="value", value=add(a=1, b=2))).save(tmp_path / "w.json")
    registry = Registry(Registry.installed().packs, [add])
    assert Workflow.load(tmp_path / "w.json", registry)() == 3


def test_it_is_pickled_and_copied_by_name() -> None:
    assert pickle.loads(pickle.dumps(add)) is add
    assert copy.deepcopy(add) is add


def test_its_example_is_written_like_that_of_a_class() -> None:
    registry = Registry(Registry.installed().packs, [add])
    assert next(step.node_class for step in example(add, registry).steps) is add


@pytest.mark.parametrize(
    ("define", "says"),
    [
        (lambda: node(lambda a: a), "has the parameter 'a' without a type"),
        (lambda: node(_any_number), "has the parameter 'values', which can't be given by name"),
        (lambda: node(_no_return), "has no return annotation"),
        (lambda: node(_two_contexts), "takes the context twice: first, second"),
        (lambda: node(_unknown), "can't be resolved"),
        (lambda: node(_bad_default), "has the default 'x'"),
        (lambda: node(_reserved), "is a reserved name"),
        (lambda: node(3), "is no function"),  # type: ignore[call-overload]
    ],
)
def test_what_can_be_no_node_is_refused(define: Callable[[], object], says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        define()


def _any_number(*values: int) -> int:
    return sum(values)


def _no_return(a: int):  # type: ignore[no-untyped-def]
    return a


def _two_contexts(first: Context, second: Context) -> int:
    return 1


def _unknown(a: Unheard) -> int:  # type: ignore[name-defined] # noqa: F821
    return 1


def _bad_default(a: int = "x") -> int:  # type: ignore[assignment]
    return a


def _reserved(lane: int) -> int:
    return lane
