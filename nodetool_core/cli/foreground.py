"""A run that the command line waits for, and what it shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodetool_core.cli.messages import say, show_problems

if TYPE_CHECKING:
    from nodetool_core.cli.progress import Progress
    from nodetool_core.cli.results import Saved
    from nodetool_core.engine.result import RunResult
    from nodetool_core.engine.run import Run
    from nodetool_core.graph import Graph


class ForegroundRun:
    """A run, and what is shown of it."""

    def __init__(self, run: Run, graph: Graph, progress: Progress) -> None:
        self._run = run
        self._graph = graph
        self._progress = progress

    def wait(self) -> RunResult:
        """
        Return the result, whatever becomes of the run.

        Ctrl-C ends it at its next step; a second one ends the program.
        """
        from nodetool_core.engine.result import RunError
        from nodetool_core.errors import RunCancelled

        with self._progress:
            try:
                return self._run.result()
            except KeyboardInterrupt:
                self._progress.say(
                    "Interrupted: the running step is being finished. Ctrl-C again leaves at once."
                )
                self._run.cancel()
                self._run.wait()
                return self._run.partial
            except RunError as error:
                return error.result
            except RunCancelled:
                return self._run.partial

    def sum_up(self, result: RunResult, saved: Saved, debug: bool) -> None:
        """Show what went wrong, and how it went in all."""
        from nodetool_core.cli import report

        self._progress.show_late_warnings(result)
        report.show_failures(result, self._graph, debug)
        show_problems(saved.problems)
        if not self._progress.quiet or result.status != "completed":
            say(report.summary(result, saved))
