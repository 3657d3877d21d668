"""Several prompts for one image: each counts where, and in the share of the noise, that it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.regions import AddPrompt
from nodes.huggingface.text_to_image import TextToImage
from nodes.huggingface.units import PromptUnit
from nodes.nodetool.output import Output
from nodetool_core import ImageData, NodeError, Workflow
from nodetool_core.models.diffusers.prompt_regions import PromptRegions, RegionPrompt
from tests.nodes.huggingface import tiny_pipelines
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_controlnets import QUICK
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = (0.0, 0.0, 1.0, 1.0)
LEFT = {"right": 0.5}


def draw(recorder: Recorder, repo_id: str, **properties: Any) -> np.ndarray[Any, Any]:
    node = TextToImage(model=repo_id, width=64, height=64, **QUICK | properties)
    result = node.process(recorder.context).output
    assert isinstance(result, ImageData)
    return np.asarray(result.image, np.int16)


def far(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> int:
    """Return by how much two images differ at most."""
    return int(np.abs(one - other).max())


@pytest.mark.parametrize(
    "family",
    ["stable_diffusion", pytest.param("stable_diffusion_xl", marks=pytest.mark.slow)],
)
def test_each_property_of_a_further_prompt_counts(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    repo = model(family)
    # Of two steps, the last one of SDXL changes no tone.
    steps = {"num_inference_steps": 4}
    plain = draw(recorder, repo, **steps)
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 64, 20))
    given: list[list[PromptUnit]] = [
        [PromptUnit("stars")],
        [PromptUnit("stars", strength=3.0)],
        [PromptUnit("stars", right=0.5)],
        [PromptUnit("stars", top=0.5)],
        [PromptUnit("stars", mask=ImageData.of(mask))],
        [PromptUnit("stars", end=0.6)],
        [PromptUnit("stars"), PromptUnit("a dog", left=0.5)],
    ]
    results = [draw(recorder, repo, prompts=units, **steps).tobytes() for units in given]
    assert len({plain.tobytes(), *results}) == len(given) + 1
    for neutral in (PromptUnit("a lake"), PromptUnit("stars", strength=0.0)):
        assert far(draw(recorder, repo, prompts=[neutral], **steps), plain) <= 1
    assert recorder.warnings == []


def test_without_a_prompt_of_its_own_the_others_count_alone(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    repo = model("stable_diffusion")
    alone = draw(recorder, repo, prompt="", prompts=[PromptUnit("a lake")])
    assert far(alone, draw(recorder, repo)) <= 1
    in_turn = [PromptUnit("a lake", end=0.4), PromptUnit("a lake", start=0.4)]
    assert far(draw(recorder, repo, prompt="", prompts=in_turn), alone) <= 1
    assert far(draw(recorder, repo, prompt="", prompts=[PromptUnit("a lake", end=0.4)]), alone) > 1


def test_weights_and_clip_skip_hold_for_further_prompts(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    repo = model("stable_diffusion")
    weighted = {"prompt_syntax": "weighted", "prompts": [PromptUnit("a (lake:1.5)")]}
    assert far(
        draw(recorder, repo, **weighted), draw(recorder, repo, prompts=[PromptUnit("a (lake:1.5)")])
    )
    skipped = {"prompt": "", "prompts": [PromptUnit("a lake")], "clip_skip": 1}
    assert far(draw(recorder, repo, **skipped), draw(recorder, repo, clip_skip=1)) <= 1


def test_an_image_is_transformed_by_several_prompts(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    def made(**properties: Any) -> bytes:
        node = ImageToImage(
            model=model("stable_diffusion"), image=ImageData.of(scene(64, 64)), **QUICK | properties
        )
        result = node.process(recorder.context).output
        assert isinstance(result, ImageData)
        return result.image.tobytes()

    units = [PromptUnit("stars", right=0.5)]
    assert made(prompts=units) != made()
    assert made(prompts=units, keep_size="tiles") == made(keep_size="tiles")
    assert "tiles are made by `prompt` alone" in recorder.warnings[-1]


def test_other_families_refuse_further_prompts_by_name(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(NodeError, match="FluxPipeline takes one prompt alone"):
        draw(recorder, model("flux"), prompts=[PromptUnit("stars")])


def test_nodes_chain_prompts_in_a_workflow(model: Callable[[str], str]) -> None:
    first = AddPrompt(prompt="stars", **LEFT)
    both = AddPrompt(prompt="a dog", left=0.5, prompts=first.output)
    node = TextToImage(
        model=model("stable_diffusion"), width=64, height=64, prompts=both.output, **QUICK
    )
    workflow = Workflow(Output(name="image", value=node.output))
    made = workflow.run()["image"].image
    assert made.size == (64, 64)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(NodeError, match="left has to be below right"):
        AddPrompt(prompt="x", left=0.6, right=0.4).process()


@pytest.mark.parametrize("guided", [True, False])
def test_predictions_are_averaged_by_their_weights(guided: bool) -> None:
    """The same by hand: each prompt by a call of its own, put together in numpy's way."""
    pipeline = tiny_pipelines.stable_diffusion()
    pipeline._guidance_scale = 7.0 if guided else 1.0
    draws = torch.manual_seed(0)
    width = pipeline.unet.config.cross_attention_dim
    texts = [torch.randn(1, 77, width, generator=draws) for _ in range(4)]
    tones = Image.fromarray(np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16))
    regions = [
        RegionPrompt(texts[2], None, (0.0, 0.0, 0.5, 1.0), None, 2.0, 0.0, 1.0),
        RegionPrompt(texts[3], None, WHOLE, tones, 1.0, 0.0, 1.0),
        RegionPrompt(texts[3], None, WHOLE, None, 9.0, 0.9, 1.0),
    ]
    sample = torch.randn(1, 4, 16, 16, generator=draws)
    time = torch.tensor(500)

    def predict(text: torch.Tensor, latents: torch.Tensor = sample) -> torch.Tensor:
        made: torch.Tensor = pipeline.unet(latents, time, encoder_hidden_states=text)[0]
        return made

    own, unet = predict(texts[1]), pipeline.unet
    batch = torch.cat(texts[:2]) if guided else texts[1]
    latents = torch.cat([sample] * len(batch))
    with torch.no_grad(), PromptRegions(pipeline, regions, has_base=True).applied():
        made = pipeline.unet(latents, time, encoder_hidden_states=batch, return_dict=False)[0]
    ramp = np.minimum(np.ones(8), (8 - np.arange(8)) / 8) * 2
    box = torch.zeros(1, 1, 16, 16)
    box[..., :8] = torch.from_numpy(ramp).float()
    left = torch.zeros_like(own)
    left[..., :8] = predict(texts[2], sample[..., :8])
    mask = torch.from_numpy(np.asarray(tones, np.float32) / 255)
    expected = (own + left * box + predict(texts[3]) * mask) / (1 + box + mask)
    torch.testing.assert_close(made[-1:], expected, atol=1e-5, rtol=1e-4)
    if guided:
        torch.testing.assert_close(made[:1], predict(texts[0]), atol=1e-5, rtol=1e-4)
    assert pipeline.unet is unet
    torch.testing.assert_close(predict(texts[1]), own)
