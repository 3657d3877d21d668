"""
Check the files of adapters and upscalers, and explain what does not fit.

diffusers takes integers for weights, and reports the rest in terms of its own internals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodetool_core import NodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

_SHOWN = 3
_DOWNLOAD_AGAIN = "The file is damaged: download it again, or use another one."

_SCALES = (".scale_weight", ".weight_scale", ".scale_input", ".input_scale")
"""Suffixes of the scales of 8-bit weights, which diffusers does not read."""

_SHAPES = (
    re.compile(
        r"size mismatch for (?P<name>\S+): .*?\[(?P<has>[^]]*)\].*?\[(?P<wants>[^]]*)\]", re.DOTALL
    ),
    re.compile(
        r"because (?P<name>\S+) expected shape .*?\[(?P<wants>[^]]*)\]\), but got"
        r" .*?\[(?P<has>[^]]*)\]"
    ),
)
"""Messages of torch and diffusers about shapes that differ."""


def check_weight_dtypes(tensors: Mapping[str, torch.Tensor], what: str, where: str) -> None:
    """
    Raise NodeError where weights are integers or booleans, or quantized with scales.

    Args:
        what: Begins the message.
        where: The property that the message names.
    """
    if scales := [key for key in tensors if key.endswith(_SCALES)]:
        message = f"{what} is quantized in a form that is not read here: {_listed(scales)}."
        raise NodeError(
            message,
            "Use one that is not quantized.",
            code="model_quantization_unsupported",
            where=where,
        )
    wrong = [
        f"{key} is {str(tensor.dtype).removeprefix('torch.')}"
        for key, tensor in tensors.items()
        if tensor.ndim and not _is_real(tensor)
    ]
    if wrong:
        raise NodeError(
            f"{what} holds weights that are no real numbers: {_listed(wrong)}.",
            _DOWNLOAD_AGAIN,
            code="model_incomplete",
            where=where,
        )


def model_unfit(what: str, pipeline: str, error: Exception, hint: str, where: str) -> NodeError:
    """Return the error for an adapter that a library could not load into a pipeline."""
    return NodeError(
        f"{what} does not fit {pipeline}: {_reason(error)}", hint, code="model_unfit", where=where
    )


def _reason(error: Exception) -> str:
    text = str(error)
    for pattern in _SHAPES:
        if found := pattern.search(text):
            return (
                f"its tensor {found['name']} has the shape ({found['has']}), where the model has"
                f" ({found['wants']})."
            )
    if isinstance(error, KeyError):
        return f"it has no tensor {error.args[0]!r}." if error.args else "it lacks a tensor."
    if "meta tensor" in text:
        return "it lacks tensors that the model needs of it."
    if isinstance(error, (AttributeError, TypeError)):
        return "its tensors have other names than those of this family."
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[
        :300
    ]


def _is_real(tensor: torch.Tensor) -> bool:
    return bool(tensor.is_floating_point())


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return "; ".join(names[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
