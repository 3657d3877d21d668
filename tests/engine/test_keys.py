"""Behaviour 18: keys are equal where content and code are, and different where either is."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from PIL import Image

from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.input import IntegerInput
from nodes.nodetool.output import Output
from nodes.nodetool.workflows.workflow_node import WorkflowNode
from nodetool_core import Context, Field, ImageData, ImageRef, Node, Registry, Role, Workflow
from nodetool_core.engine import keys, provenance
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.code_version import code_version
from nodetool_core.engine.engine import Engine
from nodetool_core.workflow import WorkflowDocument


class Titled(NamedTuple):
    """An image with a title."""

    image: ImageData
    title: str


class Word(str):
    """A text of a class of its own."""


class Described(Node):
    """Says what it got."""

    value: Any = None

    def process(self) -> str:
        if isinstance(self.value, Titled):
            return str(self.value.image.image.getpixel((0, 0)))
        return f"{type(self.value).__name__} {self.value!r}"


def plain(tone: int) -> ImageData:
    return ImageData.of(Image.new("L", (2, 2), tone))


@pytest.mark.parametrize(
    "items",
    [
        [Titled(plain(1), "a"), Titled(plain(2), "a")],
        [Word("a"), "a", Word("b")],
        [{1: "a"}, {"1": "a"}, {True: "a"}],
        [[1, 2], (1, 2), {1, 2}, frozenset({1, 2})],
        [{}, [], (), set(), None, ""],
    ],
    ids=["images in a tuple", "texts of a class", "names of a dict", "containers", "empty"],
)
def test_items_that_differ_are_worked_on_each(items: list[Any], engine: Engine) -> None:
    listed = Collect(input_item=Described(value=ForEach(input_list=items)["output"]).output)
    found = Workflow(Output(name="x", value=listed.output), engine=engine).run()["x"]
    assert found == [Described(value=item).process() for item in items]


# -- code ------------------------------------------------------------------------------------------

NODE = """
from nodetool_core import Node
class Shout(Node):
    text: str = "Abc"
    times: int = {default}
    def process(self) -> str:
        {statement}
        return changed(self.text) * self.times
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a package `counted_pack` whose `helper` is imported by nobody yet."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = tmp_path / "counted_pack"
    folder.mkdir()
    for name in ("__init__", "other", "helper"):
        written(
            folder / f"{name}.py", "def changed(text): return text\n" if name == "helper" else ""
        )
    yield folder
    forget()


def forget() -> None:
    """Forget all, as a new process begins."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "counted_pack"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def written(path: Path, text: str) -> None:
    """Write a file that is older than this process."""
    path.write_bytes(text.encode())
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))


def loaded() -> ModuleType:
    forget()
    return importlib.import_module("counted_pack.shout")


@pytest.mark.parametrize(
    "statement",
    [
        "from counted_pack.helper import changed",
        "from .helper import changed",
        "from . import other as _, helper; changed = helper.changed",
        "import counted_pack.other, counted_pack.helper as helper; changed = helper.changed",
        (
            "from . import (  # both\r\n            other as _,\r\n            helper,\r\n       "
            " ); changed = helper.changed"
        ),
        "from . import other, \\\n            helper; changed = helper.changed",
    ],
)
def test_what_a_node_imports_counts(statement: str, package: Path) -> None:
    written(package / "shout.py", NODE.format(default=1, statement=statement))
    before = code_version(loaded().Shout)
    assert loaded().Shout().process() == "Abc"
    assert code_version(loaded().Shout) == before
    written(package / "helper.py", "def changed(text): return text.upper()\n")
    assert loaded().Shout().process() == "ABC"
    assert code_version(loaded().Shout) != before


def test_everything_that_is_imported_at_once_counts(package: Path) -> None:
    written(
        package / "shout.py", "from .helper import *\n" + NODE.format(default=1, statement="pass")
    )
    before = code_version(loaded().Shout)
    written(package / "helper.py", "def changed(text): return text.upper()\n")
    assert code_version(loaded().Shout) != before


def test_a_package_that_is_not_loaded_yet_is_followed(package: Path) -> None:
    (package / "deep").mkdir()
    written(package / "deep" / "__init__.py", "from .inner import changed\n")
    written(package / "deep" / "inner.py", "def changed(text): return text\n")
    written(
        package / "shout.py",
        NODE.format(default=1, statement="from counted_pack.deep import changed"),
    )
    before = code_version(loaded().Shout)
    written(package / "deep" / "inner.py", "def changed(text): return text.upper()\n")
    assert code_version(loaded().Shout) != before


def test_code_that_was_changed_after_it_was_loaded_speaks_for_no_other_process(
    package: Path, tmp_path: Path
) -> None:
    """The file says what the next process will run, not what this one does."""
    written(package / "shout.py", NODE.format(default=1, statement="changed = str.lower"))
    old = loaded().Shout
    source = package / "shout.py"
    source.write_text(source.read_text().replace("lower", "upper"))
    assert [shout(old, tmp_path), shout(old, tmp_path)] == ["abc", "abc"]
    assert shout(loaded().Shout, tmp_path) == "ABC"


def shout(node_class: Any, folder: Path) -> Any:
    cache = DiskCache(folder / "results", least_seconds=0)
    with Engine(cache=cache) as engine:
        result = Workflow(Output(name="x", value=node_class().output), engine=engine).run()
    cache.close()
    return result["x"]


def typed_in(default: int = 1, method: str = "upper", before: str = "") -> Any:
    """Return a class as an interpreter would have it: in no file."""
    names = {"__name__": "typed_in"}
    exec(
        before
        + NODE.format(default=default, statement=f"changed = str.{method}" if method else "pass"),
        names,
    )
    return names["Shout"]


def test_a_class_in_no_file_counts_by_its_declaration_and_code(engine: Engine) -> None:
    classes = [
        typed_in(),
        typed_in(method="lower"),
        typed_in(default=2),
        typed_in(
            method="",
            before="def changed(text): return inner(text)\ndef inner(text): return text[0]\n",
        ),
        typed_in(
            method="",
            before="def changed(text): return inner(text)\ndef inner(text): return text[1]\n",
        ),
    ]
    found = [
        Workflow(Output(name="x", value=cls().output), engine=engine).run()["x"] for cls in classes
    ]
    assert found == ["ABC", "abc", "ABCABC", "A", "b"]
    assert code_version(typed_in()) == code_version(typed_in())


def test_a_result_of_other_libraries_is_made_anew_and_says_what_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Paints(Node):
        """Paints."""

        def process(self, context: Context) -> ImageRef:
            return context.image_from_pil(Image.new("L", (2, 2)))

    def made_by() -> tuple[int, str]:
        cache = DiskCache(tmp_path / "results", least_seconds=0)
        with Engine(cache=cache) as engine:
            result = Workflow(Output(name="x", value=Paints().output), engine=engine).run()
        cache.close()
        return len(result.hits), result["x"].provenance["versions"]["diffusers"]

    for number, expected in (("0.1", 0), ("0.1", 1), ("0.2", 0), ("0.1", 1)):
        monkeypatch.setattr(keys, "versions", lambda number=number: {"diffusers": number})
        monkeypatch.setattr(provenance, "versions", lambda number=number: {"diffusers": number})
        assert made_by() == (expected, number)


# -- what is no part of a key ----------------------------------------------------------------------


def test_e17_what_an_input_is_called_computes_nothing_again(engine: Engine) -> None:
    def run(**about: str) -> Any:
        number = IntegerInput(value=3, **about)
        return Workflow(
            Output(name="x", value=Described(value=number.output).output), engine=engine
        ).run()

    assert run(name="steps").hits == []
    for about in ({"name": "count"}, {"name": "count", "description": "How many."}, {}):
        assert "described" in run(**about).hits


def test_e17_a_workflow_shares_with_itself_as_a_node_of_another(
    engine: Engine, tmp_path: Path
) -> None:
    inner = Workflow(
        Output(
            name="said", value=Described(value=IntegerInput(name="number", value=3).output).output
        ),
        engine=engine,
    )
    assert "described" in inner.run().ran
    path = inner.save(tmp_path / "inner.json")
    document = WorkflowDocument.from_json(
        {
            "graph": {
                "nodes": [
                    {
                        "id": "inner",
                        "type": WorkflowNode.spec.node_type,
                        "data": {"path": str(path)},
                    },
                    {"id": "out", "type": Output.spec.node_type, "data": {"name": "x"}},
                ],
                "edges": [
                    {
                        "source": "inner",
                        "sourceHandle": "said",
                        "target": "out",
                        "targetHandle": "value",
                    }
                ],
            }
        }
    )
    registry = Registry(node_classes=[Described, IntegerInput, Output, WorkflowNode])
    result = Workflow.from_document(document, registry, engine=engine).run()
    assert "inner/described" in result.hits


def test_e17_a_label_is_only_what_says_so(engine: Engine) -> None:
    class Signed(Node):
        """An input whose result says its name."""

        role = Role.INPUT

        name: str = ""
        value: int = 1
        note: str = Field(default="", label=True)

        def process(self) -> str:
            return f"{self.name} {self.value}"

    def run(name: str, note: str) -> Any:
        return Workflow(
            Output(name="x", value=Signed(name=name, note=note).output), engine=engine
        ).run()

    assert [run("a", "")["x"], run("b", "")["x"]] == ["a 1", "b 1"]
    assert "signed" in run("b", "other").hits


def test_e2_a_value_without_content_is_never_taken_for_what_it_was(engine: Engine) -> None:
    class Held:
        """An object of a class of one's own."""

        number = 1

    class Reads(Node):
        """Reads it."""

        value: Any

        def process(self) -> int:
            return int(self.value.number)

    held = Held()
    workflow = Workflow(Output(name="x", value=Reads(value=held).output), engine=engine)
    first = workflow.run()["x"]
    held.number = 2
    assert (first, workflow.run()["x"]) == (1, 2)
