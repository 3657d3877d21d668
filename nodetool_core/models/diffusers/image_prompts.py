"""Which pipelines take several image prompts at once, and masks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.libraries import import_libraries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from PIL import Image


def takes_several_image_prompts(pipeline_class: type) -> bool:
    """Return whether a pipeline that takes an IP adapter takes several at once."""
    import_libraries()
    from diffusers.loaders.ip_adapter import SD3IPAdapterMixin

    return not issubclass(pipeline_class, SD3IPAdapterMixin)


def takes_masks(pipeline_class: type) -> bool:
    """Return whether each image prompt of a pipeline can be kept to a part of the image."""
    import_libraries()
    from diffusers.loaders.ip_adapter import IPAdapterMixin

    # Those of other families take masks and do not look at them.
    return issubclass(
        pipeline_class, IPAdapterMixin
    ) and "cross_attention_kwargs" in call_parameters(pipeline_class)


def mask_arguments(masks: Sequence[Image.Image]) -> dict[str, object]:
    """
    Return the argument that keeps each image prompt to a mask, one for each adapter.

    Args:
        masks: In the size of the result, L.
    """
    return {"cross_attention_kwargs": {"ip_adapter_masks": [_tensor(mask) for mask in masks]}}


def _tensor(mask: Image.Image) -> torch.Tensor:
    """Return a mask as (1, 1, height, width), 0 to 1."""
    import numpy as np
    import torch

    return torch.from_numpy(np.asarray(mask, np.float32) / 255)[None, None]
