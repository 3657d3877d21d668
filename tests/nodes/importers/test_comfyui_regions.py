"""ComfyUI's prompts for a part of an image or of the steps, and several prompts at once."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from nodetool_core import Workflow
from nodetool_core.importing.draft import Grade
from nodetool_core.validation import build_graph
from tests.nodes.importers.conftest import REGISTRY, content_of, edges, from_content, said, values

LINK = ["20", 0]


def with_prompts(**nodes: Any) -> Any:
    """Return a text to image whose positive prompt is what further nodes give, the last of them."""
    content = content_of("text_to_image")
    content["12"] = node("CLIPTextEncode", text="stars", clip=["1", 1])
    content |= {name.removeprefix("n"): one for name, one in nodes.items()}
    content["5"]["inputs"]["positive"] = [list(content)[-1], 0]
    return content


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def combined() -> dict[str, Any]:
    return node("ConditioningCombine", conditioning_1=["2", 0], conditioning_2=LINK)


AREA = {"width": 256, "height": 512, "x": 256, "y": 0, "strength": 1.2}
MASK = node("LoadImageMask", image="m.png", channel="red")


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        ("ConditioningSetArea", AREA, {"left": 0.5, "strength": 1.2}),
        (
            "ConditioningSetAreaPercentage",
            {"width": 0.5, "height": 0.25, "x": 0.0, "y": 0.5, "strength": 1.0},
            {"right": 0.5, "top": 0.5, "bottom": 0.75},
        ),
        ("ConditioningSetTimestepRange", {"start": 0.2, "end": 1.0}, {"start": 0.2}),
        ("ConditioningSetAreaStrength", {"strength": 3.0}, {"strength": 3.0}),
    ],
)
def test_a_prompt_in_a_place_is_a_further_prompt(
    kind: str, inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    content = with_prompts(n20=node(kind, conditioning=["12", 0], **inputs), n21=combined())
    content["4"]["inputs"] |= {"width": 512, "height": 512}
    result = from_content(content)
    assert said(result) == [] and result.grade is Grade.WHOLE
    own = content["2"]["inputs"]["text"]
    assert values(result, "5")["prompt"] == own
    assert values(result, "5_prompt_1") == {"prompt": "stars"} | expected
    assert "5_prompt_1.output > 5.prompts" in edges(result)
    build_graph(result.document, REGISTRY)


def test_a_mask_and_a_chain_of_prompts() -> None:
    masked = node(
        "ConditioningSetMask",
        conditioning=["12", 0],
        mask=["30", 0],
        strength=1.0,
        set_cond_area="default",
    )
    content = with_prompts(
        n30=MASK,
        n20=masked,
        n22=combined(),
        n23=node("ConditioningCombine", conditioning_1=["22", 0], conditioning_2=["12", 0]),
    )
    result = from_content(content)
    assert said(result) == []
    assert {
        "30_mask.output > 5_prompt_1.mask",
        "5_prompt_1.output > 5_prompt_2.prompts",
        "5_prompt_2.output > 5.prompts",
    } <= {edge.replace("30.output", "30_mask.output") for edge in edges(result)}


def test_prompts_that_take_turns_leave_none_for_the_whole() -> None:
    first = node("ConditioningSetTimestepRange", conditioning=["2", 0], start=0.0, end=0.4)
    then = node("ConditioningSetTimestepRange", conditioning=["12", 0], start=0.4, end=1.0)
    both = node("ConditioningCombine", conditioning_1=["19", 0], conditioning_2=LINK)
    result = from_content(with_prompts(n19=first, n20=then, n21=both))
    assert said(result) == []
    assert values(result, "5")["prompt"] == ""
    assert values(result, "5_prompt_1")["end"] == values(result, "5_prompt_2")["start"] == 0.4


def test_weights_are_read_in_further_prompts_as_well() -> None:
    content = with_prompts(
        n20=node("ConditioningSetArea", conditioning=["12", 0], **AREA), n21=combined()
    )
    content["12"]["inputs"]["text"] = "many (stars:1.3) [x]"
    result = from_content(content)
    assert values(result, "5")["prompt_syntax"] == "weighted"
    assert values(result, "5_prompt_1")["prompt"] == "many (stars:1.3) \\[x\\]"


def test_models_that_read_one_prompt_get_one_text_and_are_told() -> None:
    content = with_prompts(
        n20=node("ConditioningSetArea", conditioning=["12", 0], **AREA), n21=combined()
    )
    content["4"]["class_type"] = "EmptySD3LatentImage"
    result = from_content(content)
    assert values(result, "5")["prompt"].endswith(", stars")
    assert result.grade is Grade.LOSSES
    assert "x 256, y 0, width 256, height 512 and strength 1.2 of 'stars'" in "".join(said(result))


def test_an_area_in_pixels_of_an_unknown_size_is_told() -> None:
    content = content_of("image_to_image")
    sampler = next(name for name, one in content.items() if one["class_type"] == "KSampler")
    text = content[sampler]["inputs"]["positive"]
    content["20"] = node("ConditioningSetArea", conditioning=text, **AREA)
    content[sampler]["inputs"]["positive"] = LINK
    assert "can't be said in shares of the image" in "".join(said(from_content(content)))


@pytest.mark.slow
def test_an_imported_area_has_its_effect_where_it_lies(tmp_path: Path) -> None:
    content = with_prompts(
        n20=node("ConditioningSetArea", conditioning=["12", 0], **AREA), n21=combined()
    )
    content["4"]["inputs"] |= {"width": 128, "height": 128}
    content["20"]["inputs"] |= {"width": 64, "height": 128, "x": 64}
    content["5"]["inputs"] |= {"steps": 2}

    def drawn(**changed: Any) -> bytes:
        other = copy.deepcopy(content)
        for name, inputs in changed.items():
            other[name.removeprefix("n")]["inputs"] |= inputs
        workflow = Workflow.from_document(from_content(other).document, REGISTRY, base=tmp_path)
        made: bytes = workflow.run(model="nodetool/tiny-landscapes")["sunset"].image.tobytes()
        return made

    results = [drawn(), drawn(n12={"text": "snow"}), drawn(n20={"x": 0}), drawn(n2={"text": "a"})]
    assert len(set(results)) == 4
