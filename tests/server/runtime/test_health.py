"""
V15: with the database away, what is known is said, and nothing is computed that could not be kept.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodes.nodetool.input import StringInput
from nodes.nodetool.output import Output
from nodetool_core import Workflow
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.jobs.database import CONNECT_SECONDS, Database
from nodetool_core.jobs.job import JobsError
from nodetool_core.server.runtime import health
from nodetool_core.server.runtime.health import Health
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.test_operations import figures
from tests.server.v1.test_workflows import data_uri

UP = ("nodetool_database_up", frozenset[tuple[str, str]]())


class Away:
    """Takes a server's database away, and brings it back."""

    def __init__(self, live: LiveServer, folder: Path) -> None:
        self._live = live
        self._folder = folder

    def __enter__(self) -> None:
        self._folder.rename(self._folder.with_name("away"))
        self._live.state.jobs.close()  # Its connections hold the file open.

    def __exit__(self, *error: object) -> None:
        self._folder.with_name("away").rename(self._folder)


@pytest.fixture
def live(
    serve: Callable[..., LiveServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LiveServer:
    monkeypatch.setattr(health, "KNOWN_SECONDS", 0.0)
    text = Workflow(Output(name="text", value=StringInput(name="text", value="a word").output))
    workflows = {"paint": nodes.paint(), "text": text}
    return serve(workflows, database=str(tmp_path / "database" / "jobs.sqlite"), job_workers=0)


@pytest.fixture
def away(live: LiveServer, tmp_path: Path) -> Away:
    return Away(live, tmp_path / "database")


def run(client: httpx2.Client, name: str, **inputs: Any) -> httpx2.Response:
    return client.post(f"/v1/workflows/{name}/runs", json={"inputs": inputs})


def test_figures_and_probes_go_on(live: LiveServer, away: Away) -> None:
    with live.client() as client:
        assert (client.get("/readyz").status_code, figures(client)[UP]) == (200, 1)
        with away:
            ready, found = client.get("/readyz"), figures(client)
            assert (ready.status_code, ready.json()) == (503, {"status": "no database"})
            assert client.get("/livez").status_code == 200
            assert found[UP] == 0 and found["nodetool_queue_waiting", frozenset()] == 0
            assert not any(name == "nodetool_jobs" for name, _ in found)
        assert (client.get("/readyz").status_code, figures(client)[UP]) == (200, 1)


def test_a_run_that_could_not_be_kept_is_not_begun(live: LiveServer, away: Away) -> None:
    with live.client() as client:
        with away:
            refused = run(client, "paint", image=data_uri(png()))
            assert (refused.status_code, refused.json()["problems"][0]["code"]) == (
                503,
                "database_failed",
            )
            assert "retry-after" in refused.headers and "sqlite" not in refused.text
            assert not any(
                name == "nodetool_results_bytes" and value
                for (name, _), value in figures(client).items()
            )
            assert run(client, "text").json()["outputs"] == {"text": "a word"}, (
                "nothing of it has to be kept"
            )
            assert client.post("/models/paint", content=png()).status_code == 200, (
                "the answer is the image"
            )
            inline = {"inputs": {"image": data_uri(png())}, "inline": True}
            assert client.post("/v1/workflows/paint/runs", json=inline).status_code == 200
        assert run(client, "paint", image=data_uri(png())).status_code == 200


def test_what_was_computed_when_it_went_away_is_not_computed_again(
    live: LiveServer, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the database and the result there is a time, too."""

    async def is_well(self: Health) -> bool:
        return True

    with live.client() as client, monkeypatch.context() as unaware:
        unaware.setattr(Health, "is_well", is_well)
        with away:
            assert run(client, "paint", image=data_uri(png()), seed=3).status_code == 503
        answer = run(client, "paint", image=data_uri(png()), seed=3).json()
        assert answer["cached"] == 1, "the painted image"


def test_a_database_that_says_nothing_is_away_and_holds_one_thread() -> None:
    asked, answers = threading.Semaphore(0), threading.Event()

    def check() -> None:
        asked.release()
        answers.wait(30)

    async def ask() -> list[bool]:
        found = await asyncio.gather(*(silent.is_well() for _ in range(20)))
        answers.set()
        return found

    silent = Health(check)
    with pytest.MonkeyPatch.context() as hurried:
        hurried.setattr(health, "PATIENCE_SECONDS", 0.05)
        assert asyncio.run(ask()) == [False] * 20
    assert asked.acquire(blocking=False) and not asked.acquire(blocking=False)


def test_an_answer_counts_for_a_moment() -> None:
    found: list[int] = []

    def check() -> None:
        found.append(1)
        raise NodetoolError(Problem("database_failed", "", "is away."))

    async def ask() -> list[bool]:
        return [await once.is_well() for _ in range(20)]

    once = Health(check)
    assert asyncio.run(ask()) == [False] * 20
    assert len(found) == 1


def test_a_server_that_does_not_answer_is_waited_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sqlalchemy

    given: list[Any] = []

    def create_engine(url: Any, **options: Any) -> Any:
        given.append(dict(url.query))
        raise ValueError("enough")

    monkeypatch.setattr(sqlalchemy, "create_engine", create_engine)
    for url in ("postgresql://somebody@db/jobs", "postgresql://somebody@db/jobs?connect_timeout=3"):
        with pytest.raises(JobsError):
            Database(url)
    assert given == [{"connect_timeout": str(CONNECT_SECONDS)}, {"connect_timeout": "3"}]
