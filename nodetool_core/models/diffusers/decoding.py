"""
What autoencoders do where decoding fails: in a form that no pipeline swallows, or once more.

The pipelines of the Sana family catch `torch.OutOfMemoryError` around `vae.decode`, warn, and go on
without an image: they fail with something else, or return the image that they were given (diffusers
0.42). A `MemoryError` passes through them, so that the call is tried again with less memory.

Autoencoders in half precision overflow where their denoiser does not: SDXL's first one is known for
it. What is decoded to no numbers is decoded again in float32, which costs a decode and not a call.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from nodetool_core.models.diffusers.full_precision import is_half, widened
from nodetool_core.models.diffusers.method_wrapper import MethodWrapper

if TYPE_CHECKING:
    import torch


def guard_decoding(module: torch.nn.Module, part: str) -> None:
    """
    Have an autoencoder decode in float32 what it can't in half precision.

    It raises MemoryError where decoding runs out. Other parts are left alone.
    """
    if part == "vae" and callable(getattr(module, "decode", None)):
        module.decode = _Decode(module, "decode")  # type: ignore[assignment]


def was_decoded_again(vae: object) -> bool:
    """Return whether an autoencoder decoded in float32 since the last time this was asked."""
    decode = getattr(vae, "decode", None)
    if not isinstance(decode, _Decode):
        return False
    again, decode.again = decode.again, False
    return again


class _Decode(MethodWrapper):
    again = False

    def __call__(self, latents: torch.Tensor, *arguments: object, **options: object) -> object:
        import torch

        try:
            made = self.__wrapped__(latents, *arguments, **options)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error
        if not (is_half(self._module) and _is_finite(latents) and not _is_finite(_sample(made))):
            return made
        try:
            wide: Any = widened(self._module, latents.device)
            found = wide.decode(latents.float(), *arguments, **options)
        except (torch.OutOfMemoryError, MemoryError):
            return made
        self.again = True
        return _in_format_of(found, latents.dtype)


def _sample(made: object) -> Any:
    """Return the tensor in what an autoencoder gave."""
    return made[0] if isinstance(made, tuple) else getattr(made, "sample", made)


def _in_format_of(made: Any, dtype: torch.dtype) -> object:
    if isinstance(made, tuple):
        return (made[0].to(dtype), *made[1:])
    return dataclasses.replace(made, sample=made.sample.to(dtype))


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(tensor.isfinite().all())
