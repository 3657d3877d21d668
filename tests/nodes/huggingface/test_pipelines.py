"""What `generate` makes of pipelines that fail, or return what is no image."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from PIL import Image

from nodes.huggingface.arguments import call_arguments
from nodes.huggingface.calls import flatten_layers
from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.noise import Noise
from nodes.huggingface.pipelines import generate
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import NodeError, RunCancelled, Workflow
from nodetool_core.engine.events import Event, NodePreview
from nodetool_core.engine.options import RunOptions
from nodetool_core.errors import ModelError
from nodetool_core.models.calls.lease import Lease
from nodetool_core.models.diffusers.progress import StepReporter
from tests.nodes.huggingface.recorder import Recorder

GREY = Image.new("RGB", (4, 4), "grey")


class Painter:
    """A pipeline that returns, or raises, what it was made with."""

    dtype = torch.float16
    device = torch.device("cpu")
    components: ClassVar[dict[str, Any]] = {}

    def __init__(self, result: Any) -> None:
        self.result = result

    def __call__(
        self, prompt: str = "", num_inference_steps: int = 2, generator: Any = None, **others: Any
    ) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        assert not others
        return self.result


def lease(result: Any, recorder: Recorder) -> Lease:
    manager: Any = recorder.context.models
    runtime = manager.runtime
    return Lease(
        Painter(result), "painter", "a task", manager.device, recorder.context, runtime.call
    )


def paint(result: Any, recorder: Recorder, **wanted: Any) -> Image.Image:
    return generate(
        lease(result, recorder),
        {"prompt": "a lake", **wanted},
        noise=Noise(1),
        context=recorder.context,
    ).image


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (RuntimeError("MPS backend out of memory"), "out_of_memory"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"
            ),
            "out_of_memory",
        ),
        (MemoryError(), "out_of_memory"),
        (ValueError("`height` has to be divisible by 8"), "pipeline_refused"),
    ],
)
def test_failures_that_a_user_can_mend(error: Exception, code: str, recorder: Recorder) -> None:
    with pytest.raises((NodeError, ModelError)) as caught:
        paint(error, recorder)
    assert (caught.value.problem.code, bool(caught.value.problem.hint)) == (code, True)
    assert caught.value.__cause__ is error


def test_other_failures_keep_their_traceback(recorder: Recorder) -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"):
        paint(RuntimeError("shape mismatch"), recorder)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (SimpleNamespace(images=[Image.new("RGB", (4, 4))]), "black_image"),
        (SimpleNamespace(images=[]), "no_image_returned"),
        (SimpleNamespace(frames=[GREY]), "no_image_returned"),
    ],
)
def test_results_that_are_no_image(result: Any, code: str, recorder: Recorder) -> None:
    with pytest.raises(NodeError) as caught:
        paint(result, recorder)
    assert caught.value.problem.code == code


def test_a_image_that_the_safety_checker_blackened_is_told(recorder: Recorder) -> None:
    black = Image.new("RGB", (4, 4))
    assert paint(SimpleNamespace(images=[black], nsfw_content_detected=[True]), recorder) is black
    assert "safety checker" in recorder.warnings[0]


def test_layers_become_one_image(recorder: Recorder) -> None:
    layers = [
        Image.new("RGBA", (2, 2), "red"),
        Image.new("RGBA", (2, 2), (0, 0, 255, 0)),
        Image.new("RGBA", (2, 2), (0, 255, 0, 255)),
    ]
    assert flatten_layers(layers[:2]).getpixel((0, 0)) == (255, 0, 0, 255)
    assert paint(SimpleNamespace(images=[layers]), recorder).getpixel((0, 0)) == (0, 255, 0, 255)


def test_a_seed_beyond_64_bits_is_refused(recorder: Recorder) -> None:
    with pytest.raises(NodeError, match="above 18446744073709551615"):
        generate(
            lease(SimpleNamespace(images=[GREY]), recorder),
            {"prompt": ""},
            noise=Noise(2**64),
            context=recorder.context,
        )
    assert (
        generate(
            lease(SimpleNamespace(images=[GREY]), recorder),
            {"prompt": ""},
            noise=Noise(2**64 - 1),
            context=recorder.context,
        ).image
        is GREY
    )


def test_noise_that_is_not_mixed_is_told(recorder: Recorder) -> None:
    generate(
        lease(SimpleNamespace(images=[GREY]), recorder),
        {"prompt": ""},
        noise=Noise(1, variation_strength=0.5),
        context=recorder.context,
    )
    assert recorder.warnings == ["variation_strength is not used: Painter draws no such noise."]


def test_only_named_parameters_are_passed(recorder: Recorder) -> None:
    paint(SimpleNamespace(images=[GREY]), recorder, made_up=1)
    assert recorder.warnings == ["made_up is not used: Painter has no such setting."]


class QwenImagePainter:
    def __call__(
        self,
        prompt: str,
        negative_prompt: str,
        guidance_scale: float,
        true_cfg_scale: float,
        width: int,
        height: int,
    ) -> None: ...


class KandinskyV22Img2ImgPainter:
    def __call__(self, prompt: str, width: int, height: int) -> None: ...


@pytest.mark.parametrize(
    ("pipeline", "wanted", "arguments"),
    [
        (
            QwenImagePainter(),
            {"prompt": "a", "negative_prompt": "", "guidance_scale": 4.0},
            {"prompt": "a", "negative_prompt": " ", "true_cfg_scale": 4.0, "width": 8, "height": 6},
        ),
        (KandinskyV22Img2ImgPainter(), {"prompt": "a"}, {"prompt": "a", "width": 6, "height": 8}),
    ],
)
def test_facts_that_no_signature_tells(
    pipeline: Any, wanted: dict[str, Any], arguments: dict[str, Any], recorder: Recorder
) -> None:
    assert call_arguments(pipeline, wanted, (8, 6), recorder.context.warn) == arguments
    assert recorder.warnings == []


def test_steps_are_reported_and_end_when_cancelled(recorder: Recorder) -> None:
    assert list(StepReporter(recorder.context, "", torch.arange(3))) == [0, 1, 2]
    with StepReporter(recorder.context, "", total=1) as bar:
        bar.update()
    assert recorder.steps == [(1, 3), (2, 3), (3, 3), (1, 1)]
    recorder.cancelled.set()
    with pytest.raises(RunCancelled):
        next(iter(StepReporter(recorder.context, "", [1])))


def test_previews_show_what_is_being_made(model: Callable[[str], str]) -> None:
    image = Image.radial_gradient("L").convert("RGB").resize((64, 64))
    node = ImageToImage(
        model=model("stable_diffusion"),
        image=ImageInput(name="photo").output,
        num_inference_steps=4,
        strength=1.0,
        seed=3,
    )
    seen: list[Event] = []
    workflow = Workflow(Output(name="image", value=node.output))
    workflow.run(photo=image, options=RunOptions(previews=True), on_event=seen.append)
    previews = [event for event in seen if isinstance(event, NodePreview)]
    assert [(event.step, event.total) for event in previews] == [(step, 4) for step in (1, 2, 3, 4)]
    assert previews[0].image.mode == "RGB"
    seen.clear()
    workflow.run(photo=image.rotate(90), on_event=seen.append)
    assert not any(isinstance(event, NodePreview) for event in seen)
