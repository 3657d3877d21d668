"""The OpenAPI document says what is taken and given (V16), and answers keep to it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from PIL import Image

from nodes.nodetool.image import ImagesToList
from nodes.nodetool.output import Output
from nodetool_core import Workflow
from nodetool_core.assets.decode import FORMATS
from nodetool_core.server.http.openapi import ERROR_SCHEMA, IMAGE_TYPES
from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.v1.test_workflows import data_uri, ended, run

IMAGE_BODIES = [
    ("/models/{model}", "post", "requestBody"),
    ("/v1/uploads", "post", "requestBody"),
    ("/v1/files/{digest}", "get", "200"),
    ("/results/{name}", "get", "200"),
]


@pytest.fixture
def document(client: httpx2.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/openapi.json").json()
    return found


@pytest.mark.parametrize(("path", "method", "place"), IMAGE_BODIES)
def test_v16_every_format_of_images_is_declared(
    document: dict[str, Any], path: str, method: str, place: str
) -> None:
    operation = document["paths"][path][method]
    content = operation["requestBody" if place == "requestBody" else "responses"]
    content = (content if place == "requestBody" else content[place])["content"]
    assert set(IMAGE_TYPES) <= content.keys()
    assert "image/*" not in content


def test_v16_the_declared_formats_are_those_that_are_read() -> None:
    Image.init()
    assert [Image.MIME.get(name, f"image/{name.lower()}") for name in FORMATS] == list(IMAGE_TYPES)


def test_v16_the_address_of_a_model_has_examples(document: dict[str, Any]) -> None:
    for path in ("/models/{model}", "/models/{model}/health", "/models/{model}/info"):
        (operation,) = document["paths"][path].values()
        (parameter,) = (one for one in operation["parameters"] if one["name"] == "model")
        assert {one["value"] for one in parameter["examples"].values()} == {
            "image_to_image",
            "nodetool/tiny-landscapes",
        }
        assert parameter["description"]


@pytest.mark.parametrize("name", ["draw", "sub/broken"])
def test_v16_the_events_of_a_job_are_as_the_document_says(
    client: httpx2.Client, document: dict[str, Any], name: str
) -> None:
    item = document["paths"]["/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"][
        "text/event-stream"
    ]["itemSchema"]
    names = item["properties"]["event"]["enum"]
    schemas = {
        one["properties"]["event"]["const"]: one
        for one in item["properties"]["data"]["contentSchema"]["oneOf"]
    }
    assert list(schemas) == names
    inputs = {"image": data_uri(png())} if name != "draw" else {"prompt": "x"}
    job = client.post(f"/v1/workflows/{name}/runs", json={"inputs": inputs, "wait": False}).json()
    ended(client, job["id"])
    events = [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in read_events(client, job["id"])
    ]
    assert [event["id"] for event in events] == [
        str(number) for number in range(1, len(events) + 1)
    ]
    assert events[-1]["event"] == "job_ended"
    for event in events:
        data = json.loads(event["data"])
        jsonschema.validate(data, schemas[event["event"]] | {"additionalProperties": False})


def read_events(client: httpx2.Client, job: str) -> list[str]:
    return [
        block
        for block in client.get(f"/v1/jobs/{job}/events").text.split("\n\n")
        if block and not block.startswith(":")
    ]


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_v16_images_in_the_answer_itself(client: httpx2.Client, file_format: str) -> None:
    answer = run(client, inline=True, image_format=file_format)
    image = answer.json()["outputs"]["image"]
    content = base64.b64decode(image.pop("data"))
    assert opened(content).format == file_format
    assert image == {
        "type": "image",
        "media_type": f"image/{file_format.lower()}",
        "size": len(content),
        "width": 32,
        "height": 24,
    }


def test_v16_an_image_in_an_answer_goes_back_in_as_it_is(client: httpx2.Client) -> None:
    image = run(client, inline=True).json()["outputs"]["image"]
    assert run(client, inputs={"image": image}).status_code == 200


def test_v16_images_in_the_answer_are_not_kept(serve: Callable[..., LiveServer]) -> None:
    image = nodes.ImageInput(name="image").output
    live = serve(
        {
            "paint": nodes.paint(),
            "many": Workflow(Output(name="all", value=ImagesToList(a=image, b=image).output)),
        }
    )
    with live.client() as client:
        several = run(client, "many", inline=True).json()["outputs"]["all"]
        assert run(client, inline=True).status_code == 200
    assert [opened(base64.b64decode(one["data"])).size for one in several] == [(32, 24)] * 2
    assert live.state.jobs.files.total_bytes() == 0


def test_v16_the_results_of_a_job_are_kept(client: httpx2.Client) -> None:
    refused = run(client, inline=True, wait=False)
    assert refused.status_code == 422
    assert "`inline`" in refused.json()["error"]


def test_v16_a_browser_gets_a_page(serve: Callable[..., LiveServer]) -> None:
    live = serve(
        {"paint": nodes.paint(), "a <b>&": nodes.draw()},
        models=("nodetool/tiny-landscapes",),
        preload=False,
    )
    with live.client() as client:
        answer = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert answer.headers["content-type"].startswith("text/html")
        assert "<b>" not in answer.text
        links = [piece.partition('"')[0] for piece in answer.text.split('href="')[1:]]
        assert len(links) >= 3 + 4
        assert {client.get(link).status_code for link in links} == {200}
        assert client.get("/", headers={"Accept": "*/*"}).json()["name"] == "nodetool"


def test_v16_the_folder_of_data_is_not_for_git() -> None:
    assert "nodetool-data/" in (Path(__file__).parents[2] / ".gitignore").read_text().splitlines()


def test_the_form_of_errors_is_described_once(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert text.count(str(ERROR_SCHEMA["properties"]["error"]["description"])) == 1  # type: ignore[index,call-overload]
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert {"Error", "OpenAIError", "WebUIError", "ComfyUIError", "ReplicateError"} <= referred
    assert referred <= document["components"]["schemas"].keys()
