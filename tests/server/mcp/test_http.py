"""The Model Context Protocol over HTTP, in both eras, by the official SDKs."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent, Tool

from nodetool_core.server.mcp import calls, routes
from nodetool_core.server.mcp.sessions import IDLE_SECONDS, ClientSessions
from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.openai.conftest import NODES, TINY, sketch
from tests.server.runtime.test_memory import noise
from tests.server.test_clients import HERE, INSTALLED, needs_javascript
from tests.server.v1.test_workflows import data_uri

Use = Callable[[Any], Awaitable[Any]]
STREAMED = {"Accept": "application/json, text/event-stream"}

needs_npm_sdk = pytest.mark.skipif(
    not (INSTALLED / "node_modules" / "@modelcontextprotocol" / "sdk").is_dir(),
    reason="needs the MCP SDK of npm: see tests/server/clients/install.sh",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    workflows = {
        "sketch": sketch(),
        "sub/paint": nodes.paint(),
        "resize": nodes.resize(),
        "broken": nodes.broken(),
        "wait": nodes.wait("mcp"),
    }
    with LiveServer(tmp_path_factory.mktemp("mcp"), workflows, nodes=NODES, models=(TINY,)) as live:
        yield live


async def modern(url: str, use: Use, **options: Any) -> Any:
    """Use a client that asks in the era without sessions."""
    async with Client(f"{url}/mcp", **options) as client:
        assert client.protocol_version >= "2026"
        return await use(client)


async def older(url: str, use: Use) -> Any:
    """Use a session that shakes hands."""
    async with (
        streamable_http_client(f"{url}/mcp") as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        return await use(session)


both_eras = pytest.mark.parametrize("era", [modern, older])


def call(era: Any, live: LiveServer, tool: str, given: Any, **options: Any) -> CallToolResult:
    async def use(client: Any) -> CallToolResult:
        return await client.call_tool(tool, given, **options)

    return asyncio.run(era(live.url, use))


def link_of(result: CallToolResult) -> ResourceLink:
    (link,) = (one for one in result.content if isinstance(one, ResourceLink))
    return link


@both_eras
def test_list_tools(server: LiveServer, era: Any) -> None:
    async def use(client: Any) -> Any:
        return [(await client.list_tools()).tools for _ in range(2)]

    tools, again = asyncio.run(era(server.url, use))
    assert tools == again, "the order stays"
    names = [tool.name for tool in tools]
    model = TINY.replace("/", ".")
    assert names[:5] == ["broken", "resize", "sketch", "sub.paint", "wait"]
    assert {f"{model}.image_to_image", f"{model}.text_to_image"} <= set(names)
    paint = next(tool for tool in tools if tool.name == "sub.paint")
    assert paint.title == "Paint" and paint.description
    assert paint.input_schema["required"] == ["image"]
    steps = paint.input_schema["properties"]["num_inference_steps"]
    assert (steps["type"], steps["minimum"], steps["maximum"]) == ("integer", 1, 100)


def test_a_call_describes_no_tool_that_is_known(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK looks at the schemas of all tools at each call of who has no session."""
    call(modern, server, "sketch", {"prompt": "a lake"})
    described: list[str] = []
    describe = calls.describe

    def counted(name: str, *arguments: Any, **more: Any) -> Tool:
        described.append(name)
        return describe(name, *arguments, **more)

    monkeypatch.setattr(calls, "describe", counted)
    call(modern, server, "sketch", {"prompt": "a hill"})
    assert described == []


@both_eras
def test_an_image_comes_as_a_preview_and_as_a_link(server: LiveServer, era: Any) -> None:
    result = call(era, server, "sketch", {"prompt": "a lake", "seed": 7, "width": 40})
    assert not result.is_error
    preview, link = result.content[0], link_of(result)
    assert isinstance(preview, ImageContent) and preview.mime_type == "image/jpeg"
    assert opened(base64.b64decode(preview.data)).size == (40, 16)
    whole = httpx2.get(link.uri, trust_env=False).content
    assert (opened(whole).size, len(whole), link.mime_type) == ((40, 16), link.size, "image/png")
    text = next(one for one in result.content if isinstance(one, TextContent))
    assert json.loads(text.text) == result.structured_content
    assert result.structured_content["outputs"]["image"]["url"] == link.uri


@both_eras
def test_a_result_is_an_input_of_the_next_call(server: LiveServer, era: Any) -> None:
    first = link_of(call(era, server, "sketch", {"prompt": "x", "width": 40, "seed": 1}))
    digest = first.uri.rpartition("/")[2].removesuffix(".png")
    for image in (first.uri, digest, data_uri(png(40, 16))):
        given = {"photo": image, "width": 20, "height": 10, "nothing": None}
        small = call(era, server, "resize", given)
        assert not small.is_error, small.content
        assert small.structured_content["outputs"]["small"]["width"] == 20


@both_eras
def test_progress(server: LiveServer, era: Any) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    given = {"prompt": "a lake", "num_inference_steps": 5, "seed": 11 + (era is older)}
    tool = f"{TINY.replace('/', '.')}.text_to_image"
    result = call(era, server, tool, given, progress_callback=heard)
    assert not result.is_error, result.content
    steps = [progress for progress, _, _ in seen]
    assert len(steps) >= 5 and steps == sorted(set(steps))
    assert all(total is not None and progress <= total for progress, total, _ in seen)


@both_eras
def test_cancel(server: LiveServer, era: Any) -> None:
    door = nodes.DOORS["mcp"]

    async def use(client: Any) -> None:
        asking = asyncio.ensure_future(client.call_tool("wait", {"image": data_uri(png())}))
        assert await asyncio.to_thread(door.came.acquire, timeout=20)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await asyncio.to_thread(door.left.acquire, timeout=20), "the run goes on"

    asyncio.run(era(server.url, use))


@both_eras
def test_what_is_wrong_is_said_to_the_model(server: LiveServer, era: Any) -> None:
    wrong = call(era, server, "resize", {"photo": data_uri(png()), "width": 9999})
    assert wrong.is_error and "width: 9999 is above 512" in str(wrong.content)
    missing = call(era, server, "resize", {})
    assert missing.is_error and "photo" in str(missing.content)
    failed = call(era, server, "broken", {"image": data_uri(png())})
    assert failed.is_error and "failed on this request" in str(failed.content)
    assert "hunter2" not in str(failed.content)
    for image in ("file:///etc/passwd", "/etc/passwd", "http://127.0.0.1:1/a.png"):
        assert call(era, server, "resize", {"photo": image}).is_error

    async def use(client: Any) -> None:
        with pytest.raises(MCPError, match="no tool 'nothing'") as unknown:
            await client.call_tool("nothing", {})
        assert unknown.value.code == -32602

    asyncio.run(era(server.url, use))


def test_a_large_image_has_a_small_preview(serve: Callable[..., LiveServer]) -> None:
    live = serve({"resize": nodes.resize()})
    given = {"photo": data_uri(noise()), "width": 512, "height": 512}
    result = call(modern, live, "resize", given)
    preview = result.content[0]
    assert isinstance(preview, ImageContent)
    assert len(preview.data) < 1_000_000


def test_messages_that_are_none(server: LiveServer) -> None:
    accept = {"Accept": "application/json, text/event-stream"}
    version = {"MCP-Protocol-Version": "2026-07-28"}
    with server.client(**accept) as client:
        assert client.get("/mcp").status_code == 405
        for body in (b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0"}', b"\xff", b"[" * 100_000):
            for headers in ({}, version):
                given = headers | {"Content-Type": "application/json"}
                answer = client.post("/mcp", content=body, headers=given)
                assert 400 <= answer.status_code < 500, answer.text
        for name, code in (("2099-01-01", -32022), ("2026-07-28", -32020)):
            meta = {f"io.modelcontextprotocol/{key}": {} for key in ("clientCapabilities",)}
            meta |= {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
            asked = {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}
            headers = {"MCP-Protocol-Version": name, "Mcp-Method": "server/discover"}
            answer = client.post("/mcp", json=asked | {"params": {"_meta": meta}}, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_origin_and_token(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="right-token")
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with live.client() as client:
        refused = client.post("/mcp", json=body)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        given = {"Origin": "https://evil.example", "Authorization": "Bearer right-token"}
        assert client.post("/mcp", json=body, headers=given).status_code == 403


def shake_hands(client: httpx2.Client) -> httpx2.Response:
    about = {"clientInfo": {"name": "x", "version": "1"}, "capabilities": {}}
    params = about | {"protocolVersion": "2025-11-25"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    return client.post("/mcp", json=body, headers=STREAMED)


def is_open(client: httpx2.Client, session: str) -> bool:
    body = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    answer = client.post("/mcp", json=body, headers=STREAMED | {"Mcp-Session-Id": session})
    return answer.status_code == 200


def test_a_client_gives_up_its_own_sessions_and_nobody_elses(
    serve: Callable[..., LiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MOST_OF_A_CLIENT", 3)
    tokens = ("token-of-one", "token-of-another")
    live = serve({"draw": nodes.draw()}, token=",".join(tokens))
    first, second = (live.client(Authorization=f"Bearer {token}") for token in tokens)
    with first, second:
        others = shake_hands(second).headers["mcp-session-id"]
        own = [shake_hands(first).headers["mcp-session-id"] for _ in range(3)]
        assert is_open(first, own[0]), "it is used last now"
        own.append(shake_hands(first).headers["mcp-session-id"])
        assert [is_open(first, session) for session in own] == [True, False, True, True]
        first.delete("/mcp", headers=STREAMED | {"Mcp-Session-Id": own[0]})
        own.append(shake_hands(first).headers["mcp-session-id"])
        assert [is_open(first, session) for session in own[1:]] == [False, True, True, True]
        assert is_open(second, others)


def test_sessions_are_kept_while_they_are_used_and_forgotten_with_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sessions = ClientSessions(2)
    for name in "abc":
        sessions.note(name, "somebody")
    with sessions.in_use("a"), sessions.in_use("a"):
        assert sessions.to_end("somebody") == "b"
    assert sessions.to_end("somebody") == "b" and sessions.to_end("another") is None
    now = time.monotonic() + IDLE_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert sessions.to_end("somebody") is None and len(sessions) == 0


def test_calls_wait_in_the_queue_of_all(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("mcp busy")}, concurrency=1, queue=0)
    door = nodes.DOORS["mcp busy"]
    first = threading.Thread(target=call, args=(modern, live, "wait", {"image": data_uri(png())}))
    first.start()
    assert door.came.acquire(timeout=20)
    busy = call(modern, live, "wait", {"image": data_uri(png(9))})
    assert busy.is_error and "waiting" in str(busy.content)
    door.open.set()
    first.join(20)


@needs_javascript
@needs_npm_sdk
@pytest.mark.slow
def test_the_npm_sdk(server: LiveServer) -> None:
    given = json.dumps({"prompt": "a lake", "seed": 7})
    script = ["node", str(HERE / "mcp.mjs"), str(INSTALLED), "sketch", given]
    command = [*script, "http", f"{server.url}/mcp"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    said = json.loads(done.stdout)
    assert "sub.paint" in said["tools"]
    assert [one["type"] for one in said["content"]] == ["image", "resource_link", "text"]
    assert said["progress"] == sorted(set(said["progress"])) and len(said["progress"]) >= 3
    assert said["wrong"]["isError"]
    assert said["unknown"] == -32602


@needs_javascript
@needs_npm_sdk
@pytest.mark.slow
def test_the_inspector(server: LiveServer) -> None:
    program = INSTALLED / "node_modules" / ".bin" / "mcp-inspector"
    command = [str(program), "--cli", f"{server.url}/mcp", "--transport", "http"]
    listed = subprocess.run(
        [*command, "--method", "tools/list"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "sub.paint" in [tool["name"] for tool in json.loads(listed.stdout)["tools"]]
    called = subprocess.run(
        [*command, "--method", "tools/call", "--tool-name", "sketch", "--tool-arg", "seed=7"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(called.stdout)["content"][0]["type"] == "image"
