"""The prompts of a sampler, as the properties of a node that say them and how they are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.regions import CONCAT, base_and_others, further_prompts, one_text
from nodes.importers.comfyui.values import EmptyLatents, Part, Place, Prompt, Weights
from nodes.importers.prompt_syntax import (
    FLOW,
    clip_skip,
    embeddings_of,
    has_syntax,
    is_xl,
)
from nodetool_core.importing.draft import Handle
from nodetool_core.models.diffusers.prompt_syntax import PromptError

_CHOICES: Final = re.compile(r"(?<!\\)\{[^{}|]*\|[^{}]*\}")
_UNREAD: Final = {
    "weights": re.compile(r"(?<!\\)\([^()]+:\s*-?[\d.]+\s*\)"),
    "embeddings": re.compile(r"embedding:[^\s,()]+"),
}
"""What ComfyUI finds in a text, and models without a CLIP encoder alone do not."""
_SQUARE: Final = re.compile(r"(?<!\\)[\[\]]")
"""Brackets that mean nothing in ComfyUI."""
_SECTION: Final = re.compile(r"\bBREAK\b")
_SHOWN: Final = 5


def prompt_text(reading: Reading, name: str) -> str | Handle:
    """Return a text for a model; note the syntax in it that only ComfyUI understands."""
    text: str | Handle = reading.take(name, "")
    _note_matches(reading, {name: text}, "choices at random", _CHOICES)
    return text


def prompt_properties(
    reading: Reading,
    node_type: str,
    weights: Weights,
    prompts: tuple[Prompt, Prompt],
    latents: object = None,
) -> dict[str, object]:
    """
    Return the prompts for a node, and how it reads them.

    Args:
        node_type: The node of ours.
        weights: The model that reads them.
        prompts: What is wanted, and what is not.
        latents: What the sampler begins with; the size of empty ones says more of the model.
    """
    positive, negative = prompts
    if negative.beside or negative.place != Place():
        negative = one_text(reading, negative)
    is_clip, for_xl = _reads_by_clip(reading, weights, positive, latents)
    has_syntax_of_ours = reading.draft.annotation(node_type, "prompt_syntax") is not None
    takes_several = is_clip and reading.draft.annotation(node_type, "prompts") is not None
    others: list[Prompt] = []
    if (positive.beside or positive.place != Place()) and takes_several:
        base, others = base_and_others(positive)
        positive = replace(positive, text="", other=None) if base is None else base
    elif positive.beside or positive.place != Place():
        positive = one_text(reading, positive)
    texts: dict[str, object] = {"prompt": positive.text, "negative_prompt": negative.text}
    takes_two = reading.draft.annotation(node_type, "prompt_2") is not None
    if positive.other is not None and takes_two:
        texts |= {"prompt": positive.other, "prompt_2": positive.text}
    elif positive.other is not None:
        reading.lost(f"the text {positive.other!r} for CLIP-L has no counterpart here.")
    if negative.other is not None:
        message = f"the text {negative.other!r} for CLIP-L has no counterpart in what is not wanted"
        reading.lost(f"{message}: it is left out.")
    if not (is_clip and has_syntax_of_ours):
        for what, pattern in _UNREAD.items():
            _note_matches(reading, texts, what, pattern)
        if positive.encoders.layer not in (None, 1):
            reading.lost(f"layer -{positive.encoders.layer} of the encoder has no counterpart.")
        return texts
    skipped = _skipped(reading, positive.encoders, negative.encoders, for_xl=for_xl)
    named = {f"{_FURTHER}{number}": one.text for number, one in enumerate(others)}
    read = texts | named | _weighted(reading, texts | named)
    further = further_prompts(reading, others, [read.pop(name) for name in named], latents)
    return read | further | ({"clip_skip": skipped} if skipped else {})


_FURTHER: Final = "further prompt "
"""Begins the names of texts that are no properties of the node itself."""


def _reads_by_clip(
    reading: Reading, weights: Weights, prompt: Prompt, latents: object
) -> tuple[bool, bool]:
    """Return whether a model reads prompts by CLIP alone, and whether it is taken for an SDXL."""
    model = str(reading.draft.nodes[weights.model.node].data.get("value"))
    empty = latents if isinstance(latents, EmptyLatents) else None
    is_flow = weights.is_flow or (empty is not None and empty.is_flow)
    is_clip = not (is_flow or prompt.guidance is not None or FLOW.search(model))
    size = (known(empty.width), known(empty.height)) if empty else None
    return is_clip, is_xl(model, size) or prompt.other is not None


def _weighted(reading: Reading, texts: Mapping[str, object]) -> dict[str, object]:
    """Return what differs where prompts are read with weights; nothing where none has any."""
    # Brackets of this form are text in ComfyUI; a text that comes over an edge stays as it is.
    escaped = {
        name: _SQUARE.sub(r"\\\g<0>", text) if type(text) is str else text
        for name, text in texts.items()
    }
    stated = [one for text in texts.values() for one in _stated(reading, text)]
    try:
        if not any(has_syntax(_SQUARE.sub("", _SECTION.sub("", text))) for text in stated):
            return {}
    except PromptError as error:
        reading.note(f"{error}: the prompts are read as they stand.", level="warning")
        return {}
    kept = [one for text in escaped.values() for one in _stated(reading, text)]
    if any(_SQUARE.search(text) or _SECTION.search(text) for text in kept):
        message = "[ ] and BREAK are syntax here, and text in ComfyUI; there are some in the texts."
        reading.note(message, level="warning")
    embeddings: dict[str, dict[str, object]] = {}
    for name, text in escaped.items():
        if type(text) is str:
            escaped[name], _ = embeddings_of(text)
        for one in _stated(reading, text):
            embeddings |= {str(ref["repo_id"]): ref for ref in embeddings_of(one)[1]}
    if not embeddings:
        return {**escaped, "prompt_syntax": "weighted"}
    message = f"{', '.join(embeddings)}: looked for in the folders of models."
    reading.note(f"names embeddings, which are the property embeddings ({message})")
    return {**escaped, "prompt_syntax": "weighted", "embeddings": list(embeddings.values())}


def _stated(reading: Reading, text: object) -> list[str]:
    """Return a text, or those that nodes make it of, as far as they stand in the file."""
    value = known(text)
    if not isinstance(value, Handle):
        return [value] if isinstance(value, str) else []
    found: list[str] = []
    waiting, seen = [value.node], set[str]()
    while waiting:
        name = waiting.pop()
        node = reading.draft.nodes.get(name)
        if name in seen or node is None or node.type not in _TEXTS:
            continue
        seen.add(name)
        found += [one for one in node.data.values() if isinstance(one, str)]
        waiting += [edge.source for edge in reading.draft.edges if edge.target == name]
    return found


_TEXTS: Final = (CONCAT, "nodetool.constant.String", "nodetool.input.StringInput")
"""Nodes that give texts, or join them."""


def _skipped(reading: Reading, positive: Part, negative: Part, *, for_xl: bool) -> int:
    """Return how many layers of the text encoder are left out."""
    if positive.layer != negative.layer and negative.layer is not None:
        message = f"layer -{negative.layer} for the negative prompt: that of the positive one"
        reading.note(f"{message} counts for both.", level="warning")
    if positive.layer is None:
        return 0
    if for_xl and positive.layer == 1:
        reading.note("the last layer is read there, here the one before.", level="warning")
    skipped = clip_skip(positive.layer, for_xl=for_xl)
    family = "XL" if for_xl else "1"
    reading.note(
        f"stop_at_clip_layer -{positive.layer} is clip_skip {skipped}, as the model is taken for"
        f" one of Stable Diffusion {family}."
    )
    return skipped


def _note_matches(
    reading: Reading, texts: Mapping[str, object], what: str, pattern: re.Pattern[str]
) -> None:
    """Note what only ComfyUI understands in a text."""
    for name, text in texts.items():
        if isinstance(text, str) and (found := pattern.findall(text)):
            shown = ", ".join(found[:_SHOWN])
            message = f"{what} in {name} ({shown}) have no counterpart: the model reads them as"
            reading.note(f"{message} they stand.", level="warning")
