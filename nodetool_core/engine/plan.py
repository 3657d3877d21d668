"""
The plan: a graph compiled to integers, once, before anything runs.

Only ancestors of the targets are planned. Every node becomes a `Step`; the steps are grouped into
*regions*. A region is the tuple of loops that its steps run inside: `()` runs once, `(7,)` once for
each item that step 7 streams, `(7, 9)` once per item of 9 within each item of 7. Loops are opened
by nodes that stream and closed by properties that gather, so

    loops of a step = union, outer ones first, of the loops of its inputs
    loops of an output = those of its step, plus the step itself where it streams
    a gathering property closes the innermost loop of what feeds it

Of two independent loops, the one that is met first on the way from the outputs is the outer one
everywhere (loop_order.py).

Two independent loops that meet make a product; two branches of one loop pair item with item,
because both carry the same loop. Closing is a step of its own (`gather`), so that everything else
sees plain edges of three kinds: from the same region, from an enclosing one, or the item of a loop.
What stands behind branches that may not be taken demands its inputs only once all of these have
come (branch_guards.py), so that what only it needs does not run in vain. Compiling is one pass over
nodes and edges, O(V + E) for a nesting of fixed depth, and nothing recurses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nodetool_core.engine.duplicates import Duplicates, find_duplicates
from nodetool_core.engine.keys import Key
from nodetool_core.engine.steps import GatherStep, Loops, NodeStep, Step
from nodetool_core.graph import GraphNode
from nodetool_core.node_base import Node


@dataclass(slots=True)
class Region:
    """Steps that run in the same loops."""

    loops: Loops
    parent: int
    steps: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    opener: int = -1
    """The step whose items this region runs for; -1 for the outermost."""
    opener_path: tuple[int, ...] = ()
    in_degree: list[int] = field(default_factory=list)
    """
    How many arrivals a step waits for in a frame, items not counted: they are there when it is.
    """
    refcount: list[int] = field(default_factory=list)
    """
    How often the values of a step are taken by steps of the region.

    -1 where they must stay while the frame lives.
    """
    subtree: list[int] = field(default_factory=list)
    """Steps of this region and of those inside it, in topological order."""
    gathered: list[GatherStep] = field(default_factory=list)
    """Gather steps, one region up, that collect over this region's innermost loop."""
    targets: list[int] = field(default_factory=list)
    """
    Steps that a frame demands when it begins: targets, and the openers of the loops they are in.
    """
    groups: list[int] = field(default_factory=list)
    """
    Targets in loops inside this region, which are lists of lists.

    Its innermost loop makes one list of each.
    """
    paths: list[tuple[int, ...]] = field(default_factory=list)
    """Projections of this region's index under which its frames have to be found."""
    members: list[Step] = field(default_factory=list)
    """
    The steps themselves, by slot.

    What of them every frame looks at stands in lists and bytes beside them: in a large plan, each
    object that is touched is a place in memory that has to be fetched.
    """
    sources: list[tuple[int, ...]] = field(default_factory=list)
    local: bytes = b""
    """Steps that are no targets, and share inputs and consumers with no other region."""
    plain: bytes = b""
    """
    Steps that take all their inputs from the region at once, and whose call takes microseconds:
    what the scheduler runs on its shortest path.
    """
    shareable: bytes = b""

    def find_by(self, path: tuple[int, ...]) -> None:
        """Have frames of this region found under a projection of their index."""
        if path not in self.paths:
            self.paths.append(path)


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """The keys of a plan without loops, and which of its steps are the same work."""

    keys: list[Key]
    duplicates: Duplicates

    @classmethod
    def of(cls, plan: Plan) -> FixedKeys | None:
        """Return those of a plan; None where some change from run to run."""
        keys = [key for key in plan.keys if key is not None]
        if len(keys) < len(plan.steps):
            return None
        return cls(keys, find_duplicates(keys, plan.regions[0].shareable))


@dataclass(slots=True)
class Plan:
    """What the scheduler needs to know, as flat lists."""

    steps: list[Step]
    regions: list[Region]
    targets: list[int]
    by_loops: dict[Loops, int]
    """Regions by their loops."""
    node_ids: list[str]
    """The ids of the nodes, in topological order."""
    inputs: list[GraphNode]
    """The workflow's inputs among the steps."""
    seeds: list[NodeStep]
    """Steps with properties that are seeds."""
    seed_sources: list[NodeStep]
    """Steps without inputs that feed nothing but seeds."""
    of_node: list[int]
    """The step of each node of the graph; -1 for those that the targets do not need."""
    keys: list[Key | None] = field(default_factory=list)
    """The cache keys of steps of which all that they are made of is the same in every run."""
    fixed: FixedKeys | None = None
    """The keys of all steps, where they are the same in every run."""
    variants: dict[
        tuple[tuple[int, Key | None], ...], tuple[list[Key | None], FixedKeys | None]
    ] = field(default_factory=dict)
    """`keys` and `fixed` with other values of some steps, by the keys' own parts of these."""
    opened: dict[int, list[int]] = field(default_factory=dict)
    """Regions directly opened by a step that streams, outer ones first."""
    code: dict[type[Node], bytes] = field(default_factory=dict)
    """The versions of the classes' code that the keys are made with."""

    def node_steps(self) -> list[NodeStep]:
        """Return the steps that are nodes, in topological order."""
        return [step for step in self.steps if isinstance(step, NodeStep)]
