"""
Which weights to load next, and what has to go for them.

Pure functions over names, bytes and an order.

The problem. *Uses* are calls that need some parts on the device together; a use may begin once
those before it are done. Parts have sizes, the device a budget. Wanted: an order of the uses, and
what to drop before each, so that the fewest bytes are loaded. With one order, equal sizes and one
part per use this is paging, which Belady (1966) solves: drop what is used farthest in the future.
With sizes or a choice of order it is NP-hard, so:

- A use whose parts are all there is done at once: that costs nothing and can only make more uses
  ready.
- Otherwise some ready use is loaded for. What nothing waits for goes first; of the rest, every set
  that makes just enough room is a candidate, so nothing goes without need.
- The states (uses done, parts there) are searched best first by `bytes loaded + bytes of what is
  still needed and not there`, which never overestimates (A*). The first plan that comes out is the
  optimum.
- After `effort` states the search gives up being exact: a beam of the most promising states goes on
  to the end.

A part that nobody is known to need again has no place in a plan. Among those, `least_worth`
decides: least recently used first, weighted by what reading them again would cost (GreedyDual-Size,
Cao and Irani 1997).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from nodetool_core.models.planning.schedule import Part, Schedule, Step, Use

EFFORT = 1500
"""
States that are looked at before the search settles for a good plan instead of the best.

Some tens of milliseconds.
"""

_BEAM = 12
_SUBSETS = 7
"""Up to so many droppable parts, all sets of them are candidates."""


def plan_loads(
    uses: Sequence[Use[Part]],
    sizes: Mapping[Part, int],
    budget: float,
    there: Collection[Part] = (),
    *,
    first: int | None = None,
    pinned: Collection[Part] = (),
    effort: int = EFFORT,
) -> Schedule[Part]:
    """
    Return an order of the uses, and drops, that load as few bytes as possible.

    Args:
        uses: What is to be done; `after` must not be circular.
        sizes: Bytes of every part.
        budget: Bytes that may be there at once. A use that needs more has everything else dropped,
            and itself goes after.
        there: Parts that are on the device to begin with.
        first: The use that has to be the first.
        pinned: Parts that can't be dropped for the first use.
        effort: States to look at before a good plan is enough; 0 gives the greedy one.
    """
    return _Search(uses, sizes, budget, there, first, pinned).run(effort)


def least_worth(
    candidates: Iterable[tuple[float, Part]], sizes: Mapping[Part, int], shortfall: int
) -> list[Part]:
    """
    Return what to drop of parts that nobody is known to need, each with its worth.

    The least, and no more than needed.

    The worth of a part is the manager's clock when it was used last plus the cost of reading it
    again per byte.
    """
    chosen: list[Part] = []
    for _, part in sorted(candidates, key=lambda pair: pair[0]):
        if shortfall <= 0:
            break
        chosen.append(part)
        shortfall -= sizes[part]
    return _pruned(chosen, sizes, -shortfall)


def _pruned(chosen: list[Part], sizes: Mapping[Part, int], spare: int) -> list[Part]:
    """
    Return the drops without those that are not needed for the room.

    The later ones in the list are kept first.
    """
    for part in reversed(chosen[:]):
        if 0 < sizes[part] <= spare:
            chosen.remove(part)
            spare -= sizes[part]
    return chosen


@dataclass(frozen=True, slots=True)
class _State:
    """Sets as bits: which uses are done and which parts are there, and how it came to that."""

    done: int
    there: int
    cost: int
    before: _State | None = None
    loaded_for: int = -1
    free: tuple[int, ...] = ()
    """Uses done after the load because their parts were there."""


class _Search(Generic[Part]):
    def __init__(
        self,
        uses: Sequence[Use[Part]],
        sizes: Mapping[Part, int],
        budget: float,
        there: Collection[Part],
        first: int | None,
        pinned: Collection[Part],
    ) -> None:
        self._names: list[Part] = list(
            dict.fromkeys(part for use in uses for part in sorted(use.parts, key=repr))
        )
        self._names += [part for part in there if part not in set(self._names)]
        bit = {name: 1 << index for index, name in enumerate(self._names)}
        self._sizes = [sizes[name] for name in self._names]
        self._budget = budget
        self._parts = [sum(bit[part] for part in use.parts) for use in uses]
        self._before = [sum(1 << earlier for earlier in use.after) for use in uses]
        self._ancestors = _ancestors(self._before)
        self._all = (1 << len(uses)) - 1
        self._first = first
        self._pinned = sum(bit.get(part, 0) for part in pinned)
        self._start_there = sum(bit[part] for part in set(there))

    def run(self, effort: int) -> Schedule[Part]:
        start = _State(0, self._start_there, 0)
        if self._first is None:
            start = self._closure(start)
        found = self._exactly(start, effort) if effort else None
        if found is not None:
            return self._schedule(found, True)
        return self._schedule(
            min(
                (self._beam(start, width) for width in {1, _BEAM if effort else 1}),
                key=lambda end: end.cost,
            ),
            False,
        )

    # -- search ------------------------------------------------------------------------------------

    def _exactly(self, start: _State, effort: int) -> _State | None:
        order = itertools.count()
        frontier = [(start.cost + self._bound(start), 0, next(order), start)]
        best: dict[tuple[int, int], int] = {(start.done, start.there): 0}
        for _ in range(effort):
            if not frontier:
                return None
            state = heapq.heappop(frontier)[-1]
            if state.done == self._all:
                return state
            if state.cost > best[state.done, state.there]:
                continue
            for after in self._moves(state):
                known = best.get((after.done, after.there))
                if known is None or after.cost < known:
                    best[after.done, after.there] = after.cost
                    heapq.heappush(
                        frontier,
                        (
                            after.cost + self._bound(after),
                            -after.done.bit_count(),
                            next(order),
                            after,
                        ),
                    )
        return None

    def _beam(self, start: _State, width: int) -> _State:
        level = [start]
        ended: _State | None = None
        while level:
            reached: dict[tuple[int, int], _State] = {}
            for state in level:
                if state.done == self._all:
                    if ended is None or state.cost < ended.cost:
                        ended = state
                    continue
                for after in self._moves(state):
                    known = reached.get((after.done, after.there))
                    if known is None or after.cost < known.cost:
                        reached[after.done, after.there] = after
            worth = sorted(
                reached.values(),
                key=lambda state: (state.cost + self._bound(state), -state.done.bit_count()),
            )
            level = [state for state in worth if ended is None or state.cost < ended.cost][:width]
        assert ended is not None
        return ended

    def _bound(self, state: _State) -> int:
        """Return the bytes that will be loaded at least: all that is needed and not there."""
        needed = 0
        for use in _bits(self._all & ~state.done):
            needed |= self._parts[use]
        return self._bytes(needed & ~state.there)

    def _moves(self, state: _State) -> Iterator[_State]:
        """
        Yield the states after loading for one of the ready uses.

        All that is free after it is done as well.
        """
        is_first = state.before is None
        if is_first and self._first is not None:
            ready = [self._first]
        else:
            ready = [
                use for use in _bits(self._all & ~state.done) if not self._before[use] & ~state.done
            ]
        distances = self._distances(state)
        seen = set()
        for use in ready:
            parts = self._parts[use]
            if parts in seen:
                continue
            seen.add(parts)
            missing = self._bytes(parts & ~state.there)
            for drops in self._drops(
                state.there & ~parts & ~(self._pinned if is_first else 0),
                state.there | parts,
                distances,
            ):
                there = (state.there | parts) & ~drops
                after = _State(state.done | 1 << use, there, state.cost + missing, state, use)
                yield self._closure(self._trimmed(after))

    def _trimmed(self, state: _State) -> _State:
        """Return the state within the budget, which the use that is done may have exceeded."""
        if self._bytes(state.there) <= self._budget:
            return state
        drops = next(iter(self._drops(state.there, state.there, self._distances(state))))
        return _State(state.done, state.there & ~drops, state.cost, state.before, state.loaded_for)

    def _closure(self, state: _State) -> _State:
        """Return the state with every use done that needs nothing more."""
        done, free = state.done, []
        candidates = [
            use for use in _bits(self._all & ~done) if not self._parts[use] & ~state.there
        ]
        progress = True
        while progress and candidates:
            rest = [use for use in candidates if self._before[use] & ~done]
            progress = len(rest) < len(candidates)
            waiting = set(rest)
            for use in candidates:
                if use not in waiting:
                    done |= 1 << use
                    free.append(use)
            candidates = rest
        return _State(done, state.there, state.cost, state.before, state.loaded_for, tuple(free))

    def _drops(self, may_go: int, there: int, distances: Mapping[int, int]) -> Iterator[int]:
        """
        Yield sets of parts that make just enough room, good ones first.

        All that may go where that is not enough.
        """
        shortfall = self._bytes(there) - self._budget
        if shortfall <= 0:
            yield 0
            return
        live = may_go & sum(1 << part for part in distances)
        dead = may_go & ~live
        if self._bytes(dead) >= shortfall:
            yield self._least(sorted(_bits(dead), key=lambda part: -self._sizes[part]), shortfall)
            return
        shortfall -= self._bytes(dead)
        if self._bytes(live) <= shortfall:
            yield dead | live
            return
        farthest = sorted(_bits(live), key=lambda part: (-distances[part], -self._sizes[part]))
        if len(farthest) <= _SUBSETS:
            for drops in self._minimal_sets(farthest, shortfall):
                yield dead | drops
            return
        smallest = sorted(farthest, key=lambda part: self._sizes[part])
        enough = [part for part in smallest if self._sizes[part] >= shortfall]
        tried = [
            self._least(farthest, shortfall),
            self._least(smallest, shortfall),
            self._least(smallest[::-1], shortfall),
        ]
        tried += [1 << part for part in enough[:2]]
        for drops in dict.fromkeys(tried):
            yield dead | drops

    def _least(self, order: Sequence[int], shortfall: float) -> int:
        """Return the first parts that make room, without those that turn out not to be needed."""
        chosen = []
        for part in order:
            if shortfall <= 0:
                break
            chosen.append(part)
            shortfall -= self._sizes[part]
        return sum(
            1 << part for part in _pruned(chosen, dict(enumerate(self._sizes)), int(-shortfall))
        )

    def _minimal_sets(self, parts: Sequence[int], shortfall: float) -> Iterator[int]:
        for count in range(1, len(parts) + 1):
            for some in itertools.combinations(parts, count):
                size = sum(self._sizes[part] for part in some)
                if size >= shortfall and all(size - self._sizes[part] < shortfall for part in some):
                    yield sum(1 << part for part in some)

    def _distances(self, state: _State) -> dict[int, int]:
        """
        Return, by part, how many uses come at least before its next one.

        Parts that no use is left for are absent.
        """
        found: dict[int, int] = {}
        for use in _bits(self._all & ~state.done):
            before = (self._ancestors[use] & ~state.done).bit_count()
            for part in _bits(self._parts[use]):
                if before < found.get(part, before + 1):
                    found[part] = before
        return found

    # -- the answer --------------------------------------------------------------------------------

    def _schedule(self, end: _State, is_optimal: bool) -> Schedule[Part]:
        path = [end]
        while path[-1].before is not None:
            path.append(path[-1].before)
        steps: list[Step[Part]] = []
        there = self._start_there
        for state in reversed(path):
            if state.loaded_for >= 0:
                parts = self._parts[state.loaded_for]
                # What is trimmed after an oversized use is not dropped before it.
                drops = there & ~state.there & ~parts
                steps.append(Step(state.loaded_for, self._of(drops), self._of(parts & ~there)))
            steps += [Step(use, frozenset(), frozenset()) for use in state.free]
            there = state.there
        return Schedule(steps, end.cost, is_optimal)

    def _of(self, bits: int) -> frozenset[Part]:
        return frozenset(self._names[index] for index in _bits(bits))

    def _bytes(self, bits: int) -> int:
        return sum(self._sizes[index] for index in _bits(bits))


def _ancestors(before: Sequence[int]) -> list[int]:
    """Return all that has to be done before each use, not only at once."""
    found: dict[int, int] = {}
    pending = list(range(len(before)))
    while pending:
        use = pending[-1]
        missing = [earlier for earlier in _bits(before[use]) if earlier not in found]
        if use not in found and missing:
            pending += missing
            continue
        pending.pop()
        found[use] = before[use]
        for earlier in _bits(before[use]):
            found[use] |= found[earlier]
    return [found[use] for use in range(len(before))]


def _bits(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
