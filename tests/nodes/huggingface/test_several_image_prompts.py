"""Several IP adapters at once, each with its scale, and masks that keep each to its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from nodes.huggingface.image_to_image import Inpainting
from nodes.huggingface.loaders import ApplyIPAdapter
from nodes.huggingface.model_kinds import IPAdapterModel
from nodes.huggingface.text_to_image import TextToImage
from nodes.huggingface.units import IPAdapterUnit
from nodes.nodetool.output import Output
from nodetool_core import ImageData, NodeError, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_controlnets import QUICK, RINGS
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_inpainting import spot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = (64, 64)
SCENE = ImageData.of(scene(*SIZE))


def half(left: int, right: int) -> ImageData:
    """Return a mask that is white from the first share of the width to the second, of 2."""
    mask = Image.new("L", SIZE)
    mask.paste(255, (32 * left, 0, 32 * right, 64))
    return ImageData.of(mask)


LEFT, RIGHT, ALL = half(0, 1), half(1, 2), half(0, 2)


def draw(recorder: Recorder, repo_id: str, **properties: Any) -> np.ndarray[Any, Any]:
    node = TextToImage(model=repo_id, width=64, height=64, **QUICK | properties)
    result = node.process(recorder.context).output
    assert isinstance(result, ImageData)
    return np.asarray(result.image, np.int16)


def prompt(path: str, image: ImageData = RINGS, **values: Any) -> IPAdapterUnit:
    return IPAdapterUnit(IPAdapterModel(repo_id=path), image, **values)


@pytest.mark.parametrize(
    "family",
    ["stable_diffusion", "stable_diffusion_xl", pytest.param("flux", marks=pytest.mark.slow)],
)
def test_each_of_several_counts_by_its_scale(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    path, repo = adapter("ip_adapter", family), model(family)
    given: list[list[IPAdapterUnit]] = [
        [],
        [prompt(path, scale=0.9)],
        [prompt(path, scale=0.9), prompt(path, SCENE, scale=0.3)],
        [prompt(path, scale=0.3), prompt(path, SCENE, scale=0.9)],
    ]
    results = [draw(recorder, repo, ip_adapters=units).tobytes() for units in given]
    assert len(set(results)) == 4
    neutral = [prompt(path, scale=0.9), prompt(path, SCENE, scale=0.0)]
    assert draw(recorder, repo, ip_adapters=neutral).tobytes() == results[1]
    own = {"ip_adapter_model": IPAdapterModel(repo_id=path), "ip_adapter_image": RINGS}
    assert draw(recorder, repo, ip_adapter_scale=0.9, **own).tobytes() == results[1]
    assert [warning for warning in recorder.warnings if "size" not in warning] == []


@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_xl"])
def test_a_mask_keeps_an_image_to_its_place(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    path, repo = adapter("ip_adapter", family), model(family)
    plain, whole, white, left, right = (
        draw(recorder, repo, num_inference_steps=1, ip_adapters=units)
        for units in (
            [],
            [prompt(path, scale=1.0)],
            [prompt(path, scale=1.0, mask=ALL)],
            [prompt(path, scale=1.0, mask=LEFT)],
            [prompt(path, scale=1.0, mask=RIGHT)],
        )
    )
    assert np.array_equal(whole, white)
    assert len({one.tobytes() for one in (plain, whole, left, right)}) == 4
    mixed = [prompt(path, scale=1.0, mask=LEFT), prompt(path, SCENE, scale=1.0)]
    assert draw(recorder, repo, ip_adapters=mixed).shape == (64, 64, 3)
    assert recorder.warnings == []


@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_xl"])
def test_most_of_a_masked_image_stays_where_its_mask_is(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    """Convolutions carry some of it across: both halves, with four seeds, are summed."""
    path, repo = adapter("ip_adapter", family), model(family)
    within = beyond = 0.0
    for seed in range(4):
        given = {"num_inference_steps": 1, "seed": seed}
        plain = draw(recorder, repo, **given)
        for mask, half_of_mask in ((LEFT, 0), (RIGHT, 1)):
            masked = draw(recorder, repo, ip_adapters=[prompt(path, scale=1.0, mask=mask)], **given)
            changed = np.abs(masked - plain).mean(axis=(0, 2)).reshape(2, 32).mean(axis=1)
            within += changed[half_of_mask]
            beyond += changed[1 - half_of_mask]
    assert within > beyond


def test_masks_are_cropped_along_with_the_image(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    path = adapter("ip_adapter", "stable_diffusion")
    masks = [LEFT, ImageData.of(LEFT.image.resize((16, 16), Image.Resampling.NEAREST))]
    results = [
        Inpainting(
            model=model("stable_diffusion"),
            image=SCENE,
            mask_image=ImageData.of(spot(SIZE)),
            crop_to_mask=True,
            ip_adapters=[prompt(path, scale=1.0, mask=mask)],
            **QUICK,
        ).process(recorder.context)
        for mask in masks
    ]
    assert all(isinstance(one.output, ImageData) for one in results)
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("stable_diffusion_3", {}, "StableDiffusion3Pipeline takes one IP adapter, and 2 are"),
        ("flux", {"mask": LEFT}, "FluxPipeline follows image prompts everywhere"),
    ],
)
def test_what_a_pipeline_does_not_take_is_refused_before_the_load(
    family: str,
    values: dict[str, Any],
    message: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
) -> None:
    fresh = ModelManager(device="cpu")
    path = adapter("ip_adapter", family)
    units = [prompt(path, **values), prompt(path, SCENE, **values)]
    with pytest.raises(NodeError, match=message) as caught:
        draw(Recorder(fresh), model(family), ip_adapters=units)
    assert (caught.value.problem.code, caught.value.problem.where) == ("model_unfit", "ip_adapters")
    assert fresh.loads == 0


def test_an_adapter_without_an_image_is_told(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    path = adapter("ip_adapter", "stable_diffusion")
    units = [prompt(path), IPAdapterUnit(IPAdapterModel(repo_id=path))]
    with pytest.raises(NodeError, match="one of the ip_adapters has no image") as caught:
        draw(recorder, model("stable_diffusion"), ip_adapters=units)
    assert caught.value.problem.code == "missing_image"


def test_nodes_chain_adapters_in_a_workflow(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    manager: ModelManager,
    tmp_path: Path,
) -> None:
    RINGS.image.save(tmp_path / "rings.png")
    LEFT.image.save(tmp_path / "left.png")
    path = adapter("ip_adapter", "stable_diffusion")
    rings = str(tmp_path / "rings.png")
    first = ApplyIPAdapter(ip_adapter=path, image=rings, mask=str(tmp_path / "left.png"), scale=0.9)
    second = ApplyIPAdapter(ip_adapter=path, image=rings, scale=0.3, ip_adapters=first.output)
    made = TextToImage(
        model=model("stable_diffusion"),
        width=64,
        height=64,
        ip_adapters=second.output,
        **QUICK,
    )
    saved = Workflow(Output(name="image", value=made.output)).save(tmp_path / "graph.json")
    with Engine(models=manager) as engine:
        found = Workflow.load(saved, engine=engine).run().outputs["image"]
    units = [prompt(path, mask=LEFT, scale=0.9), prompt(path, scale=0.3)]
    direct = draw(Recorder(manager), model("stable_diffusion"), ip_adapters=units)
    assert np.array_equal(np.asarray(found.image, np.int16), direct)
