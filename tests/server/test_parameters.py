"""
What clients can set of a workflow besides its inputs.

The standard parameters of its one generating node (V9).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import InferenceClient
from PIL import Image, ImageChops

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.text_to_image import TextToImage
from nodes.nodetool.input import FloatInput, ImageInput, StringInput
from nodes.nodetool.output import Output
from nodes.nodetool.text import FormatText
from nodetool_core import ModelRef, Registry, Workflow
from nodetool_core.server.catalog import Catalog
from nodetool_core.workflow import WorkflowDocument
from tests.nodes.huggingface import tiny_pipelines
from tests.server.huggingface.test_routes import asked, encoded
from tests.server.live import LiveServer, opened, png

ROOT = Path(__file__).resolve().parents[2]
GRAPHS = ROOT / "graphs"


def plain(**values: Any) -> Workflow:
    image, prompt = ImageInput(name="image"), StringInput(name="prompt", value="a lake")
    return Workflow(
        Output(
            name="image",
            value=ImageToImage(image=image.output, prompt=prompt.output, **values).output,
        ),
        name="Plain",
    )


def catalog_of(tmp_path: Path, *workflows: Workflow) -> Catalog:
    for number, workflow in enumerate(workflows):
        workflow.save(tmp_path / f"{number}.json")
    return Catalog(Registry.installed(), tmp_path)


def test_v9_the_one_generating_node_lends_what_no_input_opens(tmp_path: Path) -> None:
    inputs = catalog_of(tmp_path, plain(strength=0.3)).workflow("0").inputs
    exposed = {name: given for name, given in inputs.items() if given.is_exposed}
    assert exposed.keys() == {
        "negative_prompt",
        "num_inference_steps",
        "guidance_scale",
        "strength",
        "seed",
        "scheduler",
    }
    assert exposed["strength"].default == 0.3
    assert inputs.keys() - exposed.keys() == {"image", "prompt"}


def test_v9_an_input_comes_before_the_parameter_of_its_name(tmp_path: Path) -> None:
    strength, steps = (
        FloatInput(name="strength", value=0.4, max=0.5),
        FloatInput(name="num_inference_steps", value=3.0),
    )
    image, label = ImageInput(name="image"), FormatText(template="{{ steps }}", steps=steps.output)
    made = ImageToImage(image=image.output, strength=strength.output)
    inputs = (
        catalog_of(
            tmp_path,
            Workflow(Output(name="a", value=made.output), Output(name="b", value=label.output)),
        )
        .workflow("0")
        .inputs
    )
    assert (inputs["strength"].most, inputs["strength"].is_exposed) == (0.5, False)
    assert not inputs["num_inference_steps"].is_exposed, "the author has closed it"


def test_v9_what_is_connected_is_not_exposed_and_several_nodes_expose_nothing(
    tmp_path: Path,
) -> None:
    scene, image = StringInput(name="scene", value="a lake"), ImageInput(name="image")
    prompt = FormatText(template="{{ scene }} at night", scene=scene.output)
    connected = Workflow(
        Output(name="image", value=ImageToImage(image=image.output, prompt=prompt.output).output)
    )
    first = ImageToImage(image=image.output)
    several = Workflow(Output(name="image", value=ImageToImage(image=first.output).output))
    catalog = catalog_of(tmp_path, connected, several)
    assert "prompt" not in catalog.workflow("0").inputs
    assert catalog.workflow("1").inputs.keys() == {"image"}


def test_v9_an_exposed_text_is_not_taken_for_the_prompt(tmp_path: Path) -> None:
    scene = StringInput(name="scene")
    prompt = FormatText(template="{{ scene }} at night", scene=scene.output)
    served = catalog_of(
        tmp_path, Workflow(Output(name="image", value=TextToImage(prompt=prompt.output).output))
    ).workflow("0")
    assert served.prompt_input == "scene"
    assert served.task == "text-to-image"


@pytest.mark.parametrize("path", sorted(GRAPHS.glob("*.json")), ids=lambda path: path.stem)
def test_v9_shipped_workflows_declare_the_parameters_of_their_nodes(path: Path) -> None:
    """
    All that go without saying.

    Where several nodes work side by side, those in which they don't differ.
    """
    served = Catalog(Registry.installed(), GRAPHS).workflow(path.stem)
    generating = [node for node in served.graph.nodes if "guidance_scale" in node.spec.properties]
    one = {"negative_prompt", "num_inference_steps", "guidance_scale", "strength", "seed"}
    several = {"num_inference_steps", "guidance_scale", "seed"}
    for node in generating:
        wanted = (one if len(generating) == 1 else several) & node.spec.properties.keys()
        assert {
            served.graph.nodes[edge.source].name for edge in node.inputs if edge.property in wanted
        } == wanted
        assert all(name in served.inputs and not served.inputs[name].is_exposed for name in wanted)


class Recorded:
    """The answers that a client of huggingface_hub got."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def note(self, response: httpx2.Response) -> None:
        if "x-hf-warning" in response.headers:
            self.warnings.append(response.headers["x-hf-warning"])


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Yield what the client's own connections got, by the hook that it offers."""
    found = Recorded()
    huggingface_hub.set_client_factory(
        lambda: httpx2.Client(event_hooks={"response": [found.note]}, timeout=None)
    )
    yield found
    huggingface_hub.close_session()
    huggingface_hub.set_client_factory(huggingface_hub.utils._http.default_client_factory)


DIFFERENT = {
    "prompt": "a dark night",
    "negative_prompt": "snow, winter",
    "num_inference_steps": 2,
    "guidance_scale": 1.5,
    "strength": 0.9,
    "seed": 8,
    "scheduler": "Euler",
    "target_size": {"width": 64, "height": 96},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["image_to_image", "plain"])
def test_v9_each_parameter_of_the_hub_client_has_an_effect_and_none_is_warned_of(
    serve: Callable[..., LiveServer], recorded: Recorded, tmp_path: Path, name: str
) -> None:
    """
    The client as it is, with every parameter that it has or passes on.

    A shipped workflow, and one that opens nothing.
    """
    model = ModelRef(
        repo_id=str(tiny_pipelines.save(tiny_pipelines.stable_diffusion, tmp_path / "model"))
    )
    document = json.loads((GRAPHS / "image_to_image.json").read_text())
    next(node for node in document["graph"]["nodes"] if node["id"] == "model")["data"]["value"] = (
        model.model_dump(exclude_none=True)
    )
    workflows = {
        "image_to_image": Workflow.from_document(WorkflowDocument.from_json(document)),
        "plain": plain(seed=7, model=model),
    }
    live = serve(workflows, device="cpu", load_patience=60)
    hub = InferenceClient(base_url=f"{live.url}/models/{name}", api_key="x")
    usual: dict[str, Any] = {"num_inference_steps": 4, "strength": 0.6, "seed": 7}

    def made(**parameters: Any) -> Image.Image:
        return hub.image_to_image(png(64, 64), **usual | parameters)

    before = made()
    for parameter, value in DIFFERENT.items():
        after = made(**{parameter: value})
        assert after.size != before.size or ImageChops.difference(before, after).getbbox(), (
            f"{parameter} has no effect"
        )
    assert made(target_size=DIFFERENT["target_size"]).size == (64, 96)
    assert recorded.warnings == []


@pytest.mark.slow
def test_v14_a_scheduler_by_any_of_its_names(serve: Callable[..., LiveServer]) -> None:
    live = serve({"plain": plain()}, device="cpu", load_patience=60)
    with live.client() as client:
        for scheduler, told in (
            ("DDIM", ""),
            ("ddim_scheduler", ""),
            ("Euler", ""),
            ("no such one", "'no such one' is not known"),
        ):
            body = asked(
                {"scheduler": scheduler, "num_inference_steps": 1, "strength": 1.0},
                inputs=encoded(png(128, 128)),
            )
            answer = client.post("/models/plain", json=body)
            assert answer.status_code == 200, answer.text
            assert told in answer.headers.get("x-hf-warning", "")
            assert bool(told) == ("x-hf-warning" in answer.headers)


def test_v14_more_steps_than_are_taken_are_brought_to_the_most(client: httpx2.Client) -> None:
    answer = client.post(
        "/models/paint", json=asked({"num_inference_steps": 150, "guidance_scale": 50})
    )
    assert answer.status_code == 200
    assert opened(answer.content).convert("RGB").getpixel((0, 0))[2] == 100  # type: ignore[index]
    assert "num_inference_steps was brought from 150 to 100" in answer.headers["x-hf-warning"]
    assert "guidance_scale was brought from 50 to 30" in answer.headers["x-hf-warning"]


@pytest.mark.parametrize("text", ["a winter night", "cat", "Astronaut, riding a horse!"])
def test_v14_a_text_for_a_workflow_that_takes_images(client: httpx2.Client, text: str) -> None:
    answer = client.post("/models/paint", json={"inputs": text})
    assert answer.status_code == 400
    assert "is a text" in answer.json()["error"]
    assert "parameters.prompt" in answer.json()["error"]
