"""
`nodetool examples`, and workflow files named as `example:NAME`.

(N2: whoever has only the wheel has something to run.)
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import ROOT, Command

SHIPPED = sorted(file.stem for file in (ROOT / "graphs").glob("*.json"))


def test_n2_every_shipped_workflow_is_listed(nodetool: Command) -> None:
    listed = nodetool("examples").out.splitlines()
    assert [line.split()[0] for line in listed] == [f"example:{name}" for name in SHIPPED]
    assert all(len(line.split()) > 4 for line in listed)


def test_n2_an_example_runs_from_any_folder(nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("run", "example:enlarge", "--quiet", "--no-cache")
    assert done.code == 0
    with (
        Image.open(ROOT / "graphs/assets/lake_at_noon.png") as before,
        Image.open(tmp_path / done.out.strip()) as after,
    ):
        assert after.size == (before.width * 4, before.height * 4)


def test_a_folder_that_is_named_starts_here(nodetool: Command, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (60, 40), "teal").save(tmp_path / "photos" / f"{name}.png")
    done = nodetool(
        "run", "example:folder_sheet", "--set", "folder=photos", "--out", "s.png", "--quiet"
    )
    assert done.code == 0, done.err
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 2 * 320


def test_an_example_writes_to_the_current_folder(nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("run", "example:save_files", "--output", "file", "--quiet")
    assert done.out == f"file: {tmp_path / 'saved' / 'valley_1200x800_000.jpg'}\n"
    assert not (ROOT / "graphs" / "saved").exists()


def test_n2_an_example_is_validated_and_drawn(nodetool: Command) -> None:
    assert nodetool("validate", "example:enlarge").code == 0
    assert nodetool("graph", "example:enlarge").out.startswith("flowchart")


def test_n2_copied_examples_bring_their_images_and_run(nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("examples", "fill_in", "enlarge", "--copy", "mine")
    assert done.out.splitlines() == [
        "mine/fill_in.json",
        "mine/assets/lake.jpg",
        "mine/assets/sun_mask.png",
        "mine/enlarge.json",
        "mine/assets/lake_at_noon.png",
    ]
    assert nodetool("validate", "mine/fill_in.json").code == 0
    assert nodetool("examples", "contact_sheet", "--copy", "mine").code == 0


def test_n2_a_copy_replaces_nothing(nodetool: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "assets").mkdir(parents=True)
    (tmp_path / "mine" / "assets" / "lake_at_noon.png").write_bytes(b"precious")
    done = nodetool("examples", "enlarge", "--copy", "mine")
    assert done.code == 2 and "not overwritten" in done.err
    assert not (tmp_path / "mine" / "enlarge.json").exists()


@pytest.mark.parametrize("command", [["run"], ["validate"], ["graph"], ["examples"]])
def test_n2_an_unknown_example_gets_a_near_miss(command: list[str], nodetool: Command) -> None:
    name = "enlage" if command == ["examples"] else "example:enlage"
    done = nodetool(*command, name)
    assert done.code == 2 and "Did you mean 'enlarge'?" in done.err


def test_n2_a_pack_ships_examples_under_its_own_name(
    nodetool: Command, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path_factory.mktemp("site")
    package, info = site / "showing_pack", site / "showing_pack-1.0.dist-info"
    (package / "workflows").mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text(
        "from nodetool_core import Pack\n\npack = Pack(package='showing_pack',"
        " examples='workflows')\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: showing-pack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nodetool.packs]\nshowing_pack = showing_pack:pack\n")
    node = {"id": "text", "type": "nodetool.constant.String", "data": {"value": "hello"}}
    (package / "workflows" / "hello.json").write_text(
        json.dumps({"description": "Says hello.", "graph": {"nodes": [node], "edges": []}})
    )
    monkeypatch.syspath_prepend(str(site))
    listed = dict(line.split(maxsplit=1) for line in nodetool("examples").out.splitlines())
    assert listed["example:showing_pack.hello"] == "Says hello."
    assert nodetool("validate", "example:showing_pack.hello").code == 0
