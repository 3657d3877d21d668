"""
Which workflow or model stands behind the name that a client gives.

Many clients can't be told another name than one of OpenAI's, and some ignore what they are told. So
the operator's table comes first, then what is served, and OpenAI's own names, or none, stand for
whatever can do what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

from nodetool_core.errors import Problem
from nodetool_core.references import ImageRef
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.served_workflow import ServedWorkflow, Task

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

EVERY: Final = "*"
"""Stands for all names that are neither in the table nor served."""

Use = Literal["generations", "edits", "variations"]

_THEIRS: Final = re.compile(r"(?:gpt-image|chatgpt-image|dall-e)[\w.-]*", re.IGNORECASE)
_MASKS: Final = ("mask", "mask_image")


def image_inputs(served: ServedWorkflow) -> list[str]:
    """Return the inputs that take one image to start from, the first of them first."""
    names = [name for name, given in served.inputs.items() if given.prop.annotation is ImageRef]
    found = [name for name in names if name != mask_input(served)]
    return sorted(found, key=lambda name: name != "image")


def mask_input(served: ServedWorkflow) -> str | None:
    """Return the input that takes a mask, white where the image is made anew."""
    return next((name for name in _MASKS if _takes_image(served, name)), None)


def images_input(served: ServedWorkflow) -> str | None:
    """Return the input that takes a list of images."""
    return next(
        (name for name, given in served.inputs.items() if given.prop.annotation == list[ImageRef]),
        None,
    )


def can(task: Task | None, served: ServedWorkflow, use: Use) -> bool:
    """Return whether a workflow can be used for that, as it is served for a task."""
    if use == "generations" or task == "text-to-image":
        return use == "generations" and task == "text-to-image"
    return bool(served.image_outputs and (image_inputs(served) or images_input(served)))


class ModelNames:
    """Names that clients give, and what is served behind each."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def served(self, name: str, use: Use, *, has_mask: bool = False) -> ServedWorkflow:
        """
        Return what serves a request; one that takes the mask comes first where there is one.

        Raises HttpError: 404 for a name that is nobody's, 422 for one that can't do that.
        """
        found = [served for task, served in self._behind(name) if can(task, served, use)]
        if found:
            return min(found, key=lambda served: (mask_input(served) is not None) != has_mask)
        message = f"{name or 'What is served'} can't be used for {use}."
        hint = "GET /v1/workflows says what each takes and gives."
        raise HttpError(422, Problem("unfit_model", "model", message, hint))

    def check(self, name: str) -> None:
        """Raise HttpError 404 for a name that is nobody's."""
        for _ in self._behind(name):
            return

    def _behind(self, name: str) -> Iterator[tuple[Task | None, ServedWorkflow]]:
        for one in self._names(name):
            yield from self._state.catalog.tasks(one).items()

    def _names(self, name: str) -> Sequence[str]:
        table, catalog = self._state.settings.openai_models, self._state.catalog
        if name in table:
            return table[name]
        if name in catalog.workflows or name in catalog.models:
            return (name,)
        if EVERY in table:
            return table[EVERY]
        if not name or _THEIRS.fullmatch(name):
            return (*catalog.models, *catalog.workflows)
        # Raises, or finds a model by what is left of its path in an address.
        catalog.tasks(name)
        return (name,)


def _takes_image(served: ServedWorkflow, name: str) -> bool:
    return name in served.inputs and served.inputs[name].prop.annotation is ImageRef
