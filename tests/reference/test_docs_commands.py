"""
`nodetool docs` and `explain`, for the built-in pack and for one of somebody else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, nodetool, pack, pack_folder

__all__ = ["nodetool", "pack", "pack_folder"]


@pytest.mark.usefixtures("pack")
def test_a_foreign_pack_gets_pages_of_its_own(nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("docs", "build", "--pack", "cli_pack", "--out", "pages")
    assert done.code == 0, done.err
    assert "1 namespace" in (tmp_path / "pages/index.md").read_text()
    page = (tmp_path / "pages/cli_pack/nodes/crash.md").read_text()
    assert (
        "**Type:** `cli_pack.nodes.Crash`" in page
        and "from cli_pack.nodes import Crash" in page
        and "(crash.svg)" in page
    )
    assert "cli_pack.nodes.Crash" in (tmp_path / "pages/workflow.schema.json").read_text()
    assert not (tmp_path / "pages/nodetool").exists() and not (tmp_path / "docs").exists()
    assert nodetool("docs", "build", "--pack", "cli_pack", "--out", "pages", "--images").code == 0
    assert "(tiles.webp)" in (tmp_path / "pages/cli_pack/nodes/tiles.md").read_text()
    # A module that fails to import counts in a check, because its nodes have no pages.
    checked = nodetool("docs", "check", "--pack", "cli_pack", "--out", "pages")
    assert (
        checked.code == 1
        and "cli_pack.broken: ModuleNotFoundError: No module named 'no_such_library'" in checked.out
    )


def test_a_pack_that_is_not_installed(nodetool: Command) -> None:
    done = nodetool("docs", "build", "--pack", "nods", "--out", "pages")
    assert done.code == 2 and "Did you mean 'nodes'?" in done.err


def test_a_dead_link_fails_the_check(nodetool: Command, tmp_path: Path) -> None:
    assert nodetool("docs", "build", "--pack", "nodes", "--out", "pages").code == 0
    assert nodetool("docs", "check", "--pack", "nodes", "--out", "pages").code == 0
    (tmp_path / "pages/nodetool/image/crop.svg").unlink()
    done = nodetool("docs", "check", "--pack", "nodes", "--out", "pages")
    assert done.code == 1 and done.out.splitlines() == [
        "pages/nodetool/image/crop.svg: is missing",
        "pages/nodetool/image/crop.md: crop.svg: there is no such file.",
    ]


def test_the_schema_is_printed_or_written(nodetool: Command, tmp_path: Path) -> None:
    printed = nodetool("docs", "schema")
    assert (
        nodetool("docs", "schema", "--out", "workflow.schema.json").out == "workflow.schema.json\n"
    )
    assert (tmp_path / "workflow.schema.json").read_text() == printed.out
    assert printed.json["$defs"]["node"]["properties"]["type"]["anyOf"][0]["enum"]


def test_a_code_is_explained(nodetool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    done = nodetool("docs", "explain", "missing_image", "cycle")
    assert done.code == 0 and done.out.startswith("missing_image: ") and "\n\ncycle: " in done.out
    table = nodetool("docs", "explain").out.splitlines()
    assert "Workflow files:" in table and all(len(line) <= 140 for line in table)
    assert any(
        line.startswith("cycle ")
        and line.endswith("  The nodes feed each other in a circle, so none could be first.")
        for line in table
    )
    wrong = nodetool("docs", "explain", "mising_image")
    assert wrong.code == 2 and "Did you mean 'missing_image'?" in wrong.err


def test_an_error_says_where_it_is_explained(nodetool: Command, tmp_path: Path) -> None:
    node = {"id": "a", "type": "nodetool.image.Resise"}
    other = {"id": "b", "type": "nodetool.image.Scale", "data": {"scale": 40, "scal": 1}}
    (tmp_path / "wrong.json").write_text(json.dumps({"graph": {"nodes": [node, other]}}))
    done = nodetool("validate", "wrong.json")
    assert (
        "Did you mean 'nodetool.image.Resize'?" in done.err and "Did you mean 'scale'?" in done.err
    )
    (line,) = [line for line in done.err.splitlines() if line.startswith("Explained: ")]
    codes = line.partition("explain ")[2].split()
    assert {"unknown_type", "unknown_property"} <= set(codes)
    assert nodetool("docs", "explain", *codes).code == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rnu"], "'run'"),
        (["nodes", "lst"], "'list'"),
        (["docs", "chekc"], "'check'"),
        (["run", "a.json", "--oot", "x"], "--out"),
    ],
)
def test_misspelled_commands_and_options(words: list[str], hint: str, nodetool: Command) -> None:
    done = nodetool(*words)
    assert done.code == 2 and hint in done.err


@pytest.mark.parametrize(
    ("shell", "environment"),
    [
        ("bash", {"COMP_WORDS": "nodetool nodes show Cro", "COMP_CWORD": "3"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "nodetool nodes show Cro"}),
        (
            "fish",
            {
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
                "_TYPER_COMPLETE_ARGS": "nodetool nodes show Cro",
            },
        ),
    ],
)
def test_shells_complete_the_types_of_nodes(shell: str, environment: dict[str, str]) -> None:
    program = str(Path(sys.executable).with_name("nodetool"))
    variables = os.environ | environment | {"_NODETOOL_COMPLETE": f"complete_{shell}"}
    done = subprocess.run([program], env=variables, capture_output=True, text=True, check=False)
    assert "Crop" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script(shell: str) -> None:
    program = str(Path(sys.executable).with_name("nodetool"))
    variables = os.environ | {"_NODETOOL_COMPLETE": f"source_{shell}"}
    done = subprocess.run([program], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "_NODETOOL_COMPLETE" in done.stdout


def test_the_help_of_every_command_has_an_example(nodetool: Command) -> None:
    import typer

    from nodetool_core.cli.app import make_app

    def leaves(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        inner = getattr(command, "commands", None)
        return (
            [path]
            if inner is None
            else [leaf for name, child in inner.items() for leaf in leaves(child, (*path, name))]
        )

    lacking = [
        path
        for path in leaves(typer.main.get_command(make_app()), ())
        if f"nodetool {' '.join(path)}" not in nodetool(*path, "-h").out.partition("Example")[2]
    ]
    assert lacking == []
