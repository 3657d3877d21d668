"""
Equal calls become one.

The images are those of single calls, and who is cancelled or fails does so alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nodes.nodetool.output import Output
from nodetool_core import ImageData, ImageToImageModel, RunCancelled, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.recorder import Recorder

TASK = "image-to-image"


class Desk:
    """Calls one model from several threads; the first call is held until it is let go."""

    def __init__(self, models: ModelManager, repo_id: str) -> None:
        self.models = models
        self.ref = ImageToImageModel(repo_id=repo_id)
        self.reached, self.opened = threading.Event(), threading.Event()

    def call(
        self, seed: int, recorder: Recorder | None = None, *, hold: bool = False, **settings: Any
    ) -> np.ndarray:
        torch.set_num_threads(1)
        recorder = recorder or Recorder(self.models)
        with self.models.use(self.ref, TASK, context=recorder.context) as lease, torch.no_grad():
            pipeline = lease.pipeline
            hook = pipeline.unet.register_forward_pre_hook(self._wait) if hold else None
            image = Image.fromarray(np.full((64, 64, 3), 20 * seed, np.uint8))
            arguments = {
                "prompt": f"number {'abcdefgh'[seed]}",
                "image": image,
                "num_inference_steps": 3,
                "strength": 0.7,
            } | settings
            arguments["generator"] = torch.Generator().manual_seed(seed)
            made = lease.run(arguments)
            if hook is not None:
                hook.remove()
            assert len(made.images) == 1
            return np.asarray(made.images[0], dtype=int)

    def _wait(self, module: Any, arguments: Any) -> None:
        self.reached.set()
        assert self.opened.wait(30)


def waiting(desk: Desk) -> int:
    return len(desk.models.runtime.batcher(desk.models.device)._waiting)


def together(
    desk: Desk, pool: ThreadPoolExecutor, calls: list[Callable[[], Any]]
) -> list[Future[Any]]:
    """Return the calls, all waiting while a first one holds the device, then let go."""
    first = pool.submit(desk.call, 7, hold=True)
    assert desk.reached.wait(30)
    futures = [pool.submit(call) for call in calls]
    while waiting(desk) < len(calls):
        threading.Event().wait(0.01)
    desk.opened.set()
    first.result(30)
    return futures


@pytest.fixture
def desk(model: Callable[[str], str]) -> Desk:
    return Desk(ModelManager(device="cpu", batch=4), model("stable_diffusion"))


def test_equal_calls_become_one_and_give_the_same_images(desk: Desk) -> None:
    alone = Desk(ModelManager(device="cpu"), desk.ref.repo_id)
    with ThreadPoolExecutor(6) as pool:
        futures = together(desk, pool, [lambda seed=seed: desk.call(seed) for seed in range(4)])  # type: ignore[misc]
        made = [future.result(30) for future in futures]
    assert desk.models.runtime.batcher(desk.models.device).sizes == [1, 4]
    for seed, image in enumerate(made):
        assert np.abs(image - alone.call(seed)).max() <= 1


def test_calls_that_differ_in_more_stay_apart(desk: Desk) -> None:
    with ThreadPoolExecutor(6) as pool:
        settings: list[dict[str, Any]] = [{}, {"num_inference_steps": 4}, {"guidance_scale": 3.0}]
        futures = together(desk, pool, [lambda one=one: desk.call(1, **one) for one in settings])  # type: ignore[misc]
        for future in futures:
            future.result(30)
    assert desk.models.runtime.batcher(desk.models.device).sizes == [1, 1, 1, 1]


def test_a_member_that_is_cancelled_ends_alone(desk: Desk) -> None:
    leaving, alone = Recorder(desk.models), Desk(ModelManager(device="cpu"), desk.ref.repo_id)
    with ThreadPoolExecutor(6) as pool:
        calls: list[Callable[[], Any]] = [
            lambda: desk.call(0, leaving),
            lambda: desk.call(1),
            lambda: desk.call(2),
        ]
        first = pool.submit(desk.call, 7, hold=True)
        assert desk.reached.wait(30)
        futures = [pool.submit(call) for call in calls]
        while waiting(desk) < 3:
            threading.Event().wait(0.01)
        leaving.cancelled.set()
        assert isinstance(futures[0].exception(30), RunCancelled)
        desk.opened.set()
        first.result(30)
        made = [future.result(30) for future in futures[1:]]
    for seed, image in zip((1, 2), made, strict=True):
        assert np.abs(image - alone.call(seed)).max() <= 1


def test_a_batch_that_fails_is_done_one_by_one(desk: Desk) -> None:
    def refuse(module: Any, arguments: Any) -> None:
        if arguments[0].shape[0] > 2:
            raise ValueError("too many at once")

    alone = Desk(ModelManager(device="cpu"), desk.ref.repo_id)
    with desk.models.use(desk.ref, TASK, context=Recorder(desk.models).context) as lease:
        pipeline = lease.pipeline
        hook = pipeline.unet.register_forward_pre_hook(refuse)
        with ThreadPoolExecutor(6) as pool:
            futures = together(desk, pool, [lambda seed=seed: desk.call(seed) for seed in range(3)])  # type: ignore[misc]
            made = [future.result(30) for future in futures]
        hook.remove()
    for seed, image in enumerate(made):
        assert np.array_equal(image, alone.call(seed))


def test_nodes_of_one_run_are_done_together(model: Callable[[str], str]) -> None:
    from nodes.huggingface.image_to_image import ImageToImage

    source = ImageData.of(Image.new("RGB", (64, 64), (9, 90, 30)))
    settings: dict[str, Any] = {"strength": 0.6, "num_inference_steps": 3}

    def images(models: ModelManager) -> list[np.ndarray]:
        ref = ImageToImageModel(repo_id=model("stable_diffusion"))
        nodes: list[Any] = [
            ImageToImage(model=ref, image=source, prompt="a lake", seed=seed, **settings)
            for seed in range(5)
        ]
        with Engine(models=models) as engine:
            made = Workflow(
                *(Output(name=f"o{seed}", value=node.output) for seed, node in enumerate(nodes)),
                engine=engine,
            )
            result = made.run(options=RunOptions(use_cache=False))
        return [np.asarray(result[f"o{seed}"].image, dtype=int) for seed in range(5)]

    models = ModelManager(device="cpu", batch=4)
    for batched, single in zip(images(models), images(ModelManager(device="cpu")), strict=True):
        assert np.abs(batched - single).max() <= 1
    assert sum(models.runtime.batcher(models.device).sizes) == 5


def test_what_can_not_be_taken_apart_is_done_one_by_one(desk: Desk) -> None:
    with ThreadPoolExecutor(4) as pool:
        calls = [lambda seed=seed: desk.call(seed, return_dict=False) for seed in (1, 2)]
        for future in together(desk, pool, calls):
            with pytest.raises(AttributeError, match="'tuple' object has no attribute 'images'"):
                future.result(30)
    assert desk.models.runtime.batcher(desk.models.device).sizes == [1, 2]


def test_whatever_ends_a_batch_ends_it_for_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(*_: Any) -> None:
        raise SystemExit(3)

    with ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr("nodetool_core.models.calls.batching._part", ends)
        for future in together(desk, pool, [lambda seed=seed: desk.call(seed) for seed in (1, 2)]):
            with pytest.raises(SystemExit):
                future.result(30)
