"""The rules for InvokeAI's noise, samplers and latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nodes.importers.comfyui.diffusion import decoded, image_latents, of_image
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.samplers import Chosen
from nodes.importers.comfyui.sampling import Sampling, sampled
from nodes.importers.comfyui.values import (
    Adapter,
    Control,
    EmptyLatents,
    Guider,
    ImageLatents,
    Pixels,
    Prompt,
    Steps,
    Weights,
)
from nodes.importers.invokeai.models import several
from nodes.importers.metadata.invokeai import SCHEDULERS
from nodetool_core.importing.draft import Handle, Unsupported


@dataclass(frozen=True)
class Noise:
    """What a sampler begins with."""

    seed: object
    width: object
    height: object


def noise(reading: Reading) -> tuple[object, ...]:
    reading.skip("use_cpu")
    made = Noise(reading.take("seed", 0), reading.take("width", 512), reading.take("height", 512))
    return made, made.width, made.height


def sample(reading: Reading) -> tuple[object, ...]:
    """Sample with a model of Stable Diffusion, whose noise is a node of its own."""
    begun = reading.take("noise", Noise(0, 512, 512))
    if not isinstance(begun, Noise):
        raise Unsupported("its noise is of a form that has no counterpart")
    _usual(reading)
    weights = reading.take_as("unet", Weights)
    return _sampled(reading, weights, begun, reading.take("cfg_scale", 7.5), _scheduler(reading))


def sample_in_tiles(reading: Reading) -> tuple[object, ...]:
    """Sample an image tile by tile; here, as a whole."""
    named = ("tile_height", "tile_width", "tile_overlap")
    tiles = ", ".join(f"{name} {known(reading.take(name, None))}" for name in named)
    reading.note(f"works tile by tile ({tiles}); here, on the whole image.", level="warning")
    return sample(reading)


def sample_flow(
    scale: str, weights: str = "transformer", steps: str = "steps"
) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a sampler for a family of flow-matching models."""

    def read(reading: Reading) -> tuple[object, ...]:
        begun = Noise(
            reading.take("seed", 0), reading.take("width", 1024), reading.take("height", 1024)
        )
        reading.skip("vae", "controlnet_vae", "cfg_scale_start_step", "cfg_scale_end_step")
        _usual(reading)
        if scale == "guidance":
            reading.usual("cfg_scale", 1, 1.0)
        for name in ("scheduler", "dype_preset"):
            reading.usual(name, "euler" if name == "scheduler" else "off")
        found = reading.take_as(weights, Weights)
        return _sampled(reading, found, begun, reading.take(scale, 3.5), None, steps)

    return read


def _usual(reading: Reading) -> None:
    """Count settings as read that are off."""
    reading.usual("add_noise", True)
    reading.usual("cfg_rescale_multiplier", 0, 0.0)
    for name in ("hidiffusion", "hidiffusion_raunet", "hidiffusion_window_attn"):
        reading.usual(name, False)
    reading.skip("hidiffusion_t1_ratio", "hidiffusion_t2_ratio")


def _sampled(
    reading: Reading,
    weights: Weights,
    begun: Noise,
    scale: object,
    chosen: Chosen | None,
    steps: str = "steps",
) -> tuple[object, ...]:
    weights = replace(
        weights,
        controls=tuple(one for one in several(reading, "control") if isinstance(one, Control)),
        adapters=tuple(one for one in several(reading, "ip_adapter") if isinstance(one, Adapter)),
    )
    start, end = reading.number("denoising_start", 0.0), reading.number("denoising_end", 1.0)
    latents = _latents(reading, begun, start)
    if end < 1:
        message = f"denoising_end {end:g} leaves noise; here, all of it is taken away."
        reading.note(message, level="warning")
    share = 1 - start if isinstance(latents, ImageLatents) else 1.0
    made = Sampling(
        Guider(weights, _prompt(reading, "positive"), _prompt(reading, "negative"), scale),
        begun.seed,
        "euler",
        Steps("normal", reading.take(steps, 20), share, is_total=True),
        latents,
        chosen,
    )
    (result,) = sampled(reading, made)
    return result, begun.width, begun.height


def _latents(reading: Reading, begun: Noise, start: float) -> EmptyLatents | ImageLatents:
    """Return what a sampler begins with: an image, a part of one, or nothing."""
    mask = reading.take("denoise_mask", None)
    if not reading.has("latents"):
        if start:
            message = f"denoising_start {start:g} has no counterpart without an image."
            reading.note(message, level="warning")
        if mask is not None:
            raise Unsupported("it has a mask, and no image that it is for")
        return EmptyLatents(begun.width, begun.height)
    latents = image_latents(reading, "latents")
    return replace(latents, mask=mask) if isinstance(mask, Pixels) else latents


def _prompt(reading: Reading, kind: str) -> Prompt:
    found = [
        one
        for name in (f"{kind}_conditioning", f"{kind}_text_conditioning")
        for one in several(reading, name)
        if isinstance(one, Prompt)
    ]
    if len(found) > 1:
        reading.note(f"its first {kind} prompt counts alone here.", level="warning")
    if not found and kind == "positive":
        raise Unsupported("it has no prompt")
    return found[0] if found else Prompt("")


def _scheduler(reading: Reading) -> Chosen:
    name = str(known(reading.take("scheduler", "euler")))
    if name in SCHEDULERS:
        return Chosen(SCHEDULERS[name])
    plain = SCHEDULERS.get(name.removesuffix("_k"))
    if plain is None:
        message = f"scheduler {name!r} has no counterpart: the model's own scheduler is used"
        return Chosen("default", difference=message)
    return Chosen(plain, difference=f"scheduler {name!r} is {plain} here, without Karras' steps")


def decode(reading: Reading) -> tuple[object, ...]:
    latents = image_latents(reading, "latents")
    vae = reading.take("vae", None) if reading.is_known("vae") else None
    reading.skip("tiled", "tile_size", "fp32")
    return _image(reading, decoded(reading, latents, vae))


def encode(reading: Reading) -> tuple[object, ...]:
    reading.skip("vae", "tiled", "tile_size", "fp32")
    reading.usual("color_compensation", "None")
    pixels = reading.take_as("image", Pixels)
    return ImageLatents(pixels), *_image(reading, pixels)[1:]


def _image(reading: Reading, pixels: Pixels) -> tuple[object, ...]:
    """Return an image with its sides."""
    size = reading.add(
        "nodetool.image.GetMetadata", {"image": pixels.handle}, "size", optional=True
    )
    return pixels, Handle(size, "width"), Handle(size, "height")


def invert_mask(reading: Reading) -> tuple[object, ...]:
    """There, black is painted anew; here, white is."""
    reading.skip("vae", "image", "unet", "tiled", "fp32")
    for name, usual in (("edge_radius", 0), ("coherence_mode", "Gaussian Blur")):
        if (value := known(reading.take(name, usual))) != usual:
            reading.note(f"{name} {value} is left to the mask as it is.", level="warning")
    reading.usual("minimum_denoise", 0, 0.0)
    pixels = reading.take_as("mask", Pixels)
    made = Pixels(Handle(reading.add("lib.pillow.mask.InvertMask", {"mask": pixels.handle})))
    return made, pixels


def scale_latents(reading: Reading) -> tuple[object, ...]:
    latents = image_latents(reading, "latents")
    reading.skip("mode", "antialias")
    reading.note("enlarges latents; here, the image that they stand for is enlarged.")
    properties = {"image": latents.image.handle, "scale": reading.take("scale_factor")}
    made = Pixels(Handle(reading.add("nodetool.image.Scale", properties)))
    return of_image(latents, made.handle), *_image(reading, made)[1:]


def resize_latents(reading: Reading) -> tuple[object, ...]:
    latents = image_latents(reading, "latents")
    reading.skip("mode", "antialias")
    reading.note("resizes latents; here, the image that they stand for is resized.")
    sides = {"width": reading.take("width"), "height": reading.take("height")}
    made = Handle(reading.add("nodetool.image.Resize", {"image": latents.image.handle, **sides}))
    return of_image(latents, made), *sides.values()


_FLOWS: Final = ("anima", "cogview4", "flux", "flux2", "qwen_image", "sd3", "wan", "z_image")

RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    **{f"{family}_i2l": encode for family in _FLOWS},
    **{f"{family}_vae_encode": encode for family in _FLOWS},
    **{f"{family}_l2i": decode for family in _FLOWS},
    **{f"{family}_vae_decode": decode for family in _FLOWS},
    "cogview4_denoise": sample_flow("cfg_scale"),
    "create_denoise_mask": invert_mask,
    "create_gradient_mask": invert_mask,
    "denoise_latents": sample,
    "flux2_denoise": sample_flow("cfg_scale", steps="num_steps"),
    "flux_denoise": sample_flow("guidance", steps="num_steps"),
    "i2l": encode,
    "l2i": decode,
    "lresize": resize_latents,
    "lscale": scale_latents,
    "noise": noise,
    "qwen_image_denoise": sample_flow("cfg_scale"),
    "sd3_denoise": sample_flow("cfg_scale"),
    "tiled_multi_diffusion_denoise_latents": sample_in_tiles,
    "wan_denoise": sample_flow("guidance_scale"),
    "z_image_denoise": sample_flow("guidance_scale"),
}
"""The types of nodes that these rules are for."""
