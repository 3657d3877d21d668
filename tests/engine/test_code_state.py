"""
E1, E2: a node's code is all that it can depend on.

Closures, globals, helper modules, what is redefined, patched or assigned.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nodes.nodetool.output import Output
from nodetool_core import Node, Registry, Workflow, WorkflowError
from nodetool_core.engine.code_version import version_of
from nodetool_core.engine.engine import Engine
from tests.engine.code_shapes import FACTORIES


def result_of(node: Node, engine: Engine) -> Any:
    return Workflow(Output(name="x", value=node["output"]), engine=engine).run()["x"]


# -- E1: classes of one factory --------------------------------------------------------------------


def make(factor: Any) -> type[Any]:
    class Scale(Node):
        """Multiplies by a number of its factory."""

        a: int = 1

        def process(self) -> Any:
            return self.a * factor

    return Scale


def test_e1_classes_that_differ_by_closure_are_several(engine: Engine) -> None:
    assert [result_of(make(factor)(a=2), engine) for factor in (1, 100, 1, "x")] == [
        2,
        200,
        2,
        "xx",
    ]


def test_e1_they_run_in_one_workflow_and_no_file_lies_about_them(
    engine: Engine, tmp_path: Path
) -> None:
    one, hundred = make(1), make(100)
    workflow = Workflow(
        Output(name="x", value=one(a=2).output),
        Output(name="y", value=hundred(a=2).output),
        Output(name="z", value=hundred(a=one(a=3).output).output),
        engine=engine,
    )
    assert dict(workflow.run()) == {"x": 2, "y": 200, "z": 300}
    with pytest.raises(WorkflowError, match="Several classes have this type") as caught:
        workflow.save(tmp_path / "w.json")
    assert caught.value.problem.code == "shared_type" and "node_type" in caught.value.problem.hint
    assert not (tmp_path / "w.json").exists()


def test_e1_a_registry_takes_one_class_of_a_type_at_a_time() -> None:
    one, hundred = make(1), make(100)
    with pytest.raises(WorkflowError, match="Several classes have this type"):
        Registry(node_classes=[one, hundred])
    registry = Registry(node_classes=[one, one])
    registry.add(hundred)
    assert registry.get(one.spec.node_type) is hundred


def definitions(count: int) -> list[tuple[str, Any]]:
    """Random definitions: which shape, and the value that its class gives."""
    drawn = random.Random(13)
    values = [
        lambda: drawn.randrange(9),
        lambda: drawn.choice("abc"),
        lambda: drawn.choice([1, True, 1.0, None, (1,), [1], "1"]),
    ]
    return [(drawn.choice(sorted(FACTORIES)), drawn.choice(values)()) for _ in range(count)]


def outcomes(count: int, engine: Engine) -> list[tuple[str, Any, Any]]:
    """Return what each class gives, each shape being typed in once, as in an interpreter."""
    spaces: dict[str, dict[str, Any]] = {}
    found = []
    for shape, value in definitions(count):
        space = spaces.setdefault(shape, {"__name__": f"typed_{sorted(FACTORIES).index(shape)}"})
        if "make" not in space:
            exec(compile(FACTORIES[shape], f"<{shape}>", "exec", dont_inherit=True), space)
        found.append((shape, value, result_of(space["make"](value)(), engine)))
    return found


def test_e1_500_random_classes_each_give_their_own(engine: Engine) -> None:
    for shape, value, found in outcomes(500, engine):
        assert (type(found), found) == (type(value), value), shape


SECOND = """
import sys
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.engine import Engine
from tests.engine.test_code_state import outcomes
cache = DiskCache(sys.argv[1], least_seconds=0)
with Engine(cache=cache, workers=2) as engine:
    found = outcomes(500, engine)
    wrong = [(shape, value, got) for shape, value, got in found if repr(value) != repr(got)]
    print(len(wrong), cache.info.hits, wrong[:3])
cache.close()
"""


@pytest.mark.slow
def test_e1_and_in_two_processes_with_one_disk(tmp_path: Path) -> None:
    hits = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", SECOND, str(tmp_path)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=200, check=False
        )
        wrong, found, *rest = done.stdout.split()
        assert wrong == "0", (rest, done.stderr)
        hits.append(int(found))
    assert hits[1] == 500 > hits[0]


# -- E2: what changes in a process -----------------------------------------------------------------

NOTEBOOK = """
from __future__ import annotations
from typing import Any
from nodetool_core import Node

FACTOR = 2
TABLE = {"offset": [0]}
class Config:
    bonus = 0
    def __init__(self): self.more = 0
    def extra(self): return self.more + self.bonus
config = Config()
def helper(a): return a * FACTOR + TABLE["offset"][0] + config.extra()

class Counted(Node):
    a: int = 1
    def process(self) -> Any:
        return helper(self.a)
"""

CELLS = [
    ("FACTOR = 3", 3),
    ("def helper(a): return 7", 7),
    ("def helper(a): return a * FACTOR + TABLE['offset'][0] + config.extra()", 3),
    ("TABLE['offset'][0] = 10", 13),
    ("TABLE = {'offset': [20]}", 23),
    ("config.more = 100", 123),
    ("Config.bonus = 1000", 1123),
    ("Config.extra = lambda self: 5", 28),
    ("config = Config()", 28),
    ("helper.__code__ = (lambda a: -a).__code__", -1),
    ("Counted.process = lambda self: 'patched'", "patched"),
    (
        (
            "class Counted(Node):\n    a: int = 4\n    def process(self) -> Any:\n        return"
            " helper(self.a)"
        ),
        -4,
    ),
    ("import numpy as np\nLUT = np.array([1, 2])\ndef helper(a): return int(LUT[0])", 1),
    ("LUT[0] = 9", 9),
]


def run_cell(text: str, space: dict[str, Any]) -> None:
    """Run code as an interpreter runs a cell."""
    exec(compile(text, "<cell>", "exec", dont_inherit=True), space)


def test_e2_a_notebook_is_never_stale(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Cell by cell, in a module called __main__ that has no file.

    With a workflow made anew and with one that was made before.
    """
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    space = vars(module)
    run_cell(NOTEBOOK, space)
    kept = Workflow(Output(name="x", value=space["Counted"]().output), engine=engine)
    assert kept.run()["x"] == 2
    for cell, expected in CELLS:
        run_cell(cell, space)
        assert result_of(space["Counted"](), engine) == expected, cell
        if "class Counted" not in cell:
            same = space["Counted"] is kept.graph.nodes[0].node_class
            assert not same or kept.run()["x"] == expected, cell
        again = Workflow(Output(name="x", value=space["Counted"]().output), engine=engine).run()
        assert "counted" in again.hits, cell


def test_e2_what_does_not_matter_computes_nothing_again(engine: Engine) -> None:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(NOTEBOOK, space)
    assert result_of(space["Counted"](), engine) == 2
    run_cell("a = FACTOR_2 = other = 3\ndef unused(): return FACTOR", space)
    run_cell(
        "FACTOR = 2\nTABLE = {'offset': [0]}\ndef helper(a): return a * FACTOR + TABLE['offset'][0]"
        " + config.extra()",
        space,
    )
    assert (
        "counted"
        in Workflow(Output(name="x", value=space["Counted"]().output), engine=engine).run().hits
    )


LAZY = """
import functools, logging, threading
from typing import Any
from nodetool_core import Node

log, lock, _table = logging.getLogger("x"), threading.Lock(), None

def table():
    global _table
    with lock:
        if _table is None:
            log.info("loads")
            _table = {"a": object()}
    return _table

@functools.lru_cache
def known(a): return a + 1

class Looks(Node):
    a: int = 1
    def process(self) -> Any:
        return [*table()], known(self.a)
"""


def test_e2_loggers_locks_and_tables_loaded_at_first_use_make_no_other_node(engine: Engine) -> None:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(LAZY, space)
    before = version_of(space["Looks"])
    assert result_of(space["Looks"](), engine) == (["a"], 2)
    after = version_of(space["Looks"])
    assert before.is_current() and before.digest == after.digest and not before.unknown


OPAQUE = """
import random
from typing import Any
from nodetool_core import Node

drawn = random.Random({seed})

class Draws(Node):
    def process(self) -> Any:
        return drawn.random()
"""


def test_e2_what_has_no_content_is_shared_with_no_other_process(
    engine: Engine, tmp_path: Path, caplog: Any
) -> None:
    caplog.set_level("WARNING")
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(OPAQUE.format(seed=1), space)
    first = result_of(space["Draws"](), engine)
    assert result_of(space["Draws"](), engine) == first
    run_cell("drawn = random.Random(2)", space)
    assert result_of(space["Draws"](), engine) != first
    assert version_of(space["Draws"]).unknown == ("an object of random.Random",)
    assert (
        caplog.text.count(
            "Results of Draws stay in this process: its code uses an object of random.Random."
        )
        == 1
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_e2_a_fork_is_another_process() -> None:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(OPAQUE.format(seed=1), space)
    version = version_of(space["Draws"])
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(
                writing,
                (
                    b"other"
                    if not version.is_current()
                    and version_of(space["Draws"]).digest != version.digest
                    else b"same"
                ),
            )
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 9) == b"other" and version.is_current()
    os.close(reading)
    os.close(writing)


# -- E2: helper modules ----------------------------------------------------------------------------

SCRIPT = """
import sys
from typing import Any
from nodetool_core import Node, Workflow
from nodetool_core.engine.caching.disk import DiskCache
from nodetool_core.engine.engine import Engine
{imports}

class Helped(Node):
    a: int = 1
    def process(self) -> Any:
        {inside}
        return {call}

cache = DiskCache(sys.argv[1], least_seconds=0)
with Engine(cache=cache, workers=2) as engine:
    result = Workflow(Helped(), engine=engine).run()
    print(result["helped"], len(result.hits))
cache.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("imports", "inside", "call"),
    [
        ("from helper import scale", "pass", "scale(self.a)"),
        ("import helper", "pass", "helper.scale(self.a)"),
        ("", "from helper import scale", "scale(self.a)"),
        ("from parts import deep", "pass", "deep.through(self.a)"),
    ],
    ids=["name", "module", "inside", "through a package"],
)
def test_e2_a_helper_beside_a_script_counts(
    imports: str, inside: str, call: str, tmp_path: Path
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    old(parts / "__init__.py", "")
    old(parts / "deep.py", "from . import between\ndef through(a): return between.on(a)\n")
    old(parts / "between.py", "def on(a):\n    import helper\n    return helper.scale(a)\n")
    old(tmp_path / "script.py", SCRIPT.format(imports=imports, inside=inside, call=call))
    found = []
    for factor in (2, 2, 3):
        old(tmp_path / "helper.py", f"def scale(a): return a * {factor}\n")
        command = [sys.executable, "-B", str(tmp_path / "script.py"), str(tmp_path / "results")]
        found.append(
            subprocess.run(
                command, capture_output=True, text=True, timeout=100, check=True
            ).stdout.split()
        )
    assert found == [["2", "0"], ["2", "1"], ["3", "0"]]


def old(path: Path, text: str) -> None:
    """Write a file that is older than any process of the test."""
    path.write_text(text)
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))


def test_e2_an_assigned_attribute_of_a_helper_module_counts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = ModuleType("a_helper_module")
    run_cell("FACTOR = 2\ndef scale(a): return a * FACTOR", vars(helper))
    monkeypatch.setitem(sys.modules, "a_helper_module", helper)
    text = "import a_helper_module as h\nfrom typing import Any\nfrom nodetool_core import Node\n"
    text += (
        "class Helped(Node):\n    a: int = 1\n    def process(self) -> Any:\n        return"
        " h.scale(self.a)\n"
    )
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(text, space)
    found = [result_of(space["Helped"](), engine)]
    helper.FACTOR = 5  # type: ignore[attr-defined]
    found.append(result_of(space["Helped"](), engine))
    helper.scale = lambda a: -a  # type: ignore[attr-defined]
    found.append(result_of(space["Helped"](), engine))
    assert found == [2, 5, -1]


LATE = """
from typing import Any
from nodetool_core import Node

class Helped(Node):
    a: int = 1
    def process(self) -> Any:
        {statement}
        return scale(self.a)
"""


@pytest.mark.parametrize(
    "statement",
    [
        "from late_helpers.inner import scale",
        "import late_helpers.inner as i; scale = i.scale",
        "from late_helpers import inner; scale = inner.scale",
    ],
)
def test_e2_a_helper_that_a_function_imports_by_itself(
    statement: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a run loads it makes no other node; that it is changed afterwards does."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "late_helpers").mkdir()
    old(tmp_path / "late_helpers" / "__init__.py", "")
    old(tmp_path / "late_helpers" / "inner.py", "FACTOR = 2\ndef scale(a): return a * FACTOR\n")
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(LATE.format(statement=statement), space)
    try:
        before = version_of(space["Helped"])
        assert result_of(space["Helped"](), engine) == 2
        inner = sys.modules["late_helpers.inner"]
        assert not before.is_current() and version_of(space["Helped"]).digest == before.digest
        assert (
            "helped"
            in Workflow(Output(name="x", value=space["Helped"]().output), engine=engine).run().hits
        )
        inner.FACTOR = 3  # type: ignore[attr-defined]
        assert result_of(space["Helped"](), engine) == 3
        inner.scale = lambda a: -a  # type: ignore[attr-defined]
        assert result_of(space["Helped"](), engine) == -1
    finally:
        for name in ("late_helpers", "late_helpers.inner"):
            sys.modules.pop(name, None)


ODD = """
import functools
from typing import Any
from unittest.mock import MagicMock
from nodetool_core import Node

class Word(str):
    pass

class Table(dict):
    spec = 1

class Breaks:
    def __getattr__(self, name): raise RuntimeError(name)
    __dict__ = property(lambda self: 1 / 0)

word, table, mock, breaks = Word("a"), Table(), MagicMock(), Breaks()

@functools.singledispatch
def shown(value): return "any"

@shown.register
def _(value: int): return "number"

class Odd(Node):
    a: int = 1
    def process(self) -> Any:
        return [word, shown(self.a), table.spec, mock is not None, breaks is not None]
"""


def test_e2_odd_values_are_followed_or_counted_as_themselves(engine: Engine) -> None:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(ODD, space)
    expected = ["a", "number", 1, True, True]
    assert result_of(space["Odd"](), engine) == expected
    assert (
        "odd" in Workflow(Output(name="x", value=space["Odd"]().output), engine=engine).run().hits
    )
    for cell, place, value in (
        ("word = Word('b')", 0, "b"),
        ("Table.spec = 2", 2, 2),
        ("shown.register(int, lambda value: 'changed')", 1, "changed"),
        ("mock = None", 3, False),
    ):
        run_cell(cell, space)
        expected[place] = value
        assert result_of(space["Odd"](), engine) == expected, cell


def test_e2_a_global_that_a_thread_goes_on_changing_fails_no_run(engine: Engine) -> None:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    run_cell(
        "table = {}\n" + LATE.format(statement="scale = lambda a: (a, len(table) > -1)"), space
    )
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            space["table"][number % 1000] = number
            space["table"].pop((number * 7) % 1000, None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        assert {result_of(space["Helped"](), engine) for _ in range(30)} == {(1, True)}
    finally:
        stop.set()
        thread.join()
