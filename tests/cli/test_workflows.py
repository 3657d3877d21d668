"""`nodetool validate`, `nodetool graph`, and what all commands have in common."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import ROOT, Author, Command

EXAMPLE = ROOT / "graphs" / "image_to_image.json"


INPUTS = {
    "image": "image",
    "prompt": "str",
    "model": "hf.model",
    "negative_prompt": "str",
    "num_inference_steps": "int",
} | {
    "guidance_scale": "float",
    "strength": "float",
    "seed": "int",
}
"""Of the example: input to type."""


def test_a_valid_file(nodetool: Command) -> None:
    done = nodetool("validate", EXAMPLE)
    assert (done.code, done.err) == (0, "")
    inputs = ", ".join(f"{name} ({kind})" for name, kind in INPUTS.items())
    assert done.out == f"{EXAMPLE}: valid, 10 nodes; inputs: {inputs}; outputs: image (image)\n"


def test_a_valid_file_in_json(nodetool: Command) -> None:
    described = nodetool("validate", EXAMPLE, "--json").json
    assert described["valid"] and described["inputs"] == INPUTS and described["errors"] == []


def test_several_files_are_checked_each(nodetool: Command, write: Author) -> None:
    bad = write({"a": ("nodetool.image.Crpo", {})})
    done = nodetool("validate", EXAMPLE, bad)
    assert done.code == 2 and "valid, 10 nodes" in done.out and "unknown_type" in done.err
    assert [found["valid"] for found in nodetool("validate", bad, EXAMPLE, "--json").json] == [
        False,
        True,
    ]


def test_every_problem_is_shown_with_place_code_and_hint(nodetool: Command, write: Author) -> None:
    file = write(
        {"a": ("nodetool.image.Crop", {"lefft": 3, "top": -1}), "b": ("nodetool.imagee.Crop", {})},
        ["a.outptu > a.image"],
    )
    done = nodetool("validate", file)
    assert (done.code, done.out) == (2, "")
    for expected in (
        "error[unknown_property]: nodes[0].data.lefft:",
        "Did you mean 'left'?",
        "error[invalid_value]: nodes[0].data.top: -1 is below 0",
        "error[unknown_type]: nodes[1].type:",
        "error[unknown_handle]: edges[0].sourceHandle:",
    ):
        assert expected in done.err
    codes = [error["code"] for error in nodetool("validate", file, "--json").json["errors"]]
    assert {"unknown_property", "invalid_value", "unknown_type", "unknown_handle"} <= set(codes)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"graph": 3}',
        "\x00",
        '{"graph": {"nodes": [{"id": 1}]}}',
        "[" * 100_000,
    ],
)
@pytest.mark.parametrize("command", ["validate", "run", "graph"])
def test_what_is_no_workflow_is_one_clear_message(
    command: str, content: str, nodetool: Command, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text(content)
    done = nodetool(command, "bad.json")
    assert (
        done.code == 2
        and done.out == ""
        and done.err.startswith("error[")
        and "Traceback" not in done.err
    )


COMFYUI = ROOT / "tests" / "nodes" / "importers" / "files"


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (ROOT / "README.md", "is no JSON", "A workflow is a JSON file: an object with a `graph`"),
        (
            ROOT / "graphs" / "assets" / "lake_at_noon.png",
            "is an image, not a workflow",
            "--set image=",
        ),
        (ROOT / "graphs", "is a folder", "Name a file in it, such as"),
        (ROOT / "tests" / "cli", "is a folder", "A workflow is a JSON file"),
        (COMFYUI / "text_to_image.json", "is a workflow of ComfyUI", "nodetool import"),
        (COMFYUI / "editor.json", "is a workflow of ComfyUI", "nodetool import"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_what_is_another_kind_of_file_is_named_with_what_to_do(
    given: Path, message: str, hint: str, nodetool: Command
) -> None:
    done = nodetool("validate", given)
    assert done.code == 2 and message in done.err and hint in done.err and "codec" not in done.err


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "is empty", "A workflow is a JSON file"),
        ('{"graph": {"nodes": [],}}', "bad.json:1:24", "no comma before a closing bracket"),
        ("[1]", "expects a JSON object, got list", "A workflow is a JSON file"),
    ],
)
def test_what_is_nearly_a_workflow_says_what_one_is(
    text: str, message: str, hint: str, nodetool: Command, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text(text)
    done = nodetool("run", "bad.json")
    assert done.code == 2 and message in done.err and hint in done.err


def test_a_missing_file(nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("validate", "nowhere.json")
    assert done.code == 2 and "nowhere.json: There is no such file." in done.err
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "night.json").write_text("{}")
    assert "Did you mean 'graphs/night.json'?" in nodetool("validate", "graphs/nigt").err
    assert "Did you mean 'graphs'?" in nodetool("validate", "graph/night.json").err


def test_a_graph_as_mermaid(nodetool: Command) -> None:
    assert nodetool("graph", EXAMPLE).out.startswith("flowchart LR\n")


def test_a_graph_as_svg(nodetool: Command, tmp_path: Path) -> None:
    assert ElementTree.fromstring(nodetool("graph", EXAMPLE, "--format", "svg").out).tag.endswith(
        "svg"
    )
    assert nodetool("graph", EXAMPLE, "--out", "made/graph.svg").out == "made/graph.svg\n"
    assert ElementTree.parse(tmp_path / "made" / "graph.svg").getroot().tag.endswith("svg")


def test_a_graph_that_can_not_be_written(nodetool: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = nodetool("graph", EXAMPLE, "--out", "taken/graph.svg")
    assert done.code == 1 and "taken" in done.err and "Traceback" not in done.err


def test_misspelled_commands_get_a_suggestion(nodetool: Command) -> None:
    done = nodetool("validat", EXAMPLE)
    assert done.code == 2 and "Did you mean 'validate'?" in done.err
    assert "show" in nodetool("nodes", "shwo").err


def test_the_version(nodetool: Command) -> None:
    from nodetool_core import __version__

    assert nodetool("--version").out == f"nodetool-imaging {__version__}\n"  # N1


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["validate"],
        ["graph"],
        ["nodes", "list"],
        ["nodes", "show"],
        ["nodes", "new"],
        ["docs", "build"],
    ],
)
def test_every_command_has_help_with_an_example(command: list[str], nodetool: Command) -> None:
    done = nodetool(*command, "--help")
    assert done.code == 0 and f"nodetool {' '.join(command)}" in done.out.partition("Example")[2]
