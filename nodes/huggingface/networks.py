"""Networks that look at images: what they are given, and what is said of those that do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nodetool_core import NodeError

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.models.components.networks import ModelPart


def network_output(
    part: ModelPart,
    images: Image.Image | Sequence[Image.Image],
    others: Mapping[str, torch.Tensor] | None = None,
) -> Any:
    """
    Return what a network makes of images that its own processor made ready.

    Args:
        others: What it is given besides, such as the tokens of texts.
    """
    if part.processor is None:
        message = (
            "has no preprocessor_config.json that can be used without torchvision, so it is not"
            " known how it wants images."
        )
        raise NodeError(message, "Choose a repository with one.", code="model_unfit", where="model")
    ready = part.processor(images=images, return_tensors="pt")
    pixels = {
        name: tensor.to(part.model.device, part.model.dtype if tensor.is_floating_point() else None)
        for name, tensor in ready.items()
    }
    tokens = {name: tensor.to(part.model.device) for name, tensor in (others or {}).items()}
    return part.model(**pixels, **tokens)


def model_unfit(model: object, what: str, wanted: str, example: str) -> NodeError:
    """Return the error for a network that does something else."""
    return NodeError(
        f"{type(model).__name__} {what}.",
        f"Choose {wanted}, such as {example}.",
        code="model_unfit",
        where="model",
    )


def prepared(
    image: Image.Image,
    size: tuple[int, int],
    mean: Sequence[float],
    deviation: Sequence[float],
) -> torch.Tensor:
    """Return an image in a size as (1, channels, height, width), less the mean, in deviations."""
    import numpy as np
    import torch
    from PIL import Image as Pillow

    small = image if image.size == size else image.resize(size, Pillow.Resampling.BILINEAR)
    tones = np.asarray(small, np.float32) / 255
    tones = tones.reshape(*tones.shape[:2], -1)
    normal = (tones - np.array(mean, np.float32)) / np.array(deviation, np.float32)
    return torch.from_numpy(normal).movedim(-1, 0)[None].contiguous()
