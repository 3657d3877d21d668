"""Engines with each kind of cache, and a stage for the nodes of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.caching.tiered import TieredCache
from nodetool_core.engine.engine import Engine
from tests.engine.nodes import Stage

TIERS = ("off", "memory", "disk")

MakeEngine = Callable[[], Engine]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=2) as engine:
        yield engine


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(request.node.name)
    yield stage
    stage.gate.set()
    del Stage.stages[stage.name]


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_engine(tier: str, tmp_path: Path) -> Iterator[MakeEngine]:
    """
    Make engines that share what their tier shares: nothing, or the disk.

    Each has a memory of its own.
    """
    made: list[tuple[Engine, DiskCache | None]] = []

    def make() -> Engine:
        disk = DiskCache(tmp_path / "results", least_seconds=0) if tier == "disk" else None
        memory = MemoryCache(0 if tier == "off" else 1 << 24)
        engine = Engine(cache=TieredCache(memory, disk) if disk else memory, workers=2)
        made.append((engine, disk))
        return engine

    yield make
    for engine, disk in made:
        engine.close()
        if disk is not None:
            disk.close()
