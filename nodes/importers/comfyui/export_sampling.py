"""The rules of the exporter for nodes that run a diffusion model: each becomes a KSampler."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import PurePosixPath
from typing import Final

from nodes.importers.comfyui.diffusion import UNION, WEIGHTS
from nodes.importers.comfyui.export_prompts import combined, further_prompts
from nodes.importers.comfyui.packs_loading import PRESET_NAMES, PRESETS
from nodes.importers.comfyui.samplers import SAMPLERS, scheduler_for
from nodes.importers.comfyui.writing import Control, Controls, Given, Loaded, Output, Writing
from nodes.importers.known_files import known_file
from nodes.importers.prompt_syntax import FLOW, has_syntax, is_xl
from nodetool_core.importing.draft import Unsupported
from nodetool_core.importing.graphs import Json, JsonObject
from nodetool_core.models.diffusers.prompt_syntax import PromptError

_SHIPPED: Final = "nodetool/tiny-landscapes"
"""The model that is used where none is named."""
_SCHEDULES: Final = ("normal", "karras", "exponential", "sgm_uniform", "beta", "simple")
_KEYS: Final = frozenset({"type", "repo_id", "path", "revision", "scale", "text_encoder_scale"})
"""Fields of references that a name of a file says, or that become inputs."""
_FREE_U: Final = ("b1", "b2", "s1", "s2")
_BRACKETS: Final = re.compile(r"[()]")
_SQUARE: Final = re.compile(r"(?<!\\)[\[\]]|\bBREAK\b")
_ESCAPED_SQUARE: Final = re.compile(r"\\([\[\]])")


def load_model(writing: Writing) -> Mapping[str, Given]:
    """Write the loader of the model that is an input of the workflow."""
    writing.skip("name", "description")
    return {"output": _loaded(writing, writing.known("value"), "")}


def _loaded(writing: Writing, ref: Json, part: str) -> Loaded:
    name, is_file = _named(writing, ref)
    if FLOW.search(name):
        raise Unsupported(f"{name!r} is a flow-matching model, which other classes are for")
    if is_file:
        node = writing.add("CheckpointLoaderSimple", {"ckpt_name": name}, part)
    else:
        node = writing.add("DiffusersLoader", {"model_path": name}, part)
        writing.note(f"{name!r} is read from ComfyUI's folder models/diffusers: copy it there.")
    model, clip, vae = (Output(node, at, kind) for at, kind in enumerate(("MODEL", "CLIP", "VAE")))
    return Loaded(name, model, clip, vae)


def _named(writing: Writing, ref: Json) -> tuple[str, bool]:
    """Return how a file names a model, and whether it is a file of weights."""
    ref = ref if isinstance(ref, Mapping) else {"repo_id": ref}
    stated = {key for key, value in ref.items() if value and key not in _KEYS}
    for key in sorted(stated):
        writing.lost(f"{key} {ref[key]!r} of the model has no counterpart and is left out.")
    repo, path = str(ref.get("repo_id") or ""), str(ref.get("path") or "")
    if not repo:
        message = f"names no model; the one that is used then is {_SHIPPED}. Choose another there."
        writing.note(message, level="warning")
        return _SHIPPED, False
    if not path:
        return repo, PurePosixPath(repo).suffix.lower() in WEIGHTS
    name = PurePosixPath(path).name
    level = "note" if known_file(name) == (repo, path) else "warning"
    writing.note(f"{path!r} of {repo} is looked for as {name!r} in ComfyUI's folders.", level=level)
    return name, True


def network_file(writing: Writing, name: str, ref: Json) -> str:
    """Return the name of a file of a network. Raises Unsupported where none is named."""
    if not isinstance(ref, Mapping) or not ref.get("repo_id"):
        raise Unsupported(f"its {name} names no file")
    file, is_file = _named(writing, ref)
    if not is_file:
        message = f"{file!r} is a repository; ComfyUI wants the name of a file in its folder."
        writing.note(message, level="warning")
    return file


def from_text(writing: Writing) -> Mapping[str, Output]:
    model = _model(writing)
    sides = {name: writing.value(name) for name in ("width", "height")}
    usual = 1024 if is_xl(model.name) else 512
    for name, side in sides.items():
        if side == 0:
            sides[name] = usual
            writing.note(f"{name} 0, the model's usual one, becomes {usual}.", level="warning")
        elif isinstance(side, int) and side % 8:
            writing.note(f"{name} {side} is cut to {side // 8 * 8} there.", level="warning")
    latents: JsonObject = {**sides, "batch_size": writing.value("num_images")}
    empty = writing.add("EmptyLatentImage", latents, "latent")
    area = sides["width"], sides["height"]
    return _sampled(writing, model, [empty, 0], writing.value("num_inference_steps"), 1.0, area)


def from_image(writing: Writing) -> Mapping[str, Output]:
    model = _model(writing)
    encoded: JsonObject = {"pixels": writing.image("image"), "vae": model.vae.link}
    latents = writing.add("VAEEncode", encoded, "latent")
    if writing.has("strength_mask"):
        masked: JsonObject = {"samples": [latents, 0], "mask": writing.mask("strength_mask")}
        latents = writing.add("SetLatentNoiseMask", masked, "masked")
        patch: JsonObject = {"model": model.model.link, "strength": 1.0}
        by_tones = writing.add("DifferentialDiffusion", patch, "by_tones")
        model = replace(model, model=Output(by_tones, 0, "MODEL"))
    return _from_latents(writing, model, latents)


def inpaint(writing: Writing) -> Mapping[str, Output]:
    """
    Repaint what a mask covers.

    VAEEncodeForInpaint erases it before, which fits where all of the noise is added.
    """
    model = _model(writing)
    image, mask = writing.image("image"), writing.mask("mask_image")
    encoded: JsonObject = {"pixels": image, "vae": model.vae.link}
    writing.skip("crop_padding")
    if writing.known("strength") == 1:
        encoded |= {"mask": mask, "grow_mask_by": writing.value("mask_grow")}
        return _from_latents(writing, model, writing.add("VAEEncodeForInpaint", encoded, "latent"))
    if writing.known("mask_grow"):
        grown: JsonObject = {"mask": mask, "expand": writing.value("mask_grow")}
        mask = [writing.add("GrowMask", {**grown, "tapered_corners": False}, "grown"), 0]
        writing.note("mask_grow becomes a node of its own.")
    whole = writing.add("VAEEncode", encoded, "whole")
    masked = writing.add("SetLatentNoiseMask", {"samples": [whole, 0], "mask": mask}, "latent")
    return _from_latents(writing, model, masked)


def _model(writing: Writing) -> Loaded:
    """Return the model with its LoRAs, and an image that leads it."""
    found = writing.take("model")
    model = (
        found if isinstance(found, Loaded) else _loaded(writing, writing.known("model"), "model")
    )
    link, clip = model.model, model.clip
    for number, ref in enumerate(_refs(writing, "loras"), 1):
        scale, for_text = ref.get("scale", 1.0), ref.get("text_encoder_scale")
        inputs: JsonObject = {"model": link.link, "clip": clip.link}
        inputs |= {"lora_name": network_file(writing, "loras", ref), "strength_model": scale}
        inputs["strength_clip"] = scale if for_text is None else for_text
        node = writing.add("LoraLoader", inputs, f"lora_{number}")
        link, clip = Output(node, 0, "MODEL"), Output(node, 1, "CLIP")
    return Loaded(model.name, _adapted(writing, _with_free_u(writing, link)), clip, model.vae)


def _with_free_u(writing: Writing, model: Output) -> Output:
    numbers = writing.known("free_u")
    if not isinstance(numbers, list) or len(numbers) != len(_FREE_U):
        return model
    inputs: JsonObject = {"model": model.link, **dict(zip(_FREE_U, numbers, strict=True))}
    return Output(writing.add("FreeU", inputs, "free_u"), 0, "MODEL")


def _adapted(writing: Writing, model: Output) -> Output:
    """Return the model led by an image, through one of the adapters that have a preset."""
    ref = writing.known("ip_adapter_model")
    if not isinstance(ref, Mapping) or not ref.get("repo_id"):
        return model
    file = PurePosixPath(str(ref.get("path") or ref.get("repo_id"))).name
    preset = next((name for name, files in PRESETS.items() if file in files), "")
    if not preset:
        writing.skip("ip_adapter_image", "ip_adapter_scale")
        writing.lost(f"ip_adapter_model {file!r} has no preset there, and is left out.")
        return model
    loaded = writing.add(
        "IPAdapterUnifiedLoader", {"model": model.link, "preset": PRESET_NAMES[preset]}, "adapter"
    )
    inputs: JsonObject = {
        **{"model": [loaded, 0], "ipadapter": [loaded, 1]},
        "image": writing.image("ip_adapter_image"),
        "weight": writing.value("ip_adapter_scale"),
        **{"start_at": 0.0, "end_at": 1.0, "weight_type": "standard"},
    }
    return Output(writing.add("IPAdapter", inputs, "led"), 0, "MODEL")


def _refs(writing: Writing, name: str) -> list[Mapping[str, Json]]:
    found = writing.known(name)
    return [ref for ref in found if isinstance(ref, Mapping)] if isinstance(found, list) else []


def _from_latents(writing: Writing, model: Loaded, latents: str) -> Mapping[str, Output]:
    count = writing.value("num_images")
    if count != 1:
        latents = writing.add(
            "RepeatLatentBatch", {"samples": [latents, 0], "amount": count}, "batch"
        )
    if writing.known("strength") in (0, 1):
        steps = writing.value("num_inference_steps")
    else:
        steps = _steps_run(writing.whole("num_inference_steps"), writing.number("strength"))
        writing.note(f"steps becomes {steps}: so many are run of them here.")
    return _sampled(writing, model, [latents, 0], steps, writing.value("strength"))


def _positive(writing: Writing, clip: Json) -> list[Json]:
    """Return the prompt, with all that count beside it; an empty one leaves the others alone."""
    others = further_prompts(writing)
    base: Json = None
    if not others or writing.take("prompt") != "":
        base = [_text(writing, "prompt", clip, "positive"), 0]

    def encoded(text: Output | str, part: str) -> str:
        return _encoded(writing, "prompts", text, clip, part)

    return combined(writing, base, others, encoded)


def _steps_run(count: int, strength: float) -> int:
    """Return how many steps are run of all: ComfyUI runs all whatever the strength is."""
    return max(1, min(int(count * strength), count))


def _sampled(
    writing: Writing,
    model: Loaded,
    latents: Json,
    steps: Json,
    denoise: Json,
    size: tuple[object, object] | None = None,
) -> Mapping[str, Output]:
    sampler, schedule = _sampler(writing)
    clip = _encoders(writing, model, size)
    positive = _positive(writing, clip)
    negative: list[Json] = [_text(writing, "negative_prompt", clip, "negative"), 0]
    positive, negative = _controlled(writing, model, positive, negative)
    seed = writing.value("seed")
    if writing.stated("seed") == -1:
        writing.note("seed -1, another one each time, becomes 0.", level="warning")
        seed = 0
    writing.skip("embeddings")
    inputs: JsonObject = {
        "model": model.model.link,
        "seed": seed,
        "steps": steps,
        "cfg": writing.value("guidance_scale"),
        "sampler_name": sampler,
        "scheduler": schedule,
        "positive": positive,
        "negative": negative,
        "latent_image": latents,
        "denoise": denoise,
    }
    node = writing.add("KSampler", inputs)
    decoded = writing.add("VAEDecode", {"samples": [node, 0], "vae": model.vae.link}, "image")
    return {"output": Output(decoded), "images": Output(decoded)}


def _sampler(writing: Writing) -> tuple[str, str]:
    name = str(writing.known("scheduler"))
    spread = str(writing.known("noise_schedule"))
    found = _samplers().get(name)
    made = found or ("euler", "normal")
    if spread != "default":
        made = (made[0], spread)
    if found is None:
        used = " with ".join(made)
        message = f"scheduler {name!r} has no counterpart: {used} is used."
        if name == "default":
            message = f"scheduler 'default', the model's own, becomes {used}."
        writing.note(message, level="warning")
    return made


@cache
def _samplers() -> Mapping[str, tuple[str, str]]:
    """Return the sampler and the schedule of each scheduler that has them."""
    names = set(SAMPLERS.values())
    names |= {f"{name} {schedule}" for name in names for schedule in _SCHEDULES}
    found: dict[str, tuple[str, str]] = {}
    for schedule in _SCHEDULES:
        for sampler in SAMPLERS:
            chosen = scheduler_for(sampler, schedule, names)
            if not chosen.difference and chosen.noise_schedule == "default":
                found.setdefault(chosen.scheduler, (sampler, schedule))
    return found


def _encoders(writing: Writing, model: Loaded, size: tuple[object, object] | None) -> list[Json]:
    skipped = writing.whole("clip_skip")
    if not skipped:
        return model.clip.link
    layer = -(skipped + (2 if is_xl(model.name, size) else 1))
    inputs: JsonObject = {"clip": model.clip.link, "stop_at_clip_layer": layer}
    return [writing.add("CLIPSetLastLayer", inputs, "layer"), 0]


def _text(writing: Writing, name: str, clip: Json, part: str) -> str:
    found = writing.take(name)
    text = found if isinstance(found, Output) else str(found)
    return _encoded(writing, name, text, clip, part)


def _encoded(writing: Writing, name: str, found: Output | str, clip: Json, part: str) -> str:
    """Write the node that reads a text, as the property `prompt_syntax` says."""
    is_weighted = writing.known("prompt_syntax") == "weighted"
    if isinstance(found, Output):
        text: Json = found.link
        if not is_weighted and found.is_constant and _is_read(str(found.value)):
            message = f"ComfyUI reads weights and brackets in {name}, which are text here."
            writing.note(message, level="warning")
    else:
        text = _weighted(writing, name, found) if is_weighted else _plain(found)
    return writing.add("CLIPTextEncode", {"text": text, "clip": clip}, part)


def _plain(text: str) -> str:
    """Return a text that is read as it stands, where ComfyUI would find weights in it."""
    return _BRACKETS.sub(r"\\\g<0>", text) if _is_read(text) else text


def _is_read(text: str) -> bool:
    try:
        return has_syntax(_SQUARE.sub("", text))
    except PromptError:
        return True


def _weighted(writing: Writing, name: str, text: str) -> str:
    """Return a text with weights; what it has beside ComfyUI's syntax is noted."""
    if _SQUARE.search(text):
        message = f"[ ] and BREAK in {name} are syntax here, and text in ComfyUI."
        writing.note(message, level="warning")
    text = _ESCAPED_SQUARE.sub(r"\1", text)
    for ref in _refs(writing, "embeddings"):
        path = network_file(writing, "embeddings", ref).removesuffix(".safetensors")
        stem = PurePosixPath(path).name
        pattern = rf"embedding:{re.escape(stem)}(?![\w-])"
        text = re.sub(pattern, lambda _, path=path: f"embedding:{path}", text)  # type: ignore[misc]
    return text


def add_control(writing: Writing) -> Mapping[str, Given]:
    """Write a ControlNet beside those that lead a sampler already."""
    control = Control(
        _network(writing, "mode", ""),
        writing.image("image"),
        *(writing.value(name) for name in ("scale", "start", "end")),
    )
    return {"output": Controls((*_controls(writing), control))}


def _controls(writing: Writing) -> tuple[Control, ...]:
    """Return the ControlNets of a list that nodes make; another one is noted as lost."""
    found = writing.take("controlnets")
    if isinstance(found, Controls):
        return found.units
    if found:
        writing.lost("controlnets are left out: no nodes make them, but the file holds them.")
    return ()


def _network(writing: Writing, mode_name: str, part: str) -> Json:
    """Write the loader of the ControlNet of a node, and which kind of image it is given."""
    file = network_file(writing, "controlnet", writing.known("controlnet"))
    network = writing.add("ControlNetLoader", {"control_net_name": file}, part)
    mode = writing.whole(mode_name)
    if mode < 0:
        return [network, 0]
    kinds = {number: kind for kind, number in UNION.items()}
    if mode not in kinds:
        raise Unsupported(f"its {mode_name} {mode} has no counterpart")
    union: JsonObject = {"control_net": [network, 0], "type": kinds[mode]}
    return [writing.add("SetUnionControlNetType", union, "control_mode"), 0]


def _controlled(
    writing: Writing, model: Loaded, positive: list[Json], negative: list[Json]
) -> tuple[list[Json], list[Json]]:
    """Return the prompts, led by ControlNets where there are some."""
    controls = _controls(writing)
    ref = writing.known("controlnet")
    if isinstance(ref, Mapping) and ref.get("repo_id"):
        network = _network(writing, "control_mode", "controlnet")
        scale = writing.value("controlnet_conditioning_scale")
        controls = (Control(network, writing.image("control_image"), scale), *controls)
    else:
        writing.skip("controlnet_conditioning_scale", "control_mode", "guess_mode")
    for number, one in enumerate(controls, 1):
        inputs: JsonObject = {
            "positive": positive,
            "negative": negative,
            "control_net": one.network,
            "image": one.image,
            "strength": one.scale,
            "start_percent": one.start,
            "end_percent": one.end,
            "vae": model.vae.link,
        }
        node = writing.add("ControlNetApplyAdvanced", inputs, f"control_{number}")
        positive, negative = [node, 0], [node, 1]
    return positive, negative
