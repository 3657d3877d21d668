"""
What a run borrows from its engine.

Threads, the event loop, cache, images, models, and the way to its listener.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from nodetool_core.context import Models, Sources
from nodetool_core.engine.caching.memory import ResultCache
from nodetool_core.engine.coroutines import Spawned
from nodetool_core.engine.event_queue import EventQueue
from nodetool_core.engine.events import Event, NodePreview
from nodetool_core.engine.keys import Key, KeyMaker, unique
from nodetool_core.engine.options import RunOptions
from nodetool_core.engine.work_times import WorkTimes
from nodetool_core.graph import GraphNode
from nodetool_core.node_base import Lane
from nodetool_core.secrets import Secrets
from nodetool_core.services import Services

if TYPE_CHECKING:
    import asyncio

    from nodetool_core.engine.coroutines import Task
    from nodetool_core.models.weights_manager import WeightsManager


class Submits(Protocol):
    """The threads of a lane."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], None] | None:
        """
        Call a function, which must not raise, on one of the threads.

        Returns what makes way for others where it hangs, if anything can.
        """
        ...


@dataclass
class RunEnvironment:
    """Borrowed by one run."""

    options: RunOptions
    cache: ResultCache
    work_times: WorkTimes
    keys: KeyMaker
    images: Any
    models: Models
    manager: Callable[[], WeightsManager | None]
    """Returns what plans ahead for models; may make it. None where nothing does."""
    sources: Sources
    workers: int
    """How many blocking nodes run at once."""
    threads: Mapping[Lane, Submits]
    loop: Callable[[], asyncio.AbstractEventLoop]
    finished: Callable[[str, Any], Any]
    """Turns an output's value into what the result shows, such as an image with its provenance."""
    event_queue: EventQueue | None = None
    secrets: Secrets = field(default_factory=Secrets)
    services: Services = field(default_factory=Services)
    spawned: set[Spawned] = field(default_factory=set)
    """Coroutines that have not ended."""

    def emit(self, event: Event) -> None:
        if self.event_queue is not None and (
            self.options.previews or not (isinstance(event, NodePreview) and event.total)
        ):
            self.event_queue.send(event)

    def base(self, node: GraphNode, values: dict[str, Any], wiring: str) -> Key:
        return self.keys.base(node, values, wiring, self.sources) or unique()

    def spawn(
        self, work: Coroutine[Any, Any, Any], done: Callable[[Task], None], context: Context
    ) -> Spawned:
        """
        Run a coroutine on the engine's loop.

        `done` is called there with its task, whatever became of it.
        """
        try:
            loop = self.loop()
        except RuntimeError:
            work.close()
            raise
        return Spawned(loop, work, done, self.spawned, context)

    def cancel_spawned(self) -> None:
        """
        Ask all coroutines to end. Only for the thread that spawns them, so that none is missed.
        """
        for spawned in list(self.spawned):
            spawned.cancel()
