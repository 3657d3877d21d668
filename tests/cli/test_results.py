"""File names of results."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nodetool_core import ImageData
from nodetool_core.cli.results import file_name, save


@pytest.mark.parametrize(
    ("output", "file"),
    [
        ("image", "image.png"),
        ("poster.jpg", "poster.jpg"),
        ("v1.5", "v1.5.png"),
        ("../../etc/passwd", "_.._etc_passwd.png"),
        ("Großer See (1)", "Großer See (1).png"),
        ("", "output.png"),
        ("...", "output.png"),
        ("a\x00b\nc", "a_b_c.png"),
        ("x" * 300, "x" * 100 + ".png"),
    ],
)
def test_an_output_becomes_a_file_name(output: str, file: str) -> None:
    assert file_name(output) == file


def test_lists_keep_their_format_and_nest(tmp_path: Path) -> None:
    image = ImageData.of(Image.new("RGB", (3, 2)))
    saved = save(
        {"tiles.webp": [[image, image], [image]], "n": 3, "mixed": [image, "text"]}, tmp_path
    )
    names = [path.name for path in saved.paths]
    assert names == ["tiles_1_1.webp", "tiles_1_2.webp", "tiles_2_1.webp", "mixed_1.png"]
    assert saved.values["mixed"][1] == "text" and saved.values["n"] == 3
    assert saved.values["tiles.webp"][1][0]["path"].endswith("tiles_2_1.webp")
