"""A context for tests: records what a node reports, and can cancel at a step."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodetool_core import Context, ImageData, ImageRef
from nodetool_core.assets.modes import standard_mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from nodetool_core.context import Models
    from nodetool_core.references import AssetRef


class Recorder:
    """Makes contexts, and is the image room behind them: an image's own pixels."""

    def __init__(self, models: Models) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.cancelled = threading.Event()
        self.cancel_at: tuple[int, int] | None = None
        """The (step, total) at whose report the run is cancelled."""
        self.context = Context(
            "node", report=self._report, cancelled=self.cancelled, images=self, models=models
        )

    def open(self, ref: ImageRef, warn: Callable[[str], None]) -> Image.Image:
        assert isinstance(ref, ImageData)
        return standard_mode(ref.image, warn)

    def digest(self, ref: AssetRef) -> str:
        assert isinstance(ref, ImageData)
        return ref.digest

    def path(self, uri: str) -> Path:
        return Path(uri)

    @property
    def warnings(self) -> list[str]:
        return [details["message"] for kind, details in self.events if kind == "warning"]

    @property
    def steps(self) -> list[tuple[int, int]]:
        """The (step, total) of the denoising loop."""
        return [
            (details["step"], details["total"])
            for kind, details in self.events
            if kind == "progress" and not details["message"]
        ]

    def _report(self, kind: str, details: dict[str, Any]) -> None:
        self.events.append((kind, details))
        if (
            kind == "progress"
            and not details["message"]
            and (details["step"], details["total"]) == self.cancel_at
        ):
            self.cancelled.set()
