"""A server of the web UI's API over workflows that show what they were given."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx2
import pytest
from PIL import Image

from nodes.nodetool.input import FloatInput, ImageInput, IntegerInput, StringInput
from nodes.nodetool.output import Output
from nodetool_core import Context, Field, ImageRef, Node, Workflow
from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.openai.conftest import NODES as SHOWING
from tests.server.openai.conftest import TINY, masked, sketch

PREFIX = "/sdapi/v1"


class Slow(Node):
    """Makes an image in four steps, and waits at a door after the second."""

    prompt: str = Field(default="")
    seed: int = Field(default=-1, seed=True)

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        for step in range(4):
            context.preview(Image.new("RGB", (2, 2), (step, 0, 0)), step + 1, 4)
            door = nodes.DOORS[self.prompt]
            if step == 1:
                door.came.release()
                while not door.open.wait(0.01):
                    context.check_cancelled()
        return context.image_from_pil(Image.new("RGB", (8, 8), (self.seed % 256, 0, 0)))


class White(Node):
    """Makes of an image a white one."""

    image: ImageRef = Field(description="The image.")

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        return context.image_from_pil(Image.new("RGB", context.image(self.image).size, "white"))


class Twice(White):
    """Makes an image twice as large, by nearest neighbours."""

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        image = context.image(self.image, "RGB")
        return context.image_from_pil(image.resize((2 * image.width, 2 * image.height), 0))


class Tuned(Node):
    """Makes an image whose colour stands for all values, over another one where there is one."""

    image: ImageRef | None = Field(default=None)
    prompt: str = Field(default="")
    negative_prompt: str = Field(default="")
    scheduler: str = Field(default="")
    steps: int = Field(default=10)
    guidance: float = Field(default=5.0)
    strength: float = Field(default=0.5, ge=0.0, le=1.0)
    width: int = Field(default=32)
    height: int = Field(default=24)
    seed: int = Field(default=-1, seed=True)

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        values = (self.prompt, self.negative_prompt, self.scheduler, self.steps, self.guidance)
        red, green, blue, *_ = hashlib.sha256(repr((*values, self.seed)).encode()).digest()
        if self.image is None:
            size = (self.width, self.height)
            return context.image_from_pil(Image.new("RGB", size, (red, green, blue)))
        image = context.image(self.image, "RGB")
        solid = Image.new("RGB", image.size, (red, green, blue))
        return context.image_from_pil(Image.blend(image, solid, self.strength))


def tuned(*, edits: bool, seed: int = -1) -> Workflow:
    values: dict[str, Any] = {
        "prompt": StringInput(name="prompt").output,
        "negative_prompt": StringInput(name="negative_prompt").output,
        "scheduler": StringInput(name="scheduler").output,
        "steps": IntegerInput(name="num_inference_steps", value=10, min=1, max=50).output,
        "guidance": FloatInput(name="guidance_scale", value=5.0, min=0.0, max=30.0).output,
        "seed": IntegerInput(name="seed", value=seed).output,
    }
    if edits:
        values["image"] = ImageInput(name="image").output
        strength = FloatInput(name="strength", value=0.5, min=0.0, max=1.0)
        values["strength"] = strength.output
    else:
        values["width"] = IntegerInput(name="width", value=32).output
        values["height"] = IntegerInput(name="height", value=24).output
    return Workflow(Output(name="image", value=Tuned(**values).output))


def slow() -> Workflow:
    prompt, seed = StringInput(name="prompt"), IntegerInput(name="seed", value=-1)
    made = Slow(prompt=prompt.output, seed=seed.output)
    return Workflow(Output(name="image", value=made.output))


def of_an_image(node: type[White]) -> Workflow:
    made = node(image=ImageInput(name="image").output)
    return Workflow(Output(name="image", value=made.output))


WORKFLOWS: dict[str, Callable[[], Workflow]] = {
    "sketch": sketch,
    "plain": nodes.draw,
    "paint": nodes.paint,
    "masked": masked,
    "slow": slow,
    "drawn": partial(tuned, edits=False),
    "edited": partial(tuned, edits=True),
    "twice": lambda: of_an_image(Twice),
    "white": lambda: of_an_image(White),
}
NODES = (*SHOWING, Slow, Tuned, White, Twice)


def live_server(folder: Any, **settings: Any) -> LiveServer:
    made = {name: make() for name, make in WORKFLOWS.items()}
    return LiveServer(folder, made, nodes=NODES, **{"models": (TINY,)} | settings)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(
        tmp_path_factory.mktemp("a1111"), max_body_bytes=2 * 2**20, max_pixels=2 * 10**6
    ) as live:
        yield live


Ask = Callable[..., httpx2.Response]


@pytest.fixture
def ask(server: LiveServer) -> Iterator[Ask]:
    with server.client() as client:
        yield asking(client)


def asking(client: httpx2.Client) -> Ask:
    """Return a function that asks for images, of a checkpoint by its title."""

    def ask(checkpoint: str, use: str = "txt2img", **body: Any) -> httpx2.Response:
        override = {"sd_model_checkpoint": checkpoint} if checkpoint else {}
        settings = override | body.pop("override_settings", {})
        return client.post(f"{PREFIX}/{use}", json={"override_settings": settings, **body})

    return ask


def images_of(response: httpx2.Response) -> list[Image.Image]:
    assert response.status_code == 200, response.text
    return [opened(base64.b64decode(text)) for text in response.json()["images"]]


def info_of(response: httpx2.Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.json()["info"])
    return found


def text_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


PHOTO = text_of(png(32, 24))
