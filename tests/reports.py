"""A reporter for tests, which keeps all that a node reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodetool_core.context import Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image


class Reports(Reporter):
    """Keeps what is reported: its kind and what it says, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, Any]]] = []

    @property
    def warnings(self) -> list[str]:
        return [details["message"] for kind, details in self.all if kind == "warning"]

    def progress(self, step: int, total: int, message: str) -> None:
        self.all.append(("progress", {"step": step, "total": total, "message": message}))

    def preview(self, image: Image.Image, step: int, total: int) -> None:
        self.all.append(("preview", {"image": image, "step": step, "total": total}))

    def warning(self, message: str, details: Mapping[str, object]) -> None:
        self.all.append(("warning", {"message": message, "details": details}))
