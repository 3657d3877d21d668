"""Webhooks: what is sent when, how it is signed, what is tried again, and where nothing is sent."""

from __future__ import annotations

import base64
import hmac
import json
import queue
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pytest

from nodetool_core.server.replicate import webhooks
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.replicate.conftest import ANY, ended, predict, steps
from tests.server.replicate.conftest import Steps as StepsNode
from tests.server.v1.test_workflows import data_uri

SECONDS = 20


class Receiver:
    """A server that takes webhooks. `answers` has the statuses of the next ones; 200 after them."""

    def __init__(self) -> None:
        self.came: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                if status in (302, 307):
                    self.send_header("Location", f"http://localhost:{receiver.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                headers = {name.lower(): text for name, text in self.headers.items()}
                receiver.came.put(({**headers, "path": self.path}, body))

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def next(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the headers and the prediction of the next webhook."""
        headers, body = self.came.get(timeout=SECONDS)
        return headers, json.loads(body)

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def hooked(tmp_path: Path) -> Callable[..., LiveServer]:
    """Return a function that makes a server which may send to this machine."""

    def make(**settings: Any) -> LiveServer:
        workflows = {"draw": nodes.draw(), "steps": steps(), "wait": nodes.wait("")}
        given = {"webhook_hosts": "127.0.0.1", **settings}
        return LiveServer(tmp_path, workflows, nodes=(*nodes.NODES, StepsNode), **given)

    return make


def test_a_prediction_is_sent_as_it_goes_on(
    hooked: Callable[..., LiveServer], receiver: Receiver
) -> None:
    with hooked() as live, live.client() as client:
        made = predict(client, "nodetool/steps", {"prompt": "x"}, webhook=receiver.url, wait=False)
        messages = []
        while not messages or not messages[-1][0]["webhook-id"].endswith(".completed"):
            messages.append(receiver.next())
        name = made.json()["id"]
        kinds = [headers["webhook-id"].removeprefix(f"{name}.") for headers, _ in messages]
        assert kinds == ["start", "logs", "output", "completed"]
        assert {headers["content-type"] for headers, _ in messages} == {"application/json"}
        last = messages[-1][1]
        assert (last["id"], last["status"]) == (name, "succeeded")
        assert last == ended(live, client, name)


@pytest.mark.parametrize(
    "fields", [{"webhook_events_filter": ["completed"]}, {"webhook": None, "completed": True}]
)
def test_only_what_was_asked_for(
    hooked: Callable[..., LiveServer], receiver: Receiver, fields: dict[str, Any]
) -> None:
    given = {"webhook": receiver.url, **fields}
    if given.pop("completed", False):
        given = {"webhook_completed": receiver.url}
    with hooked() as live, live.client() as client:
        made = predict(client, "nodetool/steps", {"prompt": "x"}, wait=False, **given).json()
        headers, found = receiver.next()
        assert headers["webhook-id"] == f"{made['id']}.completed"
        assert found["status"] == "succeeded"
    assert receiver.came.empty()


def test_a_cancelled_one_is_completed(
    hooked: Callable[..., LiveServer], receiver: Receiver
) -> None:
    with hooked() as live, live.client() as client:
        given = {"image": data_uri(png()), "door": "replicate-hook"}
        made = predict(client, "nodetool/wait", given, webhook=receiver.url, wait=False).json()
        assert receiver.next()[1]["status"] == "processing"
        client.post(f"{ANY}/predictions/{made['id']}/cancel")
        assert receiver.next()[1]["status"] == "canceled"


def test_it_is_signed(hooked: Callable[..., LiveServer], receiver: Receiver) -> None:
    token = {"Authorization": "Bearer right-token-of-all"}
    with hooked(token="right-token-of-all") as live, live.client(**token) as client:
        secret = client.get(f"{ANY}/webhooks/default/secret").json()["key"]
        predict(client, "nodetool/draw", {"prompt": "x"}, webhook=receiver.url)
        headers, body = receiver.came.get(timeout=SECONDS)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert "right-token" not in str(headers) + body.decode() + secret


def test_each_token_has_a_secret_of_its_own(hooked: Callable[..., LiveServer]) -> None:
    with hooked(token="one-token-of-two,other-token-of-two") as live:
        secrets = set()
        for name in ("one", "other"):
            with live.client(Authorization=f"Bearer {name}-token-of-two") as client:
                secrets.add(client.get(f"{ANY}/webhooks/default/secret").json()["key"])
    assert len(secrets) == 2


def test_the_end_is_tried_again(
    hooked: Callable[..., LiveServer], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_PAUSES", (0.0, 0.0, 0.0))
    receiver.answers = [500, 503, 404]
    with hooked() as live, live.client() as client:
        only = {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
        predict(client, "nodetool/draw", {"prompt": "x"}, **only)
        tries = [receiver.next() for _ in range(4)]
        assert len({headers["webhook-id"] for headers, _ in tries}) == 1


def test_what_one_server_left_the_next_one_sends(
    hooked: Callable[..., LiveServer], receiver: Receiver
) -> None:
    receiver.answers = [500]
    only = {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
    with hooked() as live, live.client() as client:
        made = predict(client, "nodetool/draw", {"prompt": "x"}, **only).json()
        receiver.next()
    with hooked() as live, live.client() as client:
        headers, found = receiver.next()
        assert headers["webhook-id"] == f"{made['id']}.completed"
        assert found["status"] == "succeeded"
    with hooked() as live, live.client() as client:
        predict(client, "nodetool/draw", {"prompt": "y"}, **only)
        assert receiver.next()[1]["input"] == {"prompt": "y"}


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://localhost/x",
        "https://10.0.0.1/x",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http://user:password@example.org/",
        "nonsense",
    ],
)
def test_addresses_that_are_not_notified(serve: Callable[..., LiveServer], address: str) -> None:
    with serve({"draw": nodes.draw()}).client() as client:
        refused = predict(client, "nodetool/draw", {"prompt": "x"}, webhook=address)
        assert refused.status_code == 422, refused.text
        assert refused.json()["invalid_fields"][0]["field"] == "webhook"
        assert client.get(f"{ANY}/predictions").json()["results"] == []


def test_an_answer_leads_nowhere(
    hooked: Callable[..., LiveServer], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_PAUSES", (0.0,))
    receiver.answers = [307, 302]
    with hooked() as live, live.client() as client:
        only = {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
        predict(client, "nodetool/draw", {"prompt": "x"}, **only)
        assert [receiver.next()[0]["path"] for _ in range(2)] == ["/hook", "/hook"]
    assert receiver.came.empty()
