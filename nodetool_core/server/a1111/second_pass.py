"""
The second pass over an image (hires fix): it is enlarged, and made again from that, in part.

It is done by what the checkpoint does with images. The web UI runs all steps of its second pass;
here, of `num_inference_steps` as many are run as the strength says, so more are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.image_data import ImageData
from nodetool_core.errors import Problem
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.a1111.body import EditBody, GenerationBody, TextBody
from nodetool_core.server.a1111.call import ParsedRequest, place
from nodetool_core.server.a1111.extras import Upscalers, resampled_to
from nodetool_core.server.a1111.samplers import scheduler_of
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.parameters import open_properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from nodetool_core.engine.result import RunResult
    from nodetool_core.server.a1111.call import Call
    from nodetool_core.server.served_workflow import ServedWorkflow

Size = tuple[int, int]

LATENT: Final = ("Latent", "Latent (bicubic)", "Latent (nearest)")
"""Upscalers that clients name by themselves, and that enlarge latents there."""
_STRENGTH: Final = 0.75
"""How much is changed where the client does not say it, as in the web UI."""
_MOST_STEPS: Final = 100
_KEEP: Final = "keep_size"
"""The property that says what is done with images of sizes that a model can't take."""


@dataclass(frozen=True)
class SecondPass:
    """The second pass of a request, ready for the image of the first."""

    call: Call
    upscaler: ServedWorkflow | None
    """A workflow that enlarges; None for a way to resample."""
    body: TextBody
    most_pixels: int
    notes: tuple[str, ...] = ()

    @property
    def strength(self) -> float:
        """How much of the enlarged image is changed; 0 leaves it as it is."""
        return _strength(self.body)

    def size(self, first: Size) -> Size:
        """Return the size for an image of a size. Raises HttpError where it is too large."""
        found = enlarged_size(self.body, first)
        check_size(found, self.most_pixels)
        return found

    def enlarged(self, image: Image.Image, size: Size) -> Image.Image:
        """Return an image, or what an upscaler made of it, in the size of the second pass."""
        return resampled_to(image, size, self.body.hr_upscaler or "")

    def values(self, image: Image.Image) -> Mapping[str, object]:
        """Return the values of the workflow that starts from an image."""
        values = {**self.call.values, **self.call.syntax}
        # Larger than the model makes, as a rule: it is made again part by part then.
        kept = open_properties(self.call.served.graph, (_KEEP,))
        values |= dict.fromkeys(kept.values(), "tiles")
        place(self.call.served, values, ImageData.of(image))
        return values

    @property
    def parameters(self) -> JsonObject:
        """What the text of an image says of it, by the web UI's names."""
        body = self.body
        is_sized = bool(body.hr_resize_x or body.hr_resize_y)
        size: Json = f"{body.hr_resize_x}x{body.hr_resize_y}" if is_sized else None
        return {
            "Denoising strength": self.strength,
            "Hires upscale": None if is_sized else body.hr_scale,
            "Hires resize": size,
            "Hires steps": body.hr_second_pass_steps or None,
            "Hires upscaler": body.hr_upscaler or "Lanczos",
            "Hires sampler": body.hr_sampler_name or None,
            "Hires CFG Scale": body.hr_cfg,
            "Hires prompt": body.hr_prompt or None,
            "Hires negative prompt": body.hr_negative_prompt or None,
        }


def second_pass(
    first: Call,
    served: ServedWorkflow,
    upscalers: Upscalers,
    call_of: Callable[[ParsedRequest], Call],
    most_pixels: int,
) -> SecondPass:
    """
    Return the second pass of a request.

    Args:
        first: The request, as it is made from a text.
        served: What the checkpoint does with images.
        call_of: Returns a request for `served`.

    Raises HttpError for an upscaler that is not listed, and for a size that is too large.
    """
    body = first.parsed.body
    assert isinstance(body, TextBody)
    if body.size is not None:
        check_size(enlarged_size(body, body.size), most_pixels)
    name, notes = body.hr_upscaler or "", []
    upscaler = None
    if name.lower().startswith(LATENT[0].lower()):
        notes.append(f"hr_upscaler {name!r}: the image is enlarged here, and not its latents")
    elif name:
        upscaler = upscalers.find(name, "hr_upscaler")
    call = call_of(_of_the_image(first, body, served))
    # What both passes have no use for is said once.
    notes += [note for note in call.notes if note not in first.notes]
    return SecondPass(call, upscaler, body, most_pixels, tuple(notes))


def enlarged_size(body: TextBody, first: Size) -> Size:
    """Return the size of the second pass for an image of a size."""
    width, height = body.hr_resize_x, body.hr_resize_y
    if width and height:
        return width, height
    factor = body.hr_scale
    if width or height:
        factor = width / first[0] if width else height / first[1]
    return max(1, round(first[0] * factor)), max(1, round(first[1] * factor))


def check_size(size: Size, most_pixels: int) -> None:
    """Raise HttpError 422 for a size that is more than is made here."""
    if size[0] * size[1] <= most_pixels:
        return
    message = f"{size[0]} x {size[1]} is above {most_pixels / 1e6:g} megapixels."
    raise HttpError(422, Problem("image_too_large", "hr_scale", message, "Ask for less."))


def image_of(result: RunResult, served: ServedWorkflow) -> ImageData:
    """Return the image that a workflow made. Raises HttpError 500 where it made none."""
    image = result.outputs.get(served.image_outputs[0])
    if isinstance(image, ImageData):
        return image
    message = f"{served.name} returned no image."
    hint = "Ask the operator to fix the workflow."
    raise HttpError(500, Problem("no_image_returned", "", message, hint))


def _strength(body: TextBody) -> float:
    return _STRENGTH if body.denoising_strength is None else body.denoising_strength


def _of_the_image(first: Call, body: TextBody, served: ServedWorkflow) -> ParsedRequest:
    """Return the request of the second pass: that of the first, with an image to start from."""
    own: dict[str, object] = {
        "prompt": body.hr_prompt or body.prompt,
        "negative_prompt": body.hr_negative_prompt or body.negative_prompt,
        "cfg_scale": body.cfg_scale if body.hr_cfg is None else body.hr_cfg,
        "steps": _steps(body, served),
        "seed": body.seed if first.seed is None else first.seed,
        "subseed": first.variation.seed,
        "denoising_strength": _strength(body),
        **{"width": None, "height": None, "infotext": None},
    }
    names = set(GenerationBody.model_fields)
    given = body.model_dump(include=names, exclude_unset=True)
    others = {
        name: value for name, value in body.others.items() if name not in EditBody.model_fields
    }
    edit = EditBody.model_validate(others | given | own)
    parsed = replace(first.parsed, body=edit, notes=())
    sampler = body.hr_sampler_name
    if sampler and sampler != "Use same sampler":
        scheduler, notes = scheduler_of(sampler, body.hr_scheduler or body.scheduler or "")
        parsed = replace(parsed, scheduler=scheduler, notes=tuple(notes))
    return parsed


def _steps(body: TextBody, served: ServedWorkflow) -> int | None:
    """Return the steps of which the strength runs as many as the client wants."""
    usual = next(
        (
            served.inputs[name].default
            for name in ("steps", "num_inference_steps")
            if name in served.inputs
        ),
        None,
    )
    wanted = body.hr_second_pass_steps or body.steps or usual
    if not isinstance(wanted, int) or not _strength(body):
        return None
    return min(_MOST_STEPS, max(wanted, math.ceil(wanted / min(1.0, _strength(body)))))
