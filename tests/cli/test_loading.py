"""Tests of which library is shown as being imported."""

import gc
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType

import pytest

from nodetool_core.cli.loading import loading
from nodetool_core.cli.progress import Lines


@pytest.fixture
def imports_meanwhile(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let modules come whenever the collector runs, which it does at nearly every allocation."""
    monkeypatch.setattr(sys, "modules", dict(sys.modules))

    def import_one(phase: str, _info: Mapping[str, int]) -> None:
        if phase == "start":
            sys.modules[f"meanwhile_{len(sys.modules)}"] = ModuleType("meanwhile")

    threshold = gc.get_threshold()
    gc.callbacks.append(import_one)
    gc.set_threshold(1)
    yield
    gc.set_threshold(*threshold)
    gc.callbacks.remove(import_one)


def test_n6_modules_that_come_meanwhile_do_no_harm(imports_meanwhile: None) -> None:
    before = len(sys.modules)

    assert loading() == ""
    assert len(sys.modules) > before


def test_n6_a_library_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()

    for library in ("torch", "diffusers", "torch", "", "diffusers"):
        lines.show_loading(library)

    assert capsys.readouterr().err.splitlines() == ["Loading torch", "Loading diffusers"]
