"""Detailers, second passes, and workflows for a client, in packs of ComfyUI."""

from __future__ import annotations

from typing import Any

import pytest

from nodetool_core.importing.draft import Grade
from tests.nodes.importers.conftest import content_of, edges, from_content, said, values

SAMPLED: dict[str, Any] = {
    **{"seed": 5, "steps": 20, "cfg": 6.0, "sampler_name": "euler", "scheduler": "normal"},
    **{"denoise": 0.5, "feather": 7, "guide_size": 512},
}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def parts() -> dict[str, Any]:
    return {
        **{"model": ["1", 0], "clip": ["1", 1], "vae": ["1", 2]},
        **{"positive": ["2", 0], "negative": ["3", 0]},
    }


def detailed(*, by_pipe: bool) -> dict[str, Any]:
    """Return a workflow that makes an image, and repaints its faces."""
    content: dict[str, Any] = content_of("text_to_image")
    content["20"] = node("UltralyticsDetectorProvider", model_name="bbox/face_yolov8m.pt")
    content["21"] = node("SAMLoader", model_name="sam_vit_b.pth", device_mode="AUTO")
    found = {"bbox_detector": ["20", 0], "sam_model_opt": ["21", 0]}
    content["22"] = node("ToDetailerPipe", **parts(), **found, wildcard="")
    settings = {**SAMPLED, "bbox_threshold": 0.4, "image": ["6", 0]}
    content["23"] = (
        node("FaceDetailerPipe", detailer_pipe=["22", 0], **settings)
        if by_pipe
        else node("FaceDetailer", **parts(), **found, **settings)
    )
    content["24"] = node("PreviewImage", images=["23", 0])
    return content


@pytest.mark.parametrize("by_pipe", [True, False])
def test_faces_are_repainted_at_the_models_size(by_pipe: bool) -> None:
    result = from_content(detailed(by_pipe=by_pipe))
    made = values(result, "23")
    wanted = {"strength": 0.5, "seed": 5, "crop_to_mask": True, "mask_blur": 7}
    assert made | wanted == made and result.grade is Grade.NOTES
    assert values(result, "23_found") == {"text": "face", "threshold": 0.4}
    assert {"23_found.mask > 23.mask_image", "5.output > 23.image"} <= edges(result)
    assert any("guide_size 512" in note for note in said(result))


def test_parts_of_a_mask_and_pipes() -> None:
    content = content_of("text_to_image")
    content["20"] = node("ToBasicPipe", **parts())
    content["21"] = node("EditBasicPipe", basic_pipe=["20", 0], positive=["3", 0])
    content["22"] = node("LoadImage", image="a.png")
    content["23"] = node("MaskToSEGS", mask=["22", 1], combined=False, crop_factor=3.0)
    inputs = {"image": ["6", 0], "segs": ["23", 0], "basic_pipe": ["21", 0], "wildcard": ""}
    content["24"] = node("DetailerForEachDebugPipe", **inputs, **SAMPLED)
    content["25"] = node("PreviewBridge", images=["24", 0], image="x")
    content["26"] = node("PreviewImage", images=["24", 4])
    result = from_content(content)
    assert values(result, "24")["prompt"] == content["3"]["inputs"]["text"]
    assert "22_mask.output > 24.mask_image" in edges(result) and result.grade is Grade.NOTES
    assert any("here, the whole image" in note for note in said(result))


def test_detectors_whose_kind_is_not_known_are_named() -> None:
    content = detailed(by_pipe=True)
    content["20"]["inputs"]["model_name"] = "bbox/parts.pt"
    assert from_content(content).grade is Grade.LOSSES


@pytest.mark.parametrize(("is_same", "seed"), [(True, 42), (False, 9)])
def test_a_second_pass_of_a_sampler(is_same: bool, seed: int) -> None:
    content = content_of("text_to_image")
    content["5"]["class_type"] = "KSampler (Efficient)"
    content["5"]["inputs"] |= {"seed": 42, "script": ["20", 0]}
    passes = {"upscale_type": "latent", "upscale_by": 1.5, "hires_steps": 12, "denoise": 0.5}
    seeds = {"use_same_seed": is_same, "seed": 9}
    content["20"] = node("HighRes-Fix Script", **passes, **seeds, iterations=1)
    for one in ("6", "7"):
        content.pop(one, None)
    result = from_content(content)
    made = values(result, "5_refined")
    assert (made["seed"], made["strength"], made["num_inference_steps"]) == (seed, 0.5, 24)
    found = {"5_larger.output > 5_refined.image", "5_refined.output > 5_shown.value"}
    assert found <= edges(result) and values(result, "5_larger") == {"scale": 1.5}


def test_a_workflow_for_krita() -> None:
    content = {
        "1": node("ETN_KritaCanvas"),
        "2": node("ETN_KritaSelection", context="automatic", padding=0),
        "3": node("ETN_KritaStyle", name="Style", sampler_preset="auto"),
        "4": node("ETN_Parameter", name="My Prompt", type="prompt (positive)", default="a lake"),
        "5": node("CLIPTextEncode", clip=["3", 1], text=["4", 0]),
        "6": node("CLIPTextEncode", clip=["3", 1], text=["3", 4]),
        "8": node(
            "KSampler",
            **{"model": ["3", 0], "positive": ["7", 0], "negative": ["7", 1], "seed": ["1", 3]},
            **{"latent_image": ["7", 2], "steps": ["3", 7], "cfg": ["3", 8], "denoise": 0.5},
            **{"sampler_name": ["3", 5], "scheduler": ["3", 6]},
        ),
        "9": node("VAEDecode", samples=["8", 0], vae=["3", 2]),
        "10": node("ETN_KritaOutput", images=["9", 0], x=["2", 2], y=["2", 3]),
    }
    around = {"vae": ["3", 2], "pixels": ["1", 0], "mask": ["2", 0]}
    prompts = {"positive": ["5", 0], "negative": ["6", 0]}
    content["7"] = node("INPAINT_VAEEncodeInpaintConditioning", **prompts, **around)
    result = from_content(content)
    assert values(result, "4") == {"name": "my_prompt", "value": "a lake"}
    assert {"1.output > 8.image", "2.output > 8.mask_image", "4.output > 8.prompt"} <= edges(result)
    assert values(result, "8")["seed"] == -1 and result.grade is Grade.NOTES
