"""
What a request of the Hugging Face image APIs means for a workflow.

Values of its inputs, and what can't be done as requested.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from nodetool_core.assets.decode import ImageLimits
from nodetool_core.assets.image_data import ImageData
from nodetool_core.json_types import Json
from nodetool_core.server.http.images import EncodedImage, decoded, decoded_bytes
from nodetool_core.server.huggingface.body import ParsedRequest
from nodetool_core.server.security.sanitize import InputSanitizer
from nodetool_core.server.served_workflow import ServedWorkflow
from nodetool_core.server.translation import sized, taken_parameters


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
    """What is not done as requested."""

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
        parts = [
            self.served.name,
            self.given,
            None if image is None else image.digest,
            self.warnings,
        ]
        return values, json.dumps(parts, sort_keys=True).encode()


def call_of(
    served: ServedWorkflow, parsed: ParsedRequest, sanitizer: InputSanitizer, limits: ImageLimits
) -> Call:
    """
    Return a request as values of a workflow. Blocks where an image has to be fetched.

    Raises WorkflowError, ImageError and HttpError for values that do not fit.
    """
    given, warnings = taken_parameters(served, parsed.parameters)
    image = None
    if parsed.image is not None:
        image = EncodedImage.read(parsed.image, limits, "inputs")
        assert served.image_input is not None
        given.pop(served.image_input, None)
    else:
        name = served.prompt_input
        assert name is not None
        if given.get(name, parsed.text) != parsed.text:
            warnings = [*warnings, f"{name} is not used: `inputs` has the text"]
        given[name] = parsed.text
    sizes, starts_as, left = sized(
        served, parsed.size, image is not None, limits.max_pixels, "target_size"
    )
    given |= sizes
    return Call(
        served, sanitizer.values(served, given), given, image, starts_as, (*warnings, *left)
    )
