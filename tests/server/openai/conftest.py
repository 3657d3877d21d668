"""A server of the OpenAI Images API over workflows that show what they were given."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from PIL import Image

from nodes.nodetool.input import ImageInput, ImageListInput, IntegerInput, StringInput
from nodes.nodetool.output import Output
from nodetool_core import Context, Field, ImageRef, Node, Workflow
from tests.server import nodes
from tests.server.live import LiveServer, opened

TINY = "nodetool/tiny-landscapes"


class Sketch(Node):
    """Makes an image of a text, whose colour is the seed's, with the number of steps in it."""

    prompt: str = Field(default="")
    width: int = Field(default=16, ge=1, le=4096)
    height: int = Field(default=16, ge=1, le=4096)
    steps: int = Field(default=10, ge=1, le=40)
    seed: int = Field(default=-1, seed=True)

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        image = Image.new("RGB", (self.width, self.height), (self.seed % 256, self.steps, 0))
        image.putpixel((0, 0), (len(self.prompt), 0, 0))
        for step in range(self.steps):
            context.preview(image.resize((2, 2)), step + 1, self.steps)
        return context.image_from_pil(image)


class Count(Node):
    """Makes an image as large as the first, whose colour is how many it was given."""

    images: list[ImageRef] = Field(default=[])

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        size = context.image(self.images[0]).size
        return context.image_from_pil(Image.new("RGB", size, (len(self.images), 0, 0)))


class Masked(Node):
    """Makes an image whose colour is how many percent of the mask are white."""

    image: ImageRef = Field(description="The image.")
    mask: ImageRef = Field(description="The mask.")

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        histogram = context.image(self.mask, "L").histogram()
        white = round(100 * histogram[255] / sum(histogram))
        size = context.image(self.image).size
        return context.image_from_pil(Image.new("RGB", size, (0, white, 0)))


def sketch(seed: int = -1) -> Workflow:
    prompt, wanted = StringInput(name="prompt"), IntegerInput(name="seed", value=seed)
    width, height = IntegerInput(name="width", value=16), IntegerInput(name="height", value=16)
    steps = IntegerInput(name="num_inference_steps", value=10, min=1, max=14)
    made = Sketch(
        prompt=prompt.output,
        width=width.output,
        height=height.output,
        steps=steps.output,
        seed=wanted.output,
    )
    return Workflow(Output(name="image", value=made.output), name="Sketch")


def collage() -> Workflow:
    given = ImageListInput(name="images")
    return Workflow(Output(name="image", value=Count(images=given.output).output), name="Collage")


def masked() -> Workflow:
    image, mask = ImageInput(name="image"), ImageInput(name="mask")
    made = Masked(image=image.output, mask=mask.output)
    return Workflow(Output(name="image", value=made.output), name="Masked")


WORKFLOWS = {
    "sketch": sketch,
    "plain": nodes.draw,
    "paint": nodes.paint,
    "collage": collage,
    "masked": masked,
    "broken": nodes.broken,
}
NODES = (*nodes.NODES, Sketch, Count, Masked)
SERVED = {
    "dall-e-2": "sketch,paint",
    "gpt-image-1": ["sketch", "paint"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(
        tmp_path_factory.mktemp("openai"),
        {name: make() for name, make in WORKFLOWS.items()},
        nodes=NODES,
        models=(TINY,),
        openai_models=SERVED,
        max_body_bytes=2 * 2**20,
        max_pixels=2 * 10**6,
    ) as live:
        yield live


@pytest.fixture
def sdk(server: LiveServer) -> Iterator[OpenAI]:
    with connected(server) as client:
        yield client


def connected(live: LiveServer, token: str = "any", **options: Any) -> OpenAI:
    return OpenAI(
        base_url=f"{live.url}/v1", api_key=token, max_retries=options.pop("max_retries", 0)
    )


def image_of(entry: Any) -> Image.Image:
    """Return the image of an entry in `data`, of the SDK or of JSON."""
    text = entry["b64_json"] if isinstance(entry, dict) else entry.b64_json
    return opened(base64.b64decode(text))


@pytest.fixture
def ask(server: LiveServer) -> Iterator[Callable[..., httpx2.Response]]:
    with server.client() as client:

        def ask(use: str = "generations", **request: Any) -> httpx2.Response:
            return client.post(f"/v1/images/{use}", **request)

        yield ask
