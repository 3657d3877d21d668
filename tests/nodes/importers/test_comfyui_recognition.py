"""Networks that look at images, controls put onto models, and texts taken apart."""

from __future__ import annotations

from typing import Any

import pytest

from nodetool_core import RunOptions, Workflow
from nodetool_core.importing.draft import Grade, Imported
from tests.nodes.importers.conftest import REGISTRY, edges, from_content, said, values


def graph(*nodes: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return {node_id: {"class_type": kind, "inputs": inputs} for node_id, kind, inputs in nodes}


PHOTO = ("1", "LoadImage", {"image": "photo.png"})


def shown(*nodes: tuple[str, str, dict[str, Any]], last: list[Any]) -> Imported:
    return from_content(graph(PHOTO, *nodes, ("9", "PreviewAny", {"source": last})))


def test_a_background_is_removed_by_our_network() -> None:
    result = shown(
        ("2", "LoadBackgroundRemovalModel", {"bg_removal_name": "birefnet.safetensors"}),
        ("3", "RemoveBackground", {"image": ["1", 0], "bg_removal_model": ["2", 0]}),
        last=["3", 0],
    )
    assert {"1.output > 3.image", "3.mask > 9.value"} <= edges(result)
    assert result.grade is Grade.NOTES and "birefnet.safetensors" in said(result)[0]


@pytest.mark.parametrize(("output", "grade"), [("depth", Grade.NOTES), ("normal_opengl", None)])
def test_depths_are_estimated_and_nothing_else(output: str, grade: Grade | None) -> None:
    result = shown(
        ("2", "LoadMoGeModel", {"model_name": "moge_2.safetensors"}),
        ("3", "MoGeInference", {"moge_model": ["2", 0], "image": ["1", 0]}),
        ("4", "MoGeRender", {"moge_geometry": ["3", 0], "output": output}),
        ("5", "PreviewImage", {"images": ["4", 0]}),
        last=["1", 0],
    )
    assert result.grade is (grade or Grade.LOSSES)
    assert ("1.output > 4.image" in edges(result)) is (grade is not None)


def test_a_mask_by_words() -> None:
    result = shown(
        ("2", "CheckpointLoaderSimple", {"ckpt_name": "sam3.safetensors"}),
        ("3", "CLIPTextEncode", {"text": "the sky", "clip": ["2", 1]}),
        (
            "4",
            "SAM3_Detect",
            {"model": ["2", 0], "image": ["1", 0], "conditioning": ["3", 0], "threshold": 0.3},
        ),
        last=["4", 0],
    )
    assert values(result, "4") == {"text": "the sky", "threshold": 0.3}
    assert "2" not in {node.id for node in result.document.graph.nodes}


def test_a_control_that_is_put_onto_a_model() -> None:
    result = from_content(
        graph(
            PHOTO,
            ("2", "UNETLoader", {"unet_name": "z_image_turbo.safetensors"}),
            ("3", "ModelPatchLoader", {"name": "Z-Image-Turbo-Fun-Controlnet-Union.safetensors"}),
            (
                "4",
                "QwenImageDiffsynthControlnet",
                {"model": ["2", 0], "model_patch": ["3", 0], "image": ["1", 0], "strength": 0.8},
            ),
            ("5", "CLIPTextEncode", {"text": "a lake"}),
            ("6", "EmptySD3LatentImage", {"width": 512, "height": 512}),
            (
                "7",
                "KSampler",
                {
                    "model": ["4", 0],
                    "positive": ["5", 0],
                    "negative": ["5", 0],
                    "latent_image": ["6", 0],
                    "seed": 1,
                    "steps": 9,
                    "cfg": 1.0,
                    "sampler_name": "res_multistep",
                    "scheduler": "simple",
                    "denoise": 1.0,
                },
            ),
            ("8", "VAEDecode", {"samples": ["7", 0]}),
            ("9", "SaveImage", {"images": ["8", 0], "filename_prefix": "lake"}),
        )
    )
    image = values(result, "7")
    assert image["controlnet"]["repo_id"] == "Z-Image-Turbo-Fun-Controlnet-Union.safetensors"
    assert image["controlnet_conditioning_scale"] == 0.8
    assert image["scheduler"] == "ResMultistepScheduler"
    assert "1.output > 7.control_image" in edges(result) and result.grade is Grade.WHOLE


@pytest.mark.parametrize(
    ("angles", "words"),
    [
        ((333, 17, 5), "front-left quarter view elevated shot medium shot"),
        ((0, 0, 0), "front view eye-level shot wide shot"),
        ((350, -30, 9), "front view low-angle shot close-up"),
        ((337, 15, 2), "front-left quarter view elevated shot medium shot"),
        ((180, 60, 5), "back view high-angle shot medium shot"),
    ],
)
def test_a_camera_is_put_into_words(angles: tuple[int, int, int], words: str) -> None:
    names = ("horizontal_angle", "vertical_angle", "zoom")
    given = dict(zip(names, angles, strict=True))
    result = shown(("2", "CameraAngle", {"image": ["1", 0], **given}), last=["2", 1])
    assert values(result, "2") == {"value": words} and result.grade is Grade.WHOLE


def test_texts_are_taken_apart() -> None:
    result = shown(
        ("2", "JsonExtractString", {"json_string": '{"a": {"steps": 20}}', "key": "a"}),
        ("3", "JsonExtractString", {"json_string": ["2", 0], "key": "steps"}),
        (
            "4",
            "RegexExtract",
            {
                "string": "size 512x768",
                "regex_pattern": r"(\d+)x(\d+)",
                "mode": "First Group",
                "case_insensitive": False,
                "multiline": False,
                "dotall": False,
                "group_index": 2,
            },
        ),
        ("5", "StringLength", {"string": "four"}),
        ("6", "PreviewAny", {"source": ["3", 0]}),
        ("7", "PreviewAny", {"source": ["4", 0]}),
        ("8", "PreviewAny", {"source": ["5", 0]}),
        last=["1", 0],
    )
    outputs = [values(result, node_id)["name"] for node_id in "678"]
    workflow = Workflow.from_document(result.document, REGISTRY)
    made = workflow.run(options=RunOptions(outputs=outputs))
    assert [made[name] for name in outputs] == ["20", "768", 4]
