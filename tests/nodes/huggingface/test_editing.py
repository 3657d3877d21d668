"""Editing by instruction, and variations of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from diffusers import GlmImagePipeline

from nodes.huggingface.image_to_image import EditByInstruction, ImageToImage, ImageVariation
from nodes.huggingface.model_kinds import ReduxModel
from nodetool_core import ImageData, ImageToImageModel, RunCancelled
from nodetool_core.errors import ModelError
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from nodetool_core.models.manager import ModelManager


def edit(recorder: Recorder, repo_id: str, **properties: Any) -> Image.Image:
    values = {
        "prompt": "make it winter",
        "num_inference_steps": 2,
        "seed": 1,
        "guidance_scale": 3.0,
    } | properties
    result = EditByInstruction(
        model=ImageToImageModel(repo_id=repo_id), image=ImageData.of(scene(64, 64)), **values
    ).process(recorder.context)
    assert isinstance(result.output, ImageData)
    return result.output.image


@pytest.mark.slow
@pytest.mark.parametrize("family", ["flux2", "flux2_klein", "qwen_edit_plus"])
def test_further_images_are_looked_at(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    references = [ImageData.of(scene(64, 64).rotate(90))]
    plain = edit(recorder, model(family), num_inference_steps=1)
    assert (
        edit(recorder, model(family), num_inference_steps=1, reference_images=references).tobytes()
        != plain.tobytes()
    )


@pytest.mark.parametrize("family", ["flux2_klein", "qwen_edit_plus"])
def test_the_result_has_the_size_that_is_set(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    sized = edit(recorder, model(family), num_inference_steps=1, width=128, height=64)
    assert sized.size == (128, 64)
    assert not [one for one in recorder.warnings if "The result has" in one or "width" in one]


def test_an_image_is_taken_apart_into_layers(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    node = EditByInstruction(
        model=ImageToImageModel(repo_id=model("qwen_layered")),
        image=ImageData.of(scene(64, 64)),
        num_inference_steps=1,
        seed=1,
        layers=2,
    )
    made = node.process(recorder.context)
    assert len(made.images) == 2 and made.output == made.images[0]
    first, second = (image.image for image in made.images if isinstance(image, ImageData))
    assert first.mode == second.mode == "RGBA" and first.tobytes() != second.tobytes()


def test_a_size_that_no_editor_makes_is_told(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    assert edit(recorder, model("instruct_pix2pix"), width=96).size == (64, 64)
    assert [one for one in recorder.warnings if "width and height are not used" in one]


def test_further_images_that_are_not_looked_at_are_told(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    edit(recorder, model("instruct_pix2pix"), reference_images=[ImageData.of(scene())])
    assert [warning for warning in recorder.warnings if "reference_images is not used" in warning]


@pytest.mark.parametrize("family", ["stable_diffusion", "lcm"])
def test_a_model_that_repaints_is_no_editor(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(ModelError, match="can't be used for editing") as caught:
        edit(recorder, model(family))
    assert caught.value.problem.code == "model_task_unsupported"


def test_glm_image_reads_no_image_with_the_installed_libraries(model: Callable[[str], str]) -> None:
    """It joins what transformers takes apart; once that runs, it belongs with the editors."""
    pipeline = GlmImagePipeline.from_pretrained(model("glm_image"))
    with pytest.raises(RuntimeError, match="channels"):
        pipeline("make it winter", image=[scene(512, 512)], height=512, width=512)


@pytest.mark.parametrize("family", ["flux_redux", "image_variation", "z_image_omni"])
def test_m8_models_for_something_else_are_refused(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    node = ImageToImage(
        model=ImageToImageModel(repo_id=model(family)),
        image=ImageData.of(scene(64, 64)),
        num_inference_steps=1,
    )
    with pytest.raises(ModelError, match="can't be used for image-to-image"):
        node.process(recorder.context)
    assert recorder.steps == []


def test_cancel_takes_effect_at_the_next_step(
    model: Callable[[str], str], manager: ModelManager
) -> None:
    for family in ("instruct_pix2pix", "instruct_pix2pix_xl"):
        recorder = Recorder(manager)
        recorder.cancel_at = (2, 8)
        with pytest.raises(RunCancelled):
            edit(recorder, model(family), num_inference_steps=8)
        assert recorder.steps == [(1, 8), (2, 8)]


def vary(
    recorder: Recorder, repo_id: str, image: Image.Image | None = None, **properties: Any
) -> Image.Image:
    values = {"num_inference_steps": 2, "seed": 1} | properties
    node = ImageVariation(
        model=ImageToImageModel(repo_id=repo_id),
        image=ImageData.of(image or scene(64, 64)),
        **values,
    )
    result = node.process(recorder.context).output
    assert isinstance(result, ImageData)
    return result.image


def test_variations_need_no_prompt(model: Callable[[str], str], recorder: Recorder) -> None:
    result = vary(recorder, model("image_variation"))
    assert (result.size, result.mode) == ((64, 64), "RGB")
    assert recorder.steps == [(1, 2), (2, 2)]
    assert vary(recorder, model("image_variation")).tobytes() == result.tobytes()
    assert vary(recorder, model("image_variation"), seed=2).tobytes() != result.tobytes()
    assert (
        vary(recorder, model("image_variation"), scene(64, 64).rotate(90)).tobytes()
        != result.tobytes()
    )
    assert vary(recorder, model("image_variation"), width=48, height=32).size == (48, 32)
    assert recorder.warnings == []


@pytest.mark.slow
def test_redux_reads_the_image_for_flux(model: Callable[[str], str], recorder: Recorder) -> None:
    redux = {"redux": ReduxModel(repo_id=model("flux_redux")), "width": 64, "height": 48}
    result = vary(recorder, model("flux"), **redux)
    assert result.size == (64, 48)
    assert vary(recorder, model("flux"), **redux).tobytes() == result.tobytes()
    assert (
        vary(recorder, model("flux"), scene(64, 64).rotate(90), **redux).tobytes()
        != result.tobytes()
    )


def test_a_model_that_wants_a_prompt_makes_no_variations(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    for family in ("stable_diffusion", "instruct_pix2pix"):
        with pytest.raises(ModelError, match="can't be used for variation"):
            vary(recorder, model(family))


def test_a_prior_that_is_none_is_refused(model: Callable[[str], str], recorder: Recorder) -> None:
    with pytest.raises(ModelError, match="can't be used for image-prior"):
        vary(recorder, model("flux"), redux=ReduxModel(repo_id=model("image_variation")))
