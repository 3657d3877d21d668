"""What stands behind the checkpoints that clients name: workflows and models that are served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from nodetool_core.errors import Problem
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.served_workflow import ServedWorkflow, Task
from nodetool_core.server.uses import mask_input, starts_from_images

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

Use = Literal["txt2img", "img2img"]


def can(task: Task | None, served: ServedWorkflow, use: Use) -> bool:
    """Return whether a workflow can be used for that, as it is served for a task."""
    return task == "text-to-image" if use == "txt2img" else starts_from_images(task, served)


class Checkpoints:
    """Titles, and what is served as each: models first, then workflows."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    @property
    def titles(self) -> list[str]:
        """All that make images."""
        return list(
            dict.fromkeys(
                title
                for title, task, served in self._all()
                if can(task, served, "txt2img") or can(task, served, "img2img")
            )
        )

    @property
    def usual(self) -> str:
        """The one that stands where none was chosen: the first that makes images from texts."""
        fit = (title for title, task, served in self._all() if can(task, served, "txt2img"))
        return next(fit, next(iter(self.titles), ""))

    def check(self, title: str) -> None:
        """Raise HttpError 404 for a title that is nobody's."""
        self._state.catalog.tasks(title)

    def served(self, title: str, use: Use, *, has_mask: bool = False) -> ServedWorkflow:
        """
        Return what serves a request; one that takes the mask comes first where there is one.

        Args:
            title: Empty where the client has chosen none.

        Raises HttpError: 404 for a title that is nobody's, 422 for one that can't do that.
        """
        found = [served for _, task, served in self._all(title) if can(task, served, use)]
        if found:
            return min(found, key=lambda served: (mask_input(served) is not None) != has_mask)
        message = f"{title or 'What is served'} can't be used for {use}."
        hint = "GET /v1/workflows says what each takes and gives."
        raise HttpError(422, Problem("unfit_model", "sd_model_checkpoint", message, hint))

    def _all(self, title: str = "") -> Iterator[tuple[str, Task | None, ServedWorkflow]]:
        catalog = self._state.catalog
        if title:
            for task, served in catalog.tasks(title).items():
                yield title, task, served
            return
        for model, tasks in catalog.models.items():
            for task, served in tasks.items():
                yield model, task, served
        for served in catalog:
            yield served.name, served.task, served
