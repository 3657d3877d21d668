"""
ImageToImage: images, sizes, properties, what it refuses. Every family is in test_image_families.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from nodes.huggingface.image_to_image import (
    DEFAULT_MODEL,
    EditByInstruction,
    ImageToImage,
    LoadImageToImageModel,
)
from nodes.huggingface.image_to_image._editing import INSTRUCT_MODEL
from nodetool_core import (
    ImageData,
    ImageToImageModel,
    NodeError,
    RunCancelled,
    Workflow,
    WorkflowError,
)
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.sizes import Size
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodes.huggingface.diffusion import DiffusionNode
    from nodetool_core.models.manager import ModelManager
    from nodetool_core.references import AssetRef, ModelRef


def scene(width: int = 96, height: int = 88, mode: str = "RGB") -> Image.Image:
    """Return a gradient with a disc on it."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    disc = (across - 0.6) ** 2 + (down - 0.4) ** 2 < 0.05
    pixels = np.stack([across, down, disc], axis=-1) * 255
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def run(
    recorder: Recorder, repo_id: str, image: Image.Image | None = None, **properties: Any
) -> Image.Image:
    """Return one call of the node, quick unless told otherwise."""
    values = {"prompt": "a lake", "strength": 0.5, "num_inference_steps": 4, "seed": 1} | properties
    node = ImageToImage(
        model=ImageToImageModel(repo_id=repo_id), image=ImageData.of(image or scene()), **values
    )
    result = node.process(recorder.context).output
    assert isinstance(result, ImageData)
    return result.image


def test_an_editor_runs_and_tells_that_it_takes_no_strength(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    result = run(recorder, model("instruct_pix2pix"))
    assert (result.size, result.mode) == ((96, 88), "RGB")
    assert recorder.steps == [(step, 4) for step in range(1, 5)]
    assert recorder.warnings == [
        "strength is not used: StableDiffusionInstructPix2PixPipeline has no such setting."
    ]
    run(recorder, model("instruct_pix2pix"), strength=1.0)
    assert len(recorder.warnings) == 1, "1 is what it does anyway"


@pytest.mark.parametrize(
    ("node", "values", "counted"),
    [
        (ImageToImage, {}, DEFAULT_MODEL),
        (ImageToImage, {"model": ImageToImageModel()}, DEFAULT_MODEL),
        (ImageToImage, {"model": ImageToImageModel(repo_id="some/model")}, ""),
        (EditByInstruction, {}, INSTRUCT_MODEL),
        (EditByInstruction, {"model": ImageToImageModel(repo_id=INSTRUCT_MODEL)}, INSTRUCT_MODEL),
        (EditByInstruction, {"model": ImageToImageModel(repo_id="some/model")}, ""),
    ],
)
def test_the_weights_of_the_default_model_count_where_it_may_be_used(
    node: type[DiffusionNode], values: dict[str, Any], counted: str
) -> None:
    """Nothing is set where it is connected; another model counts as a value of the node."""

    class ByName:
        def digest(self, ref: AssetRef) -> str:
            raise AssertionError

        def revision(self, ref: ModelRef) -> str:
            return ref.repo_id

    assert node.fingerprint(values, ByName()) == counted


def test_properties_have_an_effect(model: Callable[[str], str], recorder: Recorder) -> None:
    base = run(recorder, model("stable_diffusion"))
    changes = (
        {"prompt": "a sea"},
        {"negative_prompt": "fog"},
        {"strength": 1.0},
        {"num_inference_steps": 6},
        {"guidance_scale": 2.0},
    )
    for change in changes:
        assert run(recorder, model("stable_diffusion"), **change).tobytes() != base.tobytes(), (
            change
        )
    assert recorder.warnings == []


@pytest.mark.parametrize(
    ("family", "properties", "warning"),
    [
        (
            "lcm",
            {"negative_prompt": "fog"},
            "negative_prompt is not used: LatentConsistencyModelImg2ImgPipeline",
        ),
        (
            "stable_diffusion",
            {"negative_prompt": "fog", "guidance_scale": 1.0},
            "negative_prompt is not used",
        ),
        ("flux", {"negative_prompt": "fog", "num_inference_steps": 2}, "true_cfg_scale 4.0"),
        (
            "stable_diffusion",
            {"prompt": "lake " * 80},
            "prompt is cut off: tokenizer reads 77 tokens",
        ),
        (
            "stable_diffusion",
            {"negative_prompt": "fog " * 80},
            "negative_prompt is cut off: tokenizer reads 77 tokens",
        ),
        (
            "flux",
            {"prompt": "lake " * 600, "num_inference_steps": 2},
            "prompt is cut off: tokenizer_2 reads 512 tokens",
        ),
        (
            "flux_schnell",
            {"num_inference_steps": 2},
            "guidance_scale is not used: the model of this FluxImg2ImgPipeline was distilled",
        ),
    ],
)
def test_m13_says_what_it_leaves_out(
    family: str,
    properties: dict[str, Any],
    warning: str,
    model: Callable[[str], str],
    recorder: Recorder,
) -> None:
    run(recorder, model(family), **properties)
    assert [message for message in recorder.warnings if warning in message], recorder.warnings


@pytest.mark.parametrize("family", ["stable_diffusion", "lcm", "kandinsky22", "z_image"])
def test_m13_guidance_0_is_what_turbo_models_ask_for(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    values = {"num_inference_steps": 2, "strength": 1.0, "guidance_scale": 0.0}
    assert run(recorder, model(family), **values).size == (96, 88)


def test_a_negative_prompt_acts_on_flux(model: Callable[[str], str], recorder: Recorder) -> None:
    plain = run(recorder, model("flux"), num_inference_steps=2)
    assert (
        run(recorder, model("flux"), num_inference_steps=2, negative_prompt="fog").tobytes()
        != plain.tobytes()
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_any_mode_is_legal(mode: str, model: Callable[[str], str], recorder: Recorder) -> None:
    image = (
        scene(mode="L").convert("I").convert("I;16")
        if mode == "I;16"
        else scene(mode="RGB").convert("RGBA" if mode == "LA" else mode)
    )
    result = run(recorder, model("stable_diffusion"), image.convert(mode))
    assert (result.size, result.mode) == ((96, 88), "RGB")


def test_an_empty_prompt_is_a_prompt(model: Callable[[str], str], recorder: Recorder) -> None:
    run(recorder, model("stable_diffusion"), prompt="")
    assert recorder.warnings == []


def test_a_seed_that_no_generator_takes_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(WorkflowError, match="above 18446744073709551615"):
        Workflow(ImageToImage(image=ImageData.of(scene()), seed=2**64))


def test_transparency_that_is_lost_is_told(model: Callable[[str], str], recorder: Recorder) -> None:
    see_through = scene().convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(see_through.size))
    on_white = Image.alpha_composite(
        Image.new("RGBA", see_through.size, "white"), see_through
    ).convert("RGB")
    assert (
        run(recorder, model("stable_diffusion"), see_through).tobytes()
        == run(recorder, model("stable_diffusion"), on_white).tobytes()
    )
    assert recorder.warnings == [
        "image has transparent pixels; they are put on white, because the model sees no"
        " transparency."
    ]


def test_a_image_that_could_be_transparent_and_is_not_needs_no_warning(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    run(recorder, model("stable_diffusion"), scene().convert("RGBA"))
    assert recorder.warnings == []


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ((64, 64), (64, 64)),
        ((65, 67), (64, 66)),  # sides are cut to the multiple
        ((1, 1), (64, 64)),  # less than half of the native 64 by 64: brought to it
        ((640, 480), (72, 54)),  # more than 2.25 times of it
        ((3000, 4), (1752, 2)),
    ],
)
def test_any_size_is_legal(
    given: tuple[int, int], used: tuple[int, int], model: Callable[[str], str], recorder: Recorder
) -> None:
    result = run(recorder, model("stable_diffusion"), scene(*given))
    assert result.size == used
    told = [
        warning
        for warning in recorder.warnings
        if str(Size(*given)) in warning and str(Size(*used)) in warning
    ]
    assert bool(told) == (given != used)


def test_cancel_takes_effect_at_the_next_step(
    model: Callable[[str], str], manager: ModelManager
) -> None:
    undisturbed = run(Recorder(manager), model("stable_diffusion"), num_inference_steps=8)
    cancelled = Recorder(manager)
    cancelled.cancel_at = (2, 4)
    with pytest.raises(RunCancelled):
        run(cancelled, model("stable_diffusion"), num_inference_steps=8)

    assert cancelled.steps == [(1, 4), (2, 4)]
    assert all(entry.pins == 0 for entry in manager.loaded())
    assert (
        run(Recorder(manager), model("stable_diffusion"), num_inference_steps=8).tobytes()
        == undisturbed.tobytes()
    )


@pytest.mark.parametrize("family", ["kandinsky22", "deepfloyd_if", "lcm"])
def test_cancel_works_without_a_callback(
    family: str, model: Callable[[str], str], manager: ModelManager
) -> None:
    undisturbed = run(Recorder(manager), model(family))
    cancelled = Recorder(manager)
    cancelled.cancel_at = (1, 4 if family == "lcm" else 2)
    with pytest.raises(RunCancelled):
        run(cancelled, model(family))
    assert run(Recorder(manager), model(family)).tobytes() == undisturbed.tobytes()


@pytest.mark.parametrize("strength", [0.0, 0.02])
def test_less_than_one_step_is_refused(
    strength: float, model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(NodeError, match="less than one step") as caught:
        run(recorder, model("stable_diffusion"), strength=strength, num_inference_steps=25)
    assert caught.value.problem.code == "less_than_one_step"
    assert "0.04" in caught.value.problem.hint
    assert recorder.steps == []


@pytest.mark.parametrize(
    ("family", "code", "message"),
    [
        ("inpainting", "model_unfit", "is an inpainting checkpoint: its UNet takes 9 channels"),
        ("controlnet", "model_task_unsupported", "needs a control image"),
        ("flux_control", "model_task_unsupported", "needs a control image"),
    ],
)
def test_models_for_other_tasks_are_refused(
    family: str, code: str, message: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises((ModelError, NodeError), match=message) as caught:
        run(recorder, model(family))
    assert caught.value.problem.code == code
    assert caught.value.problem.hint


def test_an_upscaler_enlarges_whatever_it_gets(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    result = run(recorder, model("upscale"), scene(16, 12), num_inference_steps=2)
    assert result.size == (32, 24)
    assert recorder.steps == [(1, 2), (2, 2)]


def test_an_empty_image_is_refused(recorder: Recorder) -> None:
    with pytest.raises(NodeError) as caught:
        ImageToImage().process(recorder.context)
    assert caught.value.problem.code == "missing_image"


def test_a_seed_that_was_not_drawn_is_drawn_and_told(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    run(recorder, model("stable_diffusion"), seed=-1)
    (drawn,) = [
        details["details"]["seed"] for kind, details in recorder.events if kind == "warning"
    ]
    first = run(recorder, model("stable_diffusion"), seed=drawn)
    assert first.tobytes() == run(recorder, model("stable_diffusion"), seed=drawn).tobytes()


@pytest.mark.parametrize(
    "properties",
    [{"strength": 1.4}, {"num_inference_steps": 0}, {"guidance_scale": -0.5}, {"seed": -2}],
)
def test_values_out_of_bounds_are_refused(properties: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError):
        ImageToImage(**properties)


def test_declares_what_the_reference_page_says() -> None:
    defaults = {
        name: prop.to_json(prop.default) for name, prop in ImageToImage.spec.properties.items()
    }
    assert list(defaults.items())[:8] == [
        (
            "model",
            {
                "type": "hf.image_to_image",
                "repo_id": "",
                "path": None,
                "variant": None,
                "allow_patterns": None,
                "ignore_patterns": None,
            },
        ),
        ("prompt", "A beautiful landscape with mountains and a lake at sunset"),
        ("negative_prompt", ""),
        ("image", {"type": "image", "uri": "", "asset_id": None, "data": None}),
        ("strength", 0.8),
        ("num_inference_steps", 25),
        ("guidance_scale", 7.5),
        ("seed", -1),
    ]
    assert ImageToImage.spec.node_type == "huggingface.image_to_image.ImageToImage"
    assert next(iter(ImageToImage.spec.outputs)) == "output"
    assert ImageToImage.spec.tags == ("image", "generation", "image-to-image", "autopipeline")
    assert len(ImageToImage.spec.use_cases) == 5


def test_no_model_means_the_one_that_ships(model: Callable[[str], str]) -> None:
    from pathlib import Path

    from nodetool_core.models.manager import ModelManager

    recorder = Recorder(
        ModelManager({DEFAULT_MODEL: Path(model("stable_diffusion"))}, device="cpu")
    )
    values = {"prompt": "a lake", "strength": 0.5, "num_inference_steps": 4, "seed": 1}
    result = ImageToImage(image=ImageData.of(scene()), **values).process(recorder.context).output
    assert isinstance(result, ImageData)
    assert result.image.tobytes() == run(recorder, model("stable_diffusion")).tobytes()


def test_load_image_to_image_model_names_it() -> None:
    assert LoadImageToImageModel(repo_id="owner/name").process() == ImageToImageModel(
        repo_id="owner/name"
    )
