"""Bodies of the Qolaba API in every form that clients send, and what is not done as requested."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from nodetool_core.server.qolaba.body import ImageRequest, read_image_request
from tests.server.live import LiveServer
from tests.server.qolaba.conftest import DEV, SDXL, Images, fetched, refused
from tests.waiting import eventually

OPTIONAL = sorted(ImageRequest.model_fields.keys() - {"app_id", "image"})


@pytest.mark.parametrize("name", OPTIONAL)
def test_v10_null_is_as_good_as_nothing(qolaba: LiveServer, images: Images, name: str) -> None:
    """Clients with a field for everything send null for what they don't ask for."""
    body = {"app_id": DEV, "image": images.url("/small.png"), name: None}
    with qolaba.client() as client:
        answer = client.post("/getImagetoImage", json=body).json()
        needed = client.post("/getImagetoImage", json=body | {"app_id": None}).json()
    assert answer["status"] == "SUCCESS", answer
    assert name not in answer["output"].get("warnings", "")
    assert needed["status"] == "FAILED"


def test_v10_an_empty_inference_type(ask: Callable[..., httpx2.Response]) -> None:
    assert ask(inference_type="").json()["status"] == "SUCCESS"


URLS = [
    "https://example.com/a,b/c.png?x=1,2",
    "http://example.com/d.png",
    "data:image/png;base64,iVBORw0K",
]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (json.dumps(URLS), URLS),
        (" [\n" + ",\n".join(map(json.dumps, URLS)) + " ]\n", URLS),
        (",".join(URLS), URLS),
        (" , ".join(URLS), URLS),
        (URLS[0], URLS[:1]),
        (URLS, URLS),
        ([URLS[0], "", None], URLS[:1]),
        ("[]", None),
        ("", None),
        ([], None),
    ],
)
def test_v10_file_urls_in_every_form(given: Any, expected: list[str] | None) -> None:
    asked = read_image_request({"app_id": DEV, "image": "x", "celery": True, "file_urls": given})
    assert asked.file_urls == expected


@pytest.mark.parametrize(
    "given", [5, {"a": 1}, True, "[1]", "[{}]", "[nonsense]", "[" * 50_000 + "]" * 50_000, [["a"]]]
)
def test_v10_file_urls_that_are_none(qolaba: LiveServer, images: Images, given: Any) -> None:
    with qolaba.client() as client:
        body = {
            "app_id": DEV,
            "image": images.url("/small.png"),
            "celery": True,
            "file_urls": given,
        }
        refused(client.post("/getImagetoImage", json=body), "file_urls")


def test_v10_what_was_asked_and_not_done_is_in_the_later_answer_of_a_task(
    ask: Callable[..., httpx2.Response], qolaba: LiveServer
) -> None:
    first = ask(celery=True, prompt="later", strenght=0.2, guidance_scale=2.0).json()
    assert "strenght" in first["error_data"][0]
    with qolaba.client() as client:
        answer = first

        def has_ended() -> bool:
            nonlocal answer
            answer = client.post("/getImage", json={"id": first["task_id"]}).json()
            assert answer["input"] == first["input"]
            return bool(answer["status"] != "PENDING")

        eventually(has_ended)
    assert answer["input"] == {
        "app_id": DEV,
        "prompt": "later",
        "negative_prompt": "",
        "guidance_scale": 2.0,
        "strength": 0.7,
        "batch": 1,
        "celery": True,
    }
    assert answer["output"]["warnings"][0] == first["error_data"][0]
    assert (answer["error"], answer["error_data"]) == ("", "")


def test_v10_an_image_of_another_aspect_is_stretched_and_that_is_told(
    ask: Callable[..., httpx2.Response],
) -> None:
    """The image of 32x24 is brought to the size that was asked for."""
    stretched, alike = (ask(app_id=SDXL, width=width, height=384).json() for width in (256, 512))
    assert fetched(stretched)[0].size == (256, 384)
    assert "image was stretched from 32x24 to 256x384" in " ".join(stretched["output"]["warnings"])
    assert "stretched" not in " ".join(alike["output"]["warnings"])
