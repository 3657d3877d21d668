"""
V11: connections that send nothing, too slowly or too much are ended, and there are only so many.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nodetool_core.server.security import connections
from nodetool_core.server.security.connections import HEAD_BYTES
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.v1.test_workflows import data_uri

QUICK = {"head_seconds": 0.4, "body_seconds": 0.4}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    workflows = {"paint": nodes.paint(), "wait": nodes.wait("connections")}
    with LiveServer(
        tmp_path_factory.mktemp("quick"), workflows, nodes=nodes.NODES, **QUICK
    ) as live:
        yield live


@pytest.fixture
def patient(serve: Callable[..., LiveServer]) -> LiveServer:
    """Use a bound that no pause of a busy machine reaches."""
    return serve(body_seconds=1.5)


def connected(live: LiveServer, receive_buffer: int = 0) -> socket.socket:
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", live.port))
    return connection


def head(live: LiveServer, line: str, *headers: str) -> bytes:
    return "\r\n".join(
        [f"{line} HTTP/1.1", f"Host: 127.0.0.1:{live.port}", *headers, "", ""]
    ).encode()


def rest(connection: socket.socket) -> bytes:
    """Return all that comes until the server ends the connection."""
    found = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while more := connection.recv(65536):
            found += more
    return found


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer, which has the form of all failures."""
    lines, _, body = answer.partition(b"\r\n\r\n")
    assert b"x-request-id: " in lines and b"connection: close" in lines, answer
    return int(lines.split()[1]), json.loads(body)["problems"][0]["code"]


def test_connections_that_send_nothing_are_closed(quick: LiveServer) -> None:
    silent = [connected(quick) for _ in range(100)]
    assert [rest(one) for one in silent] == [b""] * 100
    with quick.client() as client:
        assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    "begin",
    [
        b"GET / HTTP/1.1\r\nX: y",
        b"POST /models/paint HTTP/1.1\r\nHost: x\r\n",
        b"\r\n\r\n",
        b"GET /",
    ],
)
def test_a_head_that_comes_a_byte_at_a_time(quick: LiveServer, begin: bytes) -> None:
    with connected(quick) as connection:
        connection.sendall(begin)
        connection.settimeout(0.02)
        answer = b""
        while not answer:
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65536)
                break
            connection.sendall(b"\r\n" if begin == b"\r\n\r\n" else b"x")
    assert refusal(answer) == (408, "request_too_slow")


@pytest.mark.parametrize("length", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    "path", ["/models/paint", "/v1/uploads", "/v1/workflows/paint/runs", "/getImage"]
)
def test_a_body_that_stops_or_trickles(quick: LiveServer, path: str, length: str) -> None:
    for trickle in (b"", b"1\r\nx\r\n"):
        with connected(quick) as connection:
            connection.sendall(
                head(quick, f"POST {path}", length, "Content-Type: application/json")
            )
            connection.settimeout(0.02)
            answer = b""
            while not answer:
                with contextlib.suppress(TimeoutError):
                    answer = connection.recv(65536)
                    break
                connection.sendall(trickle)
        assert refusal(answer) == (408, "request_too_slow")
    assert quick.state.runs.waiting == 0


def test_the_body_of_a_refused_request_does_not_hold_the_connection(quick: LiveServer) -> None:
    """
    Send some bytes of a body whose answer is out, which put off the end of an idle connection.
    """
    with connected(quick) as connection:
        connection.sendall(head(quick, "POST /nothing", "Content-Length: 1000000") + b"x")
        assert b" 404 " in connection.recv(65536)
        rest(connection)


@pytest.mark.parametrize(("size", "is_kept"), [(2 * 2**20, True), (64 * 2**20, False)])
def test_a_body_that_is_too_large_is_read_on_to_a_bound(
    serve: Callable[..., LiveServer],
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    is_kept: bool,
) -> None:
    """Who reads the answer after the body gets it, as proxies do, and may ask again."""
    monkeypatch.setattr(connections, "DISCARDED_BYTES", 4 * 2**20)
    live = serve(max_body_bytes=2**20)
    with connected(live) as connection:
        connection.sendall(head(live, "POST /models/paint", f"Content-Length: {size}"))
        assert b" 413 " in connection.recv(65536).partition(b"\r\n")[0]
        ending = head(live, "GET /livez", "Connection: close")
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(bytes(size) + ending)
        assert (b"HTTP/1.1 200" in rest(connection)) == is_kept


@pytest.mark.slow
def test_a_slow_but_steady_body_is_taken(patient: LiveServer) -> None:
    content = png(900, 900, mode="RGB", compress_level=0)
    with connected(patient) as connection:
        connection.sendall(head(patient, "POST /v1/uploads", f"Content-Length: {len(content)}"))
        for start in range(0, len(content), len(content) // 20):
            select.select(
                [connection], [], [], 0.1
            )  # The pace of the sender; twenty times are more than the bound.
            connection.sendall(content[start : start + len(content) // 20])
        assert b" 201 " in connection.recv(100)


LARGE = [
    [f"X: {'y' * 2**20}"],
    [f"X-{number}: {'y' * 100}" for number in range(10_000)],
    ["X: y"] * 10_000,
    [f"{'X' * 2**20}: y"],
]


@pytest.mark.parametrize("headers", LARGE, ids=["one", "many", "equal", "name"])
def test_headers_are_bounded(quick: LiveServer, headers: list[str]) -> None:
    assert too_large(quick, head(quick, "GET /livez", *headers)) == (431, "headers_too_large")


def test_so_are_addresses_and_trailers(quick: LiveServer) -> None:
    chunked = head(quick, "POST /v1/uploads", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n"
    assert too_large(quick, head(quick, f"GET /{'a' * 2**20}")) == (431, "headers_too_large")
    assert too_large(quick, chunked + b"0\r\nX: " + b"y" * 2**20) == (431, "headers_too_large")
    assert too_large(quick, chunked + b"1;" + b"x" * 2**20) == (431, "headers_too_large")
    assert too_large(quick, b"\r\n" * 2**19) == (431, "headers_too_large")


def too_large(live: LiveServer, content: bytes) -> tuple[int, str]:
    with connected(live) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(content)
        with contextlib.suppress(ConnectionResetError):
            answer = connection.recv(65536)
            return refusal(answer)
    # What was sent on meanwhile made the system reset the connection before the answer was read.
    return 431, "headers_too_large"


def test_headers_that_are_large_and_allowed(quick: LiveServer) -> None:
    with quick.client() as client:
        assert client.get("/livez", headers={"X": "y" * (HEAD_BYTES - 1000)}).status_code == 200


NO_HTTP = [
    b"\x16\x03\x01\x02\x00",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"GET / HTTQ/1.1\r\n\r\n",
]


def test_what_is_no_http_is_answered_in_the_form_of_all_failures(quick: LiveServer) -> None:
    for content in NO_HTTP:
        with connected(quick) as connection:
            connection.sendall(content)
            assert refusal(rest(connection)) == (400, "invalid_request")


def test_only_so_many_connections(serve: Callable[..., LiveServer]) -> None:
    live = serve(connections=20, head_seconds=3.0)
    held = [connected(live) for _ in range(60)]
    answers = [rest(one) for one in held]
    refused = [answer for answer in answers if answer]
    # The client that waited for the server to start may hold one of the places still.
    assert 40 <= len(refused) <= 41
    assert {refusal(answer) for answer in refused} == {(503, "too_many_connections")}
    with live.client() as client:
        assert client.get("/livez").status_code == 200


def test_who_never_reads_is_let_go(quick: LiveServer) -> None:
    digest = quick.state.jobs.put(bytes(20 * 2**20)).digest
    with connected(quick, receive_buffer=4096) as connection:
        connection.sendall(head(quick, f"GET /v1/files/{digest}"))
        gone = select.poll()
        gone.register(connection, 0)
        assert gone.poll(30_000), "the server has ended the connection"


@pytest.mark.slow
def test_who_reads_slowly_gets_all(patient: LiveServer) -> None:
    size = 2**24
    digest = patient.state.jobs.put(b"x" * size).digest
    with connected(patient) as connection:
        connection.sendall(head(patient, f"GET /v1/files/{digest}", "Connection: close"))
        got = 0
        while more := connection.recv(2**18):
            got += len(more)
            select.select(
                [], [], [], 0.03
            )  # The pace of the reader, which takes longer than the bound for all of it.
        assert got > size


def test_a_run_takes_its_time(quick: LiveServer) -> None:
    """
    Check that no bound of a head or a body ends what waits for its answer.

    Also where the beginning of another request stands behind it.
    """
    body = json.dumps({"inputs": {"image": data_uri(png())}}).encode()
    with connected(quick) as connection, connected(quick) as other:
        head_of_one = head(
            quick,
            "POST /v1/workflows/wait/runs",
            f"Content-Length: {len(body)}",
            "Content-Type: application/json",
        )
        connection.sendall(head_of_one + body)
        assert nodes.DOORS["connections"].came.acquire(timeout=30)
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        for _ in range(2):
            other.sendall(b"GET /")
            assert refusal(rest(other)) == (408, "request_too_slow")
            other = connected(quick)
        nodes.DOORS["connections"].open.set()
        assert b" 200 " in connection.recv(100)
        connection.sendall(f"Host: 127.0.0.1:{quick.port}\r\nConnection: close\r\n\r\n".encode())
        assert b'{"status":"alive"}' in rest(connection)


def test_the_program_has_these_bounds(serve: Callable[..., LiveServer]) -> None:
    config: Any = serve(connections=7).server.config
    assert (config.limits.connections, config.limits.head_seconds, config.limits.body_seconds) == (
        7,
        20.0,
        30.0,
    )
