"""Numbers that are none are told, wherever they arise (M12)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file, save_file

from nodes.huggingface.text_to_image import TextToImage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes.huggingface.recorder import Recorder

SETTINGS: dict[str, Any] = {
    "prompt": "a lake",
    "num_inference_steps": 2,
    "width": 64,
    "height": 64,
    "seed": 1,
}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("part", "tensor", "what"),
    [("vae", "decoder.conv_out.bias", "decoded image"), ("unet", "conv_out.bias", "latents")],
)
def test_m12_what_is_no_number_is_told(
    part: str,
    tensor: str,
    what: str,
    value: float,
    model: Callable[[str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    spoiled = shutil.copytree(model("stable_diffusion"), tmp_path / "spoiled")
    file = spoiled / part / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors[tensor][-1] = value
    save_file(tensors, file, metadata={"format": "pt"})
    try:
        TextToImage(model=str(spoiled), **SETTINGS).process(recorder.context)
    except Exception as error:  # noqa: BLE001 - all of the image may be black, which is an error of its own
        assert "black" in str(error)
        return
    assert any(
        f"of the {what} of StableDiffusionPipeline are no finite numbers" in one
        for one in recorder.warnings
    )


def test_m12_an_image_of_numbers_needs_no_word(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    TextToImage(model=model("stable_diffusion"), **SETTINGS).process(recorder.context)
    assert recorder.warnings == []
