"""The classes of components, as repositories name them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def component_class(library: str, name: str) -> type | None:
    """
    Return the class of a component as `model_index.json` names it.

    None where neither diffusers nor transformers has it.
    """
    if library in ("diffusers", "transformers"):
        home: Any = importlib.import_module(library)
    else:
        home = _pipeline_module(library)
    found = getattr(home, name, None)
    return found if isinstance(found, type) else None


def _pipeline_module(name: str) -> Any:
    """
    Return the module of a pipeline, by which it names classes of its own.

    None where diffusers has none of that name.

    diffusers 0.41 moved some to a place of their own, and no longer finds what repositories name by
    them (its issue 14008), such as the decoder of Stable Cascade. So they are put back where it
    looks.
    """
    pipelines = importlib.import_module("diffusers.pipelines")
    moved = f"diffusers.pipelines.deprecated.{name}"
    if not hasattr(pipelines, name) and name.isidentifier() and importlib.util.find_spec(moved):
        setattr(pipelines, name, importlib.import_module(moved))
    return getattr(pipelines, name, None)


def has_weights(cls: type) -> bool:
    """Return whether a component of a class is a network."""
    from diffusers import ModelMixin
    from transformers import PreTrainedModel

    return issubclass(cls, (ModelMixin, PreTrainedModel))
