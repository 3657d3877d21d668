"""What a prompt of a web UI holds besides words: networks, weights, embeddings."""

from __future__ import annotations

import math
import re
from typing import Final

from nodes.importers.metadata.fields import Fields

_NETWORK: Final = re.compile(r"<(lora|lyco|hypernet):([^<>:]{1,200})((?::[^<>:]{0,40})*)>")
"""How a prompt names a network that changes the model."""

_SYNTAX: Final = {
    "weights": re.compile(r"(?<!\\)\([^()]+?(?<!\\)\)|(?<!\\)\({2,}"),
    "weakened words": re.compile(r"(?<!\\)\[[^\[\]:|]+\]"),
    "words by steps": re.compile(r"(?<!\\)\[[^\[\]]*[:|][^\[\]]*\]"),
    "parts": re.compile(r"\b(?:BREAK|AND)\b"),
    "choices at random": re.compile(r"(?<!\\)\{[^{}|]*\|[^{}]*\}"),
}
"""What a web UI finds in a prompt before a model sees it."""
_SHOWN: Final = 5


def lora(name: str, scale: float) -> dict[str, object]:
    """Return the reference to a LoRA that a web UI calls by the name of its file."""
    return {"type": "hf.lora", "repo_id": weights_file(name), "scale": scale}


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


def prompt_of(
    fields: Fields, name: str, text: str, *, has_syntax: bool = True
) -> tuple[str, list[dict[str, object]]]:
    """
    Return a prompt without the networks that it names, and these as LoRAs.

    Args:
        name: The field that notes are on.
        has_syntax: Whether the tool reads weights and the like in it.
    """
    loras: list[dict[str, object]] = []
    for kind, network, rest in _NETWORK.findall(text):
        scale = _scale(fields, name, network, rest)
        if kind == "hypernet":
            fields.lost(name, f"the hypernetwork {network!r} has no counterpart, and is left out.")
        else:
            loras.append(lora(network, scale))
    if loras:
        named = ", ".join(f"{one['repo_id']} ({one['scale']:g})" for one in loras)
        fields.note(name, f"names LoRAs, which are the property loras: {named}.")
    text = _NETWORK.sub("", text).strip() if _NETWORK.search(text) else text
    for what, pattern in _SYNTAX.items() if has_syntax else ():
        if found := pattern.findall(text):
            shown = ", ".join(found[:_SHOWN])
            message = f"{what} ({shown}) have no counterpart: the model reads them as they stand."
            fields.about(name, message)
    return text, loras


def _scale(fields: Fields, name: str, network: str, rest: str) -> float:
    """Return the scale behind the name of a network: one, or of the text encoder and the model."""
    given = [part for part in rest.split(":")[1:] if part]
    numbers: list[float] = []
    for part in given:
        number = finite(part.partition("=")[2] or part)
        if number is None:
            fields.lost(name, f"{part!r} of {network!r} has no counterpart, and is left out.")
        else:
            numbers.append(number)
    if len(numbers) > 1 and numbers[0] != numbers[1]:
        message = f"{network!r} has the scales {numbers[:2]}: the second counts for both parts."
        fields.about(name, message)
        return numbers[1]
    return numbers[0] if numbers else 1.0
