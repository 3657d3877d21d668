"""A context for tests: records what a node reports, and can cancel at a step."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core import Context, ImageData, ImageRef
from nodetool_core.assets.modes import standard_mode
from tests.reports import Reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from nodetool_core.context import Models
    from nodetool_core.references import AssetRef


class Recorder:
    """Makes contexts, and is the image room behind them: an image's own pixels."""

    def __init__(self, models: Models) -> None:
        self._reports = _Cancelling(self)
        self.events = self._reports.all
        self.cancelled = threading.Event()
        self.cancel_at: tuple[int, int] | None = None
        """The (step, total) at whose report the run is cancelled."""
        self.context = Context(
            "node", reporter=self._reports, cancelled=self.cancelled, images=self, models=models
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
        return self._reports.warnings

    @property
    def steps(self) -> list[tuple[int, int]]:
        """The (step, total) of the denoising loop."""
        return [
            (details["step"], details["total"])
            for kind, details in self.events
            if kind == "progress" and not details["message"]
        ]


class _Cancelling(Reports):
    """Cancels at the step at which its recorder says so."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def progress(self, step: int, total: int, message: str) -> None:
        super().progress(step, total, message)
        if not message and (step, total) == self._recorder.cancel_at:
            self._recorder.cancelled.set()
