"""
Texts with a control image.

What models saved with a ControlNet follow, and what a network given beside a model does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodes.huggingface.model_kinds import ControlNetModel
from nodes.huggingface.models_page import supports
from nodetool_core import ImageData, ImageRef, NodeError
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_text_families import SLOW, TASK, marked
from tests.nodes.huggingface.text_families import (
    CONTROLLED,
    PLAIN,
    draw,
    gradient,
    pipeline_class,
    pixels,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.models.manager import ModelManager

SCALED = [name for name in CONTROLLED if "ControlNet" in name]
STEERED = [name for name in PLAIN if supports(pipeline_class(name), "controlnet", TASK)]


@pytest.mark.parametrize("family", CONTROLLED)
def test_it_follows_the_control_image(
    family: str, model: Callable[[str], str], manager: ModelManager
) -> None:
    recorder = Recorder(manager)
    made = [
        pixels(draw(recorder, family, model, control_image=shown))
        for shown in (gradient(), ImageData.of(scene(64, 32)))
    ]
    assert made[0].size == made[1].size == (64, 32)
    assert made[0].tobytes() != made[1].tobytes()
    assert recorder.warnings == []


@pytest.mark.parametrize("family", CONTROLLED)
def test_it_needs_a_control_image(
    family: str, model: Callable[[str], str], manager: ModelManager
) -> None:
    with pytest.raises(NodeError, match="control image") as caught:
        draw(Recorder(manager), family, model, control_image=None)
    assert caught.value.problem.hint


@pytest.mark.parametrize("family", SCALED)
def test_with_scale_0_it_follows_nothing(
    family: str, model: Callable[[str], str], manager: ModelManager
) -> None:
    made = {
        pixels(
            draw(
                Recorder(manager),
                family,
                model,
                control_image=shown,
                controlnet_conditioning_scale=0.0,
            )
        ).tobytes()
        for shown in (gradient(), ImageData.of(scene(64, 32)))
    }
    assert len(made) == 1


@pytest.mark.parametrize("family", marked(STEERED))
def test_a_network_beside_the_model_is_followed(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    manager: ModelManager,
) -> None:
    recorder = Recorder(manager)
    net = ControlNetModel(repo_id=adapter("controlnet", PLAIN[family]))
    plain = pixels(draw(recorder, family, model))
    shown: tuple[ImageRef, ...] = (gradient(), ImageData.of(scene(64, 32)))
    made = [
        pixels(draw(recorder, family, model, controlnet=net, control_image=one)) for one in shown
    ]
    assert len({one.tobytes() for one in (plain, *made)}) == 3
    assert {one.size for one in (plain, *made)} == {(64, 32)}
    assert pixels(draw(recorder, family, model)).tobytes() == plain.tobytes()
    assert recorder.warnings == []


@pytest.mark.parametrize(
    "family", marked([name for name in PLAIN if name not in STEERED and name not in SLOW])
)
def test_a_family_without_a_counterpart_says_so(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    manager: ModelManager,
) -> None:
    recorder = Recorder(manager)
    net = ControlNetModel(repo_id=adapter("controlnet", "stable_diffusion"))
    draw(recorder, family, model, controlnet=net, control_image=gradient())
    assert [warning.partition(" ")[0] for warning in recorder.warnings] == [
        "controlnet",
        "control_image",
    ]
