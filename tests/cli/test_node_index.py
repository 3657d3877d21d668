"""Listings read an index of nodes, which is never older than what it was made of."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from nodetool_core.cli import node_index
from nodetool_core.cli.node_index import node_summaries
from tests.cli.conftest import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NODE = """
from nodetool_core import Node
from index_helper import WORD

class Twice(Node):
    __doc__ = f"Doubles {WORD}."
    a: int = 1

    def process(self) -> int:
        return 2 * self.a
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder with an indexed pack, and a module beside it that its nodes import."""
    folder = tmp_path / "site"
    package, info = folder / "index_pack", folder / "index_pack-1.0.dist-info"
    (package / "inner").mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text(
        "from nodetool_core import Pack\npack = Pack('index_pack', indexed=True)\n"
    )
    (package / "maths.py").write_text(NODE)
    (package / "inner" / "data.txt").write_text("1")
    (folder / "index_helper.py").write_text("WORD = 'a number'\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: index-pack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nodetool.packs]\nindex_pack = index_pack:pack\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path / "cache"))
    # Files of this test are as new as can be.
    monkeypatch.setattr(node_index, "_SETTLED", -3600.0)
    yield folder
    forget()
    sys.modules.pop("index_pack", None)


def forget() -> None:
    """Have Python import the pack's nodes anew."""
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.startswith(("index_pack.", "index_helper"))]:
        del sys.modules[name]


def listed() -> dict[str, str]:
    """Return the pack's nodes and their descriptions, as a new process lists them."""
    forget()
    nodes, _ = node_summaries()
    return {node.node_type: node.description for node in nodes if "index_pack" in node.node_type}


def is_imported() -> bool:
    return "index_pack.maths" in sys.modules


TWICE = {"index_pack.maths.Twice": "Doubles a number."}


def test_nodes_are_imported_for_the_first_listing_only(site: Path) -> None:
    assert listed() == TWICE and is_imported()
    assert listed() == TWICE and not is_imported()


def _touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a node's file": lambda site: _touch(site / "index_pack" / "maths.py"),
    "a module elsewhere": lambda site: _touch(site / "index_helper.py"),
    "a file with data": lambda site: _touch(site / "index_pack" / "inner" / "data.txt"),
    "its size": lambda site: _grow(site / "index_pack" / "maths.py"),
    "a new module": lambda site: (site / "index_pack" / "inner" / "new.py").write_text(""),
    "one module less": lambda site: (site / "index_pack" / "inner" / "data.txt").unlink(),
}


def _grow(path: Path) -> None:
    before = path.stat().st_mtime_ns
    path.write_text(path.read_text() + "\n")
    os.utime(path, ns=(before, before))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_any_file_has_nodes_imported_again(change: str, site: Path) -> None:
    listed()
    CHANGES[change](site)
    assert listed() == TWICE and is_imported()
    assert listed() == TWICE and not is_imported()


def test_what_changed_is_listed(site: Path) -> None:
    listed()
    (site / "index_helper.py").write_text("WORD = 'all numbers'\n")
    assert listed() == {"index_pack.maths.Twice": "Doubles all numbers."}


def test_files_that_have_just_changed_are_not_indexed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_index, "_SETTLED", 60.0)
    assert listed() == listed() == TWICE and is_imported()


def test_a_module_that_fails_is_reported_each_time(site: Path) -> None:
    (site / "index_pack" / "broken.py").write_text("import no_such_library\n")
    for _ in range(2):
        listed()
        _, problems = node_summaries()
        assert [problem.where for problem in problems] == ["index_pack.broken"]


def test_a_pack_is_indexed_only_where_it_says_so(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = site / "index_pack" / "__init__.py"
    init.write_text(init.read_text().replace(", indexed=True", ""))
    sys.modules.pop("index_pack", None)
    assert listed() == listed() == TWICE and is_imported()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"environment": 1, "files": []}'])
def test_an_index_that_something_else_wrote_is_made_anew(content: str, site: Path) -> None:
    listed()
    index = next((site.parent / "cache" / "nodes").glob("index_pack-*.json"))
    good = json.loads(index.read_text())
    index.write_text(content)
    assert listed() == TWICE and is_imported()
    assert json.loads(index.read_text()).keys() == good.keys()


def test_without_a_folder_to_write_to_nodes_are_listed(
    site: Path, nodetool: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "taken").write_text("")
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(site / "taken"))
    done = nodetool("nodes", "list", "doubles")
    assert done.code == 0 and "index_pack.maths.Twice" in done.out


def test_a_pack_that_is_not_there_is_reported(site: Path) -> None:
    init = site / "index_pack" / "__init__.py"
    init.write_text(init.read_text().replace("'index_pack'", "'no_such_index_pack'"))
    sys.modules.pop("index_pack", None)
    assert listed() == {}
    assert any("no_such_index_pack" in problem.where for problem in node_summaries()[1])
