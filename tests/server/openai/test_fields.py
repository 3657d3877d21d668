"""
What becomes of each field: honoured, ignored with a note, or refused.

The table in docs/guides/clients.md is made here, of what the server does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodetool_core.server.openai.body import ImagesBody
from tests.server.live import LiveServer, png
from tests.server.openai.test_contract import half_mask
from tests.server.v1.test_workflows import data_uri

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "clients.md"
MARKS = "<!-- openai fields -->\n", "<!-- /openai fields -->"

Sample = tuple[Any, Any]
"""A value, for both uses or by use, and one that can't be meant (None: there is none)."""

FIELDS: Mapping[str, Sample] = {
    "prompt": ("a longer prompt", 5),
    "model": ({"generations": "plain", "edits": "masked"}, 5),
    "n": (2, 11),
    "size": ("24x20", "large"),
    "response_format": ("url", "file"),
    "quality": ("low", "best"),
    "output_format": ("webp", "bmp"),
    "output_compression": (20, 101),
    "background": ("transparent", "red"),
    "stream": (True, "maybe"),
    "partial_images": (2, 4),
    "style": ("vivid", None),
    "moderation": ("low", None),
    "user": ("somebody", None),
    "input_fidelity": ("high", None),
    "seed": (8, "many"),
    "steps": (6, 0),
    "num_inference_steps": (6, "many"),
    "negative_prompt": ("rain", 5),
    "strength": (0.25, 7.0),
    "of_nobody": (1, None),
}
BESIDE: Mapping[str, dict[str, Any]] = {
    "output_compression": {"output_format": "jpeg"},
    "partial_images": {"stream": True, "seed": 99, "num_inference_steps": 4},
}
"""What a field only counts with."""

BODIES: Mapping[str, dict[str, Any]] = {
    "generations": {"prompt": "x", "model": "sketch", "seed": 7},
    "edits": {
        "prompt": "x",
        "model": "paint",
        "seed": 7,
        "images": [{"image_url": data_uri(png())}],
    },
}
_TIMES = re.compile(r'"created(?:_at)?":\d+,?')

Ask = Callable[..., httpx2.Response]


def shown(response: httpx2.Response) -> str:
    """Return an answer without what differs each time."""
    return _TIMES.sub("", response.text)


def verdict(ask: Ask, use: str, field: str, value: Any) -> str:
    body = BODIES[use] | BESIDE.get(field, {})
    value = value[use] if isinstance(value, dict) else value
    # In this order: what is known from the cache has no steps to show.
    after, before = ask(use, json=body | {field: value}), ask(use, json=body)
    assert before.status_code == 200, before.text
    if after.status_code == 400:
        assert after.json()["error"]["param"] == field or field in after.text
        return "refused"
    assert after.status_code == 200, after.text
    is_stream = "text/event-stream" in after.headers["content-type"]
    last = after.text.rpartition("data: ")[2] if is_stream else after.text
    notes = json.loads(last).get("warnings", [])
    if any(field in note for note in notes):
        return "noted"
    return "honoured" if shown(before) != shown(after) else "ignored"


def rows(ask: Ask) -> Iterator[str]:
    yield "| field | generations | edits | a value that can't be meant |"
    yield "|---|---|---|---|"
    for field, (value, wrong) in FIELDS.items():
        found = [verdict(ask, use, field, value) for use in BODIES]
        refused = {verdict(ask, use, field, wrong) for use in BODIES} if wrong is not None else "-"
        last = "refused" if "refused" in refused else "-"
        yield f"| `{field}` | {found[0]} | {found[1]} | {last} |"


def test_the_table_says_what_the_server_does(ask: Ask) -> None:
    table = "\n".join(rows(ask)) + "\n"
    text = PAGE.read_text("utf-8")
    assert text.partition(MARKS[0])[2].partition(MARKS[1])[0] == table, table
    assert set(ImagesBody.model_fields) <= set(FIELDS)


def test_steps_that_nobody_shows_are_noted(ask: Ask) -> None:
    given = {"prompt": "x", "model": "plain", "stream": True, "partial_images": 2}
    (event,) = [line for line in ask(json=given).text.splitlines() if line.startswith("data: ")]
    assert json.loads(event.removeprefix("data: "))["warnings"] == [
        "partial_images: no step of plain was shown"
    ]


@pytest.mark.parametrize("use", BODIES)
def test_null_is_as_good_as_nothing(ask: Ask, use: str) -> None:
    needed = {"prompt", "model", "seed"}
    nothing = dict.fromkeys(FIELDS.keys() - needed)
    assert shown(ask(use, json=BODIES[use] | nothing)) == shown(ask(use, json=BODIES[use]))


def test_a_form_says_the_same_as_json(ask: Ask) -> None:
    """Every field as a part, numbers as decimal text; the parts of files come first or last."""
    given = {
        "prompt": "x",
        "model": "paint",
        "seed": "7",
        "n": "2",
        "steps": "6",
        "strength": "0.25",
        "size": "auto",
        "quality": "",
        "output_format": "webp",
        "output_compression": "40",
        "stream": "false",
        "partial_images": "0",
    }
    body = BODIES["edits"] | {
        "n": 2,
        "steps": 6,
        "strength": 0.25,
        "output_format": "webp",
        "output_compression": 40,
    }
    sent = [ask("edits", data=given, files=[(name, png())]) for name in ("image", "image[]")]
    parts = [*given.items(), ("image", "")]
    mark = b"--x"
    first = mark + b'\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + png()
    rest = b"".join(
        b"\r\n" + mark + f'\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}'.encode()
        for name, text in parts
    )
    sent.append(
        ask(
            "edits",
            content=first + rest + b"\r\n" + mark + b"--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
    )
    expected = [one["b64_json"] for one in ask("edits", json=body).json()["data"]]
    for response in sent:
        assert [one["b64_json"] for one in response.json()["data"]] == expected, response.text


def test_images_by_every_reference(ask: Ask, server: LiveServer) -> None:
    with server.client() as client:
        kept = client.post("/v1/uploads", content=png()).json()
    body = BODIES["edits"]
    expected = shown(ask("edits", json=body))
    for image in (
        {"file_id": kept["asset_id"]},
        {"image_url": kept["url"]},
        {"image_url": {"url": data_uri(png())}},
        data_uri(png()),
    ):
        assert shown(ask("edits", json=body | {"images": [image]})) == expected
        one = {name: value for name, value in body.items() if name != "images"}
        assert shown(ask("edits", json=one | {"image": image})) == expected
        masked = ask("edits", json=body | {"mask": {"image_url": data_uri(half_mask())}})
        assert masked.status_code == 200 and shown(masked) != expected
    for image in ("file:///etc/passwd", "http://127.0.0.1:1/a.png", {"file_id": "0" * 64}, 5, {}):
        refused = ask("edits", json=body | {"images": [image]})
        assert refused.status_code in (400, 404), refused.text
        assert json.loads(refused.text)["error"]["message"]


@pytest.mark.parametrize(
    ("use", "missing"), [("generations", "prompt"), ("edits", "prompt"), ("edits", "image")]
)
def test_what_is_required(ask: Ask, use: str, missing: str) -> None:
    body = {
        name: value for name, value in BODIES[use].items() if name not in (missing, f"{missing}s")
    }
    refused = ask(use, json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, missing)


def test_no_more_images_than_openai_takes(ask: Ask) -> None:
    for count, status in ((16, 200), (17, 400)):
        files = [("image[]", png(8, 8))] * count
        answer = ask("edits", data={"prompt": "x", "model": "collage"}, files=files)
        assert answer.status_code == status
