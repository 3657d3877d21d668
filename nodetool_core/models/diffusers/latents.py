"""Latents of a pipeline: captured after the last step, and normalized as its VAE states it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.families import call_parameters, exposes_latents

if TYPE_CHECKING:
    from collections.abc import Sized

    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.diffusers.protocols import Autoencoder, StepCallback, StepTensors


class LatentsCapture:
    """Keeps the latents of the last denoising step, from which the image is decoded."""

    def __init__(self) -> None:
        self._last: torch.Tensor | None = None

    def callback(self, pipeline: Pipeline) -> StepCallback | None:
        """Return a `callback_on_step_end`; None where the pipeline has no such parameter."""
        if "callback_on_step_end" not in call_parameters(type(pipeline)):
            return None

        def keep(pipe: Pipeline, step: int, timestep: object, tensors: StepTensors) -> StepTensors:
            self._last = tensors.get("latents")
            return tensors

        return keep

    @property
    def last(self) -> torch.Tensor | None:
        """The captured latents, in the pipeline's own layout."""
        return self._last

    def latents(self, pipeline: Pipeline, size: tuple[int, int]) -> torch.Tensor | None:
        """
        Return the captured latents in the layout of one image of that width and height.

        None where nothing was captured, or where only the pipeline can unpack its latents.
        """
        last = self._last
        vae: Autoencoder | None = getattr(pipeline, "vae", None)
        if last is None or vae is None or not exposes_latents(type(pipeline)):
            return None
        unpack = getattr(pipeline, "_unpack_latents", None)
        if (
            last.dim() == 3
            and unpack is not None
            and len(inspect.signature(unpack).parameters) == 4
        ):
            last = unpack(last, size[1], size[0], getattr(pipeline, "vae_scale_factor", None))
        if last.dim() != 4 or last.shape[1] != vae.config.get("latent_channels"):
            return None
        return last[:1]


def vae_scale_factor(vae: Autoencoder) -> int:
    """Return how many pixels one latent covers along a side."""
    widths: Sized = vae.config.get("block_out_channels") or vae.config["encoder_block_out_channels"]
    return int(2 ** (len(widths) - 1))


def normalized(vae: Autoencoder, latents: torch.Tensor) -> torch.Tensor:
    """Return the encoder's output as the denoiser takes it: shifted and scaled."""
    scale, shift = _normalization(vae)
    result: torch.Tensor = (latents - shift) * scale
    return result


def denormalized(vae: Autoencoder, latents: torch.Tensor) -> torch.Tensor:
    """Return the denoiser's output as the decoder takes it: unscaled and shifted back."""
    scale, shift = _normalization(vae)
    result: torch.Tensor = latents / scale + shift
    return result


def _normalization(vae: Autoencoder) -> tuple[float | torch.Tensor, float | torch.Tensor]:
    """Return scale and shift: numbers, or tensors per channel where the VAE has statistics."""
    import torch

    mean, std = vae.config.get("latents_mean"), vae.config.get("latents_std")
    if mean is not None and std is not None:
        columns = [
            torch.tensor(values, dtype=torch.float32, device=vae.device).view(1, -1, 1, 1)
            for values in (mean, std)
        ]
        return vae.config.get("scaling_factor", 1.0) / columns[1], columns[0]
    return vae.config.get("scaling_factor") or 1.0, vae.config.get("shift_factor") or 0.0
