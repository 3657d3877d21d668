"""
Tokenizers that several threads may call.

A fast tokenizer keeps how to pad and truncate in itself: each call sets it and then encodes. Pipelines call theirs with one
setting for the prompt and with another to see what was cut off; when two pipelines share the tokenizer, one gets a prompt that
was padded as the other asked, and paints another picture without a word. A lock around the call makes the two steps one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def lock_tokenizers(pipeline: Any) -> None:
    """Let one thread at a time call each tokenizer of a pipeline. Its shells share the tokenizers, and so the locks."""
    from transformers import PreTrainedTokenizerBase

    for part in pipeline.components.values():
        # A processor has its tokenizer inside.
        tokenizer = getattr(part, "tokenizer", part)
        if isinstance(tokenizer, PreTrainedTokenizerBase):
            tokenizer.__class__ = _locked(type(tokenizer))


_SETTING = ("__call__", "encode", "tokenize", "_encode_plus")
"""Methods that set how to pad and truncate, and then rely on it."""


def _locked(tokenizer_class: type) -> type:
    """The class with those methods under one lock. It keeps its name, by which diffusers and transformers tell what it is."""
    lock = threading.RLock()

    def under_lock(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with lock:
                return method(*arguments, **options)

        return call

    methods = {name: under_lock(getattr(tokenizer_class, name)) for name in _SETTING if hasattr(tokenizer_class, name)}
    return type(tokenizer_class.__name__, (tokenizer_class,), methods | {"__module__": tokenizer_class.__module__})
