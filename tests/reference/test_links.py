"""Dead links are found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodetool_core.reference.links import anchors, broken_links, slug


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "other.md").write_text(
        '# A `list[image]`, and more\n\n## Same\n\n## Same\n\n<a id="by-hand"></a>\n'
    )
    (tmp_path / "image.png").write_bytes(b"")
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    "text",
    [
        (
            "[a](other.md) [b](other.md#a-listimage-and-more) [c](other.md#same-1)"
            " [d](other.md#by-hand) [e](#here)\n\n## Here"
        ),
        '![a](image.png) <img src="image.png"> [a](<other.md>) [b](other.md "title")',
        "[outside](https://example.com/nowhere) [mail](mailto:a@b.c)",
        "`[code](nowhere.md)` ``[with ` tick](nowhere.md)``",
        "```text\n[in a block](nowhere.md)\n```",
        "- a list\n\n  ~~~\n  [in a block](nowhere.md)\n  ~~~\n",
    ],
)
def test_good_links(text: str, page: Path) -> None:
    page.write_text(text)
    assert broken_links([page]) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a](nowhere.md)", "no such file"),
        ("[a](other.md#nowhere)", "no heading"),
        ("[a](#nowhere)", "no heading"),
        ('<img src="gone.png">', "no such file"),
        ("```text\nblock\n```\n\n[after](nowhere.md)", "no such file"),
        ("[reference]: nowhere.md", "no such file"),
    ],
)
def test_dead_links(text: str, reason: str, page: Path) -> None:
    page.write_text(text)
    (line,) = broken_links([page])
    assert reason in line and str(page) in line


def test_anchors_are_those_of_the_sites(page: Path) -> None:
    assert slug("`hf.image_to_image`") == "hfimage_to_image"
    assert slug("[Node](a.md) & *more*") == "node--more"
    assert anchors(page.with_name("other.md")) >= {"same", "same-1", "by-hand"}
