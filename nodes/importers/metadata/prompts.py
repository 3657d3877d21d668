"""What a prompt of a web UI holds besides words: networks, weights, embeddings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from nodes.importers.metadata.fields import Fields
from nodes.importers.prompt_syntax import embeddings_of, has_syntax
from nodetool_core.models.diffusers.prompt_syntax import PromptError

_NETWORK: Final = re.compile(r"<(lora|lyco|hypernet):([^<>:]{1,200})((?::[^<>:]{0,40})*)>")
"""How a prompt names a network that changes the model."""

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


def finite(value: object) -> float | None:
    """Return the number that a value is or states; None for others."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def prompt_of(fields: Fields, name: str, text: str) -> tuple[str, list[dict[str, object]]]:
    """
    Return a prompt without the networks that it names, and these as LoRAs.

    Args:
        name: The field that notes are on.
    """
    loras: list[dict[str, object]] = []
    for kind, network, rest in _NETWORK.findall(text):
        scales = _scales(fields, name, network, rest)
        if kind == "hypernet":
            fields.lost(name, f"the hypernetwork {network!r} has no counterpart, and is left out.")
        else:
            loras.append(lora(network, *scales))
    if loras:
        named = ", ".join(f"{one['repo_id']} ({_shown(one)})" for one in loras)
        fields.note(name, f"names LoRAs, which are the property loras: {named}.")
    text = _NETWORK.sub("", text).strip() if _NETWORK.search(text) else text
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
    named = {name: _with_embeddings(text, embeddings) for name, text in prompts.items()}
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


def _with_embeddings(text: str, embeddings: Sequence[str]) -> str:
    """Return a prompt whose embeddings have the form that our nodes read."""
    for name in embeddings:
        word = rf"(?<![\w:]){re.escape(name)}(?!\w)"
        # A name may have points in it: one behind it would count as part of it.
        text = re.sub(rf"{word}(?=[.-])", f"embedding:{name} ", text, flags=re.IGNORECASE)
        text = re.sub(word, f"embedding:{name}", text, flags=re.IGNORECASE)
    return text


def _scales(fields: Fields, name: str, network: str, rest: str) -> list[float]:
    """
    Return the scales behind the name of a network: of the model, and of the text encoders.

    Texts have them the other way round, by their places or as `te=` and `unet=`.
    """
    places: list[float] = []
    named: dict[str, float] = {}
    for part in filter(None, rest.split(":")[1:]):
        key, _, value = part.rpartition("=")
        number = finite(value)
        is_read = number is not None and (key in _SCALES if key else len(places) < len(_SCALES))
        if number is None or not is_read:
            fields.lost(name, f"{part!r} of {network!r} has no counterpart, and is left out.")
        elif key:
            named[key] = number
        else:
            places.append(number)
    of_text = named.get("te", places[0] if places else 1.0)
    of_model = named.get("unet", places[1] if len(places) > 1 else of_text)
    return [of_model] if of_model == of_text else [of_model, of_text]


_SCALES: Final = ("te", "unet")
"""What the numbers behind the name of a network are, in their order."""
