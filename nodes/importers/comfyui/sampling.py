"""
The rules for samplers, which become the nodes of ours that run a model.

What leads to a sampler decides which node that is: empty latents make TextToImage, those of an
image ImageToImage, those of a image with a mask Inpainting. The samplers that are put together from
parts (noise, guider, steps) say the same in other words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nodes.importers.comfyui.reading import Reading
from nodes.importers.comfyui.samplers import scheduler_for
from nodes.importers.comfyui.values import (
    EmptyLatents,
    Guider,
    ImageLatents,
    Pixels,
    Prompt,
    Steps,
    Weights,
)
from nodetool_core.importing.draft import Handle, Unsupported

TEXT_TO_IMAGE: Final = "huggingface.text_to_image.TextToImage"
IMAGE_TO_IMAGE: Final = "huggingface.image_to_image.ImageToImage"
INPAINTING: Final = "huggingface.image_to_image.Inpainting"


@dataclass(frozen=True)
class Sampling:
    """All that a sampler is given."""

    guider: Guider
    seed: Any
    sampler: str
    steps: Steps
    latents: Any


def sample(reading: Reading) -> tuple[object, ...]:
    steps = Steps(
        reading.take("scheduler", "normal"), reading.take("steps"), reading.take("denoise", 1.0)
    )
    return _sampled(
        reading,
        Sampling(
            _guider(reading),
            reading.take("seed"),
            _sampler(reading),
            steps,
            reading.take("latent_image"),
        ),
    )


def sample_advanced(reading: Reading) -> tuple[object, ...]:
    total, start = reading.whole("steps"), reading.whole("start_at_step", 0)
    if reading.take("add_noise", "enable") != "enable":
        raise Unsupported("it goes on with the noise of another sampler, which has no counterpart")
    if (
        reading.take("return_with_leftover_noise", "disable") != "disable"
        or reading.number("end_at_step", 10000) < total
    ):
        raise Unsupported("it leaves noise for another sampler, which has no counterpart")
    if start >= total:
        raise Unsupported(f"it starts at step {start} of {total}, so it does nothing")
    steps = Steps(reading.take("scheduler", "normal"), total - start, 1 - start / total)
    return _sampled(
        reading,
        Sampling(
            _guider(reading),
            reading.take("noise_seed"),
            _sampler(reading),
            steps,
            reading.take("latent_image"),
        ),
    )


def sample_custom(reading: Reading) -> tuple[object, ...]:
    if reading.take("add_noise", True) is not True:
        raise Unsupported("it goes on with the noise of another sampler, which has no counterpart")
    steps, sampler = reading.take_as("sigmas", Steps), reading.take_as("sampler", str)
    sampling = Sampling(
        _guider(reading), reading.take("noise_seed"), sampler, steps, reading.take("latent_image")
    )
    return _sampled(reading, sampling) * 2


def sample_from_parts(reading: Reading) -> tuple[object, ...]:
    guider, steps = reading.take_as("guider", Guider), reading.take_as("sigmas", Steps)
    sampling = Sampling(
        guider,
        reading.take("noise"),
        reading.take_as("sampler", str),
        steps,
        reading.take("latent_image"),
    )
    return _sampled(reading, sampling) * 2


def guide_by_one(reading: Reading) -> tuple[object, ...]:
    return (
        Guider(
            reading.take_as("model", Weights),
            reading.take_as("conditioning", Prompt),
            Prompt(""),
            1.0,
        ),
    )


def guide_by_two(reading: Reading) -> tuple[object, ...]:
    return (_guider(reading),)


def basic_steps(reading: Reading) -> tuple[object, ...]:
    reading.skip("model")
    return (
        Steps(
            reading.take("scheduler", "normal"), reading.take("steps"), reading.take("denoise", 1.0)
        ),
    )


def karras_steps(reading: Reading) -> tuple[object, ...]:
    return (Steps("karras", reading.take("steps")),)


def noise(reading: Reading) -> tuple[object, ...]:
    return (reading.take("noise_seed"),)


def choose_sampler(reading: Reading) -> tuple[object, ...]:
    return (_sampler(reading),)


def _guider(reading: Reading) -> Guider:
    positive, negative = reading.take_as("positive", Prompt), reading.take_as("negative", Prompt)
    if positive.guidance is not None:
        # Models that were distilled to a guidance of their own run with a cfg of 1.
        reading.usual("cfg", 1, 1.0)
        return Guider(reading.take_as("model", Weights), positive, negative, 1.0)
    return Guider(reading.take_as("model", Weights), positive, negative, reading.take("cfg"))


def _sampler(reading: Reading) -> str:
    return str(reading.take("sampler_name", "euler"))


def _sampled(reading: Reading, sampling: Sampling) -> tuple[object, ...]:
    """Return the node that does what a sampler does."""
    guider, latents, steps = sampling.guider, sampling.latents, sampling.steps
    positive = guider.positive
    properties: dict[str, object] = {
        "model": guider.weights.model,
        "prompt": positive.text,
        "negative_prompt": guider.negative.text,
        "seed": sampling.seed,
        "num_inference_steps": steps.count,
        "guidance_scale": guider.scale if positive.guidance is None else positive.guidance,
        **(positive.control or {}),
        **({"loras": list(guider.weights.loras)} if guider.weights.loras else {}),
    }
    if isinstance(latents, EmptyLatents):
        node_type, more = TEXT_TO_IMAGE, {"width": latents.width, "height": latents.height}
        if steps.denoise != 1:
            reading.note(
                f"denoise {steps.denoise!r} has no counterpart without an image: all noise is taken"
                " away.",
                level="warning",
            )
    elif isinstance(latents, ImageLatents):
        properties["num_inference_steps"] = _all_steps(steps, reading)
        node_type, more = _from_image(latents, steps.denoise)
    else:
        raise Unsupported("its latent_image is not the latents of an image, nor empty")
    several = latents.count != 1
    properties |= more | ({"num_images": latents.count} if several else {})
    properties |= _scheduler(reading, node_type, sampling.sampler, str(steps.schedule))
    made = reading.add(node_type, properties)
    return (ImageLatents(Pixels(Handle(made), Handle(made, "images") if several else None)),)


def _from_image(latents: ImageLatents, denoise: object) -> tuple[str, dict[str, object]]:
    properties = {"image": latents.image.handle, "strength": denoise}
    if latents.mask is None:
        return IMAGE_TO_IMAGE, properties
    return INPAINTING, properties | {"mask_image": latents.mask.handle, "mask_grow": latents.grow}


def _all_steps(steps: Steps, reading: Reading) -> object:
    """ComfyUI runs all steps whatever the strength is; here, `strength` of them are run."""
    if (
        not isinstance(steps.count, int)
        or not isinstance(steps.denoise, (int, float))
        or not 0 < steps.denoise < 1
    ):
        return steps.count
    total = round(steps.count / steps.denoise)
    reading.note(
        f"num_inference_steps becomes {total}, of which a strength of {steps.denoise:g} runs"
        f" {steps.count}."
    )
    return total


def _scheduler(reading: Reading, node_type: str, sampler: str, schedule: str) -> dict[str, str]:
    known = reading.draft.choices(node_type, "scheduler")
    name, difference = scheduler_for(sampler, schedule, known or ())
    if difference:
        reading.note(f"{difference}.", level="warning")
    return {} if known is None else {"scheduler": name}


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "BasicGuider": guide_by_one,
    "BasicScheduler": basic_steps,
    "CFGGuider": guide_by_two,
    "KSampler": sample,
    "KSamplerAdvanced": sample_advanced,
    "KSamplerSelect": choose_sampler,
    "KarrasScheduler": karras_steps,
    "RandomNoise": noise,
    "SamplerCustom": sample_custom,
    "SamplerCustomAdvanced": sample_from_parts,
}
"""The classes that these rules are for."""
