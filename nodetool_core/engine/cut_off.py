"""
Early cut-off: what has come to a step before is not computed again.

A key is made of keys, so a change anywhere above a step gives it a new one, though the value that
reaches it may be the same as before. Of a step whose inputs have come, and which is no work of
microseconds, a second key is made of what came:

    content key  = hash( own part of the step's key, for each input: name, content of its value )

    content key  -> the key of the result that was made of these inputs
    work key     -> how many seconds that took             (both are entries of the result cache)

A digest costs time, so none is made that may cost more than a small share of what it may save: the
work key, which is a hash of the step's own part alone, states what that is. What it states is
known for the rest of the process, so that a step of a few microseconds pays a look into a table.
The result is kept under the new key too, so that the next plan knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.caching.sizes import size_of
from nodetool_core.engine.keys import Key, combine
from nodetool_core.node_base import SKIPPED, Lane

if TYPE_CHECKING:
    from nodetool_core.engine.compiled_node import Values
    from nodetool_core.engine.frame_keys import FrameKeys
    from nodetool_core.engine.frames import Frame
    from nodetool_core.engine.node_inputs import NodeInputs
    from nodetool_core.engine.run_environment import RunEnvironment
    from nodetool_core.engine.steps import NodeStep

LEAST_SECONDS = 0.001
"""What took less is not looked for: a digest and two entries cost microseconds as well."""
SHARE: Final = 0.02
"""How much of a step's time the digests of its inputs may take."""
_PIXELS_PER_SECOND: Final = 1.5e9
"""Bytes of images and arrays that are hashed; the first was seen at 1.8e9."""
_OBJECTS_PER_SECOND: Final = 2e8
"""Bytes of numbers, texts and lists, which are written out as text to be hashed."""
_NOTHING: Final = b""


class CutOff:
    """Early cut-off in one run."""

    def __init__(self, inputs: NodeInputs, keys: FrameKeys, environment: RunEnvironment) -> None:
        self._inputs = inputs
        self._keys = keys
        self._environment = environment
        self._is_used = environment.options.use_cache
        self._times = environment.work_times
        self._made: dict[tuple[Frame, int], Key | None] = {}
        """Content keys of steps that were looked for in vain, and are under way."""

    def find(self, frame: Frame, step: NodeStep) -> Values | None:
        """Return what a step returned for what has come to it now; None where that is unknown."""
        if not self._is_used or not may_be_cut_off(step):
            return None
        base = self._keys.own_part(frame, step)
        seconds = self._times.get(base) if base else 0.0
        if not seconds:
            return None
        cache = self._environment.cache
        key = self._made[frame, step.slot] = self._content_key(frame, step, base, seconds)
        found = None if key is None else cache.get(key)
        values = None if found is None else cache.get(found[0])
        if values is not None:
            del self._made[frame, step.slot]
            # In memory alone: on disk the result lies already.
            cache.put(frame.keys[step.slot], values, 0.0)
        return values

    def note(self, frame: Frame, step: NodeStep, seconds: float) -> None:
        """Note what a result was made of, while it is there."""
        known = self._made.pop((frame, step.slot), None) if self._made else None
        if seconds < LEAST_SECONDS or not may_be_cut_off(step):
            return
        base = self._keys.own_part(frame, step)
        key = known or (self._content_key(frame, step, base, seconds) if base else None)
        if key is None:
            return
        self._times.note(base, seconds)
        self._environment.cache.put(key, (frame.keys[step.slot],), seconds)

    def _content_key(self, frame: Frame, step: NodeStep, base: bytes, seconds: float) -> Key | None:
        """Return the key of what has come to a step; None where it has none, or costs too much."""
        came = [(feed.property, self._inputs.came(frame, step, feed)) for feed in step.feeds]
        if sum(_seconds_to_hash(value) for _, value in came) > SHARE * seconds:
            return None
        keys, sources, parts = self._environment.keys, self._environment.sources, [b"inputs", base]
        for name, value in came:
            content = _NOTHING if value is SKIPPED else keys.content(value, sources)
            if content is None:
                return None
            parts += [name.encode(), content]
        return combine(*parts)


def may_be_cut_off(step: NodeStep) -> bool:
    """
    Return whether what comes to a step says what it returns.

    A name of a file does not say what is in it.
    """
    compiled = step.compiled
    if not (compiled.shareable and step.arguments) or compiled.lane is Lane.INLINE:
        return False
    return not compiled.places or compiled.places.isdisjoint(name for name, *_ in step.arguments)


def _seconds_to_hash(value: object) -> float:
    if isinstance(value, ImageData):
        return 0.0 if value.has_digest else size_of(value) / _PIXELS_PER_SECOND
    if isinstance(value, Mapping):
        return sum(map(_seconds_to_hash, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(_seconds_to_hash, value))
    rate = _PIXELS_PER_SECOND if hasattr(value, "tobytes") else _OBJECTS_PER_SECOND
    return size_of(value) / rate
