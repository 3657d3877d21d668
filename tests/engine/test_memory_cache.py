"""The memory tier: bounded in bytes, least recently used first out."""

from __future__ import annotations

import functools
import logging
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodetool_core import ImageData
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.caching.sizes import MOST_OBJECTS, size_of_all

TEXT = "x" * 1000
ENTRY = size_of_all((TEXT,))


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(3 * ENTRY)
    for key in (b"a", b"b", b"c"):
        cache.put(key, (TEXT,))
    assert cache.get(b"a") == (TEXT,)
    cache.put(b"d", (TEXT,))
    assert [key for key in (b"a", b"b", b"c", b"d") if cache.get(key) is not None] == [
        b"a",
        b"c",
        b"d",
    ]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=60), st.integers(0, 3000)
)
def test_the_bound_is_kept_and_what_is_there_is_what_was_put_last(
    puts: list[tuple[int, int]], bound: int
) -> None:
    cache, last = MemoryCache(bound), dict[bytes, str]()
    for name, length in puts:
        cache.put(bytes([name]), ("x" * length,))
        if size_of_all(("x" * length,)) <= bound:
            last[bytes([name])] = "x" * length
        info = cache.info
        assert info.bytes <= info.bound == bound and info.entries == len(cache)
    kept = {key: found for key in last if (found := cache.get(key)) is not None}
    assert all(found == (last[key],) for key, found in kept.items())
    assert cache.info.bytes == sum(map(size_of_all, kept.values()))


def test_what_is_larger_than_the_bound_is_left_out_and_displaces_nothing() -> None:
    cache = MemoryCache(2 * ENTRY)
    cache.put(b"a", (TEXT,))
    cache.put(b"b", (TEXT * 10,))
    assert (cache.get(b"a"), cache.get(b"b")) == ((TEXT,), None)
    assert (cache.info.hits, cache.info.misses) == (1, 1)


@pytest.mark.parametrize(
    ("value", "least"),
    [
        (ImageData.of(Image.new("RGBA", (100, 50))), 100 * 50 * 4),
        (ImageData.of(Image.new("I;16", (100, 50))), 100 * 50 * 2),
        ([ImageData.of(Image.new("L", (100, 50))) for _ in range(3)], 3 * 100 * 50),
        ({"a": np.zeros((10, 10))}, 800),
        (np.zeros(1000, np.uint8)[:10], 1000),
        (np.frombuffer(memoryview(bytes(1000)), np.uint8)[:10], 1000),
        ("é" * 1000, 1000),
    ],
)
def test_what_a_value_takes(value: object, least: int) -> None:
    assert least <= size_of_all((value,)) <= 2 * least + 1500


def test_a_cleared_cache_is_empty() -> None:
    cache = MemoryCache(3 * ENTRY)
    cache.put(b"a", (TEXT,))
    cache.clear()
    assert (cache.get(b"a"), len(cache), cache.info.bytes) == (None, 0, 0)


# -- E9: objects of classes of one's own -----------------------------------------------------------

BIG = 100_000


class Held:
    """Holds something."""

    def __init__(self, content: Any) -> None:
        self.content = content


class Slotted:
    """Holds it in a slot."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content


@dataclass
class Data:
    """Holds it in a field."""

    content: Any


class Listing(list[Any]):
    """A list of one's own class, with a field."""


def listing(content: Any) -> Listing:
    made = Listing([1])
    made.content = content  # type: ignore[attr-defined]
    return made


HOLDERS: list[Callable[[Any], Any]] = [
    Held,
    Slotted,
    Data,
    listing,
    lambda content: Held({"deep": [Slotted((content,))]}),
    lambda content: deque([content]),
    lambda content: OrderedDict(a=content),
    lambda content: SimpleNamespace(content=content),
    lambda content: functools.partial(print, content),
    lambda content: np.array([content, None], dtype=object),
]
CONTENTS: list[Callable[[], Any]] = [
    lambda: b"x" * BIG,
    lambda: bytearray(BIG),
    lambda: np.zeros(BIG, "u1"),
    lambda: np.zeros(BIG, "u1")[:10],
    lambda: torch.zeros(BIG, dtype=torch.uint8),
    lambda: torch.zeros(BIG, dtype=torch.uint8)[:10],
    lambda: Image.new("L", (BIG // 100, 100)),
    lambda: ImageData.of(Image.new("L", (BIG // 100, 100))),
    lambda: [f"{n:020}" for n in range(BIG // 69)],
]


@pytest.mark.parametrize("content", CONTENTS)
def test_e9_an_object_takes_what_it_holds(content: Callable[[], Any]) -> None:
    for holder in HOLDERS:
        assert BIG <= size_of_all((holder(content()),)) <= BIG * 1.3 + 4000


def test_e9_the_bound_holds_for_objects() -> None:
    cache = MemoryCache(10 * BIG)
    for number in range(50):
        cache.put(bytes([number]), (Held(np.zeros(BIG, "u1")),))
    assert len(cache) == 9


def test_e9_what_is_shared_or_circular_counts_once_and_what_programs_share_not_at_all() -> None:
    one = Held(b"x" * BIG)
    one.itself, one.log, one.module, one.call = one, logging.getLogger("x"), sys, print  # type: ignore[attr-defined]
    assert BIG <= size_of_all(([one, one, Held(one)],)) <= BIG + 4000


def test_e9_the_effort_is_bounded() -> None:
    many = [Held(bytes(100)) for _ in range(3 * MOST_OBJECTS)]
    one = size_of_all((many[0],)) - size_of_all((0,))
    assert len(many) * one * 0.7 <= size_of_all((many,)) <= len(many) * one * 1.5
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    assert 20_000 * 50 < size_of_all((deep,)) < 20_000 * 200
