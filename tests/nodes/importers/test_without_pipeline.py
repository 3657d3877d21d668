"""Models that nothing here runs are told when a workflow is imported."""

from __future__ import annotations

import copy
import re

import diffusers
import pytest

from nodes.importers.without_pipeline import FAMILIES, classes_of, family_without_pipeline
from nodetool_core.importing.draft import Grade
from tests.nodes.importers.conftest import from_content, said
from tests.nodes.importers.test_comfyui_classes import EDIT


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("mage_flow_edit_turbo_int8_convrot.safetensors", "Mage-Flow"),
        ("models/NewBie-Image-Exp0.1-bf16.safetensors", "NewBie-Image"),
        ("lens_turbo_bf16.safetensors", "Lens"),
        ("lensflare.safetensors", ""),
        ("hidream_i1_full_fp8.safetensors", ""),
        ("qwen_image_fp8_e4m3fn.safetensors", ""),
    ],
)
def test_families_are_known_by_names_of_files(name: str, family: str) -> None:
    assert family_without_pipeline(name) == family


def test_an_import_says_that_no_pipeline_runs_its_model() -> None:
    content = copy.deepcopy(EDIT)
    assert from_content(content).grade is Grade.WHOLE
    content["1"]["inputs"]["unet_name"] = "boogu_image_edit_fp8_scaled.safetensors"
    result = from_content(content)
    assert result.grade is Grade.NOTES
    assert "is of Boogu-Image, which diffusers has no pipeline for" in said(result)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_installed_libraries_have_no_class_for_a_family(family: str) -> None:
    """One that has, such as a new release's, leaves the table, and its files are imported."""
    assert classes_of(family) == []


def test_classes_of_families_with_a_pipeline_are_found() -> None:
    """The same search finds the neighbours of families that are not there."""
    names = {name for name in dir(diffusers) if name.endswith("Pipeline")}
    for near in ("OmniGenPipeline", "MarigoldDepthPipeline", "ChromaPipeline"):
        assert near in names
    assert re.search(FAMILIES["OmniGen2"].classes, "OmniGen2Pipeline")
    assert re.search(FAMILIES["Marigold 2"].classes, "MarigoldV2Pipeline")
    assert re.search(FAMILIES["HiDream-E1"].classes, "HiDreamImageEditingPipeline")
