"""
Progress of a run on stderr.

Bars on a terminal, plain lines elsewhere, nothing with --quiet.

All read the engine's events, which arrive on a thread of their own. Warnings are shown when they
happen, each once.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from nodetool_core.cli.messages import plain, say, show_problem
from nodetool_core.engine.events import (
    Event,
    NodeFailed,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    NodeWarning,
    RunFinished,
    RunStarted,
)
from nodetool_core.errors import Problem

if TYPE_CHECKING:
    import rich.progress

    from nodetool_core.engine.result import RunResult

SECONDS_BETWEEN_LINES = 2.0
WORTH_A_LINE = 1.0
"""Seconds from which on a finished node is worth a plain line."""
MOST_BARS = 12
COUNTED_STEPS = 10_000
"""Totals up to here are steps and shown as a count; larger ones are bytes, and shown as a share."""


def listener(quiet: bool, heading: str = "") -> Progress:
    """
    Return what shows a run here.

    Args:
        heading: Says which run it is. Shown before its first warning or failure where `quiet`.
    """
    if quiet:
        return Progress(quiet=True, heading=heading)
    return Bars() if sys.stderr.isatty() else Lines()


class Progress:
    """Shows warnings and nothing else. A context: what it shows ends with the block."""

    def __init__(self, *, quiet: bool = False, heading: str = "") -> None:
        self.quiet = quiet
        self._heading = heading
        self._warned: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        if isinstance(event, NodeWarning):
            self._warn(
                Problem("warning", f"node {event.node_id!r}", event.message, level="warning")
            )

    def show_loading(self, library: str) -> None:
        """Show which library is being imported; it may be none."""

    def show_late_warnings(self, result: RunResult) -> None:
        """Show the warnings whose events came too late."""
        for warning in result.warnings:
            self._warn(warning)

    def show_heading(self) -> None:
        """Print which run it is, once, where nothing has said so yet."""
        heading, self._heading = self._heading, ""
        if heading:
            say(heading)

    def say(self, text: str) -> None:
        """Print a line that does not disturb what is shown."""
        say(text)

    def _warn(self, warning: Problem) -> None:
        """Show a warning that was not shown yet; a loop repeats it for every item."""
        key = (warning.where, warning.message)
        if key not in self._warned:
            self._warned.add(key)
            self._show(warning)

    def _show(self, warning: Problem) -> None:
        self.show_heading()
        show_problem(warning)


class Lines(Progress):
    """Plain lines: a node's steps every few seconds, and every node that took long."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}
        self._loading_said: set[str] = set()

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, NodeProgress):
            now = time.monotonic()
            due = (
                now - self._said.setdefault(event.node_id, now - SECONDS_BETWEEN_LINES)
                >= SECONDS_BETWEEN_LINES
            )
            if due and (event.total > 1 or (event.message and event.step == 0)):
                self._said[event.node_id] = now
                self.say(
                    plain(
                        f"{event.node_id}: {event.message} {_counted(event)}".replace(
                            "  ", " "
                        ).rstrip()
                    )
                )
        elif isinstance(event, NodeFinished) and not event.cached and event.seconds >= WORTH_A_LINE:
            self.say(plain(f"{event.node_id}: done in {event.seconds:.1f} s"))

    def show_loading(self, library: str) -> None:
        if library and library not in self._loading_said:
            self._loading_said.add(library)
            self.say(f"Loading {library}")


class Bars(Progress):
    """A bar for all nodes, and one below it for each node that reports how far it is."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._all = self._bars.add_task("nodes", total=None, count="")
        self._tasks: dict[str, rich.progress.TaskID] = {}
        self._finished: set[str] = set()
        self._nodes = 0
        self._loading = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, RunStarted):
            self._nodes = event.nodes
            self._bars.update(self._all, total=event.nodes, count=f"0/{event.nodes}")
        elif isinstance(event, NodeStarted):
            self._bars.update(self._all, description=plain(f"nodes ({event.node_id})"))
        elif isinstance(event, NodeProgress):
            self._step(event)
        elif isinstance(event, (NodeFinished, NodeFailed)):
            self._finish(event.node_id)
        elif isinstance(event, RunFinished):
            self._bars.update(self._all, completed=self._nodes)

    def show_loading(self, library: str) -> None:
        if library != self._loading:
            self._loading = library
            self._bars.update(self._all, description=f"loading {library}" if library else "nodes")

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    def _show(self, warning: Problem) -> None:
        self.say(plain(f"warning: {warning}"))

    def _step(self, event: NodeProgress) -> None:
        task = self._tasks.get(event.node_id)
        if task is None:
            if len(self._tasks) >= MOST_BARS:
                return
            task = self._tasks[event.node_id] = self._bars.add_task("", total=event.total, count="")
        description = plain(f"  {event.node_id}  {event.message}".rstrip())
        self._bars.update(
            task,
            completed=event.step,
            total=event.total or None,
            description=description,
            count=_counted(event),
        )

    def _finish(self, node_id: str) -> None:
        task = self._tasks.pop(node_id, None)
        if task is not None:
            self._bars.remove_task(task)
        self._finished.add(node_id)
        self._bars.update(
            self._all, completed=len(self._finished), count=f"{len(self._finished)}/{self._nodes}"
        )


def _counted(event: NodeProgress) -> str:
    if event.total > COUNTED_STEPS:
        return f"{event.step / event.total:.0%}"
    return f"{event.step}/{event.total}" if event.total > 1 else ""
