"""
Each family has a row of docs/models.md.

That it says what running shows is for test_text_families.py and test_image_families.py.
"""

from __future__ import annotations

import re

from nodes.huggingface.models_page import families, page
from nodetool_core import Registry


def test_the_page_has_a_row_per_family_and_task() -> None:
    text = page()
    assert Registry.installed().pages()["models.md"] == text
    for task, title in (
        ("text-to-image", "Text to image"),
        ("image-to-image", "Image to image"),
        ("inpainting", "Inpainting"),
    ):
        section = text.split(f"## {title}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (\w+) \|", section, re.MULTILINE)
        assert sorted(rows[1:]) == sorted(name.removesuffix("Pipeline") for name in families(task))
    assert re.search(r"^\| StableDiffusionImg2Img \| yes \| yes \| yes \|", text, re.MULTILINE)
    assert re.search(r"^\| FluxKontext \| yes \| – \| – \| yes \|", text, re.MULTILINE)  # noqa: RUF001 - the page's dash
