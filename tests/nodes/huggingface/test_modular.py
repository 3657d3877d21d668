"""Blocks of Modular Diffusers: what a node takes by them, and what it makes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.modular_pipelines import StableDiffusionXLAutoBlocks
from PIL import Image

from nodes.huggingface.modular import Blocks
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ModelRef, Registry, WorkflowError
from nodetool_core.errors import ModelError, NodetoolError
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.hub import Hub
from nodetool_core.models.sources.modular_repository import CODE_VARIABLE
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument
from tests.models.hub_server import HubServer
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.tiny_sdxl import sdxl_parts

if TYPE_CHECKING:
    pass

CALL: dict[str, Any] = {"prompt": "a cat", "num_inference_steps": 2, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of blocks whose VAE is in another one, as plain pipelines have it."""
    home = tmp_path_factory.mktemp("modular")
    torch.manual_seed(0)
    parts = sdxl_parts()
    StableDiffusionXLPipeline(**parts).save_pretrained(home / "plain")
    pipeline: Any = StableDiffusionXLAutoBlocks().get_workflow("text2image").init_pipeline()
    pipeline.register_components(**parts)
    pipeline.save_pretrained(str(home / "blocks"), overwrite_modular_index=True)
    index = home / "blocks" / "modular_model_index.json"
    said = json.loads(index.read_text("utf-8"))
    said["vae"][2]["pretrained_model_name_or_path"] = str(home / "plain")
    index.write_text(json.dumps(said), "utf-8")
    shutil.rmtree(home / "blocks" / "vae")
    return home


def made(recorder: Recorder, model: Path, **values: Any) -> Image.Image:
    node = Blocks(model=ModelRef(repo_id=str(model)), **{"seed": 3, **CALL, **values})
    output: Any = node.process(recorder.context)
    image = output["output"]
    assert isinstance(image, ImageData)
    return image.image


def test_properties_and_outputs_are_those_of_the_blocks(folder: Path) -> None:
    ref = ModelRef(repo_id=str(folder / "blocks"))
    text, change = (
        type(Blocks(model=ref, workflow=name)).spec for name in ("text2image", "image2image")
    )

    assert {"prompt", "negative_prompt", "width", "guidance_scale"} <= text.properties.keys()
    assert "image" in change.properties.keys() - text.properties.keys()
    assert [*text.outputs] == ["output", "images"]
    assert text.properties["num_inference_steps"].default == 50
    with pytest.raises(WorkflowError, match="no property 'image'"):
        Blocks(model=ref, workflow="text2image", image=ImageData.of(Image.new("RGB", (8, 8))))


def test_it_makes_what_the_pipeline_of_the_family_makes(folder: Path, recorder: Recorder) -> None:
    blocks = made(recorder, folder / "blocks", guidance_scale=5.0)
    plain: Any = StableDiffusionXLPipeline.from_pretrained(folder / "plain")
    generator = torch.Generator().manual_seed(3)
    wanted = plain(**CALL, guidance_scale=5.0, generator=generator).images[0]

    difference = np.asarray(blocks).astype(int) - np.asarray(wanted).astype(int)
    assert np.abs(difference).max() <= 1
    assert blocks.tobytes() != made(recorder, folder / "blocks", guidance_scale=1.5).tobytes()
    assert blocks.tobytes() != made(recorder, folder / "blocks", seed=4).tobytes()
    assert (1, 2) in recorder.steps


def test_a_plain_repository_has_the_blocks_of_its_family(folder: Path, recorder: Recorder) -> None:
    assert made(recorder, folder / "plain").tobytes() == made(recorder, folder / "blocks").tobytes()


def test_weights_are_loaded_once_for_blocks_and_for_other_nodes(folder: Path) -> None:
    manager = ModelManager(device="cpu")
    recorder = Recorder(manager)
    made(recorder, folder / "blocks")
    read = manager.counts.reads

    made(recorder, folder / "blocks", seed=9, workflow="text2image")
    assert manager.counts.reads == read == 4
    ref = ModelRef(repo_id=str(folder / "plain"))
    TextToImage(model=ref, prompt="a cat", num_inference_steps=1, width=64, height=64).process(
        recorder.context
    )
    # The VAE was there: it is the plain repository's own.
    assert manager.counts.reads == read + 3


def test_an_image_decides_which_blocks_run(folder: Path, recorder: Recorder) -> None:
    source = ImageData.of(Image.new("RGB", (64, 64), "red"))

    changed = made(recorder, folder / "plain", image=source, strength=0.6, num_inference_steps=4)

    assert changed.size == (64, 64)
    assert changed.tobytes() != made(recorder, folder / "plain", num_inference_steps=4).tobytes()
    with pytest.raises(NodetoolError, match="lacks controlnet"):
        made(recorder, folder / "plain", control_image=source)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "names no model"),
        ({"model": {"repo_id": "nobody/nothing"}}, "not on this machine"),
        ({"blocks": "FluxAutoBlock"}, "FluxAutoBlocks"),
        ({"blocks": "SequentialPipelineBlocks"}, "no such blocks"),
        ({"blocks": "FluxAutoBlocks", "workflow": "text2imag"}, "text2image"),
        ({"blocks": "FluxAutoBlocks", "negative_prompt": "x"}, "no property 'negative_prompt'"),
    ],
)
def test_what_decides_nothing_is_refused_before_a_run(values: dict[str, Any], said: str) -> None:
    node = {"id": "blocks", "type": Blocks.spec.node_type, "data": values}
    document = WorkflowDocument.from_json({"graph": {"nodes": [node], "edges": []}})

    with pytest.raises(WorkflowError) as raised:
        build_graph(document, Registry.installed())

    (problem,) = raised.value.problems
    assert said in f"{problem.message} {problem.hint}"


OWN = """
from diffusers.modular_pipelines import ModularPipelineBlocks
from diffusers.modular_pipelines.modular_pipeline_utils import InputParam, OutputParam


class Shout(ModularPipelineBlocks):
    @property
    def inputs(self):
        return [InputParam("prompt", type_hint=str, required=True, description="What is said.")]

    @property
    def intermediate_outputs(self):
        return [OutputParam("said", type_hint=str)]

    def __call__(self, components, state):
        block = self.get_block_state(state)
        block.said = block.prompt.upper()
        self.set_block_state(state, block)
        return components, state
"""


def test_code_of_a_repository_runs_where_the_operator_names_it(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(tmp_path / "own")
    Path(name).mkdir()
    (Path(name) / "shout.py").write_text(OWN, "utf-8")
    code = {"_class_name": "Shout", "auto_map": {"ModularPipelineBlocks": "shout.Shout"}}
    (Path(name) / "modular_config.json").write_text(json.dumps(code), "utf-8")
    index = {"_class_name": "ModularPipeline", "_blocks_class_name": "Shout"}
    (Path(name) / "modular_model_index.json").write_text(json.dumps(index), "utf-8")
    ref = ModelRef(repo_id=name)

    for allowed in ("", "another/one", f"{name}/x"):
        monkeypatch.setenv(CODE_VARIABLE, allowed)
        with pytest.raises(ModelError, match="does not run"):
            Blocks(model=ref)
    monkeypatch.setenv(CODE_VARIABLE, f"another/one, {name}")

    output: Any = Blocks(model=ref, prompt="hello").process(recorder.context)

    assert output == {"said": "HELLO"}


def test_a_component_that_leads_out_of_its_repository_is_refused(
    folder: Path, tmp_path: Path, recorder: Recorder
) -> None:
    shutil.copytree(folder / "blocks", tmp_path / "out")
    index = tmp_path / "out" / "modular_model_index.json"
    said = json.loads(index.read_text("utf-8"))
    said["unet"][2]["subfolder"] = "../blocks/unet"
    index.write_text(json.dumps(said), "utf-8")

    with pytest.raises(ModelError, match="in no folder"):
        made(recorder, tmp_path / "out")


def test_components_of_two_repositories_are_fetched(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    files = {
        name: {
            str(path.relative_to(folder / name)): path.read_bytes()
            for path in (folder / name).rglob("*")
            if path.is_file()
        }
        for name in ("blocks", "plain")
    }
    index = files["blocks"]["modular_model_index.json"].decode()
    files["blocks"]["modular_model_index.json"] = (
        index.replace(str(folder / "plain"), "me/plain")
        .replace(str(folder / "blocks"), "me/blocks")
        .encode()
    )
    with HubServer() as server:
        server.repositories |= {f"me/{name}": content for name, content in files.items()}
        hub = Hub(endpoint=server.endpoint, cache_dir=tmp_path)
        recorder = Recorder(ModelManager(device="cpu", hub=hub))
        ref = ModelRef(repo_id="me/blocks")
        with pytest.raises(ModelError, match="not on this machine"):
            Blocks(model=ref)

        named: Any = Blocks(model=ref, blocks="StableDiffusionXLAutoBlocks", seed=3, **CALL)
        image = named.process(recorder.context)["output"]

    (other,) = tmp_path.glob("models--me--plain/snapshots/*")
    assert [path.name for path in other.iterdir()] == ["vae"]
    assert image == Blocks(model=ref, seed=3, **CALL).process(recorder.context)["output"]
