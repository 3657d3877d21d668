"""
What pyright reports with the stubs of `nodetool stubs`.

Of the same right and wrong code as mypy gets (`test_mypy_plugin.py`), where the classes are in a
module of their own, and of the code on the builder's page. pyright is basedpyright, which brings
its own Node and needs no network; its mode `standard` is that of pyright.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from nodetool_core.cli.app import execute
from tests.test_docs import ROOT
from tests.test_mypy_plugin import DECLARATIONS, MISTAKES, REFUSED_ON_PURPOSE, RIGHT, code_of

pytestmark = pytest.mark.slow
pytest.importorskip("basedpyright")

Complaints = dict[str, dict[int, list[str]]]

PAGE = ROOT / "docs" / "guides" / "python-builder.md"
BEGINNING = DECLARATIONS.partition("class ")[0] + "from shop import *\n"

REFUSED = {"Scale(image=Unknown().output), Scale(image=Unknown()), Scale(image=some_node)"}
"""What runs, and pyright refuses: nodes of which no class is known."""
MISSED = [code for code in MISTAKES if "class Own" in code]
"""Mistakes that pyright does not see: outputs of a class of the script itself."""


def pyright(folder: Path) -> Complaints:
    """Return what pyright says of the files in a folder, by file and line."""
    command = [sys.executable, "-m", "basedpyright", "--outputjson"]
    done = subprocess.run(
        [*command, "--pythonpath", sys.executable, "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: Complaints = defaultdict(lambda: defaultdict(list))
    for said in json.loads(done.stdout)["generalDiagnostics"]:
        if said["severity"] == "error":
            line = said["range"]["start"]["line"] + 1
            found[Path(said["file"]).name][line].append(said["message"])
    return found


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> Complaints:
    folder = tmp_path_factory.mktemp("stubs")
    (folder / "shop.py").write_text(DECLARATIONS)
    for name, snippets in (("right", RIGHT), ("wrong", MISTAKES)):
        (folder / f"{name}.py").write_text(BEGINNING + "\n".join(snippets) + "\n")
    (folder / "page.py").write_text(code_of(PAGE))
    settings = {
        "typeCheckingMode": "standard",
        "extraPaths": [str(ROOT)],
        "exclude": ["typings", "shop.py"],
        "reportWildcardImportFromLibrary": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        assert execute(["stubs", "shop"]) == 0
    sys.modules.pop("shop", None)
    return pyright(folder)


def line_of(snippets: list[str], code: str) -> range:
    """Return the lines of a snippet in its file."""
    before = snippets[: snippets.index(code)]
    start = BEGINNING.count("\n") + sum(each.count("\n") + 1 for each in before) + 1
    return range(start, start + code.count("\n") + 1)


@pytest.mark.parametrize("code", RIGHT)
def test_what_runs_is_taken(code: str, complaints: Complaints) -> None:
    said = [text for line in line_of(RIGHT, code) for text in complaints["right.py"].get(line, [])]
    assert bool(said) is (code in REFUSED), said


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_is_told(code: str, complaints: Complaints) -> None:
    said = [
        text for line in line_of(MISTAKES, code) for text in complaints["wrong.py"].get(line, [])
    ]
    assert bool(said) is not (code in MISSED), said


def test_the_page_of_the_builder_is_well_typed(complaints: Complaints) -> None:
    said = [text for texts in complaints["page.py"].values() for text in texts]
    assert [text for text in said if "scal" not in text] == []
    assert len(said) == len(REFUSED_ON_PURPOSE)
