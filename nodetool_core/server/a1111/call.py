"""What a request of the web UI's API means for a workflow: values of its inputs, and notes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.image_data import ImageData
from nodetool_core.json_types import JsonObject
from nodetool_core.server.a1111.body import EditBody, GenerationBody, image_ref
from nodetool_core.server.a1111.infotext import fields_of
from nodetool_core.server.a1111.masking import Kept, prepared
from nodetool_core.server.a1111.options import Options, changed
from nodetool_core.server.a1111.prompts import PromptReader
from nodetool_core.server.a1111.samplers import scheduler_of
from nodetool_core.server.a1111.variations import Variation
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.images import EncodedImage, decoded, decoded_bytes
from nodetool_core.server.http.json_body import checked, without_nulls
from nodetool_core.server.seeds import seed_places
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.server.translation import by_input_name, sized, taken_parameters
from nodetool_core.server.uses import image_inputs, images_input, mask_input

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.assets.decode import ImageLimits
    from nodetool_core.server.security.sanitize import InputSanitizer

_SEED: Final = "seed"
_DRAWN: Final = 2**32
"""How many seeds are drawn from, as clients show them."""
_SCHEDULER: Final = "scheduler"
_LATENT_FILLS: Final = (2, 3)
_LATENT_RESIZE: Final = 3


@dataclass(frozen=True)
class ParsedRequest:
    """A request with what holds for its client, before anything is looked at."""

    body: GenerationBody
    options: Options
    scheduler: str | None
    """Ours; None where the client has named no sampler."""
    notes: tuple[str, ...]

    @property
    def layer(self) -> int:
        """Which layer of the text encoder counts, from the last one, which is 1."""
        own = self.body.clip_skip
        return self.options.CLIP_stop_at_last_layers if own is None else own

    @classmethod
    def of(cls, body: GenerationBody, options: Options) -> ParsedRequest:
        """Return a request with the options of its client. Raises HttpError for what can't be."""
        if body.infotext:
            found = fields_of(body.infotext)
            given = body.model_dump(exclude_unset=True)
            body = checked(type(body), without_nulls(found | given))
        options, notes = changed(options, body.override_settings)
        _check_scripts(body)
        sampler, scheduler = body.sampler_name or body.sampler_index, None
        if sampler:
            scheduler, unknown = scheduler_of(sampler, body.scheduler or "")
            notes += unknown
        return cls(body, options, scheduler, tuple(notes))


@dataclass(frozen=True)
class Call:
    """A request that was checked, as it waits for its turn, with images encoded."""

    served: ServedWorkflow
    parsed: ParsedRequest
    values: Mapping[str, object]
    """By the names that `inputs.apply` takes."""
    seed: int | None
    """That of the first image; None where the workflow draws it."""
    first: EncodedImage | None
    """The image that is started from."""
    mask: EncodedImage | None
    notes: tuple[str, ...]
    """What is not done as requested."""
    variation: Variation = field(default_factory=Variation)
    syntax: Mapping[str, object] = field(default_factory=dict)
    """Values by which weights in prompts are read, by models that can."""

    def as_texts(self) -> Call:
        """Return the same call for a model that reads its prompts as they stand."""
        note = f"{self.served.name} reads its prompts as they stand, without weights"
        return replace(self, syntax={}, notes=(*self.notes, note))

    @property
    def decoded_bytes(self) -> int:
        """Bytes of pixels once it is decoded."""
        width, height = (self.parsed.body.size if self.first else None) or (0, 0)
        return decoded_bytes([*self.values.values(), self.first, self.mask]) + 8 * width * height

    def decode(self) -> tuple[dict[str, object], Kept | None]:
        """
        Return the values with pixels, and what stays of the image. Raises ImageError.
        """
        values = {name: decoded(value) for name, value in self.values.items()}
        body, served = self.parsed.body, self.served
        if self.first is None or not isinstance(body, EditBody):
            return {**values, **self.syntax}, None
        mask = None if self.mask is None else self.mask.decode().image
        start = prepared(self.first.decode().image, mask, body)
        target = mask_input(served)
        if target is not None:
            values[served.inputs[target].given] = ImageData.of(start.mask or _white(start.image))
        place(served, values, ImageData.of(start.image))
        return {**values, **self.syntax}, start.kept


def call_of(
    served: ServedWorkflow,
    parsed: ParsedRequest,
    images: list[EncodedImage],
    reader: PromptReader,
    sanitizer: InputSanitizer,
    limits: ImageLimits,
) -> Call:
    """
    Return a request as values of a workflow. Blocks where an image has to be fetched.

    Args:
        images: Those to start from.

    Raises WorkflowError, ImageError and HttpError for values that do not fit.
    """
    body = parsed.body
    texts, unused = _texts(served, body)
    reading = reader.read(served, texts, parsed.layer)
    asked = by_input_name(served, {**_parameters(parsed), **reading.texts})
    given, left_out = taken_parameters(served, asked)
    notes = [*parsed.notes, *map(_in_their_words, left_out), *unused, *reading.notes]
    size, _, left = sized(served, body.size, bool(images), limits.max_pixels)
    notes += [] if images else left
    seed, drawn = _seed(served, body)
    notes += drawn
    values = sanitizer.values(served, given | size | ({} if seed is None else {_SEED: seed}))
    variation = Variation.of(body)
    varied, without = variation.values(served)
    notes += without
    values |= {**reading.values, **varied}
    notes += _place_others(served, images, values)
    mask = None
    if isinstance(body, EditBody):
        mask = sanitizer.encoded(image_ref(body.mask, "mask"), "mask") if body.mask else None
        notes += _unlike_theirs(body)
    first = images[0] if images else None
    return Call(served, parsed, values, seed, first, mask, tuple(notes), variation, reading.syntax)


def _check_scripts(body: GenerationBody) -> None:
    """Raise HttpError 422 for scripts, which there are none of."""
    asked_for = [("script_name", body.script_name or "")]
    for name, script in body.alwayson_scripts.items():
        asked_for += [("alwayson_scripts", name)] if _asks_for_something(script) else []
    for where, name in asked_for:
        if name and name != "None":
            message = f"There is no script {name[:80]!r} here."
            raise wrong(422, "invalid_value", where, message, "Leave it out.")


def _asks_for_something(script: object) -> bool:
    """Return whether the arguments of a script do more than switch it off."""
    arguments = script.get("args") if isinstance(script, dict) else script
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    return not isinstance(arguments, list) or any(arguments)


def images_of(body: GenerationBody, sanitizer: InputSanitizer) -> list[EncodedImage]:
    """Return the images to start from. Raises HttpError where there are none, and has to be."""
    if not isinstance(body, EditBody):
        return []
    if not body.init_images:
        message = "Init image not found."
        raise wrong(404, "missing_input", "init_images", message, "Send an image to start from.")
    places = [f"init_images[{at}]" for at in range(len(body.init_images))]
    return [
        sanitizer.encoded(image_ref(text, where), where)
        for text, where in zip(body.init_images, places, strict=True)
    ]


def _parameters(parsed: ParsedRequest) -> JsonObject:
    """Return what the client requests, by the names that several APIs have for it."""
    body = parsed.body
    is_edit = isinstance(body, EditBody)
    found: JsonObject = {
        "steps": body.steps,
        "cfg_scale": body.cfg_scale,
        _SCHEDULER: parsed.scheduler,
        "denoising_strength": body.denoising_strength if is_edit else None,
    }
    return {name: value for name, value in found.items() if value is not None} | body.others


def _in_their_words(note: str) -> str:
    """Return a note that names our scheduler as one that names the sampler."""
    return f"sampler_name: {note}" if note.startswith(_SCHEDULER) else note


def _texts(served: ServedWorkflow, body: GenerationBody) -> tuple[dict[str, str], list[str]]:
    """Return the prompts by the names of inputs, and notes on what there is no input for."""
    found: dict[str, str] = {}
    notes: list[str] = []
    if "prompt" in body.model_fields_set:
        if served.prompt_input is not None:
            found[served.prompt_input] = body.prompt
        elif body.prompt:
            notes.append(f"prompt is not used by {served.name}")
    if body.negative_prompt:
        found["negative_prompt"] = body.negative_prompt
    return found, notes


def _seed(served: ServedWorkflow, body: GenerationBody) -> tuple[int | None, list[str]]:
    """Return the seed of the first image, drawn where the client leaves it to us, and notes."""
    if _SEED not in served.inputs:
        is_alike = body.count > 1 and not seed_places(served.graph)
        notes = [f"seed is not used by {served.name}"] if body.seed >= 0 else []
        return None, [*notes, *([f"{served.name} has no seed: its images are alike"] * is_alike)]
    if body.seed >= 0:
        return body.seed, []
    most = served.inputs[_SEED].most
    room = _DRAWN if most is None else min(_DRAWN, int(most) + 1)
    return secrets.randbelow(max(1, room - body.count)), []


def place(served: ServedWorkflow, values: dict[str, object], image: ImageData) -> None:
    """Put the image to start from where the workflow takes it."""
    names, many = image_inputs(served), images_input(served)
    if names:
        values[served.inputs[names[0]].given] = image
    elif many is not None:
        place = served.inputs[many].given
        further = values.get(place)
        values[place] = [image, *(further if isinstance(further, list) else ())]


def _place_others(
    served: ServedWorkflow, images: list[EncodedImage], values: dict[str, object]
) -> list[str]:
    """
    Put the images after the first into the inputs that are left for images.

    Return a note for those that there is no input for.
    """
    places, others = image_inputs(served)[1:], images[1:]
    for name, image in zip(places, others, strict=False):
        values[served.inputs[name].given] = image
    rest, many = others[len(places) :], images_input(served)
    if rest and many is None:
        return [f"{len(rest)} of {len(images)} init_images are not used by {served.name}"]
    if rest and many is not None:
        values[served.inputs[many].given] = rest
    return []


def _unlike_theirs(body: EditBody) -> list[str]:
    """Return notes on what is done in another way than the web UI does it."""
    notes = []
    if body.mask and body.inpainting_fill in _LATENT_FILLS:
        notes.append(
            "inpainting_fill fills with the surrounding colours: there are no latents here"
        )
    if body.resize_mode == _LATENT_RESIZE:
        notes.append("resize_mode stretches the image: there are no latents here")
    return notes


def _white(image: Image.Image) -> Image.Image:
    """Return a mask that leaves nothing of an image."""
    from PIL import Image

    return Image.new("L", image.size, 255)
