"""
Many runs of one workflow, some of them at once, with their results in the order of the items.

At most `concurrency` runs are under way. Items are taken from their source as room gets free, so
that a source may be long or slow. Where runs happen is the business of what begins them: in this
process, or as jobs on other machines.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, get_args

from nodetool_core.engine.options import OnError
from nodetool_core.engine.permits import released
from nodetool_core.engine.result import RunResult
from nodetool_core.errors import NodetoolError, Problem, WorkflowError

if TYPE_CHECKING:
    from nodetool_core.graph import Graph
    from nodetool_core.workflow import WorkflowDocument

Values = Mapping[str, object]
"""The values of one item for a workflow, by input."""
Outcome: TypeAlias = RunResult | NodetoolError
"""What becomes of an item; an error only where the others go on."""
OnItem = Callable[[int, Outcome], None]
"""Takes the number of an item, from 0, and what became of it."""


class RunHandle(Protocol):
    """A run that was begun, wherever it happens."""

    @property
    def future(self) -> Future[RunResult]: ...

    def cancel(self) -> None:
        """Have it stop at its next step; its future ends then."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over, for `timeout` seconds at most; return whether it is."""
        ...


Begin = Callable[[Values], RunHandle]


class Portable(Protocol):
    """What is needed of a workflow to run it elsewhere."""

    graph: Graph
    base: Path
    """The folder that its relative paths start from."""

    def portable_document(self) -> WorkflowDocument:
        """Return the document, which another process reads as the same workflow."""
        ...


class Executor(Protocol):
    """Where the runs of a mapping happen."""

    @property
    def concurrency(self) -> int:
        """How many runs to have under way, unless the mapping says so."""
        ...

    def starter(self, workflow: Portable, /) -> Begin:
        """Return what begins a run of a workflow with the values of an item."""
        ...


def check_options(concurrency: int | None, on_error: str) -> None:
    """Raise WorkflowError for a number of runs or a choice that can't be meant."""
    choices = get_args(OnError)
    problems = []
    if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
        problems.append(
            Problem(
                "invalid_value",
                "concurrency",
                f"expects a whole number from 1 on, or None, got {concurrency!r}.",
            )
        )
    if on_error not in choices:
        expected = " or ".join(map(repr, choices))
        problems.append(
            Problem("invalid_value", "on_error", f"expects {expected}, got {on_error!r}.")
        )
    if problems:
        raise WorkflowError(problems)


def map_runs(
    begin: Begin,
    items: Iterable[Values],
    concurrency: int,
    on_error: OnError,
    on_item: OnItem | None = None,
    *,
    keep: bool = True,
) -> list[Outcome]:
    """
    Begin a run for each item, and return what became of each, in order.

    Args:
        on_item: Called as items end, by one thread at a time.
        keep: Whether to return what became of them; else `on_item` is all who learns of it.

    Raises the error of the item that failed first where `on_error` is `stop`; the runs that are
    under way then are cancelled and waited for.
    """
    mapping = _Mapping(concurrency, on_item, stops=on_error == "stop", keep=keep)
    try:
        for number, values in enumerate(items):
            if not mapping.has_room():
                break
            try:
                run = begin(values)
            except NodetoolError as error:
                mapping.ended(number, error)
            else:
                mapping.begun(number, run)
        return mapping.outcomes()
    except BaseException:
        mapping.cancel()
        raise


async def map_runs_async(
    begin: Begin,
    items: Iterable[Values],
    concurrency: int,
    on_error: OnError,
    on_item: OnItem | None = None,
    *,
    blocks: bool = False,
) -> list[Outcome]:
    """
    Do as `map_runs` inside an event loop, which stays free meanwhile.

    Args:
        blocks: Whether `begin` may take a while, and is called in a thread.
    """
    room = asyncio.Semaphore(concurrency)
    tasks: list[asyncio.Task[Outcome]] = []

    async def ended(values: Values) -> Outcome:
        try:
            run = await asyncio.to_thread(begin, values) if blocks else begin(values)
            try:
                return await asyncio.wrap_future(run.future)
            except asyncio.CancelledError:
                run.cancel()
                raise
        except NodetoolError as error:
            return error

    async def outcome(number: int, values: Values) -> Outcome:
        try:
            found = await ended(values)
            if on_item is not None:
                on_item(number, found)
            if isinstance(found, NodetoolError) and on_error == "stop":
                raise _of_item(number, found)
            return found
        finally:
            room.release()

    try:
        async with asyncio.TaskGroup() as group:
            for number, values in enumerate(items):
                await room.acquire()
                tasks.append(group.create_task(outcome(number, values)))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


class _Mapping:
    """The runs that are under way, and what became of the others."""

    def __init__(
        self, concurrency: int, on_item: OnItem | None, *, stops: bool, keep: bool
    ) -> None:
        self._stops = stops
        self._keep = keep
        self._free = concurrency
        self._on_item = on_item
        self._reporting = threading.Lock()
        self._changed = threading.Condition()
        self._under_way: dict[int, RunHandle] = {}
        self._ended: dict[int, Outcome] = {}
        self._failure: tuple[int, BaseException] | None = None
        """What ends the mapping."""

    def has_room(self) -> bool:
        """Wait until a further run may begin; False where none is to, because one failed."""
        with released(), self._changed:
            self._changed.wait_for(lambda: self._free or self._failure)
            self._free -= 1
        return self._failure is None

    def begun(self, number: int, run: RunHandle) -> None:
        """Note a run that is under way; what becomes of it is noted when it has ended."""
        with self._changed:
            self._under_way[number] = run
        run.future.add_done_callback(
            lambda future: self.ended(number, future.exception() or future.result())
        )

    def ended(self, number: int, outcome: Outcome | BaseException) -> None:
        """Note what became of an item, and let another run begin."""
        outcome = self._reported(number, outcome)
        with self._changed:
            if isinstance(outcome, RunResult) or (
                isinstance(outcome, NodetoolError) and not self._stops
            ):
                if self._keep:
                    self._ended[number] = outcome
            elif self._failure is None:
                self._failure = number, outcome
            self._under_way.pop(number, None)
            self._free += 1
            self._changed.notify_all()

    def _reported(self, number: int, outcome: Outcome | BaseException) -> Outcome | BaseException:
        """Report what became of an item. Return it, or what whoever hears of it raised."""
        if self._on_item is None or not isinstance(outcome, RunResult | NodetoolError):
            return outcome
        try:
            with self._reporting:
                self._on_item(number, outcome)
        except Exception as error:  # noqa: BLE001 - crosses a thread: it is raised where the mapping ends
            return error
        return outcome

    def outcomes(self) -> list[Outcome]:
        """Wait for what is under way. Raises the failure that ends the mapping."""
        with released(), self._changed:
            self._changed.wait_for(lambda: not self._under_way or self._failure)
        if self._failure is not None:
            raise _of_item(*self._failure)
        return [self._ended[number] for number in sorted(self._ended)]

    def cancel(self) -> None:
        """Cancel what is under way and wait for it."""
        with self._changed:
            runs = list(self._under_way.values())
        for run in runs:
            run.cancel()
        for run in runs:
            run.wait()


def _of_item(number: int, error: BaseException) -> BaseException:
    """Return an error as a new one that names its item."""
    again = copy.copy(error)
    again.add_note(f"Item {number} of the mapping, counted from 0.")
    return again
