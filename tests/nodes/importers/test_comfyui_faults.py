"""Files that were imported wrongly once."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from nodes.importers.comfyui.importer import import_file
from nodetool_core import WorkflowError
from nodetool_core.importing.draft import Grade
from nodetool_core.importing.report import report
from tests.nodes.importers.conftest import REGISTRY, content_of, edges, from_content, said, values

PROMPTS = {"prompt": "a red fox in snow", "negative_prompt": "blurry"}


def fault(name: str) -> Any:
    return content_of(f"faults/{name}")


@pytest.mark.parametrize(
    "name",
    [
        *("base", "bypassed_controlnet", "bypass_reroute", "null_link", "sdxl_text_editor"),
        *("primitive_seed", "primitive_bypassed", "no_phantom"),
    ],
)
def test_the_same_workflow_in_other_words(name: str) -> None:
    """A bypassed node, a reroute, a null among the links, … change nothing."""
    result = from_content(fault(name))
    seed = 1234 if name.startswith("primitive") else 5
    wanted = {**PROMPTS, "seed": seed, "num_inference_steps": 20, "guidance_scale": 7.0}
    assert values(result, "5") | wanted == values(result, "5")
    assert "controlnet" not in values(result, "5") and said(result) == []
    assert result.grade is Grade.WHOLE


def test_a_bypassed_node_gives_each_output_the_input_of_its_number() -> None:
    content = fault("bypassed_controlnet")
    apply = next(node for node in content["nodes"] if node["id"] == 32)
    apply["inputs"].reverse()
    swapped = values(from_content(content), "5")
    assert swapped["prompt"] == swapped["negative_prompt"] == "blurry", (
        "no input of the number fits: the first that does"
    )


def test_values_that_are_not_understood_are_said() -> None:
    content = fault("base")
    next(node for node in content["nodes"] if node["id"] == 4)["widgets_values"].append("landscape")
    result = from_content(content)
    assert result.grade is Grade.LOSSES
    assert "EmptyLatentImage (4): its values ['landscape'] are not understood" in said(result)[0]


def test_what_only_comfyui_understands_in_a_prompt_is_said() -> None:
    result = from_content(fault("weights"))
    assert result.grade is Grade.NOTES
    assert [note.split(" have no")[0] for note in said(result)] == [
        "CLIPTextEncode (6): choices at random in text ({red|blue})",
    ]
    content = fault("weights")
    content["6"]["inputs"]["text"] = r"a fox \(animal: 3\), snow (deep)"
    result = from_content(content)
    assert said(result) == [] and values(result, "3")["prompt_syntax"] == "weighted"


def test_requests_and_answers_that_hold_a_workflow() -> None:
    """As clients send them, servers answer them, and tools store them."""
    plain = fault("weights")
    wanted = from_content(plain).document.graph
    nodes = [
        {"prompt": plain, "client_id": "a"},
        {"prompt": json.dumps(plain)},
        fault("runpod"),
        {"output": plain, "workflow": fault("base")},
        {"workflow": {"nodes": {}}, "prompt": plain},
        {"7f3a": {"prompt": [3, "7f3a", plain, {}, ["9"]], "outputs": {}}},
        {"input": {"workflow": json.dumps(plain)}},
    ]
    for content in nodes:
        assert from_content(content).document.graph == wanted
    assert values(from_content({"workflow": fault("base")}), "5")["prompt"] == PROMPTS["prompt"]


def test_fields_of_clients_beside_the_nodes_are_said() -> None:
    result = from_content(fault("api_extra_key"))
    assert result.grade is Grade.NOTES, "for the prompt's weights"
    assert any("is no node, and left out: 9." in note.message for note in result.notes)


def test_ids_of_nodes_in_subgraphs() -> None:
    result = from_content(fault("sub_ids"))
    assert values(result, "10:3")["seed"] == 2**64 - 1
    assert {"10:4.output > 10:3.model", "10:3.output > 10:9.value"} <= edges(result)


def test_placeholders_become_inputs() -> None:
    content = fault("weights")
    content["3"]["inputs"] |= {"seed": "%seed%", "cfg": "${cfg}", "steps": "{{ steps }}"}
    content["6"]["inputs"]["text"] = "%prompt%"
    content["7"]["inputs"]["text"] = "100% blurry"
    result = from_content(content)
    assert {f"input_{name}.output > 3.{ours}" for name, ours in INPUTS.items()} <= edges(result)
    assert values(result, "input_seed") == {"name": "seed"}
    assert values(result, "3")["negative_prompt"] == "100% blurry"
    types = {node.id: node.type.rsplit(".", 1)[1] for node in result.document.graph.nodes}
    assert (types["input_seed"], types["input_cfg"], types["input_prompt"]) == (
        *("IntegerInput", "FloatInput", "StringInput"),
    )


INPUTS = {
    "seed": "seed",
    "cfg": "guidance_scale",
    "steps": "num_inference_steps",
    "prompt": "prompt",
}


def test_a_part_of_its_own_in_the_place_of_the_models() -> None:
    content = fault("weights")
    content["6"]["inputs"]["text"] = "a fox"
    content["20"] = {"class_type": "VAELoader", "inputs": {"vae_name": "mine.safetensors"}}
    content["8"]["inputs"]["vae"] = ["20", 0]
    result = from_content(content)
    assert result.grade is Grade.WHOLE
    assert values(result, "4")["value"]["vae"]["repo_id"] == "mine.safetensors"


def test_what_a_muted_node_leads_to_is_no_loss() -> None:
    content = fault("base")
    content["nodes"].append(
        {
            "id": 8,
            "type": "PreviewImage",
            "inputs": [{"name": "images", "type": "IMAGE", "link": 10}],
        }
    )
    content["nodes"].append(
        {"id": 10, "type": "ImageInvert", "mode": 2, "widgets_values": [1], "inputs": []}
    )
    content["links"].append([10, 10, 0, 8, 0, "IMAGE"])
    result = from_content(content)
    assert result.grade is Grade.WHOLE
    assert {"ImageInvert (10)", "PreviewImage (8)"} <= {
        note.where for note in result.notes if note.code == "muted_node"
    }


def test_the_report_has_what_became_of_each_node() -> None:
    content = fault("weights")
    content["7"] = {"class_type": "FancyText", "inputs": {"text": "bad", "clip": ["4", 1]}}
    content["11"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    content["12"] = {
        "class_type": "VAEEncodeTiled",
        "inputs": {"pixels": ["8", 0], "vae": ["4", 2], "tile_size": 512, "overlap": 64},
    }
    content["3"]["inputs"]["negative"] = ["6", 0]
    entries = {entry.node: entry for entry in report(from_content(content))}
    assert {node: str(entry.fate) for node, entry in entries.items()} == {
        "KSampler (3)": "other form",
        "CheckpointLoaderSimple (4)": "other form",
        "EmptyLatentImage (5)": "other form",
        "CLIPTextEncode (6)": "approximated",
        "FancyText (7)": "lost",
        "VAEDecode (8)": "other form",
        "SaveImage (9)": "same",
        "PreviewImage (11)": "same",
        "VAEEncodeTiled (12)": "other form",
    }
    assert entries["KSampler (3)"].nodes == ["3"]
    assert entries["FancyText (7)"].messages == [
        "has no counterpart and is left out.",
        "Left out with it: text 'bad'.",
    ]
    assert entries["VAEEncodeTiled (12)"].messages == [
        "Without effect here: tile_size 512, overlap 64."
    ]


def test_an_image_with_both_forms_keeps_places_and_titles(tmp_path: Path) -> None:
    """What ran is in the one, what it looked like in the other."""
    editor = fault("base")
    sampler = next(node for node in editor["nodes"] if node["id"] == 5)
    sampler |= {"title": "The fox", "pos": [40, 50], "color": "#223344"}
    api = {"5": {"class_type": "KSampler", "inputs": {}}} | {
        node_id: node for node_id, node in fault("weights").items() if node_id not in ("3", "5")
    }
    api["2"] = {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1},
    }
    api["5"]["inputs"] = fault("weights")["3"]["inputs"] | {"latent_image": ["2", 0]}
    api["8"]["inputs"]["samples"] = ["5", 0]
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", json.dumps(api))
    info.add_text("workflow", json.dumps(editor))
    Image.new("RGB", (4, 4)).save(tmp_path / "both.png", pnginfo=info)
    result = import_file(tmp_path / "both.png", REGISTRY)
    made = next(node for node in result.document.graph.nodes if node.id == "5")
    assert made.data["width"] == 64 and made.ui_properties == {
        "title": "The fox",
        "position": {"x": 40.0, "y": 50.0},
        "color": "#223344",
    }


def test_an_image_with_the_editors_form_alone(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", json.dumps(fault("base")))
    Image.new("RGB", (4, 4)).save(tmp_path / "made.png", pnginfo=info)
    assert values(import_file(tmp_path / "made.png", REGISTRY), "5")["prompt"] == PROMPTS["prompt"]
    exif = Image.Exif()
    exif[0x010F] = f"Workflow:{json.dumps(fault('base'))}"
    Image.new("RGB", (4, 4)).save(tmp_path / "made.webp", exif=exif)
    assert values(import_file(tmp_path / "made.webp", REGISTRY), "5")["seed"] == 5


OUTSIDE = [
    "../../etc/secret.png",
    "/etc/secret.png",
    "C:\\Users\\me\\secret.png",
    "a/../../secret.png",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_elsewhere_keep_their_last_part_alone(name: str) -> None:
    content = content_of("image_to_image")
    content["12"]["inputs"]["image"] = name
    content["10"]["inputs"]["ckpt_name"] = name.replace(".png", ".safetensors")
    result = from_content(content)
    assert values(result, "12")["value"]["uri"] == "secret.png"
    assert values(result, "10")["value"]["repo_id"] == "secret.safetensors"
    assert sum("outside of ComfyUI's folders" in note for note in said(result)) == 2
    content["12"]["inputs"]["image"] = "sub\\lake.png [input]"
    assert values(from_content(content), "12")["value"]["uri"] == "sub/lake.png"
    content["12"]["inputs"]["image"] = "asset://0a1b"
    assert values(from_content(content), "12")["value"]["uri"] == "asset://0a1b", "of a server"


def test_files_that_are_too_large_or_something_else(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(WorkflowError, match="is larger than 64 MiB"):
        import_file(tmp_path / "large.json", REGISTRY)
    (tmp_path / "model.json").write_bytes(pickle.dumps({"nodes": [], "more": b"\xff\xfe"}))
    with pytest.raises(WorkflowError, match="neither a text in UTF-8"):
        import_file(tmp_path / "model.json", REGISTRY)
