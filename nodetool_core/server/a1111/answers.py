"""Results as the web UI gives them: base64, and what they are made with as a text of JSON."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core import __version__
from nodetool_core.assets.image_data import ImageData
from nodetool_core.importing.infotext import infotext
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.a1111.body import EditBody, GenerationBody
from nodetool_core.server.a1111.options import Options
from nodetool_core.server.http.images import encode_image_data

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.engine.result import RunResult
    from nodetool_core.server.a1111.call import Call
    from nodetool_core.server.a1111.making import MadeImage, Making
    from nodetool_core.server.runtime.app_state import AppState

_FORMATS: Final = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
_SEEDS: Final = 2**64
_LATENT_SCALE: Final = 8
"""Pixels of an image for one of its preview along each side, as most models have them."""
_VERSION: Final = f"nodetool {__version__}"


@dataclass(frozen=True)
class Made:
    """An image of an answer, and what it is made with."""

    content: str
    """As base64."""
    size: tuple[int, int]
    seed: int
    infotext: str


class Answers:
    """Makes answers. Its methods block: they encode images."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def made(self, making: Making, made: MadeImage) -> tuple[Made, list[str]]:
        """Return an image of a request, encoded, and notes on what is not as requested."""
        call, kept, image = making.call, making.kept, made.image
        parsed = call.parsed
        notes = [problem.message for problem in made.result.warnings]
        if kept is not None:
            image = ImageData.of(kept.within(image.image), image.provenance)
        size = made.first_size or image.image.size
        if parsed.body.size not in (None, size) and not _is_part(parsed.body):
            wanted = "{}x{}".format(*parsed.body.size or (0, 0))
            notes.append(f"width and height are {size[0]}x{size[1]}, and not {wanted}")
        is_given = call.seed is not None
        seed = _seed(call, made.number) if is_given else _drawn(made.result)
        text = _infotext(making, size, seed, made.number)
        content = self.encoded(image, parsed.options, text)
        return Made(content, size, seed, text), notes

    def encoded(self, image: ImageData, options: Options, text: str = "") -> str:
        """Return an image as base64, in the client's format."""
        file_format = _FORMATS[options.samples_format]
        content = encode_image_data(
            image,
            file_format,
            provenance=self._state.settings.provenance,
            quality=None if file_format == "PNG" else options.jpeg_quality,
            infotext=text if options.enable_pnginfo else "",
        )
        return base64.b64encode(content).decode()

    def preview(self, small: Image.Image) -> str:
        """Return the preview of a step as base64, about as large as the image will be."""
        from PIL.Image import Resampling

        size = (small.width * _LATENT_SCALE, small.height * _LATENT_SCALE)
        image = ImageData.of(small.convert("RGB").resize(size, Resampling.BICUBIC))
        return self.encoded(image, Options())


def response(
    making: Making, images: Sequence[Made], notes: Sequence[str], began: float
) -> JsonObject:
    """
    Return the whole answer.

    Args:
        images: Those that were made, fewer than were requested where the client ended it.
        began: Unix time in seconds.
    """
    body = making.call.parsed.body
    answer: JsonObject = {
        "images": [one.content for one in images] if body.send_images else [],
        "parameters": _parameters(body),
        "info": json.dumps(_info(making, images, began), ensure_ascii=False),
    }
    return answer | ({"warnings": list(dict.fromkeys(notes))} if notes else {})


def _parameters(body: GenerationBody) -> JsonObject:
    """Return the fields of the API as they were understood; what else was sent is not repeated."""
    has_images = isinstance(body, EditBody) and body.include_init_images
    left_out = set() if has_images else {"init_images", "mask"}
    return body.model_dump(include=set(type(body).model_fields) - left_out)


def _used(call: Call, *names: str) -> Json:
    """Return what the workflow was given for the first of these inputs that it has."""
    inputs = call.served.inputs
    name = next((name for name in names if name in inputs), None)
    if name is None:
        return None
    found = call.values.get(inputs[name].given, inputs[name].default)
    return found if isinstance(found, (str, int, float)) else None


def _info(making: Making, images: Sequence[Made], began: float) -> JsonObject:
    call, body = making.call, making.call.parsed.body
    variation = call.variation
    seeds: list[Json] = [one.seed for one in images]
    subseeds: list[Json] = [variation.seed_of(number) for number in range(len(images))]
    size = images[0].size if images else body.size or (0, 0)
    return {
        "prompt": body.prompt,
        "all_prompts": [body.prompt] * len(images),
        "negative_prompt": body.negative_prompt,
        "all_negative_prompts": [body.negative_prompt] * len(images),
        "seed": seeds[0] if seeds else call.seed if call.seed is not None else -1,
        "all_seeds": seeds,
        "subseed": variation.seed,
        "all_subseeds": subseeds,
        "subseed_strength": variation.strength,
        "width": size[0],
        "height": size[1],
        "sampler_name": _sampler(call),
        "cfg_scale": _used(call, "cfg_scale", "guidance_scale"),
        "steps": _used(call, "steps", "num_inference_steps"),
        "batch_size": body.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": call.served.name,
        "sd_model_hash": None,
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": body.seed_resize_from_w,
        "seed_resize_from_h": body.seed_resize_from_h,
        "denoising_strength": _strength(making),
        "extra_generation_params": _given(making.second.parameters if making.second else {}),
        "index_of_first_image": 0,
        "infotexts": [one.infotext for one in images],
        "styles": [],
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(began)),
        "clip_skip": max(1, call.parsed.layer),
        "is_using_inpainting_conditioning": body.is_masked,
        "version": _VERSION,
    }


def _sampler(call: Call) -> str | None:
    """Return the sampler that the client named, where the workflow was given its scheduler."""
    target, body = call.served.inputs.get("scheduler"), call.parsed.body
    is_used = target is not None and target.given in call.values
    return (body.sampler_name or body.sampler_index) if is_used else None


def _strength(making: Making) -> Json:
    """Return how much of an image was changed; None where there was none to start from."""
    if making.second is not None:
        return making.second.strength
    return _used(making.call, "denoising_strength", "strength")


def _given(parameters: JsonObject) -> JsonObject:
    return {name: value for name, value in parameters.items() if value is not None}


def _seed(call: Call, number: int) -> int:
    """Return the seed of image `number`; variations are of one."""
    first = call.seed or 0
    return first if call.variation.strength else (first + number) % _SEEDS


def _infotext(making: Making, size: tuple[int, int], seed: int, number: int) -> str:
    call, body = making.call, making.call.parsed.body
    parameters: JsonObject = {
        "Steps": _used(call, "steps", "num_inference_steps"),
        "Sampler": _sampler(call),
        "Schedule type": body.scheduler if _sampler(call) else None,
        "CFG scale": _used(call, "cfg_scale", "guidance_scale"),
        "Seed": seed,
        "Size": "{}x{}".format(*size),
        "Model": call.served.name,
        "Denoising strength": _strength(making),
        **call.variation.parameters(number),
        "Clip skip": call.parsed.layer if call.parsed.layer > 1 else None,
        "Mask blur": body.mask_blur if isinstance(body, EditBody) and body.mask else None,
        **(making.second.parameters if making.second else {}),
        "Version": _VERSION,
    }
    return infotext(body.prompt, body.negative_prompt, parameters)


def _is_part(body: GenerationBody) -> bool:
    """Return whether the size that is requested is that of a part of the image."""
    return isinstance(body, EditBody) and bool(body.mask) and body.inpaint_full_res


def _drawn(result: RunResult) -> int:
    """Return the seed that a run has drawn; -1 where it has none."""
    return next((seed for one in result.seeds.values() for seed in one.values()), -1)
