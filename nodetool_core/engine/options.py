"""
How a run is to be done; everything has a sensible default.

What can't be meant is refused when it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.graph import Graph, GraphNode

OnError = Literal["stop", "continue"]


@dataclass(frozen=True, slots=True)
class NodePolicy:
    """How patient a run is with a node."""

    timeout: float | None = None
    """
    Seconds that one attempt may take; of a node that streams, one item.

    A node that reports progress stops at its next step; one that doesn't is given up.
    """
    attempts: int = 1
    """
    How often it is tried in all.

    What can't get better by trying again (values that don't fit) is not.

    A node that streams is begun anew, and the items that it yielded before are skipped, for the
    same node yields the same items. One that is never the same twice (`cacheable = False`) is not
    begun again once it has yielded an item.
    """
    wait: float = 1.0
    """Seconds before the second attempt; doubled before each further one."""

    def __post_init__(self) -> None:
        """Raise WorkflowError for numbers that can't be meant."""
        problems = []
        if self.timeout is not None and not (_is_number(self.timeout) and self.timeout > 0):
            problems.append(
                _unfit(self, "timeout", "expects seconds above 0, or None for no limit")
            )
        if type(self.attempts) is not int or self.attempts < 1:
            problems.append(_unfit(self, "attempts", "expects a whole number from 1 on"))
        if not (_is_number(self.wait) and self.wait >= 0):
            problems.append(_unfit(self, "wait", "expects seconds from 0 on"))
        if problems:
            raise WorkflowError(problems)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Properties of one run."""

    outputs: Sequence[str] | None = None
    """
    Names of outputs, or ids of nodes, whose results are wanted.

    All of the workflow's outputs where None.
    """
    on_error: OnError = "stop"
    """
    `stop`: what has begun finishes, the rest is cancelled.

    `continue`: every branch that can still finish does.
    """
    use_cache: bool = True
    """False: nothing is taken from the result cache (results are still put there)."""
    infotext: bool = True
    """
    Whether images of a run also hold the text that web UIs write, for their readers; PNG alone.
    """
    previews: bool = False
    """Whether nodes that can show intermediate images do so."""
    confined: bool = False
    """
    Whether files are out of reach, whatever name a node computes: for workflows of strangers.
    """
    timeout: float | None = None
    """
    Seconds that the whole run may take, from when it begins; then it fails with what is finished.

    What is under way is cancelled, and not waited for.
    """
    seeds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """
    Numbers to take where seeds are -1, by node and property; drawn where none is given.

    The `seeds` of a result make the same again, in loops too.
    """
    policies: Mapping[str, NodePolicy] = field(default_factory=dict)
    """
    Timeouts and attempts by node id or by node type.

    The type may be a pattern such as `huggingface.*`; the first that fits counts.
    """

    def __post_init__(self) -> None:
        """Raise WorkflowError for values that can't be meant."""
        problems = []
        if self.timeout is not None and not (_is_number(self.timeout) and self.timeout > 0):
            problems.append(
                _unfit(self, "timeout", "expects seconds above 0, or None for no limit")
            )
        if self.on_error not in get_args(OnError):
            hint = near_miss(str(self.on_error), get_args(OnError))
            problems.append(
                _unfit(
                    self, "on_error", f"expects {' or '.join(map(repr, get_args(OnError)))}", hint
                )
            )
        if isinstance(self.outputs, str):
            problems.append(
                _unfit(self, "outputs", "expects a list of names", f"Give [{self.outputs!r}].")
            )
        problems += [
            Problem(
                "invalid_value",
                f"RunOptions.policies[{name!r}]",
                f"expects a NodePolicy, got {policy!r}.",
            )
            for name, policy in self.policies.items()
            if not isinstance(policy, NodePolicy)
        ]
        if problems:
            raise WorkflowError(problems)

    def check_names(self, graph: Graph) -> None:
        """
        Raise WorkflowError for policies of single nodes or types that a graph does not have.

        A pattern may fit none.
        """
        if not self.policies:
            return
        names = {node.id for node in graph.nodes} | {node.spec.node_type for node in graph.nodes}
        missing = [
            name
            for name in self.policies
            if name not in names and not _WILDCARDS.intersection(name)
        ]
        if missing:
            raise WorkflowError(
                [
                    Problem(
                        "unknown_node",
                        f"RunOptions.policies[{name!r}]",
                        "There is no such node or type.",
                        near_miss(name, names),
                    )
                    for name in missing
                ]
            )

    def policy(self, node: GraphNode) -> NodePolicy | None:
        for pattern, policy in self.policies.items():
            if node.id == pattern or fnmatchcase(node.spec.node_type, pattern):
                return policy
        return None


_WILDCARDS = frozenset("*?[")
"""What makes a name a pattern."""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _unfit(options: Any, name: str, expected: str, hint: str = "") -> Problem:
    return Problem(
        "invalid_value",
        f"{type(options).__name__}.{name}",
        f"{expected}, got {getattr(options, name)!r}.",
        hint,
    )
