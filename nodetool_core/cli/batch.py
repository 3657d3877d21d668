"""
`nodetool run` over many files or rows, with a manifest, resumable.

One run after the other here, or all of them as jobs on workers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nodetool_core.cli import report
from nodetool_core.cli.messages import ExitCode, plain, say, show_problems
from nodetool_core.errors import NodetoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nodetool_core.api import Workflow
    from nodetool_core.batch import Item, Manifest
    from nodetool_core.engine.mapping import Outcome
    from nodetool_core.engine.options import RunOptions
    from nodetool_core.engine.result import RunResult
    from nodetool_core.jobs.executor import JobExecutor

MANIFEST = "manifest.jsonl"


class BatchRun:
    """One pass over the items of a batch."""

    def __init__(
        self,
        workflow: Workflow,
        items: Sequence[Item],
        options: RunOptions,
        out: Path,
        *,
        quiet: bool,
        as_json: bool,
    ) -> None:
        from nodetool_core.batch import Manifest

        self._workflow = workflow
        self._items = items
        self._options = options
        self._out = out
        self._quiet = quiet
        self._as_json = as_json
        self._manifest: Manifest = Manifest(out / MANIFEST)
        self._counts = {"completed": 0, "failed": 0, "skipped": 0}

    def run(self) -> ExitCode:
        """
        Do what is not done yet.

        A failed item ends the batch with `--on-error stop`, and is passed over else.
        """
        for item in self._left():
            if not self._quiet:
                say(self._heading(item))
            status = self._do(item)
            if status == "cancelled":
                return self._interrupted()
            self._counts[status] += 1
            if status == "failed" and self._options.on_error == "stop":
                break
        return self._over()

    def run_on(self, workers: JobExecutor) -> ExitCode:
        """Do as `run` on workers, many items at once; what is finished first is recorded first."""
        from nodetool_core.engine.mapping import map_runs

        items = list(self._left())
        if items and not workers.workers():
            say("There is no worker yet; the items wait for one.")

        def ended(number: int, outcome: Outcome) -> None:
            self._ended(items[number], outcome)

        try:
            map_runs(
                workers.starter(self._workflow, texts=True),
                (item.values for item in items),
                workers.concurrency,
                self._options.on_error,
                ended,
                keep=False,
            )
        except KeyboardInterrupt:
            return self._interrupted()
        except NodetoolError:
            # It was shown and recorded when its item ended.
            pass
        return self._over()

    def _left(self) -> Iterator[Item]:
        """Yield the items that are not done yet; the others are listed."""
        for item in self._items:
            done = self._manifest.finished(item) if self._options.use_cache else None
            if done is None:
                yield item
                continue
            self._counts["skipped"] += 1
            self._print({"item": item.number, "inputs": item.values, **done}, done.get("files", []))

    def _interrupted(self) -> ExitCode:
        self._sum_up("Interrupted")
        return ExitCode.INTERRUPTED

    def _over(self) -> ExitCode:
        self._sum_up("Failed" if self._counts["failed"] else "Done")
        return ExitCode.FAILED if self._counts["failed"] else ExitCode.OK

    def _heading(self, item: Item) -> str:
        """Return the line that says which item is meant."""
        values = ", ".join(f"{name}={text}" for name, text in item.values.items())
        return plain(f"{item.number} of {len(self._items)}: {values}")

    def _do(self, item: Item) -> str:
        """Run one item, write its files and its line in the manifest; return how it went."""
        from nodetool_core.cli.foreground import ForegroundRun
        from nodetool_core.cli.progress import listener

        progress = listener(self._quiet, heading=self._heading(item))
        try:
            started = self._workflow.start(
                item.values, options=self._options, on_event=progress, texts=True
            )
        except NodetoolError as error:
            progress.show_heading()
            return self._refused(item, error)
        result = ForegroundRun(started, self._workflow.graph, progress).wait()
        if result.status == "cancelled":
            return "cancelled"
        return self._keep(item, result, progress.show_heading)

    def _ended(self, item: Item, outcome: Outcome) -> None:
        """Write the files and the line of an item that workers have done."""
        from nodetool_core.engine.result import RunError

        def show_heading() -> None:
            say(self._heading(item))

        if not self._quiet:
            show_heading()
        if isinstance(outcome, RunError):
            outcome = outcome.result
        if isinstance(outcome, NodetoolError):
            status = self._refused(item, outcome)
        else:
            status = self._keep(item, outcome, show_heading if self._quiet else lambda: None)
        self._counts[status] += 1

    def _refused(self, item: Item, error: NodetoolError) -> str:
        show_problems(error.problems)
        self._record(item, report.refused(error.problems) | {"status": "failed"}, [])
        return "failed"

    def _keep(self, item: Item, result: RunResult, show_heading: Callable[[], None]) -> str:
        """Write an item's files and its line in the manifest; return how it went."""
        from nodetool_core.cli.results import save

        saved = save(
            {f"{item.name}_{name}": value for name, value in result.outputs.items()}, self._out
        )
        document = report.report(result, saved)
        if document["status"] != "completed":
            show_heading()
        report.show_failures(result, self._workflow.graph, debug=False)
        show_problems(saved.problems)
        self._record(item, document, [str(path) for path in saved.paths])
        return "completed" if document["status"] == "completed" else "failed"

    def _record(self, item: Item, document: Mapping[str, object], files: list[str]) -> None:
        kept = {
            name: document[name]
            for name in ("status", "outputs", "seeds", "models", "errors", "seconds")
        }
        self._manifest.add(item, kept | {"files": files})
        self._print({"item": item.number, "inputs": item.values, **kept, "files": files}, files)

    def _print(self, record: Mapping[str, object], files: Sequence[str]) -> None:
        import json

        if self._as_json:
            typer.echo(json.dumps(record, ensure_ascii=False))
        else:
            for path in files:
                typer.echo(path)

    def _sum_up(self, word: str) -> None:
        counts = self._counts
        rest = len(self._items) - sum(counts.values())
        parts = [
            f"{counts['completed']} computed",
            f"{counts['skipped']} done before",
            f"{counts['failed']} failed",
            f"{rest} left",
        ]
        counted = ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing to do"
        left = "; the same command does what is left" if rest or counts["failed"] else ""
        say(f"{word}: {counted}. The record is {self._manifest.path}{left}.")
        if rest and counts["failed"]:
            say("With --on-error continue, what fails is passed over.")
