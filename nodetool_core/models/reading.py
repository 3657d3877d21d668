"""
Reading one module from disk while other threads compute.

`from_pretrained` of diffusers and of transformers change what belongs to the whole process while they make a module: torch's default
number format, how modules register their parameters, the functions that initialize weights. Two that run at once leave
modules without weights; and a denoising loop on another thread would make its tensors in the wrong format, and paint another
picture without a word. So only one module is read at a time, and the default number format is left alone: a module is made by a
subclass that does not set it, under a mode of this thread alone that makes tensors in the format wanted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    import torch

ONE_AT_A_TIME: Final = threading.RLock()
"""Held while a library makes modules from files."""


def read_module(cls: Any, folder: Path, dtype: torch.dtype, *, variant: str | None = None, may_map: bool = True) -> Any:
    """
    The module in a folder, with its weights, in evaluation mode and without gradients.

    Args:
        cls: A model class of diffusers or transformers.
        may_map: Whether the files may be mapped into memory instead of being read (diffusers).

    Raises what `from_pretrained` raises: OSError, ValueError, RuntimeError and others.
    """
    from diffusers import ModelMixin

    options: dict[str, Any] = {"use_safetensors": True} | ({} if variant is None else {"variant": variant})
    if issubclass(cls, ModelMixin):
        maker = _discreet(cls, dtype)
        options |= {"torch_dtype": dtype, "disable_mmap": not may_map}
    else:
        maker = cls
        options |= {"dtype": dtype}
    with ONE_AT_A_TIME, _discreet_transformers():
        made = maker.from_pretrained(str(folder), **options)
    made.__class__ = cls
    return made.eval().requires_grad_(False)


def _discreet(cls: Any, dtype: torch.dtype) -> Any:
    """A model class of diffusers that makes a module in a number format without setting the default one."""

    def from_config(made_by: Any, *arguments: Any, **settings: Any) -> Any:
        with _made_in(dtype):
            return super(made_by, made_by).from_config(*arguments, **settings)

    changed = {"_set_default_torch_dtype": classmethod(lambda made_by, dtype: None), "from_config": classmethod(from_config)}
    return type(cls.__name__, (cls,), {"__module__": cls.__module__, **changed})


@contextmanager
def _discreet_transformers() -> Iterator[None]:
    """The same for all classes of transformers, which make others inside of them."""
    from transformers import modeling_utils

    before = modeling_utils.local_torch_dtype
    modeling_utils.local_torch_dtype = lambda dtype, model_class_name=None: _made_in(dtype)
    try:
        yield
    finally:
        modeling_utils.local_torch_dtype = before


def _made_in(dtype: torch.dtype) -> Any:
    """A context in which this thread makes tensors of real numbers in a number format, where none is named."""
    import torch
    from torch.overrides import TorchFunctionMode

    asked = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye, torch.linspace}
    told = {torch.tensor, torch.full, torch.arange}
    """What they make is of real numbers or of integers, as their arguments are."""

    class Format(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            options = dict(kwargs or {})
            if options.get("dtype") is None and function in asked:
                options["dtype"] = dtype
            made = function(*args, **options)
            if function in told and options.get("dtype") is None and made.is_floating_point():
                return made.to(dtype)
            return made

    return Format()
