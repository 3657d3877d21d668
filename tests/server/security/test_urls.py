"""
V5: addresses of images in every script are fetched, or refused in words.

What is checked is what is connected to.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.services.addresses import public_address
from nodetool_core import NodeError
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.security.fetch import Fetcher
from nodetool_core.server.security.urls import read_url, shown
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.qolaba.conftest import Images
from tests.server.security.test_safety import names

WORDS = [
    *(
        "bücher",
        "straße",
        "ελλάδα",
        "москва",
        "հայ",
        "עברית",
        "العربية",
        "فارسی",
        "हिन्दी",
        "বাংলা",
        "ਪੰਜਾਬੀ",
        "தமிழ்",
        "తెలుగు",
    ),
    *(
        "ไทย",
        "ລາວ",
        "မြန်မာ",
        "ქართული",
        "አማርኛ",
        "ខ្មែរ",
        "中文",
        "繁體字",
        "日本語",
        "カタカナ",
        "한국어",
        "tiếng việt",
        "ᏣᎳᎩ",
    ),
]
"""A word each in so many scripts, some right to left, some with marks that combine."""

ODD = [
    "a b",
    "100%",
    "%zz",
    "%E4%B8%AD",
    'q"<>`{}|\\^',
    "\u202egnp.a",
    "a\u200bb",
    "🙂",
    "e\u0301",
    "a//b",
    "..;/",
    "+&=?",
    "\ufeff",
]
"""
What no script has: blanks, stray percents, marks that turn the reading direction, nothing visible,
an emoji.
"""

PATHS = [f"/{word}.png" for word in (*WORDS, *ODD)] + [
    f"/p.png?q={word}&z=1" for word in (*WORDS, *ODD)
]
HOSTS = [
    form.format(word.replace(" ", ""))
    for word, form in product(WORDS, ("{}.example", "a.{}", "{}"))
]
NOT_HOSTS = [
    *(
        "a b",
        "\u202eevil",
        "i\ud800",
        "a\x00b",
        "xn--\u0660",
        "a..b",
        "-\u00ad-%00",
        "%zz",
        "a%2fb",
        "[::1%25lo]",
        "[v1.a]",
    ),
    *("\u2100", "\u066a", "🙂."),
]
WIDE = "\uff11\uff12\uff17.\uff10.\uff10.\uff11"
"""127.0.0.1 in full-width digits."""
LOOPBACKS = [
    *(
        "127.0.0.1",
        WIDE,
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
    ),
    *(
        "LOCALHOST",
        "ⓛocalhost",
        "local\u00adhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::]",
        "192.88.99.1",
    ),
    "[64:ff9b::7f00:1]",
]
HOSTILE = [
    *(
        "http:\\\\127.0.0.1\\",
        "http:/a",
        "//a/b",
        "http:",
        "http://",
        "ht\ntp://a",
        "HTTP://[",
        "http://a:b/",
        "http://a:99999/",
    ),
    "http://a:0/",
]
EVERY = (
    [f"http://{host}/a.png" for host in (*HOSTS, *NOT_HOSTS, *LOOPBACKS)]
    + [f"http://a.example{path}" for path in PATHS]
    + HOSTILE
)


def test_there_are_two_hundred() -> None:
    assert len(set(EVERY)) >= 200


@pytest.mark.parametrize("url", EVERY, ids=ascii)
def test_an_address_is_plain_or_refused(url: str) -> None:
    assert shown(url).isascii() and shown(url).isprintable()
    try:
        plain = str(read_url(url))
    except ValueError:
        return
    assert plain.isascii() and plain.isprintable() and " " not in plain
    assert str(read_url(plain)) == plain


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    for url in (text, f"http://{text}/", f"http://a/{text}"):
        with contextlib.suppress(ValueError):
            assert str(read_url(url)).isascii()


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    images = Images()
    yield images
    images.server.shutdown()
    images.server.server_close()


@pytest.mark.parametrize("path", PATHS, ids=ascii)
def test_a_path_in_every_script_is_fetched(images: Images, path: str) -> None:
    asked_as = read_url(images.url(path))
    target = asked_as.path + ("?" + asked_as.query if asked_as.query else "")
    images.files[target] = png()
    assert Fetcher((images.host,), max_bytes=1000, seconds=5).get(f" {images.url(path)} ") == png()
    assert images.asked[-1] == target
    if "%" not in path:
        assert unquote(target) == path


@pytest.mark.parametrize("path", [f"/{word}.png" for word in (*WORDS, "a b", "é")], ids=ascii)
def test_so_is_one_that_another_leads_to(images: Images, path: str) -> None:
    """In the header Location, more than ASCII is UTF-8 as a rule."""
    target = read_url(images.url(path)).path
    images.files[target] = png()
    images.redirects["/leads"] = path.encode().decode("latin-1")
    assert Fetcher((images.host,), max_bytes=1000, seconds=5).get(images.url("/leads")) == png()
    assert images.asked[-1] == target


ASTRAY = [
    "http://[",
    "http://\xff/",
    "/\xff.png",
    f"http://{WIDE}:1/".encode().decode("latin-1"),
    "ftp://a",
    "",
]


@pytest.mark.parametrize("leads_to", ASTRAY)
def test_what_leads_astray_is_refused_in_words(images: Images, leads_to: str) -> None:
    images.redirects["/leads"] = leads_to
    with pytest.raises(HttpError) as refused:
        Fetcher((images.host,), max_bytes=1000, seconds=5).get(images.url("/leads"))
    assert refused.value.status in (400, 422)


@pytest.mark.parametrize("host", LOOPBACKS, ids=ascii)
def test_an_address_of_this_machine_in_any_writing(host: str) -> None:
    with pytest.raises(HttpError) as refused:
        Fetcher(max_bytes=1000, seconds=2).get(f"http://{host}:1/a.png")
    assert refused.value.problem.code in ("forbidden_address", "image_not_fetched")
    assert "refused" not in refused.value.problem.message.lower(), "nobody was asked"


@pytest.mark.parametrize("host", HOSTS, ids=ascii)
def test_a_name_in_every_script_is_looked_up_as_the_one_that_is_checked(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    connected: list[str] = []

    def create_connection(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        connected.append(address[0])
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    for addresses, expected in ((["10.0.0.1"], []), (["93.184.215.14"], ["93.184.215.14"])):
        asked = names(monkeypatch, addresses)
        with pytest.raises(HttpError):
            Fetcher(max_bytes=1000, seconds=2).get(f"http://{host}/a.png")
        assert (asked, connected) == ([read_url(f"http://{host}/").host], expected)


@pytest.mark.parametrize("url", EVERY, ids=ascii)
def test_results_of_services_are_refused_in_words_too(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    names(monkeypatch, ["10.0.0.1"])
    with pytest.raises(NodeError):
        public_address(url)


@pytest.fixture(scope="module")
def taking(tmp_path_factory: pytest.TempPathFactory, images: Images) -> Iterator[LiveServer]:
    folder: Path = tmp_path_factory.mktemp("urls")
    (folder / "apps.json").write_text('{"*": {"serves": "paint"}}')
    hosts = (images.host, "bücher.example")
    with LiveServer(
        folder,
        {"paint": nodes.paint()},
        nodes=nodes.NODES,
        image_hosts=hosts,
        qolaba_apps=folder / "apps.json",
    ) as live:
        yield live


def bodies(url: str) -> list[tuple[str, dict[str, Any]]]:
    app = {"app_id": "ap-fGhKl3mfkdlpqrshuwwabc"}
    return [
        ("/v1/workflows/paint/runs", {"inputs": {"image": url}}),
        ("/v1/workflows/paint/runs", {"inputs": {"image": url}, "wait": False}),
        ("/models/paint", {"inputs": url}),
        ("/getImagetoImage", app | {"image": url, "celery": True}),
        ("/getImagetoImage", app | {"image": "data:,", "file_urls": [url], "celery": True}),
    ]


@pytest.mark.slow
def test_every_route_that_takes_an_address(
    monkeypatch: pytest.MonkeyPatch, taking: LiveServer, images: Images
) -> None:
    real = socket.getaddrinfo
    reached = images.host.partition(":")[0]

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> Any:
        if host.startswith(reached):
            return real(host, port, *args, **options)
        raise socket.gaierror("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with taking.client() as client:
        for url in EVERY:
            for path, body in bodies(url):
                response = client.post(
                    path, content=json.dumps(body), headers={"Content-Type": "application/json"}
                )
                assert response.status_code in (400, 422), (path, ascii(url), response.text)
                assert isinstance(response.json()["error"], str)
        images.files[read_url(images.url("/日本 語.png")).path] = png()
        for path, body in bodies(images.url("/日本 語.png")):
            if path != "/models/paint" and "file_urls" not in body:
                assert client.post(path, json=body).status_code in (200, 202), path


def test_such_an_address_is_no_error_of_the_server(taking: LiveServer, images: Images) -> None:
    images.files["/b%C3%BC%20cher.png"] = png()
    with taking.client() as client:
        answer: httpx2.Response = client.post(
            "/v1/workflows/paint/runs", json={"inputs": {"image": images.url("/bü cher.png")}}
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["head", "body"]
)
def test_whoever_answers_a_byte_at_a_time_holds_nobody_for_long(begin: bytes) -> None:
    """A time for each read alone would never be over."""

    def trickle() -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(begin)
            while not over.wait(0.01):
                connection.sendall(b"x")

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            with pytest.raises(HttpError, match=r"longer than 0\.3 s"):
                Fetcher(("127.0.0.1",), max_bytes=10**6, seconds=0.3).get(
                    f"http://127.0.0.1:{listening.getsockname()[1]}/a.png"
                )
        finally:
            over.set()
            thread.join(10)
