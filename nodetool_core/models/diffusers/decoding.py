"""
Out of memory while an autoencoder decodes, in a form that no pipeline swallows.

The pipelines of the Sana family catch `torch.OutOfMemoryError` around `vae.decode`, warn, and go on
without an image: they fail with something else, or return the image that they were given (diffusers
0.42). A `MemoryError` passes through them, so that the call is tried again with less memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.method_wrapper import MethodWrapper

if TYPE_CHECKING:
    import torch


def report_out_of_memory(module: torch.nn.Module, part: str) -> None:
    """Have an autoencoder raise MemoryError where decoding runs out; leave other parts alone."""
    if part == "vae" and callable(getattr(module, "decode", None)):
        module.decode = _Decode(module, "decode")  # type: ignore[assignment]


class _Decode(MethodWrapper):
    def __call__(self, *arguments: object, **options: object) -> object:
        import torch

        try:
            return self.__wrapped__(*arguments, **options)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error
