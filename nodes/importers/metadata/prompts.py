"""What a prompt of a web UI holds besides words: networks, weights, embeddings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from nodes.importers.metadata.fields import Fields
from nodes.importers.prompt_syntax import embeddings_of, has_syntax
from nodetool_core.importing.prompt_networks import networks_of, with_embeddings
from nodetool_core.models.diffusers.prompt_syntax import PromptError

_UNREAD: Final = {
    "words by steps": re.compile(r"(?<!\\)\[[^\[\]]*[:|][^\[\]]*\]"),
    "parts": re.compile(r"\bAND\b"),
    "choices at random": re.compile(r"(?<!\\)\{[^{}|]*\|[^{}]*\}"),
}
"""What a web UI finds in a prompt before a model sees it, and our nodes do not."""
_WEIGHTED: Final = {
    "weights": re.compile(r"(?<!\\)\([^()]+?(?<!\\)\)|(?<!\\)\({2,}"),
    "weakened words": re.compile(r"(?<!\\)\[[^\[\]:|]+\]"),
    "parts": re.compile(r"\bBREAK\b"),
    "embeddings": re.compile(r"embedding:[\w.-]+"),
}
"""What our nodes read where the model is one of Stable Diffusion 1, 2 or XL."""
_SHOWN: Final = 5


def lora(name: str, scale: float, text_encoder_scale: float | None = None) -> dict[str, object]:
    """Return the reference to a LoRA that a web UI calls by the name of its file."""
    ref: dict[str, object] = {"type": "hf.lora", "repo_id": weights_file(name), "scale": scale}
    return ref if text_encoder_scale is None else ref | {"text_encoder_scale": text_encoder_scale}


def _shown(ref: Mapping[str, object]) -> str:
    """Return the scales of a LoRA in a line."""
    scales = f"{ref['scale']:g}"
    other = ref.get("text_encoder_scale")
    return scales if other is None else f"{scales}, text encoders {other:g}"


def weights_file(name: str) -> str:
    """Return the name of a file that a web UI names without its ending."""
    name = name.strip().replace("\\", "/").rpartition("/")[2]
    if name.lower().endswith((".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")):
        return name
    is_gguf = re.search(r"[-_.](?:Q\d(?:_\w+)?|BF16-gguf)$", name)
    return f"{name}.gguf" if is_gguf else f"{name}.safetensors"


def prompt_of(fields: Fields, name: str, text: str) -> tuple[str, list[dict[str, object]]]:
    """
    Return a prompt without the networks that it names, and these as LoRAs.

    Args:
        name: The field that notes are on.
    """
    loras: list[dict[str, object]] = []
    text, networks = networks_of(text)
    for one in networks:
        for part in one.unread:
            message = f"{part!r} of {one.name!r} has no counterpart, and is left out."
            fields.lost(name, message)
        if one.kind == "hypernet":
            message = f"the hypernetwork {one.name!r} has no counterpart, and is left out."
            fields.lost(name, message)
        else:
            of_text = None if one.text_encoder_scale == one.scale else one.text_encoder_scale
            loras.append(lora(one.name, one.scale, of_text))
    if loras:
        named = ", ".join(f"{one['repo_id']} ({_shown(one)})" for one in loras)
        fields.note(name, f"names LoRAs, which are the property loras: {named}.")
    return text, loras


def read_syntax(
    fields: Fields, prompts: Mapping[str, str], embeddings: Sequence[str] = (), *, is_clip: bool
) -> tuple[dict[str, str], dict[str, object]]:
    """
    Return prompts as our nodes read them, and the properties that say how.

    Args:
        prompts: By the fields that they stand in.
        embeddings: Those that prompts name by a word alone.
        is_clip: Whether the model is one of Stable Diffusion 1, 2 or XL.
    """
    for name, text in prompts.items():
        for what, pattern in (_UNREAD if is_clip else _UNREAD | _WEIGHTED).items():
            if found := pattern.findall(text):
                shown = ", ".join(found[:_SHOWN])
                message = f"{what} ({shown}) have no counterpart: the model reads them as they"
                fields.about(name, f"{message} stand.")
    if not is_clip:
        return dict(prompts), {}
    named = {name: with_embeddings(text, embeddings) for name, text in prompts.items()}
    refs: dict[str, dict[str, object]] = {}
    for name, text in named.items():
        try:
            if not has_syntax(text):
                continue
        except PromptError as error:
            fields.about(name, f"{error}: the model reads the prompts as they stand.")
            return dict(prompts), {}
        named[name], found_here = embeddings_of(text)
        refs |= {str(ref["repo_id"]): ref for ref in found_here}
    if not any(map(has_syntax, named.values())):
        return named, {}
    if refs:
        fields.note(next(iter(prompts)), f"{', '.join(refs)}: looked for in the folders of models.")
    return named, {"prompt_syntax": "weighted", "embeddings": list(refs.values()) or None}
