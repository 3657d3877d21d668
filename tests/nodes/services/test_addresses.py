"""
Which addresses results are fetched from, and that the connection goes to the one that was checked.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx2
import pytest

from nodes.services.addresses import is_open_to_readers, origin, public_address
from nodes.services.fetching import fetch_image
from nodetool_core import NodeError
from tests.nodes.services.fakes import image_bytes


@pytest.mark.parametrize(
    "url",
    [
        "",
        "lake.png",
        "ftp://host/x",
        "http://",
        "https://user:word@host/",
        "https://user@host/",
        "http://[::1",
        "http://h:99999/",
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(NodeError) as raised:
        origin(url)
    assert raised.value.problem.hint, "says what to give"


def test_origins_are_compared_by_meaning() -> None:
    assert (
        origin("https://Example.org")
        == origin("https://example.org:443/path?query")
        == ("https", "example.org", 443)
    )


def looked_up(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name resolve to these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: found)


def test_one_private_address_of_a_name_is_enough_to_refuse_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(NodeError, match=r"cdn\.example \(10\.0\.0\.1\)") as raised:
        public_address("https://cdn.example/x.png")
    assert "load the image from a file" in raised.value.problem.hint


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://gpu.lan:8000/", True),
        ("https://gpu.lan/", False),
        ("http://127.0.0.1:1/", False),
        ("http://[::1]/", False),
    ],
)
def test_who_can_read_along(url: str, is_open: bool) -> None:
    assert is_open_to_readers(url) is is_open


@pytest.mark.parametrize("variable", ["https_proxy", "all_proxy"])
def test_behind_a_proxy_the_proxy_finds_the_host_and_plainly_private_ones_are_refused(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://proxy.lan:3128")
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, content=image_bytes())

    async def fetched(url: str) -> Any:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
            return await fetch_image(client, url, service="Test")

    def unknown(*arguments: Any, **options: Any) -> Any:
        raise socket.gaierror("no name service here")

    with monkeypatch.context() as network:
        network.setattr(socket, "getaddrinfo", unknown)
        assert asyncio.run(fetched("https://cdn.example/x.png")).size == (24, 16)
    with pytest.raises(NodeError, match="private network"):
        asyncio.run(fetched("https://192.168.1.1/x.png"))
    assert [str(request.url) for request in sent] == ["https://cdn.example/x.png"]


@pytest.mark.parametrize("way", ["no proxy", "a proxy that is not asked for this host"])
def test_the_connection_goes_to_the_address_that_was_checked(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up(monkeypatch, "8.8.4.4")
    if way != "no proxy":
        monkeypatch.setenv("https_proxy", "http://proxy.lan:3128")
        monkeypatch.setenv("no_proxy", "cdn.example")
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        if request.url.path == "/x.png":
            return httpx2.Response(302, headers={"Location": "/moved.png"})
        return httpx2.Response(200, content=image_bytes())

    async def fetched() -> Any:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
            return await fetch_image(client, "https://cdn.example/x.png", service="Test")

    assert asyncio.run(fetched()).size == (24, 16)
    assert [str(request.url) for request in sent] == [
        "https://8.8.4.4/x.png",
        "https://8.8.4.4/moved.png",
    ]
    assert {request.headers["host"] for request in sent} == {"cdn.example"}
    assert {request.extensions["sni_hostname"] for request in sent} == {"cdn.example"}
    assert not any("authorization" in request.headers for request in sent)
