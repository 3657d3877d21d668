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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nodetool_core.context import Context, Lease, Models
from nodetool_core.engine.caching.memory import ResultCache
from nodetool_core.engine.caching.tiered import CacheName, TieredCache, named_cache
from nodetool_core.engine.compiled_node import CompiledNode
from nodetool_core.engine.compiler import compile_plan
from nodetool_core.engine.coroutines import LEVEL, EventLoops
from nodetool_core.engine.device_lane import DeviceLane
from nodetool_core.engine.event_queue import EventQueue
from nodetool_core.engine.events import Listener
from nodetool_core.engine.keys import KeyMaker, of_node
from nodetool_core.engine.model_lookahead import RunLane
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.plan import LOCAL, Plan, Step
from nodetool_core.engine.provenance import ProvenanceRecorder
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.run import Run
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.scheduler import Scheduler
from nodetool_core.engine.seeds import asks_for_a_seed, draw_seeds
from nodetool_core.engine.threads import Threads
from nodetool_core.forking import renewed_after_fork
from nodetool_core.garbage_collection import collection_paused
from nodetool_core.graph import Graph
from nodetool_core.inputs import check_given
from nodetool_core.node import Lane, Node
from nodetool_core.packs import Pack
from nodetool_core.references import AssetRef, ModelRef
from nodetool_core.registry import Registry
from nodetool_core.secrets import Secrets
from nodetool_core.values import PLAIN_TYPES, leaves

if TYPE_CHECKING:
    from nodetool_core.assets.loader import AssetStore, ImageLoader

NETWORK_THREADS = 32
PLANS = 16
"""
Plans that are kept of one graph.

There are as many as ways to name its outputs, which clients may do as they like.
"""


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
    ) -> None:
        """
        Args:
            registry: Where packs and their weights are found; only needed for the models that ship
                with packs.
            models: The weights manager; made when the first run needs it unless given.
            cache: Where results are kept: in `memory` unless said otherwise; in memory and on
                `disk`, in the user's cache folder, where other processes find them; nowhere
                (`off`); or in a cache of your own, such as `DiskCache("results")`.
            workers: How many blocking nodes run at once; as many as there are cores unless given.
            secrets: Keys of hosted services; from the environment and the user's settings file
                unless given.
            assets: Where `asset:` references are read from; without one they can't be.
        """
        self.cache: ResultCache = (
            named_cache(cache or "memory") if cache is None or isinstance(cache, str) else cache
        )
        self._owns_cache = isinstance(cache, str)
        self.workers = workers or max(2, os.cpu_count() or 2)
        self.keys = KeyMaker()
        self.registry = registry or Registry()
        self.secrets = secrets or Secrets()
        self.assets = assets
        self._models = models
        self._compiled_nodes: dict[type[Node], CompiledNode] = {}
        self._open()
        renewed_after_fork(self)

    def _open(self) -> None:
        """The lanes and event loops, without a thread yet."""
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        """Held while a run starts, so that all that have are told when the engine stops."""
        self._device = DeviceLane(lambda: self.models)
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
        In a forked process: the threads of the lanes and loops are the other process's, and so are
        the runs under way.
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

    def add_packs(self, packs: Iterable[Pack]) -> None:
        """Make models known that ship with packs which the engine's registry does not have."""
        with self._lock:
            new = [pack for pack in packs if pack not in self.registry.packs]
            if not new:
                return
            self.registry = Registry([*self.registry.packs, *new])
            add: Callable[[Mapping[str, Path]], None] | None = getattr(
                self._models, "add_weights", None
            )
        if add is not None:
            add(Registry(new).weights())

    def loaded_models(self) -> list[str]:
        """Names of the models whose weights are loaded now."""
        with self._lock:
            loaded = getattr(self._models, "loaded", None)
        return [model.name for model in loaded()] if loaded is not None else []

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
        seeded = draw_seeds(plan, result)
        images = ImageLoader(base=base, store=self.assets, confined=options.confined)
        recorder = ProvenanceRecorder(graph, plan, seeded, result, images)
        models = _RecordedModels(self, recorder)
        device = RunLane(self._device.submit)
        environment = RunEnvironment(
            options=options,
            cache=self.cache,
            keys=self.keys,
            images=images,
            models=models,
            sources=_Sources(images, models),
            workers=self.workers,
            threads={**self._threads, Lane.DEVICE: device},
            loop=partial(self._loops.at, LEVEL.get()),
            finished=recorder.finished,
            event_queue=EventQueue(on_event) if on_event else None,
            secrets=self.secrets,
        )
        scheduler = Scheduler(plan, environment, result, seeded)
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

    def plan(self, graph: Graph, options: RunOptions) -> Plan:
        """
        Return the plan of a graph, with what of the cache keys does not change from run to run.

        Kept for the graph's next run.
        """
        wanted = None if options.outputs is None else tuple(options.outputs)
        plan = graph.plans.get(wanted)
        if plan is None or any(
            self.keys.code_of(node_class) != version for node_class, version in plan.code.items()
        ):
            if len(graph.plans) >= PLANS:
                graph.plans.clear()
            with collection_paused():
                plan = graph.plans[wanted] = self._make_plan(graph, wanted)
        return plan

    def _make_plan(self, graph: Graph, wanted: tuple[str, ...] | None) -> Plan:
        for node_class in [
            compiled.node_class
            for compiled in self._compiled_nodes.values()
            if not compiled.is_current()
        ]:
            del self._compiled_nodes[node_class]
        plan = compile_plan(graph, wanted, self._compiled_nodes)
        classes = {step.node.node_class for step in plan.steps if step.node is not None}
        plan.code = {node_class: self.keys.code_of(node_class) for node_class in classes}
        sources, drawn = (
            _NoSources(),
            {step.index for step in plan.seed_sources if asks_for_a_seed(step)},
        )
        for step in plan.steps:
            if step.node is None or step.index in drawn or not _is_constant(step):
                continue
            step.base = self.keys.base(step.node, step.node.values, step.wiring, sources)
            if step.base is None:
                continue
            inputs = [
                key
                for feed in step.feeds
                if feed.kind == LOCAL and (key := plan.steps[feed.source].key) is not None
            ]
            if len(inputs) == len(step.feeds):
                step.key = of_node(step.base, inputs)
        return plan

    def close(self) -> None:
        """
        Let go of threads and models, and of the cache if the engine made it.

        Wait for runs first: those under way are cancelled.
        """
        self.stop()
        if self._owns_cache and isinstance(self.cache, TieredCache):
            self.cache.close()
        free: Callable[[], Any] | None = getattr(self._models, "free", None)
        if free is not None:
            free()

    def stop(self, *, wait: float = 0.0) -> None:
        """
        Cancel what is under way, begin nothing more, and let threads end when they have nothing
        left to do.

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


class _NoSources:
    """For keys that must not depend on anything outside the graph."""

    def digest(self, ref: Any) -> str:
        raise TypeError("A node that reads files has no constant key.")

    def revision(self, ref: Any) -> str | None:
        raise TypeError("A node with a model has no constant key.")


def _is_constant(step: Step) -> bool:
    """
    Whether the node's own part of its key can't change between runs.

    No files, no drawn seeds, no fingerprint.
    """
    node, compiled = step.node, step.compiled
    assert node is not None and compiled is not None
    return not (
        compiled.varies
        or any(map(_has_source, node.values.values()))
        or any(map(_has_source, node.dynamic.values()))
    )


def _has_source(value: Any) -> bool:
    return type(value) not in PLAIN_TYPES and any(
        isinstance(leaf, (AssetRef, ModelRef)) for leaf in leaves(value, object)
    )


class _RecordedModels:
    """The engine's models, made when a node first asks, with a record of which were used."""

    def __init__(self, engine: Engine, recorder: ProvenanceRecorder) -> None:
        self._engine = engine
        self._recorder = recorder

    @contextmanager
    def use(self, ref: ModelRef, task: str, *, context: Context) -> Iterator[Lease]:
        with self._engine.models.use(ref, task, context=context) as lease:
            self._recorder.note_model(ref, self._engine.models.revision(ref))
            yield lease

    def is_loaded(self, ref: ModelRef) -> bool:
        return self._engine.models.is_loaded(ref)

    def __getattr__(self, name: str) -> Any:
        # What the scheduler asks of a manager that looks ahead.
        return getattr(self._engine.models, name)

    def revision(self, ref: ModelRef) -> str | None:
        # Asked for by the keys of all that uses a model, so that a result from the cache names its
        # model as well.
        revision = self._engine.models.revision(ref)
        self._recorder.note_model(ref, revision)
        return revision
