"""Inpainting: masks, sizes and properties. Every family is in test_image_families.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nodes.huggingface.image_to_image import Inpainting
from nodes.huggingface.model_kinds import ControlNetModel, InpaintingModel, LoraModel
from nodetool_core import ImageData, NodeError, RunCancelled
from nodetool_core.errors import ModelError
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.models.manager import ModelManager


def spot(size: tuple[int, int] = (64, 64)) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill=255)
    return mask


def fill(
    recorder: Recorder,
    repo_id: str,
    image: Image.Image | None = None,
    mask: Image.Image | None = None,
    **properties: Any,
) -> Image.Image:
    values = {"prompt": "a lake", "num_inference_steps": 2, "seed": 1} | properties
    image = image or scene(64, 64)
    node = Inpainting(
        model=InpaintingModel(repo_id=repo_id),
        image=ImageData.of(image),
        mask_image=ImageData.of(mask or spot(image.size)),
        **values,
    )
    result = node.process(recorder.context).output
    assert isinstance(result, ImageData)
    return result.image


def outside_is_kept(before: Image.Image, after: Image.Image, mask: Image.Image) -> bool:
    kept = np.asarray(mask) < 128
    return bool((np.asarray(after)[kept] == np.asarray(before.convert("RGB"))[kept]).all())


@pytest.mark.parametrize("family", ["inpainting", "inpainting_xl"])
def test_models_that_look_at_the_mask_paint_inside_and_keep_the_outside(
    family: str, model: Callable[[str], str], manager: ModelManager
) -> None:
    recorder, image = Recorder(manager), scene(64, 64)
    result = fill(recorder, model(family))
    assert (result.size, result.mode) == ((64, 64), "RGB")
    assert outside_is_kept(image, result, spot())
    inside = np.asarray(spot()) >= 128
    assert (np.asarray(result)[inside] != np.asarray(image)[inside]).any()
    assert recorder.steps == [(1, 2), (2, 2)]
    assert fill(Recorder(manager), model(family)).tobytes() == result.tobytes()
    assert fill(Recorder(manager), model(family), seed=2).tobytes() != result.tobytes()
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []


def test_properties_have_an_effect(model: Callable[[str], str], recorder: Recorder) -> None:
    base = fill(recorder, model("stable_diffusion"), num_inference_steps=4)
    changes: tuple[dict[str, Any], ...] = (
        {"prompt": "a sea"},
        {"negative_prompt": "fog"},
        {"strength": 0.5},
        {"num_inference_steps": 6},
        {"guidance_scale": 2.0},
        {"mask_grow": 4},
        {"mask_blur": 6},
        {"crop_to_mask": True, "crop_padding": 12},
        {"crop_to_mask": True, "crop_padding": 4},
        {"scheduler": "EulerDiscreteScheduler"},
    )
    results = [
        fill(recorder, model("stable_diffusion"), **{"num_inference_steps": 4} | change).tobytes()
        for change in changes
    ]
    assert len({base.tobytes(), *results}) == len(changes) + 1


@pytest.mark.parametrize("size", [(97, 61), (300, 40), (20, 20)])
@pytest.mark.parametrize("crop", [False, True])
def test_any_size_keeps_its_size_and_its_outside(
    size: tuple[int, int], crop: bool, model: Callable[[str], str], recorder: Recorder
) -> None:
    image = scene(*size)
    result = fill(recorder, model("stable_diffusion"), image, crop_to_mask=crop, crop_padding=8)
    assert result.size == size
    assert outside_is_kept(image, result, spot(size))


def test_growing_and_fading_keep_what_is_farther_out(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    image, mask = scene(64, 64), Image.new("L", (64, 64))
    ImageDraw.Draw(mask).rectangle((20, 20, 29, 29), fill=255)
    result = fill(recorder, model("stable_diffusion"), image, mask, mask_grow=3, mask_blur=4)
    changed = (np.asarray(result) != np.asarray(image)).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 13 and rows.max() <= 36 and columns.min() >= 13 and columns.max() <= 36
    assert rows.min() < 20 and rows.max() > 29


def test_a_mask_of_another_size_is_brought_to_the_image(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    large = spot().resize((128, 128), Image.Resampling.NEAREST)
    assert fill(recorder, model("stable_diffusion"), mask=large).size == (64, 64)


def test_what_hangs_on_it_acts(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    base = fill(recorder, model("stable_diffusion"))
    lora = [LoraModel(repo_id=adapter("lora", "stable_diffusion"))]
    net = {
        "controlnet": ControlNetModel(repo_id=adapter("controlnet", "stable_diffusion")),
        "control_image": ImageData.of(scene(30, 30)),
    }
    results = [
        fill(recorder, model("stable_diffusion"), **change).tobytes()
        for change in ({"loras": lora}, net)
    ]
    assert len({base.tobytes(), *results}) == 3
    assert fill(recorder, model("stable_diffusion")).tobytes() == base.tobytes()
    assert recorder.warnings == []


def test_cancel_takes_effect_at_the_next_step(
    model: Callable[[str], str], manager: ModelManager
) -> None:
    cancelled = Recorder(manager)
    cancelled.cancel_at = (2, 8)
    with pytest.raises(RunCancelled):
        fill(cancelled, model("inpainting"), num_inference_steps=8)
    assert cancelled.steps == [(1, 8), (2, 8)]
    assert all(entry.pins == 0 for entry in manager.loaded())


@pytest.mark.parametrize("family", ["instruct_pix2pix", "kandinsky22", "upscale"])
def test_families_that_cannot_inpaint_are_refused(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(ModelError) as caught:
        fill(recorder, model(family))
    assert (
        caught.value.problem.code in ("model_task_unsupported", "model_unfit")
        and caught.value.problem.hint
    )


@pytest.mark.parametrize(
    ("missing", "code"), [("image", "missing_image"), ("mask_image", "missing_image")]
)
def test_both_images_are_needed(missing: str, code: str, recorder: Recorder) -> None:
    given = {"image": ImageData.of(scene()), "mask_image": ImageData.of(spot())}
    del given[missing]
    with pytest.raises(NodeError) as caught:
        Inpainting(**given).process(recorder.context)
    assert (caught.value.problem.code, caught.value.problem.where) == (code, missing)
