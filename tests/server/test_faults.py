"""
What was accepted is done, whatever becomes of the server: it is killed, and another one goes on.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.live import png
from tests.server.test_operations import Program
from tests.server.v1.test_workflows import data_uri, stream

JOBS = 12


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Program]]:
    started: list[Program] = []

    def start() -> Program:
        started.append(Program(tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def ask(client: httpx2.Client, number: int) -> dict[str, Any]:
    body = {
        "inputs": {"photo": data_uri(png(40, 40, (number, 0, 0))), "width": 10 + number},
        "wait": False,
        "idempotency_key": f"job-{number}",
    }
    response = client.post("/v1/workflows/resize/runs", json=body)
    assert response.status_code == 202, response.text
    accepted: dict[str, Any] = response.json()
    return accepted


@pytest.mark.slow
def test_a_killed_server_loses_no_job_and_does_none_twice(start: Callable[[], Program]) -> None:
    accepted: dict[int, str] = {}
    running = start()
    for number in range(JOBS):
        with httpx2.Client(base_url=running.url, trust_env=False, timeout=60) as client:
            accepted[number] = ask(client, number)["id"]
        if number in (3, 7, JOBS - 1):
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
            running = start()
    with httpx2.Client(base_url=running.url, trust_env=False, timeout=60) as client:
        assert [ask(client, number)["id"] for number in range(JOBS)] == list(accepted.values()), (
            "the same key is the same job"
        )
        until = time.monotonic() + 120
        for number, job_id in accepted.items():
            job = client.get(
                f"/v1/jobs/{job_id}", params={"wait": max(0.0, until - time.monotonic())}
            ).json()
            assert job["state"] == "done", job
            assert job["outputs"]["small"]["width"] == 10 + number
            assert [name for _, name, _ in stream(client, job_id)].count("job_ended") == 1
