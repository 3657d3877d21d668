"""
A result is let go of as soon as nobody needs it any more.

So a long chain holds no more than a short one.
"""

from __future__ import annotations

import gc
from typing import Any, NamedTuple

import pytest

from nodes.nodetool.output import Output
from nodetool_core import Lane, Node, Workflow
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.engine import Engine
from tests.engine.test_streams import Heavy


class Another(Node):
    """Makes something heavy of something heavy."""

    before: Any = None
    beside: Any = None

    def process(self) -> Any:
        return Heavy()


class AnotherInline(Another):
    """As Another, inline."""

    lane = Lane.INLINE


class Two(NamedTuple):
    """Two outputs."""

    output: Any
    number: int


class AnotherOfTwo(Another):
    """As Another, beside a second output."""

    lane = Lane.INLINE

    def process(self) -> Two:  # type: ignore[override]
        return Two(Heavy(), 1)


class Count(Node):
    """Ends a chain of heavy things with a number."""

    before: Any = None

    def process(self) -> int:
        return 1


class CountInline(Count):
    """As Count, inline."""

    lane = Lane.INLINE


@pytest.mark.parametrize(
    ("another", "count"),
    [(Another, Count), (AnotherInline, CountInline), (Another, CountInline), (AnotherOfTwo, Count)],
)
@pytest.mark.parametrize("readers", [1, 2])
def test_what_nobody_needs_any_more_is_let_go_of(
    another: type[Node], count: type[Node], readers: int
) -> None:
    gc.collect()
    Heavy.most = Heavy.alive = 0
    node: Any = another()
    for _ in range(30):
        inputs = (
            {"before": node["output"]}
            if readers == 1
            else {"before": node["output"], "beside": node["output"]}
        )
        node = another(**inputs)
    with Engine(cache=MemoryCache(0), workers=2) as engine:
        result = Workflow(
            Output(name="x", value=count(before=node["output"])["output"]), engine=engine
        ).run()
        assert result["x"] == 1
        assert Heavy.most <= 3
        assert Heavy.alive == 0, "nothing is kept once the run is over"
