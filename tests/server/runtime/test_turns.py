"""
Turns (V4): so many at once, so many bytes together, first come first served, and none is lost.
"""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from nodetool_core.server.runtime.turns import Turns

COUNT, MOST = 3, 100
ACTIONS = st.lists(
    st.tuples(st.sampled_from(["ask", "give back", "withdraw", "cancel"]), st.integers(0, MOST)),
    max_size=60,
)


@given(actions=ACTIONS)
def test_v4_turns_keep_their_bounds_and_their_order(actions: list[tuple[str, int]]) -> None:
    async def play() -> None:
        turns = Turns(COUNT, MOST)
        asked: list[tuple[asyncio.Future[None], int]] = []
        for action, number in actions:
            under_way = [one for one in asked if one[0].done()]
            if action == "ask":
                is_free = turns.has_room(number)
                asked.append((turns.ask(number), number))
                assert asked[-1][0].done() == is_free
            elif action == "give back" and under_way:
                one = under_way[number % len(under_way)]
                asked.remove(one)
                turns.give_back(one[1])
            elif asked and action in ("withdraw", "cancel"):
                one = asked.pop(number % len(asked))
                if action == "cancel" and not one[0].done():
                    one[0].cancel()
                turns.withdraw(*one)
            at_once = [size for turn, size in asked if turn.done()]
            waiting = [size for turn, size in asked if not turn.done()]
            assert len(at_once) <= COUNT
            assert sum(at_once) <= MOST
            assert [turn.done() for turn, _ in asked] == sorted(
                (turn.done() for turn, _ in asked), reverse=True
            ), "one was passed over"
            if waiting:
                assert len(at_once) == COUNT or sum(at_once) + waiting[0] > MOST, (
                    "it waits for nothing"
                )
        for turn, size in asked:
            turns.withdraw(turn, size)
        assert turns.has_room(MOST), "bytes were lost"
        assert all(turns.ask(0).done() for _ in range(COUNT)), "a turn was lost"

    asyncio.run(play())
