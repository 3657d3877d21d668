"""
What becomes of each field: honoured, ignored, or refused.

The table in docs/guides/clients.md is made here, of what the server does.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server import nodes
from tests.server.comfyui.conftest import accepted, colour, ended, send, waiting
from tests.server.live import LiveServer, opened, png

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "clients.md"
MARKS = "<!-- comfyui fields -->\n", "<!-- /comfyui fields -->"

Check = Callable[["Asked"], bool]
"""Returns whether a field made a difference."""


class Asked:
    """A server, a client of it, and an image that was uploaded."""

    def __init__(self, live: LiveServer, client: httpx2.Client) -> None:
        self.live = live
        self.client = client

    def entry(self, graph: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Return the entry of the history of a prompt with a field."""
        return ended(self.live, self.client, accepted(self.client, graph or colour(), **more))

    def order(self, **more: Any) -> bool:
        """Return whether a prompt with a field is run before one that waits already."""
        name = f"comfy-fields-{uuid.uuid4()}"
        accepted(self.client, waiting(name))
        assert nodes.DOORS[name].came.acquire(timeout=20)
        ids = accepted(self.client, colour(1)), accepted(self.client, colour(2), **more)
        nodes.DOORS[name].open.set()
        for one in ids:
            ended(self.live, self.client, one)
        jobs = [self.live.state.jobs.get(one) for one in ids]
        return jobs[1].started < jobs[0].started  # type: ignore[operator]

    def view(self, **more: str) -> httpx2.Response:
        """Return the answer for an image in three folders, of another colour in each."""
        return self.client.get("/view", params={"filename": "seen.png", **more})

    def upload(self, **more: str) -> dict[str, str]:
        """Return the name that an image gets."""
        files = {"image": ("seen.png", png(5, 5, (0, 0, 99)))}
        found: dict[str, str] = self.client.post("/upload/image", files=files, data=more).json()
        return found


def two_outputs() -> dict[str, Any]:
    graph = colour()
    graph["3"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    return graph


def has_previews(asked: Asked, **extra: Any) -> bool:
    entry = asked.entry(extra_data=extra)
    jobs = asked.live.state.jobs
    spec, _ = jobs.queue.spec_of(entry["prompt"][1])
    return json.loads(spec.options)["previews"] is True


OWN = str(uuid.uuid4())
FIELDS: list[tuple[str, str, Check, dict[str, Any] | None]] = [
    ("`POST /prompt`", "prompt", lambda a: "2" in a.entry()["outputs"], {"prompt": "x"}),
    (
        "`POST /prompt`", "client_id",
        lambda a: a.entry(client_id="me")["prompt"][3] == {"client_id": "me"}, {"client_id": 5},
    ),
    (
        "`POST /prompt`", "prompt_id", lambda a: a.entry(prompt_id=OWN)["prompt"][1] == OWN,
        {"prompt_id": "a b"},
    ),
    ("`POST /prompt`", "front", lambda a: a.order(front=True), None),
    ("`POST /prompt`", "number", lambda a: a.order(number=-1), {"number": "x"}),
    (
        "`POST /prompt`", "partial_execution_targets",
        lambda a: [*a.entry(two_outputs(), partial_execution_targets=["3"])["outputs"]] == ["3"],
        {"partial_execution_targets": "3"},
    ),
    (
        "`POST /prompt`", "extra_data.preview_method",
        lambda a: has_previews(a, preview_method="taesd"), {"extra_data": []},
    ),
    (
        "`POST /prompt`", "extra_data.extra_pnginfo",
        lambda a: a.entry(extra_data={"extra_pnginfo": {"workflow": {"nodes": []}}})["prompt"][3]
        == {"extra_pnginfo": {"workflow": {"nodes": []}}}, {"extra_data": {"extra_pnginfo": []}},
    ),
    ("`POST /upload/image`", "type", lambda a: a.upload(type="temp")["type"] == "temp", {
        "type": "etc"}),
    ("`POST /upload/image`", "subfolder", lambda a: a.upload(subfolder="s")["subfolder"] == "s", {
        "subfolder": ".."}),
    ("`POST /upload/image`", "overwrite", lambda a: (
        a.upload()["name"] != "seen.png" and a.upload(overwrite="true")["name"] == "seen.png"
    ), None),
    ("`GET /view`", "type", lambda a: a.view(type="input").content != a.view(
        type="output").content, {"type": "etc"}),
    ("`GET /view`", "subfolder", lambda a: a.view(subfolder="s", type="input").content != a.view(
        type="input").content, {"subfolder": ".."}),
    ("`GET /view`", "preview", lambda a: opened(a.view(type="input", preview="webp;50").content
        ).format == "WEBP", None),
    ("`GET /view`", "channel", lambda a: opened(a.view(type="input", channel="a").content
        ).mode == "RGBA", None),
    ("`GET /history`", "max_items", lambda a: len(a.client.get(
        "/history?max_items=1").json()) == 1, {"max_items": "x"}),
    ("`GET /history`", "offset", lambda a: a.client.get("/history?max_items=1").json(
        ) != a.client.get("/history?max_items=1&offset=1").json(), {"offset": "x"}),
]  # fmt: skip


@pytest.fixture
def asked(server: LiveServer, client: httpx2.Client) -> Asked:
    for number, folder in enumerate(("input", "output", "temp")):
        for sub in ("", "s"):
            files = {"image": ("seen.png", png(4, 4, (number, len(sub), 0)))}
            data = {"type": folder, "subfolder": sub, "overwrite": "1"}
            assert client.post("/upload/image", files=files, data=data).is_success
    found = Asked(server, client)
    found.entry(colour(1))
    found.entry(colour(2))
    return found


def refusal(asked: Asked, request: str, wrong: dict[str, Any] | None) -> str:
    if wrong is None:
        return "-"
    if request.startswith("`GET"):
        path = request.strip("`").removeprefix("GET ")
        response = asked.client.get(path, params={"filename": "seen.png"} | wrong)
    elif "upload" in request:
        files = {"image": ("seen.png", png())}
        response = asked.client.post("/upload/image", files=files, data=wrong)
    else:
        response = send(asked.client, wrong.get("prompt", colour()), **{
            name: value for name, value in wrong.items() if name != "prompt"
        })  # fmt: skip
    assert response.status_code in (200, 400, 403), response.text
    return "-" if response.is_success else "refused"


def rows(asked: Asked) -> Iterator[str]:
    yield "| request | field | | a value that can't be meant |"
    yield "|---|---|---|---|"
    for request, field, check, wrong in FIELDS:
        verdict = "honoured" if check(asked) else "ignored"
        yield f"| {request} | `{field}` | {verdict} | {refusal(asked, request, wrong)} |"


def test_the_table_says_what_the_server_does(asked: Asked) -> None:
    table = "\n".join(rows(asked)) + "\n"
    text = PAGE.read_text("utf-8")
    assert text.partition(MARKS[0])[2].partition(MARKS[1])[0] == table, table
