"""What is written by hand holds: links lead somewhere, code runs, commands exist."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Node, Picture, Registry
from nodetool_core.workflow import WorkflowDocument

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)\)", prose) + re.findall(r'src="([^"]+)"', prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_that_is_named_exists(page: Path) -> None:
    folders = "graphs|docs|tests|nodes|nodetool_core|training|bench|engine|cli|models|assets|reference"
    named = re.findall(rf"`((?:{folders})/[\w/.]*)`", page.read_text())
    wrong = [name for name in named if not (ROOT / name).exists() and not (ROOT / "nodetool_core" / name).exists()]
    made_by_reader = {"nodes/lib/tone.py", "tests/nodes/lib/test_tone.py"}
    assert set(wrong) <= made_by_reader


def test_the_readme_starts_with_two_commands_that_install_everything() -> None:
    first, second = blocks(ROOT / "README.md", "sh")
    for command in (first, second):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt ")
    assert first.strip().endswith("&& .venv/bin/nodetool run graphs/image_to_image.json")
    assert second.strip().endswith("&& .venv/bin/pytest")


def test_commands_name_inputs_and_properties_that_exist() -> None:
    commands = [line.removeprefix("$ ") for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    commands = [line.partition(" #")[0] for line in commands]
    runs = [shlex.split(line) for line in commands if line.startswith("nodetool run ")]
    assert runs
    for run in runs:
        graph = _graph(ROOT / run[2])
        for setting in [run[index + 1].partition("=")[0] for index, word in enumerate(run) if word == "--set"]:
            node_id, dot, name = setting.rpartition(".")
            known = graph.inputs() if not dot else next(node for node in graph.nodes if node.id == node_id).spec.properties
            assert name in known


def test_commands_exist() -> None:
    import typer

    from nodetool_core.cli.app import app

    lines = [line for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    for line in lines:
        for words in re.findall(r"\bnodetool ((?:[a-z]+ ?)+)", line.partition(" #")[0]):
            command: Any = typer.main.get_command(app)
            for word in words.split():
                if not hasattr(command, "commands"):
                    break
                assert word in command.commands, f"{line}: there is no command {word!r}"
                command = command.commands[word]


def _graph(path: Path) -> Any:
    from nodetool_core import graph

    return graph.build(WorkflowDocument.load(path), Registry.installed())


@pytest.mark.slow
def test_the_workflow_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "graphs" / "assets", tmp_path / "graphs" / "assets")
    monkeypatch.chdir(tmp_path)
    code = next(block for block in blocks(ROOT / "README.md", "python") if "workflow.run()" in block)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "night.png").exists() and WorkflowDocument.load(tmp_path / "night.json").graph.nodes


def test_the_node_of_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nodes.nodetool.input import ImageInput
    from nodes.nodetool.output import Output
    from nodetool_core import Workflow

    code = next(block for block in blocks(ROOT / "README.md", "python") if "class Soften" in block)
    (tmp_path / "soften_of_the_readme.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    node: type[Node] = __import__("soften_of_the_readme").Soften
    photo = ImageInput(name="photo", value=str(ROOT / "graphs" / "assets" / "lake_at_noon.png"))
    result = Workflow(Output(name="picture", value=node(image=photo.output).output)).run()
    assert isinstance(result["picture"], Picture)


def test_the_node_and_the_test_of_contributing_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nodes.lib

    node, test = [block for block in blocks(ROOT / "CONTRIBUTING.md", "python") if "Sepia" in block]
    (tmp_path / "tone.py").write_text(node)
    monkeypatch.setattr(nodes.lib, "__path__", [*nodes.lib.__path__, str(tmp_path)])
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(test, "CONTRIBUTING.md", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 3
    for run in tests:
        run()
