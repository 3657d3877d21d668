"""
Several calls at once over one set of weights: the images are those of one call after the other.
"""

from __future__ import annotations

import gc
import os
import shutil
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from nodes.nodetool.output import Output
from nodetool_core import Context, ImageToImageModel, Lane, ModelRef, Node, Workflow
from nodetool_core.engine import device_lane
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.options import RunOptions
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.residency import replicas
from nodetool_core.models.residency.devices import choose_device
from nodetool_core.models.residency.replicas import Slot, slots
from nodetool_core.models.residency.transfer import tensors
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_CACHE = RunOptions(use_cache=False)
BOTH = [Slot("cpu", 0), Slot("cpu", 1)]


def painted(
    models: ModelManager,
    ref: ModelRef,
    task: str,
    seed: int,
    slot: Slot,
    meet: threading.Barrier | None = None,
) -> Any:
    """
    Return an image whose call waits at each of its first steps for whoever paints beside it.
    """
    torch.set_num_threads(1)
    recorder = Recorder(models)
    given = (
        {"image": Image.new("RGB", (64, 64), (40 * seed, 90, 20))}
        if task == "image-to-image"
        else {"height": 64, "width": 64}
    )

    def step(pipeline: Any, index: int, timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        if meet is not None:
            meet.wait(60)
        return kept

    with (
        models.at(slot),
        models.use(ref, task, context=recorder.context) as lease,
        torch.no_grad(),
    ):
        arguments = {
            "prompt": f"a lake {seed}",
            "num_inference_steps": 4,
            **given,
            "generator": torch.Generator().manual_seed(seed),
        }
        called = lease.run({**arguments, "callback_on_step_end": step})
        return np.asarray(called.images[0])


@pytest.mark.parametrize(
    ("name", "task", "fields"),
    [
        ("stable_diffusion", "image-to-image", {}),
        ("stable_diffusion_xl", "image-to-image", {}),
        ("stable_diffusion", "image-to-image", {"quantization": "fp8"}),
        ("stable_diffusion_pag", "text-to-image", {}),
        ("qwen_image", "text-to-image", {}),
    ],
)
def test_calls_at_once_paint_what_they_paint_alone(
    name: str, task: str, fields: dict[str, Any], model: Callable[[str], str]
) -> None:
    ref = ImageToImageModel(repo_id=model(name), **fields)
    alone = ModelManager(device="cpu", encoder_cache=0)
    expected = [painted(alone, ref, task, seed, BOTH[0]) for seed in range(2)]
    models = ModelManager(device="cpu", calls=2, encoder_cache=0)
    assert models.slots == BOTH
    for _ in range(3):
        meet = threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            both = [
                pool.submit(painted, models, ref, task, seed, BOTH[seed], meet) for seed in range(2)
            ]
            got = [future.result(120) for future in both]
        assert np.array_equal(got[0], expected[0])
        assert np.array_equal(got[1], expected[1])
    assert models.loads == 1


def test_a_replica_has_modules_of_its_own_over_the_same_memory(model: Callable[[str], str]) -> None:
    models = ModelManager(device="cpu", calls=2)
    ref, context = ImageToImageModel(repo_id=model("stable_diffusion")), Recorder(models).context
    with models.at(BOTH[0]), models.use(ref, "image-to-image", context=context) as lease:
        first = lease.pipeline
        with models.at(BOTH[1]), models.use(ref, "image-to-image", context=context) as second_lease:
            second = second_lease.pipeline
            for name in ("unet", "vae", "text_encoder"):
                ones, others = (
                    list(tensors(getattr(pipeline, name))) for pipeline in (first, second)
                )
                assert not {id(tensor) for tensor in ones} & {id(tensor) for tensor in others}
                assert [tensor.data_ptr() for tensor in ones] == [
                    tensor.data_ptr() for tensor in others
                ]
        second.vae.enable_tiling()
        assert not first.vae.use_tiling
    assert sum(one.bytes for one in models.loaded()) == sum(
        one.bytes for one in models.runtime.store.components()
    )


def test_what_a_call_leaves_on_its_modules_reaches_no_other_replica(
    model: Callable[[str], str],
) -> None:
    models = ModelManager(device="cpu", calls=3)
    ref, context = ImageToImageModel(repo_id=model("stable_diffusion")), Recorder(models).context
    with models.at(BOTH[0]), models.use(ref, "image-to-image", context=context) as lease:
        first = lease.pipeline
        first.vae.enable_tiling()
    for replica in (1, 2):
        with (
            models.at(Slot("cpu", replica)),
            models.use(ref, "image-to-image", context=context) as lease,
        ):
            other = lease.pipeline
            assert not other.vae.use_tiling


def test_replicas_share_what_encoders_gave(model: Callable[[str], str]) -> None:
    models = ModelManager(device="cpu", calls=2)
    ref = ImageToImageModel(repo_id=model("stable_diffusion"))
    painted(models, ref, "image-to-image", 1, BOTH[0])
    misses = models.encoder_cache.misses
    painted(models, ref, "image-to-image", 1, BOTH[1])
    assert models.encoder_cache.misses == misses


def test_no_replica_keeps_weights_that_were_let_go_of(model: Callable[[str], str]) -> None:
    models = ModelManager(device="cpu", calls=2)
    ref, context = ImageToImageModel(repo_id=model("stable_diffusion")), Recorder(models).context
    for slot in BOTH:
        with models.at(slot), models.use(ref, "image-to-image", context=context) as lease:
            pipeline = lease.pipeline
            held = weakref.ref(pipeline.unet)
    del pipeline, lease
    assert models.free() > 0
    gc.collect()
    assert held() is None


def test_a_replica_follows_weights_that_were_in_host_memory_meanwhile(
    model: Callable[[str], str],
) -> None:
    ref = ImageToImageModel(repo_id=model("stable_diffusion"))
    models = ModelManager(device="cpu", calls=2, host_budget=2**30)
    expected = painted(models, ref, "image-to-image", 1, BOTH[1])
    store = models.runtime.store
    store.make_room(models.device, store.budgets["cpu"])
    assert not models.is_loaded(ref)
    assert store.host_used() > 0
    assert np.array_equal(painted(models, ref, "image-to-image", 1, BOTH[1]), expected)
    assert models.counts.reads == len(store.components())
    found = {one.name.rpartition(" ")[2]: one.module for one in store.components()}
    with (
        models.at(BOTH[1]),
        models.use(ref, "image-to-image", context=Recorder(models).context) as lease,
    ):
        pipeline = lease.pipeline
        assert (
            next(iter(tensors(pipeline.unet))).data_ptr()
            == next(iter(tensors(found["unet"]))).data_ptr()
        )  # type: ignore[arg-type]


class Meet(Node):
    """Uses a model, and waits there until another does too."""

    lane = Lane.DEVICE
    cacheable = False
    meet = threading.Barrier(2)

    model: ModelRef

    def process(self, context: Context) -> str:
        with context.models.use(self.model, "image-to-image", context=context):
            self.meet.wait(60)
        return "met"


def two_runs(models: ModelManager, *names: str) -> None:
    with Engine(models=models) as engine:
        runs = []
        for name in names:
            node: Any = Meet(model=ModelRef(repo_id=name))
            runs.append(
                Workflow(Output(name="o", value=node.output), engine=engine).start(options=NO_CACHE)
            )
        for run in runs:
            assert run.result(90)["o"] == "met"


def test_runs_compute_at_once_where_there_are_replicas(model: Callable[[str], str]) -> None:
    Meet.meet = threading.Barrier(2)
    models = ModelManager(device="cpu", calls=2)
    two_runs(models, *[model("stable_diffusion")] * 2)
    assert models.loads == 1


def test_nodes_of_one_run_compute_at_once_where_there_are_replicas(
    model: Callable[[str], str],
) -> None:
    Meet.meet = threading.Barrier(2)
    with Engine(models=ModelManager(device="cpu", calls=2)) as engine:
        nodes: list[Any] = [
            Meet(model=ModelRef(repo_id=model("stable_diffusion"))) for _ in range(2)
        ]
        made = Workflow(
            *(Output(name=f"o{index}", value=node.output) for index, node in enumerate(nodes)),
            engine=engine,
        )
        assert made.run(options=NO_CACHE)["o1"] == "met"


class Seat(Node):
    """Tells which thread computes it."""

    lane = Lane.DEVICE
    cacheable = False

    model: ModelRef

    def process(self, context: Context) -> str:
        with context.models.use(self.model, "image-to-image", context=context):
            return threading.current_thread().name


def test_no_more_replicas_are_taken_than_are_needed(model: Callable[[str], str]) -> None:
    with Engine(models=ModelManager(device="cpu", calls=8)) as engine:
        node: Any = Seat(model=ModelRef(repo_id=model("stable_diffusion")))
        made = Workflow(Output(name="o", value=node.output), engine=engine)
        taken = {made.run(options=NO_CACHE)["o"] for _ in range(30)}
    # A run ends a moment before its thread is free again.
    assert len(taken) <= 2


class Notes(Node):
    """Uses a model, and notes which models are used at the same time."""

    lane = Lane.DEVICE
    cacheable = False
    lock = threading.Lock()
    inside: ClassVar[list[str]] = []
    together: ClassVar[set[frozenset[str]]] = set()

    model: ModelRef
    number: int = 0

    def process(self, context: Context) -> int:
        with (
            context.models.use(self.model, "image-to-image", context=context) as lease,
            torch.no_grad(),
        ):
            pipeline = lease.pipeline
            with self.lock:
                self.inside.append(self.model.repo_id)
                self.together.add(frozenset(self.inside))
            pipeline("a lake", image=Image.new("RGB", (64, 64)), num_inference_steps=2)
            with self.lock:
                self.inside.remove(self.model.repo_id)
        return self.number


@pytest.mark.parametrize("patience", [0.0, 600.0])
@pytest.mark.parametrize("budgets", [1, 2])
def test_only_models_that_fit_together_are_used_together(
    budgets: int,
    patience: float,
    model: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_lane, "LONGEST_WAIT", patience)
    names = [
        model("stable_diffusion"),
        str(shutil.copytree(model("stable_diffusion"), tmp_path / "other")),
    ]
    measure = ModelManager(device="cpu")
    with measure.use(
        ModelRef(repo_id=names[0]), "image-to-image", context=Recorder(measure).context
    ):
        size = measure.loaded()[0].bytes
    Notes.together.clear()
    models = ModelManager(device="cpu", calls=2, budget=budgets * size + 4096)
    with Engine(models=models) as engine:
        nodes: list[Any] = [
            Notes(model=ModelRef(repo_id=names[number % 2]), number=number) for number in range(8)
        ]
        made = Workflow(
            *(Output(name=f"o{number}", value=node.output) for number, node in enumerate(nodes)),
            engine=engine,
        )
        result = made.run(options=NO_CACHE)
    assert [result[f"o{number}"] for number in range(8)] == list(range(8))
    assert max(map(len, Notes.together)) <= budgets


def test_slots_are_first_replicas_first_and_cards_have_one() -> None:
    cpu = choose_device("cpu")
    other = choose_device("cpu:1")
    card = type(cpu)("cuda:0", torch.bfloat16)
    assert slots([cpu], 3, 1) == [Slot("cpu", 0), Slot("cpu", 1), Slot("cpu", 2)]
    assert slots([card, cpu], 2, 1) == [Slot("cuda:0", 0), Slot("cpu", 0), Slot("cpu", 1)]
    assert slots([cpu], 3, 4) == [Slot("cpu", 0)] * 4
    assert slots([cpu, other], 1, 1) == [Slot("cpu", 0), Slot("cpu:1", 0)]


@pytest.mark.parametrize(
    ("cores", "threads", "expected"), [(8, 1, 8), (8, 3, 2), (8, 8, 1), (2, 8, 1)]
)
def test_a_processor_has_replicas_for_its_cores(
    cores: int, threads: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "_cores", lambda: cores)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert len(slots([choose_device("cpu")], None, 1)) == expected
    finally:
        torch.set_num_threads(before)


def test_the_cores_are_at_most_those_of_the_machine() -> None:
    assert 1 <= replicas._cores() <= (os.cpu_count() or 1)
