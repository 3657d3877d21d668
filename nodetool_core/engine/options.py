"""How a run is to be done; everything has a sensible default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


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
