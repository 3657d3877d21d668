"""
Keys of the steps of a frame.

In topological order, each from its own part and the keys of its inputs. Steps of inner loops have no frame yet: they get a
key that stands for "whatever the items are", which is all that the list gathered from them depends on besides the loop. So
a gathered list is found in the cache before any item is made.
"""

from __future__ import annotations

import hashlib
from typing import Any

from nodetool_core.engine.frames import Frame, Frames
from nodetool_core.engine.keys import Key, combine, unique
from nodetool_core.engine.plan import ITEM, LOCAL, Feed, Step
from nodetool_core.engine.services import Services


class FrameKeys:
    """Makes the keys of one run."""

    def __init__(self, frames: Frames, services: Services, seeded: dict[int, dict[str, Any]]) -> None:
        self._frames = frames
        self._services = services
        self._seeded = seeded

    def make(self, frame: Frame) -> None:
        """Fill `frame.keys`, and note which steps are the same work as an earlier one."""
        plan, keys, own = self._frames.plan, frame.keys, frame.region
        steps, seen = plan.steps, {}  # type: ignore[var-annotated]
        inner: dict[int, Key] = {}
        blake2b = hashlib.blake2b
        for number in plan.regions[own].subtree:
            step = steps[number]
            if step.feeds and step.shareable:
                parts = [step.base or self._base(step)]
                for feed in step.feeds:
                    parts.append(feed.name)
                    parts.append(keys[feed.slot] if feed.kind == LOCAL and step.region == own else self._feed_key(frame, feed, inner))
                key = blake2b(b"".join(parts), digest_size=16).digest()
            else:
                key = self._other(frame, step, inner)
            if step.region != own:
                inner[number] = key
                continue
            keys.append(key)
            if step.shareable:
                first = seen.setdefault(key, step.slot)
                if first != step.slot:
                    frame.twins.setdefault(first, []).append(step.slot)
                    frame.twin_of[step.slot] = first

    def _other(self, frame: Frame, step: Step, inner: dict[int, Key]) -> Key:
        node = step.node
        if node is None:
            source = self._frames.plan.steps[step.gather_source]
            origin = frame.keys[source.slot] if source.region == frame.region else inner[source.index]
            return combine(b"gather", origin, b"%d" % step.gather_output)
        if not node.node_class.cacheable:
            return unique()
        parts = [step.base or self._base(step)]
        for feed in step.feeds:
            parts += [feed.name, self._feed_key(frame, feed, inner)]
        return combine(*parts)

    def _base(self, step: Step) -> Key:
        assert step.node is not None
        return self._services.base(step.node, self._seeded.get(step.index, step.node.values))

    def _feed_key(self, frame: Frame, feed: Feed, inner: dict[int, Key]) -> Key:
        if feed.source in inner:
            return combine(b"item of", inner[feed.source]) if feed.kind == ITEM else inner[feed.source]
        loops = self._frames.plan.regions[frame.region].loops
        origin = frame if feed.region == frame.region else self._frames.enclosing(frame, feed.region)
        if feed.kind != ITEM:
            return origin.keys[feed.slot]
        if feed.source not in loops:
            return combine(b"item of", origin.keys[feed.slot])
        return self._frames.streams[feed.source, origin.index].keys[frame.index[loops.index(feed.source)]][feed.output]

    def item(self, frame: Frame, step: Step, number: int, values: tuple[Any, ...]) -> list[Key]:
        """A key per output of one item of a stream: by content where that is at hand, else by its place in the loop."""
        loop, services = frame.keys[step.slot], self._services
        return [services.keys.item(value, combine(loop, b"%d" % output), number, services.sources) for output, value in enumerate(values)]
