"""Workflows that clients send: what they may hold, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodes.huggingface.image_to_image import ImageToImage, LoadImageToImageModel
from nodes.nodetool.constant import Image as ImageConstant
from nodes.nodetool.image import LoadImageFile, LoadImageFolder, Resize, SaveImageFile
from nodes.nodetool.input import FilePathInput, ImageInput, StringInput
from nodes.nodetool.output import Output
from nodetool_core import ImageRef, ModelRef, Workflow
from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.v1.test_workflows import data_uri, ended


@pytest.fixture
def send(serve: Callable[..., LiveServer]) -> Callable[..., httpx2.Response]:
    live = serve(client_workflows=True)
    client = live.client()

    def send(workflow: Workflow | dict[str, Any], **body: Any) -> httpx2.Response:
        content = workflow.document.to_json() if isinstance(workflow, Workflow) else workflow
        return client.post("/v1/runs", json={"workflow": content} | body)

    send.client = client  # type: ignore[attr-defined]
    return send


def code(response: httpx2.Response) -> str:
    assert response.status_code in (404, 422), response.text
    return str(response.json()["problems"][0]["code"])


def shrink(source: Any) -> Workflow:
    return Workflow(Output(name="small", value=Resize(image=source, width=5, height=6).output))


def test_a_workflow_with_inputs_and_one_with_its_image_inside(send: Any) -> None:
    given = send(shrink(ImageInput(name="photo").output), inputs={"photo": data_uri(png())})
    inside = send(shrink(ImageConstant(value=ImageRef(uri=data_uri(png()))).output))
    for response in (given, inside):
        assert response.status_code == 200, response.text
        assert opened(send.client.get(response.json()["outputs"]["small"]["url"]).content).size == (
            5,
            6,
        )


def test_as_a_job(send: Any) -> None:
    accepted = send(shrink(ImageConstant(value=ImageRef(uri=data_uri(png()))).output), wait=False)
    assert accepted.status_code == 202, accepted.text
    assert ended(send.client, accepted.json()["id"])["outputs"]["small"]["width"] == 5


def test_only_where_the_operator_allows_it(client: httpx2.Client) -> None:
    response = client.post(
        "/v1/runs", json={"workflow": shrink(ImageInput(name="a").output).document.to_json()}
    )
    assert response.status_code == 403


def test_nodes_that_reach_for_places(send: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    text = StringInput(name="text", value=str(tmp_path / "secret.png"))
    for workflow in (
        shrink(LoadImageFile(path=str(tmp_path / "secret.png")).output),
        shrink(LoadImageFile(path=text.output).output),
        Workflow(Output(name="list", value=LoadImageFolder(folder=str(tmp_path))["image"])),
        Workflow(SaveImageFile(image=ImageInput(name="a").output, folder=str(tmp_path))),
        Workflow(Output(name="path", value=FilePathInput(name="path", value="/etc/passwd").output)),
    ):
        assert code(send(workflow)) == "forbidden_node"
    nested = {
        "graph": {
            "nodes": [
                {
                    "id": "a",
                    "type": "nodetool.workflows.workflow_node.WorkflowNode",
                    "data": {"path": "/etc/passwd"},
                }
            ]
        }
    }
    assert code(send(nested)) == "forbidden_node"


@pytest.mark.parametrize(
    "uri", ["/etc/passwd", "file:///etc/passwd", "../secret.png", "http://127.0.0.1:1/a.png"]
)
def test_images_from_places(send: Any, uri: str) -> None:
    for source in (
        ImageConstant(value=ImageRef(uri=uri)),
        ImageInput(name="photo", value=ImageRef(uri=uri)),
    ):
        assert code(send(shrink(source.output))) in ("forbidden_path", "forbidden_address")


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}"])
def test_images_from_places_that_a_node_makes_of_a_text(
    send: Any, tmp_path: Path, form: str, wait: bool
) -> None:
    """Nothing shows before the run that the text is a path."""
    (tmp_path / "secret.png").write_bytes(png())
    text = StringInput(name="text", value=form.format(tmp_path / "secret.png"))
    for workflow in (
        shrink(nodes.Recall(source=text.output).output),
        Workflow(Output(name="same", value=nodes.Recall(source=text.output).output)),
    ):
        response = send(workflow, wait=wait)
        if wait:
            assert code(response) == "forbidden_path"
        else:
            job = ended(send.client, response.json()["id"])
            assert (job["state"], job["problems"][0]["code"]) == ("failed", "forbidden_path")
    assert send(shrink(nodes.Recall(source=data_uri(png())).output)).status_code == 200


def test_models_that_are_not_listed(send: Any) -> None:
    image = ImageInput(name="image", value=ImageRef(uri=data_uri(png(64, 64))))
    by_value = ImageToImage(
        image=image.output, model=ModelRef(type="hf.image_to_image", repo_id="somebody/else")
    )
    by_text = ImageToImage(image=image.output, model=LoadImageToImageModel(repo_id="/etc").output)
    assert code(send(Workflow(Output(name="p", value=by_value.output)))) == "model_unlisted"
    assert code(send(Workflow(Output(name="p", value=by_text.output)))) == "model_unlisted"


WRONG = [
    {},
    {"graph": 5},
    {"graph": {"nodes": [{"id": "a", "type": "no.such.Node"}]}},
    {"graph": {"nodes": [{"id": "a"}]}},
    {"nodes": [[[]]]},
]


@pytest.mark.parametrize("content", WRONG, ids=str)
def test_what_is_no_workflow(send: Any, content: dict[str, Any]) -> None:
    assert code(send(content)) in ("invalid_document", "unknown_type")


def test_a_workflow_that_is_too_large(send: Any) -> None:
    many = [{"id": str(number), "type": "nodetool.constant.Integer"} for number in range(1001)]
    assert code(send({"graph": {"nodes": many}})) == "too_many_nodes"


def test_messages_name_a_workflow_without_a_name(send: Any) -> None:
    """V16: of one that a client sends."""
    workflow = shrink(ImageInput(name="photo").output)
    for body in ({"outputs": ["x"]}, {"inputs": {"x": 1}}):
        (problem,) = send(workflow, **body).json()["problems"]
        assert problem["message"].startswith("The workflow has no "), problem
