"""What all dialects share: the table, the setting that switches them off, and the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from nodetool_core.errors import NodetoolError
from nodetool_core.server.app import DIALECTS
from nodetool_core.server.http.dialect import Dialect, Dialects
from nodetool_core.server.settings import DialectName, Settings
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.test_operations import figures

CALLS = {
    "openai": ("/v1/images/edits", {"data": {"prompt": "x"}, "files": {"image": png()}}),
    "a1111": ("/sdapi/v1/interrupt", {}),
    "mcp": ("/mcp", {"json": {"jsonrpc": "2.0", "id": 1, "method": "ping"}}),
    "comfyui": ("/prompt", {"json": {"prompt": {}}}),
    "replicate": ("/replicate/v1/models/nodetool/paint/predictions", {"json": {"input": {}}}),
    "huggingface": ("/models/paint", {"content": png()}),
    "qolaba": ("/getImage", {"json": {"id": "x"}}),
    "nodetool": ("/v1/workflows/paint/runs", {"json": {"inputs": {}}}),
}
"""A request of each dialect."""


def test_the_table_has_all_that_can_be_set() -> None:
    assert set(DIALECTS) == set(get_args(DialectName)) == set(CALLS)
    assert set(Settings.read().dialects) == set(DIALECTS)


@pytest.mark.parametrize("off", DIALECTS)
def test_a_dialect_is_switched_off(serve: Callable[..., LiveServer], off: str) -> None:
    live = serve(dialects=",".join(name for name in DIALECTS if name != off))
    with live.client() as client:
        for name, (path, body) in CALLS.items():
            response = client.post(path, **body)
            is_there = "http_404" not in response.text
            assert is_there == (name != off), response.text


def test_a_dialect_that_there_is_not() -> None:
    with pytest.raises(NodetoolError, match="dialects"):
        Settings.read(dialects="huggingface,gradio")


def test_metrics_name_the_dialect(serve: Callable[..., LiveServer]) -> None:
    with serve().client() as client:
        for path, body in CALLS.values():
            client.post(path, **body)
        client.get("/nothing")
        found = figures(client)
    counted = {
        dict(labels)["dialect"]: value
        for (name, labels), value in found.items()
        if name == "nodetool_requests_total"
    }
    assert counted == dict.fromkeys(DIALECTS, 1.0) | {"server": 1.0}


def test_each_shows_how_it_is_called(serve: Callable[..., LiveServer]) -> None:
    live = serve({"paint": nodes.paint()})
    for make in DIALECTS.values():
        dialect = make(live.state)
        assert dialect.title
        assert live.url in dialect.guide(live.url) and "{url}" not in dialect.guide(live.url)


def test_a_path_belongs_to_the_longest_prefix() -> None:
    short, long = (Dialect(name, name, [], (name,)) for name in ("/v1/", "/v1/images/"))
    whole, rest = Dialect("whole", "", [], ("/v1/images/x",)), Dialect("rest", "", [], ())
    found = Dialects([short, long, whole], rest)
    paths = ("/v1/jobs", "/v1/images/edits", "/v1/images/x", "/v1", "/")
    assert [found.of(path) for path in paths] == [short, long, whole, rest, rest]
