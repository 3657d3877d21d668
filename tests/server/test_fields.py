"""
What becomes of each field of the Hugging Face and Qolaba APIs: honoured, noted, or refused.

The tables in docs/guides/clients.md are made here, of what the server does. The other dialects'
are made beside their tests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodetool_core.server.qolaba.body import ImageRequest
from tests.server.a1111.conftest import NODES, White, of_an_image, tuned
from tests.server.live import LiveServer, opened, png
from tests.server.v1.test_workflows import data_uri

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "clients.md"
APP = "ap-fGhKl3mfkdlpqrshuwwabc"
SIZED, WHITE = "ap-of-the-operator", "ap-white"

Sample = tuple[Any, Any]
"""A value, and one that can't be meant (None: there is none)."""

PARAMETERS: Mapping[str, Sample] = {
    "prompt": ("a hill", 5),
    "negative_prompt": (["rain", "fog"], 5),
    "guidance_scale": (3.5, "much"),
    "num_inference_steps": (6, 1.5),
    "target_size": ({"width": 16, "height": 20}, {"width": 16}),
    "strength": (0.25, 7.0),
    "seed": (8, "many"),
    "scheduler": ("EulerDiscreteScheduler", 5),
    "of_nobody": (1, None),
}
QOLABA: Mapping[str, Sample] = {
    "app_id": (WHITE, "ap-nobody"),
    "image": (data_uri(png(20, 20)), "no address"),
    "file_urls": ([data_uri(png())], "no address"),
    "prompt": ("a hill", 5),
    "negative_prompt": ("rain", 5),
    "guidance_scale": (3.5, 31),
    "batch": (2, 9),
    "strength": (0.25, 1.01),
    "height": (300, 100),
    "width": (300, 100),
    "celery": (True, "maybe"),
    "inference_type": ("a10g", "h200"),
    "of_nobody": (1, None),
}
BESIDE: Mapping[str, dict[str, Any]] = {
    "file_urls": {"celery": True},
    "height": {"app_id": SIZED, "width": 256},
    "width": {"app_id": SIZED, "height": 256},
}
"""What a field only counts with."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    folder = tmp_path_factory.mktemp("fields")
    apps = folder / "apps.json"
    sizes = {"min": 256, "max": 1536}
    served: dict[str, Any] = {
        APP: {"serves": "edited"},
        WHITE: {"serves": "white"},
        SIZED: {"name": "S", "sizes": sizes, "serves": "edited"},
    }
    apps.write_text(json.dumps(served))
    workflows = {
        "drawn": tuned(edits=False),
        "edited": tuned(edits=True, seed=7),
        "white": of_an_image(White),
    }
    with (
        LiveServer(folder, workflows, nodes=NODES, qolaba_apps=apps, preload=False) as live,
        live.client() as client,
    ):
        yield client


def of_the_hub(client: httpx2.Client, use: str, parameters: Any) -> tuple[str, str]:
    """Return what became of a request: a digest of the result, and notes; both empty if refused."""
    inputs = {"text-to-image": "a lake", "image-to-image": data_uri(png())}[use]
    path = {"text-to-image": "/models/drawn", "image-to-image": "/models/edited"}[use]
    answer = client.post(path, json={"inputs": inputs, "parameters": {"seed": 7} | parameters})
    if answer.status_code == 422:
        return "", ""
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest(), answer.headers.get("x-hf-warning", "")


def of_qolaba(client: httpx2.Client, given: Any) -> tuple[str, str]:
    body = {"app_id": APP, "image": data_uri(png()), "prompt": "a lake"} | given
    answer = client.post("/getImagetoImage", json=body)
    if answer.status_code in (400, 422):
        return "", ""
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if found["status"] == "PENDING":
        return "PENDING", ""
    made = [client.get(url).content for url in found["output"]["result"]]
    images = [hashlib.sha256(opened(one).tobytes()).hexdigest() for one in made]
    return json.dumps(images), json.dumps(found["output"].get("warnings", ""))


def verdict(field: str, before: tuple[str, str], after: tuple[str, str]) -> str:
    if not after[0]:
        return "refused"
    if field in after[1] and field not in before[1]:
        return "noted"
    return "honoured" if before[0] != after[0] else "ignored"


def rows_of_the_hub(client: httpx2.Client) -> Iterator[str]:
    yield "| parameter | text-to-image | image-to-image | a value that can't be meant |"
    yield "|---|---|---|---|"
    uses = ("text-to-image", "image-to-image")
    for field, (value, wrong) in PARAMETERS.items():
        found = []
        for one in (value, wrong):
            found += [
                verdict(field, of_the_hub(client, use, {}), of_the_hub(client, use, {field: one}))
                for use in uses
            ]
        last = "refused" if wrong is not None and "refused" in found[2:] else "-"
        yield f"| `{field}` | {found[0]} | {found[1]} | {last} |"


def rows_of_qolaba(client: httpx2.Client) -> Iterator[str]:
    yield "| field | | a value that can't be meant |"
    yield "|---|---|---|"
    for field, (value, wrong) in QOLABA.items():
        beside = BESIDE.get(field, {})
        before = of_qolaba(client, {} if field == "file_urls" else beside)
        found = verdict(field, before, of_qolaba(client, beside | {field: value}))
        bad = verdict(field, before, of_qolaba(client, beside | {field: wrong}))
        yield f"| `{field}` | {found} | {bad if wrong is not None else '-'} |"


ROWS = {"huggingface": rows_of_the_hub, "qolaba": rows_of_qolaba}


@pytest.mark.parametrize("name", ROWS)
def test_the_table_says_what_the_server_does(client: httpx2.Client, name: str) -> None:
    table = "\n".join(ROWS[name](client)) + "\n"
    text = PAGE.read_text("utf-8")
    begin, end = f"<!-- {name} fields -->\n", f"<!-- /{name} fields -->"
    assert text.partition(begin)[2].partition(end)[0] == table, table


def test_no_field_of_qolaba_is_left_out() -> None:
    assert ImageRequest.model_fields.keys() <= QOLABA.keys()
