"""Running a server: settings, the program, its end, logs, metrics."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nodetool_core.server.logs import to_stderr
from nodetool_core.server.runtime.response_cache import Answer, ResponseCache
from nodetool_core.server.settings_sources import ENVIRONMENT_PREFIX
from tests.server import nodes
from tests.server.live import LiveServer, png

ROOT = Path(__file__).parents[2]


def figures(client: httpx2.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_metrics_count_what_happened(serve: Callable[..., LiveServer]) -> None:
    with serve().client() as client:
        for width in (8, 8, 9):
            assert client.post("/models/paint", content=png(width)).status_code == 200
        client.post("/v1/workflows/paint/runs", json={"inputs": {}})
        found = figures(client)
    labels = {"dialect": "huggingface", "route": "/models/{model:path}", "method": "POST"}
    assert found["nodetool_requests_total", frozenset((labels | {"status": "200"}).items())] == 3
    assert found["nodetool_request_seconds_count", frozenset(labels.items())] == 3
    assert (
        found["nodetool_cache_hits_total", frozenset()],
        found["nodetool_cache_misses_total", frozenset()],
    ) == (1, 2)
    assert found["nodetool_queue_waiting", frozenset()] == 0
    names = (
        "model_loads_total",
        "model_evictions_total",
        "cache_bytes",
        "results_bytes",
        "encodings_bytes",
    )
    for name in (f"nodetool_{name}" for name in names):
        assert (name, frozenset()) in found


def test_an_answer_is_known_for_its_time_only() -> None:
    cache = ResponseCache(100, seconds=10)
    cache.put(b"old", b"bytes", Answer(b"x" * 60, "image/png", made=time.monotonic() - 11))
    assert (len(cache), cache.bytes) == (1, 60)
    assert cache.repeated(b"bytes") is None
    assert cache.known(b"old", b"bytes") is None
    assert (len(cache), cache.bytes, cache.hits) == (0, 0, 0)
    cache.put(b"new", b"bytes", Answer(b"y", "image/png", made=time.monotonic() - 5))
    assert cache.repeated(b"bytes") is not None


def test_jobs_are_counted_by_state(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("metrics")})
    with live.client() as client:
        body = {
            "inputs": {
                "image": {
                    "type": "image",
                    "asset_id": client.post("/v1/uploads", content=png()).json()["asset_id"],
                }
            },
            "wait": False,
        }
        client.post("/v1/workflows/wait/runs", json=body)
        assert nodes.DOORS["metrics"].came.acquire(timeout=20)
        assert figures(client)["nodetool_jobs", frozenset({("state", "running")})] == 1
        nodes.DOORS["metrics"].open.set()


class Program:
    """`nodetool serve` in a process of its own."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        (folder / "graphs").mkdir(exist_ok=True)
        nodes.resize().save(folder / "graphs" / "resize.json")
        command = [
            sys.executable,
            "-c",
            "import sys; from nodetool_core.cli import main; sys.exit(main())",
            "serve",
            "--port",
            "0",
            *arguments,
        ]
        variables = {
            **os.environ,
            "NODETOOL_CACHE_DIR": str(folder / "cache"),
            "PYTHONPATH": str(ROOT),
        }
        # What is looked at here has to do with no model.
        variables |= {f"{ENVIRONMENT_PREFIX}PRELOAD": "false"} | environment
        self.process = subprocess.Popen(
            command, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[dict[str, Any]] = []
        self.url = self.line("url")["url"]

    def line(self, key: str) -> dict[str, Any]:
        """Return the next line of the log that has a member."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.lines.append(json.loads(text))
            if key in self.lines[-1]:
                return self.lines[-1]
        raise AssertionError(f"The program ended: {self.lines}")

    def rest(self) -> list[dict[str, Any]]:
        assert self.process.stderr is not None
        return [json.loads(text) for text in self.process.stderr]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(*arguments: str, **environment: str) -> Program:
        started.append(Program(tmp_path, *arguments, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.mark.slow
def test_the_program_serves_logs_and_ends_on_sigterm(program: Callable[..., Program]) -> None:
    running = program(NODETOOL_SERVE_TOKEN="hunter2")
    with httpx2.Client(
        base_url=running.url, trust_env=False, headers={"Authorization": "Bearer hunter2"}
    ) as client:
        response = client.post("/models/resize", content=png(), headers={"X-Request-Id": "r-1"})
        assert response.status_code == 200
    logged = running.line("path")
    assert (logged["path"], logged["status"], logged["request_id"], logged["message"]) == (
        "/models/resize",
        200,
        "r-1",
        "request",
    )
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0
    assert "hunter2" not in json.dumps(running.lines + running.rest())


def test_what_libraries_warn_of_is_a_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with to_stderr("info", "json"):
        warnings.warn("an argument is old", FutureWarning, stacklevel=1)
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert line["level"] == "warning"
    assert "an argument is old" in line["message"]


@pytest.mark.slow
def test_a_request_under_way_is_answered_before_the_end(
    tmp_path: Path, program: Callable[..., Program]
) -> None:
    running = program(NODETOOL_SERVE_DRAIN_SECONDS="20")
    address = httpx2.URL(running.url)
    content = png()
    head = (
        f"POST /models/resize HTTP/1.1\r\nHost: localhost:{address.port}\r\nExpect:"
        f" 100-continue\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert b" 100 " in connection.recv(100), "the server reads the body"
        running.process.send_signal(signal.SIGTERM)
        while running.line("message")["message"] != "Shutting down":
            pass
        connection.sendall(content)
        assert b" 200 OK" in connection.recv(1000)
    assert running.process.wait(20) == 0


def test_a_stream_does_not_hold_up_the_end(program: Callable[..., Program]) -> None:
    running = program(NODETOOL_SERVE_DRAIN_SECONDS="60", NODETOOL_SERVE_JOB_WORKERS="0")
    with httpx2.Client(base_url=running.url, timeout=30, trust_env=False) as client:
        asset = client.post("/v1/uploads", content=png()).json()["asset_id"]
        body = {"inputs": {"photo": {"type": "image", "asset_id": asset}}, "wait": False}
        job = client.post("/v1/workflows/resize/runs", json=body).json()
        with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
            lines = response.iter_lines()
            assert next(lines) == "id: 1"
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(30) == 0


def test_the_program_refuses_another_address_without_a_token(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from nodetool_core.cli import main; sys.exit(main())",
        "serve",
        "--host",
        "0.0.0.0",
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)
    } | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "token" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_workflows_that_is_not_there_is_refused(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from nodetool_core.cli import main; main()",
        "serve",
        "--graphs",
        str(tmp_path / "graphz"),
        "--port",
        "0",
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (
        done.returncode == 2 and "no such folder" in done.stderr and "Traceback" not in done.stderr
    )


def test_not_ready_once_it_is_about_to_end(serve: Callable[..., LiveServer]) -> None:
    live = serve()
    with live.client() as client:
        assert client.get("/readyz").status_code == 200
        live.state.draining.set()
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200


def test_streams_end_with_the_server(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("drain")})
    with live.client() as client:
        asset = client.post("/v1/uploads", content=png()).json()["asset_id"]
        body = {"inputs": {"image": {"type": "image", "asset_id": asset}}, "wait": False}
        job = client.post("/v1/workflows/wait/runs", json=body).json()
        assert nodes.DOORS["drain"].came.acquire(timeout=20)
        with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
            lines = response.iter_lines()
            assert next(lines) == "id: 1"
            live.state.draining.set()
            began = time.monotonic()
            assert list(lines)
            assert time.monotonic() - began < 10
        nodes.DOORS["drain"].open.set()


def test_whoever_comes_upon_a_server_finds_the_way(client: httpx2.Client) -> None:
    found = client.get("/").json()
    assert found["name"] == "nodetool"
    assert (
        client.get(found["workflows"]).status_code
        == client.get(found["openapi"]).status_code
        == 200
    )


CURL = [
    line.strip()
    for path in [
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "nodetool_core" / "cli" / "serve.py",
    ]
    for line in path.read_text().splitlines()
    if re.match(r"\s*(\$ )?curl ", line) and "/ID" not in line
]
"""
Without those with a placeholder, which the test of the page runs as they are.

They print what the server says.
"""


@pytest.mark.parametrize("line", CURL)
def test_v12_curl_in_the_documentation_fails_where_the_server_refuses(line: str) -> None:
    """
    Without that, the JSON of an error is written where the image should be, and nobody is told.
    """
    assert re.search(r" (--fail-with-body|--fail|-[a-zA-Z]*f[a-zA-Z]*) ", line)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_where_other_servers_have_their_documentation(client: httpx2.Client, path: str) -> None:
    """V16."""
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 307
    found = client.get(answer.url.join(answer.headers["location"]), headers={"Accept": "text/html"})
    assert found.status_code == 200 and "/v1/workflows" in found.text
