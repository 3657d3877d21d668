"""
Several prompts for one image, each with its place, its strength and its share of the noise.

At each step the denoiser predicts the noise once for every prompt that counts then. The predictions
are averaged, pixel by pixel of the latents, by the weights of the prompts there. A box without a
mask is denoised as an image of its own and fades in at its edges; with a mask the denoiser sees the
whole image. Only the half of a batch that follows the prompt is changed, so guidance works as ever.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.modules import shallow_clone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from PIL import Image

    from nodetool_core.context import Pipeline

_FADE: Final = 8
"""Latent pixels over which a box fades in, where its edge is not that of the image."""
_TEXT: Final = "encoder_hidden_states"
_ADDED: Final = "added_cond_kwargs"
_UNET: Final = "unet"
_IS_GUIDED: Final = "do_classifier_free_guidance"
"""Attributes of a pipeline that calls its UNet for the prompt and for the negative one at once."""
_OF_WHOLE_IMAGE: Final = (
    "down_block_additional_residuals",
    "mid_block_additional_residual",
    "down_intrablock_additional_residuals",
    "cross_attention_kwargs",
)
"""Arguments of a denoiser that belong to an image of the whole size."""


@dataclass(frozen=True)
class RegionPrompt:
    """A prompt, encoded, and where it counts."""

    tokens: torch.Tensor
    pooled: torch.Tensor | None
    box: tuple[float, float, float, float]
    """Left, top, right and bottom edge as shares of the image."""
    mask: Image.Image | None
    """In the size of the image, mode L: white where it counts."""
    strength: float
    start: float
    """The share of the noise, counted from pure noise, at which it begins to count."""
    end: float

    @property
    def is_cropped(self) -> bool:
        return self.mask is None and self.box != (0.0, 0.0, 1.0, 1.0)

    def counts_at(self, share: float) -> bool:
        return bool(self.strength) and self.start <= share <= self.end

    def edges(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the box in pixels of latents of a size; at least one of them."""
        left, top, right, bottom = (
            round(share * side)
            for share, side in zip(self.box, (width, height, width, height), strict=True)
        )
        left, top = min(left, width - 1), min(top, height - 1)
        return left, top, max(right, left + 1), max(bottom, top + 1)

    def weights(self, like: torch.Tensor) -> torch.Tensor:
        """Return how much it counts at each pixel of latents, (1, 1, height, width)."""
        import numpy as np
        import torch

        height, width = like.shape[-2:]
        left, top, right, bottom = self.edges(width, height)
        made = torch.zeros(1, 1, height, width)
        made[..., top:bottom, left:right] = self.strength
        if self.mask is not None:
            tones = torch.from_numpy(np.array(self.mask.convert("L"), dtype=np.float32) / 255)
            size = (height, width)
            made *= torch.nn.functional.interpolate(
                tones[None, None], size, mode="bilinear", antialias=True
            )
        elif self.is_cropped:
            rows = _ramp(top, bottom, height)[:, None]
            made *= rows * _ramp(left, right, width)
        return made.to(like.device, like.dtype)


def _ramp(first: int, last: int, side: int) -> torch.Tensor:
    """Return the weights along one side of a box."""
    import torch

    made = torch.ones(side)
    for place in range(min(_FADE, last - first)):
        tone = (place + 1) / _FADE
        if first:
            made[first + place] *= tone
        if last < side:
            made[last - 1 - place] *= tone
    return made


class PromptRegions:
    """The prompts that count beside that of a call."""

    def __init__(
        self, pipeline: Pipeline, regions: Sequence[RegionPrompt], *, has_base: bool
    ) -> None:
        """
        Make them.

        Args:
            pipeline: A pipeline with a UNet that reads its prompts by CLIP.
            regions: The prompts.
            has_base: Whether the prompt of the call counts everywhere; if not, it counts where no
                other one does.
        """
        self._pipeline = pipeline
        self._regions = regions
        self._has_base = has_base

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have the pipeline follow them in calls within the block; its weights stay shared."""
        shared: torch.nn.Module = getattr(self._pipeline, _UNET)
        clone = shallow_clone(shared)
        vars(clone)["_forward_hooks"] = OrderedDict()
        vars(clone)["_forward_hooks_with_kwargs"] = OrderedDict()
        clone.register_forward_hook(self._combined, with_kwargs=True)
        setattr(self._pipeline, _UNET, clone)
        try:
            yield
        finally:
            setattr(self._pipeline, _UNET, shared)

    def _combined(
        self,
        unet: torch.nn.Module,
        given: tuple[torch.Tensor, ...],
        named: Mapping[str, object],
        predicted: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, ...]:
        """Return what a UNet predicts, with the other prompts in it."""
        import torch

        sample, timestep, *others = given
        active = [region for region in self._regions if region.counts_at(self._share(timestep))]
        if not active:
            return predicted
        count = len(sample) // 2 if getattr(self._pipeline, _IS_GUIDED) else 0
        arguments = {name: _rows(value, len(sample), count) for name, value in named.items()}
        led = predicted[0][count:]
        weights = [region.weights(led) for region in active]
        covered = torch.stack(weights).sum(dim=0)
        own = torch.ones_like(covered) if self._has_base else (covered == 0).to(led.dtype)
        total = led * own
        for region, weight in zip(active, weights, strict=True):
            total += weight * _prediction(unet, sample[count:], timestep, others, arguments, region)
        made = total / (covered + own)
        return (torch.cat([predicted[0][:count], made]), *predicted[1:])

    def _share(self, timestep: torch.Tensor | float) -> float:
        """Return how much of the noise is gone at a time of the scheduler."""
        config: Mapping[str, int] = getattr(self._pipeline.scheduler, "config")  # noqa: B009
        times = config["num_train_timesteps"] - 1
        return min(1.0, max(0.0, 1 - float(timestep) / times))


def _prediction(
    unet: torch.nn.Module,
    sample: torch.Tensor,
    timestep: torch.Tensor,
    others: Sequence[object],
    arguments: Mapping[str, object],
    region: RegionPrompt,
) -> torch.Tensor:
    """Return what a UNet predicts for one prompt, in the size of the whole image."""
    import torch

    named = {**arguments, _TEXT: region.tokens.to(sample).expand(len(sample), -1, -1)}
    added = named.get(_ADDED)
    if isinstance(added, dict) and region.pooled is not None:
        pooled = region.pooled.to(sample).expand(len(sample), -1)
        named[_ADDED] = {**added, "text_embeds": pooled}
    is_cropped = region.is_cropped and not any(named.get(name) for name in _OF_WHOLE_IMAGE)
    left, top, right, bottom = region.edges(sample.shape[-1], sample.shape[-2])
    part = sample[..., top:bottom, left:right] if is_cropped else sample
    found: torch.Tensor = unet.forward(part, timestep, *others, **named)[0]
    if not is_cropped:
        return found
    made = torch.zeros(*found.shape[:2], *sample.shape[-2:], dtype=found.dtype, device=found.device)
    made[..., top:bottom, left:right] = found
    return made


def _rows(value: object, batch: int, first: int) -> object:
    """Return an argument of a denoiser for the rows of a batch from one on."""
    import torch

    if isinstance(value, torch.Tensor):
        return value[first:] if value.dim() and len(value) == batch else value
    if isinstance(value, dict):
        return {name: _rows(one, batch, first) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_rows(one, batch, first) for one in value)
    return value
