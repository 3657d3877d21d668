"""
The rules for samplers, which become the nodes of ours that run a model.

What leads to a sampler decides which node that is: empty latents make TextToImage, those of an
image ImageToImage, those of a image with a mask Inpainting, and a prompt that speaks of images
EditByInstruction. The samplers that are put together from parts (noise, guider, steps) say the same
in other words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nodes.importers.comfyui.diffusion import use_part
from nodes.importers.comfyui.leading import leading_properties
from nodes.importers.comfyui.prompts import prompt_properties
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.samplers import Chosen, scheduler_for
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
EDITING: Final = "huggingface.image_to_image.EditByInstruction"
LIST: Final = "nodetool.image.ImagesToList"
_WITHOUT_GUIDANCE: Final = re.compile("longcat", re.IGNORECASE)
"""Names of models that look like FLUX and are led by two prompts instead."""


@dataclass(frozen=True)
class Sampling:
    """All that a sampler is given."""

    guider: Guider
    seed: object
    sampler: str
    steps: Steps
    latents: object
    chosen: Chosen | None = None
    """What the sampler and the schedule are to us, where the file says it in words of its own."""


def sample(reading: Reading) -> tuple[object, ...]:
    return sampled(reading, sampling_of(reading))


def sampling_of(reading: Reading) -> Sampling:
    """Return what the usual sampler is given."""
    steps = Steps(
        reading.take("scheduler", "normal"), reading.take("steps"), reading.take("denoise", 1.0)
    )
    return Sampling(
        _guider(reading),
        reading.take("seed"),
        _sampler(reading),
        steps,
        reading.take("latent_image"),
    )


def sample_advanced(reading: Reading) -> tuple[object, ...]:
    """
    Sample a part of the steps.

    Where a sampler leaves noise for another one, the first makes a finished image here, and the
    other one begins with so much noise as was left.
    """
    total, start = reading.whole("steps"), reading.whole("start_at_step", 0)
    end = min(total, reading.whole("end_at_step", 10000))
    latents = reading.take("latent_image")
    left = latents.left if isinstance(latents, ImageLatents) else 0.0
    goes_on = not _enabled(reading, "add_noise", "enable")
    leaves = _enabled(reading, "return_with_leftover_noise", "disable") and end < total
    if end == total:
        reading.skip("end_at_step")
    if start >= end and isinstance(latents, ImageLatents):
        return _unchanged(reading, latents, f"starts at step {start} and ends at step {end}")
    if start >= end:
        raise Unsupported(f"it starts at step {start} and ends at step {end}, so it does nothing")
    if goes_on and not left:
        raise Unsupported("it goes on with noise that no sampler left")
    if end < total and not leaves:
        raise Unsupported(f"it ends at step {end} of {total}, and clears away what noise is left")
    if goes_on:
        message = f"goes on at step {start}; here, it repaints the finished image from there."
        reading.note(message, level="warning")
    if leaves:
        message = f"leaves noise at step {end} of {total}; here, all its steps are run."
        reading.note(message, level="warning")
    steps = Steps(reading.take("scheduler", "normal"), total - start, 1 - start / total)
    sampling = Sampling(
        _guider(reading), reading.take("noise_seed"), _sampler(reading), steps, latents
    )
    (made,) = sampled(reading, sampling)
    return (replace(made, left=1 - end / total) if leaves else made,)


def _unchanged(reading: Reading, latents: ImageLatents, why: str) -> tuple[object, ...]:
    """Give latents on from a sampler that has no step to run."""
    reading.skip(*(name for name, _ in reading.unread()))
    reading.note(f"{why}: it has nothing to do, and gives its latents on.", level="warning")
    return (latents,)


def _enabled(reading: Reading, name: str, default: str) -> bool:
    value = reading.take_as(name, str) if reading.has(name) else default
    if value not in ("enable", "disable"):
        raise Unsupported(f"its {name} is {value!r}, neither enable nor disable")
    return value == "enable"


def sample_custom(reading: Reading) -> tuple[object, ...]:
    if reading.take("add_noise", True) is not True:
        raise Unsupported("it goes on with the noise of another sampler, which has no counterpart")
    steps, sampler = reading.take_as("sigmas", Steps), reading.take_as("sampler", str)
    sampling = Sampling(
        _guider(reading), reading.take("noise_seed"), sampler, steps, reading.take("latent_image")
    )
    return sampled(reading, sampling) * 2


def sample_from_parts(reading: Reading) -> tuple[object, ...]:
    guider, steps = reading.take_as("guider", Guider), reading.take_as("sigmas", Steps)
    sampling = Sampling(
        guider,
        reading.take("noise"),
        reading.take_as("sampler", str),
        steps,
        reading.take("latent_image"),
    )
    return sampled(reading, sampling) * 2


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


def guide_by_three(reading: Reading) -> tuple[object, ...]:
    """Guide by a text, by images, and by neither."""
    by_text, by_image = reading.take_as("cond1", Prompt), reading.take_as("cond2", Prompt)
    positive = replace_references(by_text, by_image)
    negative = reading.take_as("negative", Prompt)
    if by_image.text not in (negative.text, by_text.text):
        reading.note(f"is led by the image without the text {known(by_image.text)!r} here.")
    if not positive.references:
        reading.skip("cfg_cond2_negative")
    reading.usual("style", "regular")
    return (
        Guider(
            reading.take_as("model", Weights),
            positive,
            negative,
            reading.take("cfg_conds"),
            reading.take("cfg_cond2_negative"),
        ),
    )


def guide_by_two_models(reading: Reading) -> tuple[object, ...]:
    """Guide by a model for the text, and by another one for no text, which is left out here."""
    reading.skip("model_negative")
    negative = reading.take("negative", None) if reading.is_known("negative") else None
    reading.note("has a second model for what is not wanted: here, one does both.", level="warning")
    return (
        Guider(
            reading.take_as("model", Weights),
            reading.take_as("positive", Prompt),
            negative if isinstance(negative, Prompt) else Prompt(""),
            reading.take("cfg"),
        ),
    )


def override_scale(reading: Reading) -> tuple[object, ...]:
    """Another scale for a part of the steps."""
    weights = reading.take_as("model", Weights)
    scale, begin, end = (reading.take(name) for name in ("cfg", "start_percent", "end_percent"))
    message = (
        f"cfg {scale} from {begin} to {end} of the steps has no counterpart: one scale is used."
    )
    reading.note(message, level="warning")
    return (weights,)


def replace_references(prompt: Prompt, other: Prompt) -> Prompt:
    """Return a prompt with the images of another one, where it has none itself."""
    return prompt if prompt.references else replace(prompt, references=other.references)


def basic_steps(reading: Reading) -> tuple[object, ...]:
    """Take steps by a schedule, which follows the model that it is given, not the guider's."""
    weights = reading.take("model", None) if reading.is_known("model") else None
    shift = weights.shift if isinstance(weights, Weights) else None
    schedule, count = reading.take("scheduler", "normal"), reading.take("steps")
    return (Steps(schedule, count, reading.take("denoise", 1.0), shift),)


def steps_of(schedule: str, **usual: float) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node for steps whose noise falls by a schedule, in its usual form."""

    def read(reading: Reading) -> tuple[object, ...]:
        reading.skip("model", "width", "height")
        for name, value in usual.items():
            reading.usual(name, value)
        return (Steps(schedule, reading.take("steps"), reading.take("denoise", 1.0)),)

    return read


def one_step(reading: Reading) -> tuple[object, ...]:
    """Take the step of Hyper-SDXL, which begins at the time 800 of 1000."""
    reading.skip("model")
    reading.note("takes its step at the time 800; here, at the scheduler's own.", level="warning")
    return (Steps("simple", reading.take("steps", 1)),)


def ideogram_steps(reading: Reading) -> tuple[object, ...]:
    """Spread steps by a normal distribution, which the pipeline does with values of its own."""
    given = ", ".join(f"{name} {known(reading.take(name))}" for name in ("mu", "std"))
    reading.skip("width", "height")
    reading.note(f"{given}: the pipeline has its own.", level="warning")
    return (Steps("simple", reading.take("steps")),)


def noise(reading: Reading) -> tuple[object, ...]:
    return (reading.take("noise_seed"),)


def no_noise(reading: Reading) -> tuple[object, ...]:
    raise Unsupported("sampling without noise has no counterpart")


def choose_sampler(reading: Reading) -> tuple[object, ...]:
    return (_sampler(reading),)


def sampler_named(name: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that is a sampler, with settings that are said."""
    return lambda reading: (name,)


def _guider(reading: Reading) -> Guider:
    positive, negative = reading.take_as("positive", Prompt), reading.take_as("negative", Prompt)
    if negative.guidance not in (None, positive.guidance):
        guidance = known(negative.guidance)
        reading.lost(f"guidance {guidance} of the negative prompt has no counterpart.")
    if positive.guidance is not None and not _ignores_guidance(reading):
        # Models that were distilled to a guidance of their own run with a cfg of 1.
        reading.usual("cfg", 1, 1.0)
        return Guider(reading.take_as("model", Weights), positive, negative, 1.0)
    if positive.guidance is not None:
        reading.note(f"guidance {known(positive.guidance)} does nothing to a model of this kind.")
        positive = replace(positive, guidance=None)
    return Guider(reading.take_as("model", Weights), positive, negative, reading.take("cfg"))


def _ignores_guidance(reading: Reading) -> bool:
    """Return whether a model has no place for a guidance of its own, whatever the prompt says."""
    model = reading.draft.nodes[reading.take_as("model", Weights).model.node].data
    return bool(_WITHOUT_GUIDANCE.search(str(model.get("value"))))


def _sampler(reading: Reading) -> str:
    return str(known(reading.take("sampler_name", "euler")))


def sampled(reading: Reading, sampling: Sampling) -> tuple[ImageLatents]:
    """Return the node that does what a sampler does."""
    guider, latents, steps = sampling.guider, sampling.latents, sampling.steps
    positive, weights = guider.positive, guider.weights
    optional = {
        "loras": list(weights.loras) or None,
        "shift": weights.shift if steps.shift is None else steps.shift,
        "image_guidance_scale": guider.image_scale if positive.references else None,
    }
    properties: dict[str, object] = {
        "model": weights.model,
        "seed": sampling.seed,
        "num_inference_steps": steps.count,
        "guidance_scale": guider.scale if positive.guidance is None else positive.guidance,
        **leading_properties(reading, weights, positive),
        **{name: value for name, value in optional.items() if value is not None},
    }
    is_masked = isinstance(latents, ImageLatents) and latents.mask is not None
    if positive.references and not is_masked:
        node_type, more = EDITING, _edited(reading, positive.references, latents, steps)
    elif isinstance(latents, EmptyLatents):
        node_type, more = TEXT_TO_IMAGE, {"width": latents.width, "height": latents.height}
        if known(steps.denoise) != 1:
            reading.note(
                f"denoise {steps.denoise!r} has no counterpart without an image: all noise is taken"
                " away.",
                level="warning",
            )
    elif isinstance(latents, ImageLatents):
        properties["num_inference_steps"] = _all_steps(steps, reading)
        node_type, more = _from_image(reading, latents, steps.denoise, weights.is_differential)
        if positive.references:
            reading.lost("the images of its prompt have no counterpart beside a mask.")
    else:
        raise Unsupported("its latent_image is not the latents of an image, nor empty")
    properties |= free_u_property(reading, node_type, weights)
    count = latents.count if isinstance(latents, (EmptyLatents, ImageLatents)) else 1
    several = count != 1
    properties |= more | ({"num_images": count} if several else {})
    prompts = (positive, guider.negative)
    properties |= prompt_properties(reading, node_type, weights, prompts, latents)
    is_flow = weights.is_flow or (isinstance(latents, EmptyLatents) and latents.is_flow)
    properties |= _scheduler(reading, node_type, sampling, is_flow)
    use_part(reading, weights.model, "text_encoders", positive.encoders)
    made = reading.add(node_type, properties)
    has_layers = "layers" in properties
    pixels = Pixels(Handle(made), Handle(made, "images") if several or has_layers else None)
    return (ImageLatents(pixels, model=weights.model, layers=has_layers),)


def free_u_property(reading: Reading, node_type: str, weights: Weights) -> dict[str, object]:
    """Return FreeU's numbers as the property of a node that has it."""
    if weights.free_u and reading.draft.annotation(node_type, "free_u") is None:
        reading.lost(f"FreeU {', '.join(map(str, weights.free_u))} has no counterpart here.")
        return {}
    return {"free_u": list(weights.free_u)} if weights.free_u else {}


def _edited(
    reading: Reading, references: Sequence[Pixels], latents: object, steps: Steps
) -> dict[str, object]:
    """Return the properties of a node that edits images; the first gives the size of the result."""
    if not isinstance(latents, (EmptyLatents, ImageLatents)):
        raise Unsupported("its latent_image is not the latents of an image, nor empty")
    first, *others = references
    properties: dict[str, object] = {"image": first.handle}
    if first.batch is not None and not others:
        properties["reference_images"] = first.batch
    elif others:
        named = {f"image_{number}": image.handle for number, image in enumerate(others, 2)}
        properties["reference_images"] = Handle(reading.add(LIST, named, "references"))
    if known(steps.denoise) != 1:
        reading.lost(
            f"denoise {known(steps.denoise)!r} has no counterpart where images are edited."
        )
    if isinstance(latents, EmptyLatents) and latents.layers:
        properties["layers"] = latents.layers
    elif isinstance(latents, EmptyLatents) and not _is_size_of_image(reading, latents):
        properties |= {"width": latents.width, "height": latents.height}
    return properties


def _is_size_of_image(reading: Reading, latents: EmptyLatents) -> bool:
    sides = (latents.width, latents.height)
    if [known(side) for side in sides] == [0, 0]:
        return True
    return all(
        isinstance(side, Handle)
        and side.output in ("width", "height")
        and side.node in reading.draft.nodes
        for side in sides
    )


def _from_image(
    reading: Reading, latents: ImageLatents, denoise: object, is_differential: bool
) -> tuple[str, dict[str, object]]:
    properties: dict[str, object] = {"image": latents.image.handle, "strength": denoise}
    if latents.mask is None:
        return IMAGE_TO_IMAGE, properties
    if is_differential and latents.mask_is == "noise" and latents.grow == 0:
        return IMAGE_TO_IMAGE, properties | {"strength_mask": latents.mask.handle}
    if is_differential and latents.mask_is != "fill alone":
        properties["strength_mask"] = latents.mask.handle
    return INPAINTING, properties | {"mask_image": latents.mask.handle, "mask_grow": latents.grow}


def _all_steps(steps: Steps, reading: Reading) -> object:
    """ComfyUI runs all steps whatever the strength is; here, `strength` of them are run."""
    count, denoise = known(steps.count), known(steps.denoise)
    is_known = isinstance(count, int) and isinstance(denoise, (int, float))
    if steps.is_total or not is_known or not 0 < denoise < 1:
        return steps.count
    total = int(count / denoise)
    while int(total * denoise) < count:
        total += 1
    reading.note(
        f"num_inference_steps becomes {total}, of which a strength of {denoise:g} runs {count}."
    )
    return total


def _scheduler(
    reading: Reading, node_type: str, sampling: Sampling, is_flow: bool
) -> dict[str, str]:
    known_names = reading.draft.choices(node_type, "scheduler")
    schedule = str(sampling.steps.schedule)
    chosen = sampling.chosen or scheduler_for(
        sampling.sampler, schedule, known_names or (), is_flow=is_flow
    )
    if chosen.difference:
        reading.note(f"{chosen.difference}.", level="warning")
    return {} if known_names is None else chosen.properties()


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "BasicGuider": guide_by_one,
    "BasicScheduler": basic_steps,
    "BetaSamplingScheduler": steps_of("beta", alpha=0.6, beta=0.6),
    "CFGGuider": guide_by_two,
    "CFGOverride": override_scale,
    "DisableNoise": no_noise,
    "DualCFGGuider": guide_by_three,
    "DualModelGuider": guide_by_two_models,
    "ExponentialScheduler": steps_of("exponential"),
    "Flux2Scheduler": steps_of("simple"),
    "HyperSDXL1StepUnetScheduler": one_step,
    "Ideogram4Scheduler": ideogram_steps,
    "KSampler": sample,
    "KSamplerAdvanced": sample_advanced,
    "KSamplerSelect": choose_sampler,
    "KarrasScheduler": steps_of("karras", rho=7.0),
    "PolyexponentialScheduler": steps_of("exponential", rho=1.0),
    "RandomNoise": noise,
    "SDTurboScheduler": steps_of("normal"),
    "SamplerCustom": sample_custom,
    "SamplerCustomAdvanced": sample_from_parts,
    "SamplerDPMPP_2M_SDE": sampler_named("dpmpp_2m_sde"),
    "SamplerDPMPP_SDE": sampler_named("dpmpp_sde"),
    "SamplerEulerAncestral": sampler_named("euler_ancestral"),
    "SamplerLCM": sampler_named("lcm"),
    "SamplerLMS": sampler_named("lms"),
}
"""The classes that these rules are for."""
