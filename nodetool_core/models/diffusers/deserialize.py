"""
Reading one module from disk while other threads compute.

`from_pretrained` of diffusers and of transformers change what belongs to the whole process while
they make a module: torch's default number format, how modules register their parameters, the
functions that initialize weights. Two that run at once leave modules without weights; and a
denoising loop on another thread would make its tensors in the wrong format, and paint another image
without a word. So only one module is read at a time, and the default number format is left alone: a
module is made by a subclass that does not set it, under a mode of this thread alone that makes
tensors in the format wanted.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from nodetool_core.forking import renewed_after_fork
from nodetool_core.models.components.estimates import weight_files
from nodetool_core.models.components.integrity import check_whole, gaps_of
from nodetool_core.models.sources.headers import Header, HeaderError, read_header

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import torch


class _OneAtATime:
    """A lock that its holder may take again, and that is free in a forked process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def after_fork(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._lock.release()


ONE_AT_A_TIME: Final = renewed_after_fork(_OneAtATime())
"""Held while a library makes modules from files."""


def read_module(
    cls: type, folder: Path, dtype: torch.dtype, *, variant: str | None = None, may_map: bool = True
) -> Any:
    """
    Read the module in a folder with all its weights.

    It is in evaluation mode and without gradients.

    Args:
        cls: A model class of diffusers or transformers.
        may_map: Whether the files may be mapped into memory instead of being read (diffusers).

    Raises NotWhole where the files lack tensors or hold others, HeaderError where one is damaged,
    and what `from_pretrained` raises: OSError, ValueError, RuntimeError and others.
    """
    from diffusers import ModelMixin

    is_quantized = _is_quantized(folder)
    options: dict[str, Any] = {"use_safetensors": True} | (
        {} if variant is None else {"variant": variant}
    )
    # The libraries only say that shapes differ; which ones is in the report, where they
    # are to go on.
    options |= {"output_loading_info": True, "ignore_mismatched_sizes": not is_quantized}
    if issubclass(cls, ModelMixin):
        maker = discreet(cls, dtype)
        options |= {"torch_dtype": dtype, "disable_mmap": not may_map}
    else:
        maker = cls
        options |= {"dtype": dtype}
    headers, damage = _headers(weight_files(folder, variant))
    try:
        with ONE_AT_A_TIME, discreet_transformers():
            made, report = maker.from_pretrained(str(folder), **options)
    except Exception as error:
        if not damage or isinstance(error, (ImportError, MemoryError)):
            raise
        # Of a damaged file the libraries say no more than that it can't be read.
        raise HeaderError("; ".join(damage)) from error
    made.__class__ = cls
    stored = (
        None
        if is_quantized
        else {name: tensor for header in headers for name, tensor in header.tensors.items()}
    )
    unexpected = [] if is_quantized else report["unexpected_keys"]
    found = gaps_of(
        made,
        missing=report["missing_keys"],
        misshapen=report["mismatched_keys"],
        unexpected=unexpected,
        stored=stored,
    )
    check_whole(made, found)
    return made.eval().requires_grad_(False)


def _is_quantized(folder: Path) -> bool:
    """
    Return whether a folder's weights are in a form that the library computes with as it is.

    Those of torchao are.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Reading says what is wrong with it.
        return False
    return isinstance(config, dict) and bool(config.get("quantization_config"))


def _headers(files: Iterable[Path]) -> tuple[list[Header], list[str]]:
    """Return the headers of files; and of those that can't be read what is wrong with them."""
    headers, damage = [], []
    for file in files:
        try:
            headers.append(read_header(file))
        except HeaderError as error:
            damage.append(f"{file.parent.name}/{file.name} {error}")
    return headers, damage


def discreet(cls: Any, dtype: torch.dtype) -> Any:
    """
    Return a model class of diffusers that makes a module in a number format.

    It does so without setting the default one.
    """

    def from_config(made_by: Any, *arguments: Any, **settings: Any) -> Any:
        with _made_in(dtype):
            return super(made_by, made_by).from_config(*arguments, **settings)

    changed = {
        "_set_default_torch_dtype": classmethod(lambda made_by, dtype: None),
        "from_config": classmethod(from_config),
    }
    return type(cls.__name__, (cls,), {"__module__": cls.__module__, **changed})


@contextmanager
def discreet_transformers() -> Iterator[None]:
    """Do the same for all classes of transformers, which make others inside of them."""
    from transformers import modeling_utils

    before = modeling_utils.local_torch_dtype
    modeling_utils.local_torch_dtype = lambda dtype, model_class_name=None: _made_in(dtype)
    try:
        yield
    finally:
        modeling_utils.local_torch_dtype = before


def _made_in(dtype: torch.dtype) -> Any:
    """
    Return a context in which this thread makes tensors of real numbers in a number format.

    Those for which a format is named are made in that one.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    asked = {
        torch.empty,
        torch.zeros,
        torch.ones,
        torch.rand,
        torch.randn,
        torch.eye,
        torch.linspace,
    }
    makers = {torch.tensor, torch.full, torch.arange}
    """What they make is of real numbers or of integers, as their arguments are."""

    class Format(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            options = dict(kwargs or {})
            if options.get("dtype") is None and function in asked:
                options["dtype"] = dtype
            made = function(*args, **options)
            if function in makers and options.get("dtype") is None and made.is_floating_point():
                return made.to(dtype)
            return made

    return Format()
