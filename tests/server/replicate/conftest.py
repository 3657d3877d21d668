"""A server of Replicate's API over workflows that show what they were given."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from PIL import Image

from nodes.nodetool.image import ImagesToList
from nodes.nodetool.input import ImageInput, ImageListInput, StringInput
from nodes.nodetool.output import Output
from nodetool_core import Context, Field, ImageRef, Node, Workflow
from tests.server import nodes
from tests.server.live import LiveServer, opened

TINY = "nodetool/tiny-landscapes"
ANY = "/replicate/v1"


class Steps(Node):
    """Makes an image in steps, each of which is reported."""

    cacheable = False

    prompt: str = Field(default="")
    steps: int = Field(default=4, ge=1, le=40)

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        for step in range(self.steps):
            context.progress(step + 1, self.steps)
        return context.image_from_pil(Image.new("RGB", (8, 8), (len(self.prompt), 0, 0)))


class CountImages(Node):
    """Makes an image whose colour is how many it was given."""

    images: list[ImageRef] = Field(default=[])

    def process(self, context: Context) -> ImageRef:
        """Return the image."""
        return context.image_from_pil(Image.new("RGB", (8, 8), (len(self.images), 0, 0)))


def steps() -> Workflow:
    made = Steps(prompt=StringInput(name="prompt").output)
    return Workflow(Output(name="image", value=made.output), name="Steps")


def twins() -> Workflow:
    image = ImageInput(name="photo").output
    return Workflow(Output(name="all", value=ImagesToList(a=image, b=image).output), name="Twins")


def several() -> Workflow:
    """Return a workflow with two outputs, an image and a text."""
    image, text = ImageInput(name="image").output, StringInput(name="text", value="x").output
    return Workflow(
        Output(name="image", value=image), Output(name="text", value=text), name="Several"
    )


def count() -> Workflow:
    given = ImageListInput(name="images")
    return Workflow(Output(name="image", value=CountImages(images=given.output).output))


WORKFLOWS: dict[str, Callable[[], Workflow]] = {
    "paint": nodes.paint,
    "draw": nodes.draw,
    "resize": nodes.resize,
    "steps": steps,
    "twins": twins,
    "several": several,
    "count": count,
    "sub/broken": nodes.broken,
    "a/b/deep one": nodes.draw,
}
NODES = (*nodes.NODES, Steps, CountImages)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(
        tmp_path_factory.mktemp("replicate"),
        {name: make() for name, make in WORKFLOWS.items()},
        nodes=NODES,
        models=(TINY,),
        preload=False,
        max_body_bytes=2 * 2**20,
    ) as live:
        yield live


@pytest.fixture
def serve_steps(serve: Callable[..., LiveServer]) -> Callable[..., LiveServer]:
    """Return a function that starts a server of some of the workflows."""

    def make(**settings: Any) -> LiveServer:
        return serve({"paint": nodes.paint(), "draw": nodes.draw()}, **settings)

    return make


def predict(
    client: httpx2.Client, model: str, given: Any, *, wait: bool = True, **fields: Any
) -> httpx2.Response:
    """Ask for a prediction of a model and wait for its end."""
    return client.post(
        f"{ANY}/models/{model}/predictions",
        json={"input": given, **fields},
        headers={"Prefer": "wait"} if wait else {},
    )


def predicted(client: httpx2.Client, model: str, given: Any, **fields: Any) -> dict[str, Any]:
    """Return a prediction that has succeeded."""
    response = predict(client, model, given, **fields)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    assert found["status"] == "succeeded", found
    return found


def ended(live: LiveServer, client: httpx2.Client, prediction_id: str) -> dict[str, Any]:
    """Wait for a prediction to end, and return it."""
    live.state.jobs.wait(prediction_id, 60)
    found: dict[str, Any] = client.get(f"{ANY}/predictions/{prediction_id}").json()
    return found


def image_of(client: httpx2.Client, url: str) -> Image.Image:
    """Return the image at an address of an output, which needs no token."""
    if url.startswith("data:"):
        return opened(base64.b64decode(url.partition(",")[2]))
    response = client.get(url)
    assert response.status_code == 200, response.text
    return opened(response.content)
