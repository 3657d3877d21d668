"""What a server is made of, put together from its settings in one place."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nodetool_core.assets.decode import ImageLimits
from nodetool_core.json_types import JsonObject
from nodetool_core.server.catalog import Catalog
from nodetool_core.server.metrics import Metrics
from nodetool_core.server.runtime.health import Health
from nodetool_core.server.runtime.response_cache import ResponseCache
from nodetool_core.server.runtime.runs import Runs
from nodetool_core.server.runtime.threads import Threads
from nodetool_core.server.runtime.warmup import ModelWarmup, open_models
from nodetool_core.server.security.access import Access
from nodetool_core.server.security.fetch import Fetcher
from nodetool_core.server.security.middleware import OWNER
from nodetool_core.server.security.sanitize import InputSanitizer
from nodetool_core.server.security.sources import Sources
from nodetool_core.server.settings import Settings

if TYPE_CHECKING:
    from nodetool_core.engine.caching.memory import ResultCache
    from nodetool_core.engine.engine import Engine
    from nodetool_core.jobs.job import Job
    from nodetool_core.jobs.service import Jobs
    from nodetool_core.models.manager import ModelManager
    from nodetool_core.models.sources.hub import Hub
    from nodetool_core.registry import Registry


@dataclass
class AppState:
    """The parts of one server. Made by `open_app_state`, let go of by `close`."""

    settings: Settings
    access: Access
    registry: Registry
    catalog: Catalog
    engine: Engine
    models: ModelManager
    """The weights manager, which gives out listed models only."""
    threads: Threads
    runs: Runs
    warmup: ModelWarmup
    cache: ResponseCache
    sanitizer: InputSanitizer
    limits: ImageLimits
    jobs: Jobs
    health: Health
    metrics: Metrics = field(default_factory=Metrics)
    started: float = field(default_factory=time.time)
    """Unix time in seconds."""
    draining: threading.Event = field(default_factory=threading.Event)
    """Set once the server is to end: it is not ready for more, and streams end."""

    def keep(self, data: bytes) -> JsonObject:
        """Keep an image that came from a client, and give the reference to it. Blocks."""
        return self.jobs.put(data).to_json()

    def stored(self, digest: str) -> tuple[str, bytes]:
        """Return the media type and the content of a stored file. Raises JobsError. Blocks."""
        return self.jobs.file(digest).media_type, self.jobs.read(digest)

    def job_counts(self) -> Mapping[str, int]:
        """Jobs by state."""
        return {state.value: count for state, count in self.jobs.counts().items()}

    def jobs_seen_by(self, client: str) -> str | None:
        """
        Return whose jobs a client may see; None for all.

        The owner sees all, and everybody where no token distinguishes clients.
        """
        return client if self.settings.tokens and client != OWNER else None

    def job_seen_by(self, client: str, job_id: str) -> Job:
        """
        Return a job that a client may see.

        Raises JobsError, the same for one that is somebody else's and for none. Blocks.
        """
        from nodetool_core.jobs.job import JobsError, unknown_job

        job = self.jobs.get(job_id)
        if self.jobs_seen_by(client) not in (None, job.client):
            raise JobsError(unknown_job(job_id))
        return job

    def names_of(self, client: str) -> str:
        """
        Return whose names of files a client reads.

        Everybody's are the same where no token distinguishes clients.
        """
        return client if self.jobs_seen_by(client) is not None else ""

    def start(self) -> None:
        """Begin to run jobs, and to load the first model that is served."""
        self.jobs.start()
        if self.settings.preload and self.settings.models:
            for served in list(self.catalog.models[self.settings.models[0]].values())[:1]:
                self.warmup.begin(served, self.settings.load_seconds)

    def close(self) -> None:
        """Let go of everything. Requests must have ended."""
        self.warmup.close()
        self.threads.close()
        self.engine.close()
        self.jobs.close()


def open_app_state(
    settings: Settings,
    registry: Registry,
    *,
    hub: Hub | None = None,
    cache: ResultCache | None = None,
    any_model: bool = False,
) -> AppState:
    """
    Put a server's parts together.

    Args:
        hub: Where models are fetched from; the Hugging Face Hub unless given.
        cache: The result cache of the engine; one in memory unless given.
        any_model: Whether models that are not listed may be used, as by the owner of the machine.
    """
    from nodetool_core.engine.engine import Engine

    catalog = Catalog(registry, settings.graphs, settings.models)
    models = open_models(settings, registry, None if any_model else catalog.listed, hub)
    engine = Engine(registry=registry, models=models, cache=cache)
    warmup, threads = ModelWarmup(models), Threads(settings.concurrency)
    limits = ImageLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_body_bytes)
    jobs = _open_jobs(settings, engine)
    access = Access(
        host=settings.host,
        port=settings.port,
        public_url=settings.public_url,
        allowed_hosts=settings.allowed_hosts,
    )
    fetcher = Fetcher(
        settings.image_hosts, max_bytes=settings.max_body_bytes, seconds=settings.fetch_seconds
    )
    return AppState(
        settings=settings,
        access=access,
        registry=registry,
        catalog=catalog,
        engine=engine,
        models=models,
        threads=threads,
        runs=Runs(
            engine,
            warmup,
            threads,
            concurrency=settings.concurrency,
            queue=settings.queue,
            share=settings.share_of(settings.queue),
            seconds=settings.run_seconds,
            decoded_bytes=settings.decoded_bytes,
        ),
        warmup=warmup,
        cache=ResponseCache(settings.cache_bytes, settings.cache_seconds),
        sanitizer=InputSanitizer(
            catalog.listed, limits, Sources(access, jobs.storage, fetcher).get, jobs.storage
        ),
        limits=limits,
        jobs=jobs,
        health=Health(jobs.check),
    )


def _open_jobs(settings: Settings, engine: Engine) -> Jobs:
    from nodetool_core.jobs.job import JobSettings
    from nodetool_core.jobs.service import Jobs

    dispatch = None
    if settings.broker:
        from nodetool_core.jobs.celery_dispatch import CeleryDispatch, make_app

        dispatch = CeleryDispatch(make_app(settings.broker))
    workers = 0 if settings.broker else settings.job_workers
    wanted = JobSettings(
        workers=workers,
        queue_limit=settings.job_queue,
        client_limit=settings.share_of(settings.job_queue),
        keep=settings.results_seconds,
        room=settings.data_bytes or None,
        spare=settings.spare_bytes,
    )
    return Jobs.open(
        settings.jobs_database,
        settings.jobs_storage,
        engine=engine,
        settings=wanted,
        dispatch=dispatch,
    )
