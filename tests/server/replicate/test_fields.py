"""
What becomes of each field: honoured, noted in the logs, ignored, or refused.

The table in docs/guides/clients.md is made here, of what the server does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.replicate.conftest import ANY, predict, predicted
from tests.server.v1.test_workflows import data_uri

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "clients.md"
MARKS = "<!-- replicate fields -->\n", "<!-- /replicate fields -->"
MODEL = "nodetool/paint"
HOOK = "http://127.0.0.1:1/hook"


class Asked:
    """A client of a server, and what it gets for a request with a field."""

    def __init__(self, live: LiveServer, client: httpx2.Client) -> None:
        self.live = live
        self.client = client

    def note(self, **fields: Any) -> Any:
        """Return what is noted of the webhook of a prediction."""
        made = predict(self.client, "nodetool/draw", {"prompt": "x"}, **fields).json()
        return self.live.state.jobs.get(made["id"]).note["webhook"]

    def verdict(self, name: str, value: Any) -> str:
        """Return what becomes of a field of the input."""
        given = {"image": data_uri(png()), "seed": 7}
        before = predicted(self.client, MODEL, given)
        after = predicted(self.client, MODEL, given | {name: value})
        if name in after["logs"]:
            return "noted"
        return "honoured" if before["output"] != after["output"] else "ignored"

    def waits(self, prefer: str) -> bool:
        path = f"{ANY}/models/nodetool/draw/predictions"
        body = {"input": {"prompt": "x"}}
        made = self.client.post(path, json=body, headers={"Prefer": prefer}).json()
        return bool(made["status"] == "succeeded")

    def stream(self) -> str:
        made = [predicted(self.client, MODEL, {"image": data_uri(png())}, stream=on) for on in (
            True, False)]  # fmt: skip
        return yes("stream" in made[0]["urls"] and "stream" not in made[1]["urls"])

    def image(self, name: str) -> str:
        """Return whether an image is taken by a name that is not the input's."""
        found = predict(self.client, "nodetool/resize", {name: data_uri(png())}).json()
        return "honoured" if found["status"] == "succeeded" else "ignored"

    def file(self) -> str:
        made = self.client.post(
            f"{ANY}/files", files={"content": png()}, data={"metadata": '{"a": 1}'}
        ).json()
        return "honoured" if made["metadata"] == {"a": 1} else "ignored"

    def version(self) -> bool:
        body = {"version": "nodetool/draw", "input": {}}
        return self.client.post(f"{ANY}/predictions", json=body).status_code == 201


def yes(is_so: bool) -> str:
    return "honoured" if is_so else "ignored"


Check = Callable[[Asked], str]
FIELDS: list[tuple[str, Check, Any]] = [
    ("`Prefer: wait=5`", lambda a: yes(a.waits("wait=5")), None),
    ("`version`", lambda a: yes(a.version()), {"version": 5}),
    ("`webhook`", lambda a: yes(a.note(webhook=HOOK)["url"] == HOOK), {"webhook": "file:///x"}),
    ("`webhook_events_filter`", lambda a: yes(
        a.note(webhook=HOOK, webhook_events_filter=["start"])["events"] == ["start"]
    ), {"webhook_events_filter": ["never"]}),
    ("`webhook_completed`", lambda a: yes(
        a.note(webhook_completed=HOOK)["events"] == ["completed"]
    ), {"webhook_completed": "file:///x"}),
    ("`stream`", lambda a: a.stream(), {"stream": "maybe"}),
    ("`input`", lambda a: a.verdict("prompt", "another"), {"input": []}),
    ("`input.image`, `input.input_image`", lambda a: a.image("input_image"), {
        "input": {"image": "file:///etc/passwd"}}),
    ("`input.num_inference_steps`, `input.steps`", lambda a: a.verdict("steps", 9), {
        "input": {"num_inference_steps": "many"}}),
    ("`input.prompt_strength`, `input.strength`", lambda a: a.verdict("prompt_strength", 0.1), {
        "input": {"strength": 7}}),
    ("`input.seed`", lambda a: a.verdict("seed", 8), {"input": {"seed": "many"}}),
    ("`input.output_format`", lambda a: a.verdict("output_format", "webp"), {
        "input": {"output_format": "bmp"}}),
    ("`input.output_quality`", lambda a: quality(a), {"input": {"output_quality": 101}}),
    ("`input.num_outputs`", lambda a: a.verdict("num_outputs", 2), {
        "input": {"num_outputs": 0}}),
    ("`input.aspect_ratio`", lambda a: a.verdict("aspect_ratio", "1:1"), None),
    ("`input.of_nobody`", lambda a: a.verdict("of_nobody", 1), None),
    ("`metadata` of a file", lambda a: a.file(), None),
]  # fmt: skip


def quality(asked: Asked) -> str:
    found = []
    for number in (10, 90):
        given = {"image": data_uri(png()), "seed": 7, "output_format": "jpg"}
        made = predicted(asked.client, MODEL, given | {"output_quality": number})
        content = asked.client.get(made["output"]).content
        assert opened(content).format == "JPEG"
        found.append(len(content))
    return yes(found[0] != found[1])


def refusal(asked: Asked, wrong: Any) -> str:
    if wrong is None:
        return "-"
    body = {"version": MODEL, "input": {"image": data_uri(png())}}
    given = wrong.get("input")
    more = {"input": body["input"] | given} if isinstance(given, dict) else wrong  # type: ignore[operator]
    response = asked.client.post(f"{ANY}/predictions", json=body | more)
    assert response.status_code in (201, 422), response.text
    return "-" if response.is_success else "refused"


def rows(asked: Asked) -> Iterator[str]:
    yield "| field | | a value that can't be meant |"
    yield "|---|---|---|"
    for field, check, wrong in FIELDS:
        yield f"| {field} | {check(asked)} | {refusal(asked, wrong)} |"


def test_the_table_says_what_the_server_does(serve: Callable[..., LiveServer]) -> None:
    served = {"paint": nodes.paint(), "draw": nodes.draw(), "resize": nodes.resize()}
    live = serve(served, webhook_hosts="127.0.0.1")
    with live.client() as client:
        table = "\n".join(rows(Asked(live, client))) + "\n"
    text = PAGE.read_text("utf-8")
    assert text.partition(MARKS[0])[2].partition(MARKS[1])[0] == table, table


@pytest.mark.parametrize("prefer", ["", "respond-async", "wait", "wait=1", "WAIT = 30", "wait=99"])
def test_how_long_a_client_waits(prefer: str) -> None:
    from nodetool_core.server.replicate.body import wait_seconds

    expected = {"wait": 60, "wait=1": 1, "WAIT = 30": 30, "wait=99": 60}
    assert wait_seconds(prefer) == expected.get(prefer, 0)
    assert wait_seconds(f"return=minimal, {prefer}; x=1") == expected.get(prefer, 0)


def test_null_is_as_good_as_nothing(client: httpx2.Client) -> None:
    fields = ("webhook", "webhook_completed", "webhook_events_filter", "stream", "other")
    response = predict(client, "nodetool/draw", {"prompt": "x"}, **dict.fromkeys(fields))
    assert (response.status_code, response.json()["status"]) == (201, "succeeded")
    assert predict(client, "nodetool/draw", None).json()["input"] == {}
