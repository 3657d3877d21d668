"""By what components are one and the same: which weights, in which form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from nodetool_core.references import ModelRef

_DENOISERS = ("unet", "transformer", "prior", "decoder")


def is_denoiser(part: str) -> bool:
    """Return whether a component is the network that runs at each step."""
    return part.rpartition("_")[2].rstrip("0123456789") in _DENOISERS


def is_text_encoder(part: str) -> bool:
    """Return whether a component reads prompts."""
    return "text_encoder" in part


@dataclass(frozen=True, slots=True)
class Precision:
    """In which form weights are wanted: properties of a model reference."""

    dtype: torch.dtype
    quantization: str | None = None
    compile: bool = False
    encoder_quantization: str | None = None

    @classmethod
    def of(cls, ref: ModelRef, default: torch.dtype) -> Precision:
        """Return what a reference asks for, on a device whose number format is `default`."""
        import torch

        return cls(
            getattr(torch, ref.dtype) if ref.dtype else default,
            ref.quantization,
            bool(ref.compile),
            ref.encoder_quantization,
        )

    def of_part(self, name: str) -> Precision:
        """
        Return what of it holds for a component, by its name.

        What a denoiser is rounded to makes no other autoencoder.
        """
        if is_denoiser(name):
            return replace(self, encoder_quantization=None)
        quantization = self.encoder_quantization if is_text_encoder(name) else None
        return Precision(self.dtype, encoder_quantization=quantization)


@dataclass(frozen=True, slots=True)
class ComponentKey:
    """Which weights. Two components with one key are one."""

    source: str
    """
    The class, and the content of the files where the Hub's cache has it, else their directory.
    """
    part: str
    """The subfolder, such as `unet`; empty where the content says all."""
    variant: str | None
    precision: Precision
