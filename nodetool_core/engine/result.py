"""What a run gives back, and the error that says which node failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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


@dataclass
class RunResult(Mapping[str, Any]):
    """The outputs of a run by name, and how it went."""

    run_id: str
    outputs: dict[str, Any] = field(default_factory=dict)
    status: str = "completed"
    seconds: float = 0.0
    seeds: dict[str, dict[str, int]] = field(default_factory=dict)
    """The seeds used, by node and property; giving them again gives the same pictures."""
    warnings: list[Problem] = field(default_factory=list)
    failures: list[NodeFailure] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """Ids of the nodes that were computed, in the order in which they finished."""
    hits: list[str] = field(default_factory=list)
    """Ids of the nodes whose results came from the cache."""
    not_needed: list[str] = field(default_factory=list)
    """
    Ids of the nodes that did not run and were not looked for in the cache: what they are for was known without them, failed, or
    stands behind a branch that was not taken.
    """
    models: dict[str, str | None] = field(default_factory=dict)
    """Models that were used and the revision of each."""

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


class RunError(NodetoolError):
    """A node failed. `failures` says which; `result` holds what was finished all the same."""

    def __init__(self, result: RunResult) -> None:
        super().__init__([failure.problem for failure in result.failures])
        self.result = result
        self.failures = result.failures
