"""Adapters at the scale of their files (M3), and in the dtype of their model (M4, M5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.model_kinds import ControlNetModel, IPAdapterModel, LoraModel
from nodetool_core import ImageData, ImageToImageModel
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.models.manager import ModelManager

EDGES = Image.radial_gradient("L").convert("RGB").resize((64, 64))


def transform(
    manager: ModelManager, repo_id: str, model: dict[str, Any] | None = None, **properties: Any
) -> tuple[np.ndarray, list[str]]:
    recorder = Recorder(manager)
    values = {"prompt": "a lake", "num_inference_steps": 2, "strength": 1.0, "seed": 1} | properties
    node = ImageToImage(
        model=ImageToImageModel(repo_id=repo_id, **(model or {})),
        image=ImageData.of(scene(64, 64)),
        **values,
    )
    made = node.process(recorder.context).output
    assert isinstance(made, ImageData)
    return np.asarray(made.image).astype(int), [
        one for one in recorder.warnings if "resized" not in one
    ]


def header(tensors: dict[str, torch.Tensor], prefix: str, said: dict[str, Any], path: Path) -> str:
    """Return the file as training scripts of diffusers save it."""
    text = json.dumps({f"{prefix}.{name}": value for name, value in said.items()})
    save_file(
        tensors, path / "lora.safetensors", metadata={"format": "pt", "lora_adapter_metadata": text}
    )
    return str(path / "lora.safetensors")


def folder(tensors: dict[str, torch.Tensor], prefix: str, said: dict[str, Any], path: Path) -> str:
    """Return the folder as PEFT saves it."""
    save_file(
        {
            f"base_model.model.{name.removeprefix(prefix + '.')}": one
            for name, one in tensors.items()
        },
        path / "adapter_model.safetensors",
    )
    (path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"} | said))
    return str(path)


@pytest.mark.parametrize("saved", [header, folder])
@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_3"])
@pytest.mark.parametrize(
    ("said", "scale"),
    [
        ({"r": 2, "lora_alpha": 8}, 4.0),
        ({"r": 2, "lora_alpha": 2}, 1.0),
        ({"r": 2, "lora_alpha": 8, "use_rslora": True}, 8 / 2**0.5),
        ({"r": 2, "lora_alpha": 2, "alpha_pattern": {"to_q": 8, ".*to_v": 8}}, 4.0),
        ({"r": 16, "rank_pattern": {"to_q": 2, "to_v": 2}, "lora_alpha": 1}, 0.5),
    ],
)
def test_m3_the_scale_that_a_file_says_is_honoured(
    said: dict[str, Any],
    scale: float,
    family: str,
    saved: Any,
    model: Any,
    adapter: Any,
    manager: ModelManager,
    tmp_path: Path,
) -> None:
    plain = adapter("lora", family)
    prefix = "unet" if family == "stable_diffusion" else "transformer"
    lora = saved(load_file(plain), prefix, said, tmp_path)
    asked, warnings = transform(manager, model(family), loras=[LoraModel(repo_id=lora)])
    wanted, _ = transform(manager, model(family), loras=[LoraModel(repo_id=plain, scale=scale)])
    assert warnings == [] and abs(asked - wanted).max() <= 1


FP8 = [
    "stable_diffusion",
    "stable_diffusion_xl",
    "stable_diffusion_3",
    pytest.param("flux", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("family", FP8)
def test_m4_a_lora_hangs_on_a_model_in_fp8(
    family: str, model: Callable[[str], str], adapter: Any, manager: ModelManager
) -> None:
    fp8 = {"dtype": "bfloat16", "quantization": "fp8"}
    lora = [LoraModel(repo_id=adapter("lora", family))]
    plain, _ = transform(manager, model(family), fp8)
    hung, warnings = transform(manager, model(family), fp8, loras=lora)
    assert warnings == [] and (hung != plain).any()
    assert (transform(manager, model(family), fp8)[0] == plain).all()
    exact, _ = transform(manager, model(family), {"dtype": "bfloat16"}, loras=lora)
    without, _ = transform(manager, model(family), {"dtype": "bfloat16"})
    assert abs(hung - exact).mean() < 0.5 * abs(without - exact).mean() + 8


@pytest.mark.parametrize(
    "family",
    ["kandinsky22", "lcm", "controlnet_sd", pytest.param("z_image", marks=pytest.mark.slow)],
)
def test_m4_fp8_runs(family: str, model: Callable[[str], str], manager: ModelManager) -> None:
    shown = {"control_image": ImageData.of(EDGES)} if "controlnet" in family else {}
    transform(manager, model(family), {"quantization": "fp8"}, num_inference_steps=4, **shown)
    transform(manager, model(family), {"quantization": "fp8"}, num_inference_steps=4, **shown)


@pytest.mark.parametrize("quantization", [None, "fp8"])
@pytest.mark.parametrize(
    "family",
    ["stable_diffusion", "stable_diffusion_xl", pytest.param("flux", marks=pytest.mark.slow)],
)
def test_m5_a_controlnet_takes_the_format_of_its_model(
    family: str, quantization: Any, model: Callable[[str], str], adapter: Any, manager: ModelManager
) -> None:
    net = {
        "controlnet": ControlNetModel(repo_id=adapter("controlnet", family)),
        "control_image": ImageData.of(EDGES),
    }
    _, warnings = transform(
        manager, model(family), {"dtype": "bfloat16", "quantization": quantization}, **net
    )
    assert warnings == []
    net["controlnet"] = ControlNetModel(repo_id=adapter("controlnet", family), dtype="float16")
    _, warnings = transform(manager, model(family), {"dtype": "bfloat16"}, **net)
    assert warnings == ["controlnet is used in bfloat16, like the model, and not in float16."]


@pytest.mark.parametrize("quantization", [None, "fp8"])
@pytest.mark.parametrize(
    "family",
    [
        "stable_diffusion",
        "stable_diffusion_xl",
        "stable_diffusion_3",
        pytest.param("flux", marks=pytest.mark.slow),
    ],
)
def test_m5_an_image_prompt_takes_the_format_of_its_model(
    family: str, quantization: Any, model: Callable[[str], str], adapter: Any, manager: ModelManager
) -> None:
    hung = {
        "ip_adapter_model": IPAdapterModel(repo_id=adapter("ip_adapter", family)),
        "ip_adapter_image": ImageData.of(EDGES),
    }
    _, warnings = transform(
        manager, model(family), {"dtype": "bfloat16", "quantization": quantization}, **hung
    )
    assert warnings == []
