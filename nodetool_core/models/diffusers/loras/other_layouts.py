"""Layouts of LoRAs that diffusers converts, for the families that `layouts.py` has no rule for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast

from nodetool_core.models.diffusers.loras.layers import FileContent, read_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from nodetool_core.models.components.networks import ModelPart


class _Converter(Protocol):
    """A pipeline class of diffusers that reads LoRAs."""

    def lora_state_dict(
        self, tensors: Mapping[str, torch.Tensor], *, return_alphas: bool
    ) -> tuple[Mapping[str, torch.Tensor], Mapping[str, float] | None]: ...


def in_layout_of_diffusers(pipeline_class: type, loaded: ModelPart) -> FileContent | None:
    """
    Return the layers of a LoRA under the names of diffusers; None where it converts none.

    Args:
        pipeline_class: Of diffusers; the conversion is that of its family.
        loaded: What `context.models.use` lends for the task `tensors`.
    """
    if not hasattr(pipeline_class, "lora_state_dict"):
        return None
    import torch

    converter = cast("_Converter", pipeline_class)
    try:
        tensors, alphas = converter.lora_state_dict(dict(loaded.tensors), return_alphas=True)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        # It raises whatever it stumbles over; then the file has a layout that nobody knows, which
        # the caller reports.
        return None
    named = {name: torch.tensor(float(alpha)) for name, alpha in (alphas or {}).items()}
    return read_layers(replace(loaded, tensors={**tensors, **named}))
