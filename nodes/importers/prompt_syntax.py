"""What other tools find in a prompt before a model sees it, in the syntax of our nodes."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from nodetool_core.models.diffusers.prompt_syntax import Fragment, parse

EMBEDDING: Final = re.compile(r"embedding:([\w.\\/-]+)")
"""Where a prompt names an embedding, by the name of its file or its path."""

FLOW: Final = re.compile(
    r"(?<![a-z])(?:flux|chroma(?![a-z])|sd3|stable-?diffusion-?3|qwen[-_ ]?image|z[-_ ]?image)",
    re.IGNORECASE,
)
"""Names of flow-matching models, whose texts no CLIP encoder alone reads."""

_XL: Final = re.compile(r"xl(?![a-z])|pony|illustrious|noob", re.IGNORECASE)
"""Names of models of the family of Stable Diffusion XL."""
_AREA_OF_XL: Final = 900**2
"""Images of fewer pixels are those of Stable Diffusion 1."""


def has_syntax(text: str) -> bool:
    """
    Return whether a prompt has weights, sections or embeddings, or brackets that are text.

    Raises PromptError for weights that are out of bounds.
    """
    return bool(text) and (parse(text) != ((Fragment(text),),) or bool(EMBEDDING.search(text)))


def embeddings_of(text: str) -> tuple[str, list[dict[str, object]]]:
    """Return a prompt that names embeddings without their folders, and references to them."""
    paths = [found.replace("\\", "/") for found in EMBEDDING.findall(text)]
    named = EMBEDDING.sub(lambda found: f"embedding:{re.split(_SLASH, found[1])[-1]}", text)
    return named, [embedding(path) for path in dict.fromkeys(paths)]


_SLASH: Final = r"[\\/]"


def embedding(name: str) -> dict[str, object]:
    """Return the reference to an embedding by the name of its file, with or without its ending."""
    is_file = PurePosixPath(name).suffix.lower() in (".safetensors", ".sft", ".pt", ".bin")
    return {"type": "hf.embedding", "repo_id": name if is_file else f"{name}.safetensors"}


def is_xl(model: str, size: tuple[object, object] | None = None) -> bool:
    """Return whether a model is of the family of XL, by its name or else by the size it makes."""
    if _XL.search(model):
        return True
    width, height = size or (None, None)
    if not isinstance(width, int) or not isinstance(height, int):
        return False
    return width * height >= _AREA_OF_XL


def clip_skip(layer: int, *, for_xl: bool) -> int:
    """
    Return how many layers are left out besides those that a family leaves out anyway.

    Args:
        layer: Which layer of the encoder counts, from the last one, which is 1.
        for_xl: Whether the family is XL's, which leaves the last layer out.
    """
    return max(0, layer - (2 if for_xl else 1))
