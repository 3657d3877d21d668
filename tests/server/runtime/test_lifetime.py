"""
V2: what a request brought, and what was made of it, goes when it is answered.

Without the garbage collector.
"""

from __future__ import annotations

import base64
import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from nodetool_core.engine.caching.memory import MemoryCache
from tests.server import nodes
from tests.server.live import LiveServer, png

SIZE = (307, 211)
"""Of images that nothing else in this process has."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive() -> int:
    return sum(isinstance(found, Image.Image) and found.size == SIZE for found in gc.get_objects())


@pytest.mark.parametrize(
    ("name", "parameters", "status"),
    [
        ("paint", {}, 200),
        ("paint", {"strength": "much"}, 422),
        ("broken", {}, 500),
        ("wait", {}, 504),
    ],
)
def test_no_image_outlives_its_request(
    name: str, parameters: dict[str, Any], status: int, serve: Callable[..., LiveServer]
) -> None:
    workflows = {
        "paint": nodes.paint(),
        "broken": nodes.broken(),
        "wait": nodes.wait("never opened"),
    }
    server = serve(workflows, cache_bytes=0, run_seconds=0.2 if name == "wait" else 60)
    server.state.engine.cache = MemoryCache(0)
    with server.client() as client:
        for number in range(3):
            inputs = base64.b64encode(png(*SIZE, (number, 0, 0))).decode()
            answer = client.post(
                f"/models/{name}", json={"inputs": inputs, "parameters": parameters}
            )
            assert answer.status_code == status, answer.text
    end = time.monotonic() + 30
    while alive() and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive()
