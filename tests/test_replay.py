"""Provenance in images, and making them again from it."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from PIL import Image

from nodes.nodetool.constant import Integer
from nodes.nodetool.control import Collect, ForEach
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import Context, Field, ImageRef, Node, NodetoolError, Registry, Workflow
from nodetool_core.assets.provenance import read_provenance
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, NodeFinished
from nodetool_core.replay import replay


class Noise(Node):
    """Adds noise to an image."""

    image: ImageRef = Field(description="The image.")
    strength: float = Field(default=0.5, ge=0, le=1)
    seed: int = Field(default=-1, ge=-1, seed=True)

    def process(self, context: Context) -> Annotated[ImageRef, "The noisy image."]:
        import numpy

        generator = numpy.random.default_rng(self.seed)
        pixels = numpy.asarray(context.image(self.image, "RGB"), dtype=float)
        noisy = (
            pixels * (1 - self.strength) + generator.uniform(0, 255, pixels.shape) * self.strength
        )
        return context.image_from_pil(Image.fromarray(noisy.astype("uint8")))


class Halves(NamedTuple):
    """Two images."""

    left: ImageRef
    right: ImageRef


class Split(Noise):
    """Gives two images, whatever else it is given."""

    extra: Any = None

    def process(self, context: Context) -> Halves:  # type: ignore[override]
        image = context.image(self.image)
        half = image.width // 2
        sides = [
            image.crop(box)
            for box in ((0, 0, half, image.height), (half, 0, image.width, image.height))
        ]
        return Halves(*map(context.image_from_pil, sides))


@pytest.fixture
def registry() -> Registry:
    return Registry(node_classes=[Noise, Split, ImageInput, Output, Integer, ForEach, Collect])


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "photo.png"
    Image.radial_gradient("L").convert("RGB").resize((32, 24)).save(path)
    return path


def noisy(name: str = "image") -> Workflow:
    return Workflow(
        Output(name=name, value=Noise(image=ImageInput(name="photo").output, strength=0.3).output)
    )


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg", "tiff"])
def test_a_saved_image_says_what_made_it(photo: Path, suffix: str) -> None:
    result = noisy().run(photo=photo)
    path = result["image"].save(f"made.{suffix}")
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
    path = noisy().run(photo=photo)["image"].save(f"made.{suffix}")
    again = replay(path, registry)
    assert again.is_identical
    assert again.changed == []


def test_nothing_is_taken_from_the_cache(photo: Path, registry: Registry) -> None:
    events: list[Event] = []
    with Engine() as engine:
        flow = Workflow.from_document(noisy().document, registry, engine=engine)
        path = flow.run(photo=photo)["image"].save("made.png")
        assert replay(path, registry, engine=engine, on_event=events.append).is_identical
    finished = [event for event in events if isinstance(event, NodeFinished)]
    assert finished and not any(event.cached for event in finished)


def test_an_item_of_a_loop_is_made_again(photo: Path, registry: Registry) -> None:
    seeds = ForEach(input_list=[5, 6, 7])
    workflow = Workflow(
        Output(
            name="all",
            value=Collect(
                input_item=Noise(image=ImageInput(name="photo").output, seed=seeds.output).output
            ).output,
        )
    )
    images = workflow.run(photo=photo)["all"]
    path = images[1].save("second.png")
    again = replay(path, registry)
    assert again.is_identical
    assert again.image == images[1]
    assert again.image != images[0]


def test_a_seed_may_come_from_an_input_and_is_drawn_there(photo: Path, registry: Registry) -> None:
    workflow = Workflow(
        Output(
            name="image",
            value=Noise(
                image=ImageInput(name="photo").output, seed=Integer(value=-1).output
            ).output,
        )
    )
    first, second = workflow.run(photo=photo), workflow.run(photo=photo)
    assert first["image"] != second["image"]
    assert first.seeds["integer"]["value"] >= 0
    assert replay(first["image"].save("first.png"), registry).is_identical


def test_a_changed_file_is_named(photo: Path, registry: Registry) -> None:
    path = noisy().run(photo=photo)["image"].save("made.png")
    Image.new("RGB", (32, 24), "red").save(photo)
    again = replay(path, registry)
    assert not again.is_identical
    assert again.largest_difference > 0
    assert any("photo.png" in change for change in again.changed)


@pytest.mark.parametrize("name", ["photo.png", "deep/under/another-name.PNG", "without-suffix"])
def test_n3_a_file_that_has_moved_is_found_by_its_content(
    name: str, photo: Path, registry: Registry, tmp_path: Path
) -> None:
    path = noisy().run(photo=photo)["image"].save("made.png")
    kept = tmp_path / "archive" / name
    kept.parent.mkdir(parents=True)
    photo.rename(kept)
    (tmp_path / "archive" / "other").mkdir()
    Image.new("RGB", (32, 24), "red").save(tmp_path / "archive" / "other" / "photo.png")
    again = replay(path, registry, files=tmp_path / "archive")
    assert (again.is_identical, again.changed) == (True, [])


def test_n3_a_file_at_the_old_place_with_another_content_is_not_taken(
    photo: Path, registry: Registry, tmp_path: Path
) -> None:
    path = noisy().run(photo=photo)["image"].save("made.png")
    (tmp_path / "archive").mkdir()
    photo.rename(tmp_path / "archive" / "first.png")
    Image.new("RGB", (32, 24), "red").save(photo)
    assert replay(path, registry, files=tmp_path / "archive").is_identical


@pytest.mark.parametrize(
    ("files", "hint"), [(None, "--files DIR"), ("archive", "No file below archive has its content")]
)
def test_n3_a_missing_file_is_named_with_what_to_do(
    files: str | None, hint: str, photo: Path, registry: Registry, tmp_path: Path
) -> None:
    path = noisy().run(photo=photo)["image"].save("made.png")
    (tmp_path / "archive").mkdir()
    photo.unlink()
    with pytest.raises(NodetoolError, match=f"photo.png.*{hint}"):
        replay(path, registry, files=Path(files) if files else None)


def test_n3_recorded_values_can_be_replaced(photo: Path, registry: Registry) -> None:
    path = noisy().run(photo=photo)["image"].save("made.png")
    again = replay(path, registry, settings={"noise.strength": "0.0"})
    assert again.image.image.tobytes() == Image.open(photo).tobytes()


def test_a_image_without_provenance_is_refused(photo: Path, registry: Registry) -> None:
    with pytest.raises(NodetoolError, match="does not state what made it"):
        replay(photo, registry)


def test_a_missing_node_type_is_named(photo: Path) -> None:
    path = noisy().run(photo=photo)["image"].save("made.png")
    with pytest.raises(NodetoolError, match="There is no node type"):
        replay(path, Registry(node_classes=[ImageInput, Output]))


def test_a_image_among_several_outputs_is_made_again(photo: Path, registry: Registry) -> None:
    split = Split(image=ImageInput(name="photo").output)
    path = Workflow(split).run(photo=photo)["split"]["right"].save("right.png")
    again = replay(path, registry)
    assert (again.is_identical, again.image.image.size) == (True, (16, 24))


def test_a_value_that_can_not_be_recorded_fails_no_run_and_is_named(
    photo: Path, registry: Registry
) -> None:
    split = Split(image=ImageInput(name="photo").output, extra=b"bytes")
    path = Workflow(Output(name="left", value=split.left)).run(photo=photo)["left"].save("left.png")
    assert replay(path, registry).changed == ["split.extra: a value that could not be recorded"]


def test_a_file_of_a_node_with_brackets_in_its_id_is_found(photo: Path, registry: Registry) -> None:
    document = noisy().document
    for record in document.graph.nodes:
        record.id = f"[{record.id}].x[0]"
    for edge in document.graph.edges:
        edge.source, edge.target = f"[{edge.source}].x[0]", f"[{edge.target}].x[0]"
    path = Workflow.from_document(document, registry).run(photo=photo)["image"].save("made.png")
    assert replay(path, registry).changed == []


@pytest.mark.parametrize(
    "change",
    [{"output": 3}, {"item": [7]}, {"files": {"a.b": ""}}, {"models": 1}, {"versions": []}],
)
def test_a_record_that_is_not_ours_is_refused(
    change: dict[str, Any], photo: Path, registry: Registry
) -> None:
    image = noisy().run(photo=photo)["image"]
    path = image.with_provenance({**image.provenance, **change}).save("made.png")
    with pytest.raises(NodetoolError):
        replay(path, registry)


@pytest.mark.parametrize("where", ["asset://lake", "{data}"])
def test_a_image_that_is_no_file_of_this_machine_is_noted_as_it_was_given(
    where: str, photo: Path
) -> None:
    content = photo.read_bytes()

    class Store:
        def read(self, asset_id: str) -> bytes:
            return {"lake": content}[asset_id]

    uri = where.format(data=f"DATA:image/png;base64,{b64encode(content).decode()}")
    workflow = noisy()
    with Engine(assets=Store()) as engine:
        made = (
            Workflow.from_document(workflow.document, workflow.registry, engine=engine)
            .run(photo=uri)["image"]
            .provenance
        )
    noted = next(
        node["data"]["value"]
        for node in made["workflow"]["graph"]["nodes"]
        if node["id"] == "image_input"
    )
    assert noted["uri"] == uri and made["files"]["image_input.value"].startswith("blake3:")
