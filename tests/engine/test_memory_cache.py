"""The memory tier: bounded in bytes, least recently used first out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nodetool_core import Picture
from nodetool_core.engine.caching.memory import MemoryCache, size_of_all

TEXT = "x" * 1000
ENTRY = size_of_all((TEXT,))


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(3 * ENTRY)
    for key in (b"a", b"b", b"c"):
        cache.put(key, (TEXT,))
    assert cache.get(b"a") == (TEXT,)
    cache.put(b"d", (TEXT,))
    assert [key for key in (b"a", b"b", b"c", b"d") if cache.get(key) is not None] == [b"a", b"c", b"d"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=60), st.integers(0, 3000))
def test_the_bound_is_kept_and_what_is_there_is_what_was_put_last(puts: list[tuple[int, int]], bound: int) -> None:
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
        (Picture.of(Image.new("RGBA", (100, 50))), 100 * 50 * 4),
        (Picture.of(Image.new("I;16", (100, 50))), 100 * 50 * 2),
        ([Picture.of(Image.new("L", (100, 50)))] * 3, 3 * 100 * 50),
        ({"a": np.zeros((10, 10))}, 800),
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
