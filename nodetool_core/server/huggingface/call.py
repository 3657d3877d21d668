"""
What a request of the Hugging Face image APIs means for a workflow.

Values of its inputs, and what can't be done as asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

from nodetool_core.assets.decode import ImageLimits
from nodetool_core.assets.image_data import ImageData
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.references import ImageSizeRef
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.images import EncodedImage, decoded, decoded_bytes
from nodetool_core.server.huggingface.body import ParsedRequest
from nodetool_core.server.parameters import Input
from nodetool_core.server.security.sanitize import InputSanitizer
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.types import union_members

_SIZE_INPUT: Final = "target_size"
_LIMITED: Final = ("num_inference_steps", "guidance_scale")
"""
Published numbers whose bounds clients can't know.

Too large ones are brought to the largest that is taken.
"""

_SCHEDULER_WORDS: Final = re.compile(r"scheduler|discrete|multistep|[^a-z0-9]")
"""What names of schedulers have or lack: `DDIM` and `ddim_scheduler` are `DDIMScheduler`."""


@dataclass(frozen=True)
class Call:
    """A request that was checked, as it waits for its turn."""

    served: ServedWorkflow
    values: Mapping[str, object]
    """By the names that `inputs.apply` takes, with images encoded."""
    given: Mapping[str, Json]
    """By the names of inputs, as JSON."""
    image: EncodedImage | None
    starts_as: tuple[int, int] | None
    """The size that the image is brought to."""
    warnings: tuple[str, ...]
    """What is not done as asked."""

    @property
    def decoded_bytes(self) -> int:
        """Bytes of pixels once it is decoded."""
        width, height = self.starts_as or (0, 0)
        return decoded_bytes([*self.values.values(), self.image]) + 4 * width * height

    def decode(self) -> tuple[dict[str, object], bytes]:
        """
        Return the values with pixels, and the text that identifies the request.

        By that text the cache knows an answer again. Raises ImageError.
        """
        values = {name: decoded(value) for name, value in self.values.items()}
        image = None if self.image is None else self.image.decode()
        if image is not None and self.starts_as is not None:
            from PIL.Image import Resampling

            image = ImageData.of(image.image.resize(self.starts_as, Resampling.LANCZOS))
        if image is not None and self.served.image_input is not None:
            values[self.served.inputs[self.served.image_input].given] = image
        told = [
            self.served.name,
            self.given,
            None if image is None else image.digest,
            self.warnings,
        ]
        return values, json.dumps(told, sort_keys=True).encode()


def call_of(
    served: ServedWorkflow, parsed: ParsedRequest, sanitizer: InputSanitizer, limits: ImageLimits
) -> Call:
    """
    Return a request as values of a workflow. Blocks where an image has to be fetched.

    Raises WorkflowError, ImageError and HttpError for values that do not fit.
    """
    given, warnings = _parameters(served, parsed.parameters)
    image = None
    if parsed.image is not None:
        image = EncodedImage.read(parsed.image, limits, "inputs")
        assert served.image_input is not None
        given.pop(served.image_input, None)
    else:
        assert served.prompt_input is not None
        given[served.prompt_input] = parsed.text
    sizes, starts_as, left = _sized(served, parsed.size, image is not None, limits.max_pixels)
    given |= sizes
    return Call(
        served, sanitizer.values(served, given), given, image, starts_as, (*warnings, *left)
    )


def _parameters(served: ServedWorkflow, parsed: Mapping[str, Json]) -> tuple[JsonObject, list[str]]:
    """
    Return the parameters that a workflow has inputs for, as it takes them, and warnings.

    The warnings say what is not done as asked.
    """
    given: JsonObject = {}
    warnings: list[str] = []
    for name, value in parsed.items():
        target = served.inputs.get(name)
        taken = None if target is None else _taken(target, name, value)
        if target is None:
            warnings.append(f"{name} is not used by {served.name}")
        elif taken is None:
            warnings.append(
                f"{name} {str(value)[:40]!r} is not known to {served.name}, and not used"
            )
        else:
            given[name] = taken
            if name in _LIMITED and taken != value:
                warnings.append(
                    f"{name} was brought from {value} to {taken}, the most that {served.name} takes"
                )
    return given, warnings


def _taken(target: Input, name: str, value: Json) -> Json:
    """
    Return a parameter's value as its input takes it.

    No larger than its bound, a scheduler by its full name. None for an unknown one.
    """
    if name == "scheduler" and target.choices and isinstance(value, str):
        plain = _plain_scheduler(value)
        return next(
            (
                choice
                for choice in target.choices
                if choice == value or _plain_scheduler(choice) == plain
            ),
            None,
        )
    if name in _LIMITED and target.most is not None and _is_number(value) and value > target.most:
        return type(value)(target.most)
    return value


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain_scheduler(name: str) -> str:
    return _SCHEDULER_WORDS.sub("", name.lower())


def _sized(
    served: ServedWorkflow, size: tuple[int, int] | None, has_image: bool, max_pixels: int
) -> tuple[JsonObject, tuple[int, int] | None, list[str]]:
    """
    Return a size that was asked for, as values of the inputs that take it.

    Else as the size of the image to start from, where the result is as large as that. Where neither
    can be, it is told.
    """
    if size is None:
        return {}, None, []
    width, height = size
    if width * height > max_pixels:
        raise wrong(
            422,
            "image_too_large",
            "target_size",
            f"{width} x {height} is above {max_pixels / 1e6:g} megapixels.",
            "Ask for less.",
        )
    if {"width", "height"} <= served.inputs.keys():
        return {"width": width, "height": height}, None, []
    target = served.inputs.get(_SIZE_INPUT)
    if target is not None and ImageSizeRef in union_members(target.prop.annotation):
        return {_SIZE_INPUT: {"width": width, "height": height}}, None, []
    if served.follows_image and has_image:
        return {}, size, []
    return {}, None, [f"target_size is not used by {served.name}"]
