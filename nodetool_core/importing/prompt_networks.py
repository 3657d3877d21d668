"""What a prompt of a web UI names besides words: networks in angle brackets, and embeddings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_NETWORK: Final = re.compile(r"<(lora|lyco|hypernet):([^<>:]{1,200})((?::[^<>:]{0,40})*)>")
_SCALES: Final = ("te", "unet")
"""What the numbers behind the name of a network are, in their order."""


@dataclass(frozen=True)
class Network:
    """A network that changes the model: `<lora:name:0.8>`."""

    kind: str
    """`lora`, `lyco` or `hypernet`."""
    name: str
    """That of its file, without its ending."""
    scale: float
    text_encoder_scale: float
    unread: tuple[str, ...] = ()
    """What stands behind the name and has no meaning here."""


def networks_of(text: str) -> tuple[str, list[Network]]:
    """Return a prompt without the networks that it names, and these."""
    found = [_network(*parts) for parts in _NETWORK.findall(text)]
    return (_NETWORK.sub("", text).strip() if found else text), found


def with_embeddings(text: str, names: Iterable[str]) -> str:
    """
    Return a prompt whose embeddings have the form that our nodes read: `embedding:name`.

    Args:
        names: Embeddings that prompts name by a word alone.
    """
    for name in names:
        word = rf"(?<![\w:]){re.escape(name)}(?!\w)"
        # A name may have points in it: one behind it would count as part of it.
        text = re.sub(rf"{word}(?=[.-])", f"embedding:{name} ", text, flags=re.IGNORECASE)
        text = re.sub(word, f"embedding:{name}", text, flags=re.IGNORECASE)
    return text


def finite(value: object) -> float | None:
    """Return the number that a value is or states; None for others."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _network(kind: str, name: str, rest: str) -> Network:
    """
    Return a network with its scales: of the model, and of the text encoders.

    Texts have them the other way round, by their places or as `te=` and `unet=`.
    """
    places: list[float] = []
    named: dict[str, float] = {}
    unread: list[str] = []
    for part in filter(None, rest.split(":")[1:]):
        key, _, value = part.rpartition("=")
        number = finite(value)
        if number is None or (key not in _SCALES if key else len(places) >= len(_SCALES)):
            unread.append(part)
        elif key:
            named[key] = number
        else:
            places.append(number)
    of_text = named.get("te", places[0] if places else 1.0)
    of_model = named.get("unet", places[1] if len(places) > 1 else of_text)
    return Network(kind, name.strip(), of_model, of_text, tuple(unread))
