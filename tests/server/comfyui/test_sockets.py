"""
The sockets of ComfyUI's API: what is reported of a prompt, until its end in any case.

By the client library that most scripts use, against a real server.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nodetool_core.server.comfyui import sockets
from nodetool_core.server.comfyui.prompts import Prompts
from tests.server import nodes
from tests.server.comfyui.conftest import accepted, broken, colour, ended, lake, waiting
from tests.server.live import LiveServer, opened

SECONDS = 30

Reported = list[tuple[str, dict[str, Any]]]


@asynccontextmanager
async def connected(
    live: LiveServer, client_id: str, path: str = "/ws", **options: Any
) -> AsyncIterator[ClientConnection]:
    """Connect as clients do, once the first message was read."""
    async with connect(f"ws://127.0.0.1:{live.port}{path}?clientId={client_id}", **options) as ws:
        kind, data = await message(ws)
        assert kind == "status" and data["sid"] == client_id
        assert data["status"]["exec_info"]["queue_remaining"] >= 0
        yield ws


async def message(ws: ClientConnection) -> tuple[str, dict[str, Any]]:
    """Return the next message that is no image."""
    async with asyncio.timeout(SECONDS):
        while isinstance(received := await ws.recv(), bytes):
            pass
    found = json.loads(received)
    assert found.keys() == {"type", "data"}
    return found["type"], found["data"]


async def until_end(ws: ClientConnection, prompt_id: str) -> Reported:
    """Return what is reported of a prompt, up to `executing` without a node."""
    reported: Reported = []
    while not reported or reported[-1][0] != "executing" or reported[-1][1]["node"] is not None:
        kind, data = await message(ws)
        if data.get("prompt_id") == prompt_id:
            reported.append((kind, data))
    return reported


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(4 * SECONDS):
            return await work()

    return asyncio.run(bounded())


async def sent(client: httpx2.Client, graph: Any, **more: Any) -> str:
    return await asyncio.to_thread(accepted, client, graph, **more)


def kinds(reported: Reported) -> list[str]:
    return [kind for kind, _ in reported]


def test_a_run_is_reported_from_its_start_to_its_end(
    server: LiveServer, client: httpx2.Client
) -> None:
    async def work() -> Reported:
        async with connected(server, "one") as ws:
            prompt_id = await sent(client, lake(seed=21, steps=8), client_id="one")
            return await until_end(ws, prompt_id)

    reported = run(work)
    names = kinds(reported)
    assert names[0] == "execution_start" and isinstance(reported[0][1]["timestamp"], int)
    executing = [data for kind, data in reported if kind == "executing"]
    assert executing[0]["node"] == executing[0]["display_node"] == "5"
    steps = [data for kind, data in reported if kind == "progress"]
    assert steps and steps[-1]["node"] == "5" and steps[-1]["value"] <= steps[-1]["max"]
    states = [data["nodes"]["5"] for kind, data in reported if kind == "progress_state"]
    assert states[-1]["state"] == "running" and states[-1]["real_node_id"] == "5"
    assert names[-3:] == ["executed", "execution_success", "executing"]
    (image,) = reported[-3][1]["output"]["images"]
    assert client.get("/view", params=image).status_code == 200, "it is there when it is reported"


def test_what_is_known_is_reported_to_its_end_as_well(
    server: LiveServer, client: httpx2.Client
) -> None:
    graph = lake(seed=22)
    ended(server, client, accepted(client, graph))

    async def work() -> Reported:
        async with connected(server, "known", "/api/ws") as ws:
            return await until_end(ws, await sent(client, graph, client_id="known"))

    reported = run(work)
    cached = [data["nodes"] for kind, data in reported if kind == "execution_cached"]
    assert cached == [["5"]]
    assert kinds(reported)[-3:] == ["executed", "execution_success", "executing"]


def test_a_failure_is_reported_to_its_end_as_well(
    server: LiveServer, client: httpx2.Client
) -> None:
    async def work() -> Reported:
        async with connected(server, "broken") as ws:
            return await until_end(ws, await sent(client, broken(), client_id="broken"))

    reported = run(work)
    assert kinds(reported)[-2:] == ["execution_error", "executing"]
    failure = reported[-2][1]
    assert (failure["node_id"], failure["node_type"]) == ("7", "BreakNow")
    assert failure["exception_message"] and failure["exception_type"] == "node_failed"
    assert failure["executed"] == ["1"] and "hunter2" not in json.dumps(reported)


@pytest.mark.parametrize("is_running", [True, False])
def test_a_cancelled_prompt_is_reported_to_its_end_as_well(
    server: LiveServer, client: httpx2.Client, is_running: bool
) -> None:
    name = f"comfy-cancelled-{is_running}"
    door = nodes.DOORS[name]

    async def work() -> Reported:
        async with connected(server, name) as ws:
            prompt_id = await sent(client, waiting(name), client_id=name)
            assert await asyncio.to_thread(door.came.acquire, timeout=SECONDS)
            if not is_running:
                other = await sent(client, colour(9), client_id=name)
                await asyncio.to_thread(client.post, "/queue", json={"delete": [other]})
                reported = await until_end(ws, other)
                door.open.set()
                await until_end(ws, prompt_id)
                return reported
            await asyncio.to_thread(client.post, "/api/interrupt")
            return await until_end(ws, prompt_id)

    assert kinds(run(work))[-2:] == ["execution_interrupted", "executing"]


def test_a_client_that_connects_again_gets_what_runs_and_what_ended(
    server: LiveServer, client: httpx2.Client
) -> None:
    door = nodes.DOORS["comfy-again"]

    async def work() -> tuple[Reported, Reported, Reported]:
        async with connected(server, "again") as ws:
            prompt_id = await sent(client, waiting("comfy-again"), client_id="again")
            while (await message(ws))[0] != "executing":
                pass
        async with connected(server, "again") as ws:
            first: Reported = [await message(ws)]
            while first[-1][0] != "executing":
                first.append(await message(ws))
        door.open.set()
        await asyncio.to_thread(ended, server, client, prompt_id)
        async with connected(server, "again") as ws:
            reported = await until_end(ws, prompt_id)
        async with connected(server, "again") as ws:
            other = await sent(client, colour(77), client_id="again")
            later = await until_end(ws, other)
        return first, reported, later

    first, reported, later = run(work)
    assert {"execution_start", "executing"} <= set(kinds(first))
    assert kinds(reported)[-2:] == ["execution_success", "executing"]
    assert {data["prompt_id"] for _, data in later} == {later[-1][1]["prompt_id"]}


def test_a_socket_is_reported_of_the_prompts_of_its_client_id(
    server: LiveServer, client: httpx2.Client
) -> None:
    async def work() -> tuple[Reported, list[int]]:
        async with connected(server, "mine") as mine, connected(server, "other") as other:
            theirs = await sent(client, colour(31), client_id="other")
            await until_end(other, theirs)
            own = await sent(client, colour(32), client_id="mine")
            reported: Reported = []
            while ("executing", own) not in [
                (kind, data.get("prompt_id"))
                for kind, data in reported
                if not data.get("node", "x")
            ]:
                reported.append(await message(mine))
            waits = [
                data["status"]["exec_info"]["queue_remaining"]
                for kind, data in reported
                if kind == "status"
            ]
            return [one for one in reported if one[0] != "status"], waits

    reported, waits = run(work)
    assert len({data["prompt_id"] for _, data in reported}) == 1
    assert max(waits, default=1) >= 1


@pytest.mark.parametrize("has_metadata", [False, True])
def test_previews_for_who_wants_them(
    server: LiveServer, client: httpx2.Client, has_metadata: bool
) -> None:
    name = f"previews-{has_metadata}"

    async def work() -> tuple[str, list[bytes]]:
        found: list[bytes] = []
        async with connected(server, name) as ws:
            if has_metadata:
                flags = {"supports_preview_metadata": True}
                await ws.send(json.dumps({"type": "feature_flags", "data": flags}))
                assert (await message(ws))[1]["supports_preview_metadata"] is True
            graph = lake(seed=40 + has_metadata, steps=60)
            graph["4"]["inputs"] |= {"width": 128, "height": 128}
            more = {"extra_data": {"preview_method": "auto"}}
            prompt_id = await sent(client, graph, client_id=name, **more)
            while True:
                received = await asyncio.wait_for(ws.recv(), SECONDS)
                if isinstance(received, bytes):
                    found.append(received)
                elif '"executing"' in received and '"node": null' in received:
                    return prompt_id, found

    prompt_id, found = run(work)
    assert found
    kind, second = struct.unpack(">II", found[-1][:8])
    if has_metadata:
        about = json.loads(found[-1][8 : 8 + second])
        assert (kind, about["node_id"], about["prompt_id"]) == (4, "5", prompt_id)
        assert about["image_type"] == "image/jpeg"
        image = opened(found[-1][8 + second :])
    else:
        assert (kind, second) == (1, 1)
        image = opened(found[-1][8:])
    assert image.format == "JPEG" and max(image.size) <= 512


def test_no_previews_for_who_does_not_ask(server: LiveServer, client: httpx2.Client) -> None:
    """A client that takes every binary message for a result gets none."""

    async def work() -> None:
        async with connected(server, "plain") as ws:
            prompt_id = await sent(client, lake(seed=50, steps=20), client_id="plain")
            while True:
                received = await asyncio.wait_for(ws.recv(), SECONDS)
                assert isinstance(received, str)
                data = json.loads(received)["data"]
                if data.get("prompt_id") == prompt_id and data.get("node", "") is None:
                    return

    run(work)


def test_clients_are_reported_of_their_own_alone(serve_graphs: Callable[..., LiveServer]) -> None:
    tokens = "first-token-of-two", "other-token-of-two"
    live = serve_graphs(token=",".join(tokens))
    headers = [{"Authorization": f"Bearer {token}"} for token in tokens]

    async def work() -> list[str]:
        with live.client(**headers[0]) as first, live.client(**headers[1]) as other:
            async with (
                connected(live, "shared", additional_headers=headers[0]) as mine,
                connected(live, "shared", additional_headers=headers[1]) as theirs,
            ):
                await until_end(mine, await sent(first, colour(1), client_id="shared"))
                own = await sent(other, colour(2), client_id="shared")
                reported = await until_end(theirs, own)
            assert first.get("/prompt").json()["exec_info"]["queue_remaining"] == 0
            return [own, *(data["prompt_id"] for _, data in reported)]

    own, *reported = run(work)
    assert set(reported) == {own}


REFUSED: list[tuple[dict[str, str], int]] = [
    ({"Authorization": "Bearer wrong"}, 401),
    ({}, 401),
    ({"Authorization": "Bearer right-token-of-all", "Origin": "https://evil.example"}, 403),
    ({"Authorization": "Bearer right-token-of-all", "Sec-Fetch-Site": "cross-site"}, 403),
    ({"Authorization": "Bearer right-token-of-all", "Host": "evil.example"}, 421),
]


def test_who_may_not_ask_opens_no_socket(serve_graphs: Callable[..., LiveServer]) -> None:
    live = serve_graphs(token="right-token-of-all")

    async def status(headers: dict[str, str]) -> tuple[int, str]:
        given = dict(headers)
        options: dict[str, Any] = {"additional_headers": given}
        if (origin := given.pop("Origin", None)) is not None:
            options["origin"] = origin
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{live.port}/ws", **options):
                pass
        response = refused.value.response
        return response.status_code, json.loads(response.body or b"{}")["error"]["type"]

    for headers, expected in REFUSED[:-1]:
        assert run(lambda headers=headers: status(headers))[0] == expected  # type: ignore[misc]
    # The library names the host by itself.
    lines = (
        "GET /ws HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", live.port), timeout=SECONDS) as connection:
        connection.sendall(lines.encode())
        assert b" 421 " in connection.recv(30)

    async def right() -> None:
        url = f"ws://any:right-token-of-all@127.0.0.1:{live.port}/ws?clientId=x"
        async with connect(url) as ws:
            assert (await message(ws))[0] == "status"

    run(right)


def test_no_socket_where_the_dialect_is_off(serve_graphs: Callable[..., LiveServer]) -> None:
    live = serve_graphs(dialects="nodetool")

    async def work() -> None:
        async with connect(f"ws://127.0.0.1:{live.port}/ws"):
            pass

    with pytest.raises(InvalidStatus) as refused:
        run(work)
    assert refused.value.response.status_code == 404


def test_so_many_sockets(
    serve_graphs: Callable[..., LiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "MOST_OF_A_CLIENT", 2)
    live = serve_graphs()

    async def work() -> None:
        async with connected(live, "a"), connected(live, "b"):
            with pytest.raises(InvalidStatus) as refused:
                async with connected(live, "c"):
                    pass
            assert refused.value.response.status_code == 429
            assert b"too_many_sockets" in (refused.value.response.body or b"")
        # The server takes note of an end a moment after its client does.
        async with asyncio.timeout(SECONDS):
            is_open = False
            while not is_open:
                with suppress(InvalidStatus):
                    async with connected(live, "d"):
                        is_open = True

    run(work)


def test_sockets_know_of_prompts_without_reading_them(
    serve_graphs: Callable[..., LiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    newest = Prompts.newest

    def counted(self: Prompts, *arguments: Any) -> Any:
        reads.append(arguments)
        return newest(self, *arguments)

    monkeypatch.setattr(Prompts, "newest", counted)
    monkeypatch.setattr(sockets, "LOOK_SECONDS", 1000.0)
    live = serve_graphs()

    async def work() -> int:
        async with AsyncExitStack() as stack:
            names = [f"socket-{number}" for number in range(20)]
            connections = [await stack.enter_async_context(connected(live, n)) for n in names]
            with live.client() as client:
                before = len(reads)
                await until_end(connections[7], await sent(client, colour(5), client_id=names[7]))
            return len(reads) - before

    assert run(work) == 0


def test_messages_of_clients_are_few_and_small(server: LiveServer) -> None:
    async def flood(*messages: str | bytes) -> int | None:
        async with connected(server, "flood") as ws:
            with pytest.raises(ConnectionClosed) as closed:
                for one in messages:
                    await ws.send(one)
                while True:
                    await asyncio.wait_for(ws.recv(), SECONDS)
            return closed.value.rcvd.code if closed.value.rcvd else None

    assert run(lambda: flood(*["x"] * 200)) == 1008
    assert run(lambda: flood("x" * 100_000)) == 1009

    async def nonsense() -> None:
        async with connected(server, "nonsense") as ws:
            for one in ("no json", "[]", '{"type": "feature_flags"}', b"\xff", '{"type": 5}'):
                await ws.send(one)
            assert (await message(ws))[0] == "feature_flags"

    run(nonsense)


def test_the_end_of_the_server_ends_sockets(serve_graphs: Callable[..., LiveServer]) -> None:
    live = serve_graphs()

    async def work() -> int | None:
        async with connected(live, "end") as ws:
            live.server.should_exit = True
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(ws.recv(), SECONDS)
            return closed.value.rcvd.code if closed.value.rcvd else None

    assert run(work) in (1001, 1012)
