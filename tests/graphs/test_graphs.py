"""The example workflows are valid, say what they do, and run."""

from __future__ import annotations

import json
import math
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageFilter

from nodetool_core import ImageData, ModelRef, Role, Workflow

GRAPHS = Path(__file__).parents[2] / "graphs"
FILES = sorted(GRAPHS.glob("*.json"))
FEW_STEPS = 4

OUTPUTS = {
    "animation.json": {"strip", "file"},
    "aura_sr.json": {"image"},
    "batch_from_table.json": {"image"},
    "before_after.json": {"image"},
    "black_and_white.json": {"image"},
    "brighter_lake.json": {"image", "mask"},
    "caption.json": {"image"},
    "colorize.json": {"image"},
    "contact_sheet.json": {"sheet"},
    "controlnet_canny.json": {"image"},
    "cut_out.json": {"image", "cutout"},
    "day_night_winter.json": {"day", "night", "winter"},
    "enlarge.json": {"image"},
    "fill_in.json": {"image"},
    "exposure_bracket.json": {"sheet", "exposures"},
    "film_looks.json": {"sheet"},
    "flux.json": {"image"},
    "flux_kontext.json": {"image"},
    "folder_sheet.json": {"sheet"},
    "four_seasons.json": {"sheet"},
    "gouache.json": {"image", "tiles"},
    "image_to_image.json": {"image"},
    "instant_photo.json": {"image", "angle"},
    "instruct_pix2pix.json": {"image"},
    "kandinsky.json": {"image"},
    "keep_detail_sdxl.json": {"image"},
    "mask_from_color.json": {"mask", "cutout"},
    "pencil_drawing.json": {"image"},
    "photo_book.json": {"pages", "file"},
    "photo_mood.json": {"image"},
    "photo_on_a_wall.json": {"image", "straightened"},
    "poster.json": {"image"},
    "product_shot.json": {"image"},
    "prompt_from_parts.json": {"image", "prompt"},
    "prompt_variations.json": {"image", "prompts"},
    "quality_check.json": {"sheet", "report"},
    "qwen_image_edit.json": {"image"},
    "resize_for_web.json": {"large", "medium", "small"},
    "restyle_landscape.json": {"image", "comparison"},
    "save_files.json": {"image", "file"},
    "sd_upscaler.json": {"image"},
    "sdxl.json": {"image"},
    "sdxl_turbo.json": {"image"},
    "stable_diffusion.json": {"image"},
    "stable_diffusion_3.json": {"image"},
    "title_card.json": {"image"},
    "triptych.json": {"image"},
    "two_colour_print.json": {"image"},
    "watermark.json": {"image"},
}


def load(name: str) -> Workflow:
    return Workflow.load(GRAPHS / name)


def run(workflow: Workflow, **given: Any) -> Any:
    steps = {
        f"{node.id}.num_inference_steps": FEW_STEPS
        for node in workflow.graph.nodes
        if "num_inference_steps" in node.values
    }
    return workflow.run(steps | given)


def differs(image: ImageData, other: ImageData | Image.Image) -> bool:
    pixels = other.image if isinstance(other, ImageData) else other
    return (
        ImageChops.difference(image.image.convert("RGB"), pixels.convert("RGB")).getbbox()
        is not None
    )


def test_every_file_is_tested() -> None:
    assert {path.name for path in FILES} == set(OUTPUTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_valid_and_whole(path: Path) -> None:
    workflow = Workflow.load(path)
    assert set(workflow.graph.outputs()) == OUTPUTS[path.name]
    assert workflow.graph.notes == () and workflow.document.name and workflow.document.description
    taken = workflow.graph.inputs().keys() & {"image", "folder"}
    assert taken, "every example takes images of the user's"
    for node in workflow.graph.of_role(Role.INPUT):
        assert node.values["description"], "an input says what it is for"
    for node in json.loads(path.read_text())["graph"]["nodes"]:
        assert set(node["ui_properties"]["position"]) == {"x", "y"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_saving_a_loaded_file_adds_what_its_nodes_are_installed_as(
    path: Path, tmp_path: Path
) -> None:
    saved = json.loads(Workflow.load(path).save(tmp_path / path.name).read_text())
    assert saved.pop("packs").keys() == {"nodetool-imaging"}
    assert saved == json.loads(path.read_text())


def test_python_builds_the_same_workflow_as_the_file() -> None:
    built = runpy.run_path(str(GRAPHS / "image_to_image.py"))["workflow"]
    assert _content(built) == _content(load("image_to_image.json"))


def _content(workflow: Workflow) -> dict[str, Any]:
    """
    Return what a workflow does.

    By type and name, because ids and descriptions are the writer's choice.
    """
    nodes = workflow.graph.nodes
    content = {}
    names = [f"{node.spec.node_type} {node.values.get('name', '')}" for node in nodes]
    for node, name in zip(nodes, names, strict=True):
        values = {
            name: value
            for name, value in node.values.items()
            if name not in ("value", "description") or node.role is not Role.INPUT
        }
        content[name] = (values, {(edge.property, names[edge.source]) for edge in node.inputs})
    return content


def downloads(workflow: Workflow) -> set[str]:
    return {
        value.repo_id
        for node in workflow.graph.nodes
        for value in node.values.values()
        if isinstance(value, ModelRef) and value.repo_id
    }


OFFLINE = [path for path in FILES if not downloads(Workflow.load(path))]


@pytest.mark.slow
@pytest.mark.parametrize("path", OFFLINE, ids=lambda path: path.stem)
def test_an_example_makes_images_worth_showing(path: Path, tmp_path: Path) -> None:
    result = run(Workflow.load(path, base=tmp_path))
    images = [value.image for value in result.values() if isinstance(value, ImageData)]
    assert images and result.warnings == []
    assert max(min(image.size) for image in images) >= 512
    for image in images:
        low, high = image.convert("L").getextrema()
        assert high - low > 50, "there is something on it"


@pytest.mark.parametrize("path", OFFLINE, ids=lambda path: path.stem)
def test_the_image_that_the_gallery_shows_is_large_enough(path: Path) -> None:
    with Image.open(path.with_suffix(".webp")) as shown:
        assert min(shown.size) >= 512


def test_starters_name_weights_and_what_they_take() -> None:
    for path in set(FILES) - set(OFFLINE):
        assert "Downloads" in Workflow.load(path).document.description


@pytest.mark.slow
def test_the_mood_of_a_photo_changes_and_its_detail_stays() -> None:
    photo = asset("valley.jpg")
    made = run(load("photo_mood.json"))["image"].image
    assert made.size == photo.size
    before, after = (np.asarray(image.convert("L"), float) for image in (photo, made))
    steps = [np.stack(np.gradient(tones)).ravel() for tones in (before, after)]
    assert np.corrcoef(*steps)[0, 1] > 0.9
    red, _, blue = np.asarray(made, float).mean(axis=(0, 1))
    assert red > blue + 20, "it is evening"


@pytest.mark.slow
def test_a_product_keeps_every_bit_on_another_ground() -> None:
    before, after = asset("bottle.jpg"), run(load("product_shot.json"))["image"].image
    product = np.asarray(asset("bottle_mask.png", "L").filter(ImageFilter.MinFilter(9))) == 255
    change = np.abs(np.asarray(after, float) - np.asarray(before, float)).max(axis=2)
    assert change[product].max() == 0 and change[~product].mean() > 10


@pytest.mark.slow
def test_the_colour_that_is_masked_is_the_glaze_and_not_the_clay() -> None:
    mask = np.asarray(load("mask_from_color.json").run()["mask"].image, float)
    assert mask[400:460, 460:560].mean() > 240 and mask[650:850].max() == mask[:60].max() == 0


@pytest.mark.slow
def test_image_to_image_makes_another_image() -> None:
    result, before = run(load("image_to_image.json")), asset("lake.jpg")
    assert result["image"].image.size == before.size == (512, 512)
    assert differs(result["image"], before)
    assert result.warnings == []


@pytest.mark.slow
def test_image_to_image_follows_prompt_and_seed() -> None:
    workflow = load("image_to_image.json")
    small = {"image": ImageData.of(asset("lake_at_noon.png"))}
    first, again = (run(load("image_to_image.json"), **small)["image"] for _ in range(2))
    assert not differs(first, again), "the same workflow makes the same image"
    assert differs(first, run(workflow, **small, prompt="a snowy winter night")["image"])
    assert differs(first, run(workflow, **small, **{"image_to_image.seed": 8})["image"])


@pytest.mark.slow
def test_prompt_from_parts_builds_the_prompt_it_says() -> None:
    result = run(load("prompt_from_parts.json"), season="autumn")
    assert result["prompt"] == "A beautiful landscape with mountains and a lake at dawn in autumn"
    assert isinstance(result["image"], ImageData)


def test_an_instant_photo_has_a_frame_in_proportion_and_an_angle_by_chance() -> None:
    photo = Image.new("RGB", (300, 200), "black")
    given = {"image": ImageData.of(photo), "border": 0.1}
    lying = [load("instant_photo.json").run(given | {"seed": seed}) for seed in (1, 1, 2)]
    angles = [result["angle"] for result in lying]
    assert angles[0] == angles[1] != angles[2] and all(-4 <= float(angle) <= 4 for angle in angles)
    assert not differs(lying[0]["image"], lying[1]["image"])
    turned = math.radians(abs(float(angles[0])))
    width, height = 340, 280
    assert lying[0]["image"].image.size == (
        math.ceil(width * math.cos(turned) + height * math.sin(turned) - 1e-6),
        math.ceil(width * math.sin(turned) + height * math.cos(turned) - 1e-6),
    )


def test_a_check_of_quality_stops_where_too_little_is_left() -> None:
    from nodetool_core.engine.result import RunError

    photo = {"image": ImageData.of(asset("lake_at_noon.png"))}
    fine, coarse = (load("quality_check.json").run(photo | {"colors": n}) for n in (64, 8))
    assert float(fine["report"].split()[1][:-1]) > float(coarse["report"].split()[1][:-1])
    with pytest.raises(RunError, match="has too little of the photo: a similarity of"):
        load("quality_check.json").run(photo | {"colors": 2, "least": 0.99})


def test_a_bracket_goes_from_dark_to_bright() -> None:
    photo = Image.new("RGB", (40, 30), (100, 100, 100))
    result = load("exposure_bracket.json").run(image=ImageData.of(photo), reach=1.0, number=3)
    assert result["exposures"] == [
        {"label": "-1.00", "stops": -1.0},
        {"label": "0.00", "stops": 0.0},
        {"label": "+1.00", "stops": 1.0},
    ]
    sheet = result["sheet"].image.convert("L")
    tones = [sheet.getpixel((sheet.width * (2 * place + 1) // 6, 15)) for place in range(3)]
    assert tones[0] < tones[1] == 100 < tones[2]


@pytest.mark.slow
def test_prompts_are_drawn_from_choices_and_lists() -> None:
    result = run(
        load("prompt_variations.json"), prompt="a lake at __time__ {in snow|in {sun|rain}}"
    )
    prompts = result["prompts"].splitlines()
    assert len(prompts) == 3 and len({prompt[3:] for prompt in prompts}) > 1
    for number, prompt in enumerate(prompts, 1):
        times, weathers = "dawn|noon|sunset|night", "snow|sun|rain"
        assert re.fullmatch(rf"{number}\. a lake at ({times}) in ({weathers})", prompt)
    assert result["image"].image.width > 3 * 512


@pytest.mark.slow
def test_contact_sheet_shows_the_original_and_three_strengths() -> None:
    lake = asset("lake_at_noon.png")
    sheet = run(load("contact_sheet.json"), image=ImageData.of(lake))["sheet"].image
    before = lake.resize((640, 640), Image.Resampling.LANCZOS)
    assert sheet.width >= 2 * before.width and sheet.height >= 2 * before.height
    left = sheet.crop((4, 4, 4 + before.width, 4 + before.height)).convert("RGB")
    assert ImageChops.difference(left, before).getbbox() is None


@pytest.mark.slow
def test_day_night_winter_gives_three_images_and_only_what_is_asked_for() -> None:
    from nodetool_core.engine.options import RunOptions

    workflow = load("day_night_winter.json")
    steps = {f"to_{name}.num_inference_steps": FEW_STEPS for name in ("day", "night", "winter")}
    only = workflow.run(steps, options=RunOptions(outputs=["night"]))
    assert set(only) == {"night"} and "to_night" in only.ran and "to_day" not in only.ran
    images = workflow.run(steps)
    assert differs(images["day"], images["night"]) and differs(images["day"], images["winter"])


def asset(name: str, mode: str = "RGB") -> Image.Image:
    with Image.open(GRAPHS / "assets" / name) as opened:
        return opened.convert(mode)


@pytest.mark.slow
def test_restyling_shows_before_and_after() -> None:
    result = run(load("restyle_landscape.json"))
    before, after = asset("valley.jpg"), result["image"]
    assert differs(after, before) and after.image.size == before.size
    assert result["comparison"].image.width > 2 * before.width


@pytest.mark.slow
def test_colorizing_gives_colours_and_keeps_the_brightness() -> None:
    grey = asset("lake_in_grey.jpg", "L")
    coloured = run(load("colorize.json"), image=ImageData.of(grey))["image"].image
    red, _, blue = (np.asarray(channel, float) for channel in coloured.split())
    assert np.abs(red - blue).mean() > 10
    # Colours beyond what a brightness can show are clipped.
    assert np.abs(np.asarray(coloured.convert("L"), float) - np.asarray(grey, float)).mean() < 4


@pytest.mark.slow
def test_enlarging_is_nearer_to_the_original_than_resampling() -> None:
    original = asset("lake_at_noon.png")
    small = original.resize((32, 32), Image.Resampling.BICUBIC)
    enlarged = load("enlarge.json").run(image=ImageData.of(small))["image"].image
    assert enlarged.size == original.size
    plain = small.resize(original.size, Image.Resampling.BICUBIC)
    assert distance(enlarged, original) < 0.9 * distance(plain, original)


def distance(first: Image.Image, second: Image.Image) -> float:
    return float(np.square(np.asarray(first, float) - np.asarray(second, float)).mean() ** 0.5)


@pytest.mark.slow
def test_filling_in_changes_what_the_mask_covers_and_its_soft_edge_alone() -> None:
    before, after = asset("lake.jpg"), run(load("fill_in.json"))["image"].image
    mask = np.asarray(asset("sun_mask.png", "L")) > 0
    change = np.abs(np.asarray(after, float) - np.asarray(before, float)).max(axis=2)
    near = mask
    for _ in range(24):
        near = (
            near
            | np.roll(near, 1, 0)
            | np.roll(near, -1, 0)
            | np.roll(near, 1, 1)
            | np.roll(near, -1, 1)
        )
    assert change[~near].max() == 0 and change[mask].mean() > 10


def test_saved_files_have_a_name_a_number_and_what_they_show_beside_them(tmp_path: Path) -> None:
    workflow = Workflow.load(GRAPHS / "save_files.json", base=tmp_path)
    given = {"title": "Lake at noon", "caption": "A lake.", "side": 64}
    saved = [Path(workflow.run(given)["file"]) for _ in range(2)]
    folder = tmp_path / "saved"
    assert [path.relative_to(folder).name for path in saved] == [
        "Lake at noon_64x43_000.jpg",
        "Lake at noon_64x43_001.jpg",
    ]
    beside = json.loads(saved[1].with_suffix(".json").read_text())
    assert beside["caption"] == "A lake." and beside["values"] == {"title": "Lake at noon"}
    assert not (GRAPHS / "saved").exists(), "nothing is written into the pack"
