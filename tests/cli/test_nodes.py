"""`nodetool nodes list`, `show`, `new`, and `nodetool docs`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Command


def test_nodes_are_listed_by_namespace(nodetool: Command) -> None:
    blocks = nodetool("nodes", "list").out.split("\n\n")
    namespaces = [
        {line.split()[0].rpartition(".")[0] for line in block.splitlines()} for block in blocks
    ]
    assert all(len(found) == 1 for found in namespaces) and {"nodetool.image"} in namespaces


def test_a_filter_looks_at_words(nodetool: Command) -> None:
    done = nodetool("nodes", "list", "CROP")
    assert "nodetool.image.Crop" in done.out and "nodetool.constant" not in done.out
    assert (
        "No node fits 'zzz'; `nodetool nodes list` shows all."
        in nodetool("nodes", "list", "zzz").err
    )


@pytest.mark.parametrize(
    ("words", "node_type"),
    [
        (["ImageScaleToTotalPixels"], "nodetool.image.Resize"),
        (["canvas", "size"], "nodetool.image.Pad"),
        (["inpaint", "stitch"], "nodetool.image.PasteBack"),
        (["warpperspective"], "nodetool.image.Perspective"),
    ],
)
def test_a_node_is_found_by_the_name_it_has_elsewhere(
    words: list[str], node_type: str, nodetool: Command
) -> None:
    assert node_type in nodetool("nodes", "list", *words).out.split()


@pytest.mark.parametrize(
    ("word", "first"), [("crop", "nodetool.image.Crop"), ("blend", "lib.pillow.Blend")]
)
def test_n11_the_node_of_that_name_comes_first(word: str, first: str, nodetool: Command) -> None:
    assert nodetool("nodes", "list", word).out.split()[0] == first


@pytest.mark.usefixtures("pack")
def test_n10_a_module_that_failed_is_named_with_file_and_line(nodetool: Command) -> None:
    assert re.search(
        r"No module named 'no_such_library' \(.*cli_pack/broken\.py:1\)",
        nodetool("nodes", "list", "warn").err,
    )


def test_the_list_in_json(nodetool: Command) -> None:
    nodes = {node["type"]: node for node in nodetool("nodes", "list", "--json").json}
    assert nodes["nodetool.input.ImageInput"]["role"] == "input"


@pytest.mark.usefixtures("pack")
def test_a_module_that_can_not_be_imported_is_named_with_the_reason(nodetool: Command) -> None:
    done = nodetool("nodes", "list", "cli_pack")
    assert done.code == 0 and "cli_pack.nodes.Crash" in done.out
    assert "cli_pack.broken: ModuleNotFoundError: No module named 'no_such_library'" in done.err


def test_a_node_is_shown(nodetool: Command) -> None:
    text = nodetool("nodes", "show", "nodetool.image.Scale").out
    assert "scale: float, > 0, ≤ 10, default 1.0" in text and "image: image, required" in text
    properties = {
        prop["name"]: prop
        for prop in nodetool("nodes", "show", "Scale", "--json").json["properties"]
    }
    assert properties["image"]["required"] and "default" not in properties["image"]
    assert properties["scale"]["schema"]["maximum"] == 10 and properties["scale"]["default"] == 1.0


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nodetool.image.Crpo", "'nodetool.image.Crop'"),
        ("Crpo", "'nodetool.image.Crop'"),
        ("qqqqqq", "nodetool nodes list"),
    ],
)
def test_an_unknown_node(name: str, hint: str, nodetool: Command) -> None:
    done = nodetool("nodes", "show", name)
    assert (done.code, done.out) == (2, "") and hint in done.err


@pytest.mark.usefixtures("pack")
def test_an_unknown_class_name_may_stand_in_a_module_that_failed(nodetool: Command) -> None:
    done = nodetool("nodes", "show", "Brokn")
    assert (
        done.code == 2
        and "cli_pack.broken: ModuleNotFoundError: No module named 'no_such_library'" in done.err
    )


def test_a_near_miss_of_a_name_that_several_nodes_have_names_each_in_full(
    nodetool: Command,
) -> None:
    done = nodetool("nodes", "show", "ImageToImag")
    suggested = re.findall(r"'([\w.]+\.ImageToImage)'", done.err)
    assert len(suggested) > 1 and "huggingface.image_to_image.ImageToImage" in suggested
    for name in suggested:
        assert nodetool("nodes", "show", name).code == 0


def pytest_in(folder: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_new_pack_passes_its_own_test(nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("nodes", "new", "studio.filters.Soften", "--dir", "own")
    assert done.code == 0 and 'pip install -e "own[dev]"' in done.err
    assert sorted(done.out.splitlines()) == [
        "own/pyproject.toml",
        "own/studio/__init__.py",
        "own/studio/filters.py",
        "own/tests/test_filters.py",
    ]
    passed = pytest_in(tmp_path / "own")
    assert passed.returncode == 0 and "3 passed" in passed.stdout, passed.stdout
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", "own/studio"],
        cwd=tmp_path,
        check=False,
    )
    assert checked.returncode == 0


def test_a_second_node_joins_the_pack(nodetool: Command, tmp_path: Path) -> None:
    nodetool("nodes", "new", "studio.filters.Soften")
    done = nodetool("nodes", "new", "studio.more.deep.Sharpen")
    assert done.code == 0 and done.out.splitlines() == ["studio/more/deep.py", "tests/test_deep.py"]
    assert (tmp_path / "studio" / "more" / "__init__.py").exists()
    assert pytest_in(tmp_path).returncode == 0


def test_in_a_copy_of_the_repository_the_node_goes_into_nodes(
    nodetool: Command, tmp_path: Path
) -> None:
    for folder in ("nodes", "nodetool_core", "tests/nodes"):
        (tmp_path / folder).mkdir(parents=True)
    for init in ("nodes", "tests", "tests/nodes"):
        (tmp_path / init / "__init__.py").write_text("")
    done = nodetool("nodes", "new", "lib.tone.Sepia")
    assert done.out.splitlines() == ["nodes/lib/tone.py", "tests/nodes/lib/test_tone.py"]
    assert (tmp_path / "tests/nodes/lib/__init__.py").exists() and (
        tmp_path / "nodes/lib/__init__.py"
    ).exists()
    assert (
        "from nodes.lib.tone import Sepia"
        in (tmp_path / "tests/nodes/lib/test_tone.py").read_text()
    )
    assert "nodetool docs build" in done.err and not (tmp_path / "pyproject.toml").exists()


def test_nothing_is_overwritten(nodetool: Command, tmp_path: Path) -> None:
    (tmp_path / "studio").mkdir()
    (tmp_path / "studio" / "filters.py").write_text("precious")
    done = nodetool("nodes", "new", "studio.filters.Soften")
    assert done.code == 2 and "exists already" in done.err
    assert (tmp_path / "studio" / "filters.py").read_text() == "precious" and not (
        tmp_path / "tests"
    ).exists()


@pytest.mark.parametrize(
    "node_type",
    [
        "Soften",
        "studio.Soften",
        "studio.filters.soften",
        "studio..Soften",
        "studio.class.Soften",
        "../x.y.Z",
        "tests.x.Y",
    ],
)
def test_types_that_are_none(node_type: str, nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("nodes", "new", node_type)
    assert done.code == 2 and node_type in done.err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("nodetool", "another project on the package index"),
        ("os", "standard library"),
        ("nodes", "installed already"),
        ("PIL", "installed already"),
    ],
)
def test_n1_a_pack_takes_no_name_that_is_taken(
    package: str, reason: str, nodetool: Command, tmp_path: Path
) -> None:
    done = nodetool("nodes", "new", f"{package}.filters.Soften", "--dir", "own")
    assert done.code == 2 and reason in done.err and "studio.filters.Soften" in done.err
    assert list(tmp_path.iterdir()) == []


def test_n1_a_new_pack_requires_the_distribution_that_brings_this_program(
    nodetool: Command, tmp_path: Path
) -> None:
    """A pack that requires `nodetool` would fetch another project's package over ours."""
    nodetool("nodes", "new", "studio.filters.Soften", "--dir", "own")
    project = tomllib.loads((tmp_path / "own" / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == ["nodetool-imaging"]
    scripts = distribution("nodetool-imaging").entry_points.select(
        group="console_scripts", name="nodetool"
    )
    assert [script.value for script in scripts] == ["nodetool_core.cli:main"]


def test_the_reference_is_built_and_checked(nodetool: Command, tmp_path: Path) -> None:
    assert nodetool("docs", "check", "--out", "pages").code == 1
    built = nodetool("docs", "build", "--out", "pages")
    assert built.code == 0 and "pages/index.md" in built.out.splitlines()
    assert nodetool("docs", "check", "--out", "pages").code == 0
    (tmp_path / "pages" / "index.md").write_text("stale")
    stale = nodetool("docs", "check", "--out", "pages")
    assert (
        stale.code == 1
        and "index.md" in stale.out
        and "nodetool docs build --out pages" in stale.err
    )
