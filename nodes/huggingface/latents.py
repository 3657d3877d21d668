"""
Latents: what the denoising loop works on and the autoencoder encodes images to.

`samples` is a tensor (1, channels, height, width) as the denoiser sees it: normalized by the
autoencoder's scaling factor and shift. A side of an image is a side of its latents times the
autoencoder's factor, 8 for most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    import torch


class Latents(NamedTuple):
    """The latents of one image, kept as an array so that a cached run need not import torch."""

    array: Any
    """A numpy array (1, channels, height, width), float32."""

    @classmethod
    def of(cls, samples: torch.Tensor) -> Self:
        """Make them from a tensor (1, channels, height, width) of any dtype, on any device."""
        return cls(samples.detach().float().cpu().contiguous().numpy())

    @property
    def samples(self) -> torch.Tensor:
        """The array as a tensor on the CPU; shared with the cache, so never change it in place."""
        import torch

        return torch.from_numpy(self.array)
