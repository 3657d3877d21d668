"""
Nodes and workflows that the tests serve: real ones, quick, and each showing what it was given.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Annotated, Any

from nodes.nodetool.image import Resize
from nodes.nodetool.input import (
    FloatInput,
    HuggingFaceModelInput,
    ImageInput,
    IntegerInput,
    StringInput,
)
from nodes.nodetool.output import Output
from nodetool_core import Context, Field, ImageRef, Lane, ModelRef, Node, Workflow
from tests.jobs.pack.work import Recall


class Paint(Node):
    """
    Paints the image's left half in a colour made from the values: a test sees which arrived.
    """

    image: ImageRef = Field(description="The image.")
    prompt: str = Field(default="")
    negative_prompt: str = Field(default="")
    strength: float = Field(default=0.5, ge=0.0, le=1.0)
    steps: int = Field(default=4, ge=1, le=100)
    guidance: float = Field(default=7.5, ge=0.0, le=30.0)
    seed: int = Field(default=-1, seed=True)

    def process(self, context: Context) -> Annotated[ImageRef, "The painted image."]:
        image = context.image(self.image, "RGB").copy()
        colour = (len(self.prompt) % 256, len(self.negative_prompt) % 256, self.steps)
        image.paste(colour, (0, 0, max(1, image.width // 2), image.height))
        image.putpixel(
            (image.width - 1, image.height - 1),
            (self.seed % 256, self.seed // 256 % 256, round(self.strength * 255)),
        )
        for step in range(self.steps if context.wants_previews else 0):
            context.preview(image.resize((2, 2)), step + 1, self.steps)
        return context.image_from_pil(image)


class Draw(Node):
    """Makes an image of a text."""

    prompt: str = Field(default="")
    width: int = Field(default=16, ge=1, le=512)
    height: int = Field(default=16, ge=1, le=512)

    def process(self, context: Context) -> Annotated[ImageRef, "The image."]:
        from PIL import Image

        return context.image_from_pil(
            Image.new("RGB", (self.width, self.height), (len(self.prompt), 0, 0))
        )


class Door:
    """A door that runs stand before: how many came, and whether it is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.came = threading.Semaphore(0)
        self.left = threading.Semaphore(0)


DOORS: defaultdict[str, Door] = defaultdict(Door)


class Wait(Node):
    """Waits at a door until it is opened, or the run is cancelled."""

    lane = Lane.CPU
    cacheable = False

    image: ImageRef = Field(description="The image.")
    door: str = Field(default="")

    def process(self, context: Context) -> Annotated[ImageRef, "The image."]:
        door = DOORS[self.door]
        door.came.release()
        try:
            while not door.open.wait(0.01):
                context.check_cancelled()
        finally:
            door.left.release()
        return self.image


class Break(Node):
    """Fails the way a node with a fault does."""

    image: ImageRef = Field(description="The image.")

    def process(self, context: Context) -> Annotated[ImageRef, "Never."]:
        raise ZeroDivisionError("the token=hunter2 of this node is a secret")


NODES = (Paint, Draw, Wait, Recall, Break)


def paint(seed: Any = None) -> Workflow:
    image = ImageInput(name="image")
    values = {
        "prompt": StringInput(name="prompt", value="a lake").output,
        "negative_prompt": StringInput(name="negative_prompt").output,
        "strength": FloatInput(name="strength", value=0.5, max=1.0).output,
        "steps": IntegerInput(name="num_inference_steps", value=4, min=1, max=100).output,
        "guidance": FloatInput(name="guidance_scale", value=7.5, max=30.0).output,
        "seed": (
            IntegerInput(name="seed", value=-1, min=-1, max=2**32).output if seed is None else seed
        ),
    }
    return Workflow(
        Output(name="image", value=Paint(image=image.output, **values).output), name="Paint"
    )


def resize() -> Workflow:
    image = ImageInput(name="photo")
    width, height = (
        IntegerInput(name="width", value=8, min=1, max=512),
        IntegerInput(name="height", value=8, min=1, max=512),
    )
    small = Resize(image=image.output, width=width.output, height=height.output)
    return Workflow(Output(name="small", value=small.output), name="Resize")


def draw() -> Workflow:
    prompt = StringInput(name="prompt")
    width, height = IntegerInput(name="width", value=16), IntegerInput(name="height", value=16)
    return Workflow(
        Output(
            name="image",
            value=Draw(prompt=prompt.output, width=width.output, height=height.output).output,
        ),
        name="Draw",
    )


def wait(door: str) -> Workflow:
    image = ImageInput(name="image")
    name = StringInput(name="door", value=door)
    return Workflow(
        Output(name="image", value=Wait(image=image.output, door=name.output).output), name="Wait"
    )


def broken() -> Workflow:
    return Workflow(
        Output(name="image", value=Break(image=ImageInput(name="image").output).output),
        name="Broken",
    )


def with_model(model: str = "") -> Workflow:
    """Image to image by a model that is an input."""
    from nodes.huggingface.image_to_image import ImageToImage

    image, prompt = ImageInput(name="image"), StringInput(name="prompt", value="a lake")
    steps, ref = (
        IntegerInput(name="num_inference_steps", value=2, min=1, max=4),
        HuggingFaceModelInput(name="model", value=ModelRef(repo_id=model)),
    )
    made = ImageToImage(
        image=image.output,
        prompt=prompt.output,
        num_inference_steps=steps.output,
        model=ref.output,
        seed=7,
    )
    return Workflow(Output(name="image", value=made.output), name="With a model")
