"""
Out of memory: each rung, by faults in real pipelines, and what a call is expected to need.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from nodetool_core import ImageToImageModel
from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.residency.activation_memory import ActivationMemory, Meter
from nodetool_core.models.residency.devices import Device
from nodetool_core.models.residency.transfer import ModuleCopier
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

TASK = "image-to-image"
SOURCE = Image.new("RGB", (64, 64), (90, 40, 10))


class Faults:
    """Has a module fail for want of memory the next so many times, and notes how it was called."""

    def __init__(
        self, module: torch.nn.Module, count: int, kind: type[Exception] = torch.OutOfMemoryError
    ) -> None:
        self.left = count
        self.kind = kind
        self.calls = 0
        self._hook = module.register_forward_pre_hook(self._fail)

    def _fail(self, module: torch.nn.Module, arguments: Any) -> None:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.kind("CUDA out of memory. Tried to allocate 2.00 GiB")

    def stop(self) -> None:
        self._hook.remove()


@pytest.fixture
def models() -> ModelManager:
    return ModelManager(device="cpu")


@pytest.fixture
def sd(model: Callable[[str], str]) -> ImageToImageModel:
    return ImageToImageModel(repo_id=model("stable_diffusion"))


def paint(
    models: ModelManager,
    ref: ImageToImageModel,
    recorder: Recorder,
    faults: int = 0,
    kind: Any = torch.OutOfMemoryError,
) -> bytes:
    with models.use(ref, TASK, context=recorder.context) as lease:
        pipeline = lease.pipeline
        failing = Faults(pipeline.unet, faults, kind)
        try:
            generator = torch.Generator().manual_seed(3)
            arguments = {
                "prompt": "a lake",
                "image": SOURCE,
                "num_inference_steps": 3,
                "strength": 0.8,
                "generator": generator,
            }
            with torch.no_grad():
                result: Image.Image = lease.run(arguments).images[0]
        finally:
            failing.stop()
    return result.tobytes()


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_once_out_of_memory_what_nobody_uses_goes_and_the_image_is_the_same(
    kind: Any, models: ModelManager, sd: ImageToImageModel, model: Callable[[str], str]
) -> None:
    recorder = Recorder(models)
    undisturbed = paint(models, sd, recorder)
    other = ImageToImageModel(repo_id=model("lcm"))
    with models.use(other, TASK, context=recorder.context):
        pass
    assert paint(models, sd, recorder, 1, kind) == undisturbed
    assert [one.name for one in models.loaded()] == [sd.repo_id]
    assert "evicted" in recorder.warnings[0]


def test_twice_out_of_memory_it_is_done_with_less(
    models: ModelManager, sd: ImageToImageModel
) -> None:
    recorder = Recorder(models)
    undisturbed = paint(models, sd, recorder)
    difference = np.abs(
        np.frombuffer(paint(models, sd, recorder, 2), np.uint8).astype(int)
        - np.frombuffer(undisturbed, np.uint8)
    )
    assert difference.mean() < 5, "tiles are blended, and nothing else differs"
    assert "in tiles" in recorder.warnings[1]
    with models.use(sd, TASK, context=recorder.context) as lease:
        pipeline = lease.pipeline
        assert not pipeline.vae.use_tiling
        assert not any(
            registry.hooks
            for part in pipeline.unet.modules()
            if (registry := getattr(part, "_diffusers_hook", None))
        )
    assert paint(models, sd, Recorder(models)) == undisturbed


def test_three_times_out_of_memory_says_what_to_do_and_leaves_the_model_usable(
    models: ModelManager, sd: ImageToImageModel
) -> None:
    recorder = Recorder(models)
    undisturbed = paint(models, sd, recorder)
    with pytest.raises(ModelError) as caught:
        paint(models, sd, recorder, 3)
    problem = caught.value.problem
    assert problem.code == "out_of_memory"
    assert "GiB" in problem.message
    assert "are free" in problem.message
    assert problem.hint.count(";") == 2
    assert [one.pins for one in models.loaded()] == [0]
    assert paint(models, sd, Recorder(models)) == undisturbed


def test_another_error_is_not_tried_again(models: ModelManager, sd: ImageToImageModel) -> None:
    recorder = Recorder(models)
    with pytest.raises(ZeroDivisionError):
        paint(models, sd, recorder, 1, ZeroDivisionError)
    assert recorder.warnings == []


class FullOnce(ModuleCopier):
    """A device that is full at the first copy."""

    failed = False

    def copy(self, host: torch.Tensor, device: Device) -> torch.Tensor:
        if not self.failed:
            self.failed = True
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().copy(host, device)


def test_out_of_memory_while_weights_come_is_tried_again(
    sd: ImageToImageModel, model: Callable[[str], str]
) -> None:
    copier = FullOnce()
    models = ModelManager(device="cpu", host_budget=2**30, copier=copier)
    recorder = Recorder(models)
    with models.use(sd, TASK, context=recorder.context) as lease:
        pipeline = lease.pipeline
        assert pipeline.unet.conv_in.weight.numel()
    assert copier.failed


class Growing(Meter):
    """Measures peaks that it is told."""

    def __init__(self, peak: int) -> None:
        self.most = peak

    def can_measure(self, device: Device) -> bool:
        return True

    def start(self, device: Device) -> int:
        return 0

    def peak(self, device: Device) -> int:
        return self.most


def test_working_memory_is_reserved_by_what_was_measured(
    sd: ImageToImageModel, model: Callable[[str], str]
) -> None:
    other = ImageToImageModel(repo_id=model("lcm"))
    meter = Growing(10_000_000)
    models = ModelManager(device="cpu", budget=40_000_000, meter=meter)
    recorder = Recorder(models)
    paint(models, sd, recorder)
    with models.use(other, TASK, context=recorder.context):
        pass
    paint(models, sd, recorder)
    assert len(models.loaded()) == 2, "there is room for both besides ten million bytes"
    meter.most = 39_500_000
    paint(models, sd, recorder)
    paint(models, sd, recorder)
    assert [one.name for one in models.loaded()] == [sd.repo_id], (
        "what was measured once is reserved the next time"
    )
    assert models.runtime.store.activations["cpu"] == 0


def test_estimates_learn_the_most_that_was_measured() -> None:
    activations = ActivationMemory(guess=100)
    assert activations.estimate("model", 1000) == 100_000
    activations.learn("model", 1000, 5_000)
    activations.learn("model", 2000, 30_000)
    activations.learn("model", 1000, 1_000)
    assert activations.estimate("model", 1000) == pytest.approx(15_000, rel=0.2)
    assert activations.estimate("model", 1000) >= 15_000
    assert activations.estimate("other", 1000) == 100_000


def test_what_is_idle_is_let_go_of(sd: ImageToImageModel) -> None:
    models = ModelManager(device="cpu", idle_seconds=0.05)
    recorder = Recorder(models)
    with models.use(sd, TASK, context=recorder.context):
        time.sleep(0.15)
        assert models.loaded()
    deadline = time.monotonic() + 10
    while models.loaded() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert models.loaded() == []
    assert paint(models, sd, recorder)
