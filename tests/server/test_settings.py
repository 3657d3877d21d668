"""V13: what an operator wrote is done, or refused in words; nothing is passed over in silence."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_checks import check_address
from nodetool_core.server.settings_sources import SettingsError
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.test_operations import Program

LONG = "a-token-of-16-characters"


def refused(**given: Any) -> str:
    with pytest.raises(SettingsError) as wrong:
        check_address(Settings.read(**given))
    return str(wrong.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NODETOOL_SERVE_TOKENS", "NODETOOL_SERVE_TOKEN"),
        ("NODETOOL_SERVER_TOKEN", "NODETOOL_SERVE_TOKEN"),
        ("NODETOOL_SERVE_TOKN", "NODETOOL_SERVE_TOKEN"),
        ("nodetool_serve_hots", "NODETOOL_SERVE_HOST"),
        ("NODETOOL_SERVE_", ""),
        ("NODETOOLSERVE_PORT", "NODETOOL_SERVE_PORT"),
        ("NODETOOL_SERVE_QUITE_ANOTHER_THING", "--show-settings"),
    ],
)
def test_a_variable_of_no_setting(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.setenv(name, "hunter2-hunter2-hunter2")
    said = refused()
    assert name in said and meant in said and "hunter2" not in said


def test_variables_that_are_right_or_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NODETOOL_SERVE_TOKEN": LONG,
        "nodetool_serve_port": "1234",
        "NODETOOL_CACHE_DIR": "x",
        "NODETOOL_SERVE_SERVICE_HOST": "10.0.0.1",
        "NODETOOL_SERVE_SERVICE_PORT_HTTP": "8188",
        "NODETOOL_SERVE_PORT_8188_TCP_ADDR": "10.0.0.1",
        "NODETOOL_SERVER_PORT": "tcp://10.0.0.1:8188",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()
    assert (settings.tokens, settings.port) == ((LONG,), 1234)


@pytest.mark.parametrize("token", ["", " ", ",", " , "])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_an_empty_token_is_none(monkeypatch: pytest.MonkeyPatch, host: str, token: str) -> None:
    """As of a variable that was to hold it and is not set: TOKEN=$(cat no-such-file)."""
    assert "token" in refused(host=host, token=token)
    monkeypatch.setenv("NODETOOL_SERVE_TOKEN", token)
    assert "token" in refused(host=host)


@pytest.mark.parametrize(
    "token", ["tökén-with-16-signs", "two words of a token", "a\nnew-line-in-a-token"]
)
def test_a_token_that_no_header_carries(token: str) -> None:
    said = refused(token=token)
    assert "token" in said and token not in said


@pytest.mark.parametrize(
    "settings",
    [{"host": "0.0.0.0"}, {"host": "192.168.1.5"}, {"public_url": "https://images.example"}],
)
def test_a_token_that_others_can_guess(settings: dict[str, Any]) -> None:
    for token in ("~", "f" * 15, f"{LONG},~short"):
        said = refused(token=token, **settings)
        assert "16 characters" in said and token not in said
        if "host" in settings:
            assert "16 characters" in refused(token=token, insecure_without_token=True, **settings)
    check_address(Settings.read(token=LONG, **settings))
    check_address(Settings.read(token="x"))


def test_a_configuration_that_is_no_plain_file(tmp_path: Path) -> None:
    """V16: /dev/null says nothing, and a pipe what comes out of it."""
    assert Settings.read(Path("/dev/null")).port == 8188
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("port = 1234",))
    writer.start()
    assert Settings.read(pipe).port == 1234
    writer.join()
    with pytest.raises(SettingsError, match="can't be read: Is a directory"):
        Settings.read(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="TOML"):
        Settings.read(tmp_path / "bytes")


@pytest.mark.slow
def test_no_workflows_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    running = Program(tmp_path, "--graphs", str(tmp_path / "empty"))
    try:
        warned = running.line("message")
        assert warned["level"] == "warning" and "No workflows are served" in warned["message"]
    finally:
        running.process.kill()
        running.process.communicate()


def test_a_share_is_of_several_tokens() -> None:
    assert [Settings.read(token=token).share_of(64) for token in ((), LONG, f"{LONG},{LONG}2")] == [
        64,
        64,
        32,
    ]
    assert [
        Settings.read(token="one,two", client_share=0.1).share_of(queue) for queue in (0, 1, 64)
    ] == [0, 1, 7]


def test_one_token_does_not_fill_the_queue(serve: Callable[..., LiveServer]) -> None:
    live = serve(
        {"wait": nodes.wait("share"), "paint": nodes.paint()},
        token="one,two",
        queue=4,
        concurrency=1,
        job_queue=4,
        job_workers=0,
    )
    codes: list[str] = []

    def ask(token: str) -> None:
        with live.client(Authorization=f"Bearer {token}") as client:
            answer = client.post("/models/wait", content=png(), headers={"x-use-cache": "false"})
            codes.append("" if answer.status_code == 200 else answer.json()["problems"][0]["code"])

    def asked(token: str, waiting: int) -> threading.Thread:
        thread = threading.Thread(target=ask, args=(token,))
        thread.start()
        while live.state.runs.waiting < waiting:
            assert thread.is_alive() or waiting == 0
        return thread

    threads = [asked("one", 0)]
    assert nodes.DOORS["share"].came.acquire(timeout=20)
    threads += [asked("one", 1), asked("one", 2)]
    ask("one")
    assert codes == ["client_queue_full"]
    threads += [asked("two", 3), asked("two", 4)]
    ask("two")
    assert codes == ["client_queue_full", "queue_full"]
    nodes.DOORS["share"].open.set()
    for thread in threads:
        thread.join(30)
    assert codes[2:] == [""] * 5 and live.state.runs.waiting == 0
    with (
        live.client(Authorization="Bearer one") as one,
        live.client(Authorization="Bearer two") as two,
    ):
        body = {
            "inputs": {
                "image": {
                    "type": "image",
                    "asset_id": one.post("/v1/uploads", content=png()).json()["asset_id"],
                }
            },
            "wait": False,
        }
        statuses = [
            client.post("/v1/workflows/paint/runs", json=body).status_code
            for client in (one, one, one, two, two)
        ]
    assert statuses == [202, 202, 429, 202, 202]
