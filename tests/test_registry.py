"""Packs: found by entry point, looked up by type, and a module that fails loses only itself."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from nodetool_core import Pack, Registry, Workflow, packs
from nodetool_core.workflow import WorkflowDocument

GOOD = '''
from nodetool_core import Node

class Twice(Node):
    """
    Doubles a number.
    math, double

    Use cases:
    - Two for one
    """

    a: int = 1

    def process(self) -> int:
        return 2 * self.a
'''

FILES = {
    "__init__.py": "from nodetool_core import Pack\npack = Pack('third_party_pack')\n",
    "maths.py": GOOD,
    "deep/__init__.py": "",
    "split/__init__.py": "from third_party_pack.split._inner import Fourfold\n",
    "split/_inner.py": GOOD.replace("Twice", "Fourfold").replace("2 *", "4 *"),
    "deep/er.py": GOOD.replace("Twice", "Thrice").replace("2 *", "3 *"),
    "broken.py": "import a_library_that_is_not_there\n" + GOOD,
    "raising.py": "raise RuntimeError('no licence')\n" + GOOD,
    "unfinished.py": "class Half(\n",
    "exiting.py": (
        "from nodetool_core import Node\nclass Undeclared(Node):\n    a: int = 'x'\n    def"
        " process(self) -> int: return 1\n"
    ),
}


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Yield a registry with one pack, installed in a folder of its own."""
    for name, text in FILES.items():
        path = tmp_path / "third_party_pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint("third", "third_party_pack:pack", packs.ENTRY_POINT_GROUP),
        EntryPoint("gone", "a_pack_that_is_not_there:pack", packs.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    yield Registry.installed()
    for name in [name for name in sys.modules if name.partition(".")[0] == "third_party_pack"]:
        del sys.modules[name]


def test_a_module_that_fails_loses_only_itself(third_party: Registry) -> None:
    found = [node.spec.node_type for node in third_party]
    assert found == [
        "third_party_pack.deep.er.Thrice",
        "third_party_pack.maths.Twice",
        "third_party_pack.split.Fourfold",
    ]
    shown = {problem.where: problem.message for problem in third_party.problems}
    assert shown["third_party_pack.broken"].startswith(
        "ModuleNotFoundError: No module named 'a_library_that_is_not_there' ("
    )
    assert shown["third_party_pack.raising"].startswith("RuntimeError: no licence (")
    assert "SyntaxError" in shown["third_party_pack.unfinished"]
    assert "which is no int" in shown["third_party_pack.exiting"]
    assert "a_pack_that_is_not_there" in shown["a_pack_that_is_not_there:pack"]


def test_looking_up_one_type_imports_one_module(third_party: Registry) -> None:
    found = third_party.get("third_party_pack.maths.Twice")
    assert found is not None
    assert found.spec.tags == ("math", "double")
    assert "third_party_pack.deep.er" not in sys.modules
    assert third_party.get("third_party_pack.maths.Trice") is None
    assert third_party.get("elsewhere.Twice") is None


def test_a_private_module_belongs_to_its_package(third_party: Registry) -> None:
    found = third_party.get("third_party_pack.split.Fourfold")
    assert found is not None and found.__module__ == "third_party_pack.split._inner"
    assert third_party.get("third_party_pack.split._inner.Fourfold") is None


def test_a_type_of_a_module_that_failed_says_why(third_party: Registry) -> None:
    document = WorkflowDocument.from_json(
        {"graph": {"nodes": [{"id": "1", "type": "third_party_pack.raising.Twice"}]}}
    )
    with pytest.raises(Exception, match="could not be imported: RuntimeError: no licence"):
        Workflow.from_document(document, third_party)


def test_a_third_partys_node_runs(third_party: Registry) -> None:
    document = WorkflowDocument.from_json(
        {
            "graph": {
                "nodes": [{"id": "1", "type": "third_party_pack.deep.er.Thrice", "data": {"a": 5}}]
            }
        }
    )
    assert dict(Workflow.from_document(document, third_party).run()) == {"1": 15}


def test_a_pack_that_is_no_package_is_a_problem() -> None:
    nothing = Registry([Pack("no_such_package")])
    assert list(nothing) == []
    assert list(nothing) == []
    assert [problem.code for problem in nothing.problems] == ["import_failed"]


def test_a_library_that_is_missing_is_said_though_the_packs_name_begins_as_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "torchlike_pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "images.py").write_text("import torchlike\n")
    (folder / "pict.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry([Pack("torchlike_pack")])
    assert list(registry) == []
    assert [problem.where for problem in registry.problems] == [
        "torchlike_pack.images",
        "torchlike_pack.pict",
    ]
    assert "torchlike'" in registry.suggest("torchlike_pack.images.Blur")


def test_a_node_that_another_thread_is_just_importing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "slow_pack"
    folder.mkdir()
    (folder / "__init__.py").write_text("import threading\nbegun = threading.Event()\n")
    # Long enough that whoever does not wait finds nothing.
    wait = "from slow_pack import begun\nbegun.set()\nimport time\ntime.sleep(0.2)\n"
    (folder / "late.py").write_text(
        f"{wait}from nodetool_core import Node\nclass Late(Node):\n    def process(self) -> int:\n "
        "       return 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    shared = Registry([Pack("slow_pack")])
    found: list[object] = []
    first = threading.Thread(target=lambda: found.append(shared.get("slow_pack.late.Late")))
    first.start()
    assert importlib.import_module("slow_pack").begun.wait(10)
    found.append(shared.get("slow_pack.late.Late"))
    first.join()
    assert len(found) == 2 and None not in found
