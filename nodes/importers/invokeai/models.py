"""The rules for InvokeAI's models, LoRAs, prompts, and what leads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nodes.importers.comfyui.diffusion import MODEL_INPUT, NO_PIPELINE
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import Adapter, Control, Network, Part, Pixels, Prompt, Weights
from nodes.importers.known_files import known_file
from nodes.importers.metadata.prompts import lora, weights_file
from nodetool_core.importing.draft import Handle, Unsupported

_HINT: Final = "Run with --set {0}=PATH, or --set {0}=OWNER/NAME for a model of the Hub."
_WEIGHTS: Final = re.compile(r"\)[+-]|\w[+-]{1,5}(?:\s|,|$)|\([^()]+\)\d")
"""How its prompts give words a weight."""


@dataclass(frozen=True)
class Collected:
    """What several edges lead to, in their order."""

    values: tuple[object, ...]


def several(reading: Reading, name: str) -> tuple[object, ...]:
    """Return what leads to a field that takes one edge, several, or a collection."""
    found: list[object] = []
    names = [one for one in reading.growing(name) if one.partition("#")[0] == name]
    for one in names:
        value = reading.take(one)
        found += value.values if isinstance(value, Collected) else [value]
    return tuple(found)


def collect(reading: Reading) -> tuple[object, ...]:
    return (Collected((*several(reading, "collection"), *several(reading, "item"))),)


def model_name(value: object) -> str:
    """Return the name of a model that a field holds; an empty one where none is chosen."""
    if not isinstance(value, Mapping):
        return ""
    return str(value.get("name") or value.get("model_name") or "")


def load_model(
    outputs: int, *, is_flow: bool = False, family: str = ""
) -> Callable[[Reading], tuple[object, ...]]:
    """
    Return the rule of a loader, whose other outputs are parts of the model.

    Args:
        outputs: How many it has.
        is_flow: Whether its models are flow-matching ones.
        family: The family, where no pipeline makes images with it.
    """

    def load(reading: Reading) -> tuple[object, ...]:
        name = model_name(reading.take("model", None))
        ref: dict[str, object] = {"type": "hf.model", "repo_id": weights_file(name) if name else ""}
        called = reading.name("model")
        hint = _HINT.format(called)
        if found := known_file(str(ref["repo_id"])):
            ref |= {"repo_id": found[0], "path": found[1]}
            message = f"{found[0]} --path {found[1]} is fetched from the Hub."
        elif name:
            message = f"the file {ref['repo_id']!r} is looked for in the folders of models."
        else:
            message = "the small one that ships is used, as the file names none."
        reading.note(f"is the input {called!r}; unless it is set, {message}", hint)
        if family:
            message = f"is of {family}, which no pipeline here makes images with."
            reading.note(message, hint, code=NO_PIPELINE, level="warning")
        others = [model_name(value) for one, value in reading.unread() if one.endswith("model")]
        if named := [one for one in others if one]:
            message = f"the model's own parts are used, not {', '.join(named)}."
            reading.note(message, level="warning")
        reading.skip(*(one for one, _ in reading.unread()))
        made = Handle(reading.add(MODEL_INPUT, {"name": called, "value": ref}))
        return Weights(made, is_flow=is_flow), *(Part() for _ in range(outputs - 1))

    return load


def load_vae(reading: Reading) -> tuple[object, ...]:
    name = model_name(reading.take("vae_model", None))
    return (Part(({"type": "hf.model", "repo_id": weights_file(name)},) if name else ()),)


def name_model(reading: Reading) -> tuple[object, ...]:
    return (reading.take("model", None),)


def put_lora(weights: str, *parts: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a loader of a LoRA, which gives on what it is put onto."""

    def put(reading: Reading) -> tuple[object, ...]:
        onto = reading.take_as(weights, Weights)
        others = [reading.take(name, Part()) for name in parts]
        name = model_name(reading.take("lora", None))
        scale = reading.number("weight", 0.75)
        if not name:
            reading.note("names no LoRA, so nothing is put onto the model.")
            return onto, *others
        return replace(onto, loras=(*onto.loras, lora(name, scale))), *others

    return put


def choose_lora(reading: Reading) -> tuple[object, ...]:
    name = model_name(reading.take("lora", None))
    return (lora(name, reading.number("weight", 0.75)) if name else {},)


def put_loras(*parts: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a loader of several LoRAs."""

    def put(reading: Reading) -> tuple[object, ...]:
        onto = reading.take_as("unet", Weights)
        found = [one for one in several(reading, "loras") if isinstance(one, dict) and one]
        others = [reading.take(name, Part()) for name in parts]
        return replace(onto, loras=(*onto.loras, *found)), *others

    return put


def encode(*parts: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that reads a prompt with encoders."""

    def read(reading: Reading) -> tuple[object, ...]:
        reading.skip(*parts, "t5_max_seq_len")
        _no_region(reading)
        return (Prompt(_text(reading, "prompt")),)

    return read


def encode_twice(reading: Reading) -> tuple[object, ...]:
    """Read a prompt with SDXL's first encoder, and a style, if there is one, with the second."""
    reading.skip("clip", "clip2", "original_width", "original_height", "crop_top", "crop_left")
    reading.skip("target_width", "target_height")
    _no_region(reading)
    prompt, style = _text(reading, "prompt"), _text(reading, "style")
    if known(style) in ("", known(prompt)):
        return (Prompt(prompt),)
    return (Prompt(style, other=prompt),)


def encode_for_refiner(reading: Reading) -> tuple[object, ...]:
    reading.skip("clip2", "original_width", "original_height", "crop_top", "crop_left")
    if (score := reading.take("aesthetic_score", 6.0)) != 6.0:
        message = f"aesthetic_score {known(score)} is the pipeline's own here."
        reading.note(message, level="warning")
    return (Prompt(_text(reading, "style")),)


def _text(reading: Reading, name: str) -> str | Handle:
    text: str | Handle = reading.take(name, "")
    if isinstance(text, str) and _WEIGHTS.search(text):
        message = f"weights in {name} have no counterpart: the model reads them as they stand."
        reading.note(message, level="warning")
    return text


def _no_region(reading: Reading) -> None:
    if reading.has("mask"):
        reading.skip("mask")
        reading.lost("mask has no counterpart: the prompt counts for the whole image.")


def _leads_nothing(reading: Reading, what: str) -> tuple[object, ...]:
    reading.skip(*(name for name, _ in reading.unread()))
    reading.note(f"names no {what}, so nothing is led.", level="warning")
    return (None,)


def control(reading: Reading) -> tuple[object, ...]:
    name = model_name(known(reading.take("control_model", None)))
    reading.skip("vae")
    reading.usual("control_mode", "balanced")
    reading.usual("resize_mode", "just_resize", "just_resize_simple")
    if not name:
        return _leads_nothing(reading, "ControlNet")
    network = Network({"type": "hf.controlnet", "repo_id": weights_file(name)})
    return (
        Control(
            network,
            reading.take_as("image", Pixels).handle,
            reading.take("control_weight", 1.0),
            reading.take("begin_step_percent", 0.0),
            reading.take("end_step_percent", 1.0),
        ),
    )


def adapt(reading: Reading) -> tuple[object, ...]:
    name = model_name(known(reading.take("ip_adapter_model", None)))
    reading.skip("clip_vision_model")
    reading.usual("method", "full")
    reading.usual("begin_step_percent", 0, 0.0)
    reading.usual("end_step_percent", 1, 1.0)
    if not name:
        return _leads_nothing(reading, "IP adapter")
    images = several(reading, "image")
    if not images or not isinstance(images[0], Pixels):
        raise Unsupported("it has no image")
    if len(images) > 1:
        reading.note("its first image leads alone here.", level="warning")
    ref = {"type": "hf.ip_adapter", "repo_id": weights_file(name)}
    mask = reading.take("mask", None)
    where = mask.handle if isinstance(mask, Pixels) else None
    return (Adapter(ref, images[0].handle, reading.take("weight", 1.0), where),)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "anima_text_encoder": encode("qwen3_encoder", "t5_encoder"),
    "cogview4_model_loader": load_model(3, is_flow=True),
    "cogview4_text_encoder": encode("glm_encoder"),
    "collect": collect,
    "compel": encode("clip"),
    "controlnet": control,
    "flux2_klein_model_loader": load_model(3, is_flow=True),
    "flux2_klein_text_encoder": encode("qwen3_encoder"),
    "flux_controlnet": control,
    "flux_lora_loader": put_lora("transformer", "clip", "t5_encoder"),
    "flux_model_loader": load_model(5, is_flow=True),
    "flux_text_encoder": encode("clip", "t5_encoder"),
    "ip_adapter": adapt,
    "lora_collection_loader": put_loras("clip"),
    "lora_loader": put_lora("unet", "clip"),
    "lora_selector": choose_lora,
    "main_model_loader": load_model(3),
    "model_identifier": name_model,
    "qwen_image_model_loader": load_model(3, is_flow=True),
    "qwen_image_text_encoder": encode("qwen_vl_encoder"),
    "sd3_model_loader": load_model(5, is_flow=True),
    "sd3_text_encoder": encode("clip_l", "clip_g", "t5_encoder"),
    "sdxl_compel_prompt": encode_twice,
    "sdxl_lora_collection_loader": put_loras("clip", "clip2"),
    "sdxl_lora_loader": put_lora("unet", "clip", "clip2"),
    "sdxl_model_loader": load_model(4),
    "sdxl_refiner_compel_prompt": encode_for_refiner,
    "sdxl_refiner_model_loader": load_model(3),
    "vae_loader": load_vae,
    "wan_model_loader": load_model(3, is_flow=True, family="Wan"),
    "wan_text_encoder": encode("wan_t5_encoder"),
    "z_image_model_loader": load_model(3, is_flow=True),
    "z_image_text_encoder": encode("qwen3_encoder"),
}
"""The types of nodes that these rules are for."""
