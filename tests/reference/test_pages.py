"""The node reference says the truth, is stable, and has no dead links."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageChops, ImageStat

from nodetool_core import Field, ImageRef, Node, Registry
from nodetool_core.reference.images import make
from nodetool_core.reference.links import broken_links
from nodetool_core.reference.names import file_names, heading, snake_case
from nodetool_core.reference.pages import build, missing_images, pages, stale

ROOT = Path(__file__).parents[2]
SOME = "nodes.nodetool.image"
"""The module whose nodes alone have pages in tests that write them again and again."""


class SampleTint(Node):
    """
    Tints an image with `one` colour | or two.
    image, colour, sample-only

    Use cases:
    - See what a page <looks> like
    """

    cacheable = False

    image: ImageRef = Field(description="Image to tint.")
    mode: Literal["warm", "co|ld"] = Field(default="warm", description="Which way.")
    amount: float | None = Field(default=0.5, ge=0, lt=1, description="How much.")
    note: str = Field(default="`a|b`", max_length=12, description="A note.")
    seed: int = Field(default=-1, ge=-1, seed=True, description="Seed.")

    def process(self) -> Annotated[ImageRef, "The tinted image."]:
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


def test_every_node_has_a_page_and_every_namespace_an_index(
    registry: Registry, written: dict[str, str]
) -> None:
    types = set(re.findall(r'^node_type: "(.*)"$', "\n".join(written.values()), re.MULTILINE))
    assert types == {node.spec.node_type for node in registry}
    for node in registry:
        assert f"{node.spec.namespace.replace('.', '/')}/index.md" in written


def test_the_page_of_the_seed_has_its_form_and_its_truth(written: dict[str, str]) -> None:
    page = written["huggingface/image_to_image/image_to_image.md"]
    assert page.startswith(
        '---\nlayout: page\ntitle: "Image to Image"\nnode_type:'
        ' "huggingface.image_to_image.ImageToImage"\nnamespace: "huggingface.image_to_image"\n---\n'
    )
    sections = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert sections == [
        "Description",
        "Properties",
        "Outputs",
        "Metadata",
        "Example",
        "Related Nodes",
    ]
    rows = {row.split("|")[1].strip(): row for row in page.splitlines() if row.startswith("| ")}
    assert (
        "`float`" in rows["strength"]
        and "`0.8`" in rows["strength"]
        and "≥ 0; ≤ 1" in rows["strength"]
    )
    assert '`{"type": "image", "uri": "", "asset_id": null, "data": null}`' in rows[
        "image"
    ] and rows["image"].endswith("| yes |")
    assert rows["prompt"].endswith("| no |")
    assert "`image`" in rows["output"]


def test_a_page_tells_types_bounds_choices_and_what_is_required() -> None:
    page = sample_page()
    assert r"Tints an image with `one` colour | or two." in page
    assert "- See what a page &lt;looks> like" in page
    assert "| image | [`image`](../../../types.md#image) | Image to tint. |  |  | yes |" in page
    assert (
        r'| mode | [`enum`](../../../types.md#enum) | Which way. | `"warm"` | `"warm"`, `"co\|ld"`'
        r" | no |" in page
    )
    assert (
        r"| amount | [`float`](../../../types.md#float) \| `none` | How much. | `0.5` | ≥ 0; < 1 |"
        r" no |" in page
    )
    assert (
        r'| note | [`str`](../../../types.md#str) | A note. | ``"`a\|b`"`` | at most 12 characters'
        r" | no |" in page
    )
    assert "-1 draws a number" in page
    assert "- **Result cache:** none: it runs every time" in page
    assert "| output | [`image`](../../../types.md#image) | The tinted image. |" in page


def related(written: dict[str, str], page: str) -> list[str]:
    lines = written[page].partition("## Related Nodes")[2].splitlines()
    return [line for line in lines if line.startswith("- ")]


def test_many_choices_stand_below_the_table(written: dict[str, str]) -> None:
    page = written["huggingface/image_to_image/image_to_image.md"]
    row = next(line for line in page.splitlines() if line.startswith("| scheduler "))
    assert re.search(r"one of \d+, listed below", row) and "EulerDiscreteScheduler" not in row
    assert re.search(r"^Choices of `scheduler`: .*`\"EulerDiscreteScheduler\"`", page, re.MULTILINE)


def test_related_nodes_share_tags_or_properties(
    registry: Registry, written: dict[str, str]
) -> None:
    lines = related(written, "huggingface/image_to_image/image_to_image.md")
    assert any("inpaint" in line.lower() or "model" in line.lower() for line in lines)
    assert all(re.search(r"shares |both |that this node ", line) for line in lines)
    assert not any("(image_to_image.md)" in line for line in lines), (
        "a node is not related to itself"
    )
    assert not any("Image Input" in line for line in lines), (
        "an input is related to every node and to none"
    )


def test_what_is_rare_relates_more_than_what_everybody_has(written: dict[str, str]) -> None:
    first = related(written, "nodetool/image/paste.md")[0]
    assert "left" in first or "paste" in first or "composite" in first
    assert "concat" in related(written, "nodetool/text/join.md")[0]


def test_every_link_resolves(registry: Registry, tmp_path: Path) -> None:
    build(registry, tmp_path)
    assert broken_links(tmp_path.rglob("*.md")) == []


def test_types_lead_to_the_nodes_that_give_and_take_them(written: dict[str, str]) -> None:
    entry = written["types.md"].partition("## `image`\n")[2].partition("\n## ")[0]
    given, taken = (line for line in entry.splitlines() if line.startswith("**"))
    assert (
        "[Load Image File](nodetool/image/load_image_file.md)" in given
        and "Get Metadata" not in given
    )
    assert (
        "[Get Metadata](nodetool/image/get_metadata.md) (image)" in taken
        and "Load Image File" not in taken
    )
    assert '`{"type": "image", "uri": "", "asset_id": null, "data": null}`' in entry
    assert "## `any`" in written["types.md"] and "## `enum`" in written["types.md"]


def test_an_int_is_taken_where_a_float_is() -> None:
    page = pages(Registry(Registry.installed().packs, [SampleTint]))["types.md"]
    taken = {
        name: page.partition(f"## `{name}`\n")[2].partition("**Taken by:**")[2].partition("\n")[0]
        for name in ("int", "float")
    }
    assert "Sample Tint" in taken["float"] and "(amount, seed)" in taken["int"]
    assert re.search(r"Sample Tint\]\([^)]*\) \(amount\)", taken["float"])


def test_nodes_are_found_by_tag_and_use_case(written: dict[str, str]) -> None:
    page = written["tags.md"]
    assert re.search(r"^- \*\*crop:\*\* .*\[Crop\]\(nodetool/image/crop.md\)", page, re.MULTILINE)
    assert "- Remove a border: [Crop](nodetool/image/crop.md)" in page


def test_the_catalogue_says_the_same_as_json(registry: Registry, written: dict[str, str]) -> None:
    catalogue = {entry["type"]: entry for entry in json.loads(written["nodes.json"])}
    assert set(catalogue) == {node.spec.node_type for node in registry}
    crop = catalogue["nodetool.image.Crop"]
    assert (
        crop["page"] in written
        and crop["properties"]["left"] == "int"
        and "Remove a border" in crop["use_cases"]
    )


def test_every_node_is_drawn_on_its_page(registry: Registry, written: dict[str, str]) -> None:
    drawings = [path for path in written if path.endswith(".svg")]
    assert len(drawings) == len(list(registry))
    for path in drawings:
        ElementTree.fromstring(written[path])
        assert f"({Path(path).name})" in written[path.replace(".svg", ".md")]


def test_a_image_is_shown_where_it_was_made_and_missed_where_not(tmp_path: Path) -> None:
    registry = Registry(Registry.installed().packs)
    page, image = tmp_path / "nodetool/image/crop.md", tmp_path / "nodetool/image/crop.webp"
    build(registry, tmp_path, SOME)
    assert (
        "nodetool/image/crop.webp" in missing_images(registry, tmp_path, SOME)
        and "crop.webp" not in page.read_text()
    )
    Image.new("RGB", (8, 8)).save(image)
    assert (
        build(registry, tmp_path, SOME) == [page]
        and "![The image that the example gives](crop.webp)" in page.read_text()
    )
    assert (
        "nodetool/image/crop.webp" not in missing_images(registry, tmp_path, SOME)
        and stale(registry, tmp_path, SOME) == []
    )
    gone = tmp_path / "nodetool/image/gone.webp"
    gone.write_bytes(image.read_bytes())
    assert build(registry, tmp_path, SOME) == [gone] and image.exists()


def test_images_are_made_by_the_examples(registry: Registry, tmp_path: Path) -> None:
    made = dict(make(registry, tmp_path, ROOT, only="nodetool.image.Crop"))
    image = tmp_path / "nodetool/image/crop.webp"
    assert made == {image: ""}
    with Image.open(image) as shown, Image.open(ROOT / "graphs/assets/lake_at_noon.png") as lake:
        assert shown.size == (72, 80)
        near = ImageChops.difference(
            shown.convert("RGB"), lake.convert("RGB").crop((24, 16, 96, 96))
        )
        assert max(ImageStat.Stat(near).mean) < 12


def test_pages_are_the_same_whatever_was_looked_at_before(written: dict[str, str]) -> None:
    again = Registry.installed()
    again.get("nodetool.output.Output")
    assert pages(again) == written


def test_build_writes_once_and_finds_what_is_stale(registry: Registry, tmp_path: Path) -> None:
    written = pages(registry, package=SOME)
    assert len(stale(registry, tmp_path, SOME)) == len(written)
    assert len(build(registry, tmp_path, SOME)) == len(written)
    assert stale(registry, tmp_path, SOME) == [] and build(registry, tmp_path, SOME) == []

    edited, gone = tmp_path / "nodetool/image/crop.md", tmp_path / "nodetool/image/old_crop.md"
    gone.write_text(edited.read_text())
    by_hand = tmp_path / "nodetool/image/notes.md"
    by_hand.write_text("Written by hand.\n")
    edited.write_text(edited.read_text() + "more")
    (tmp_path / "index.md").unlink()
    report = stale(registry, tmp_path, SOME)
    assert sorted(line.removeprefix(str(tmp_path)) for line in report) == [
        "/index.md: is missing",
        "/nodetool/image/crop.md: differs from what its node declares",
        "/nodetool/image/notes.md: is no generated page",
        "/nodetool/image/old_crop.md: belongs to no node any more",
    ]
    assert set(build(registry, tmp_path, SOME)) == {edited, gone, tmp_path / "index.md"}
    assert by_hand.exists() and not gone.exists()


def test_the_pages_in_docs_are_not_stale(registry: Registry) -> None:
    assert stale(registry, ROOT / "docs" / "nodes") == [], "run `nodetool docs build --images`"


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
    assert file_names(["HTTPGet", "HttpGet", "Index"]) == {
        "HTTPGet": "http_get.md",
        "HttpGet": "http_get_2.md",
        "Index": "index_2.md",
    }


ONE_TONE = {"background.webp", "from_alpha.webp"}
"""What is of one colour by its default, and the mask of an opaque image."""


def test_the_image_of_a_page_shows_what_its_node_does() -> None:
    flat = []
    for path in sorted((ROOT / "docs" / "nodes").rglob("*.webp")):
        with Image.open(path) as image:
            spread = ImageStat.Stat(image.convert("RGB")).stddev
        if max(spread) < 8 and path.name not in ONE_TONE:
            flat.append(path.name)
    assert flat == []
