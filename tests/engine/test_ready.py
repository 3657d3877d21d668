"""Which of several ready steps comes first."""

from __future__ import annotations

from typing import Any

from PIL import Image

from nodes.nodetool.image import ImagesToList
from nodes.nodetool.output import Output
from nodetool_core import Context, ImageRef, Lane, ModelRef, Node, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions


class Paint(Node):
    """An image of so many pixels a side."""

    lane = Lane.INLINE

    side: int

    def process(self, context: Context) -> ImageRef:
        return context.image_from_pil(Image.new("RGB", (self.side, self.side)))


class Shrink(Node):
    """One pixel of an image."""

    image: ImageRef

    def process(self, context: Context) -> ImageRef:
        return context.image_from_pil(context.image(self.image).resize((1, 1)))


class Use(Node):
    """Says which model it used."""

    lane = Lane.DEVICE

    model: ModelRef
    number: int = 0

    def process(self) -> str:
        return self.model.repo_id


class FakeModels:
    """Knows which models are loaded, and nothing else."""

    def __init__(self, *loaded: str) -> None:
        self.loaded = set(loaded)

    def is_loaded(self, ref: ModelRef) -> bool:
        return ref.repo_id in self.loaded

    def revision(self, ref: ModelRef) -> str | None:
        return ref.repo_id


def test_blocking_steps_that_free_most_memory_come_first() -> None:
    small = {
        f"image_{side}": Shrink(image=Paint(side=side).output).output
        for side in (20, 300, 100, 200)
    }
    result = Workflow(
        Output(name="x", value=ImagesToList(**small).output), engine=Engine(workers=1)
    ).run()
    sides = {"shrink": 20, "shrink_2": 300, "shrink_3": 100, "shrink_4": 200}
    assert [sides[name] for name in result.ran if name in sides] == [300, 200, 100, 20]


def test_device_steps_run_model_by_model_beginning_with_what_is_loaded() -> None:
    order = ["a", "b", "c", "a", "b", "c"]
    uses = [Use(model=ModelRef(repo_id=name), number=number) for number, name in enumerate(order)]
    models: Any = FakeModels("b")
    workflow = Workflow(
        *(Output(name=f"o{number}", value=use.output) for number, use in enumerate(uses)),
        engine=Engine(models=models),
    )
    result = workflow.run(options=RunOptions(use_cache=False))
    ids = {"use" if number == 0 else f"use_{number + 1}": name for number, name in enumerate(order)}
    used = [ids[name] for name in result.ran if name in ids]
    assert used[:2] == ["b", "b"]
    assert [name for before, name in zip(["", *used], used, strict=False) if name != before] in (
        ["b", "a", "c"],
        ["b", "c", "a"],
    )
