"""What jobs cost those who don't use all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.jobs.processes import ROOT

BROKER = {"celery", "kombu", "redis", "amqp", "billiard", "vine"}

JOBS_WITHOUT_BROKER = """
from pathlib import Path
from nodetool_core.engine.engine import Engine
from nodetool_core.jobs.job import JobRequest
from nodetool_core.jobs.service import Jobs
from nodetool_core.registry import Registry
from tests.jobs import graphs
folder = Path({folder!r})
with Engine(registry=Registry.installed()) as engine:
    jobs = Jobs.open(folder / "jobs.sqlite", folder / "files", engine=engine)
    jobs.start()
    job = jobs.submit(JobRequest(graphs.words(), {{"word": "x"}}))
    assert jobs.wait(job.id, 30).state == "done"
    jobs.drain(5)
    jobs.close()
"""


def loaded_by(code: str) -> set[str]:
    """Return the packages that a fresh process has loaded once the code has run."""
    script = (
        f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_without_a_broker_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    loaded = loaded_by(JOBS_WITHOUT_BROKER.format(folder=str(tmp_path)))
    assert loaded & (BROKER | {"torch", "psycopg", "s3fs", "fastapi"}) == set()
    assert "sqlalchemy" in loaded


def test_the_command_line_loads_none_of_it() -> None:
    assert loaded_by("import nodetool_core.cli.app") & (BROKER | {"sqlalchemy", "torch"}) == set()


def test_a_worker_needs_no_server() -> None:
    """It reads the server's settings and lists what the server lists, without what speaks HTTP."""
    modules = (
        "cli.worker",
        "cli.command_engine",
        "server.settings",
        "server.catalog",
        "server.logs",
        "server.runtime.warmup",
        "jobs.service",
    )
    loaded = loaded_by("\n".join(f"import nodetool_core.{name}" for name in modules))
    assert (
        loaded & {"fastapi", "starlette", "uvicorn", "httpcore2", "prometheus_client", "torch"}
        == set()
    )
