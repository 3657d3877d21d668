"""
What is written by hand holds.

Links lead somewhere, code runs, commands exist and do what is said, every error is explained.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodetool_core import Registry
from nodetool_core.reference.links import broken_links
from nodetool_core.reference.troubleshooting import explanations, troubleshooting_page
from nodetool_core.workflow import WorkflowDocument
from tests.documentation import SHELLS, Reader, blocks, check_arguments

ROOT = Path(__file__).parents[1]
GENERATED = {"troubleshooting.md", "models.md"}
BY_HAND = [
    page
    for folder in ("docs", "docs/guides")
    for page in sorted((ROOT / folder).glob("*.md"))
    if page.name not in GENERATED
]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *BY_HAND]
DONE = [page for page in PAGES if page.name != "CONTRIBUTING.md"]
"""The commands of CONTRIBUTING.md are those of .ci/run; its node and its test are run below."""


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code(page: Path, language: str) -> list[str]:
    return [block.text for block in blocks(page) if block.language == language]


def takes_long(page: Path) -> bool:
    return any(
        re.search(r"graphs/\w+\.json|nodetool serve|\bpytest\b|ImageToImage", block.text)
        for block in blocks(page)
    )


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links([page]) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_that_is_named_exists(page: Path) -> None:
    folders = (
        "graphs|docs|tests|nodes|nodetool_core|training|bench|engine|cli|models|assets|reference"
    )
    paths = re.findall(rf"`((?:{folders})/[\w/.]*)`", page.read_text())
    wrong = [
        path
        for path in paths
        if not (ROOT / path).exists() and not (ROOT / "nodetool_core" / path).exists()
    ]
    made_by_reader = {"nodes/lib/tone.py", "tests/nodes/lib/test_tone.py"}
    assert set(wrong) <= made_by_reader


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_says_what_it_is(page: Path) -> None:
    known = {
        "python",
        "console",
        "sh",
        "json",
        "toml",
        "text",
        "csv",
        "yaml",
        "mermaid",
        "http",
        "js",
        "ini",
        "dockerfile",
        "sql",
    }
    assert {block.language for block in blocks(page)} <= known


def test_the_readme_starts_with_two_commands_that_install_everything() -> None:
    first, second = code(ROOT / "README.md", "sh")
    for command in (first, second):
        assert command.startswith(
            "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt "
        )
    assert first.strip().endswith("&& .venv/bin/nodetool run graphs/photo_mood.json")
    assert second.strip().endswith('&& .venv/bin/pytest -n auto --dist loadfile -m "not slow"')


def test_every_public_name_is_in_the_python_reference() -> None:
    import nodetool_core

    page = (ROOT / "docs" / "api.md").read_text()
    assert [
        name
        for name in nodetool_core.__all__
        if not re.search(rf"^::: [\w.]+\.{name}$", page, re.MULTILINE)
    ] == []


def test_every_command_exists_with_its_options() -> None:
    commands = [
        command
        for page in PAGES
        for block in blocks(page)
        if block.language in SHELLS
        for command, _ in block.commands
    ]
    parts = [
        part
        for command in commands
        for part in re.split(r"\s+(?:&&|\|)\s+", command)
        if part.startswith("nodetool ")
    ]
    assert len(parts) > 20
    for part in parts:
        check_arguments(part.partition(" &")[0])


def test_commands_name_inputs_and_properties_that_exist() -> None:
    commands = [
        command
        for page in PAGES
        for block in blocks(page)
        if block.language in SHELLS
        for command, _ in block.commands
    ]
    runs = [shlex.split(command) for command in commands if command.startswith("nodetool run ")]
    assert runs
    for run in runs:
        if not (ROOT / run[2]).exists():
            continue
        graph = _graph(ROOT / run[2])
        for setting in [
            run[index + 1].partition("=")[0] for index, word in enumerate(run) if word == "--set"
        ]:
            node_id, dot, name = setting.rpartition(".")
            known = (
                graph.inputs()
                if not dot
                else next(node for node in graph.nodes if node.id == node_id).spec.properties
            )
            assert name in known


def _graph(path: Path) -> Any:
    from nodetool_core.validation import build_graph

    return build_graph(WorkflowDocument.load(path), Registry.installed())


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Yield a reader in a copy of what the pages speak of, with photos and a table of prompts."""
    shutil.copytree(ROOT / "graphs", tmp_path / "graphs")
    lake = Image.open(ROOT / "graphs" / "assets" / "lake_at_noon.png").convert("RGB")
    (tmp_path / "photos").mkdir()
    for path in ("photo.jpg", "lake.png", "photos/one.jpg", "photos/two.jpg"):
        lake.save(tmp_path / path)
    (tmp_path / "prompts.csv").write_text("prompt\na snowy winter night\na summer noon\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield Reader(tmp_path, monkeypatch)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=named(page), marks=[pytest.mark.slow] if takes_long(page) else [])
        for page in DONE
    ],
)
def test_a_page_does_what_it_says(page: Path, reader: Reader) -> None:
    reader.do(page)


def test_the_node_and_the_test_of_contributing_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nodes.lib

    node, test = [block for block in code(ROOT / "CONTRIBUTING.md", "python") if "Sepia" in block]
    (tmp_path / "tone.py").write_text(node)
    monkeypatch.setattr(nodes.lib, "__path__", [*nodes.lib.__path__, str(tmp_path)])
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(test, "CONTRIBUTING.md", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 3
    for run in tests:
        run()


_CALLEES = re.compile(r"problem|error|refus|trouble|wrong|busy|complain|fail", re.IGNORECASE)


def codes_in(source: str) -> set[str]:
    """
    Return the error codes that a module may use.

    What it gives to a problem, or to a function that makes one.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            if name == "error_object":
                # A type of the protocol of ComfyUI, which its clients know: no code of ours.
                continue
            if name == "Problem":
                found |= _texts(node.args[:1])
            elif _CALLEES.search(name):
                given += node.args[:2]
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [
            "code"
        ]:
            given = [node.value]
        found |= {text for text in _texts(given) if "_" in text}
    return found


def _texts(nodes: list[ast.expr]) -> set[str]:
    choices = [
        choice
        for node in nodes
        for choice in ([node.body, node.orelse] if isinstance(node, ast.IfExp) else [node])
    ]
    return {
        choice.value
        for choice in choices
        if isinstance(choice, ast.Constant)
        and isinstance(choice.value, str)
        and re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", choice.value)
    }


def test_every_error_code_is_explained_and_no_other() -> None:
    sources = [
        path.read_text()
        for package in ("nodetool_core", "nodes")
        for path in (ROOT / package).rglob("*.py")
    ]
    used = set().union(*map(codes_in, sources))
    assert used - set(explanations()) == set(), (
        "add them to nodetool_core/reference/troubleshooting.toml"
    )
    quoted = "\n".join(sources)
    assert [code for code in explanations() if f'"{code}"' not in quoted] == [], (
        "nothing says these any more"
    )


def test_the_page_of_errors_has_every_code_as_a_heading() -> None:
    page = troubleshooting_page()
    assert all(
        f"### `{code}`\n\n{entry.means}\n\n**What to do:** {entry.do}" in page
        for code, entry in explanations().items()
    )
