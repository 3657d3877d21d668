"""
Keys of the steps of a frame.

In topological order, each from its own part and the keys of its inputs. Steps of inner loops have
no frame yet: they get a key that stands for "whatever the items are", which is all that the list
gathered from them depends on besides the loop. So a gathered list is found in the cache before any
item is made.

Such a key is a function of the loops that the step is in beyond those of the frame, in order; it
does not name these loops. Whoever takes it states which of its own loops stand for them
(`at`), so that the pairs of a loop with itself and those of two equal loops differ, while the same
step over two equal loops is the same work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from nodetool_core.engine.duplicates import find_duplicates
from nodetool_core.engine.frames import Frame, Frames
from nodetool_core.engine.keys import KEY_BYTES, Key, combine, of_node, unique
from nodetool_core.engine.run_environment import RunEnvironment
from nodetool_core.engine.seeds import Seeds
from nodetool_core.engine.steps import ITEM, LOCAL, Feed, GatherStep, NodeStep, Step
from nodetool_core.graph import GraphNode

_NO_KEY: Key = b""
"""Of a gate, whose value nobody takes."""


Base = Callable[[GraphNode, dict[str, object], str], Key]
"""Makes the part of a key that comes from no input, as `RunEnvironment.base` does."""


class FrameKeys:
    """Makes the keys of one run."""

    def __init__(
        self,
        frames: Frames,
        environment: RunEnvironment,
        seeds: Seeds,
        base: Base | None = None,
    ) -> None:
        self._frames = frames
        self._environment = environment
        self._seeds = seeds
        self._make_base = base or environment.base
        self._everywhere: dict[int, Key] = {}
        """Keys of all steps in loops as seen from outside of all loops."""

    def make(self, frame: Frame) -> None:
        """Fill `frame.keys`, and note which steps are the same work as an earlier one."""
        plan, keys, own = self._frames.plan, frame.keys, frame.number
        if plan.fixed is not None:
            frame.keys = plan.fixed.keys
            frame.duplicates, frame.duplicate_of = plan.fixed.duplicates
            self._mark_special(frame)
            return
        steps, blake2b, local = plan.steps, hashlib.blake2b, frame.region.local
        keys += [_NO_KEY] * len(frame.steps)
        inner: dict[int, Key] = {}
        key_of = keys.__getitem__
        for number in plan.regions[own].subtree:
            step = steps[number]
            if step.region != own:
                inner[number] = self._inner(frame, step, inner)
                continue
            key = plan.keys[number]
            if key is None and isinstance(step, NodeStep) and step.base and local[step.slot]:
                # `_other` for nearly all steps, in short.
                key = blake2b(
                    step.base + b"".join(map(key_of, step.sources)), digest_size=KEY_BYTES
                ).digest()
            elif key is None:
                key = self._other(frame, step, inner)
            keys[step.slot] = key
        if frame.parent is None:
            self._everywhere = inner
        frame.duplicates, frame.duplicate_of = find_duplicates(keys, frame.region.shareable)
        self._mark_special(frame)

    def _mark_special(self, frame: Frame) -> None:
        """Have steps that settle with others, or whose values are this run's, go the long way."""
        if frame.duplicates:
            frame.local = local = bytearray(frame.local)
            for slot in frame.duplicates:
                frame.plain[slot] = local[slot] = 0
        for slot in frame.duplicate_of:
            frame.plain[slot] = 0
        for number in self._seeds.steps():
            step = self._frames.plan.steps[number]
            if step.region == frame.number:
                frame.plain[step.slot] = 0

    def _other(self, frame: Frame, step: Step, inner: dict[int, Key]) -> Key:
        if isinstance(step, GatherStep):
            return self._of_gathered(frame, step, inner)
        if not isinstance(step, NodeStep):
            return _NO_KEY
        if not step.node.node_class.cacheable:
            return unique()
        base = self._base(step, self._seeds.values(step, frame.index))
        if step.shareable and not step.compiled.is_plain:
            frame.bases[step.slot] = base
        return of_node(base, [self._feed_key(frame, feed) for feed in step.feeds])

    def _inner(self, frame: Frame, step: Step, inner: dict[int, Key]) -> Key:
        """Return the key of a step of an inner loop, whatever its items are."""
        if isinstance(step, GatherStep):
            return self._of_gathered(frame, step, inner)
        if not isinstance(step, NodeStep):
            return _NO_KEY
        if not step.node.node_class.cacheable:
            return unique()
        base = self._base(step, self._seeds.of_all_items(step))
        return of_node(base, [self._inner_feed_key(frame, feed, inner) for feed in step.feeds])

    def _of_gathered(self, frame: Frame, gather: GatherStep, inner: dict[int, Key]) -> Key:
        """Return the key of what a loop gives: of rounds, what is carried on in them counts too."""
        steps = self._frames.plan.steps

        def collected(one: GatherStep) -> Key:
            source = steps[one.source]
            key = inner[one.source] if source.region != frame.number else frame.keys[source.slot]
            return combine(key, b"%d" % one.output)

        parts = [collected(gather), gather.gap_policy.encode(), gather.carried.encode()]
        rounds = steps[gather.opener].rounds
        if rounds is not None and isinstance(closer := steps[rounds.closer], NodeStep):
            parts.append(self._base(closer, closer.node.values))
            parts += [collected(one) for _, one in sorted(rounds.gathers.items())]
        return combine(b"gather", *parts)

    def _base(self, step: NodeStep, values: dict[str, Any]) -> Key:
        if step.base is not None:
            return step.base
        return self._make_base(step.node, values, step.wiring)

    def own_part(self, frame: Frame, step: NodeStep) -> bytes:
        """Return the part of a step's key that comes from no input; none where it has none."""
        return step.base or frame.bases.get(step.slot, b"")

    def _feed_key(self, frame: Frame, feed: Feed) -> Key:
        """Return the key of what a step of the frame itself takes."""
        if feed.kind == ITEM:
            return self._item_keys(frame, feed.source)[feed.output]
        return (frame if feed.kind == LOCAL else self._frames.source(frame, feed)).keys[feed.slot]

    def _inner_feed_key(self, frame: Frame, feed: Feed, inner: dict[int, Key]) -> Key:
        """
        Return the key of what a step of an inner loop takes.

        What it is, and at which of the step's loops beyond the frame's.
        """
        depth, own = len(frame.index), frame.region.loops
        loops = self._frames.plan.steps[feed.source].loops
        if feed.source in inner:
            key = inner[feed.source]
        elif all(loop in own for loop in loops):
            if feed.source in own and feed.kind == ITEM:
                return self._item_keys(frame, feed.source)[feed.output]
            key = self._frames.enclosing(frame, feed.region).keys[feed.slot]
        else:
            # In loops that the frame is only partly in: as seen from outside, for the items that
            # the frame is at.
            items = [part for loop in loops if loop in own for part in self._item_keys(frame, loop)]
            key = combine(
                self._everywhere[feed.source], bytes(loop in own for loop in loops), *items
            )
        at = [position - depth for position in feed.path if position >= depth]
        if feed.kind == ITEM:
            return combine(b"item of", key, bytes([*at, feed.item - depth]))
        return combine(b"at", key, bytes(at)) if at else key

    def _item_keys(self, frame: Frame, loop: int) -> list[Key]:
        """Return the keys of the item that a frame is at in one of its loops, one per output."""
        plan = self._frames.plan
        opener = self._frames.enclosing(frame, plan.steps[loop].region)
        number = frame.index[frame.region.loops.index(loop)]
        return self._frames.streams[loop, opener.index].keys[number]

    def item(
        self, frame: Frame, step: Step, number: int, values: tuple[Any, ...], chain: Key
    ) -> list[Key]:
        """
        Return a key per output of one item of a stream.

        By content where that is at hand, else by its place in the loop.

        Args:
            chain: Stands for what the stream was sent so far.
        """
        loop, environment = frame.keys[step.slot], self._environment
        if chain:
            loop = combine(loop, chain)
        return [
            environment.keys.item(value, combine(loop, b"%d" % output), number, environment.sources)
            for output, value in enumerate(values)
        ]
