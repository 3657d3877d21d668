"""
Warn of prompts that are longer than a text encoder reads.

Text encoders have a maximum number of tokens, and most drop the rest silently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from nodetool_core.models.diffusers.families import call_parameters

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from nodetool_core.context import Pipeline

PROMPTS = ("prompt", "negative_prompt")
_MAX_QUOTED = 60
"""Characters of the dropped text that a warning quotes."""
_MARKS = 8
"""Tokens that a tokenizer adds to a text at most: its begin, its end, a space before it."""


def warn_of_truncated_prompts(
    pipeline: Pipeline, arguments: Mapping[str, object], warn: Callable[[str], None]
) -> bool:
    """
    Warn of each prompt that is longer than a text encoder reads, and quote what is cut off.

    Return whether there was one.
    """
    is_truncated = False
    for name, text in ((name, arguments.get(name)) for name in PROMPTS):
        if not isinstance(text, str) or not text:
            continue
        # Each token stands for one of these characters or more, so that most texts need no look.
        most = len(text) + _MARKS if text.isascii() else math.inf
        for part, tokenizer, limit in _tokenizers(pipeline, arguments):
            if most <= limit:
                continue
            tokens = tokenizer(text, truncation=False, verbose=False).input_ids
            if len(tokens) > limit:
                is_truncated = True
                tail = str(tokenizer.decode(tokens[limit - 1 :], skip_special_tokens=True)).strip()[
                    :_MAX_QUOTED
                ]
                warn(
                    f"{name} is cut off: {part} reads {limit} tokens, and it has {len(tokens)}. Not"
                    f" read: {tail!r}"
                )
    return is_truncated


def _tokenizers(
    pipeline: Pipeline, arguments: Mapping[str, object]
) -> Iterator[tuple[str, PreTrainedTokenizerBase, int]]:
    """Yield the tokenizers whose limit is known: component name, tokenizer, tokens."""
    from transformers import CLIPTokenizer, PreTrainedTokenizerBase

    parameter = call_parameters(type(pipeline)).get("max_sequence_length")
    usual = None if parameter is None else parameter.default
    given = arguments.get("max_sequence_length", usual)
    for name, part in sorted(vars(pipeline).items()):
        if isinstance(part, CLIPTokenizer):
            yield name, part, part.model_max_length
        elif isinstance(part, PreTrainedTokenizerBase) and isinstance(given, int):
            yield name, part, given
