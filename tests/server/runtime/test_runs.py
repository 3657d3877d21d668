"""
Requests that wait for their run.

A full queue (check 29), clients that go away (check 30), runs that take too long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx2
import pytest

from tests.server import nodes
from tests.server.huggingface.test_routes import error_of
from tests.server.live import LiveServer, png
from tests.server.test_operations import figures
from tests.waiting import eventually


def test_29_a_full_queue(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("full")}, concurrency=1, queue=1)
    door = nodes.DOORS["full"]
    with live.client() as client:
        waiting = [
            threading.Thread(
                target=lambda shade=shade: client.post("/models/wait", content=png(8 + shade))
            )
            for shade in range(2)
        ]
        waiting[0].start()
        assert door.came.acquire(timeout=20)
        waiting[1].start()
        eventually(lambda: live.state.runs.waiting == 1)
        refused = client.post("/models/wait", content=png(99))
        error_of(refused, 429)
        assert int(refused.headers["retry-after"]) >= 1
        door.open.set()
        for thread in waiting:
            thread.join(20)
        assert client.post("/models/wait", content=png(98)).status_code == 200


def test_30_a_client_that_goes_away_ends_its_run(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("gone")}, concurrency=1)
    door = nodes.DOORS["gone"]
    with live.client() as client:
        with pytest.raises(httpx2.TimeoutException):
            client.post("/models/wait", content=png(), timeout=0.5)
        assert door.came.acquire(timeout=20)
        assert door.left.acquire(timeout=20), "the run goes on"
        door.open.set()
        assert client.post("/models/wait", content=png(9)).status_code == 200, (
            "its turn was not given back"
        )


def test_what_waits_and_what_runs_is_counted(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("count")}, concurrency=1, run_seconds=30)
    door = nodes.DOORS["count"]

    def counted(client: httpx2.Client) -> tuple[float, float]:
        found = figures(client)
        return (
            found["nodetool_runs_under_way", frozenset()],
            found["nodetool_queue_waiting", frozenset()],
        )

    with live.client() as client:
        asking = [
            threading.Thread(
                target=lambda shade=shade: client.post("/models/wait", content=png(8 + shade))
            )
            for shade in range(3)
        ]
        for thread in asking:
            thread.start()
        assert door.came.acquire(timeout=20)
        until = time.monotonic() + 20
        while counted(client) != (1, 2):
            assert time.monotonic() < until, counted(client)
        door.open.set()
        for thread in asking:
            thread.join(20)
        assert counted(client) == (0, 0)


def test_30_a_client_that_goes_away_while_it_waits_takes_no_turn(
    serve: Callable[..., LiveServer],
) -> None:
    live = serve({"wait": nodes.wait("line")}, concurrency=1)
    door = nodes.DOORS["line"]
    with live.client() as client:
        first = threading.Thread(target=lambda: client.post("/models/wait", content=png()))
        first.start()
        assert door.came.acquire(timeout=20)
        with pytest.raises(httpx2.TimeoutException):
            client.post("/models/wait", content=png(9), timeout=0.3)
        door.open.set()
        first.join(20)
        assert client.post("/models/wait", content=png(10)).status_code == 200
        assert door.came.acquire(timeout=5)
        assert not door.came.acquire(blocking=False)


def test_a_run_that_takes_too_long(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("slow")}, run_seconds=0.2)
    with live.client() as client:
        error_of(client.post("/models/wait", content=png()), 504)
    assert nodes.DOORS["slow"].left.acquire(timeout=20)
