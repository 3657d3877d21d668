"""The engine that a command runs workflows on: every installed pack, results kept on disk from one command to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodetool_core.engine.engine import Engine


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine for the time of a command. What it has finished is on disk when the block ends, also after Ctrl-C."""
    from nodetool_core.engine.caching.tiered import default_cache
    from nodetool_core.engine.engine import Engine
    from nodetool_core.registry import Registry

    cache = default_cache()
    try:
        with Engine(registry=Registry.installed(), cache=cache) as made:
            yield made
    finally:
        cache.close()
