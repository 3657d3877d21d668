"""
TextToImage: what holds whichever family the model is of.

What the families do is in test_text_families.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nodes.huggingface.image_to_image import DEFAULT_MODEL
from nodes.huggingface.latents import Latents
from nodes.huggingface.model_kinds import TextToImageModel
from nodes.huggingface.text_to_image import LoadTextToImageModel, TextToImage
from nodetool_core import ImageData, NodeError, RunCancelled
from nodetool_core.errors import ModelError
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from nodetool_core.models.manager import ModelManager


def draw(recorder: Recorder, repo_id: str, **properties: Any) -> Image.Image:
    """Return one call of the node, quick unless told otherwise."""
    values = {
        "prompt": "a lake",
        "num_inference_steps": 2,
        "seed": 1,
        "width": 64,
        "height": 32,
    } | properties
    result = (
        TextToImage(model=TextToImageModel(repo_id=repo_id), **values)
        .process(recorder.context)
        .output
    )
    assert isinstance(result, ImageData)
    return result.image


def test_properties_have_an_effect(model: Callable[[str], str], recorder: Recorder) -> None:
    base = draw(recorder, model("stable_diffusion"))
    changes = (
        {"prompt": "a sea"},
        {"negative_prompt": "fog"},
        {"num_inference_steps": 6},
        {"guidance_scale": 2.0},
        {"width": 32},
    )
    for change in changes:
        assert draw(recorder, model("stable_diffusion"), **change).tobytes() != base.tobytes(), (
            change
        )
    assert recorder.warnings == []


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({"width": 0, "height": 0}, (64, 64)),  # the native area
        ({"width": 128, "height": 0}, (128, 32)),
        ({"width": 0, "height": 128}, (32, 128)),
        ({"width": 65, "height": 47}, (64, 40)),
        ({"width": 1, "height": 204}, (8, 200)),
    ],
)
def test_the_size_is_as_asked(
    asked: dict[str, int], made: tuple[int, int], model: Callable[[str], str], recorder: Recorder
) -> None:
    assert draw(recorder, model("stable_diffusion"), **asked).size == made
    changed = 0 not in asked.values() and made != (asked["width"], asked["height"])
    assert (
        bool(
            [warning for warning in recorder.warnings if "width and height were changed" in warning]
        )
        == changed
    )


def test_a_model_that_is_told_the_guidance_knows_no_negative_prompt(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    plain = draw(recorder, model("told_guidance"))
    assert recorder.warnings == []
    assert (
        draw(recorder, model("told_guidance"), negative_prompt="fog").tobytes() == plain.tobytes()
    )
    (warning,) = recorder.warnings
    assert (
        warning.startswith("negative_prompt is not used") and "StableDiffusionPipeline" in warning
    )
    assert draw(recorder, model("told_guidance"), guidance_scale=3.0).tobytes() != plain.tobytes()


def test_latents_come_along(model: Callable[[str], str], recorder: Recorder) -> None:
    made = TextToImage(
        model=model("stable_diffusion"), num_inference_steps=2, seed=1, width=64, height=32
    ).process(recorder.context)
    assert isinstance(made.latents, Latents)
    assert made.latents.samples.shape == (1, 4, 16, 32)


def test_cancel_takes_effect_at_the_next_step(
    model: Callable[[str], str], manager: ModelManager
) -> None:
    undisturbed = draw(Recorder(manager), model("stable_diffusion"), num_inference_steps=4)
    cancelled = Recorder(manager)
    cancelled.cancel_at = (2, 4)
    with pytest.raises(RunCancelled):
        draw(cancelled, model("stable_diffusion"), num_inference_steps=4)
    assert cancelled.steps == [(1, 4), (2, 4)]
    assert (
        draw(Recorder(manager), model("stable_diffusion"), num_inference_steps=4).tobytes()
        == undisturbed.tobytes()
    )


def test_progress_counts_all_images(model: Callable[[str], str], recorder: Recorder) -> None:
    draw(recorder, model("stable_diffusion"), num_images=2)
    assert recorder.steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("family", ["inpainting", "upscale", "image_variation", "flux_fill"])
def test_models_for_other_tasks_are_refused(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises((ModelError, NodeError)) as caught:
        draw(recorder, model(family))
    assert (
        caught.value.problem.code in ("model_unfit", "model_task_unsupported")
        and caught.value.problem.hint
    )


def test_no_model_means_the_one_that_ships(model: Callable[[str], str]) -> None:
    from pathlib import Path

    from nodetool_core.models.manager import ModelManager

    recorder = Recorder(
        ModelManager({DEFAULT_MODEL: Path(model("stable_diffusion"))}, device="cpu")
    )
    assert draw(recorder, "").tobytes() == draw(recorder, model("stable_diffusion")).tobytes()


def test_load_text_to_image_model_names_it() -> None:
    assert LoadTextToImageModel(repo_id="owner/name").process() == TextToImageModel(
        repo_id="owner/name"
    )


def test_m19_after_the_greatest_seed_comes_the_first(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    def painted(**properties: Any) -> list[bytes]:
        node = TextToImage(
            model=model("stable_diffusion"),
            prompt="a lake",
            num_inference_steps=2,
            width=64,
            height=64,
            **properties,
        )
        return [image.image.tobytes() for image in node.process(recorder.context).images]

    last, following = painted(seed=2**64 - 1, num_images=2)
    assert [last, following] == [*painted(seed=2**64 - 1), *painted(seed=0)]
