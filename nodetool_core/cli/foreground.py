"""A run that the command line waits for, and what it shows of it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nodetool_core.cli.loading import loading
from nodetool_core.cli.messages import say, show_problems

if TYPE_CHECKING:
    from nodetool_core.cli.progress import Progress
    from nodetool_core.cli.results import Saved
    from nodetool_core.engine.result import RunResult
    from nodetool_core.engine.run import Run
    from nodetool_core.graph import Graph


LOOK: Final = 0.25
"""Seconds from one look at what a run waits for to the next."""


class ForegroundRun:
    """A run, and what is shown of it."""

    def __init__(self, run: Run, graph: Graph, progress: Progress) -> None:
        self._run = run
        self._graph = graph
        self._progress = progress
        self._started = time.monotonic()

    def wait(self) -> RunResult:
        """
        Return the result, whatever becomes of the run.

        Ctrl-C ends it at its next step; a second one ends the program. The import of a library has
        no steps, and is not waited for.
        """
        from nodetool_core.engine.result import RunError
        from nodetool_core.errors import RunCancelled

        with self._progress:
            try:
                return self._watched()
            except KeyboardInterrupt:
                self._progress.say(
                    "Interrupted: the running step is being finished. Ctrl-C again leaves at once."
                )
                self._run.cancel()
                return self._interrupted()
            except RunError as error:
                return error.result
            except RunCancelled:
                return self._run.partial

    def _watched(self) -> RunResult:
        """Return the result; meanwhile show which library is being imported."""
        while not self._run.done():
            with suppress(TimeoutError):
                return self._run.result(LOOK)
            self._progress.show_loading(loading())
        return self._run.result()

    def _interrupted(self) -> RunResult:
        """Return what there is once nothing is under way but the import of a library."""
        while not self._run.wait(LOOK):
            if loading():
                seconds = time.monotonic() - self._started
                return replace(self._run.partial, status="cancelled", seconds=seconds)
        return self._run.partial

    def sum_up(self, result: RunResult, saved: Saved, debug: bool) -> None:
        """Show what went wrong, and how it went in all."""
        from nodetool_core.cli import report

        self._progress.show_late_warnings(result)
        report.show_failures(result, self._graph, debug)
        show_problems(saved.problems)
        if not self._progress.quiet or result.status != "completed":
            say(report.summary(result, saved))
