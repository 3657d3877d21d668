"""
The engine: what outlives a run.

Threads, an event loop for coroutine nodes, the result cache, the models.

An engine serves any number of runs at once. Make one where a program starts, pass it to workflows,
close it at the end.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nodetool_core.context import Context, Lease, Models
from nodetool_core.engine.caching.memory import ResultCache
from nodetool_core.engine.caching.tiered import CacheName, TieredCache, named_cache
from nodetool_core.engine.coroutines import LEVEL, EventLoops
from nodetool_core.engine.device_lane import DeviceLane
from nodetool_core.engine.event_queue import EventQueue
from nodetool_core.engine.events import Listener
from nodetool_core.engine.forecast import NodeForecast, forecast
from nodetool_core.engine.keys import KeyMaker
from nodetool_core.engine.mapping import Executor
from nodetool_core.engine.model_lookahead import RunLane
from nodetool_core.engine.on_workers import Place
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.plan import Plan
from nodetool_core.engine.plans import Plans
from nodetool_core.engine.provenance import ProvenanceRecorder
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run import Run
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.scheduler import Scheduler
from nodetool_core.engine.seeds import Seeds, draw_seeds
from nodetool_core.engine.spread import Spread, is_marked
from nodetool_core.engine.threads import Threads
from nodetool_core.engine.work_times import WorkTimes
from nodetool_core.forking import renewed_after_fork
from nodetool_core.graph import Graph
from nodetool_core.inputs import check_given
from nodetool_core.models.weights_manager import WeightsManager
from nodetool_core.node_base import Lane
from nodetool_core.packs import Pack
from nodetool_core.references import ModelRef
from nodetool_core.registry import Registry
from nodetool_core.secrets import Secrets
from nodetool_core.services import Services

if TYPE_CHECKING:
    from nodetool_core.assets.loader import AssetStore, ImageLoader

NETWORK_THREADS = 32


class Engine:
    """Runs graphs."""

    def __init__(
        self,
        *,
        registry: Registry | None = None,
        models: Models | None = None,
        cache: ResultCache | CacheName | None = None,
        workers: int | None = None,
        secrets: Secrets | None = None,
        assets: AssetStore | None = None,
        services: Mapping[type, object] | None = None,
        tracing: bool = False,
        executor: Executor | None = None,
    ) -> None:
        """
        Make an engine, without a thread yet.

        Args:
            registry: Where packs and their weights are found; only needed for the models that ship
                with packs.
            models: The weights manager; made when the first run needs it unless given.
            cache: Where results are kept: in `memory` unless given; in memory and on
                `disk`, in the user's cache folder, where other processes find them; nowhere
                (`off`); or in a cache of your own, such as `DiskCache("results")`.
            workers: How many blocking nodes run at once; as many as there are cores unless given.
            secrets: Keys of hosted services; from the environment and the user's settings file
                unless given.
            assets: Where `asset:` references are read from; without one they can't be.
            services: Objects that nodes work with, by the class that nodes ask for. They stay
                yours: the engine does not close them.
            tracing: Whether runs and nodes are spans of OpenTelemetry (extra `otel`).
            executor: Where items of loops run that are marked so, such as a `JobExecutor`; in this
                process unless given. It stays yours.
        """
        self.cache: ResultCache = (
            named_cache(cache or "memory") if cache is None or isinstance(cache, str) else cache
        )
        self._owns_cache = isinstance(cache, str)
        self._work_times = WorkTimes(self.cache)
        self.workers = workers or max(2, os.cpu_count() or 2)
        self.services = Services(services)
        self._tracing = tracing
        self.executor = executor
        self.keys = KeyMaker(self.services)
        self.plans = Plans(self.keys)
        self.registry = registry or Registry()
        self.secrets = secrets or Secrets()
        self.assets = assets
        self._models = models
        self._open()
        renewed_after_fork(self)

    def _open(self) -> None:
        """Make lanes and event loops, without a thread yet."""
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        """Held while a run starts, so that all that have are cancelled when the engine stops."""
        self._device = DeviceLane(self._manager)
        self._threads = {
            Lane.CPU: Threads(self.workers, "nodetool-cpu"),
            Lane.NETWORK: Threads(NETWORK_THREADS, "nodetool-network"),
        }
        self._loops = EventLoops()
        self._runs: set[Run] = set()
        """Those that are under way."""
        self.is_closed = False

    def after_fork(self) -> None:
        """
        Make lanes and loops anew in a forked process.

        The threads of the old ones are the other process's, and so are the runs under way.
        """
        was_closed = self.is_closed
        for run in self._runs:
            run.after_fork()
        self._open()
        if was_closed:
            self.stop()

    @property
    def models(self) -> Models:
        with self._lock:
            if self._models is None:
                from nodetool_core.models.manager import ModelManager

                self._models = ModelManager(weights=self.registry.weights())
            return self._models

    def _manager(self) -> WeightsManager | None:
        """Return the weights manager, made where there is none; None for one that plans nothing."""
        models = self.models
        return models if isinstance(models, WeightsManager) else None

    def add_packs(self, packs: Iterable[Pack]) -> None:
        """Make models known that ship with packs which the engine's registry does not have."""
        with self._lock:
            new = [pack for pack in packs if pack not in self.registry.packs]
            if not new:
                return
            self.registry = Registry([*self.registry.packs, *new])
            manager = self._models
        if isinstance(manager, WeightsManager):
            manager.add_weights(Registry(new).weights())

    def loaded_models(self) -> list[str]:
        """Return the names of the models whose weights are loaded now."""
        manager = self._models
        return (
            [model.name for model in manager.loaded()]
            if isinstance(manager, WeightsManager)
            else []
        )

    def start(
        self,
        graph: Graph,
        *,
        options: RunOptions | None = None,
        on_event: Listener | None = None,
        base: Path | None = None,
    ) -> Run:
        """
        Begin a run.

        Args:
            base: The folder that relative paths in the graph start from; the current one unless
                given.

        Raises WorkflowError for an unknown output or policy, or an input without a value;
        everything later comes from the run's `result()`.
        """
        from nodetool_core.assets.loader import ImageLoader

        options = options or RunOptions()
        options.check_names(graph)
        plan = self.plan(graph, options)
        check_given(plan.inputs)
        result = RunResult(secrets.token_hex(8))
        seeds = draw_seeds(plan, result, options.seeds)
        if self._tracing:
            from nodetool_core.engine.tracing import RunSpans

            on_event = RunSpans({node.id: node.spec.node_type for node in graph.nodes}, on_event)
        images = ImageLoader(base=base, store=self.assets, confined=options.confined)
        recorder = ProvenanceRecorder(graph, plan, seeds, result, images, infotext=options.infotext)
        models = _RecordedModels(self, recorder)
        device = RunLane(self._device.submit)
        environment = RunEnvironment(
            options=options,
            cache=self.cache,
            work_times=self._work_times,
            keys=self.keys,
            images=images,
            models=models,
            manager=self._manager,
            sources=_Sources(images, models),
            workers=self.workers,
            threads={**self._threads, Lane.DEVICE: device},
            loop=partial(self._loops.at, LEVEL.get()),
            finished=recorder.finished,
            event_queue=EventQueue(on_event) if on_event else None,
            secrets=self.secrets,
            services=self.services,
        )
        plan, seeds = self._spread(graph, plan, seeds, result, environment, base or Path.cwd())
        scheduler = Scheduler(plan, environment, result, seeds)
        device.lookahead = scheduler.ready.lookahead
        run = Run(scheduler, self._run_over)
        # Not under the other lock: a short run ends before its start returns, and would wait for
        # that.
        with self._starting:
            with self._lock:
                self._runs.add(run)
            try:
                run.begin()
            except RuntimeError:
                self._run_over(run)
                raise
        return run

    def _spread(
        self,
        graph: Graph,
        plan: Plan,
        seeds: Seeds,
        result: RunResult,
        environment: RunEnvironment,
        base: Path,
    ) -> tuple[Plan, Seeds]:
        """Return what is run and its seeds: what was given, unless items of loops run elsewhere."""
        options = environment.options
        # Workers know nothing of a run that may reach no file.
        executor = None if options.confined else self.executor
        if executor is None or not any(map(is_marked, graph.nodes)):
            return plan, seeds
        place = Place(executor, base, result)
        spread = Spread(graph, plan, seeds, place, self.keys, environment.sources)
        plan = self.plan(spread.graph, options)
        seeds = draw_seeds(plan, RunResult(""), result.seeds)
        spread.set_seeds(plan, seeds)
        return plan, seeds

    def forecast(
        self, graph: Graph, *, outputs: Sequence[str] | None = None, base: Path | None = None
    ) -> dict[str, NodeForecast]:
        """
        Return what a run would do with each node, by id, without running anything.

        Args:
            outputs: What the run would be for, as in `RunOptions`.
            base: The folder that relative paths in the graph start from.

        Raises WorkflowError for an unknown output, and what a node's fingerprint raises.
        """
        from nodetool_core.assets.loader import ImageLoader

        options = RunOptions(outputs=outputs)
        options.check_names(graph)
        images = ImageLoader(base=base, store=self.assets)
        environment = RunEnvironment(
            options=options,
            cache=self.cache,
            work_times=self._work_times,
            keys=self.keys,
            images=images,
            models=self.models,
            manager=self._manager,
            sources=_OneLook(images, self.models),
            workers=self.workers,
            threads={},
            loop=partial(self._loops.at, LEVEL.get()),
            finished=lambda name, value: value,
            secrets=self.secrets,
        )
        return forecast(self.plan(graph, options), environment, self.cache.has)

    def plan(self, graph: Graph, options: RunOptions) -> Plan:
        """
        Return the plan of a graph, with what of the cache keys does not change from run to run.

        Kept for the graph's next run.
        """
        return self.plans.of(graph, options.outputs)

    def close(self) -> None:
        """
        Let go of threads and models, and of the cache if the engine made it.

        Wait for runs first: those under way are cancelled.
        """
        self.stop()
        if self._owns_cache and isinstance(self.cache, TieredCache):
            self.cache.close()
        if isinstance(self._models, WeightsManager):
            self._models.free()

    def stop(self, *, wait: float = 0.0) -> None:
        """
        Cancel what is under way, and begin nothing more.

        Threads end when they have nothing left to do.

        Args:
            wait: Seconds to wait at most for the runs that are cancelled.
        """
        with self._starting, self._lock:
            self.is_closed = True
            runs = list(self._runs)
        for run in runs:
            run.cancel()
        self._device.close()
        for threads in self._threads.values():
            threads.close()
        if not runs:
            self._loops.close()
        end = time.monotonic() + wait
        for run in runs:
            run.wait(max(0.0, end - time.monotonic()))

    def _run_over(self, run: Run) -> None:
        with self._lock:
            self._runs.discard(run)
            is_last = self.is_closed and not self._runs
        if is_last:
            # Not before: what a cancelled coroutine does in its end belongs to it.
            self._loops.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Sources:
    """The content behind the references of one run."""

    def __init__(self, images: ImageLoader, models: Models) -> None:
        self.digest = images.digest
        self.revision = models.revision


class _OneLook:
    """The same, where each model is looked at once: nothing fetches it meanwhile."""

    def __init__(self, images: ImageLoader, models: Models) -> None:
        self.digest = images.digest
        self._models = models
        self._known: dict[ModelRef, str | None] = {}

    def revision(self, ref: ModelRef) -> str | None:
        try:
            if ref not in self._known:
                self._known[ref] = self._models.revision(ref)
            return self._known[ref]
        except TypeError:  # Its patterns are lists, which have no hash.
            return self._models.revision(ref)


class _RecordedModels:
    """The engine's models, made when a node first needs them, with a record of which were used."""

    def __init__(self, engine: Engine, recorder: ProvenanceRecorder) -> None:
        self._engine = engine
        self._recorder = recorder

    @contextmanager
    def use(self, ref: ModelRef, task: str, *, context: Context) -> Iterator[Lease]:
        with self._engine.models.use(ref, task, context=context) as lease:
            if not self._recorder.knows_model(ref):
                self._recorder.note_model(ref, self._engine.models.revision(ref))
            yield lease

    def class_of(self, ref: ModelRef, task: str, *, context: Context) -> type | None:
        return self._engine.models.class_of(ref, task, context=context)

    def is_loaded(self, ref: ModelRef) -> bool:
        return self._engine.models.is_loaded(ref)

    def lora_misfit(
        self, lora: ModelRef, model: ModelRef, task: str, *, context: Context
    ) -> str | None:
        return self._engine.models.lora_misfit(lora, model, task, context=context)

    def revision(self, ref: ModelRef) -> str | None:
        # Asked for by the keys of all that uses a model, so that a result from the cache names its
        # model as well.
        revision = self._engine.models.revision(ref)
        self._recorder.note_model(ref, revision)
        return revision
