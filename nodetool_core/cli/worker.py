"""`nodetool worker`: runs jobs that servers accept, on this machine or another."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.jobs.job import JobSettings
    from nodetool_core.jobs.service import Jobs


class LogFormat(StrEnum):
    """One JSON object a line, or text for people."""

    JSON = "json"
    TEXT = "text"


def worker(
    database: Annotated[
        str,
        typer.Option(envvar="NODETOOL_WORKER_DATABASE", metavar="URL", help="The jobs: postgresql://user@host/name, or a SQLite file."),
    ],
    storage: Annotated[
        str,
        typer.Option(envvar="NODETOOL_WORKER_STORAGE", metavar="URL", help="Their files: a folder, or a URL such as s3://bucket/prefix."),
    ],
    broker: Annotated[
        str,
        typer.Option(envvar="NODETOOL_WORKER_BROKER", metavar="URL", help="Redis that tells of jobs; the database is asked where empty."),
    ] = "",
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Jobs at once. They share models and caches.")] = 1,
    drain: Annotated[float, typer.Option(min=0.0, metavar="SECONDS", help="How long jobs may go on when it is to end.")] = 30.0,
    lease: Annotated[float, typer.Option(min=1.0, metavar="SECONDS", help="Silence after which it is taken for dead.")] = 30.0,
    losses: Annotated[int, typer.Option(min=1, metavar="N", help="Workers that may die with a job, one after the other.")] = 10,
    log_format: Annotated[LogFormat, typer.Option(envvar="NODETOOL_WORKER_LOG_FORMAT", help="What log lines are.")] = LogFormat.JSON,
) -> None:
    """
    Run jobs that servers accept. Start as many as you like, on any machine that reaches the database and the storage.

    SIGTERM or Ctrl-C ends it: jobs under way get some time, and what has not ended by then goes back to the queue.

    \b
    Example:
      nodetool worker --broker redis://queue:6379/0 --database postgresql://jobs@db/jobs --storage s3://pictures/jobs
    """
    from nodetool_core.cli import session
    from nodetool_core.jobs.job import JobSettings
    from nodetool_core.jobs.service import Jobs
    from nodetool_core.server.logs import set_up

    set_up("info", log_format.value)
    # How long results are kept is the servers' to say.
    settings = JobSettings(workers=0 if broker else concurrency, lease=lease, losses=losses, keep=None)
    with session.engine() as engine:
        if broker:
            _run_celery(broker, database, storage, settings, engine, concurrency=concurrency, drain=drain)
        else:
            _run_alone(Jobs.open(database, storage, engine=engine, settings=settings), drain=drain)


def _run_celery(broker: str, database: str, storage: str, settings: JobSettings, engine: Engine, *, concurrency: int, drain: float) -> None:
    from nodetool_core.jobs.celery_dispatch import CeleryDispatch, make_app
    from nodetool_core.jobs.celery_worker import CeleryWorker
    from nodetool_core.jobs.service import Jobs

    app = make_app(broker, listens=True)
    jobs = Jobs.open(database, storage, engine=engine, settings=settings, dispatch=CeleryDispatch(app))
    CeleryWorker(app, jobs, engine, concurrency=concurrency, drain=drain).run()
    jobs.close()


def _run_alone(jobs: Jobs, *, drain: float) -> None:
    import signal
    import threading

    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    jobs.start()
    ending.wait()
    jobs.drain(drain)
    jobs.close()
