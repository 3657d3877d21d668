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
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.served_workflow import ServedWorkflow, Task
from nodetool_core.server.uses import mask_input, starts_from_images

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

EVERY: Final = "*"
"""Stands for all names that are neither in the table nor served."""

Use = Literal["generations", "edits", "variations"]

_THEIRS: Final = re.compile(r"(?:gpt-image|chatgpt-image|dall-e)[\w.-]*", re.IGNORECASE)


def can(task: Task | None, served: ServedWorkflow, use: Use) -> bool:
    """Return whether a workflow can be used for that, as it is served for a task."""
    return task == "text-to-image" if use == "generations" else starts_from_images(task, served)


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
