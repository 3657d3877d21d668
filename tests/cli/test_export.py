"""`nodetool export`: what is written, what is said, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command

GRAPHS = Path(__file__).parents[2] / "graphs"
WHOLE = Path(__file__).parents[1] / "nodes" / "importers" / "files" / "image_to_image.json"


def test_a_whole_workflow_goes_to_stdout(nodetool: Command) -> None:
    nodetool("import", WHOLE, "--out", "ours.json")
    done = nodetool("export", "ours.json", "--to", "comfyui")
    assert done.code == 0 and "whole." in done.err
    classes = {node["class_type"] for node in done.json.values()}
    assert classes >= {"CheckpointLoaderSimple", "KSampler", "VAEEncode", "SaveImage"}
    Path("theirs.json").write_text(done.out)
    again = nodetool("import", "theirs.json")
    assert (
        again.code == 0
        and again.json["graph"] == json.loads(Path("ours.json").read_text())["graph"]
    )


def test_what_does_about_the_same_ends_with_3(nodetool: Command) -> None:
    in_tiles = (GRAPHS / "image_to_image.json").read_text()
    Path("at_once.json").write_text(in_tiles.replace('"keep_size": "tiles"', ""))
    done = nodetool("export", "at_once.json", "--to", "comfyui", "-o", "made.json")
    assert done.code == 3 and done.out.strip() == "made.json"
    assert "becomes a constant" in done.err and "with notes." in done.err
    assert json.loads(Path("made.json").read_text())["image_to_image"]["class_type"] == "KSampler"


def test_a_lost_value_ends_with_1_and_nothing_with_2(nodetool: Command) -> None:
    lost = nodetool("export", GRAPHS / "fill_in.json", "--to", "comfyui")
    assert lost.code == 1 and "mask_blur has no counterpart: 12 is left out." in lost.err
    nothing = nodetool("export", GRAPHS / "triptych.json", "--to", "comfyui")
    assert nothing.code == 2 and nothing.out == "" and "SliceImageGrid" in nothing.err
    other = nodetool("export", GRAPHS / "fill_in.json", "--to", "invoke")
    assert other.code == 2 and "comfyui" in other.err and "Traceback" not in other.err


def test_the_workflow_is_not_overwritten(nodetool: Command) -> None:
    nodetool("import", WHOLE, "--out", "ours.json")
    before = Path("ours.json").read_bytes()
    done = nodetool("export", "ours.json", "--to", "comfyui", "--out", "ours.json")
    assert done.code == 2 and Path("ours.json").read_bytes() == before
