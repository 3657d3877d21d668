"""The node reference says the truth, is stable, and has no dead links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import pytest

from nodetool_core import Field, ImageRef, Node, Registry
from nodetool_core.reference.names import file_names, heading, snake_case
from nodetool_core.reference.pages import build, pages, stale


class SampleTint(Node):
    """
    Tints a picture with `one` colour | or two.
    image, colour, sample-only

    Use cases:
    - See what a page <looks> like
    """

    cacheable = False

    image: ImageRef = Field(description="Picture to tint.")
    mode: Literal["warm", "co|ld"] = Field(default="warm", description="Which way.")
    amount: float | None = Field(default=0.5, ge=0, lt=1, description="How much.")
    note: str = Field(default="`a|b`", max_length=12, description="A note.")
    seed: int = Field(default=-1, ge=-1, seed=True, description="Seed.")

    def process(self) -> Annotated[ImageRef, "The tinted picture."]:
        return self.image


@pytest.fixture(scope="module")
def registry() -> Registry:
    found = Registry.installed()
    assert list(found), "the built-in pack has nodes"
    return found


@pytest.fixture(scope="module")
def written(registry: Registry) -> dict[str, str]:
    return pages(registry)


def sample_page(name: str = "sample_tint") -> str:
    registry = Registry(Registry.installed().packs, [SampleTint])
    return next(text for path, text in pages(registry).items() if path.endswith(f"/{name}.md"))


def test_every_module_of_the_built_in_pack_imports(registry: Registry) -> None:
    assert registry.problems == []


def test_every_node_has_a_page_and_every_namespace_an_index(registry: Registry, written: dict[str, str]) -> None:
    types = set(re.findall(r'^node_type: "(.*)"$', "\n".join(written.values()), re.MULTILINE))
    assert types == {node.spec.node_type for node in registry}
    for node in registry:
        assert f"{node.spec.namespace.replace('.', '/')}/index.md" in written


def test_the_page_of_the_seed_has_its_form_and_its_truth(written: dict[str, str]) -> None:
    page = written["huggingface/image_to_image/image_to_image.md"]
    assert page.startswith(
        '---\nlayout: page\ntitle: "Image to Image"\nnode_type: "huggingface.image_to_image.ImageToImage"\n'
        'namespace: "huggingface.image_to_image"\n---\n'
    )
    sections = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert sections == ["Description", "Properties", "Outputs", "Metadata", "Example", "Related Nodes"]
    rows = {row.split("|")[1].strip(): row for row in page.splitlines() if row.startswith("| ")}
    assert "`float`" in rows["strength"] and "`0.8`" in rows["strength"] and "≥ 0; ≤ 1" in rows["strength"]
    assert '`{"type": "image", "uri": "", "asset_id": null, "data": null}`' in rows["image"] and rows["image"].endswith("| yes |")
    assert rows["prompt"].endswith("| no |")
    assert "`image`" in rows["output"]


def test_a_page_tells_types_bounds_choices_and_what_is_required() -> None:
    page = sample_page()
    assert r"Tints a picture with `one` colour | or two." in page
    assert "- See what a page &lt;looks> like" in page
    assert "| image | `image` | Picture to tint. |  |  | yes |" in page
    assert r'| mode | `enum` | Which way. | `"warm"` | `"warm"`, `"co\|ld"` | no |' in page
    assert r"| amount | `float \| none` | How much. | `0.5` | ≥ 0; < 1 | no |" in page
    assert r'| note | `str` | A note. | ``"`a\|b`"`` | at most 12 characters | no |' in page
    assert "-1 draws a number" in page
    assert "- **Result cache:** none: it runs every time" in page
    assert "| output | `image` | The tinted picture. |" in page


def test_related_nodes_share_tags_or_types(registry: Registry, written: dict[str, str]) -> None:
    page = written["huggingface/image_to_image/image_to_image.md"]
    related = page.partition("## Related Nodes")[2]
    assert "load_image_to_image_model.md" in related
    assert all("shares " in line or "that this node" in line for line in related.splitlines() if line.startswith("- "))
    assert "(image_to_image.md)" not in related, "a node is not related to itself"


def test_every_link_resolves(written: dict[str, str]) -> None:
    dead = []
    for path, text in written.items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)]*)\)", prose):
            file, _, anchor = target.partition("#")
            found = (Path("/docs") / path).parent.joinpath(file).resolve().relative_to("/docs").as_posix() if file else path
            if found not in written or (anchor and f"## {anchor.capitalize()}" not in written[found]):
                dead.append(f"{path}: {target}")
    assert dead == []


def test_pages_are_the_same_whatever_was_looked_at_before(written: dict[str, str]) -> None:
    again = Registry.installed()
    again.get("nodetool.output.Output")
    assert pages(again) == written


def test_build_writes_once_and_finds_what_is_stale(registry: Registry, written: dict[str, str], tmp_path: Path) -> None:
    assert len(stale(registry, tmp_path)) == len(written)
    assert len(build(registry, tmp_path)) == len(written)
    assert stale(registry, tmp_path) == [] and build(registry, tmp_path) == []

    edited, gone = tmp_path / "nodetool/output/output.md", tmp_path / "nodetool/output/old_output.md"
    gone.write_text(edited.read_text())
    by_hand = tmp_path / "nodetool/output/notes.md"
    by_hand.write_text("Written by hand.\n")
    edited.write_text(edited.read_text() + "more")
    (tmp_path / "index.md").unlink()
    report = stale(registry, tmp_path)
    assert sorted(line.removeprefix(str(tmp_path)) for line in report) == [
        "/index.md: is missing",
        "/nodetool/output/notes.md: is no generated page",
        "/nodetool/output/old_output.md: belongs to no node any more",
        "/nodetool/output/output.md: differs from what its node declares",
    ]
    assert set(build(registry, tmp_path)) == {edited, gone, tmp_path / "index.md"}
    assert by_hand.exists() and not gone.exists()


def test_the_pages_in_docs_are_not_stale(registry: Registry) -> None:
    assert stale(registry, Path(__file__).parents[2] / "docs" / "nodes") == [], "run `nodetool docs build`"


@pytest.mark.parametrize(
    ("title", "expected", "file"),
    [
        ("ImageToImage", "Image to Image", "image_to_image"),
        ("Blur", "Blur", "blur"),
        ("HTTPGet", "HTTP Get", "http_get"),
        ("ToString", "To String", "to_string"),
        ("ParseJSON", "Parse JSON", "parse_json"),
        ("Kandinsky3Img2Img", "Kandinsky3 Img2 Img", "kandinsky3_img2_img"),
    ],
)
def test_names(title: str, expected: str, file: str) -> None:
    assert heading(title) == expected
    assert snake_case(title) == file


def test_file_names_never_collide() -> None:
    assert file_names(["HTTPGet", "HttpGet", "Index"]) == {"HTTPGet": "http_get.md", "HttpGet": "http_get_2.md", "Index": "index_2.md"}
