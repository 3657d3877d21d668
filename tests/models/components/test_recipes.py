"""
Components: what is one and the same, and in which form it is kept.

Also what is kept of encoders, and what reading leaves alone.
"""

from __future__ import annotations

import gc
import hashlib
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

from nodetool_core import Context, ImageToImageModel, RunCancelled
from nodetool_core.context import Reporter
from nodetool_core.errors import ModelError
from nodetool_core.models.components.component_class import component_class
from nodetool_core.models.diffusers.deserialize import read_module
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run

if TYPE_CHECKING:
    from collections.abc import Callable

TASK = "image-to-image"


@pytest.fixture
def models() -> ModelManager:
    return ModelManager(device="cpu")


@pytest.fixture
def sd(model: Callable[[str], str]) -> ImageToImageModel:
    return ImageToImageModel(repo_id=model("stable_diffusion"))


def use(models: ModelManager, ref: ImageToImageModel) -> None:
    with models.use(ref, TASK, context=Recorder(models).context):
        pass


def as_in_the_cache(source: str, root: Path) -> str:
    """
    Return a model directory whose weights are links to files named by their content.

    The Hub's cache is such a one.
    """
    directory = Path(
        shutil.copytree(source, root / "snapshots" / Path(source).name, dirs_exist_ok=True)
    )
    blobs = root / "blobs"
    blobs.mkdir(exist_ok=True)
    for file in directory.rglob("*.safetensors"):
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.move(file, blob)
        file.symlink_to(blob)
    return str(directory)


def test_the_same_files_in_two_repositories_are_loaded_once(
    models: ModelManager, model: Callable[[str], str], tmp_path: Path
) -> None:
    base = model("stable_diffusion")
    tuned = shutil.copytree(base, tmp_path / "tuned")
    unet = tuned / "unet" / "diffusion_pytorch_model.safetensors"
    from safetensors.torch import load_file, save_file

    save_file(
        {name: tensor + 0.01 for name, tensor in load_file(unet).items()},
        unet,
        metadata={"format": "pt"},
    )
    first, second = (
        ImageToImageModel(repo_id=as_in_the_cache(str(one), tmp_path / "cache"))
        for one in (base, tuned)
    )
    use(models, first)
    parts = models.counts.reads
    use(models, second)
    assert models.counts.reads == parts + 1, "only the denoiser differs"
    assert len(models.loaded()) == 2
    total = sum(one.bytes for one in models.runtime.store.components())
    assert total < sum(one.bytes for one in models.loaded())


def test_a_load_that_fails_half_way_holds_on_to_nothing(
    models: ModelManager, sd: ImageToImageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    tuned = shutil.copytree(sd.repo_id, tmp_path / "tuned")
    unet = tuned / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(
        {name: tensor + 0.01 for name, tensor in load_file(unet).items()},
        unet,
        metadata={"format": "pt"},
    )
    first, second = (
        ImageToImageModel(repo_id=as_in_the_cache(str(one), tmp_path / "cache"))
        for one in (sd.repo_id, tuned)
    )
    use(models, first)

    def fails(*arguments: Any) -> Any:
        raise MemoryError("too large")

    monkeypatch.setattr("nodetool_core.models.diffusers.assembly.read_component", fails)
    with pytest.raises(MemoryError):
        use(models, second)
    assert {one.pins for one in models.runtime.store.components()} == {0}, (
        "also what it shares with the model that is there"
    )
    models.free()
    assert models.runtime.store.components() == []


def test_a_network_of_a_pipeline_is_the_pipelines_own(
    models: ModelManager, sd: ImageToImageModel
) -> None:
    context = Recorder(models).context
    with (
        models.use(sd, TASK, context=context) as pipeline_lease,
        models.use(sd, "network:vae", context=context) as part_lease,
    ):
        part = part_lease.part
        pipeline = pipeline_lease.pipeline
        assert part.model is pipeline.vae


def test_no_more_goes_than_is_needed(
    models: ModelManager, sd: ImageToImageModel, model: Callable[[str], str]
) -> None:
    use(models, sd)
    store = models.runtime.store
    before = {one.name: one.bytes for one in store.components()}
    store.budgets["cpu"] = sum(before.values())
    freed = store.make_room(models.device, 1)
    (gone,) = before.keys() - {one.name for one in store.components()}
    assert freed == before[gone]


def test_a_copy_in_host_memory_saves_reading(model: Callable[[str], str]) -> None:
    refs = [ImageToImageModel(repo_id=model(name)) for name in ("stable_diffusion", "lcm")]
    probe = ModelManager(device="cpu")
    for ref in refs:
        use(probe, ref)
    largest = max(one.bytes for one in probe.loaded())
    models = ModelManager(device="cpu", budget=largest + 4096, host_budget=2**30)
    alone = {ref.repo_id: run(Recorder(probe), ref.repo_id, seed=1).tobytes() for ref in refs}
    for ref in (*refs, *refs, *refs):
        assert run(Recorder(models), ref.repo_id, seed=1).tobytes() == alone[ref.repo_id]
    assert models.counts.reads == 6, "three components of each model were read once"
    assert models.counts.placed > 6
    assert models.runtime.store.used("cpu") <= largest + 4096


def test_host_memory_has_a_budget(model: Callable[[str], str]) -> None:
    models = ModelManager(device="cpu", budget=0, host_budget=500_000)
    for name in ("stable_diffusion", "lcm", "stable_diffusion_pag"):
        use(models, ImageToImageModel(repo_id=model(name)))
        assert models.runtime.store.host_used() <= 500_000
        assert models.runtime.store.used("cpu") == 0


@pytest.mark.parametrize("budget", [0, 1, 100_000])
def test_a_budget_below_one_model_still_runs_it(budget: int, sd: ImageToImageModel) -> None:
    models = ModelManager(device="cpu", budget=budget)
    assert (
        run(Recorder(models), sd.repo_id, seed=1).tobytes()
        == run(Recorder(ModelManager(device="cpu")), sd.repo_id, seed=1).tobytes()
    )
    assert models.runtime.store.used("cpu") <= budget


def test_an_unknown_device_is_told_at_the_first_use(sd: ImageToImageModel) -> None:
    for name in ("cuda:7", "tpu", "cpu,nothing"):
        models = ModelManager(device=name)
        with pytest.raises(ModelError) as caught:
            use(models, sd)
        assert caught.value.problem.code == "device_unknown"


def test_an_abandoned_handle_frees_its_pin(models: ModelManager, sd: ImageToImageModel) -> None:
    handle = models.use(sd, TASK, context=Recorder(models).context)
    handle.__enter__()
    assert [one.pins for one in models.loaded()] == [1]
    del handle
    gc.collect()
    assert [one.pins for one in models.loaded()] == [0]
    assert models.free() > 0


def test_fp8_takes_a_quarter_and_paints_nearly_the_same(model: Callable[[str], str]) -> None:
    import numpy as np

    def painted(**fields: Any) -> tuple[int, Any]:
        models = ModelManager(device="cpu")
        recorder = Recorder(models)
        ref = ImageToImageModel(repo_id=model("stable_diffusion"), **fields)
        with models.use(ref, TASK, context=recorder.context) as lease, torch.no_grad():
            pipeline = lease.pipeline
            arguments = {
                "prompt": "a lake",
                "image": Image.new("RGB", (64, 64)),
                "num_inference_steps": 2,
            }
            image = lease.run({**arguments, "generator": torch.Generator().manual_seed(0)}).images[
                0
            ]
            unet = next(
                one for one in models.runtime.store.components() if one.module is pipeline.unet
            )
            return unet.bytes, np.asarray(image, dtype=float)

    full, expected = painted()
    small, got = painted(quantization="fp8")
    assert small < 0.6 * full
    assert np.abs(expected - got).mean() < 20


def test_the_number_format_is_the_references(
    models: ModelManager, model: Callable[[str], str]
) -> None:
    ref = ImageToImageModel(repo_id=model("stable_diffusion"), dtype="bfloat16")
    with models.use(ref, TASK, context=Recorder(models).context) as lease:
        pipeline = lease.pipeline
        assert {pipeline.unet.dtype, pipeline.vae.dtype, pipeline.text_encoder.dtype} == {
            torch.bfloat16
        }


@pytest.mark.parametrize("part", ["unet", "text_encoder", "vae"])
def test_reading_leaves_other_threads_number_format_alone(
    part: str, model: Callable[[str], str]
) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    cls: Any = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}[
        part
    ]
    folder = Path(model("stable_diffusion")) / part
    seen: set[torch.dtype] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(torch.tensor(0.5).dtype)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ours = read_module(cls, folder, torch.bfloat16)
    finally:
        done.set()
        watcher.join()
    assert seen == {torch.float32}
    expected = cls.from_pretrained(str(folder), torch_dtype=torch.bfloat16)
    tensors = dict([*expected.named_parameters(), *expected.named_buffers()])
    assert type(ours) is cls
    for name, tensor in (*ours.named_parameters(), *ours.named_buffers()):
        assert tensor.dtype == tensors[name].dtype
        assert torch.equal(tensor, tensors[name])


def test_a_change_of_seed_steps_or_strength_encodes_nothing_again(
    models: ModelManager, sd: ImageToImageModel
) -> None:
    plain = ModelManager(device="cpu", encoder_cache=0)
    settings: list[dict[str, Any]] = [
        {"seed": 1},
        {"seed": 2},
        {"seed": 1, "num_inference_steps": 3},
        {"seed": 1, "strength": 0.9},
    ]
    run(Recorder(models), sd.repo_id, **settings[0])
    misses = models.encoder_cache.misses
    assert misses > 0
    for one in settings:
        assert (
            run(Recorder(models), sd.repo_id, **one).tobytes()
            == run(Recorder(plain), sd.repo_id, **one).tobytes()
        )
    assert models.encoder_cache.misses == misses
    run(Recorder(models), sd.repo_id, seed=1, prompt="another prompt")
    assert models.encoder_cache.misses == misses + 1, (
        "the image is known, and so is the empty negative prompt"
    )
    assert 0 < models.encoder_cache.size <= models.encoder_cache.bound


def test_what_is_kept_of_encoders_is_bounded(sd: ImageToImageModel) -> None:
    models = ModelManager(device="cpu", encoder_cache=60_000)
    for prompt in ("a", "b", "c", "d", "e", "f"):
        run(Recorder(models), sd.repo_id, seed=1, prompt=prompt)
        assert models.encoder_cache.size <= 60_000
    models.free()
    assert models.encoder_cache.size == 0


def test_a_copy_of_an_encoder_computes_for_itself(
    models: ModelManager, sd: ImageToImageModel
) -> None:
    import copy

    tokens = torch.arange(10)[None]
    with models.use(sd, TASK, context=Recorder(models).context) as lease, torch.no_grad():
        pipeline = lease.pipeline
        encoder = pipeline.text_encoder
        first = encoder(tokens)[0]
        adapted = copy.deepcopy(encoder)
        for parameter in adapted.parameters():
            parameter.add_(0.1)
        assert not torch.equal(adapted(tokens)[0], first), "nodes hang adapters on copies"
        assert torch.equal(encoder(tokens)[0], first)
    assert models.encoder_cache.hits == 1


def test_a_image_encoded_in_tiles_is_another_encoding(
    models: ModelManager, sd: ImageToImageModel
) -> None:
    with models.use(sd, TASK, context=Recorder(models).context) as lease, torch.no_grad():
        pipeline = lease.pipeline
        vae = pipeline.vae
        side = 2 * vae.tile_sample_min_size
        image = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(0))

        def mean() -> Any:
            return vae.encode(image).latent_dist.mean

        whole = mean()
        vae.enable_tiling()
        tiled = mean()
        vae.disable_tiling()
        assert tiled.shape == whole.shape and not torch.equal(tiled, whole)
        assert models.encoder_cache.hits == 0
        assert torch.equal(mean(), whole) and models.encoder_cache.hits == 1
        vae.enable_tiling()
        assert torch.equal(mean(), tiled) and models.encoder_cache.hits == 2


@pytest.mark.parametrize(
    ("library", "name", "is_found"),
    [
        ("diffusers", "AutoencoderKL", True),
        ("transformers", "CLIPTextModel", True),
        ("stable_diffusion", "StableDiffusionSafetyChecker", True),
        # Moved by diffusers 0.41; repositories name it as ever.
        ("wuerstchen", "PaellaVQModel", True),
        ("diffusers", "NoSuchClass", False),
        ("no_such_pipeline", "PaellaVQModel", False),
        ("not.a.name", "PaellaVQModel", False),
        ("", "PaellaVQModel", False),
    ],
)
def test_a_component_is_found_by_the_names_in_the_index(
    library: str, name: str, is_found: bool
) -> None:
    found = component_class(library, name)
    assert (found is not None) == is_found
    assert found is None or found.__name__ == name


class CancelledAtTheEnd(Context):
    """
    Cancel a run between the last look whether it was and the report that the weights are there.
    """

    def progress(self, step: int, total: int, message: str = "") -> None:
        if step == total:
            raise RunCancelled


def test_a_cancel_as_the_weights_come_leaves_no_pin(
    models: ModelManager, sd: ImageToImageModel
) -> None:
    recorder = Recorder(models)
    context = CancelledAtTheEnd(
        "node", reporter=Reporter(), cancelled=recorder.cancelled, images=recorder, models=models
    )
    with pytest.raises(RunCancelled), models.use(sd, TASK, context=context):
        pytest.fail("The run was cancelled.")
    assert {one.pins for one in models.runtime.store.components()} == {0}
    assert models.free() > 0
