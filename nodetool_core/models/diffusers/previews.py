"""
Previews of the denoising loop while it runs.

A matrix turns latents into a small RGB image, which is far cheaper than decoding: the colours of a
decoded image are nearly linear in the channels of the latents. The matrix is fitted by least
squares to a few smooth random latents that the model's own autoencoder decodes at the first
preview.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.families import call_parameters

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.context import Context, Pipeline
    from nodetool_core.models.diffusers.protocols import Autoencoder, StepCallback, StepTensors

_SIDE = 8
"""Height and width of the latents that the matrix is fitted to."""
_SAMPLES = 8


def preview_callback(pipeline: Pipeline, context: Context, total: int) -> StepCallback | None:
    """
    Return a `callback_on_step_end` that reports a preview of each step.

    None where nobody wants previews, or the pipeline has no such callback.

    Args:
        total: The number of denoising steps.
    """
    shows_steps = "callback_on_step_end" in call_parameters(type(pipeline))
    vae: Autoencoder | None = getattr(pipeline, "vae", None)
    if not context.wants_previews or not shows_steps or vae is None:
        return None
    matrices: list[torch.Tensor] = []

    def show(pipe: Pipeline, step: int, timestep: object, tensors: StepTensors) -> StepTensors:
        latents = tensors.get("latents")
        # Transformers pack latents into sequences, each family in its own way; those have no
        # preview.
        if (
            latents is not None
            and latents.dim() == 4
            and latents.shape[1] == vae.config.get("latent_channels")
        ):
            if not matrices:
                matrices.append(_fit_rgb_matrix(vae, latents))
            context.preview(_to_rgb(latents[0], matrices[0]), step + 1, total)
        return tensors

    return show


def chain_callbacks(callbacks: Sequence[StepCallback]) -> StepCallback:
    """Return one callback that calls several in turn."""

    def call(pipe: Pipeline, step: int, timestep: object, tensors: StepTensors) -> StepTensors:
        for callback in callbacks:
            tensors = callback(pipe, step, timestep, tensors)
        return tensors

    return call


def _fit_rgb_matrix(vae: Autoencoder, like: torch.Tensor) -> torch.Tensor:
    """Return the matrix from the channels of latents (and 1) to red, green, blue in -1…1."""
    import torch

    channels = like.shape[1]
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.randn(_SAMPLES, channels, _SIDE // 4, _SIDE // 4, generator=generator)
    latents = torch.nn.functional.interpolate(coarse, (_SIDE, _SIDE), mode="bilinear").to(like)
    decoded = vae.decode(latents / vae.config.get("scaling_factor", 1.0), return_dict=False)[0]
    colours = torch.nn.functional.adaptive_avg_pool2d(decoded.float(), (_SIDE, _SIDE))
    known = torch.nn.functional.pad(
        latents.float().movedim(1, -1).reshape(-1, channels), (0, 1), value=1.0
    )
    matrix: torch.Tensor = torch.linalg.lstsq(
        known.cpu(), colours.movedim(1, -1).reshape(-1, 3).cpu()
    ).solution
    return matrix


def _to_rgb(latent: torch.Tensor, matrix: torch.Tensor) -> Image.Image:
    import torch
    from PIL import Image

    pixels = (
        torch.nn.functional.pad(latent.float().movedim(0, -1).cpu(), (0, 1), value=1.0) @ matrix
    )
    return Image.fromarray(((pixels.clamp(-1, 1) + 1) * 127.5).to(torch.uint8).numpy())
