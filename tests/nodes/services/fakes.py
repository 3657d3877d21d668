"""
Hosted services on this machine.

One server answers for every host; which one was meant, the Host header says. What it answers is a
table from host, method and path to functions. The functions below speak the wire forms of the
providers as contracts and clients have them: fal.ai's queue, Replicate's predictions, WaveSpeed's
tasks, Together's base64, the Inference API, the Hub's mapping, Qolaba's envelope.
"""

from __future__ import annotations

import base64
import io
import json
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx2
from PIL import Image

FAL_RESULTS = "https://93.184.215.14"
"""
A public address, so that it need not be looked up.

The transport of the tests leads it here like every other.
"""


@dataclass
class Asked:
    """A request as it came."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass
class Answer:
    """What comes back, and how badly."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    """Bytes at the end that were promised and do not come."""
    drip: bool = False
    """The body comes a byte at a time, slower than anybody waits."""
    hold: threading.Event | None = None
    """Nothing comes before this is set."""


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(
        json.dumps(value).encode(),
        status,
        {
            "Content-Type": "application/json",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        },
    )


def image_bytes(
    colour: str = "teal", size: tuple[int, int] = (24, 16), file_format: str = "PNG"
) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, file_format)
    return buffer.getvalue()


def data_uri_image(uri: str) -> Image.Image:
    assert uri.startswith("data:image/")
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


Handler = Callable[[Asked], Answer]


class Services:
    """The server. Use it in a `with`; `asked` holds what came, in order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.arrived = threading.Event()
        """Set with every request."""
        self.given_up = threading.Event()
        """Set when a client goes away while it is held."""
        self._routes: list[tuple[str, str, re.Pattern[str], Iterator[Handler]]] = []
        self._closing = threading.Event()
        services = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                services._answer(self)

            do_GET = do_POST  # noqa: N815 - named by http.server

            def log_message(self, *arguments: Any) -> None:
                return None

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                return None  # a client that gave up is what some tests are about

        self._server = Server(("127.0.0.1", 0), Requests)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def route(self, host: str, method: str, path: str, *handlers: Handler | Answer) -> None:
        """
        Answer requests to a host (a regular expression for path).

        Of several handlers each answers once, the last ever after.
        """

        def each() -> Iterator[Handler]:
            for handler in handlers:
                yield _as_handler(handler)
            while True:
                yield _as_handler(handlers[-1])

        self._routes.append((host, method, re.compile(path), each()))

    def of(self, method: str, host: str = "") -> list[Asked]:
        return [
            asked
            for asked in self.asked
            if asked.method == method and (not host or asked.host == host)
        ]

    def transport(self) -> httpx2.HTTPTransport:
        """
        Return a transport that leads every request here, under the Host that it was meant for.
        """
        return ToLoopback(self.port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.rfile.read(int(headers.get("content-length", 0)))
        asked = Asked(request.command, headers["host"], request.path, headers, body)
        self.asked.append(asked)
        self.arrived.set()
        path = request.path.partition("?")[0]
        found = (
            handlers
            for host, method, known, handlers in self._routes
            if (host, method) == (asked.host, asked.method) and known.fullmatch(path)
        )
        handlers = next(found, None)
        answer = next(handlers)(asked) if handlers else Answer(b"no such route", 404)
        if answer.hold is not None and self._is_given_up(request, answer.hold):
            return
        self._send(request, answer)

    def _is_given_up(self, request: BaseHTTPRequestHandler, hold: threading.Event) -> bool:
        """Wait for `hold`, and return whether the client is gone."""
        while not hold.wait(0.02):
            if select.select([request.connection], [], [], 0)[0] and not request.connection.recv(
                1, socket.MSG_PEEK
            ):
                request.close_connection = True
                self.given_up.set()
                return True
        return False

    def _send(self, request: BaseHTTPRequestHandler, answer: Answer) -> None:
        request.send_response(answer.status)
        for name, value in {
            "Content-Length": str(len(answer.body) + answer.missing),
            **answer.headers,
        }.items():
            request.send_header(name, value)
        request.end_headers()
        if answer.drip:
            for byte in answer.body:
                request.wfile.write(bytes([byte]))
                if self._closing.wait(0.05):
                    break
        else:
            request.wfile.write(answer.body)
        if answer.missing:
            request.wfile.flush()
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True


def _as_handler(given: Handler | Answer) -> Handler:
    return (lambda asked: given) if isinstance(given, Answer) else given


class ToLoopback(httpx2.HTTPTransport):
    """Sends to this machine what was meant for anybody."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        led = httpx2.Request(
            request.method,
            url,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return super().handle_request(led)


# -- the services ----------------------------------------------------------------------------------


def hub(
    services: Services, model: str, provider: str, provider_id: str, task: str = "image-to-image"
) -> None:
    """Let the Hub know a model, and which provider serves it."""
    mapping = {provider: {"status": "live", "providerId": provider_id, "task": task}}
    facts = {"id": model, "pipeline_tag": task, "inferenceProviderMapping": mapping}
    services.route("huggingface.co", "GET", f"/api/models/{model}", json_answer(facts))


def fal(
    services: Services,
    provider_id: str,
    *,
    host: str = "queue.fal.run",
    prefix: str = "",
    states: list[str] | None = None,
    result: Answer | None = None,
) -> None:
    """fal.ai's queue: POST, then status until COMPLETED, then the result's address."""
    job = f"{prefix}/{provider_id}/requests/r1"
    reply = {
        "request_id": "r1",
        "status": "IN_QUEUE",
        "response_url": f"https://queue.fal.run/{provider_id}/requests/r1",
    }
    services.route(host, "POST", f"{prefix}/{provider_id}", json_answer(reply))
    services.route(
        host,
        "GET",
        f"{job}/status",
        *[json_answer({"status": state}) for state in states or ["IN_PROGRESS", "COMPLETED"]],
    )
    services.route(
        host, "GET", job, result or json_answer({"images": [{"url": f"{FAL_RESULTS}/made.png"}]})
    )
    services.route(FAL_RESULTS.removeprefix("https://"), "GET", "/made.png", Answer(image_bytes()))


def replicate(services: Services, provider_id: str, **reply: Any) -> None:
    """Replicate: one request that waits for the prediction."""
    answer = {
        "id": "p1",
        "status": "succeeded",
        "output": [f"{FAL_RESULTS}/prediction.png"],
        "error": None,
    } | reply
    services.route(
        "api.replicate.com",
        "POST",
        f"/v1/models/{provider_id}/predictions",
        json_answer(answer, 201),
    )
    services.route(
        FAL_RESULTS.removeprefix("https://"), "GET", "/prediction.png", Answer(image_bytes())
    )


def wavespeed(services: Services, provider_id: str, *states: dict[str, Any]) -> None:
    """WaveSpeed: a task, and its state until it is completed or failed."""
    begun = {
        "code": 200,
        "data": {
            "id": "t1",
            "status": "created",
            "urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/t1/result"},
        },
    }
    services.route("api.wavespeed.ai", "POST", f"/api/v3/{provider_id}", json_answer(begun))
    done = {"status": "completed", "outputs": [f"{FAL_RESULTS}/task.png"]}
    services.route(
        "api.wavespeed.ai",
        "GET",
        "/api/v3/predictions/t1/result",
        *[json_answer({"data": state}) for state in states or (done,)],
    )
    services.route(FAL_RESULTS.removeprefix("https://"), "GET", "/task.png", Answer(image_bytes()))


def together(services: Services, body: bytes | None = None) -> None:
    """Together: the image as base64."""
    encoded = base64.b64encode(image_bytes() if body is None else body).decode()
    services.route(
        "api.together.xyz",
        "POST",
        "/v1/images/generations",
        json_answer({"id": "i1", "data": [{"b64_json": encoded}]}),
    )


def envelope(status: str, **fields: Any) -> dict[str, Any]:
    """Qolaba's answer, with all of its eight keys."""
    empty = {
        "time_required": {"startup_time": 0.1, "runtime": 1.0},
        "error": "",
        "error_data": "",
        "input": {},
        "output": {},
        "app_id": "",
        "task_id": "",
    }
    return empty | {"status": status} | fields


def seconds_since(started: float) -> float:
    return time.monotonic() - started
