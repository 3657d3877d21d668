"""Step caches and attention backends: what each does, that none stays, and what refuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ModelRef
from nodetool_core.errors import ModelError
from nodetool_core.models.calls.call_options import CallOptions
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_finite_check import changed
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETTINGS: dict[str, Any] = {
    "prompt": "a lake",
    "num_inference_steps": 50,
    "width": 64,
    "height": 64,
    "seed": 1,
}


def draw(recorder: Recorder, repo_id: str, **options: Any) -> np.ndarray[Any, Any]:
    model = {"repo_id": repo_id, **options}
    made = TextToImage(model=model, **SETTINGS).process(recorder.context)
    assert isinstance(made.output, ImageData)
    return np.asarray(made.output.image, np.int16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "cache"),
    [
        ("flux", "first_block"),
        ("flux", "taylor_seer"),
        ("flux", "mag"),
        ("flux", "pyramid_attention"),
        ("flux", "faster"),
        ("qwen_image", "taylor_seer"),
    ],
)
def test_a_step_cache_changes_its_call_alone(
    family: str, cache: str, model: Callable[[str], str], recorder: Recorder, tmp_path: Path
) -> None:
    repo = model(family)
    if cache == "first_block":
        # In a trained model, little changes in the first block from step to step; in this one, too.
        repo = changed(repo, tmp_path / "calm", "transformer", _calmed)
    plain = draw(recorder, repo)
    forwards = _counted(recorder, repo, None)
    skipped = _counted(recorder, repo, cache)
    assert skipped < forwards
    cached = draw(recorder, repo, step_cache=cache)
    assert not np.array_equal(cached, plain)
    assert np.array_equal(draw(recorder, repo, step_cache=cache), cached)
    assert np.array_equal(draw(recorder, repo), plain)
    assert recorder.warnings == []


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["pyramid_attention", "faster"])
def test_a_cache_without_conditions_is_left_out_where_a_second_prompt_guides(
    cache: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    def drawn(step_cache: str | None) -> np.ndarray[Any, Any]:
        given = SETTINGS | {"num_inference_steps": 12, "negative_prompt": "rain"}
        reference = {"repo_id": model("flux"), "step_cache": step_cache}
        made = TextToImage(model=reference, **given).process(recorder.context)
        assert isinstance(made.output, ImageData)
        return np.asarray(made.output.image, np.int16)

    plain, noted = drawn(None), len(recorder.warnings)
    assert np.array_equal(drawn(cache), plain)
    reason = f"step_cache {cache} is not used: a negative prompt runs the transformer twice"
    assert any(warning.startswith(reason) for warning in recorder.warnings[noted:])


def _calmed(tensors: dict[str, torch.Tensor]) -> None:
    tensors["x_embedder.weight"] *= 0.02
    tensors["transformer_blocks.0.norm1.linear.weight"] *= 0.3


def _counted(recorder: Recorder, repo_id: str, cache: str | None) -> int:
    """Return how often attention is computed in a call."""
    calls = 0
    original = torch.nn.functional.scaled_dot_product_attention

    def counting(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        return original(*arguments, **options)

    torch.nn.functional.scaled_dot_product_attention = counting
    try:
        draw(recorder, repo_id, step_cache=cache)
    finally:
        torch.nn.functional.scaled_dot_product_attention = original
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("family", ["flux", "qwen_image"])
def test_a_backend_computes_the_same_attention(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    plain = draw(recorder, model(family))
    assert np.array_equal(draw(recorder, model(family), attention="native"), plain)
    other = draw(recorder, model(family), attention="math")
    assert np.abs(other - plain).max() <= 1
    ref = ModelRef(repo_id=model(family))
    with recorder.context.models.use(ref, "text-to-image", context=recorder.context) as lease:
        transformer: Any = lease.pipeline.components["transformer"]
        assert {
            getattr(module.processor, "_attention_backend", None)
            for module in transformer.modules()
            if hasattr(module, "processor")
        } == {None}


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        (
            "stable_diffusion",
            {"step_cache": "first_block"},
            "`step_cache` first_block: StableDiffusionPipeline does not say to its transformer",
        ),
        ("qwen_image", {"step_cache": "mag"}, "MagCache needs ratios .* QwenImagePipeline has"),
        (
            "qwen_image",
            {"step_cache": "faster"},
            "QwenImagePipeline runs its transformer twice in a step",
        ),
        (
            "stable_diffusion",
            {"attention": "math"},
            "`attention` math: StableDiffusionPipeline computes attention with torch alone",
        ),
        ("flux", {"attention": "sage"}, "`attention` sage: Sage Attention backend"),
    ],
)
def test_what_a_family_can_not_take_is_refused_before_the_load(
    family: str, options: dict[str, Any], message: str, model: Callable[[str], str]
) -> None:
    fresh = ModelManager(device="cpu")
    with pytest.raises(ModelError, match=message) as caught:
        draw(Recorder(fresh), model(family), **options)
    assert caught.value.problem.code == "model_option_unsupported"
    assert fresh.loads == 0


def test_options_do_not_make_another_model(model: Callable[[str], str]) -> None:
    fresh = ModelManager(device="cpu")
    recorder = Recorder(fresh)
    for options in ({}, {"step_cache": "first_block"}, {"attention": "native"}):
        draw(recorder, model("flux"), **options)
    assert fresh.loads == 1


def test_an_image_to_image_class_without_a_cache_refuses_it(model: Callable[[str], str]) -> None:
    fresh = ModelManager(device="cpu")
    node = ImageToImage(
        model={"repo_id": model("flux"), "step_cache": "first_block"},
        image=ImageData.of(scene(64, 64)),
        prompt="a lake",
    )
    with pytest.raises(ModelError, match="FluxImg2ImgPipeline does not say"):
        node.process(Recorder(fresh).context)


def test_calls_with_other_options_are_not_joined() -> None:
    assert CallOptions() != CallOptions(step_cache="mag")
    assert hash(CallOptions(attention="math")) == hash(CallOptions(attention="math"))
