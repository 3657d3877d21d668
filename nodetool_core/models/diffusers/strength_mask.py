"""
Strength by place: a mask says in how many of the steps each part of an image takes part.

A part of tone m takes part in the last m · N of N steps. Before those it is put back, after each
step, to the original image with the noise of that step; so it is never changed further than its
tone allows, and parts of all tones are denoised together. The method is that of Levin and Fried,
"Differential Diffusion", 2306.00950.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.diffusers.progress import steps_made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from PIL import Image

    from nodetool_core.context import Pipeline
    from nodetool_core.models.diffusers.protocols import StepCallback, StepTensors

_OTHER_NOISE: Final = re.compile(r"^(Kandinsky|SanaSprint|AltDiffusion)")
"""Begins the names of pipelines that do not put noise on an image by their scheduler."""

_NOISING: Final = {"add_noise": 1, "scale_noise": 2}
"""Methods by which schedulers put noise on an image, and the place of the noise among arguments."""


_TIMESTEPS, _PACK = "timesteps", "_pack_latents"
"""Attributes of a scheduler, and of a pipeline that packs latents into sequences."""


def takes_strength_mask(pipeline_class: type) -> bool:
    """Return whether parts of an image may be put back between the steps of a pipeline."""
    needed = {"image", "strength", "callback_on_step_end"}
    return needed <= call_parameters(pipeline_class).keys() and not _OTHER_NOISE.search(
        pipeline_class.__name__
    )


class StrengthMask:
    """The mask of the calls of one pipeline."""

    def __init__(self, pipeline: Pipeline, mask: Image.Image) -> None:
        """
        Make it.

        Args:
            pipeline: A pipeline whose class `takes_strength_mask`.
            mask: In the size of the image, mode L: white is changed in all steps, black in none.
        """
        self._pipeline = pipeline
        self._mask = mask
        self._original: torch.Tensor | None = None
        self._noise: torch.Tensor | None = None
        self._steps: torch.Tensor | None = None
        self._own: dict[str, Callable[..., torch.Tensor]] = {}
        """What the scheduler itself puts noise on an image by."""

    @property
    def is_neutral(self) -> bool:
        """Whether it is white throughout, and changes nothing."""
        return self._mask.getextrema() == (255, 255)

    @property
    def is_used(self) -> bool:
        """Whether a call put noise on an image, so that parts of it could be put back."""
        return self._original is not None

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Remember what the pipeline puts noise on, and which, in calls within the block."""
        scheduler = self._pipeline.scheduler
        self._own = {
            name: getattr(scheduler, name) for name in _NOISING if hasattr(scheduler, name)
        }
        for name, method in self._own.items():
            setattr(scheduler, name, self._remembering(method, _NOISING[name]))
        try:
            yield
        finally:
            for name in self._own:
                delattr(scheduler, name)

    def callback(self) -> StepCallback:
        """Return a `callback_on_step_end` that puts parts of the image back."""

        def put_back(
            pipe: Pipeline, step: int, timestep: object, tensors: StepTensors
        ) -> StepTensors:
            latents, total = tensors["latents"], steps_made(pipe)
            made = self._put_back(latents, step + 1, total)
            # Latent consistency models decode the latter.
            return {**tensors, "latents": made, "denoised": made}

        return put_back

    def _remembering(
        self, method: Callable[..., torch.Tensor], place: int
    ) -> Callable[..., torch.Tensor]:
        def put_noise(sample: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
            self._original, self._noise, self._steps = sample, others[place - 1], None
            return method(sample, *others)

        return put_noise

    def _put_back(self, latents: torch.Tensor, step: int, total: int) -> torch.Tensor:
        """Return latents before a step of so many, with all put back that took no part so far."""
        import torch

        if self._original is None:
            # Models made for inpainting begin with noise alone at full strength.
            return latents
        if self._steps is None:
            self._steps = (self._strengths(self._original) * total).round()
        is_put_back = self._steps <= total - step
        if not bool(is_put_back.any()):
            return latents
        given = self._noised(step, total).to(latents)
        is_put_back = is_put_back.expand_as(given)
        if latents.dim() == 3 and given.dim() > 3:
            given, is_put_back = self._packed(given), self._packed(is_put_back)
        return torch.where(is_put_back.view_as(latents), given.reshape(latents.shape), latents)

    def _noised(self, step: int, total: int) -> torch.Tensor:
        """Return the original with the noise that it has before a step; none after the last."""
        original, noise = self._original, self._noise
        assert original is not None and noise is not None
        if step >= total:
            return original
        timesteps: torch.Tensor = getattr(self._pipeline.scheduler, _TIMESTEPS)
        timestep = timesteps[len(timesteps) - total + step].reshape(1)
        if (scaled := self._own.get("scale_noise")) is not None:
            return scaled(original, timestep, noise)
        return self._own["add_noise"](original, noise, timestep)

    def _packed(self, latents: torch.Tensor) -> torch.Tensor:
        """Return latents as the sequence that transformers read."""
        pack: Callable[..., torch.Tensor] = getattr(self._pipeline, _PACK)
        return pack(latents, latents.shape[0], *latents.shape[-3:])

    def _strengths(self, like: torch.Tensor) -> torch.Tensor:
        """Return the mask in the size of latents, in 0 to 1."""
        import numpy as np
        import torch

        tones = torch.from_numpy(np.array(self._mask.convert("L"), dtype=np.float32))
        size = like.shape[-2:]
        made = torch.nn.functional.adaptive_avg_pool2d(tones[None, None] / 255, (size[0], size[1]))
        return made.reshape(*[1] * (like.dim() - 2), *size).to(like.device)
