"""
Answers against the published description of the API.

published_schemas.json has the schemas of the answers of openai/openai-openapi (MIT) at f85dbe2,
without their texts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from tests.server.live import png

PUBLISHED = json.loads(Path(__file__).with_name("published_schemas.json").read_text("utf-8"))
GIVEN = {"prompt": "x", "size": "1024x1024"}


def check(name: str, answer: Any) -> None:
    schema = PUBLISHED | {"$ref": f"#/$defs/{name}"}
    Draft202012Validator(schema).validate(answer)


@pytest.mark.parametrize("how", ["url", "b64_json", None])
def test_a_generation(client: httpx2.Client, how: str | None) -> None:
    body = GIVEN | {"model": "sketch", "n": 2, "response_format": how}
    answer = client.post("/v1/images/generations", json=body)
    check("ImagesResponse", answer.json())


def test_an_edit_and_a_variation(client: httpx2.Client) -> None:
    files = {"image": ("a.png", png(1024, 1024))}
    for path in ("edits", "variations"):
        answer = client.post(f"/v1/images/{path}", data=GIVEN | {"model": "paint"}, files=files)
        check("ImagesResponse", answer.json())


@pytest.mark.parametrize("use", ["generations", "edits"])
def test_every_event_of_a_stream(client: httpx2.Client, use: str) -> None:
    name = {"generations": "ImageGenStreamEvent", "edits": "ImageEditStreamEvent"}[use]
    given = GIVEN | {"stream": "true", "n": "2"}
    if use == "edits":
        files = {"image": ("a.png", png(1024, 1024))}
        answer = client.post("/v1/images/edits", data=given | {"model": "paint"}, files=files)
    else:
        body = given | {"model": "sketch", "stream": True, "n": 2}
        answer = client.post("/v1/images/generations", json=body)
    events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert len(events) == 2
    for event in events:
        check(name, json.loads(event))
