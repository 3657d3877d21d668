"""
M1, M19: files of LoRAs, image prompts and upscalers are whole or refused, in words of their own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nodes.huggingface.image_to_image import Upscale
from nodes.huggingface.model_kinds import IPAdapterModel, LoraModel
from nodetool_core import ImageData, NodeError
from nodetool_core.errors import NodetoolError, Problem
from tests.models.broken import BREAKS, OF_BYTES, OF_TENSORS, break_file
from tests.nodes.huggingface.test_conditioning import transform
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes.huggingface.recorder import Recorder

LIBRARY_WORDS = (
    "Error(s) in loading",
    "meta tensor",
    "torch.Size",
    "low_cpu_mem",
    "deserializing",
    "require gradients",
)
CODES = {"model_incomplete", "model_unfit", "model_quantization_unsupported"}


def refused(recorder: Recorder, repo_id: str, **properties: Any) -> Problem:
    with pytest.raises(NodetoolError) as caught:
        transform(recorder, repo_id, **properties)
    problem = caught.value.problem
    assert problem.hint and not any(words in problem.message for words in LIBRARY_WORDS), problem
    return problem


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("family", ["stable_diffusion", "stable_diffusion_3"])
def test_m1_m19_broken_loras_are_refused(
    family: str,
    how: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    file = Path(shutil.copy(adapter("lora", family), tmp_path))
    break_file(file, how)
    problem = refused(recorder, model(family), loras=[LoraModel(repo_id=str(file))])
    assert problem.code in ({"model_unreadable"} if how in OF_BYTES else CODES), problem


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("family", ["stable_diffusion", "flux"])
def test_m1_m19_broken_image_prompts_are_refused(
    family: str,
    how: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    source = Path(adapter("ip_adapter", family))
    file = shutil.copytree(source.parent, tmp_path / "ip") / source.name
    break_file(file, how)
    prompt = {
        "ip_adapter_model": IPAdapterModel(repo_id=str(file)),
        "ip_adapter_image": ImageData.of(scene(64, 64)),
    }
    problem = refused(recorder, model(family), **prompt)
    assert problem.code in ({"model_unreadable"} if how in OF_BYTES else CODES), problem


def compact() -> dict[str, torch.Tensor]:
    """Return a small network of the kind of Real-ESRGAN's compact ones, that doubles the sides."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"body.0": (8, 3, 3, 3), "body.1": (8,), "body.2": (12, 8, 3, 3)}
    made = {
        f"{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }
    return made | {
        f"{name}.bias": torch.randn(shapes[name][0], generator=generator)
        for name in ("body.0", "body.2")
    }


@pytest.mark.parametrize("how", OF_TENSORS)
def test_m1_broken_upscalers_are_refused(how: str, recorder: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    save_file(compact(), file)
    node = Upscale(image=ImageData.of(scene(16, 16)), model=str(file))
    node.process(recorder.context)
    break_file(file, how, name="body.2.weight")
    with pytest.raises(NodeError) as caught:
        node.process(recorder.context)
    assert caught.value.problem.code in CODES


def test_m1_a_lora_of_a_larger_model_says_that_it_is_used_in_part(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    tensors = load_file(adapter("lora", "stable_diffusion"))
    more = {
        name.replace("up_blocks.0", "up_blocks.7"): tensor.clone()
        for name, tensor in tensors.items()
        if "up_blocks.0" in name
    }
    assert more
    save_file(tensors | more, tmp_path / "more.safetensors")
    transform(
        recorder,
        model("stable_diffusion"),
        loras=[LoraModel(repo_id=str(tmp_path / "more.safetensors"))],
    )
    (warning,) = recorder.warnings
    assert f"lacks {len(more) // 2} of the layers" in warning
