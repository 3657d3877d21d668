"""
Schedulers, LoRAs, image prompts and ControlNets.

What each does, and that nothing of it outlives its call.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.model_kinds import ControlNetModel, IPAdapterModel, LoraModel
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ImageToImageModel, NodeError
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName
from nodetool_core.models.manager import ModelManager
from nodetool_core.types import choices
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

EDGES = Image.radial_gradient("L").convert("RGB").resize((64, 64))
QUICK = {"prompt": "a lake", "num_inference_steps": 2, "seed": 1}


def transform(recorder: Recorder, repo_id: str, **properties: Any) -> Image.Image:
    values = QUICK | {"strength": 1.0} | properties
    node = ImageToImage(
        model=ImageToImageModel(repo_id=repo_id), image=ImageData.of(scene(64, 64)), **values
    )
    result = node.process(recorder.context).output
    assert isinstance(result, ImageData)
    return result.image


def draw(recorder: Recorder, repo_id: str, **properties: Any) -> Image.Image:
    result = TextToImage(model=repo_id, **QUICK | properties).process(recorder.context).output
    assert isinstance(result, ImageData)
    return result.image


@pytest.mark.parametrize(
    "name", [name for name in choices(SchedulerName) or () if name != "default"]
)
def test_every_scheduler_runs(name: Any, model: Callable[[str], str], recorder: Recorder) -> None:
    own = transform(recorder, model("stable_diffusion"), num_inference_steps=6)
    try:
        result = transform(
            recorder, model("stable_diffusion"), num_inference_steps=6, scheduler=name
        )
    except NodeError as error:
        assert error.problem.code == "missing_package"
        return
    assert (result.tobytes() != own.tobytes()) == (name != "DDIMScheduler")
    assert (
        transform(recorder, model("stable_diffusion"), num_inference_steps=6).tobytes()
        == own.tobytes()
    )
    assert recorder.warnings == []


@pytest.mark.parametrize("family", ["stable_diffusion_3", "lcm", "kandinsky22"])
def test_a_scheduler_that_does_not_fit_is_told(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    own = transform(recorder, model(family), num_inference_steps=4)
    assert (
        transform(
            recorder, model(family), num_inference_steps=4, scheduler="DDIMScheduler"
        ).tobytes()
        == own.tobytes()
    )
    assert any(warning.startswith("scheduler is not used") for warning in recorder.warnings)


def test_a_shift_moves_the_steps_of_a_flow_matching_model(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    flow = model("stable_diffusion_3")
    own, shifted = (draw(recorder, flow, num_inference_steps=4, shift=by) for by in (0.0, 9.0))
    assert shifted.tobytes() != own.tobytes() and recorder.warnings == []
    assert draw(recorder, flow, num_inference_steps=4).tobytes() == own.tobytes()
    other = model("stable_diffusion")
    plain = draw(recorder, other, num_inference_steps=4)
    assert draw(recorder, other, num_inference_steps=4, shift=9.0).tobytes() == plain.tobytes()
    assert any(warning.startswith("shift is not used") for warning in recorder.warnings)


FLUX = pytest.param("flux", marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "family", ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", FLUX]
)
def test_a_lora_changes_this_call_alone(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
    manager: ModelManager,
) -> None:
    lora = adapter("lora", family)
    plain = transform(recorder, model(family))
    half, whole = (
        transform(recorder, model(family), loras=[LoraModel(repo_id=lora, scale=scale)])
        for scale in (0.5, 1.0)
    )
    assert len({plain.tobytes(), half.tobytes(), whole.tobytes()}) == 3
    assert (
        transform(recorder, model(family), loras=[LoraModel(repo_id=lora, scale=0.0)]).tobytes()
        == plain.tobytes()
    )
    assert transform(recorder, model(family)).tobytes() == plain.tobytes(), (
        "nothing leaks into the shared modules"
    )
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []
    assert all(entry.pins == 0 for entry in manager.loaded())


def test_two_loras_add_up(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    lora = LoraModel(repo_id=adapter("lora", "stable_diffusion"))
    one = transform(recorder, model("stable_diffusion"), loras=[lora])
    two = transform(
        recorder, model("stable_diffusion"), loras=[lora.model_copy(update={"scale": 0.5})] * 2
    )
    assert (
        max(
            torch.tensor(list(one.tobytes()), dtype=torch.int)
            .sub(torch.tensor(list(two.tobytes()), dtype=torch.int))
            .abs()
        )
        <= 1
    )


def test_a_lora_that_fails_leaves_nothing_behind(
    model: Callable[[str], str], adapter: Callable[[str, str], str], manager: ModelManager
) -> None:
    plain = transform(Recorder(manager), model("stable_diffusion"))
    for wrong in (adapter("lora", "stable_diffusion_xl"), adapter("lora", "flux")):
        with pytest.raises(NodeError) as caught:
            transform(
                Recorder(manager), model("stable_diffusion"), loras=[LoraModel(repo_id=wrong)]
            )
        assert caught.value.problem.code == "model_unfit" and caught.value.problem.hint
    assert transform(Recorder(manager), model("stable_diffusion")).tobytes() == plain.tobytes()


def test_a_family_without_loras_tells(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    transform(
        recorder,
        model("kandinsky22"),
        loras=[LoraModel(repo_id=adapter("lora", "stable_diffusion"))],
    )
    assert any(warning.startswith("loras is not used") for warning in recorder.warnings)


def test_a_lora_is_read_in_the_forms_that_files_have() -> None:
    node = ImageToImage(
        loras=[
            {
                "type": "hf.lora_sd_config",
                "lora": {"type": "hf.lora_sd", "repo_id": "a/b", "path": "c.safetensors"},
                "strength": 0.25,
            }
        ]
    )
    assert node.loras == [LoraModel(repo_id="a/b", path="c.safetensors", scale=0.25)]
    assert ImageToImage(loras=["a/b"]).loras == [LoraModel(repo_id="a/b")]


@pytest.mark.parametrize(
    "family", ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", FLUX]
)
def test_an_image_prompt_is_followed_in_this_call_alone(
    family: str, model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    plain = transform(recorder, model(family))
    hung = {
        "ip_adapter_model": IPAdapterModel(repo_id=adapter("ip_adapter", family)),
        "ip_adapter_scale": 1.0,
    }
    results = [plain] + [
        transform(recorder, model(family), ip_adapter_image=ImageData.of(image), **hung)
        for image in (scene(40, 40), EDGES)
    ]
    assert len({result.tobytes() for result in results}) == 3
    ignored = transform(
        recorder,
        model(family),
        ip_adapter_image=ImageData.of(EDGES),
        **hung | {"ip_adapter_scale": 0.0},
    )
    assert ignored.tobytes() == plain.tobytes()
    assert transform(recorder, model(family)).tobytes() == plain.tobytes()
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []


@pytest.mark.parametrize(
    ("family", "eye"),
    [
        ("stable_diffusion_3", "google/siglip-so400m-patch14-384"),
        pytest.param("flux", "openai/clip-vit-large-patch14", marks=pytest.mark.slow),
    ],
)
def test_an_adapter_without_an_encoder_has_that_of_its_family(
    family: str,
    eye: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    tmp_path: Path,
) -> None:
    alone = shutil.copy(adapter("ip_adapter", family), tmp_path)
    recorder = Recorder(ModelManager({eye: Path(adapter("eye", family))}, device="cpu"))
    hung = {"ip_adapter_model": IPAdapterModel(repo_id=str(alone)), "ip_adapter_scale": 1.0}
    results = [
        transform(recorder, model(family), ip_adapter_image=ImageData.of(image), **hung)
        for image in (scene(40, 40), EDGES)
    ]
    assert (
        len(
            {
                transform(recorder, model(family)).tobytes(),
                *(result.tobytes() for result in results),
            }
        )
        == 3
    )
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []


def test_an_adapter_without_an_encoder_is_refused_where_its_family_shares_none(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    alone = IPAdapterModel(
        repo_id=str(shutil.copy(adapter("ip_adapter", "stable_diffusion"), tmp_path))
    )
    with pytest.raises(ModelError) as caught:
        transform(
            recorder,
            model("stable_diffusion"),
            ip_adapter_model=alone,
            ip_adapter_image=ImageData.of(EDGES),
        )
    assert caught.value.problem.code == "model_not_diffusers"


@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_xl", FLUX])
@pytest.mark.parametrize("call", [transform, draw])
def test_a_controlnet_is_followed_in_this_call_alone(
    call: Callable[..., Image.Image],
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    plain = call(recorder, model(family))
    hung = {"controlnet": ControlNetModel(repo_id=adapter("controlnet", family))}
    results = [plain] + [
        call(recorder, model(family), control_image=ImageData.of(image), **hung)
        for image in (scene(40, 40), EDGES)
    ]
    assert len({result.tobytes() for result in results}) == 3
    assert {result.size for result in results} == {plain.size}
    assert call(recorder, model(family)).tobytes() == plain.tobytes()
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []


def test_a_controlnet_of_scale_0_is_as_none(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net = {
        "controlnet": ControlNetModel(repo_id=adapter("controlnet", "stable_diffusion")),
        "control_image": ImageData.of(EDGES),
    }
    ignored = transform(
        recorder, model("stable_diffusion"), **net, controlnet_conditioning_scale=0.0
    )
    assert ignored.tobytes() == transform(recorder, model("stable_diffusion")).tobytes()


def test_what_a_family_cannot_be_controlled_by_is_told(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    transform(
        recorder,
        model("kandinsky22"),
        controlnet=ControlNetModel(repo_id=adapter("controlnet", "stable_diffusion")),
        control_image=ImageData.of(EDGES),
        ip_adapter_model=IPAdapterModel(repo_id=adapter("ip_adapter", "stable_diffusion")),
        ip_adapter_image=ImageData.of(EDGES),
    )
    for name in ("controlnet", "control_image", "ip_adapter_model"):
        assert any(warning.startswith(f"{name} is not used") for warning in recorder.warnings), name


@pytest.mark.parametrize(
    ("properties", "where"),
    [
        ({"controlnet": ControlNetModel(repo_id="a/b")}, "control_image"),
        ({"ip_adapter_model": IPAdapterModel(repo_id="a/b")}, "ip_adapter_image"),
        ({"ip_adapter_image": ImageData.of(EDGES)}, "ip_adapter_model"),
    ],
)
def test_one_of_two_is_refused(
    properties: dict[str, Any], where: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(NodeError) as caught:
        transform(recorder, model("stable_diffusion"), **properties)
    assert caught.value.problem.where == where


def test_a_controlnet_of_another_family_is_refused(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    for family, other in (
        ("stable_diffusion", "flux"),
        ("stable_diffusion", "stable_diffusion_xl"),
        ("flux", "stable_diffusion"),
    ):
        net = ControlNetModel(repo_id=adapter("controlnet", other))
        with pytest.raises(NodeError) as caught:
            transform(recorder, model(family), controlnet=net, control_image=ImageData.of(EDGES))
        assert caught.value.problem.code == "model_unfit"


def test_several_images_are_those_of_the_next_seeds(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    node = TextToImage(model=model("stable_diffusion"), **QUICK, num_images=3)
    images = [
        image.image.tobytes()
        for image in node.process(recorder.context).images
        if isinstance(image, ImageData)
    ]
    assert images == [
        draw(recorder, model("stable_diffusion"), seed=seed).tobytes() for seed in (1, 2, 3)
    ]


def test_what_is_refused_leaves_no_pins(
    manager: ModelManager, tmp_path: Path, model: Callable[[str], str]
) -> None:
    (tmp_path / "empty.safetensors").write_bytes(b"")
    with pytest.raises(Exception, match="can't be read as safetensors"):
        transform(
            Recorder(manager),
            model("stable_diffusion"),
            loras=[LoraModel(repo_id=str(tmp_path / "empty.safetensors"))],
        )
    assert all(entry.pins == 0 for entry in manager.loaded())


def test_a_control_image_alone_is_told(model: Callable[[str], str], recorder: Recorder) -> None:
    plain = transform(recorder, model("stable_diffusion"))
    assert (
        transform(recorder, model("stable_diffusion"), control_image=ImageData.of(EDGES)).tobytes()
        == plain.tobytes()
    )
    assert recorder.warnings == [
        "control_image is not used: StableDiffusionImg2ImgPipeline has no such setting."
    ]


@pytest.mark.parametrize(
    "family", ["controlnet", pytest.param("flux_control", marks=pytest.mark.slow)]
)
def test_models_with_a_control_of_their_own_follow_the_image(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    for call in (transform, draw):
        results = [
            call(recorder, model(family), control_image=ImageData.of(image))
            for image in (scene(64, 64), EDGES)
        ]
        assert results[0].size == results[1].size
        # The ControlNet of the tiny model is as untrained ones are: it says nothing.
        assert (results[0].tobytes() != results[1].tobytes()) == (family == "flux_control")
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []
