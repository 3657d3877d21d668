"""
What every test needs.

A result cache and settings of its own, and no clock that a busy machine runs against.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("nodetool", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nodetool")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so. Programs that tests start inherit it, and would
    # be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results on disk go where the test can be found again, never into the user's cache."""
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path.parent / f"{tmp_path.name}-cache"))


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests from reading the user's keys, or writing to them."""
    monkeypatch.setenv("NODETOOL_SETTINGS", str(tmp_path.parent / f"{tmp_path.name}-settings.env"))


@pytest.fixture(autouse=True)
def own_engine() -> Iterator[None]:
    """Give each test an engine that has no results or models of another."""
    yield
    if "nodetool_core.engine.default" in sys.modules:
        sys.modules["nodetool_core.engine.default"].close_default_engine()
