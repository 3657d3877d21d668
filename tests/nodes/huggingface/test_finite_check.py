"""Numbers that are none: computed again in float32, or an error that says what to do (M12)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ModelRef, NodeError
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

SETTINGS: dict[str, Any] = {
    "prompt": "a lake",
    "num_inference_steps": 2,
    "width": 64,
    "height": 64,
    "seed": 1,
}


def changed(
    source: str, target: Path, part: str, change: Callable[[dict[str, torch.Tensor]], None]
) -> str:
    """Return a copy of a model with other weights in one of its components."""
    made = shutil.copytree(source, target)
    file = made / part / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    return str(made)


def enlarged(layer: str, factor: float) -> Callable[[dict[str, torch.Tensor]], None]:
    """Return what makes a layer's result too great for float16; normalization follows it."""

    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{layer}.weight"] *= factor

    return change


def draw(recorder: Recorder, repo_id: str, dtype: Any, **properties: Any) -> np.ndarray[Any, Any]:
    model = {"repo_id": repo_id, "dtype": dtype}
    made = TextToImage(model=model, **SETTINGS | properties).process(recorder.context)
    assert isinstance(made.output, ImageData)
    return np.asarray(made.output.image, np.int16)


VAE = ("vae", enlarged("decoder.mid_block.resnets.0.conv2", 3e5))
UNET = ("unet", enlarged("mid_block.resnets.0.conv2", 3e5))


@pytest.mark.parametrize(
    ("spoiled", "note"),
    [
        (VAE, "The autoencoder's numbers overflowed in half precision"),
        (UNET, "of the latents of StableDiffusionPipeline are no finite numbers in float16"),
    ],
)
def test_what_overflows_in_half_precision_is_computed_in_float32(
    spoiled: tuple[str, Any],
    note: str,
    model: Callable[[str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    repo = changed(model("stable_diffusion"), tmp_path / "model", *spoiled)
    right = draw(recorder, repo, "float32")
    assert recorder.warnings == []
    again = draw(recorder, repo, "float16")
    assert len(recorder.warnings) == 1 and note in recorder.warnings[0]
    # Weights are those in half precision, rounded to it once.
    assert np.abs(again - right).max() <= 12
    # The weights that are shared stay as they were: the next call overflows again.
    assert np.array_equal(draw(recorder, repo, "float16"), again)
    assert len(recorder.warnings) == 2


def test_several_images_are_computed_in_float32_from_the_first_that_needs_it(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo = changed(model("stable_diffusion"), tmp_path / "model", *UNET)
    ref = {"repo_id": repo, "dtype": "float16"}
    made = TextToImage(model=ref, num_images=2, **SETTINGS).process(recorder.context)
    assert len(made.images) == 2 and len(recorder.warnings) == 1
    alone = draw(recorder, repo, "float16", seed=2)
    second = made.images[1]
    assert isinstance(second, ImageData)
    assert np.array_equal(np.asarray(second.image, np.int16), alone)


@pytest.mark.parametrize("spoiled", [VAE, UNET])
def test_without_memory_for_it_the_node_ends_with_what_to_do(
    spoiled: tuple[str, Any], model: Callable[[str], str], tmp_path: Path
) -> None:
    repo = changed(model("stable_diffusion"), tmp_path / "model", *spoiled)
    small = Recorder(ModelManager(device="cpu", budget=1000))
    if spoiled is VAE:
        # Decoding again takes no more than the decoder; only the loop needs the budget.
        assert draw(small, repo, "float16").size
        return
    with pytest.raises(NodeError, match="no finite numbers: computed in float16") as caught:
        draw(small, repo, "float16")
    assert caught.value.problem.code == "not_finite"
    assert "`dtype` to float32" in (caught.value.problem.hint or "")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("part", "tensor", "what"),
    [("vae", "decoder.conv_out.bias", "decoded image"), ("unet", "conv_out.bias", "latents")],
)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_m12_damaged_weights_end_the_node(
    dtype: str,
    part: str,
    tensor: str,
    what: str,
    value: float,
    model: Callable[[str], str],
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[tensor][-1] = value

    repo = changed(model("stable_diffusion"), tmp_path / "spoiled", part, change)
    with pytest.raises(
        NodeError, match=f"of the {what} of StableDiffusionPipeline are no finite"
    ) as caught:
        draw(recorder, repo, dtype)
    assert caught.value.problem.code == "not_finite"
    assert "weights are damaged" in (caught.value.problem.hint or "")


def test_a_call_that_is_spoiled_ends_early(
    model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["conv_out.bias"][-1] = float("nan")

    repo = changed(model("stable_diffusion"), tmp_path / "spoiled", "unet", change)
    with pytest.raises(NodeError):
        draw(recorder, repo, "float32", num_inference_steps=20)
    assert len(recorder.steps) <= 1


def test_m12_an_image_of_numbers_needs_no_word(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    for dtype in ("float32", "float16"):
        draw(recorder, model("stable_diffusion"), dtype)
    assert recorder.warnings == []


def test_what_is_shared_is_in_its_own_format_afterwards(
    model: Callable[[str], str], manager: ModelManager, recorder: Recorder, tmp_path: Path
) -> None:
    repo = changed(model("stable_diffusion"), tmp_path / "model", *UNET)
    draw(recorder, repo, "float16")
    ref = ModelRef(repo_id=repo, dtype="float16")
    with manager.use(ref, "text-to-image", context=recorder.context) as lease:
        assert {str(part.dtype) for part in (lease.pipeline.unet, lease.pipeline.vae)} == {  # type: ignore[attr-defined]
            "torch.float16"
        }
