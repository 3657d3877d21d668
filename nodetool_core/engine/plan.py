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
from nodetool_core.engine.keys import Key
from nodetool_core.graph import GraphNode
from nodetool_core.node import Node
from nodetool_core.properties import Property

LOCAL, OUTER, ITEM = 0, 1, 2
"""
Where a feed comes from: the same region, an enclosing (or crossing) region, or the current item of
a loop.
"""

Loops = tuple[int, ...]


class Feed:
    """
    One input of a step.

    A plan has one for every edge.
    """

    __slots__ = (
        "accept",
        "copied",
        "gathered",
        "in_loop",
        "is_dynamic",
        "item",
        "kind",
        "lazy",
        "output",
        "path",
        "property",
        "region",
        "slot",
        "source",
    )

    def __init__(
        self,
        property: str,
        kind: int,
        source: int,
        slot: int,
        output: int,
        region: int,
        path: tuple[int, ...] = (),
        lazy: bool = False,
    ) -> None:
        """
        Make an input that comes from an output of a step.

        Args:
            source: The step it comes from; for an item, the step that streams.
            region: The region of the source's frame.
            path: For OUTER and ITEM: which positions of the reader's index make up the source
                frame's index.
        """
        self.property = property
        self.kind = kind
        self.source = source
        self.slot = slot
        self.output = output
        self.region = region
        self.path = path
        self.lazy = lazy
        self.item: int = 0
        """For ITEM: which position of the reader's index is the item's number."""
        self.is_dynamic: bool = False
        self.accept: Property | None = None
        """The target property, where arriving values have to be checked."""
        self.copied: bool = True
        """Whether the value may be mutable, so that whoever takes it gets a copy of its own."""
        self.gathered: bool = False
        """The value is a list of items; with no loop to close, a list of the one."""
        self.in_loop: bool = False


Reader = tuple[int, int, int, tuple[int, ...], str]
"""
Who takes an output from elsewhere: region, slot, output, the path from its index to that of the
step that is read, and the property where it takes the value only once it has asked for it.
"""


class Step:
    """
    What the scheduler runs: a node, the closing of a loop, or a gate.

    A plan has one for every node.
    """

    __slots__ = (
        "absorbed",
        "feeds",
        "gathers",
        "guard",
        "implicitly_lazy",
        "in_degree",
        "index",
        "is_local",
        "is_plain",
        "is_target",
        "lazy",
        "lazy_rounds",
        "limited",
        "local",
        "loops",
        "may_drop",
        "may_start_late",
        "outer",
        "refcount",
        "region",
        "shareable",
        "slot",
        "sources",
        "streams",
        "watched",
    )

    def __init__(self, index: int, loops: Loops, region: int, slot: int) -> None:
        self.index = index
        self.loops = loops
        self.region = region
        self.slot = slot
        self.feeds: list[Feed] = []
        """By property."""
        self.local: list[tuple[int, int]] = []
        """Consumers in the same region, once per edge: their slot and the output they take."""
        self.sources: tuple[int, ...] = ()
        """The slots of the steps that local feeds come from."""
        self.in_degree: int = 0
        """
        How many arrivals the step waits for in a frame, items not counted.

        They are there when the frame is.
        """
        self.may_drop: bool = False
        """Whether the step can be left out because of a branch."""
        self.guard: Feed | None = None
        """
        What it waits for before it asks for its inputs.

        Says whether all of them come, and brings no value.
        """
        self.implicitly_lazy: frozenset[str] = frozenset()
        """Properties that it asks for once the guard has come."""
        self.lazy_rounds: int = 0
        """
        How often it asks for lazy feeds.

        When the guard has come, and when the node knows which of its lazy properties it wants.
        """
        self.may_start_late: bool = False
        """
        Whether somebody may ask for it after its frame has begun.

        A lazy property, or an item of a loop.
        """
        self.outer: Sequence[Reader] = ()
        """Consumers in other regions."""
        self.lazy: Sequence[Reader] = ()
        """Consumers that take the value only once they have asked for it."""
        self.watched: Sequence[Reader] = ()
        """
        Steps that wait to know whether an output comes, and take no value.

        Those without a name wait from the start.
        """
        self.gathers: Sequence[GatherStep] = ()
        """Gather steps that collect this step's values (or items, where it streams)."""
        self.refcount: int = 0
        """
        How often the values are taken by steps of the same region.

        -1 where they must stay while the frame lives.
        """
        self.is_target: bool = False
        self.streams: bool = False
        self.is_local: bool = False
        """
        Whether it is no target, and what it takes and what takes it are steps of its own region.
        """
        self.is_plain: bool = False
        """Local, and a call of microseconds: what the scheduler runs on its shortest path."""
        self.shareable: bool = False
        """Whether the result may come from the cache, or from an equal node."""
        self.absorbed: bool = False
        """Whether its failure reaches nothing but lists with gaps."""
        self.limited: bool = True
        """For a step that streams: whether the number of items under way may be bounded."""


class NodeStep(Step):
    """A node, and how its class is called."""

    __slots__ = (
        "base",
        "compiled",
        "mutable",
        "node",
    )

    def __init__(
        self,
        index: int,
        loops: Loops,
        region: int,
        slot: int,
        node: GraphNode,
        compiled: CompiledNode,
    ) -> None:
        Step.__init__(self, index, loops, region, slot)
        self.node = node
        self.compiled = compiled
        self.shareable = compiled.shareable
        self.streams = compiled.spec.streams
        self.mutable: tuple[str, ...] = ()
        """
        Properties whose values may be changed.

        Copied for each call, so that none can change the next one's.
        """
        self.base: bytes | None = None
        """
        The part of the cache key that is the same in every run; None where it has to be made anew.
        """

    @property
    def wiring(self) -> str:
        """The names of the feeds, as a cache key has them."""
        return "".join([f"{feed.property!r}.{feed.output} " for feed in self.feeds])


class GatherStep(Step):
    """The closing of a loop for one gathering property: what it collects, as one list."""

    __slots__ = (
        "gap_policy",
        "output",
        "source",
    )

    def __init__(
        self,
        index: int,
        loops: Loops,
        region: int,
        slot: int,
        *,
        source: int,
        output: int,
        gap_policy: str,
    ) -> None:
        """
        Make the step that collects an output.

        Args:
            source: The step whose output is collected, for each item.
            gap_policy: What an item that failed leaves in the list (gaps.py).
        """
        super().__init__(index, loops, region, slot)
        self.source = source
        self.output = output
        self.gap_policy = gap_policy


class GateStep(Step):
    """What tells whether something behind a branch comes at all (guards.py); it has no value."""

    __slots__ = ("either",)

    def __init__(self, index: int, loops: Loops, region: int, slot: int, *, either: bool) -> None:
        """
        Make a gate.

        Args:
            either: One of its two inputs is enough.
        """
        super().__init__(index, loops, region, slot)
        self.either = either


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
    gathered: list[GatherStep] = field(default_factory=list)
    """Gather steps, one region up, that collect over this region's innermost loop."""
    targets: list[int] = field(default_factory=list)
    """
    Steps that a frame asks for when it begins: targets, and the openers of the loops they are in.
    """
    groups: list[int] = field(default_factory=list)
    """
    Targets in loops inside this region, which are lists of lists.

    Its innermost loop makes one list of each.
    """
    paths: list[tuple[int, ...]] = field(default_factory=list)
    """Projections of this region's index under which its frames have to be found."""
    members: list[Step] = field(default_factory=list)
    """The steps themselves, by slot."""

    def find_by(self, path: tuple[int, ...]) -> None:
        """Have frames of this region found under a projection of their index."""
        if path not in self.paths:
            self.paths.append(path)


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """The keys of a plan without loops, and which of its steps are the same work."""

    keys: list[Key]
    duplicates: dict[int, list[int]]
    """Steps that are equal to an earlier one, by the earlier one's slot."""
    duplicate_of: dict[int, int]

    @classmethod
    def of(cls, plan: Plan) -> FixedKeys | None:
        """Return those of a plan; None where some change from run to run."""
        keys = [key for key in plan.keys if key is not None]
        if len(keys) < len(plan.steps):
            return None
        seen: dict[Key, int] = {}
        duplicates: dict[int, list[int]] = {}
        duplicate_of: dict[int, int] = {}
        for key, step in zip(keys, plan.steps, strict=True):
            if step.shareable and (first := seen.setdefault(key, step.slot)) != step.slot:
                duplicates.setdefault(first, []).append(step.slot)
                duplicate_of[step.slot] = first
        return cls(keys, duplicates, duplicate_of)


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


def given_loops(step: Step) -> Loops:
    """Return the loops that a step's outputs are in."""
    return (*step.loops, step.index) if step.streams else step.loops


def path_between(inner: Loops, outer: Loops) -> tuple[int, ...]:
    """Return the positions in an index over `outer` that make up the index over `inner`."""
    return tuple(outer.index(loop) for loop in inner)
