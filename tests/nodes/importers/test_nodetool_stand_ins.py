"""Nodes of NodeTool that others stand in for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nodetool_core import Workflow
from nodetool_core.importing import import_file
from nodetool_core.importing.draft import Grade, Imported
from tests.nodes.importers.conftest import REGISTRY, edges, said, values

LAKE = Path(__file__).parents[3] / "graphs" / "assets" / "lake_at_noon.png"


def imported(folder: Path, nodes: dict[str, tuple[str, dict[str, Any]]], *links: str) -> Imported:
    """Import a workflow of nodes by id; links are written `from.output > to.field`."""
    records = [{"id": name, "type": kind, "data": data} for name, (kind, data) in nodes.items()]
    found = []
    for link in links:
        (source, output), (target, field) = (end.split(".") for end in link.split(" > "))
        ends = {"source": source, "sourceHandle": output, "target": target, "targetHandle": field}
        found.append(ends)
    (folder / "a.json").write_text(json.dumps({"graph": {"nodes": records, "edges": found}}))
    return import_file(folder / "a.json", REGISTRY)


def output(name: str) -> tuple[str, dict[str, Any]]:
    return "nodetool.output.Output", {"name": name}


def test_a_text_that_a_model_would_write_is_an_input(tmp_path: Path) -> None:
    nodes = {
        "sound": ("nodetool.input.AudioInput", {"name": "sound"}),
        "heard": ("nodetool.text.AutomaticSpeechRecognition", {}),
        "agent": ("nodetool.agents.Agent", {"system": "Be brief."}),
        "join": ("nodetool.text.Concat", {"b": "!"}),
        "out": output("words"),
    }
    links = (
        *("sound.output > heard.audio", "heard.text > agent.prompt", "agent.text > join.a"),
        "join.output > out.value",
    )
    result = imported(tmp_path, nodes, *links)
    assert result.grade is Grade.NOTES and len(said(result)) == 2
    assert values(result, "agent") == {"name": "agent"}
    aside = result.document.to_json()["left_out"]
    assert [one["type"] for one in aside["nodes"]][-1] == "nodetool.input.AudioInput"
    assert aside["nodes"][1]["data"] == {"system": "Be brief."}
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(agent="a lake")
    assert made["words"] == "a lake!"


def test_texts_that_a_model_would_write_are_run_one_by_one(tmp_path: Path) -> None:
    nodes = {
        "list": ("nodetool.generators.ListGenerator", {"prompt": "three animals"}),
        "upper": ("nodetool.text.ToUppercase", {}),
        "all": ("nodetool.control.Collect", {}),
        "out": output("words"),
    }
    links = ("list.item > upper.text", "upper.output > all.input_item", "all.output > out.value")
    result = imported(tmp_path, nodes, *links)
    workflow = Workflow.from_document(result.document, REGISTRY, base=tmp_path)
    assert workflow.run(list_generator=["a", "b"])["words"] == ["A", "B"]


def test_an_output_that_is_gone_is_named(tmp_path: Path) -> None:
    nodes = {"agent": ("nodetool.agents.Agent", {}), "a": output("a"), "b": output("b")}
    result = imported(tmp_path, nodes, "agent.text > a.value", "agent.audio > b.value")
    assert result.grade is Grade.LOSSES and "its output audio" in " ".join(said(result))


def test_networks_that_look_at_images(tmp_path: Path) -> None:
    base = "huggingface."
    nodes = {
        "image": ("nodetool.input.ImageInput", {"name": "photo"}),
        "depth": (f"{base}depth_estimation.DepthEstimation", {}),
        "found": (f"{base}object_detection.ObjectDetection", {"threshold": 0.7, "top_k": 3}),
        "drawn": (f"{base}object_detection.VisualizeObjectDetection", {}),
        "parts": (f"{base}image_segmentation.Segmentation", {"model": "nvidia/a"}),
        "shown": (f"{base}image_segmentation.VisualizeSegmentation", {}),
        **{name: output(name) for name in ("one", "two", "three")},
    }
    links = [f"image.output > {name}.image" for name in ("depth", "found", "drawn", "parts")]
    links += ["image.output > shown.image", "found.output > drawn.objects"]
    links += ["parts.output > shown.segments", "depth.output > one.value"]
    links += ["drawn.output > two.value", "shown.output > three.value"]
    result = imported(tmp_path, nodes, *links)
    assert result.grade is Grade.NOTES
    assert values(result, "found") == {"threshold": 0.7, "limit": 3}
    assert {
        *(
            "found.boxes > drawn.boxes",
            "found.labels > drawn.labels",
            "found_text.output > found.text",
        ),
        "parts.output > shown.input_value",
    } <= edges(result)


def test_images_of_hosted_models(tmp_path: Path) -> None:
    nodes = {
        "image": ("nodetool.input.ImageInput", {"name": "photo"}),
        "made": ("kie.image.NanoBanana", {"image_size": "1:1", "prompt": "a fox"}),
        "other": (
            "nodetool.image.ImageToImage",
            {"target_width": 64, "target_height": 32, "scheduler": "", "safety_check": True},
        ),
        **{name: output(name) for name in ("one", "two")},
    }
    links = ("image.output > other.image", "made.output > one.value", "other.output > two.value")
    result = imported(tmp_path, nodes, *links)
    assert result.grade is Grade.NOTES and values(result, "made") == {"prompt": "a fox"}
    assert values(result, "other_size") == {"width": 64, "height": 32, "fit": "crop"}


def test_fonts_are_found_by_their_names(tmp_path: Path) -> None:
    font = {
        "type": "font",
        "name": "DejaVuSans",
        "source": "system",
        "url": "",
        "weight": "regular",
    }
    nodes = {
        "image": ("nodetool.input.ImageInput", {"name": "photo"}),
        "text": ("lib.pillow.draw.RenderText", {"text": "a", "font": font}),
        "out": output("out"),
    }
    result = imported(tmp_path, nodes, "image.output > text.image", "text.output > out.value")
    assert result.grade is Grade.WHOLE
    made = Workflow.from_document(result.document, REGISTRY, base=tmp_path).run(photo=LAKE)
    assert made["out"].image.size == (128, 128)
