"""
Decoders and their priors: families that are published in two halves.

A prior turns a text into what its decoder draws. The card (README.md) of the decoder names the
prior, which is then a reference like any other: the resolver finds it in the same ways, and refuses
it where it is not listed. diffusers would follow the card by itself, to whatever is newest under
that name; so it is never let (`diffusers/assembly.py`).

Nothing is imported or loaded here that costs more than reading two small texts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem

if TYPE_CHECKING:
    from pathlib import Path

PRIOR = "prior_"
"""Begins the names that the components of a prior have in the whole pipeline."""

DECODERS = frozenset(
    {
        "KandinskyPipeline",
        "KandinskyImg2ImgPipeline",
        "KandinskyInpaintPipeline",
        "KandinskyV22Pipeline",
        "KandinskyV22Img2ImgPipeline",
        "KandinskyV22InpaintPipeline",
        "StableCascadeDecoderPipeline",
        "WuerstchenDecoderPipeline",
    }
)
"""The pipelines that draw from what a prior makes of a text, as `model_index.json` names them."""

INDEX, CARD = "model_index.json", "README.md"


def named_prior(directory: Path, name: str) -> str | None:
    """
    Return the prior that the card of a decoder names.

    None for other models, and where it names none.

    `name` is what the user called the model; it goes into messages. Raises ModelError for a card
    that can't be read.
    """
    try:
        index = json.loads((directory / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Loading says what is wrong with it.
        return None
    if (
        not isinstance(index, dict)
        or str(index.get("_class_name")) not in DECODERS
        or not (directory / CARD).is_file()
    ):
        return None
    named = _metadata(directory / CARD, name).get("prior")
    first = named[0] if isinstance(named, list) and named else named
    if not first or isinstance(first, str):
        return first or None
    raise _unreadable(
        directory / CARD, name, f"its `prior` is {str(first)[:200]!r}, and no name of a model"
    )


def prior_refused(decoder: str, prior: str, error: ModelError) -> ModelError:
    """Return the error of a decoder whose prior can't be had: why, and who wants it."""
    problem = error.problem
    said = f"{problem.where}: {problem.message}"
    hint = problem.hint or "Correct `prior` in the card."
    if problem.code == "model_unlisted":
        hint = f"List the prior as well as the decoder. {hint}"
    return ModelError(
        Problem(
            problem.code,
            decoder,
            f"needs the prior {prior[:200]!r}, which its card names. {said}",
            hint,
        )
    )


def _metadata(card: Path, name: str) -> dict[str, Any]:
    """Return what stands in the head of a card."""
    from huggingface_hub import metadata_load
    from yaml import YAMLError  # type: ignore[import-untyped]

    try:
        return metadata_load(card) or {}
    except (OSError, ValueError, YAMLError) as error:
        raise _unreadable(
            card, name, next(iter(str(error).splitlines()), type(error).__name__)
        ) from error


def _unreadable(card: Path, name: str, why: str) -> ModelError:
    hint = "Correct the head of the card, or fetch the model again."
    return ModelError(
        Problem(
            "model_incomplete", name, f"{card} can't be read, and may name the prior: {why}.", hint
        )
    )
