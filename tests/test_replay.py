"""Provenance in pictures, and making them again from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from PIL import Image

from nodes.nodetool.constant import Integer
from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import Context, Field, ImageRef, Node, NodetoolError, Registry, Workflow
from nodetool_core.assets.provenance import read_provenance
from nodetool_core.replay import replay


class Noise(Node):
    """Adds noise to a picture."""

    image: ImageRef = Field(description="The picture.")
    strength: float = Field(default=0.5, ge=0, le=1)
    seed: int = Field(default=-1, ge=-1, seed=True)

    def process(self, context: Context) -> Annotated[ImageRef, "The noisy picture."]:
        import numpy

        generator = numpy.random.default_rng(self.seed)
        pixels = numpy.asarray(context.image(self.image, "RGB"), dtype=float)
        noisy = pixels * (1 - self.strength) + generator.uniform(0, 255, pixels.shape) * self.strength
        return context.picture(Image.fromarray(noisy.astype("uint8")))


@pytest.fixture
def registry() -> Registry:
    return Registry(node_classes=[Noise, ImageInput, Output, Integer, ForEach, Collect])


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "photo.png"
    Image.radial_gradient("L").convert("RGB").resize((32, 24)).save(path)
    return path


def noisy(name: str = "picture") -> Workflow:
    return Workflow(Output(name=name, value=Noise(image=ImageInput(name="photo").output, strength=0.3).output))


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg", "tiff"])
def test_a_saved_picture_says_what_made_it(photo: Path, suffix: str) -> None:
    result = noisy().run(photo=photo)
    path = result["picture"].save(f"made.{suffix}")
    made = read_provenance(path)
    assert made is not None
    assert made["seeds"] == result.seeds
    assert made["seeds"]["noise"]["seed"] >= 0
    assert made["versions"]["pillow"]
    inner = {node["id"]: node["data"] for node in made["workflow"]["graph"]["nodes"]}
    assert inner["noise"] == {"strength": 0.3, "seed": result.seeds["noise"]["seed"]}
    assert inner["image_input"]["value"]["uri"] == "photo.png"


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
def test_it_is_made_again_bit_for_bit(photo: Path, registry: Registry, suffix: str) -> None:
    path = noisy().run(photo=photo)["picture"].save(f"made.{suffix}")
    again = replay(path, registry)
    assert again.is_identical
    assert again.changed == []


def test_an_item_of_a_loop_is_made_again(photo: Path, registry: Registry) -> None:
    seeds = ForEach(input_list=[5, 6, 7])
    workflow = Workflow(
        Output(name="all", value=Collect(input_item=Noise(image=ImageInput(name="photo").output, seed=seeds.output).output).output)
    )
    pictures = workflow.run(photo=photo)["all"]
    path = pictures[1].save("second.png")
    again = replay(path, registry)
    assert again.is_identical
    assert again.picture == pictures[1]
    assert again.picture != pictures[0]


def test_a_seed_may_come_from_an_input_and_is_drawn_there(photo: Path, registry: Registry) -> None:
    workflow = Workflow(Output(name="picture", value=Noise(image=ImageInput(name="photo").output, seed=Integer(value=-1).output).output))
    first, second = workflow.run(photo=photo), workflow.run(photo=photo)
    assert first["picture"] != second["picture"]
    assert first.seeds["integer"]["value"] >= 0
    assert replay(first["picture"].save("first.png"), registry).is_identical


def test_a_changed_file_is_named(photo: Path, registry: Registry) -> None:
    path = noisy().run(photo=photo)["picture"].save("made.png")
    Image.new("RGB", (32, 24), "red").save(photo)
    again = replay(path, registry)
    assert not again.is_identical
    assert again.largest_difference > 0
    assert any("photo.png" in change for change in again.changed)


def test_a_picture_without_provenance_is_refused(photo: Path, registry: Registry) -> None:
    with pytest.raises(NodetoolError, match="does not say what made it"):
        replay(photo, registry)


def test_a_missing_node_type_is_named(photo: Path) -> None:
    path = noisy().run(photo=photo)["picture"].save("made.png")
    with pytest.raises(NodetoolError, match="There is no node type"):
        replay(path, Registry(node_classes=[ImageInput, Output]))
