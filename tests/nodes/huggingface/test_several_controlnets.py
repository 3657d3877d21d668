"""Several ControlNets and T2I-Adapters at once: scale, start and end of each, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from nodes.huggingface.loaders import ApplyControlNet
from nodes.huggingface.model_kinds import ControlNetModel
from nodes.huggingface.text_to_image import TextToImage
from nodes.huggingface.units import ControlNetUnit
from nodes.nodetool.output import Output
from nodetool_core import ImageData, NodeError, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_controlnets import QUICK, RINGS, SIZE, draw, fill, transform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BARS = ImageData.of(Image.linear_gradient("L").convert("RGB").resize(SIZE))


def unit(path: str, image: ImageData = RINGS, **values: Any) -> ControlNetUnit:
    return ControlNetUnit(ControlNetModel(repo_id=path), image, **values)


@pytest.mark.parametrize(
    ("call", "family"),
    [
        (draw, "stable_diffusion"),
        (draw, "stable_diffusion_xl"),
        (transform, "stable_diffusion"),
        (fill, "stable_diffusion"),
        (draw, "stable_diffusion_3"),
        pytest.param(draw, "flux", marks=pytest.mark.slow),
        pytest.param(transform, "flux", marks=pytest.mark.slow),
    ],
)
def test_each_of_several_counts_by_its_scale(
    call: Callable[..., bytes],
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    net, repo = adapter("controlnet", family), model(family)
    plain = call(recorder, repo)
    one = call(recorder, repo, controlnets=[unit(net, scale=0.7)])
    both = call(recorder, repo, controlnets=[unit(net, scale=0.7), unit(net, BARS, scale=0.4)])
    turned = call(recorder, repo, controlnets=[unit(net, scale=0.4), unit(net, BARS, scale=0.7)])
    assert len({plain, one, both, turned}) == 4
    neutral = [unit(net, scale=0.7), unit(net, BARS, scale=0.0)]
    assert call(recorder, repo, controlnets=neutral) == one
    same = {"controlnet": ControlNetModel(repo_id=net), "control_image": RINGS}
    assert call(recorder, repo, controlnet_conditioning_scale=0.7, **same) == one
    assert call(recorder, repo) == plain
    assert [warning for warning in recorder.warnings if "size" not in warning] == []


def test_a_network_acts_between_its_start_and_its_end(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net, repo = adapter("controlnet", "stable_diffusion"), model("stable_diffusion")
    spans: list[dict[str, Any]] = [{}, {"end": 0.5}, {"start": 0.5}]
    results = [
        draw(recorder, repo, num_inference_steps=4, controlnets=[unit(net, **span)])
        for span in spans
    ]
    assert len({*results, draw(recorder, repo, num_inference_steps=4)}) == 4
    halves = [unit(net, end=0.5), unit(net, start=0.5)]
    assert draw(recorder, repo, num_inference_steps=4, controlnets=halves) == results[0]
    with pytest.raises(NodeError, match="would begin at") as caught:
        draw(recorder, repo, controlnets=[unit(net, start=0.5, end=0.5)])
    assert caught.value.problem.code == "invalid_value"


def test_guess_mode_has_an_effect_where_there_is_a_network(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net, repo = adapter("controlnet", "stable_diffusion"), model("stable_diffusion")
    given = {"controlnets": [unit(net)]}
    assert draw(recorder, repo, guess_mode=True, **given) != draw(recorder, repo, **given)
    assert recorder.warnings == []
    assert draw(recorder, repo, guess_mode=True) == draw(recorder, repo)
    assert recorder.warnings == [
        "guess_mode is not used: StableDiffusionPipeline has no such setting."
    ]


@pytest.mark.parametrize("call", [transform, fill, draw])
def test_each_image_of_a_union_has_its_kind(
    call: Callable[..., bytes],
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    net, repo = adapter("controlnet_union", "stable_diffusion_xl"), model("stable_diffusion_xl")
    results = [
        call(recorder, repo, controlnets=[unit(net, mode=one), unit(net, BARS, mode=other)])
        for one, other in ((0, 3), (3, 0), (0, 0))
    ]
    assert len({*results, call(recorder, repo, controlnets=[unit(net, mode=0)])}) == 4
    with pytest.raises(NodeError, match="knows 6 kinds of control images"):
        call(recorder, repo, controlnets=[unit(net, mode=0), unit(net, BARS)])


def test_qwen_takes_several_images_of_one_network(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net, repo = adapter("controlnet", "qwen_image"), model("qwen_image")
    one = draw(recorder, repo, controlnets=[unit(net)])
    both = draw(recorder, repo, controlnets=[unit(net), unit(net, BARS)])
    assert len({one, both, draw(recorder, repo)}) == 3
    other = adapter("controlnet_for_inpainting", "qwen_image")
    with pytest.raises(NodeError, match="takes several images of one network, and 2 are given"):
        draw(recorder, repo, controlnets=[unit(net), unit(other)])


@pytest.mark.parametrize(
    ("call", "family", "kinds", "message"),
    [
        (draw, "z_image", ["controlnet"] * 2, "ZImageControlNetPipeline takes one, and 2 are"),
        (fill, "stable_diffusion_3", ["controlnet"] * 2, "InpaintingPipeline takes one, and 2"),
        (
            draw,
            "stable_diffusion_xl",
            ["controlnet", "controlnet_union"],
            "takes no ControlNetModel and ControlNetUnionModel together",
        ),
        (
            draw,
            "stable_diffusion",
            ["controlnet", "t2i_adapter"],
            "takes T2I-Adapters or ControlNets, and not both",
        ),
    ],
)
def test_what_a_pipeline_does_not_take_together_is_refused_before_the_load(
    call: Callable[..., bytes],
    family: str,
    kinds: list[str],
    message: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
) -> None:
    fresh = ModelManager(device="cpu")
    nets = [unit(adapter(kind, family), mode=0) for kind in kinds]
    with pytest.raises(NodeError, match=message) as caught:
        call(Recorder(fresh), model(family), controlnets=nets)
    assert (caught.value.problem.code, caught.value.problem.where) == ("model_unfit", "controlnets")
    assert fresh.loads == 0


@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_xl"])
def test_t2i_adapters_lead_text_to_image(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    net, grey = adapter("t2i_adapter", family), adapter("grey_t2i_adapter", family)
    repo = model(family)
    one = draw(recorder, repo, controlnets=[unit(net)])
    both = draw(recorder, repo, controlnets=[unit(net), unit(grey, BARS, scale=0.5)])
    assert len({one, both, draw(recorder, repo)}) == 3
    assert draw(recorder, repo, controlnet=net, control_image=RINGS) == one
    assert recorder.warnings == []
    whole, ended = (
        draw(recorder, repo, num_inference_steps=4, controlnets=[unit(net, end=end)])
        for end in (1.0, 0.5)
    )
    assert (ended != whole) == (family == "stable_diffusion_xl")
    assert recorder.warnings == (
        []
        if family == "stable_diffusion_xl"
        else [
            "control_guidance_end is not used: StableDiffusionAdapterPipeline has no such setting."
        ]
    )


def test_a_t2i_adapter_can_not_lead_other_tasks(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net = adapter("t2i_adapter", "stable_diffusion")
    with pytest.raises(NodeError, match="T2IAdapter is no ControlNet for StableDiffusionImg2Img"):
        transform(recorder, model("stable_diffusion"), controlnets=[unit(net)])


def test_a_control_image_without_a_network_is_told(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net = adapter("controlnet", "stable_diffusion")
    draw(recorder, model("stable_diffusion"), control_image=BARS, controlnets=[unit(net)])
    assert recorder.warnings == [
        "control_image is not used: it goes with `controlnet`, which is empty."
    ]
    with pytest.raises(NodeError, match="controlnets is set, but there is no image") as caught:
        nameless = ControlNetUnit(ControlNetModel(repo_id=net))
        draw(recorder, model("stable_diffusion"), controlnets=[nameless])
    assert caught.value.problem.code == "missing_image"


def test_nodes_chain_units_in_a_workflow(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    manager: ModelManager,
    tmp_path: Path,
) -> None:
    RINGS.image.save(tmp_path / "rings.png")
    BARS.image.save(tmp_path / "bars.png")
    net = adapter("controlnet", "stable_diffusion")
    first = ApplyControlNet(controlnet=net, image=str(tmp_path / "rings.png"), scale=0.7)
    second = ApplyControlNet(
        controlnet=net, image=str(tmp_path / "bars.png"), scale=0.4, controlnets=first.output
    )
    made = TextToImage(
        model=model("stable_diffusion"),
        width=SIZE[0],
        height=SIZE[1],
        controlnets=second.output,
        **QUICK,
    )
    path = Workflow(Output(name="image", value=made.output)).save(tmp_path / "graph.json")
    with Engine(models=manager) as engine:
        found = Workflow.load(path, engine=engine).run().outputs["image"]
    node = TextToImage(
        model=model("stable_diffusion"),
        width=SIZE[0],
        height=SIZE[1],
        controlnets=[unit(net, scale=0.7), unit(net, BARS, scale=0.4)],
        **QUICK,
    )
    direct = node.process(Recorder(manager).context).output
    assert isinstance(direct, ImageData)
    assert found.image.tobytes() == direct.image.tobytes()
