"""What a run returns, and the error that names the node that failed."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nodetool_core.errors import NodetoolError, Problem, near_miss


@dataclass(frozen=True)
class NodeFailure:
    """One node's failure."""

    node_id: str
    node_type: str
    item: tuple[int, ...]
    problem: Problem
    exception: BaseException | None = None

    def __str__(self) -> str:
        return str(self.problem)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "exception": _portable(self.exception)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> NodeFailure:
        """Return this failure: it never changes."""
        return self


def _portable(exception: BaseException | None) -> BaseException | None:
    """
    Return the exception as it can be pickled.

    With its traceback as a note, and one that can't be as a RuntimeError of its texts.
    """
    if exception is None:
        return None
    text = "".join(traceback.format_exception(exception)).rstrip()
    try:
        again: BaseException = pickle.loads(pickle.dumps(exception))
    except Exception:  # noqa: BLE001 - pickling runs foreign code, and may raise whatever it likes
        again = RuntimeError(f"{type(exception).__name__}: {exception}")
    again.add_note(f"Where it was raised:\n{text}")
    return again


@dataclass
class RunResult(Mapping[str, Any]):
    """The outputs of a run by name, and how it went."""

    run_id: str
    outputs: dict[str, Any] = field(default_factory=dict)
    status: str = "completed"
    seconds: float = 0.0
    seeds: dict[str, dict[str, int]] = field(default_factory=dict)
    """
    The seeds used, by node and property.

    As `RunOptions(seeds=…)`, they make the same images. In a loop, what -1 became for the first
    item; the seeds of the others are made of it.
    """
    warnings: list[Problem] = field(default_factory=list)
    failures: list[NodeFailure] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """Ids of the nodes that were computed, in the order in which they finished."""
    hits: list[str] = field(default_factory=list)
    """Ids of the nodes whose results came from the cache."""
    planned: Sequence[str] = field(default=(), repr=False)
    """Ids of the nodes that the run is about, in topological order."""
    models: dict[str, str | None] = field(default_factory=dict)
    """Models that were used and the revision of each."""

    @property
    def not_needed(self) -> list[str]:
        """
        Ids of the nodes that did not run and were not looked for in the cache.

        What they are for was known without them, failed, or stands behind a branch that was not
        taken.
        """
        touched = {*self.ran, *self.hits, *(failure.node_id for failure in self.failures)}
        return [node_id for node_id in self.planned if node_id not in touched]

    def __getitem__(self, name: str) -> Any:
        try:
            return self.outputs[name]
        except KeyError:
            hint = near_miss(name, self.outputs) or f"It has {', '.join(self.outputs) or 'none'}."
            raise KeyError(f"The run has no output {name!r}. {hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the outputs, with their images."""
        from nodetool_core.engine.result_page import result_html

        problems = [*(failure.problem for failure in self.failures), *self.warnings]
        counts = (
            f"{self.status} in {self.seconds:.2f} s, {len(self.ran)} computed,"
            f" {len(self.hits)} from the cache"
        )
        return result_html(self.outputs, [*map(str, problems), counts])


class RunError(NodetoolError):
    """A node failed. `failures` names them; `result` holds what was finished all the same."""

    def __init__(self, result: RunResult) -> None:
        super().__init__([failure.problem for failure in result.failures])
        self.result = result
        self.failures = result.failures

    def __reduce__(self) -> tuple[Any, ...]:
        # An error gets to whoever waits for it, also with outputs that can't.
        return RunError, (_transferable(self.result),)

    def __copy__(self) -> RunError:
        return RunError(self.result)


def _transferable(result: RunResult) -> RunResult:
    """
    Return the result with those outputs alone that can be pickled, and a warning for each other.
    """
    outputs, warnings = {}, list(result.warnings)
    for name, value in result.outputs.items():
        try:
            pickle.dumps(value)
        except Exception as error:  # noqa: BLE001 - pickling runs foreign code, and may raise whatever it likes
            message = f"stayed in the process that made it, for it can't be pickled: {error}"
            warnings.append(Problem("output_left", f"output {name!r}", message, level="warning"))
        else:
            outputs[name] = value
    return replace(result, outputs=outputs, warnings=warnings)
