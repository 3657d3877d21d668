"""The text that web UIs write, in images of ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.text_to_image import TextToImage
from nodes.nodetool.image import Scale
from nodes.nodetool.input import StringInput
from nodes.nodetool.output import Output
from nodetool_core import ImageData, RunOptions, Workflow
from nodetool_core.assets.infotext import read_texts
from nodetool_core.assets.provenance import read_provenance
from nodetool_core.importing.infotext import read
from tests.nodes.importers.conftest import REGISTRY

SMALL = "nodetool/tiny-landscapes"
LAKE = Path(__file__).parents[2] / "graphs" / "assets" / "lake_at_noon.png"


def workflow() -> Workflow:
    prompt = StringInput(name="words", value="a lake")
    made = TextToImage(
        model=SMALL,
        prompt=prompt.output,
        negative_prompt="people, cars",
        num_inference_steps=2,
        guidance_scale=1.5,
        scheduler="EulerDiscreteScheduler karras",
        width=64,
        height=64,
        seed=7,
        num_images=2,
    )
    large = Scale(image=made.output, scale=2.0)
    return Workflow(Output(name="large", value=large.output), Output(name="all", value=made.images))


@pytest.fixture(scope="module")
def result() -> dict[str, object]:
    return dict(workflow().run(words="a lake: at night").outputs)


def saved(image: object, path: Path) -> str:
    assert isinstance(image, ImageData)
    image.save(path)
    return read_texts(path.read_bytes(), str(path))[0]


def test_a_png_holds_what_it_is_made_with(result: dict[str, object], tmp_path: Path) -> None:
    found = read(saved(result["large"], tmp_path / "large.png"))
    assert (found.prompt, found.negative_prompt) == ("a lake: at night", "people, cars")
    assert found.parameters == {
        "Steps": "2",
        "Sampler": "Euler",
        "Schedule type": "Karras",
        "CFG scale": "1.5",
        "Seed": "7",
        "Size": "128x128",
        "Model": "tiny-landscapes",
    }


def test_the_second_image_has_the_next_seed(result: dict[str, object], tmp_path: Path) -> None:
    images = result["all"]
    assert isinstance(images, list)
    assert read(saved(images[1], tmp_path / "second.png")).parameters["Seed"] == "8"


def test_their_importer_makes_it_again(result: dict[str, object], tmp_path: Path) -> None:
    """From the text alone, without our own record beside it."""
    images = result["all"]
    assert isinstance(images, list)
    text = saved(images[0], tmp_path / "first.png")
    (tmp_path / "first.txt").write_text(text)
    from nodetool_core.importing import import_file

    document = import_file(tmp_path / "first.txt", REGISTRY).document
    again = Workflow.from_document(document, REGISTRY).run(model=SMALL)["image"]
    assert again == images[0]


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tiff"])
def test_other_files_hold_our_record_alone(
    result: dict[str, object], tmp_path: Path, suffix: str
) -> None:
    assert saved(result["large"], tmp_path / f"large.{suffix}") == ""
    made = read_provenance(tmp_path / f"large.{suffix}")
    assert made is not None and "infotext" not in made


def test_our_record_does_not_repeat_it(result: dict[str, object], tmp_path: Path) -> None:
    saved(result["large"], tmp_path / "large.png")
    made = read_provenance(tmp_path / "large.png")
    assert made is not None and "infotext" not in made and "a lake: at night" in json.dumps(made)


def test_it_is_a_setting(tmp_path: Path) -> None:
    made = workflow().run(options=RunOptions(outputs=["large"], infotext=False))["large"]
    assert saved(made, tmp_path / "large.png") == ""
    assert read_provenance(tmp_path / "large.png") is not None


def test_images_that_no_model_made_have_none(tmp_path: Path) -> None:
    small = Scale(image=str(LAKE), scale=0.5)
    made = Workflow(Output(name="small", value=small.output)).run()["small"]
    assert saved(made, tmp_path / "small.png") == ""


def test_an_image_that_began_with_another_one(tmp_path: Path) -> None:
    node = ImageToImage(
        model=SMALL, image=str(LAKE), prompt="night", strength=0.5, num_inference_steps=4, seed=1
    )
    made = Workflow(Output(name="night", value=node.output)).run()["night"]
    found = read(saved(made, tmp_path / "night.png")).parameters
    with Image.open(LAKE) as lake:
        assert found["Size"] == "{}x{}".format(*lake.size)
    assert (found["Denoising strength"], "Sampler" in found) == ("0.5", False)
