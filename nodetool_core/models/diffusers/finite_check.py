"""
Find NaN and infinities in latents and decoded images, which else turn into colours or black.

Once there, they stay and spread. So latents are looked at early in the loop (after 1, 2, 4, 8 …
steps), and what is left is not computed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from nodetool_core.models.diffusers.decoding import was_decoded_again
from nodetool_core.models.diffusers.families import call_parameters

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Context, Pipeline
    from nodetool_core.models.diffusers.protocols import StepCallback, StepTensors

_BEARABLE: Final = 1.0
"""Per cent of a decoded image that may be no numbers: it is shown, with a warning."""


class NotFiniteError(Exception):
    """Latents or a decoded image hold what is no number."""

    def __init__(self, what: str, percent: float, pipeline: Pipeline) -> None:
        self.percent = percent
        super().__init__(
            f"{percent:.3g} % of the {what} of {type(pipeline).__name__} are no finite numbers"
        )


class FiniteCheck:
    """Looks for NaN and infinities in what a pipeline makes; wraps its image processor."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._decoded: object = None
        processor = getattr(pipeline, "image_processor", None)
        if hasattr(processor, "postprocess"):
            pipeline.image_processor = self._capturing(processor)

    def callback(self, pipeline: Pipeline) -> StepCallback | None:
        """Return a `callback_on_step_end` that ends a call early; None where there is no such."""
        if "callback_on_step_end" not in call_parameters(type(pipeline)):
            return None

        def look(pipe: Pipeline, step: int, timestep: object, tensors: StepTensors) -> StepTensors:
            is_power_of_two = (step + 1) & step == 0
            percent = _non_finite_percent(tensors.get("latents")) if is_power_of_two else 0.0
            if percent:
                raise NotFiniteError("latents", percent, pipe)
            return tensors

        return look

    def check(self, pipeline: Pipeline, latents: torch.Tensor | None, context: Context) -> None:
        """
        Look at what a call made.

        Warn of a decoded image that is spoiled in places, and of one that was decoded in float32.

        Raises NotFiniteError.
        """
        decoded, self._decoded = self._decoded, None
        if was_decoded_again(getattr(pipeline, "vae", None)):
            context.warn(
                "The autoencoder's numbers overflowed in half precision, and the image was decoded"
                " again in float32."
            )
        if percent := _non_finite_percent(latents):
            raise NotFiniteError("latents", percent, pipeline)
        if percent := _non_finite_percent(decoded):
            spoiled = NotFiniteError("decoded image", percent, pipeline)
            if percent >= _BEARABLE:
                raise spoiled
            context.warn(f"{spoiled}, and the image is spoiled there.", share=percent / 100)

    def _capturing(self, processor: Any) -> Any:
        wrapped = copy.copy(processor)

        def postprocess(image: object, *arguments: object, **options: object) -> object:
            self._decoded = image
            return processor.postprocess(image, *arguments, **options)

        wrapped.postprocess = postprocess
        return wrapped


def _non_finite_percent(tensor: object) -> float:
    """Return which percentage of a tensor is NaN or infinite."""
    import torch

    if (
        not isinstance(tensor, torch.Tensor)
        or not tensor.is_floating_point()
        or tensor.numel() == 0
    ):
        return 0.0
    finite = tensor.isfinite()
    return 0.0 if bool(finite.all()) else 100 * (1 - float(finite.float().mean()))
