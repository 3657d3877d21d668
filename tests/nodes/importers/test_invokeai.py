"""InvokeAI's workflows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nodes.importers.invokeai import file
from nodes.importers.invokeai.gives import GIVES
from nodes.importers.invokeai.importer import DIALECT
from nodetool_core import Workflow, WorkflowError
from nodetool_core.importing import import_file
from nodetool_core.importing.draft import Grade, Imported
from tests.nodes.importers.conftest import REGISTRY, edges, said, values

LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"
SD = {"name": "dreamshaper_8", "base": "sd-1", "type": "main"}


def node(node_id: str, kind: str, **inputs: Any) -> dict[str, Any]:
    """Return a node; a field that is `...` is empty."""
    fields = {
        name: {"name": name} | ({} if value is ... else {"value": value})
        for name, value in inputs.items()
    }
    data = {"id": node_id, "type": kind, "label": "", "inputs": fields, "isIntermediate": True}
    return {"id": node_id, "type": "invocation", "data": data, "position": {"x": 1, "y": 2}}


def workflow(nodes: Iterable[dict[str, Any]], *links: str) -> dict[str, Any]:
    """Return a workflow; links are written `from.output > to.field`."""
    found = []
    for link in links:
        (source, given), (target, field) = (end.split(".") for end in link.split(" > "))
        ends = {"source": source, "sourceHandle": given, "target": target, "targetHandle": field}
        found.append({"id": link, "type": "default", **ends})
    return {"name": "test", "meta": {"version": "3.0.0"}, "nodes": [*nodes], "edges": found}


def imported(folder: Path, content: object) -> Imported:
    path = folder / "workflow.json"
    path.write_text(json.dumps(content))
    return import_file(path, REGISTRY)


def text_to_image(**more: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the nodes and links of the usual workflow of Stable Diffusion."""
    nodes = [
        node("model", "main_model_loader", model=SD),
        node("wanted", "compel", prompt="a lake"),
        node("unwanted", "compel", prompt="blurry"),
        node("noise", "noise", seed=7, width=512, height=768, use_cpu=True),
        node("sample", "denoise_latents", **{"steps": 30, "cfg_scale": 7.5} | more),
        node("image", "l2i", tiled=False, tile_size=0, fp32=False),
    ]
    links = [
        *("model.clip > wanted.clip", "model.clip > unwanted.clip", "model.vae > image.vae"),
        *("model.unet > sample.unet", "wanted.conditioning > sample.positive_conditioning"),
        "unwanted.conditioning > sample.negative_conditioning",
        *("noise.noise > sample.noise", "sample.latents > image.latents"),
    ]
    return nodes, links


def test_text_to_image(tmp_path: Path) -> None:
    nodes, links = text_to_image(scheduler="dpmpp_2m_sde_k", denoising_start=0, denoising_end=1)
    result = imported(tmp_path, workflow(nodes, *links))
    wanted = {
        **{"prompt": "a lake", "negative_prompt": "blurry", "seed": 7, "width": 512},
        **{"height": 768, "num_inference_steps": 30, "guidance_scale": 7.5},
        "scheduler": "DPMSolverMultistepScheduler sde karras",
    }
    assert values(result, "sample") | wanted == values(result, "sample")
    assert values(result, "model")["value"]["repo_id"] == "dreamshaper_8.safetensors"
    assert result.grade is Grade.WHOLE and "sample.output > image_result.value" in edges(result)


def test_an_image_that_a_workflow_made(tmp_path: Path) -> None:
    nodes, links = text_to_image(scheduler="euler")
    chunks = PngInfo()
    chunks.add_text("invokeai_workflow", json.dumps(workflow(nodes, *links)))
    chunks.add_text("invokeai_metadata", json.dumps({"positive_prompt": "other"}))
    Image.new("RGB", (8, 8)).save(tmp_path / "made.png", pnginfo=chunks)
    assert values(import_file(tmp_path / "made.png", REGISTRY), "sample")["prompt"] == "a lake"


def test_steps_that_begin_late_are_a_strength_of_all_steps(tmp_path: Path) -> None:
    nodes = [
        node("model", "flux_model_loader", model={"name": "FLUX Dev"}, vae_model={"name": "ae"}),
        node("words", "flux_text_encoder", prompt="a hat", t5_max_seq_len=256),
        node("encoded", "flux_vae_encode", image=...),
        node("drawn", "rand_int", low=0, high=100),
        node("sample", "flux_denoise", num_steps=30, guidance=4, denoising_start=0.25, seed=0),
        node("image", "flux_vae_decode"),
    ]
    links = (
        *("model.transformer > sample.transformer", "model.vae > encoded.vae"),
        *("model.vae > image.vae", "model.clip > words.clip", "encoded.width > sample.width"),
        *("words.conditioning > sample.positive_text_conditioning", "drawn.value > sample.seed"),
        *("encoded.latents > sample.latents", "sample.latents > image.latents"),
    )
    result = imported(tmp_path, workflow(nodes, *links))
    wanted = {"strength": 0.75, "num_inference_steps": 30, "guidance_scale": 4.0, "prompt": "a hat"}
    assert values(result, "sample") | wanted == values(result, "sample")
    assert {"encoded_image.output > sample.image", "drawn.integer > sample.seed"} <= edges(result)
    assert [note for note in said(result) if "ae" in note], "the model's own parts are used"


def test_networks_that_are_put_onto_a_model(tmp_path: Path) -> None:
    nodes, links = text_to_image(scheduler="euler")
    nodes += [
        node("style", "lora_loader", lora={"name": "ink"}, weight=0.5),
        node("a", "controlnet", control_model={"name": "canny"}, image={"image_name": "a.png"}),
        node("b", "controlnet", control_model={"name": "depth"}, image=..., control_weight=0.5),
        node("none", "controlnet", image={"image_name": "c.png"}),
        node("all", "collect"),
    ]
    links = [
        *(link for link in links if link != "model.unet > sample.unet"),
        *("model.unet > style.unet", "style.unet > sample.unet", "a.control > all.item"),
        *("b.control > all.item", "none.control > all.item", "all.collection > sample.control"),
    ]
    result = imported(tmp_path, workflow(nodes, *links))
    assert values(result, "sample")["loras"] == [
        {"type": "hf.lora", "repo_id": "ink.safetensors", "scale": 0.5}
    ]
    assert values(result, "sample_controlnet_2")["scale"] == 0.5
    assert values(result, "a_image")["value"]["uri"] == "a.png"
    assert [note for note in said(result) if "names no ControlNet" in note]


def test_a_masked_image(tmp_path: Path) -> None:
    nodes, links = text_to_image(scheduler="euler", denoising_start=0.4)
    nodes += [
        node("encoded", "i2l", image={"image_name": "lake.png"}),
        node("mask", "create_denoise_mask", mask={"image_name": "mask.png"}),
    ]
    links += ["encoded.latents > sample.latents", "mask.denoise_mask > sample.denoise_mask"]
    result = imported(tmp_path, workflow(nodes, *links))
    assert {"mask_mask.output > mask.mask", "mask.output > sample.mask_image"} <= edges(result)
    assert values(result, "sample")["strength"] == 0.6 and said(result) == []


def test_a_prompt_and_a_style_for_two_encoders(tmp_path: Path) -> None:
    nodes = [
        node("model", "sdxl_model_loader", model={"name": "juggernaut"}),
        node("text", "string", value="a tiger"),
        node("join", "string_join", string_left="", string_right=" in ink"),
        node("words", "sdxl_compel_prompt", prompt="", style=""),
        node("noise", "noise", seed=1),
        node("sample", "denoise_latents", steps=4, cfg_scale=1, scheduler="lcm"),
        node("image", "l2i"),
    ]
    links = (
        *("text.value > words.prompt", "text.value > join.string_left", "join.value > words.style"),
        *("model.unet > sample.unet", "words.conditioning > sample.positive_conditioning"),
        *("noise.noise > sample.noise", "sample.latents > image.latents"),
    )
    result = imported(tmp_path, workflow(nodes, *links))
    found = edges(result)
    assert {"text.output > sample.prompt", "join.output > sample.prompt_2"} <= found
    assert "scheduler" in values(result, "sample") and said(result) == []


def test_prompts_of_a_file_are_run_one_by_one(tmp_path: Path) -> None:
    nodes, links = text_to_image(scheduler="euler")
    nodes += [
        node("file", "prompt_from_file", file_path="a.txt", start_line=2, max_prompts=3),
        node("each", "iterate"),
    ]
    links += ["file.collection > each.collection", "each.item > wanted.prompt"]
    result = imported(tmp_path, workflow(nodes, *links))
    assert "each.output > sample.prompt" in edges(result)
    assert (values(result, "file_lines")["start"], values(result, "file_lines")["stop"]) == (1, 4)


def test_images_and_numbers_run(tmp_path: Path) -> None:
    nodes = [
        node("photo", "image", image={"image_name": "lake.png"}),
        node("side", "float_math", operation="MUL", a=20, b=2.1),
        node("whole", "float_to_int", method="Nearest", multiple=8),
        node("small", "img_resize", width=64, height=64, resample_mode="bicubic"),
        node("part", "img_crop", x=8, y=0, width=16, height=24),
        node("soft", "img_blur", radius=2.0, blur_type="gaussian"),
    ]
    links = (
        *("photo.image > small.image", "side.value > whole.value", "whole.value > small.height"),
        *("small.image > part.image", "part.image > soft.image"),
    )
    result = imported(tmp_path, workflow(nodes, *links))
    assert said(result) == []
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(image=LAKE)
    (image,) = [value.image for name, value in made.items() if name != "warnings"]
    assert image.size == (16, 24)


def test_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    nodes, links = text_to_image(scheduler="euler", cfg_rescale_multiplier=0.7)
    nodes.append(node("face", "face_off", image={"image_name": "a.png"}))
    result = imported(tmp_path, workflow(nodes, *links))
    assert result.grade is Grade.LOSSES
    text = " ".join(said(result))
    assert "face_off (face)" in text and "cfg_rescale_multiplier" in text


def test_every_rule_says_what_it_gives() -> None:
    silent = {file.RESULT, "notes"}
    assert {kind for kind in DIALECT.rules if kind not in GIVES} == silent


@pytest.mark.parametrize("content", [{}, [], 7, {"nodes": []}, {"nodes": [{"type": "x"}]}])
def test_files_of_others_are_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(WorkflowError):
        imported(tmp_path, content)


@pytest.mark.parametrize(
    "change",
    [
        {"edges": [{"source": "sample"}]},
        {"edges": 7},
        {"edges": [7]},
        {"nodes": [{"type": "invocation"}]},
        {"nodes": [{"type": "invocation", "id": 1, "data": 7}]},
    ],
)
def test_damaged_files_are_refused_in_words(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError) as refused:
        imported(tmp_path, workflow([node("a", "img_blur", image=...)]) | change)
    assert "Traceback" not in str(refused.value)


def test_circles_are_refused(tmp_path: Path) -> None:
    nodes = [node("a", "img_blur", radius=1), node("b", "img_blur", radius=1)]
    with pytest.raises(WorkflowError, match="runs in a circle"):
        imported(tmp_path, workflow(nodes, "a.image > b.image", "b.image > a.image"))


@pytest.mark.slow
def test_an_imported_workflow_makes_an_image_that_its_values_change(tmp_path: Path) -> None:
    def made(seed: int, **more: Any) -> bytes:
        nodes, links = text_to_image(scheduler="euler", **{"steps": 2} | more)
        nodes[3]["data"]["inputs"] |= {
            name: {"value": value}
            for name, value in {"seed": seed, "width": 64, "height": 64}.items()
        }
        document = imported(tmp_path, workflow(nodes, *links)).document
        run = Workflow.from_document(document, REGISTRY, base=tmp_path).run
        image: bytes = run(model="nodetool/tiny-landscapes")["image"].image.tobytes()
        return image

    first = made(7)
    assert first == made(7) and first != made(8) and first != made(7, steps=3)
