"""Figures of devices are asked for at any time, while torch is being imported as well."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import httpx2
import pytest

from nodetool_core.server.runtime.devices import device_memory


@pytest.fixture
def half_imported(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return torch as another thread's import has left it: a module that has nothing yet."""
    torch = ModuleType("torch")
    torch.__spec__ = ModuleSpec("torch", None)
    torch.__spec__._initializing = True  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


def test_nothing_is_known_of_devices_before_torch_is_there(
    half_imported: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert device_memory() == []
    monkeypatch.delitem(sys.modules, "torch")
    assert device_memory() == []


@pytest.mark.parametrize("path", ["/metrics", "/system_stats"])
def test_who_asks_is_answered_meanwhile(
    half_imported: ModuleType, client: httpx2.Client, path: str
) -> None:
    assert client.get(path).status_code == 200
