"""How a run is to be done; everything has a sensible default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from nodetool_core.graph import GraphNode


@dataclass(frozen=True, slots=True)
class NodePolicy:
    """How patient a run is with a node."""

    timeout: float | None = None
    """Seconds that one attempt may take. A node that reports progress stops at its next step; one that doesn't is given up."""
    attempts: int = 1
    """How often it is tried in all. What can't get better by trying again (values that don't fit) is not."""
    wait: float = 1.0
    """Seconds before the second attempt; doubled before each further one."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Properties of one run."""

    outputs: Sequence[str] | None = None
    """Names of outputs, or ids of nodes, whose results are wanted; all of the workflow's outputs where None."""
    on_error: Literal["stop", "continue"] = "stop"
    """`stop`: what has begun finishes, the rest is cancelled. `continue`: every branch that can still finish does."""
    use_cache: bool = True
    """False: nothing is taken from the result cache (results are still put there)."""
    previews: bool = False
    """Whether nodes that can show intermediate pictures do so."""
    confined: bool = False
    """True: the run reads and writes no file of this machine, whatever name a node computes. For workflows of strangers."""
    policies: Mapping[str, NodePolicy] = field(default_factory=dict)
    """Patience by node id or by node type; the type may be a pattern such as `huggingface.*`. The first that fits counts."""

    def policy(self, node: GraphNode) -> NodePolicy | None:
        for pattern, policy in self.policies.items():
            if node.id == pattern or fnmatchcase(node.spec.node_type, pattern):
                return policy
        return None
