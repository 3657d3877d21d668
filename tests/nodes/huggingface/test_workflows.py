"""Model nodes inside of workflows: files, cache keys, latents and models over edges."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from nodes.huggingface.image_to_image import ImageToImage, Inpainting, VAEDecode
from nodes.huggingface.loaders import LoadControlNet, LoadIPAdapter, LoadLora, LoadUpscaler, LoadVAE
from nodes.huggingface.model_kinds import ControlNetModel, IPAdapterModel, LoraModel, UpscalerModel
from nodes.huggingface.preprocessing import Canny
from nodes.huggingface.text_to_image import TextToImage
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import ImageData, Workflow
from nodetool_core.engine.engine import Engine
from tests.nodes.huggingface import tiny_adapters
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nodetool_core.models.manager import ModelManager

GRAPHS = Path(__file__).resolve().parents[3] / "graphs"
STEPS = {"num_inference_steps": 2, "seed": 1}


@pytest.fixture
def engine(manager: ModelManager) -> Iterator[Engine]:
    with Engine(models=manager) as made:
        yield made


def test_a_file_with_everything_hung_on_is_kept_and_runs(
    model: Callable[[str], str], adapter: Callable[[str, str], str], engine: Engine, tmp_path: Path
) -> None:
    photo = ImageInput(name="photo", value="photo.png")
    scene(64, 64).save(tmp_path / "photo.png")
    lora = LoadLora(repo_id=adapter("lora", "stable_diffusion"), scale=0.5)
    net = LoadControlNet(repo_id=adapter("controlnet", "stable_diffusion"))
    lines = Canny(image=photo.output)
    node = ImageToImage(
        model=model("stable_diffusion"),
        image=photo.output,
        loras=lora.output,
        controlnet=net.output,
        control_image=lines.output,
        scheduler="EulerDiscreteScheduler",
        strength=1.0,
        num_images=2,
        **STEPS,
    )
    again = VAEDecode(model=model("stable_diffusion"), latents=node.latents)
    outputs = {"first": node.output, "all": node.images, "last": again.output}
    path = Workflow(*(Output(name=name, value=value) for name, value in outputs.items())).save(
        tmp_path / "workflow.json"
    )
    workflow = Workflow.load(path, engine=engine)
    result = workflow.run()
    assert isinstance(result["first"], ImageData) and result.warnings == []
    assert (
        result["first"].image.tobytes()
        == result["all"][0].image.tobytes()
        != result["all"][1].image.tobytes()
    )
    assert result["last"].image.size == result["all"][1].image.size
    assert result["first"].provenance
    second = Workflow.load(path, engine=engine).run()
    assert (
        all(name.startswith("output") for name in second.ran) and second["first"] == result["first"]
    )


def test_a_lora_counts_by_its_content_and_scale(
    model: Callable[[str], str], engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "lora.safetensors"
    tiny_adapters.save_lora("stable_diffusion", path)

    def run(scale: float) -> tuple[bytes, bool]:
        node = TextToImage(
            model=model("stable_diffusion"),
            loras=[LoraModel(repo_id=str(path), scale=scale)],
            width=32,
            height=32,
            **STEPS,
        )
        result = Workflow(Output(name="image", value=node.output), engine=engine).run()
        return result["image"].image.tobytes(), bool(result.hits)

    first, _ = run(1.0)
    assert run(1.0) == (first, True)
    assert run(0.5)[0] != first
    tiny_adapters.save_lora("stable_diffusion_xl", path)
    with pytest.raises(Exception, match="does not fit"):
        run(1.0)


def test_an_inpainted_image_keeps_its_outside_through_a_workflow(
    model: Callable[[str], str], engine: Engine
) -> None:
    photo, mask = ImageInput(name="photo"), ImageInput(name="mask")
    node = Inpainting(
        model=model("stable_diffusion"), image=photo.output, mask_image=mask.output, **STEPS
    )
    covered = Image.new("L", (64, 64))
    covered.paste(255, (10, 10, 30, 30))
    result = Workflow(Output(name="image", value=node.output), engine=engine).run(
        photo=scene(64, 64), mask=covered
    )
    below = result["image"].image.crop((0, 30, 64, 64))
    assert below.tobytes() == scene(64, 64).crop((0, 30, 64, 64)).tobytes()


def test_loaders_name_what_they_are_told() -> None:
    first = LoadLora(repo_id="a/b", path="c.safetensors", scale=0.5).process()
    assert LoadLora(repo_id="d/e", loras=first).process() == [
        LoraModel(repo_id="a/b", path="c.safetensors", scale=0.5),
        LoraModel(repo_id="d/e"),
    ]
    assert LoadControlNet(repo_id="a/b", variant="fp16").process() == ControlNetModel(
        repo_id="a/b", variant="fp16"
    )
    assert LoadIPAdapter().process() == IPAdapterModel(
        repo_id="h94/IP-Adapter", path="models/ip-adapter_sd15.safetensors"
    )
    assert LoadVAE().process().repo_id == "stabilityai/sd-vae-ft-mse"
    assert LoadUpscaler(repo_id="a/b").process() == UpscalerModel(repo_id="a/b")


def test_a_run_that_finds_all_in_the_cache_needs_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from nodetool_core import Registry, Workflow\n"
        "from nodetool_core.engine.caching.tiered import default_cache\n"
        "from nodetool_core.engine.engine import Engine\n"
        "registry = Registry.installed()\n"
        "with Engine(registry=registry, cache=default_cache()) as engine:\n"
        "    result = Workflow.load(sys.argv[1], registry, engine=engine).run(image=sys.argv[2])\n"
        "print(result['image'].image.size, 'torch' in sys.modules)\n"
    )
    environment = {**os.environ, "NODETOOL_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    files = (GRAPHS / "image_to_image.json", GRAPHS / "assets" / "lake_at_noon.png")
    command = [sys.executable, "-c", script, *map(str, files)]
    said = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["(128, 128) True\n", "(128, 128) False\n"]
