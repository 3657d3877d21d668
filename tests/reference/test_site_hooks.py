"""What the hooks of MkDocs make of a page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nodetool_core.reference.mkdocs_hooks import on_page_content, on_page_markdown


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<td>negative_prompt</td>", "<td>negative_<wbr>prompt</td>"),
        (
            '<td><a href="../a_b.html">nodes.lib.pillow</a></td>',
            '<td><a href="../a_b.html">nodes.<wbr>lib.<wbr>pillow</a></td>',
        ),
        ("<th>StableDiffusionXL</th>", "<th>Stable<wbr>Diffusion<wbr>XL</th>"),
        (
            '<h2 id="a_b">image_to_image<a title="c_d"></a></h2>',
            '<h2 id="a_b">image_<wbr>to_<wbr>image<a title="c_d"></a></h2>',
        ),
        ("<p>negative_prompt</p>", "<p>negative_prompt</p>"),
        ("<thead><tr><th>0.5</th></tr></thead>", "<thead><tr><th>0.5</th></tr></thead>"),
    ],
)
def test_names_in_narrow_places_may_break_between_their_parts(html: str, shown: str) -> None:
    assert on_page_content(html) == shown


def page(path: str) -> Any:
    return SimpleNamespace(file=SimpleNamespace(src_uri=path))


def test_why_a_block_is_not_run_is_not_shown() -> None:
    block = "```console no-run: needs a network\n$ x\n```"
    assert on_page_markdown(block, page("index.md")) == "```console\n$ x\n```"


def test_the_gallery_shows_images_beside_workflows() -> None:
    image = "![x](../../graphs/x.webp)"
    assert on_page_markdown(image, page("gallery/index.md")) == "![x](x.webp)"
    assert on_page_markdown(image, page("guides/other.md")) == image
