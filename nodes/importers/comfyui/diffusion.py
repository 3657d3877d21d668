"""
The rules for models, prompts and latents: all that leads to a sampler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from nodes.importers.comfyui.prompts import prompt_text
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import (
    Control,
    EmptyLatents,
    ImageLatents,
    Network,
    Part,
    Pixels,
    Prompt,
    Weights,
)
from nodes.importers.known_files import known_file
from nodes.importers.without_pipeline import family_without_pipeline
from nodetool_core import ModelRef
from nodetool_core.importing.draft import Handle, Unsupported

UPSCALE: Final = "huggingface.image_to_image.Upscale"
MODEL_INPUT: Final = "nodetool.input.HuggingFaceModelInput"

NO_PIPELINE: Final = "no_pipeline"
"""The code of a note about a model that nothing here runs."""

WEIGHTS: Final = frozenset({".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin"})
"""How files of weights end."""

_SCORES: Final = (6.0, 2.5)
"""The scores that SDXL's refiner is asked for: for the prompt, and for what is not wanted."""

_ALL_LAYERS: Final = 64
"""More than a model takes an image apart into."""

UNION: Final = {
    "openpose": 0,
    "depth": 1,
    "hed/pidi/scribble/ted": 2,
    "canny/lineart/anime_lineart/mlsd": 3,
    "normal": 4,
    "segment": 5,
    "tile": 6,
    "repaint": 7,
}
"""Kinds of control images of SDXL's union ControlNets, by the numbers they were trained with."""


def image_latents(reading: Reading, name: str) -> ImageLatents:
    """Return the latents of an image. Raises Unsupported where there is no image yet."""
    latents = reading.take(name)
    if not isinstance(latents, ImageLatents):
        raise Unsupported(f"its {name} are not the latents of an image")
    return latents


def of_image(latents: ImageLatents, handle: Handle) -> ImageLatents:
    """
    Return the latents of the image that another one became; a mask for the old one no longer fits.
    """
    return ImageLatents(Pixels(handle), count=latents.count)


def load_model(name: str, *, is_flow: bool = False) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a loader whose input `name` names the file."""

    def load(reading: Reading) -> tuple[object, ...]:
        ref, from_hub = _ref(reading, name, "hf.model")
        path = ref["repo_id"]
        if family := family_without_pipeline(str(ref.get("path", path))):
            message = f"is of {family}, which diffusers has no pipeline for: the workflow runs with"
            hint = "Set the input for the model to one of another family."
            reading.note(f"{message} another model alone.", hint, code=NO_PIPELINE, level="warning")
        reading.skip("config_name")
        if (dtype := str(reading.take("weight_dtype", "default"))).startswith("fp8"):
            ref["quantization"] = "fp8"
        elif dtype != "default":
            reading.lost(f"weight_dtype has no counterpart: {dtype!r} is left out.")
        called = reading.name("model")
        if is_flow and _is_file(ref):
            options = {"quantization": ref.pop("quantization")} if "quantization" in ref else {}
            ref = {"type": "hf.model", "repo_id": "", "denoiser": ref, **options}
        model = reading.add(MODEL_INPUT, {"name": called, "value": ref})
        hint = f"Run with --set {called}=PATH, or --set {called}=OWNER/NAME for a model of the Hub."
        reading.note(
            f"is the input {called!r}; unless it is set, "
            + (
                f"{from_hub} is fetched from the Hub."
                if from_hub
                else f"the file {path!r} is read from the folder that the run starts in."
            ),
            f"Fetch it before: nodetool models pull {from_hub}. {hint}" if from_hub else hint,
        )
        return Weights(Handle(model), is_flow=is_flow), Part(), Part()

    return load


def _ref(reading: Reading, name: str, kind: str) -> tuple[dict[str, object], str]:
    """
    Return the reference to a file, and what `nodetool models pull` takes to fetch it.

    The second is empty where the file's place on the Hub is not known.
    """
    path = reading.file_name(name)
    address = reading.node.models.get(PurePosixPath(path).name, "")
    page = _page(address) or (_known(path) if reading.knows_hub else {})
    if not page:
        return {"type": kind, "repo_id": path}, ""
    options = "".join(f" --{key} {page[key]}" for key in ("path", "revision") if key in page)
    return {"type": kind, **page}, page["repo_id"] + options


def _known(name: str) -> dict[str, str]:
    """Return where the Hub has a file of a name; nothing where that is not known."""
    found = known_file(name)
    return {} if found is None else {"repo_id": found[0], "path": found[1]}


def _is_file(ref: Mapping[str, object]) -> bool:
    """Return whether a reference names a file of weights, not a repository or a folder."""
    name = str(ref.get("path") or ref.get("repo_id"))
    return PurePosixPath(name).suffix.lower() in WEIGHTS


def _page(address: str) -> dict[str, str]:
    """Return what an address on the Hub names; nothing for others."""
    try:
        ref = ModelRef(repo_id=address)
    except ValueError:
        return {}
    if "/" not in address or ref.repo_id == address:
        return {}
    named = {"repo_id": ref.repo_id, "path": ref.path, "revision": ref.revision}
    return {name: value for name, value in named.items() if value}


def load_part(*names: str) -> Callable[[Reading], tuple[object, ...]]:
    """
    Return the rule of a loader of a text encoder or an autoencoder, which here come with the model.
    """

    def load(reading: Reading) -> tuple[object, ...]:
        files = [_ref(reading, name, "hf.model") for name in names if reading.has(name)]
        reading.skip("type", "device")
        for ref, from_hub in files:
            if from_hub:
                hint = f"Fetch it before: nodetool models pull {from_hub}."
                reading.note(f"{from_hub} is fetched from the Hub.", hint)
            else:
                message = f"{ref['repo_id']!r} is read from the folder that the run starts in."
                reading.note(message)
        return (Part(tuple(ref for ref, _ in files)),)

    return load


def load_network(name: str, kind: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a loader of a network that a node of ours takes as a property."""

    def load(reading: Reading) -> tuple[object, ...]:
        reading.skip("model")
        ref, from_hub = _ref(reading, name, kind)
        if from_hub:
            reading.note(f"{from_hub} is fetched from the Hub.")
        else:
            reading.note(
                f"{ref['repo_id']!r} is read from the folder that the run starts in, unless it is"
                " the id of a model."
            )
        return (Network(ref),)

    return load


def lora(reading: Reading) -> tuple[object, ...]:
    weights = reading.take_as("model", Weights)
    strength = reading.number("strength_model", 1.0)
    ref, _ = _ref(reading, "lora_name", "hf.lora")
    has_text = reading.has("clip")
    ref |= lora_scales(strength, reading.number("strength_clip", strength) if has_text else None)
    return replace(weights, loras=(*weights.loras, ref)), encoders(reading)


def lora_scales(scale: float, text_encoder_scale: float | None) -> dict[str, float]:
    """Return how much of a LoRA is applied, and of its text encoders' part where that differs."""
    if text_encoder_scale is None or text_encoder_scale == scale:
        return {"scale": scale}
    return {"scale": scale, "text_encoder_scale": text_encoder_scale}


def encoders(reading: Reading) -> Part:
    """Return what reads a text; the model's own where nothing is connected that is known."""
    part = reading.take("clip", None) if reading.is_known("clip") else None
    return part if isinstance(part, Part) else Part()


def use_part(reading: Reading, model: Handle, name: str, part: Part) -> None:
    """
    Let a model have files of its own for a part of it, where it is in files itself.

    A whole repository has all its parts.
    """
    if not part.files:
        return
    value = reading.draft.nodes[model.node].data["value"]
    if "denoiser" not in value and not _is_file(value):
        named = ", ".join(str(file["repo_id"]) for file in part.files)
        reading.note(f"the model's own {name} is used, not {named}.", level="warning")
        return
    files = list(part.files) if name == "text_encoders" else part.files[0]
    if value.setdefault(name, files) != files:
        reading.note(f"the model has another {name} already, which is used.", level="warning")


def encode_text(reading: Reading) -> tuple[object, ...]:
    return (Prompt(prompt_text(reading, "text"), encoders=encoders(reading)),)


def encode_text_of_two(reading: Reading) -> tuple[object, ...]:
    """Read SDXL's two texts; its sizes are the pipeline's."""
    reading.skip("width", "height", "crop_w", "crop_h", "target_width", "target_height")
    return (_text_of_two(reading, "text_g", "text_l"),)


def _text_of_two(reading: Reading, name: str, other_name: str) -> Prompt:
    """Read a text, and the one that CLIP-L reads in its place where that is another."""
    text, other = prompt_text(reading, name), prompt_text(reading, other_name)
    is_same = known(other) in ("", known(text))
    return Prompt(text, encoders=encoders(reading), other=None if is_same else other)


def encode_text_for_flux(reading: Reading) -> tuple[object, ...]:
    """Read FLUX's two texts: T5's leads the image, CLIP's is a single vector beside it."""
    prompt = _text_of_two(reading, "t5xxl", "clip_l")
    return (replace(prompt, guidance=reading.take("guidance", None)),)


def last_layer(reading: Reading) -> tuple[object, ...]:
    """Read texts with an encoder that is not used to its end."""
    layer = -reading.whole("stop_at_clip_layer", -1)
    return (replace(encoders(reading), layer=max(1, layer)),)


def encode_text_of_refiner(reading: Reading) -> tuple[object, ...]:
    """Read the text for SDXL's refiner; the size and the score are its pipeline's."""
    reading.skip("width", "height")
    reading.usual("ascore", *_SCORES)
    if (score := known(reading.take("ascore", _SCORES[0]))) not in _SCORES:
        message = (
            f"ascore {score} is {_SCORES[0]:g} for the prompt and {_SCORES[1]:g} for the other"
        )
        reading.note(f"{message} one here, as the pipeline has it.", level="warning")
    return (Prompt(prompt_text(reading, "text"), encoders=encoders(reading)),)


def union_type(reading: Reading) -> tuple[object, ...]:
    """Say which of its kinds a ControlNet for several is given."""
    kind = str(reading.take("type", "auto"))
    network = reading.take_as("control_net", Network)
    if kind == "auto":
        return (network,)
    if kind not in UNION:
        raise Unsupported(f"type {kind!r} is none of {', '.join(UNION)}")
    return (replace(network, mode=UNION[kind]),)


def no_text(reading: Reading) -> tuple[object, ...]:
    reading.take("conditioning")
    reading.unneeded.add("conditioning")
    return (Prompt(""),)


def guidance(reading: Reading) -> tuple[object, ...]:
    return (replace(reading.take_as("conditioning", Prompt), guidance=reading.take("guidance")),)


def control(reading: Reading) -> tuple[object, ...]:
    """Both forms: of one conditioning, and of a positive and a negative one."""
    names = ("positive", "negative") if reading.has("positive") else ("conditioning",)
    prompts = [reading.take_as(name, Prompt) for name in names]
    reading.skip("vae")
    led = Control(
        reading.take_as("control_net", Network),
        reading.take_as("image", Pixels).handle,
        reading.take("strength", 1.0),
        reading.take("start_percent", 0.0),
        reading.take("end_percent", 1.0),
    )
    if (known(led.start), known(led.end)) != (0, 1):
        reading.note("start and end are shares of the steps here, of the model's times there.")
    return tuple(replace(prompt, controls=(*prompt.controls, led)) for prompt in prompts)


def empty_latents(*, is_flow: bool = False) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node of empty latents, of a kind that flow models alone have."""

    def make(reading: Reading) -> tuple[object, ...]:
        width, height = reading.take("width"), reading.take("height")
        return (EmptyLatents(width, height, reading.take("batch_size", 1), is_flow),)

    return make


def empty_layers(reading: Reading) -> tuple[object, ...]:
    """Begin with an image that is taken apart into layers."""
    sides = reading.take("width"), reading.take("height")
    reading.usual("batch_size", 1)
    return (EmptyLatents(*sides, is_flow=True, layers=reading.take("layers")),)


def layers_alone(reading: Reading) -> tuple[object, ...]:
    """Leave the image itself out, which lies below its layers there and is not given here."""
    latents = image_latents(reading, "samples")
    cut = reading.take("dim", "x"), reading.whole("index", 0)
    if not latents.layers or cut != ("t", 1):
        raise Unsupported("it cuts latents, which are images here")
    if reading.whole("amount", 1) < _ALL_LAYERS:
        raise Unsupported("it keeps some of the layers alone")
    reading.skip("amount")
    return (latents,)


def layers_as_batch(reading: Reading) -> tuple[object, ...]:
    latents = image_latents(reading, "samples")
    if not latents.layers or (reading.take("dim", "t"), reading.take("slice_size", 1)) != ("t", 1):
        raise Unsupported("it cuts latents, which are images here")
    return (latents,)


def encode_image_data(reading: Reading) -> tuple[object, ...]:
    reading.skip("vae")
    reading.skip("tile_size", "overlap", "temporal_size", "temporal_overlap")
    return (ImageLatents(reading.take_as("pixels", Pixels)),)


def encode_for_inpainting(reading: Reading) -> tuple[object, ...]:
    reading.skip("vae")
    image, mask = reading.take_as("pixels", Pixels), reading.take_as("mask", Pixels)
    return (ImageLatents(image, mask, reading.take("grow_mask_by", 6)),)


def condition_for_inpainting(reading: Reading) -> tuple[object, ...]:
    """Prepare latents for models that are made for inpainting; the prompts pass through."""
    reading.skip("vae")
    has_noise_mask = reading.take("noise_mask", True) is not False
    if not has_noise_mask:
        message = (
            "noise_mask False lets the model paint the whole image anew; here, what is outside"
        )
        reading.note(f"{message} of the mask keeps every bit.", level="warning")
    latents = ImageLatents(
        reading.take_as("pixels", Pixels),
        reading.take_as("mask", Pixels),
        mask_is="fill" if has_noise_mask else "fill alone",
    )
    return reading.take_as("positive", Prompt), reading.take_as("negative", Prompt), latents


def set_mask(reading: Reading) -> tuple[object, ...]:
    return (replace(image_latents(reading, "samples"), mask=reading.take_as("mask", Pixels)),)


def repeat(reading: Reading) -> tuple[object, ...]:
    latents, amount = reading.take("samples"), reading.whole("amount")
    if not isinstance(latents, (EmptyLatents, ImageLatents)) or not isinstance(latents.count, int):
        raise Unsupported("its samples can't be repeated")
    return (replace(latents, count=latents.count * amount),)


def decode(reading: Reading) -> tuple[object, ...]:
    latents = image_latents(reading, "samples")
    vae = reading.take("vae", None) if reading.is_known("vae") else None
    reading.skip("tile_size", "overlap", "temporal_size", "temporal_overlap")
    return (decoded(reading, latents, vae),)


def decoded(reading: Reading, latents: ImageLatents, vae: object) -> Pixels:
    """Return the image of latents, whose model is given the autoencoder that reads them."""
    if latents.model is not None and isinstance(vae, Part):
        use_part(reading, latents.model, "vae", vae)
    return latents.image


def upscale(reading: Reading) -> tuple[object, ...]:
    image, network = (
        reading.first(reading.take_as("image", Pixels)),
        reading.take_as("upscale_model", Network),
    )
    return (Pixels(Handle(reading.add(UPSCALE, {"image": image, "model": network.ref}))),)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "CLIPLoader": load_part("clip_name"),
    "CLIPSetLastLayer": last_layer,
    "CLIPTextEncode": encode_text,
    "CLIPTextEncodeFlux": encode_text_for_flux,
    "CLIPTextEncodeSDXL": encode_text_of_two,
    "CLIPTextEncodeSDXLRefiner": encode_text_of_refiner,
    "CheckpointLoader": load_model("ckpt_name"),
    "CheckpointLoaderSimple": load_model("ckpt_name"),
    "ConditioningZeroOut": no_text,
    "ControlNetApply": control,
    "ControlNetApplyAdvanced": control,
    "ControlNetApplySD3": control,
    "ControlNetLoader": load_network("control_net_name", "hf.controlnet"),
    "DiffControlNetLoader": load_network("control_net_name", "hf.controlnet"),
    "DiffusersLoader": load_model("model_path"),
    "DualCLIPLoader": load_part("clip_name1", "clip_name2"),
    "EmptyChromaRadianceLatentImage": empty_latents(is_flow=True),
    "EmptyFlux2LatentImage": empty_latents(is_flow=True),
    "EmptyHiDreamO1LatentImage": empty_latents(is_flow=True),
    "EmptyLatentImage": empty_latents(),
    "EmptyQwenImageLayeredLatentImage": empty_layers,
    "EmptySD3LatentImage": empty_latents(is_flow=True),
    "FluxGuidance": guidance,
    "ImageUpscaleWithModel": upscale,
    "InpaintModelConditioning": condition_for_inpainting,
    "LatentCut": layers_alone,
    "LatentCutToBatch": layers_as_batch,
    "LoraLoader": lora,
    "LoraLoaderModelOnly": lora,
    "RepeatLatentBatch": repeat,
    "SetLatentNoiseMask": set_mask,
    "SetUnionControlNetType": union_type,
    "QuadrupleCLIPLoader": load_part("clip_name1", "clip_name2", "clip_name3", "clip_name4"),
    "TripleCLIPLoader": load_part("clip_name1", "clip_name2", "clip_name3"),
    "UNETLoader": load_model("unet_name", is_flow=True),
    "UpscaleModelLoader": load_network("model_name", "hf.real_esrgan"),
    "VAEDecode": decode,
    "VAEDecodeTiled": decode,
    "VAEEncode": encode_image_data,
    "VAEEncodeForInpaint": encode_for_inpainting,
    "VAEEncodeTiled": encode_image_data,
    "VAELoader": load_part("vae_name"),
}
"""The classes that these rules are for."""
