"""Quantization while a model is loaded: near to the plain result, smaller, and shared apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nodes.huggingface.model_kinds import LoraModel
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ModelRef
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.quantize import quantization_refusal
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS: dict[str, Any] = {
    "prompt": "a lake",
    "num_inference_steps": 4,
    "width": 64,
    "height": 64,
    "seed": 1,
}
FORMATS = ["torchao_int8", "torchao_float8", "quanto_int8", "quanto_int4", "quanto_float8"]


def draw(recorder: Recorder, repo_id: str, loras: Any = (), **options: Any) -> np.ndarray[Any, Any]:
    model = {"repo_id": repo_id, **options}
    made = TextToImage(model=model, loras=list(loras), **SETTINGS).process(recorder.context)
    assert isinstance(made.output, ImageData)
    return np.asarray(made.output.image, np.int16)


def installed(name: str) -> str:
    if (why := quantization_refusal(name)[0]) != "":
        pytest.skip(why)
    return name


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("prop", ["quantization", "encoder_quantization"])
def test_a_rounded_component_is_near_to_the_plain_one(
    prop: str, name: str, model: Callable[[str], str]
) -> None:
    recorder = Recorder(ModelManager(device="cpu"))
    repo = model("stable_diffusion")
    plain = draw(recorder, repo)
    rounded = draw(recorder, repo, **{prop: installed(name)})
    assert 0 < np.abs(rounded - plain).mean() < (6 if "int4" in name else 3)
    assert np.array_equal(draw(recorder, repo), plain)
    assert recorder.warnings == []


@pytest.mark.parametrize("name", ["torchao_int8", "quanto_int8"])
def test_other_components_are_shared_with_the_plain_model(
    name: str, model: Callable[[str], str]
) -> None:
    manager = ModelManager(device="cpu")
    recorder = Recorder(manager)
    repo = model("stable_diffusion")
    draw(recorder, repo)
    read = manager.counts.reads
    draw(recorder, repo, quantization=installed(name))
    assert manager.counts.reads == read + 1
    refs = [ModelRef(repo_id=repo), ModelRef(repo_id=repo, quantization=name)]
    parts = []
    for ref in refs:
        with manager.use(ref, "text-to-image", context=recorder.context) as lease:
            parts.append(lease.pipeline.components)
    assert parts[0]["vae"] is parts[1]["vae"]
    assert parts[0]["text_encoder"] is parts[1]["text_encoder"]
    assert parts[0]["unet"] is not parts[1]["unet"]


@pytest.mark.parametrize("name", ["torchao_int8", "quanto_int8"])
def test_a_lora_goes_with_rounded_weights(
    name: str, model: Callable[[str], str], adapter: Callable[[str, str], str]
) -> None:
    recorder = Recorder(ModelManager(device="cpu"))
    repo, lora = model("stable_diffusion"), adapter("lora", "stable_diffusion")
    given = [LoraModel(repo_id=lora, scale=1.0)]
    exact = draw(recorder, repo, given)
    rounded = draw(recorder, repo, given, quantization=installed(name))
    bare = draw(recorder, repo, quantization=name)
    assert np.abs(rounded - exact).mean() < np.abs(rounded - bare).mean()


def test_a_library_that_is_not_installed_is_named_before_the_load(
    model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    fresh = ModelManager(device="cpu")
    with pytest.raises(ModelError, match="quanto_int4 needs optimum-quanto") as caught:
        draw(Recorder(fresh), model("stable_diffusion"), quantization="quanto_int4")
    assert caught.value.problem.code == "model_option_unsupported"
    assert "pip install optimum-quanto" in (caught.value.problem.hint or "")
    assert fresh.loads == 0
