"""
How much memory images of clients take.

None is decoded before its turn, and what was freed is given back.
"""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.server.runtime.allocator import is_glibc
from tests.server import nodes
from tests.server.huggingface.test_routes import encoded, error_of
from tests.server.live import LiveServer, opened, png

SIDE = 1999
"""Length of a side of the images whose pixels are counted: no other image in the process has it."""


def decoded_images() -> int:
    """Images of that size whose pixels are in memory; images may share them."""
    images = [
        found
        for found in gc.get_objects()
        if isinstance(found, Image.Image) and found.size == (SIDE, SIDE)
    ]
    return len(
        {id(pixels) for image in images if (pixels := getattr(image, "_im", None)) is not None}
    )


def large(shade: int) -> bytes:
    return png(SIDE, SIDE, (shade, 0, 0))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


@contextmanager
def asking(
    live: LiveServer, requests: Sequence[Callable[[httpx2.Client], httpx2.Response]]
) -> Iterator[list[httpx2.Response]]:
    """
    Send requests at once; inside the block they are under way, after it their answers are there.
    """
    answers: list[Any] = [None] * len(requests)
    with live.client() as client:

        def ask(number: int) -> None:
            answers[number] = requests[number](client)

        threads = [threading.Thread(target=ask, args=[number]) for number in range(len(requests))]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            for thread in threads:
                thread.join(30)


def over_hugging_face(shade: int) -> Callable[[httpx2.Client], httpx2.Response]:
    return lambda client: client.post("/models/wait", content=large(shade))


def over_our_own(shade: int) -> Callable[[httpx2.Client], httpx2.Response]:
    uri = f"data:image/png;base64,{encoded(large(shade))}"
    return lambda client: client.post("/v1/workflows/wait/runs", json={"inputs": {"image": uri}})


@pytest.mark.parametrize("request_of", [over_hugging_face, over_our_own])
def test_v4_an_image_is_decoded_when_its_turn_comes(
    serve: Callable[..., LiveServer],
    request_of: Callable[[int], Callable[[httpx2.Client], httpx2.Response]],
) -> None:
    name = f"v4 {request_of.__name__}"
    live, door = serve({"wait": nodes.wait(name)}, concurrency=1), nodes.DOORS[name]
    gc.collect()
    before = decoded_images()
    with asking(live, [request_of(shade) for shade in range(4)]) as answers:
        assert door.came.acquire(timeout=20)
        until(lambda: live.state.runs.waiting == 3)
        counted = decoded_images() - before
        door.open.set()
    assert counted == 1, "those that wait hold pixels"
    assert [answer.status_code for answer in answers] == [200] * 4


def test_v4_what_is_no_image_is_refused_before_it_waits(serve: Callable[..., LiveServer]) -> None:
    live, door = (
        serve({"wait": nodes.wait("v4 refused")}, concurrency=1, max_pixels=10**7),
        nodes.DOORS["v4 refused"],
    )
    with asking(live, [over_hugging_face(1)]), live.client() as client:
        assert door.came.acquire(timeout=20)
        error_of(client.post("/models/wait", content=b"\x89PNG no image"), 400)
        error_of(client.post("/models/wait", content=png(4000, 4000, 0, mode="1")), 413)
        door.open.set()


def test_v4_an_image_that_ends_too_early_is_the_clients_fault_when_its_turn_comes(
    serve: Callable[..., LiveServer],
) -> None:
    live, door = serve({"wait": nodes.wait("v4 cut")}, concurrency=1), nodes.DOORS["v4 cut"]
    cut = noise()[:-2000]
    with asking(live, [over_hugging_face(1)]):
        assert door.came.acquire(timeout=20)
        with asking(live, [lambda client: client.post("/models/wait", content=cut)]) as answers:
            until(lambda: live.state.runs.waiting == 1)
            door.open.set()
    assert "too early" in error_of(answers[0], 400)
    with live.client() as client:
        assert client.post("/models/wait", content=png()).status_code == 200, (
            "its turn was not given back"
        )


def noise() -> bytes:
    """Return an image whose file is about as long as its pixels."""
    buffer = BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "PNG")
    return buffer.getvalue()


def test_v4_pixels_of_what_runs_at_once_are_bounded(serve: Callable[..., LiveServer]) -> None:
    """There are turns for four, and memory for the pixels of one."""
    live = serve(
        {"wait": nodes.wait("v4 bound")}, concurrency=4, decoded_bytes=SIDE * SIDE * 4 + 10_000
    )
    door = nodes.DOORS["v4 bound"]
    gc.collect()
    before = decoded_images()
    with asking(live, [over_hugging_face(shade) for shade in range(3)]) as answers:
        assert door.came.acquire(timeout=20)
        until(lambda: live.state.runs.waiting == 2)
        counted = decoded_images() - before
        with live.client() as client:
            error_of(client.post("/models/wait", content=png(2 * SIDE, SIDE)), 413)
        door.open.set()
    assert counted == 1
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [opened(answer.content).size for answer in answers] == [(SIDE, SIDE)] * 3


def painted(client: httpx2.Client, shade: int) -> httpx2.Response:
    return client.post("/models/paint", content=large(shade))


def test_v2_no_pixels_stay_once_requests_are_answered(serve: Callable[..., LiveServer]) -> None:
    """Beyond what the result cache keeps, and without help of the garbage collector."""
    live = serve({"paint": nodes.paint()})
    uri = f"data:image/png;base64,{encoded(large(9))}"
    requests: list[Callable[[httpx2.Client], httpx2.Response]] = [
        partial(painted, shade=shade) for shade in range(4)
    ]
    requests.append(
        lambda client: client.post(
            "/v1/workflows/paint/runs", json={"inputs": {"image": uri}, "inline": True}
        )
    )
    gc.collect()
    before = decoded_images()
    gc.disable()
    try:
        with asking(live, requests) as answers:
            pass
        cache = live.state.engine.cache
        assert isinstance(cache, MemoryCache)
        cache.clear()
        until(lambda: decoded_images() == before)
    finally:
        gc.enable()
    assert [answer.status_code for answer in answers] == [200] * len(requests)


FREED = """
import os, sys
from nodetool_core.cli.app import execute

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

assert execute(sys.argv[1:]) != 0
# A large block that is freed makes glibc keep all up to that size.
large = bytearray(31 << 20)
del large
before, images, between = resident(), [], []
for _ in range(40):
    images.append(bytearray(8 << 20))
    between.append(bytearray(512 << 10))
images.clear()
print("MiB that stay:", resident() - before)
"""


@pytest.mark.skipif(
    not is_glibc(), reason="other C libraries give memory back, or have other settings"
)
@pytest.mark.parametrize(("command", "most"), [("serve", 60), ("worker", 60), ("run", None)])
def test_v3_the_memory_of_freed_images_is_given_back(
    tmp_path: Path, command: str, most: int | None
) -> None:
    """
    40 images of 8 MiB each are freed, with half a MiB behind each that stays.

    Other commands leave malloc as it is.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = {
            "serve": ["--port", str(taken.getsockname()[1])],
            "worker": ["--graphs", "none"],
            "run": ["none.json"],
        }[command]
        environment = os.environ | {
            "PYTHONPATH": str(Path.cwd()),
            "NODETOOL_SERVE_DEVICE_MEMORY": "none",
        }
        done = subprocess.run(
            [sys.executable, "-c", FREED, command, *refused],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    stays = int(done.stdout.rpartition(" ")[2] or -1)
    assert stays >= 0, done.stderr
    assert stays > 300 if most is None else stays < most
