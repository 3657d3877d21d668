"""
V1: no page of another site gets anything from a server.

Whatever the route, with or without a token.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from starlette.datastructures import Headers

from nodetool_core.jobs.job import JobsError
from nodetool_core.jobs.storage import digest_of
from nodetool_core.server.app import create_app
from nodetool_core.server.security.access import Access
from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_checks import check_address
from nodetool_core.server.settings_sources import SettingsError
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.routes import every_route

EVIL = "https://evil.example"

REFUSED = [
    (403, {"Origin": EVIL}),
    (403, {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}),
    (403, {"Origin": "null"}),
    (403, {"Origin": ""}),
    (403, {"Origin": "http://localhost:3000"}),
    (403, {"Origin": "http://127.0.0.1"}),
    (403, {"Origin": "https://127.0.0.1:{port}"}),
    (403, {"Origin": "http://127.0.0.1:{port}.evil.example"}),
    (403, {"Origin": "http://127.0.0.1:{port}@evil.example"}),
    (403, {"Sec-Fetch-Site": "cross-site"}),
    (403, {"Sec-Fetch-Site": "same-site"}),
    (403, {"Sec-Fetch-Site": ""}),
    (403, {"Sec-Fetch-Site": "same-origin, cross-site"}),
    (421, {"Host": "evil.example"}),
    (421, {"Host": "evil.example:{port}"}),
    (421, {"Host": "127.0.0.1.evil.example:{port}"}),
    (421, {"Host": "localhost.evil.example"}),
    (421, {"Host": "evil.example@127.0.0.1:{port}"}),
    (421, {"Host": "127.0.0.1"}),
    (421, {"Host": "localhost:1"}),
    (421, {"Host": "0.0.0.0:{port}"}),
    (421, {"Host": "192.168.1.5:{port}"}),
    (421, {"Host": "[::2]:{port}"}),
    (421, {"Host": ""}),
    (
        421,
        {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    ),
    (421, {"Host": "evil.example", "X-Forwarded-Host": "127.0.0.1:{port}"}),
]
"""
What comes from another site's page, or by another name (DNS rebinding); `{port}` is the server's.
"""

ANSWERED: list[dict[str, str]] = [
    {},
    {"Host": "localhost:{port}"},
    {"Host": "LocalHost:{port}"},
    {"Host": "[::1]:{port}"},
    {"Host": "[0:0:0:0:0:0:0:1]:{port}"},
    {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
    {"Host": "localhost:{port}", "Origin": "http://localhost:{port}"},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
]
"""Programs, pages of the server's own, and addresses that somebody types."""


def filled(headers: dict[str, str], port: int) -> dict[str, str]:
    return {name: value.replace("{port}", str(port)) for name, value in headers.items()}


def problem(response: httpx2.Response) -> str:
    """Return the failure's code, in whichever dialect's form."""
    body = response.json()
    if "error" not in body:
        return str(body["code"])
    if "jsonrpc" in body:
        return str(body["error"]["data"]["problems"][0]["code"])
    if isinstance(body["error"], dict):
        return str(body["error"].get("code", body["error"].get("type")))
    if "detail" in body:
        return str(body["error"])
    return str((body if "problems" in body else body["error_data"])["problems"][0]["code"])


@pytest.fixture(scope="module", params=["", "right-token"], ids=["open", "token"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    token: str = request.param
    with LiveServer(
        tmp_path_factory.mktemp("access"),
        {"paint": nodes.paint()},
        nodes=nodes.NODES,
        token=token or (),
    ) as live:
        yield live, {"Authorization": f"Bearer {token}"} if token else {}


def test_there_are_routes_of_every_dialect(server: LiveServer) -> None:
    paths = {path for _, path in every_route(create_app(server.state))}
    assert {
        "/",
        "/livez",
        "/readyz",
        "/metrics",
        "/v1/openapi.json",
        "/models/paint",
        "/getImage",
        "/v1/free",
        "/v1/uploads",
    } <= paths
    assert len(paths) >= 20


def test_no_route_answers_the_page_of_another_site(
    guarded: tuple[LiveServer, dict[str, str]],
) -> None:
    live, token = guarded
    with live.client(**token) as client:
        for method, path in [
            *every_route(create_app(live.state)),
            ("OPTIONS", "/v1/free"),
            ("GET", "/nothing"),
        ]:
            for status, headers in REFUSED:
                response = client.request(method, path, headers=filled(headers, live.port))
                assert response.status_code == status, (method, path, headers, response.text)
                assert "access-control-allow-origin" not in response.headers
                if method != "HEAD":
                    assert problem(response) == {403: "foreign_page", 421: "foreign_host"}[status]
                    assert "evil.example/" not in response.text, "no link leads there"


def test_every_route_answers_programs_and_its_own_pages(
    guarded: tuple[LiveServer, dict[str, str]],
) -> None:
    live, token = guarded
    with live.client(**token) as client:
        for method, path in every_route(create_app(live.state)):
            statuses = [
                client.request(method, path, headers=filled(headers, live.port)).status_code
                for headers in ANSWERED
            ]
            assert not {403, 421} & {*statuses}, (method, path, statuses)


def test_nothing_was_done_for_such_a_page(serve: Callable[..., LiveServer]) -> None:
    live = serve()
    with live.client() as client:
        for headers in ({"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
            client.post(
                "/v1/uploads", content=png(), headers=headers | {"Content-Type": "text/plain"}
            )
            client.post("/models/paint", content=png(), headers=headers)
        with pytest.raises(JobsError, match="not in the storage"):
            live.state.stored(digest_of(png()))
        assert live.state.cache.bytes == 0


@pytest.mark.parametrize("lines", ["Host: 127.0.0.1:{port}\r\nHost: evil.example", "X-Nothing: 1"])
def test_two_hosts_or_none(server: LiveServer, lines: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        text = f"GET /v1/workflows HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n".replace(
            "{port}", str(server.port)
        )
        connection.sendall(text.encode())
        assert connection.recv(20).startswith(b"HTTP/1.1 421 ")


def test_a_socket_for_messages_is_refused(server: LiveServer) -> None:
    """WebSockets pass by no other check, so none is opened, be there a route for it or not."""
    sent: list[Any] = []

    async def ask() -> None:
        scope = {
            "type": "websocket",
            "path": "/v1/jobs",
            "headers": [(b"origin", EVIL.encode())],
            "scheme": "ws",
        }
        await create_app(server.state)(scope, _nothing, _into(sent))

    asyncio.run(ask())
    assert [message["type"] for message in sent] == ["websocket.close"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        upgrade = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version:"
            " 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ=="
        )
        connection.sendall(
            f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{upgrade}\r\n\r\n".encode()
        )
        assert b" 200 " in connection.recv(20), "answered as any other request"


async def _nothing() -> Any:
    return {"type": "websocket.connect"}


def _into(sent: list[Any]) -> Any:
    async def send(message: Any) -> None:
        sent.append(message)

    return send


def answered(settings: dict[str, Any], scheme: str = "http", **headers: str) -> bool:
    chosen = Settings.read(**settings)
    names = ("host", "port", "public_url", "allowed_hosts")
    access = Access(**{name: getattr(chosen, name) for name in names})
    refusal = access.refusal(
        scheme, Headers({name.replace("_", "-"): v for name, v in headers.items()})
    )
    return refusal is None


PROXY = {"public_url": "https://images.example/api"}
LAN = {"host": "0.0.0.0", "token": "a-token-of-16-characters"}


@pytest.mark.parametrize(
    ("settings", "headers", "is_answered"),
    [
        # Behind a proxy that passes the name on, or doesn't.
        (PROXY, {"host": "images.example", "origin": "https://images.example"}, True),
        (PROXY, {"host": "127.0.0.1:8188", "origin": "https://images.example"}, True),
        (PROXY, {"host": "images.example", "origin": "https://images.example:444"}, False),
        (PROXY, {"host": "images.example", "origin": "https://other.example"}, False),
        (PROXY, {"host": "sub.images.example"}, False),
        # On every address: by any IP address and port (a container's are mapped), and by names that
        # are listed.
        (LAN, {"host": "192.168.1.5:8188"}, True),
        (LAN, {"host": "172.17.0.2:9000"}, True),
        (LAN, {"host": "[2001:db8::5]:8188"}, True),
        (LAN, {"host": "localhost:9000"}, True),
        (LAN, {"host": "192.168.1.5:8188", "origin": "http://192.168.1.5:8188"}, True),
        (LAN, {"host": "192.168.1.5:8188", "origin": "http://192.168.1.6:8188"}, False),
        (LAN, {"host": "studio.lan:8188"}, False),
        (
            LAN | {"allowed_hosts": "studio.lan"},
            {"host": "studio.lan:8188", "origin": "http://studio.lan:8188"},
            True,
        ),
        (LAN | {"allowed_hosts": "studio.lan"}, {"host": "studio.lan:9000"}, True),
        (LAN | {"allowed_hosts": "studio.lan:8188"}, {"host": "studio.lan:9000"}, False),
        (LAN | {"allowed_hosts": "*.lan, nodetool"}, {"host": "a.studio.lan:1"}, True),
        (LAN | {"allowed_hosts": "*.lan, nodetool"}, {"host": "nodetool:1"}, True),
        (LAN | {"allowed_hosts": "*.lan"}, {"host": "lan:1"}, False),
        (LAN | {"allowed_hosts": "*.lan"}, {"host": "evillan"}, False),
        (LAN | {"allowed_hosts": "*"}, {"host": "what.ever:1"}, True),
        (LAN | {"allowed_hosts": "*"}, {"host": "what.ever:1", "origin": EVIL}, False),
        (LAN | {"allowed_hosts": "bücher.example"}, {"host": "xn--bcher-kva.example"}, True),
        # On one address.
        ({"host": "192.168.1.5"}, {"host": "192.168.1.5:8188"}, True),
        ({"host": "192.168.1.5"}, {"host": "192.168.1.6:8188"}, False),
        ({"host": "studio.lan"}, {"host": "studio.lan:8188"}, True),
        ({"host": "::1"}, {"host": "[::1]:8188"}, True),
        ({"port": 80}, {"host": "localhost"}, True),
    ],
)
def test_names_that_an_operator_gives(
    settings: dict[str, Any], headers: dict[str, str], is_answered: bool
) -> None:
    assert answered({"port": 8188} | settings, **headers) is is_answered


NO_HOSTS = [
    *({"allowed_hosts": "a b"}, {"allowed_hosts": "http://a"}, {"allowed_hosts": "a*"}),
    *({"image_hosts": "http://a"}, {"public_url": "images.example"}, {"host": "a b"}),
]


@pytest.mark.parametrize("settings", NO_HOSTS)
def test_names_that_are_none(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(settings))):
        Settings.read(**settings)


def test_every_host_is_allowed_with_a_token_only() -> None:
    with pytest.raises(SettingsError, match="allowed_hosts"):
        check_address(Settings.read(allowed_hosts="*"))
    check_address(Settings.read(allowed_hosts="*", token="a-token-of-16-characters"))


STORED = [
    ("image/png", "inline"),
    ("image/jpeg", "inline"),
    ("image/webp", "inline"),
    ("image/svg+xml", "attachment"),
    ("text/html", "attachment"),
    ("application/pdf", "attachment"),
    ("application/octet-stream", "attachment"),
    ("image/x-unheard-of", "attachment"),
]


@pytest.mark.parametrize(("media_type", "disposition"), STORED)
def test_only_raster_images_are_shown(
    server: LiveServer, media_type: str, disposition: str
) -> None:
    """
    What a browser could run as a page is downloaded instead, on every address of a stored file.
    """
    digest = server.state.jobs.put(
        b"<svg onload=alert(1)>" + media_type.encode(), media_type
    ).digest
    with server.client() as client:
        for path in (f"/v1/files/{digest}", f"/results/{digest}.png"):
            response = client.get(path)
            assert response.headers["content-disposition"].startswith(disposition + ";")
            assert response.headers["content-type"].partition(";")[0] == media_type
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.slow
def test_a_container_is_reached_by_its_address_and_by_the_names_it_is_given(
    serve: Callable[..., LiveServer],
) -> None:
    """A kubelet's probe names the address; a neighbour, the service."""
    live = serve(host="0.0.0.0", token="a-token-of-16-characters", allowed_hosts=("nodetool",))
    with live.client(Authorization="Bearer a-token-of-16-characters") as client:
        for host in (
            f"127.0.0.1:{live.port}",
            "10.42.0.7:8188",
            f"nodetool:{live.port}",
            "localhost:80",
        ):
            assert client.get("/readyz", headers={"Host": host}).status_code == 200
            answer = client.post("/v1/uploads", content=png(), headers={"Host": host})
            assert answer.json()["url"].startswith(f"http://{host.removesuffix(':80')}")
        assert client.get("/readyz", headers={"Host": "evil.example"}).status_code == 421
