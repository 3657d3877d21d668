"""`nodetool worker`: runs jobs that servers accept, on this machine or another."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import missing_package

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.jobs.job import JobSettings
    from nodetool_core.server.settings import Settings

_log = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """One JSON object a line, or text for people."""

    JSON = "json"
    TEXT = "text"


Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The jobs: postgresql://user@host/name, or a SQLite file.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="Their files: a folder, or a URL such as s3://bucket/prefix.",
    ),
]
Broker = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="URL",
        help="Redis that announces jobs; without it the database is polled.",
    ),
]
Graphs = Annotated[
    Path | None,
    typer.Option("--graphs", metavar="DIR", help="Folder of workflows, whose models may be used."),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="ID",
        help="A model that jobs may use. Repeatable. Default: what ships.",
    ),
]
Concurrency = Annotated[
    int, typer.Option(min=1, metavar="N", help="Jobs at once. They share models and caches.")
]
Drain = Annotated[
    float | None,
    typer.Option(
        min=0.0, metavar="SECONDS", help="How long jobs may continue after a signal to end."
    ),
]
Lease = Annotated[
    float,
    typer.Option(min=1.0, metavar="SECONDS", help="Silence after which it counts as dead."),
]
LostAttempts = Annotated[
    int,
    typer.Option(
        "--lost-attempts",
        "--losses",
        min=1,
        metavar="N",
        help="Workers in a row that may die with a job before it fails.",
    ),
]
Format = Annotated[LogFormat | None, typer.Option("--log-format", help="What log lines are.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="TOML",
        help="The servers' configuration file; see serve --show-settings.",
    ),
]


def worker(
    database: Database = None,
    storage: Storage = None,
    broker: Broker = None,
    graphs: Graphs = None,
    models: Models = None,
    concurrency: Concurrency = 1,
    drain: Drain = None,
    lease: Lease = 30.0,
    lost_attempts: LostAttempts = 10,
    log_format: Format = None,
    config: Config = None,
) -> None:
    """
    Run jobs that servers accept.

    Start as many as you like, on any machine that reaches the database and the storage.

    Workers take the settings of servers, from their file or the environment: above all, which
    models may be used. SIGTERM or Ctrl-C ends a worker: its jobs get some time, and those that
    have not ended by then go back to the queue.

    \b
    Examples:
      nodetool worker --config serve.toml
      nodetool worker --broker redis://queue:6379/0 --storage s3://images/jobs
    """
    try:
        from nodetool_core.server.settings import Settings
    except ModuleNotFoundError as error:
        raise WrongUseError(missing_package("nodetool worker", error, "worker")) from error
    settings = Settings.read(
        config,
        database=database,
        results=storage,
        broker=broker,
        graphs=graphs,
        models=None if models is None else tuple(models),
        drain_seconds=drain,
        log_format=None if log_format is None else log_format.value,
    )
    _run(settings, concurrency=concurrency, lease=lease, lost_attempts=lost_attempts)


def _run(settings: Settings, *, concurrency: int, lease: float, lost_attempts: int) -> None:
    from nodetool_core.cli import command_engine
    from nodetool_core.engine.caching.tiered import default_cache
    from nodetool_core.jobs.job import JobSettings
    from nodetool_core.registry import Registry
    from nodetool_core.server.catalog import Catalog
    from nodetool_core.server.logs import to_stderr
    from nodetool_core.server.runtime.allocator import return_freed_memory
    from nodetool_core.server.runtime.warmup import open_models

    return_freed_memory()
    # How long results are kept is the servers' to say.
    chosen = JobSettings(
        workers=0 if settings.broker else concurrency,
        lease=lease,
        lost_attempts=lost_attempts,
        keep=None,
        room=settings.data_bytes or None,
        spare=settings.spare_bytes,
    )
    with to_stderr(settings.log_level, settings.log_format):
        registry = Registry.installed()
        listed = Catalog(registry, settings.graphs, settings.models).listed
        _log.info("models that jobs may use", extra={"models": sorted(listed)})
        with command_engine.engine(
            open_models(settings, registry, listed), default_cache(settings.result_bytes)
        ) as engine:
            if settings.broker:
                _run_celery(settings, chosen, engine, concurrency)
            else:
                _run_alone(settings, chosen, engine)


def _run_celery(settings: Settings, chosen: JobSettings, engine: Engine, concurrency: int) -> None:
    from nodetool_core.jobs.celery_dispatch import CeleryDispatch, make_app
    from nodetool_core.jobs.celery_worker import CeleryWorker
    from nodetool_core.jobs.service import Jobs

    app = make_app(settings.broker, listens=True)
    jobs = Jobs.open(
        settings.jobs_database,
        settings.jobs_storage,
        engine=engine,
        settings=chosen,
        dispatch=CeleryDispatch(app),
    )
    CeleryWorker(app, jobs, engine, concurrency=concurrency, drain=settings.drain_seconds).run()
    jobs.close()


def _run_alone(settings: Settings, chosen: JobSettings, engine: Engine) -> None:
    import signal
    import threading

    from nodetool_core.jobs.service import Jobs

    jobs = Jobs.open(settings.jobs_database, settings.jobs_storage, engine=engine, settings=chosen)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    jobs.start()
    ending.wait()
    jobs.drain(settings.drain_seconds)
    jobs.close()
