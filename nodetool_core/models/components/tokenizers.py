"""
Tokenizers that have their words, and that several threads may call.

transformers 5 makes a tokenizer whose vocabulary is not there all the same: it knows no word, and
every prompt is the same one.

A fast tokenizer keeps how to pad and truncate in itself: each call sets it and then encodes.
Pipelines call theirs with one setting for the prompt and with another to see what was cut off; when
two pipelines share the tokenizer, one gets a prompt that was padded as the other asked, and paints
another image without a word. A lock around the call makes the two steps one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from nodetool_core.models.sources.repository_layout import incomplete

if TYPE_CHECKING:
    from pathlib import Path

    from nodetool_core.context import Pipeline


_VOCABULARIES = (".model", ".tiktoken", "tekken.json")
"""Ends of the names of vocabularies that classes of other names read."""


def check_vocabularies(
    directory: Path, components: Mapping[str, tuple[str, str]], name: str
) -> None:
    """
    Raise ModelError where a tokenizer of a model's directory lacks its vocabulary.

    `name` is what the user called the model.
    """
    import transformers

    for part, (library, kind) in components.items():
        cls = getattr(transformers, kind, None) if library == "transformers" else None
        # Classes whose libraries are not installed raise when they are asked for anything.
        if not (isinstance(cls, type) and issubclass(cls, transformers.PreTrainedTokenizerBase)):
            continue
        known: Mapping[str, str] = cls.vocab_files_names
        if known and (
            missing := _missing(known, {path.name for path in (directory / part).iterdir()})
        ):
            raise incomplete(name, f"{part} ({kind}) lacks its vocabulary ({', '.join(missing)})")


def _missing(known: Mapping[str, str], files: Collection[str]) -> list[str]:
    """Return the missing files of a vocabulary, which is in one file, or in several together."""
    others = [file for role, file in known.items() if role != "tokenizer_file"]
    lacking = [file for file in others if file not in files]
    if (
        known.get("tokenizer_file") in files
        or (others and not lacking)
        or any(file.endswith(_VOCABULARIES) for file in files)
    ):
        return []
    return lacking or [known["tokenizer_file"]]


def lock_tokenizers(pipeline: Pipeline) -> None:
    """
    Let one thread at a time call each tokenizer of a pipeline.

    Its shells share the tokenizers, and so the locks.
    """
    from transformers import PreTrainedTokenizerBase

    for part in pipeline.components.values():
        # A processor has its tokenizer inside.
        tokenizer = getattr(part, "tokenizer", part)
        if isinstance(tokenizer, PreTrainedTokenizerBase):
            tokenizer.__class__ = _locked(type(tokenizer))


_SETTING = ("__call__", "encode", "tokenize", "_encode_plus")
"""Methods that set how to pad and truncate, and then rely on it."""


def _locked(tokenizer_class: type) -> type:
    """
    Return the class with those methods under one lock.

    It keeps its name, by which diffusers and transformers know what it is.
    """
    lock = threading.RLock()

    def under_lock(method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            with lock:
                return method(*arguments, **options)

        return call

    methods = {
        name: under_lock(getattr(tokenizer_class, name))
        for name in _SETTING
        if hasattr(tokenizer_class, name)
    }
    return type(
        tokenizer_class.__name__,
        (tokenizer_class,),
        methods | {"__module__": tokenizer_class.__module__},
    )
