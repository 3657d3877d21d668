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
What stands behind branches that may not be taken asks for its inputs only once all of these have
come (`guard`, guards.py), so that what only it needs does not run in vain. Compiling is one pass
over nodes and edges, O(V + E) for a nesting of fixed depth, and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nodetool_core.engine.compiled_node import CompiledNode
from nodetool_core.graph import GraphNode
from nodetool_core.node import Node
from nodetool_core.properties import Property

LOCAL, OUTER, ITEM = 0, 1, 2
"""
Where a feed comes from: the same region, an enclosing (or crossing) region, or the current item of
a loop.
"""

Loops = tuple[int, ...]


@dataclass(slots=True)
class Feed:
    """One input of a step."""

    property: str
    kind: int
    source: int
    """The step it comes from; for an item, the step that streams."""
    slot: int
    output: int
    region: int
    """The region of the source's frame."""
    path: tuple[int, ...] = ()
    """
    For OUTER and ITEM: which positions of the reader's index make up the source frame's index.
    """
    item: int = 0
    """For ITEM: which position of the reader's index is the item's number."""
    is_dynamic: bool = False
    lazy: bool = False
    accept: Property | None = None
    """The target property, where arriving values have to be checked."""
    copied: bool = True
    """
    Whether the value may be one that can be changed, so that whoever takes it gets a copy of its
    own.
    """
    gathered: bool = False
    """The value is a list of items; with no loop to close, a list of the one."""
    in_loop: bool = False


@dataclass(slots=True)
class Step:
    """
    One node of the plan, or (`node` is None) the closing of a loop for one gathering property, or a
    gate (guards.py).
    """

    index: int
    node: GraphNode | None
    loops: Loops
    region: int = 0
    slot: int = 0
    feeds: list[Feed] = field(default_factory=list)
    """By property."""
    sources: tuple[int, ...] = ()
    """The slots of the steps that local feeds come from."""
    in_degree: int = 0
    """
    How many arrivals the step waits for in a frame, items not counted.

    They are there when the frame is.
    """
    local: list[tuple[int, int]] = field(default_factory=list)
    """Consumers in the same region, once per edge: their slot and the output they take."""
    may_drop: bool = False
    """Whether the step can be left out because of a branch."""
    guard: Feed | None = None
    """
    What it waits for before it asks for its inputs.

    Says whether all of them come, and brings no value.
    """
    implicitly_lazy: frozenset[str] = frozenset()
    """Properties that it asks for once the guard has come."""
    lazy_rounds: int = 0
    """
    How often it asks for lazy feeds.

    When the guard has come, and when the node knows which of its lazy properties it wants.
    """
    either: bool = False
    """For a gate: one of its two inputs is enough."""
    may_start_late: bool = False
    """
    Whether somebody may ask for it after its frame has begun.

    A lazy property, or an item of a loop.
    """
    outer: Sequence[tuple[int, int, int, tuple[int, ...]]] = ()
    """
    Consumers in other regions: region, slot, output, and the path from their index to this step's.
    """
    lazy: Sequence[tuple[int, int, int, tuple[int, ...], str]] = ()
    """
    Consumers that take the value only once they have asked for it: as `outer`, and the property.
    """
    watched: Sequence[tuple[int, int, int, tuple[int, ...], str]] = ()
    """
    Steps that want to know whether an output comes, and take no value: as `lazy`.

    Without a name, they have always asked.
    """
    gathers: Sequence[int] = ()
    """Gather steps that collect this step's values (or items, where it streams)."""
    refcount: int = 0
    """
    How often the values are taken by steps of the same region.

    -1 where they must stay while the frame lives.
    """
    is_target: bool = False
    streams: bool = False
    compiled: CompiledNode | None = None
    """How the node's class is called; None for a gather."""
    is_local: bool = False
    """
    Whether what it takes, and what takes it, are steps of its own region that wait for it.

    And it is no target.
    """
    is_plain: bool = False
    """Local, and a call of microseconds: what the scheduler runs on its shortest path."""
    mutable: tuple[str, ...] = ()
    """
    Properties whose values may be changed.

    Copied for each call, so that none can change the next one's.
    """
    shareable: bool = False
    """Whether the result may come from the cache, or from an equal node."""
    base: bytes | None = None
    """
    The part of the cache key that is the same in every run; None where it has to be made anew.
    """
    key: bytes | None = None
    """The cache key, where all that it is made of is the same in every run."""
    gather_source: int = -1
    """For a gather: the step that is collected."""
    gather_output: int = 0
    gap_policy: str = "fail"
    """For a gather: what an item that failed leaves in the list (gaps.py)."""
    absorbed: bool = False
    """Whether its failure reaches nothing but lists with gaps."""
    limited: bool = True
    """For a step that streams: whether the number of items under way may be bounded."""

    @property
    def is_gate(self) -> bool:
        return self.node is None and self.gather_source < 0

    @property
    def wiring(self) -> str:
        """The names of the feeds, as a cache key has them."""
        return "".join([f"{feed.property!r}.{feed.output} " for feed in self.feeds])


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
    refcount: list[int] = field(default_factory=list)
    subtree: list[int] = field(default_factory=list)
    """Steps of this region and of those inside it, in topological order."""
    gathered: list[int] = field(default_factory=list)
    """Gather steps, one region up, that collect over this region's innermost loop."""
    targets: list[int] = field(default_factory=list)
    """
    Steps that a frame asks for when it begins: targets, and the openers of the loops they are in.
    """
    groups: list[int] = field(default_factory=list)
    """
    Targets in loops inside this region, which are lists of lists.

    Those of which its innermost loop gives one list.
    """
    paths: list[tuple[int, ...]] = field(default_factory=list)
    """Projections of this region's index under which its frames have to be found."""


@dataclass(slots=True)
class Plan:
    """What the scheduler needs to know, as flat lists."""

    steps: list[Step]
    regions: list[Region]
    targets: list[int]
    by_loops: dict[Loops, int]
    """Regions by their loops."""
    opened: dict[int, list[int]]
    """Regions directly opened by a step that streams, outer ones first."""
    nodes: int
    inputs: list[GraphNode]
    """The workflow's inputs among the steps."""
    seeds: list[Step]
    """Steps with properties that are seeds."""
    seed_sources: list[Step]
    """Steps without inputs that feed nothing but seeds."""
    code: dict[type[Node], bytes] = field(default_factory=dict)
    """The versions of the classes' code that the keys are made with."""
