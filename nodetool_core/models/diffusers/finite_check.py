"""Warn of NaN and infinities in latents and decoded images, which else turn into colours."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Context, Pipeline


class FiniteCheck:
    """Looks for NaN and infinities in what a pipeline makes; wraps its image processor."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._name = type(pipeline).__name__
        self._decoded: object = None
        processor = getattr(pipeline, "image_processor", None)
        if hasattr(processor, "postprocess"):
            pipeline.image_processor = self._capturing(processor)

    def warn(self, latents: torch.Tensor | None, context: Context) -> None:
        """Warn where latents, or else the decoded image, hold NaN or infinities."""
        for what, tensor in (("latents", latents), ("decoded image", self._decoded)):
            share = _non_finite_percent(tensor)
            if share:
                hint = "Use a variant of the model for this number format, or another `dtype`"
                message = (
                    f"{share:.2g} % of the {what} of {self._name} are no finite numbers, and the"
                    f" image is spoiled. {hint}."
                )
                context.warn(message, share=share / 100)
                break
        self._decoded = None

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
