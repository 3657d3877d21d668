"""
Attention backends of diffusers: which code computes attention.

Torch's own is the default. Others are packages of their own (FlashAttention, SageAttention,
xformers), which have to be installed for the card. A backend is set on the attention processors of
a transformer for a call; diffusers would set it for the whole process.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.denoisers import transformer_class

if TYPE_CHECKING:
    from nodetool_core.context import Pipeline

_BACKENDS: Final[Mapping[str, str]] = {
    "native": "native",
    "math": "_native_math",
    "efficient": "_native_efficient",
    "cudnn": "_native_cudnn",
    "flex": "flex",
    "flash": "flash",
    "flash_3": "_flash_3",
    "sage": "sage",
    "xformers": "xformers",
}
"""Names of `attention` to those of diffusers; those that fetch code from the Hub are left out."""


def attention_refusal(pipeline_class: type, name: str) -> str:
    """Return why a pipeline can't compute attention with a backend here; empty where it can."""
    from diffusers.models.attention_dispatch import (
        AttentionBackendName,
        _check_attention_backend_requirements,
    )

    if not _dispatches(pipeline_class):
        return f"{pipeline_class.__name__} computes attention with torch alone"
    try:
        _check_attention_backend_requirements(AttentionBackendName(_BACKENDS[name]))
    except RuntimeError as error:
        return str(error).splitlines()[0].rstrip(".")
    return ""


@cache
def _dispatches(pipeline_class: type) -> bool:
    transformer = transformer_class(pipeline_class)
    return transformer is not None and "dispatch_attention_fn" in inspect.getsource(
        sys.modules[transformer.__module__]
    )


@contextmanager
def attention_backend(pipeline: Pipeline, name: str) -> Iterator[None]:
    """Have the transformer of a pipeline compute attention with a backend until the block ends."""
    from diffusers.models.attention_dispatch import AttentionBackendName

    found = [
        getattr(module, "processor", None)
        for module in pipeline.components["transformer"].modules()
    ]
    processors = [one for one in found if one is not None and hasattr(one, "_attention_backend")]
    before = [processor._attention_backend for processor in processors]
    for processor in processors:
        processor._attention_backend = AttentionBackendName(_BACKENDS[name])
    try:
        yield
    finally:
        for processor, backend in zip(processors, before, strict=True):
            processor._attention_backend = backend
