"""Editing by instruction, and variations of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nodes.huggingface.image_to_image import EditByInstruction, ImageVariation
from nodes.huggingface.model_kinds import LoraModel, ReduxModel
from nodetool_core import ImageToImageModel, NodeError, Picture, RunCancelled
from nodetool_core.errors import ModelError
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from nodetool_core.models.manager import ModelManager

EDITORS = ["instruct_pix2pix", "instruct_pix2pix_xl"] + [
    pytest.param(name, marks=pytest.mark.slow) for name in ("flux_kontext", "flux2_klein")
]


def edit(recorder: Recorder, repo_id: str, **properties: Any) -> Image.Image:
    values = {"prompt": "make it winter", "num_inference_steps": 2, "seed": 1, "guidance_scale": 3.0} | properties
    result = EditByInstruction(model=ImageToImageModel(repo_id=repo_id), image=Picture.of(scene(64, 64)), **values).process(
        recorder.context
    )
    assert isinstance(result.output, Picture)
    return result.output.image


@pytest.mark.parametrize("family", EDITORS)
def test_every_editor_edits(family: str, model: Callable[[str], str], manager: ModelManager) -> None:
    recorder = Recorder(manager)
    result = edit(recorder, model(family))
    assert result.mode == "RGB" and result.size in ((64, 64), (128, 128))
    assert recorder.steps == [(1, 2), (2, 2)]
    assert edit(Recorder(manager), model(family)).tobytes() == result.tobytes()
    changes: tuple[dict[str, Any], ...] = ({"prompt": "a sea"}, {"guidance_scale": 6.0}, {"seed": 2}, {"num_inference_steps": 3})
    for change in changes if "pix2pix" in family else changes[:2]:
        assert edit(Recorder(manager), model(family), **change).tobytes() != result.tobytes(), change
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []
    other = Recorder(manager)
    changed = edit(other, model(family), image_guidance_scale=3.0)
    told = any("image_guidance_scale is not used" in warning for warning in other.warnings)
    assert told == (changed.tobytes() == result.tobytes()) == ("pix2pix" not in family)


@pytest.mark.slow
def test_kontext_takes_a_lora(model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder) -> None:
    plain = edit(recorder, model("flux_kontext"))
    lora = adapter("lora", "flux_kontext")
    assert edit(recorder, model("flux_kontext"), loras=[LoraModel(repo_id=lora)]).tobytes() != plain.tobytes()
    assert edit(recorder, model("flux_kontext")).tobytes() == plain.tobytes()


@pytest.mark.slow
def test_further_pictures_are_looked_at(model: Callable[[str], str], recorder: Recorder) -> None:
    references = [Picture.of(scene(64, 64).rotate(90))]
    plain = edit(recorder, model("flux2_klein"))
    assert edit(recorder, model("flux2_klein"), reference_images=references).tobytes() != plain.tobytes()


def test_further_pictures_that_are_not_looked_at_are_told(model: Callable[[str], str], recorder: Recorder) -> None:
    edit(recorder, model("instruct_pix2pix"), reference_images=[Picture.of(scene())])
    assert [warning for warning in recorder.warnings if "reference_images is not used" in warning]


@pytest.mark.parametrize("family", ["stable_diffusion", "lcm"])
def test_a_model_that_repaints_is_no_editor(family: str, model: Callable[[str], str], recorder: Recorder) -> None:
    with pytest.raises(NodeError, match="does not edit by instruction") as caught:
        edit(recorder, model(family))
    assert caught.value.problem.code == "model_task_unsupported"


def test_cancel_takes_effect_at_the_next_step(model: Callable[[str], str], manager: ModelManager) -> None:
    for family in ("instruct_pix2pix", "instruct_pix2pix_xl"):
        recorder = Recorder(manager)
        recorder.cancel_at = (2, 8)
        with pytest.raises(RunCancelled):
            edit(recorder, model(family), num_inference_steps=8)
        assert recorder.steps == [(1, 8), (2, 8)]


def vary(recorder: Recorder, repo_id: str, image: Image.Image | None = None, **properties: Any) -> Image.Image:
    values = {"num_inference_steps": 2, "seed": 1} | properties
    node = ImageVariation(model=ImageToImageModel(repo_id=repo_id), image=Picture.of(image or scene(64, 64)), **values)
    result = node.process(recorder.context).output
    assert isinstance(result, Picture)
    return result.image


def test_variations_need_no_prompt(model: Callable[[str], str], recorder: Recorder) -> None:
    result = vary(recorder, model("image_variation"))
    assert (result.size, result.mode) == ((64, 64), "RGB")
    assert recorder.steps == [(1, 2), (2, 2)]
    assert vary(recorder, model("image_variation")).tobytes() == result.tobytes()
    assert vary(recorder, model("image_variation"), seed=2).tobytes() != result.tobytes()
    assert vary(recorder, model("image_variation"), scene(64, 64).rotate(90)).tobytes() != result.tobytes()
    assert vary(recorder, model("image_variation"), width=48, height=32).size == (48, 32)
    assert recorder.warnings == []


@pytest.mark.slow
def test_redux_reads_the_picture_for_flux(model: Callable[[str], str], recorder: Recorder) -> None:
    redux = {"redux": ReduxModel(repo_id=model("flux_redux")), "width": 64, "height": 48}
    result = vary(recorder, model("flux"), **redux)
    assert result.size == (64, 48)
    assert vary(recorder, model("flux"), **redux).tobytes() == result.tobytes()
    assert vary(recorder, model("flux"), scene(64, 64).rotate(90), **redux).tobytes() != result.tobytes()


def test_a_model_that_wants_a_prompt_makes_no_variations(model: Callable[[str], str], recorder: Recorder) -> None:
    for family in ("stable_diffusion", "instruct_pix2pix"):
        with pytest.raises(NodeError, match="makes no variations"):
            vary(recorder, model(family))


def test_a_prior_that_is_none_is_refused(model: Callable[[str], str], recorder: Recorder) -> None:
    with pytest.raises((NodeError, ModelError), match=r"no Redux prior|no image-to-image"):
        vary(recorder, model("flux"), redux=ReduxModel(repo_id=model("image_variation")))
