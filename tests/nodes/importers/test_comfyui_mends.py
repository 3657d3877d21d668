"""What files of people hold beside the usual: old names, masks by tones, samplers at rest."""

from __future__ import annotations

from typing import Any

import pytest

from nodetool_core.importing.draft import Grade
from tests.nodes.importers.conftest import content_of, edges, from_content, said, values
from tests.nodes.importers.test_comfyui_classes import refined


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def masked(model: str, **fill: Any) -> dict[str, Any]:
    """Return a workflow that inpaints, by a noise mask or, with `fill`, by a model for it."""
    content: dict[str, Any] = content_of("inpainting")
    content["6"] = node("VAEEncode", pixels=["2", 0], vae=["1", 2])
    content["6b"] = node("SetLatentNoiseMask", samples=["6", 0], mask=["3", 0])
    if fill:
        given = {"positive": ["4", 0], "negative": ["5", 0], "vae": ["1", 2], "pixels": ["2", 0]}
        content["6b"] = node("InpaintModelConditioning", **given, mask=["3", 0], **fill)
        content["7"]["inputs"] |= {"positive": ["6b", 0], "negative": ["6b", 1]}
    content["10"] = node("DifferentialDiffusion", model=["1", 0])
    latents = ["6b", 2 if fill else 0]
    content["7"]["inputs"] |= {"model": [model, 0], "latent_image": latents, "denoise": 0.5}
    return content


def test_a_mask_by_tones_says_where_strength_holds() -> None:
    result = from_content(masked("10"))
    assert "3_mask.output > 7.strength_mask" in edges(result)
    assert values(result, "7")["strength"] == 0.5 and said(result) == []
    assert "3_mask.output > 7.mask_image" in edges(from_content(masked("1")))


def test_a_mask_by_tones_for_a_model_made_for_inpainting() -> None:
    result = from_content(masked("10", noise_mask=True))
    assert {"3_mask.output > 7.mask_image", "3_mask.output > 7.strength_mask"} <= edges(result)
    assert result.grade is Grade.WHOLE
    result = from_content(masked("10", noise_mask=False))
    assert "3_mask.output > 7.strength_mask" not in edges(result)
    (note,) = said(result)
    assert "what is outside of the mask keeps" in note and result.grade is Grade.NOTES


def test_a_sampler_without_steps_gives_its_latents_on() -> None:
    content = refined()
    content["5b"]["inputs"]["start_at_step"] = 32
    result = from_content(content)
    assert "5.output > 7.value" in edges(result) and result.grade is Grade.NOTES


def test_names_of_the_first_files() -> None:
    content = content_of("image_to_image")
    content["17"]["inputs"] |= {"sampler_name": "sample_dpmpp_2m", "scheduler": "normal"}
    content["17"]["inputs"]["Random seed after every gen"] = True
    loader = next(one for one in content.values() if one["class_type"] == "LoadImage")
    loader["inputs"]["choose file to upload"] = "image"
    result = from_content(content)
    assert values(result, "17")["scheduler"] == "DPMSolverMultistepScheduler"
    assert result.grade is Grade.WHOLE


@pytest.mark.parametrize(
    ("sampling", "grade"),
    [("eps", Grade.WHOLE), ("lcm", Grade.WHOLE), ("v_prediction", Grade.LOSSES)],
)
def test_what_a_model_predicts(sampling: str, grade: Grade) -> None:
    content = content_of("text_to_image")
    content["20"] = node("ModelSamplingDiscrete", model=["1", 0], sampling=sampling, zsnr=False)
    content["5"]["inputs"] |= {"model": ["20", 0], "sampler_name": "lcm", "scheduler": "normal"}
    assert from_content(content).grade is grade


@pytest.mark.parametrize(("score", "grade"), [(6, Grade.WHOLE), (3, Grade.NOTES)])
def test_the_score_of_a_refiner_is_its_pipelines(score: float, grade: Grade) -> None:
    content = content_of("text_to_image")
    content["2"]["class_type"] = "CLIPTextEncodeSDXLRefiner"
    content["2"]["inputs"] |= {"ascore": score, "width": 1024, "height": 1024}
    assert from_content(content).grade is grade
