"""
The rules for classes of widespread packs.

IPAdapter_plus, rgthree, efficiency nodes, essentials, controlnet_aux, WAS, pysssss, and Ultimate SD
Upscale. Sources of the order of values: what these packs' own example files hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nodes.importers.comfyui import diffusion, joining, plain, sampling, scaling
from nodes.importers.comfyui.prompts import prompt_properties, prompt_text
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.samplers import scheduler_for
from nodes.importers.comfyui.sampling import free_u_property
from nodes.importers.comfyui.values import (
    Adapter,
    EmptyLatents,
    ImageLatents,
    Known,
    Network,
    Part,
    Pixels,
    Prompt,
    Weights,
)
from nodetool_core.importing.draft import Handle, Unsupported

REFINEMENT: Final = "huggingface.image_to_image.TiledRefinement"

_FITS: Final = {"stretch": "stretch", "keep proportion": "inside", "fill / crop": "crop"}
_INTERPOLATIONS: Final = {"nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"}


def image_encoder(reading: Reading) -> tuple[object, ...]:
    """Load what an image adapter sees with; here, it comes with the adapter."""
    reading.note(f"is left to the adapter, which names its own: {reading.take('clip_name')!r}.")
    return (Part(),)


def adapt(reading: Reading) -> tuple[object, ...]:
    """Let a model follow an image; the weight of all layers is one here."""
    weights = reading.take_as("model", Weights)
    mask = reading.take("attn_mask", None)
    adapter = Adapter(
        reading.take_as("ipadapter", Network).ref,
        reading.first(reading.take_as("image", Pixels)),
        reading.take("weight", 1.0),
        mask.handle if isinstance(mask, Pixels) else None,
    )
    reading.skip("clip_vision")
    usual = {
        "weight_type": ("linear", "original", "standard"),
        "start_at": (0, 0.0),
        "end_at": (1, 1.0),
        "noise": (0, 0.0),
        "combine_embeds": ("concat",),
        "embeds_scaling": ("V only",),
        "unfold_batch": (False,),
    }
    for name, values in usual.items():
        reading.usual(name, *values)
    return (replace(weights, adapters=(*weights.adapters, adapter)),)


def loras(reading: Reading) -> tuple[object, ...]:
    """Put the LoRAs of a list that are switched on onto a model."""
    weights = reading.take_as("model", Weights)
    found: list[dict[str, object]] = []
    for name, _ in reading.unread():
        entry = reading.take(name, None)
        if not isinstance(entry, dict) or "lora" not in entry:
            continue
        if entry.get("on") is not True:
            reading.note(f"{entry['lora']!r} is switched off, and left out.")
            continue
        second = entry.get("strengthTwo")
        scales = diffusion.lora_scales(
            float(entry.get("strength", 1.0)), None if second is None else float(second)
        )
        found.append({"type": "hf.lora", "repo_id": str(entry["lora"]), **scales})
    return replace(weights, loras=(*weights.loras, *found)), diffusion.encoders(reading)


def seed(reading: Reading) -> tuple[object, ...]:
    """Give a seed; -1, -2 and -3 draw one, which -1 does here."""
    value = max(-1, reading.whole("seed", -1))
    made = reading.add("nodetool.constant.Integer", {"value": value}, optional=True)
    return (Known(made, value=value),)


def text(reading: Reading) -> tuple[object, ...]:
    value = reading.take_as("text", str)
    made = reading.add("nodetool.constant.String", {"value": value}, optional=True)
    return (Known(made, value=value),)


def join_texts(reading: Reading) -> tuple[object, ...]:
    reading.usual("clean_whitespace", "true", True)
    between = str(known(reading.take("delimiter", ", "))).replace("\\n", "\n")
    names = [name for name in ("text_a", "text_b", "text_c", "text_d") if reading.has(name)]
    texts = [reading.take(name) for name in names]
    joined: object = ""
    for number, part in enumerate(texts):
        first = {"a": joined, "b": between if number and joined != "" else ""}
        begun = joined
        if first["b"]:
            begun = Handle(reading.add("nodetool.text.Concat", first, f"to_{number}"))
        both = {"a": begun, "b": part}
        joined = Handle(reading.add("nodetool.text.Concat", both, f"text_{number}"))
    return (joined,)


def show_text(reading: Reading) -> tuple[object, ...]:
    value = reading.take("text")
    reading.skip(*(name for name, _ in reading.unread()))
    reading.add(plain.OUTPUT, {"name": reading.name("text"), "value": value})
    return (value,)


def resize(reading: Reading) -> tuple[object, ...]:
    """Resize as the essentials do: by one side, inside, cropped or stretched."""
    method = str(reading.take("method", "stretch"))
    if method not in _FITS:
        raise Unsupported(f"its method {method!r} has no counterpart")
    reading.usual("condition", "always")
    properties: dict[str, object] = {
        "image": reading.first(reading.take_as("image", Pixels)),
        "fit": _FITS[method],
    }
    sides = {name: reading.take(name, 0) for name in ("width", "height")}
    given = {name: value for name, value in sides.items() if known(value) != 0}
    if not given:
        raise Unsupported("neither width nor height is given")
    properties |= given if len(given) == 2 else {"by": next(iter(given)), **given}
    if (interpolation := str(reading.take("interpolation", "lanczos"))) in _INTERPOLATIONS:
        properties["method"] = _INTERPOLATIONS[interpolation]
    if (multiple := reading.take("multiple_of", 0)) not in (0, 1):
        properties["multiple_of"] = multiple
    made = Handle(reading.add(scaling.RESIZE, properties))
    size = reading.add("nodetool.image.GetMetadata", {"image": made}, "size", optional=True)
    return Pixels(made), Handle(size, "width"), Handle(size, "height")


def canny(reading: Reading) -> tuple[object, ...]:
    reading.skip("resolution")
    properties = {
        "image": reading.first(reading.take_as("image", Pixels)),
        "low_threshold": reading.whole("low_threshold", 100),
        "high_threshold": reading.whole("high_threshold", 200),
    }
    return (Pixels(Handle(reading.add("lib.pillow.filter.Canny", properties))),)


def estimate(node_type: str, what: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that finds depths or poses with a network of its own."""

    def find(reading: Reading) -> tuple[object, ...]:
        image = reading.first(reading.take_as("image", Pixels))
        settings = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
        reading.skip(*(name for name, _ in reading.unread()))
        reading.note(
            f"finds {what} with another network{f' ({settings})' if settings else ''}.",
            level="warning",
        )
        return (Pixels(Handle(reading.add(node_type, {"image": image}))),)

    return find


def refine_in_tiles(reading: Reading) -> tuple[object, ...]:
    """Enlarge an image and repaint it tile by tile."""
    weights = reading.take_as("model", Weights)
    positive, negative = (reading.take_as(name, Prompt) for name in ("positive", "negative"))
    reading.skip("vae")
    if reading.has("upscale_model"):
        reading.take("upscale_model")
        reading.note("is enlarged by resampling, not by its upscale_model.", level="warning")
    image = reading.first(reading.take_as("image", Pixels))
    sampler = str(known(reading.take("sampler_name", "euler")))
    names = reading.draft.choices(REFINEMENT, "scheduler") or ()
    schedule = str(known(reading.take("scheduler", "normal")))
    chosen = scheduler_for(sampler, schedule, names, is_flow=weights.is_flow)
    if chosen.difference:
        reading.note(f"{chosen.difference}.", level="warning")
    properties: dict[str, object] = {
        "model": weights.model,
        **prompt_properties(reading, REFINEMENT, weights, (positive, negative)),
        "image": image,
        "scale": reading.take("upscale_by", 1.0),
        "strength": reading.take("denoise"),
        "num_inference_steps": reading.take("steps"),
        "guidance_scale": reading.take("cfg"),
        "seed": reading.take("seed"),
        **chosen.properties(),
        **({"loras": list(weights.loras)} if weights.loras else {}),
        **free_u_property(reading, REFINEMENT, weights),
    }
    settings = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
    reading.skip(*(name for name, _ in reading.unread()))
    reading.note(f"has tiles of the model's own size here, not {settings}.", level="warning")
    return (Pixels(Handle(reading.add(REFINEMENT, properties))),)


def load_all(reading: Reading) -> tuple[object, ...]:
    """Load a checkpoint with a LoRA, two prompts and empty latents at once."""
    weights, own, _ = diffusion.load_model("ckpt_name")(reading)
    if not isinstance(weights, Weights):
        raise Unsupported("it names no checkpoint")
    vae: object = own
    if reading.take("vae_name", "Baked VAE") != "Baked VAE":
        (vae,) = diffusion.load_part("vae_name")(reading)
    layer = -reading.whole("clip_skip", -1)
    encoders = Part(layer=layer if layer > 1 else None)
    if (lora := reading.take("lora_name", "None")) != "None":
        strength = reading.number("lora_model_strength", 1.0)
        scales = diffusion.lora_scales(strength, reading.number("lora_clip_strength", strength))
        ref: dict[str, object] = {"type": "hf.lora", "repo_id": str(lora), **scales}
        weights = replace(weights, loras=(*weights.loras, ref))
    else:
        reading.skip("lora_model_strength", "lora_clip_strength")
    if (usual := str(known(reading.take("token_normalization", "none")))) != "none":
        message = f"token_normalization {usual!r} is none here: it evens out weights in the texts."
        reading.note(message, level="warning")
    if (usual := str(known(reading.take("weight_interpretation", "comfy")))) != "comfy":
        message = f"weight_interpretation {usual!r} is ComfyUI's here, which counts weights apart."
        reading.note(message, level="warning")
    prompts = [
        Prompt(prompt_text(reading, name), encoders=encoders) for name in ("positive", "negative")
    ]
    size = [reading.take(f"empty_latent_{side}", 512) for side in ("width", "height")]
    latents = EmptyLatents(size[0], size[1], reading.take("batch_size", 1))
    return weights, *prompts, latents, vae, own


@dataclass(frozen=True)
class SecondPass:
    """An image that is enlarged, and sampled once more."""

    scale: object
    steps: object
    denoise: object
    seed: object | None
    """Its own; None for that of the first."""


def second_pass(reading: Reading) -> tuple[object, ...]:
    """Enlarge and sample once more; latents are enlarged as the images that they stand for."""
    kind = str(known(reading.take("upscale_type", "latent")))
    reading.usual("hires_ckpt_name", "(use same)")
    reading.usual("iterations", 1)
    reading.usual("use_controlnet", False)
    if reading.take("use_controlnet", False) is False:
        reading.skip("control_net_name", "strength", "preprocessor", "preprocessor_imgs")
    own = None if reading.take("use_same_seed", False) is True else reading.take("seed", None)
    if own is None:
        reading.skip("seed")
    if kind != "latent":
        file = known(reading.take("pixel_upscaler", ""))
        reading.note(f"is enlarged by resampling, not by {file!r}.", level="warning")
    reading.skip("latent_upscaler", "pixel_upscaler")
    reading.note("enlarges latents; here, the image that they stand for is enlarged.")
    scale, steps = reading.take("upscale_by", 1.25), reading.take("hires_steps", 12)
    return (SecondPass(scale, steps, reading.take("denoise", 0.56), own),)


def _refined(
    reading: Reading, given: sampling.Sampling, script: SecondPass, latents: ImageLatents
) -> ImageLatents:
    larger = {"image": latents.image.handle, "scale": script.scale}
    image = Pixels(Handle(reading.add("nodetool.image.Scale", larger, "larger")))
    again = reading.beside("refined")
    steps = replace(given.steps, count=script.steps, denoise=script.denoise)
    seed = given.seed if script.seed is None else script.seed
    made = replace(given, latents=ImageLatents(image), steps=steps, seed=seed)
    return sampling.sampled(again, made)[0]


def sample_all(reading: Reading) -> tuple[object, ...]:
    """Sample and decode at once."""
    passed = [reading.take(name) for name in ("model", "positive", "negative")]
    given = sampling.sampling_of(reading)
    (latents,) = sampling.sampled(reading, given)
    script = reading.take("script", None)
    if isinstance(script, SecondPass) and isinstance(latents, ImageLatents):
        latents = _refined(reading, given, script, latents)
    elif script is not None:
        reading.lost("script has no counterpart.")
    vae = reading.take("optional_vae", None) if reading.is_known("optional_vae") else None
    reading.skip("preview_method", "vae_decode")
    if not isinstance(latents, ImageLatents):
        raise Unsupported("it gives no image")
    image = diffusion.decoded(reading, latents, vae)
    if 5 not in reading.given:
        # It shows the image by itself.
        shown = {"name": reading.name("preview"), "value": image.batch or image.handle}
        reading.add(plain.OUTPUT, shown, "shown")
    return *passed, latents, vae, image


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "CLIPVisionLoader": image_encoder,
    "CannyEdgePreprocessor": canny,
    "DWPreprocessor": estimate("huggingface.preprocessing.EstimatePose", "poses"),
    "DepthAnythingPreprocessor": estimate("huggingface.preprocessing.EstimateDepth", "depths"),
    "DepthAnythingV2Preprocessor": estimate("huggingface.preprocessing.EstimateDepth", "depths"),
    "Efficient Loader": load_all,
    "GetImageSize+": plain.image_size,
    "HighRes-Fix Script": second_pass,
    "IPAdapter": adapt,
    "IPAdapterAdvanced": adapt,
    "IPAdapterApply": adapt,
    "IPAdapterModelLoader": diffusion.load_network("ipadapter_file", "hf.ip_adapter"),
    "ImageResize+": resize,
    "KSampler (Efficient)": sample_all,
    "MaskPreview+": joining.show_mask,
    "MiDaS-DepthMapPreprocessor": estimate("huggingface.preprocessing.EstimateDepth", "depths"),
    "OpenposePreprocessor": estimate("huggingface.preprocessing.EstimatePose", "poses"),
    "Power Lora Loader (rgthree)": loras,
    "Seed (rgthree)": seed,
    "ShowText|pysssss": show_text,
    "Text Concatenate": join_texts,
    "Text Multiline": text,
    "Text to Conditioning": diffusion.encode_text,
    "UltimateSDUpscale": refine_in_tiles,
    "Zoe-DepthMapPreprocessor": estimate("huggingface.preprocessing.EstimateDepth", "depths"),
}
"""The classes that these rules are for."""
