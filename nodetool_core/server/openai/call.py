"""What a request of the OpenAI Images API means for a workflow: values of its inputs, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.decode import ImageLimits
from nodetool_core.assets.image_data import ImageData
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.images import EncodedImage, decoded, decoded_bytes
from nodetool_core.server.openai.body import ImagesBody, ImagesRequest, Source
from nodetool_core.server.openai.models import Use
from nodetool_core.server.security.sanitize import InputSanitizer
from nodetool_core.server.seeds import seed_places
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.server.translation import by_input_name, sized, taken_parameters
from nodetool_core.server.uses import image_inputs, images_input, mask_input

if TYPE_CHECKING:
    from PIL import Image

_STEPS: Final = "num_inference_steps"
_EFFORT: Final = {"low": 0.5, "high": 1.5, "hd": 1.5, "xhigh": 2.0, "max": 2.0}
"""How many of the workflow's own steps a quality takes."""


@dataclass(frozen=True)
class Kept:
    """What stays as it was: the image that is edited, where the mask is opaque."""

    image: Image.Image
    opaque: Image.Image

    def within(self, made: Image.Image) -> Image.Image:
        """Return an image with what stays put back into it."""
        from PIL import Image
        from PIL.Image import Resampling

        mode = "RGBA" if made.has_transparency_data else "RGB"
        before, opaque = self.image, self.opaque
        if before.size != made.size:
            before = before.resize(made.size, Resampling.LANCZOS)
            opaque = opaque.resize(made.size, Resampling.LANCZOS)
        return Image.composite(before.convert(mode), made.convert(mode), opaque)


@dataclass(frozen=True)
class Call:
    """A request that was checked, as it waits for its turn, with images encoded."""

    served: ServedWorkflow
    body: ImagesBody
    values: Mapping[str, object]
    """By the names that `inputs.apply` takes."""
    first: EncodedImage | None
    """The image that is edited."""
    mask: EncodedImage | None
    starts_as: tuple[int, int] | None
    """The size that the first image is brought to."""
    notes: tuple[str, ...]
    """What is not done as requested."""

    @property
    def decoded_bytes(self) -> int:
        """Bytes of pixels once it is decoded."""
        width, height = self.starts_as or (0, 0)
        return decoded_bytes([*self.values.values(), self.first, self.mask]) + 4 * width * height

    def decode(self) -> tuple[dict[str, object], Kept | None]:
        """
        Return the values with pixels, and what stays of the image.

        Raises ImageError, and HttpError for a mask that does not fit.
        """
        values = {name: decoded(value) for name, value in self.values.items()}
        if self.first is None:
            return values, None
        image = self._brought_to_size(self.first.decode())
        inputs, served = image_inputs(self.served), self.served
        opaque = None if self.mask is None else self._opaque(self.mask)
        target = mask_input(served)
        if target is not None:
            values[served.inputs[target].given] = _painted_mask(image, opaque)
        if inputs:
            values[served.inputs[inputs[0]].given] = image
        elif (many := images_input(served)) is not None:
            place, further = served.inputs[many].given, values.get(served.inputs[many].given)
            values[place] = [image, *(further if isinstance(further, list) else ())]
        kept = opaque is not None and target is None
        return values, Kept(image.image, opaque) if kept and opaque is not None else None

    def _brought_to_size(self, image: ImageData) -> ImageData:
        from PIL.Image import Resampling

        if self.starts_as is None or self.starts_as == image.image.size:
            return image
        return ImageData.of(image.image.resize(self.starts_as, Resampling.LANCZOS))

    def _opaque(self, mask: EncodedImage) -> Image.Image:
        from PIL.Image import Resampling

        image = mask.decode().image
        if not image.has_transparency_data:
            hint = "Send a PNG that is transparent where the image is to be edited."
            raise wrong(400, "invalid_mask", "mask", "has no transparency.", hint)
        alpha = image.convert("RGBA").getchannel("A")
        return alpha if self.starts_as is None else alpha.resize(self.starts_as, Resampling.LANCZOS)


def _painted_mask(image: ImageData, opaque: Image.Image | None) -> ImageData:
    """Return a mask as workflows take it: white where the image is made anew."""
    from PIL import Image, ImageOps

    if opaque is None:
        return ImageData.of(Image.new("L", image.image.size, 255))
    return ImageData.of(ImageOps.invert(opaque))


def call_of(
    served: ServedWorkflow,
    request: ImagesRequest,
    use: Use,
    sanitizer: InputSanitizer,
    limits: ImageLimits,
) -> Call:
    """
    Return a request as values of a workflow. Blocks where an image has to be fetched.

    Raises WorkflowError, ImageError and HttpError for values that do not fit.
    """
    body = request.body
    _check(body, request, use)
    given, notes = taken_parameters(served, by_input_name(served, body.others, texts=request.texts))
    notes += _set_prompt(served, body, given)
    notes += _set_steps(served, body, given)
    edits = use != "generations"
    size, starts_as, left = sized(served, body.wanted_size, edits, limits.max_pixels)
    values = sanitizer.values(served, given | size)
    images = [_encoded(source, "image", sanitizer, limits) for source in request.images if edits]
    notes += left + _place_others(served, images, values)
    mask = None
    if request.mask is not None and images:
        mask = _encoded(request.mask, "mask", sanitizer, limits)
        if mask.header[:2] != images[0].header[:2]:
            found, wanted = ("{}x{}".format(*one.header[:2]) for one in (mask, images[0]))
            message = f"is {found}, and the image {wanted}."
            raise wrong(422, "invalid_mask", "mask", message, "Send a mask of the image's size.")
    if body.n > 1 and not seed_places(served.graph):
        notes.append(f"{served.name} has no seed: its images are alike")
    if body.output_format == "png" and body.output_compression not in (None, 100):
        notes.append("output_compression has no effect on PNG")
    first = images[0] if images else None
    return Call(served, body, values, first, mask, starts_as, tuple(notes))


def _check(body: ImagesBody, request: ImagesRequest, use: Use) -> None:
    """Raise HttpError 422 for what the API needs and is missing, or that excludes something."""
    if use != "generations" and not request.images:
        raise wrong(422, "missing_input", "image", "is required.", "Send an image to start from.")
    if use != "variations" and not body.prompt:
        raise wrong(422, "missing_input", "prompt", "is required.", "Say what to draw.")
    if body.background == "transparent" and body.output_format == "jpeg":
        message = "can't be transparent in JPEG."
        raise wrong(422, "invalid_value", "background", message, "Ask for png or webp.")


def _set_prompt(served: ServedWorkflow, body: ImagesBody, given: JsonObject) -> list[str]:
    if not body.prompt:
        return []
    if served.prompt_input is None:
        return [f"prompt is not used by {served.name}"]
    given[served.prompt_input] = body.prompt
    return []


def _set_steps(served: ServedWorkflow, body: ImagesBody, given: JsonObject) -> list[str]:
    """Set the steps that a quality stands for, unless the client says how many."""
    if "quality" in served.inputs:
        if "quality" in body.model_fields_set:
            given["quality"] = body.quality
        return []
    effort = _EFFORT.get(body.quality)
    if effort is None or _STEPS in given:
        return []
    target = served.inputs.get(_STEPS)
    own = None if target is None else target.default
    if target is None or not isinstance(own, int):
        return [f"quality is not used by {served.name}"]
    most = target.most
    steps = max(1, round(own * effort))
    given[_STEPS] = steps if most is None else min(steps, int(most))
    return []


def _place_others(
    served: ServedWorkflow, images: list[EncodedImage], values: dict[str, object]
) -> list[str]:
    """
    Put the images after the first into the inputs that are left for images.

    Return a note for those that there is no input for.
    """
    places = image_inputs(served)[1:]
    others = images[1:]
    for name, image in zip(places, others, strict=False):
        values[served.inputs[name].given] = image
    rest, many = others[len(places) :], images_input(served)
    if not rest:
        return []
    if many is None:
        return [f"{len(rest)} of {len(images)} images are not used by {served.name}"]
    values[served.inputs[many].given] = rest
    return []


def _encoded(
    source: Source, where: str, sanitizer: InputSanitizer, limits: ImageLimits
) -> EncodedImage:
    return (
        EncodedImage.read(source, limits, where)
        if isinstance(source, bytes)
        else sanitizer.encoded(source, where)
    )
