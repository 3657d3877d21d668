"""
A workflow over many items: `map`, and `amap` in an event loop.

What `Workflow` has of it, apart from the runs themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from nodetool_core.engine.result import RunResult
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.graph import Graph
from nodetool_core.types import value_type_name
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine
    from nodetool_core.engine.mapping import Begin, Executor, OnItem, Outcome
    from nodetool_core.engine.options import OnError
    from nodetool_core.engine.run import Run


class MappedWorkflow(ABC):
    """A workflow that runs once for each of many items."""

    graph: Graph
    base: Path

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """What runs it here."""

    @abstractmethod
    def portable_document(self) -> WorkflowDocument:
        """Return the document, which another process reads as the same workflow."""

    @abstractmethod
    def start(self, inputs: Mapping[str, object] | None = None) -> Run:
        """Begin a run."""

    @overload
    def map(
        self,
        items: Iterable[object],
        *,
        concurrency: int | None = None,
        on_error: Literal["stop"] = "stop",
        on_item: OnItem | None = None,
        executor: Executor | None = None,
    ) -> list[RunResult]: ...

    @overload
    def map(
        self,
        items: Iterable[object],
        *,
        concurrency: int | None = None,
        on_error: OnError,
        on_item: OnItem | None = None,
        executor: Executor | None = None,
    ) -> list[Outcome]: ...

    def map(
        self,
        items: Iterable[object],
        *,
        concurrency: int | None = None,
        on_error: OnError = "stop",
        on_item: OnItem | None = None,
        executor: Executor | None = None,
    ) -> list[RunResult] | list[Outcome]:
        """
        Run once for each item, some at once, and return the results in the order of the items.

        Args:
            items: Mappings of inputs by name, as `run` takes them. Where the workflow has one
                input, other items are its values. They are taken as runs begin, so that a generator
                will do.
            concurrency: How many runs are under way at most; where None, as many as the engine has
                workers, or the executor says.
            on_error: `stop` raises the first error and cancels the runs that are under way;
                `continue` returns an item's error in the place of its result.
            on_item: Called with the number of an item, from 0, and its result or error, as soon as
                it has ended; by one thread at a time.
            executor: Where runs happen: in this process where None, on other machines by a
                `JobExecutor`.

        Raises what `run` raises, with a note that names the item.
        """
        from nodetool_core.engine.mapping import check_options, map_runs

        check_options(concurrency, on_error)
        begin, at_once = self._begin(executor)
        return map_runs(begin, map(self._values, items), concurrency or at_once, on_error, on_item)

    @overload
    async def amap(
        self,
        items: Iterable[object],
        *,
        concurrency: int | None = None,
        on_error: Literal["stop"] = "stop",
        on_item: OnItem | None = None,
        executor: Executor | None = None,
    ) -> list[RunResult]: ...

    @overload
    async def amap(
        self,
        items: Iterable[object],
        *,
        concurrency: int | None = None,
        on_error: OnError,
        on_item: OnItem | None = None,
        executor: Executor | None = None,
    ) -> list[Outcome]: ...

    async def amap(
        self,
        items: Iterable[object],
        *,
        concurrency: int | None = None,
        on_error: OnError = "stop",
        on_item: OnItem | None = None,
        executor: Executor | None = None,
    ) -> list[RunResult] | list[Outcome]:
        """
        Do as `map` inside an event loop, which stays free meanwhile.

        Cancelling the awaiting task cancels the runs.
        """
        from nodetool_core.engine.mapping import check_options, map_runs_async

        check_options(concurrency, on_error)
        begin, at_once = self._begin(executor)
        return await map_runs_async(
            begin,
            map(self._values, items),
            concurrency or at_once,
            on_error,
            on_item,
            blocks=executor is not None,
        )

    def _begin(self, executor: Executor | None) -> tuple[Begin, int]:
        """Return what begins a run of an item, and how many to have under way."""
        if executor is None:
            return self.start, self.engine.workers
        return executor.starter(self), executor.concurrency

    def _values(self, item: object) -> Mapping[str, object]:
        """Return what an item of a mapping gives to the inputs. Raises WorkflowError."""
        if isinstance(item, Mapping):
            return item
        inputs = list(self.graph.inputs())
        if len(inputs) == 1:
            return {inputs[0]: item}
        raise WorkflowError(
            Problem(
                "invalid_value",
                "map",
                f"expects a mapping of inputs by name, got {value_type_name(item)}.",
                f"The workflow's inputs: {', '.join(inputs) or 'none'}.",
            )
        )
