"""The weights manager: load once, share, pin, evict, and leave nothing behind."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch

from nodetool_core import ImageToImageModel, RunCancelled
from nodetool_core.errors import ModelError
from nodetool_core.models.components.component_key import Precision
from nodetool_core.models.components.recipes import recipe_for
from nodetool_core.models.diffusers import assembly
from nodetool_core.models.diffusers.modules import modules_of
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.residency.devices import choose_device
from nodetool_core.models.residency.transfer import module_bytes
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run
from tests.nodes.huggingface.tiny_pipelines import save, stable_diffusion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TASKS = ("image-to-image", "text-to-image", "inpainting")


@pytest.fixture
def sd(model: Callable[[str], str]) -> ImageToImageModel:
    return ImageToImageModel(repo_id=model("stable_diffusion"))


@pytest.fixture
def models() -> ModelManager:
    return ModelManager(device="cpu")


def held(models: ModelManager) -> list[int]:
    return [entry.pins for entry in models.loaded()]


def test_a_second_use_loads_nothing(
    models: ModelManager, sd: ImageToImageModel, recorder: Recorder
) -> None:
    for _ in range(3):
        with models.use(sd, "image-to-image", context=recorder.context):
            assert held(models) == [1]
    assert (models.loads, held(models)) == (1, [0])
    assert models.revision(sd) == models.loaded()[0].revision


def test_tasks_share_weights_and_nothing_else(
    models: ModelManager, sd: ImageToImageModel, recorder: Recorder
) -> None:
    pipelines = []
    for task in TASKS:
        with (
            models.use(sd, task, context=recorder.context) as first_lease,
            models.use(sd, task, context=recorder.context) as second_lease,
        ):
            second = second_lease.pipeline
            first = first_lease.pipeline
            pipelines += [first, second]
    assert models.loads == 1
    assert {type(pipeline).__name__ for pipeline in pipelines} == {
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionPipeline",
        "StableDiffusionInpaintPipeline",
    }
    assert len({id(pipeline.unet) for pipeline in pipelines}) == 1
    assert len({id(pipeline.scheduler) for pipeline in pipelines}) == len(pipelines)
    assert models.loaded()[0].bytes == sum(
        module_bytes(module) for module in modules_of(pipelines[0]).values()
    )


@pytest.mark.parametrize("family", ["kandinsky22", "upscale", "instruct_pix2pix"])
def test_no_scheduler_is_ever_shared(
    family: str, models: ModelManager, model: Callable[[str], str], recorder: Recorder
) -> None:
    from diffusers import SchedulerMixin

    ref = ImageToImageModel(repo_id=model(family))
    with (
        models.use(ref, TASKS[0], context=recorder.context) as first_lease,
        models.use(ref, TASKS[0], context=recorder.context) as second_lease,
    ):
        second = second_lease.pipeline
        first = first_lease.pipeline
        ids = [
            id(part)
            for shell in (first, second)
            for part in shell.components.values()
            if isinstance(part, SchedulerMixin)
        ]
        assert first is not second
        assert len(set(ids)) == len(ids) >= 2


def test_two_threads_load_once_and_paint_as_alone(model: Callable[[str], str]) -> None:
    alone = {
        seed: (
            run(
                Recorder(ModelManager(device="cpu")), model("stable_diffusion"), seed=seed
            ).tobytes()
        )
        for seed in (1, 2)
    }
    shared = ModelManager(device="cpu")
    start = threading.Barrier(4)

    def paint(seed: int) -> bytes:
        torch.set_num_threads(1)
        start.wait()
        return run(
            Recorder(shared), model("stable_diffusion"), seed=seed, num_inference_steps=4
        ).tobytes()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(paint, (1, 2, 1, 2)))
    assert results == [alone[1], alone[2], alone[1], alone[2]]
    assert (shared.loads, held(shared)) == (1, [0])


def test_an_error_inside_releases_the_pin(
    models: ModelManager, sd: ImageToImageModel, recorder: Recorder
) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        models.use(sd, "image-to-image", context=recorder.context),
    ):
        raise ZeroDivisionError
    assert held(models) == [0]


def test_a_task_that_the_model_cannot_do_releases_the_pin(
    models: ModelManager, model: Callable[[str], str], recorder: Recorder
) -> None:
    ref = ImageToImageModel(repo_id=model("inpainting"))
    with models.use(ref, "inpainting", context=recorder.context):
        pass
    with (
        pytest.raises(ModelError) as caught,
        models.use(ref, "image-to-image", context=recorder.context),
    ):
        pass
    assert (caught.value.problem.code, held(models), models.loads) == ("model_unfit", [0], 1)


def test_unknown_task_and_device(
    models: ModelManager, sd: ImageToImageModel, recorder: Recorder
) -> None:
    with (
        pytest.raises(ModelError, match="Did you mean 'inpainting'"),
        models.use(sd, "inpaint", context=recorder.context),
    ):
        pass
    for name in ("cuda:99", "gpu", "meta"):
        with pytest.raises(ModelError) as caught:
            choose_device(name)
        assert caught.value.problem.code == "device_unknown"
    with pytest.raises(ModelError):
        ModelManager(budget=-1)


def test_the_budget_evicts_the_least_recently_used(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    refs = [
        ImageToImageModel(repo_id=model(name))
        for name in ("stable_diffusion", "lcm", "stable_diffusion_pag")
    ]
    probe = ModelManager(device="cpu")
    for ref in refs:
        with probe.use(ref, TASKS[0], context=recorder.context):
            pass
    budget = sum(sorted(entry.bytes for entry in probe.loaded())[1:]) + 4096

    models = ModelManager(device="cpu", budget=budget)
    for index in (0, 1, 0, 2):
        with models.use(refs[index], TASKS[0], context=recorder.context):
            pass
    assert [entry.name for entry in models.loaded()] == [refs[0].repo_id, refs[2].repo_id]
    assert sum(entry.bytes for entry in models.loaded()) <= budget


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_bytes_are_known_before_loading(
    variant: str | None, models: ModelManager, tmp_path: Path, recorder: Recorder
) -> None:
    directory = save(
        stable_diffusion, tmp_path / "model", variant=variant, half=variant is not None
    )
    (directory / "single.safetensors").write_bytes(bytes(10_000))
    ref = ImageToImageModel(repo_id=str(directory), variant=variant)
    resolved = models.resolver.resolve(ref, recorder.context)
    estimate = sum(
        recipe_for(
            resolved, TASKS[0], Precision(torch.float32), models.resolver.hub
        ).estimates.values()
    )
    use(models, ref, recorder)
    assert estimate == pytest.approx(models.loaded()[0].bytes, rel=0.01)


def test_a_pinned_model_is_never_evicted(model: Callable[[str], str], recorder: Recorder) -> None:
    first, second = (ImageToImageModel(repo_id=model(name)) for name in ("stable_diffusion", "lcm"))
    models = ModelManager(device="cpu", budget=0)
    with models.use(first, TASKS[0], context=recorder.context):
        with models.use(second, TASKS[0], context=recorder.context):
            assert held(models) == [1, 1]
            assert models.free() == 0
        assert [entry.name for entry in models.loaded()] == [first.repo_id]
    assert models.loaded() == []


def test_free_drops_what_is_not_in_use(
    models: ModelManager, sd: ImageToImageModel, recorder: Recorder
) -> None:
    with models.use(sd, TASKS[0], context=recorder.context):
        assert models.free() == 0
    size = models.loaded()[0].bytes
    assert models.free() == size
    assert models.loaded() == []


class Gate:
    """Stands in for loading: waits until it is let through, then fails or loads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
        self.opened = threading.Event()
        self.reached = threading.Event()
        self.error = error
        self._real = assembly.read_component
        monkeypatch.setattr(assembly, "read_component", self._read)

    def _read(self, *arguments: Any) -> Any:
        self.reached.set()
        assert self.opened.wait(10)
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self._real(*arguments)


def wait_for_pins(models: ModelManager, count: int) -> None:
    """Until so many uses wait for one and the same component."""
    until = time.monotonic() + 30
    while not any(one.pins == count for one in models.runtime.store.components()):
        assert time.monotonic() < until, "nobody else came to wait for it"
        time.sleep(0.005)


def use(models: ModelManager, ref: ImageToImageModel, recorder: Recorder) -> str:
    with models.use(ref, "image-to-image", context=recorder.context) as lease:
        pipeline = lease.pipeline
        return type(pipeline).__name__


def test_a_failed_load_fails_all_who_wait_and_leaves_nothing(
    models: ModelManager, sd: ImageToImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, MemoryError("too large"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(use, models, sd, Recorder(models))
        gate.reached.wait(10)
        second = pool.submit(use, models, sd, Recorder(models))
        wait_for_pins(models, 2)
        gate.opened.set()
        assert isinstance(first.exception(), MemoryError)
        assert isinstance(second.exception(), MemoryError)
    assert models.loaded() == []
    assert use(models, sd, Recorder(models)) == "StableDiffusionImg2ImgPipeline"


def test_a_cancelled_load_lets_the_next_one_load(
    models: ModelManager, sd: ImageToImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    loading, waiting, leaving = Recorder(models), Recorder(models), Recorder(models)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(use, models, sd, loading)
        gate.reached.wait(10)
        second, third = pool.submit(use, models, sd, waiting), pool.submit(use, models, sd, leaving)
        leaving.cancelled.set()
        assert isinstance(third.exception(5), RunCancelled)
        loading.cancelled.set()
        gate.opened.set()
        assert isinstance(first.exception(5), RunCancelled)
        assert second.result(10) == "StableDiffusionImg2ImgPipeline"
    assert (models.loads, held(models)) == (1, [0])


def test_a_cold_load_blocks_nobody_who_needs_another_model(
    models: ModelManager,
    sd: ImageToImageModel,
    model: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(models, sd, Recorder(models))
    gate = Gate(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        cold = pool.submit(use, models, ImageToImageModel(repo_id=model("lcm")), Recorder(models))
        gate.reached.wait(10)
        assert use(models, sd, Recorder(models)) == "StableDiffusionImg2ImgPipeline"
        assert not cold.done()
        gate.opened.set()
        assert cold.result(10)


def test_changed_files_are_loaded_again(
    models: ModelManager, model: Callable[[str], str], tmp_path: Path, recorder: Recorder
) -> None:
    import shutil

    directory = shutil.copytree(model("stable_diffusion"), tmp_path / "model")
    ref = ImageToImageModel(repo_id=str(directory))
    use(models, ref, recorder)
    shutil.copytree(model("stable_diffusion_pag"), directory, dirs_exist_ok=True)
    assert use(models, ref, recorder)
    assert models.loads == 2
