"""JSON as it comes from the network, and what no answer could repeat."""

from __future__ import annotations

import json

import httpx2
import pytest

from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.json_body import read_json, read_object

HALF = "\ud851"
HALVES = [
    json.dumps({HALF: 1}).encode(),
    json.dumps({"a": [{"b": f"x{HALF}"}]}).encode(),
    b'{"a": "\xed\xa1\x91"}',
    json.dumps({"a": HALF}).encode("utf-16"),
]


@pytest.mark.parametrize("body", HALVES)
def test_halves_of_characters_are_refused(body: bytes) -> None:
    with pytest.raises(HttpError, match="surrogate") as refused:
        read_json(body)
    assert refused.value.status == 422


def test_whole_characters_are_taken() -> None:
    whole = {"\U00024555": ["ü", "湖\n\\"], "b": {"c": None}}
    for body in (json.dumps(whole).encode(), json.dumps(whole, ensure_ascii=False).encode()):
        assert read_object(body) == whole


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/images/generations", {"prompt": "x", "model": "draw", HALF: 1}),
        ("/models/draw", {"inputs": "x", "parameters": {HALF: 1}}),
        ("/sdapi/v1/txt2img", {"prompt": "x", HALF: 1}),
        ("/sdapi/v1/options", {HALF: 1}),
    ],
)
def test_every_dialect_refuses_them(
    client: httpx2.Client, path: str, body: dict[str, object]
) -> None:
    answer = client.post(path, content=json.dumps(body).encode())
    assert answer.status_code in (400, 422) and "surrogate" in answer.text, answer.text
