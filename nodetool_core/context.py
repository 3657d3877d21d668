"""The one object that a node sees of the engine: progress, cancel, warnings, images, models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from nodetool_core.errors import RunCancelled
from nodetool_core.references import AssetRef, ImageRef

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from PIL import Image

    from nodetool_core.assets.picture import Picture
    from nodetool_core.references import ModelRef


class Models(Protocol):
    """What a node may ask of the weights manager."""

    def use(self, ref: ModelRef, task: str, *, context: Context) -> AbstractContextManager[Any]:
        """
        The pipeline for `task` (`image-to-image`, `text-to-image`, `inpainting`), loaded and pinned until the block ends.

        Every block gets a pipeline shell of its own with a scheduler of its own; the weights are shared. Progress of a
        download or load goes to `context`. Raises ModelError with what to do where the model can't be had.
        """
        ...

    def is_loaded(self, ref: ModelRef) -> bool:
        """Whether the weights are on the device now. Never loads or fetches anything."""
        ...

    def revision(self, ref: ModelRef) -> str | None:
        """Which weights a reference stands for: a commit, or a digest of local files; None where none are here yet."""
        ...


class Images(Protocol):
    """What a node may ask of the asset room."""

    def open(self, ref: ImageRef) -> Image.Image:
        """The pixels behind a reference, decoded under the limits. Raises ImageError."""
        ...

    def path(self, uri: str) -> Path:
        """Where a path or `file:` URI leads: relative ones start from the run's base folder. Raises ImageError."""
        ...


class Sources(Protocol):
    """What a cache key may know of the content behind references."""

    def digest(self, ref: AssetRef) -> str:
        """Hash of the content of an asset. Raises ImageError."""
        ...

    def revision(self, ref: ModelRef) -> str | None:
        """Which weights a reference stands for, as far as known without a network. Raises ModelError."""
        ...


class Cancelled(Protocol):
    """Says whether to stop; a `threading.Event` is one."""

    def is_set(self) -> bool: ...


Report = Callable[[str, dict[str, Any]], None]
"""Takes what a node reports: `progress`, `warning` or `preview`, and its details."""


class Context:
    """Made by the engine for one execution of one node."""

    __slots__ = ("_cancelled", "_report", "images", "models", "node_id", "wants_previews")

    def __init__(
        self, node_id: str, *, report: Report, cancelled: Cancelled, images: Images, models: Models, wants_previews: bool = False
    ) -> None:
        self.node_id = node_id
        self.wants_previews = wants_previews
        """Whether somebody looks at intermediate pictures; making them is only worth it then."""
        self.images = images
        self.models = models
        self._report = report
        self._cancelled = cancelled

    def progress(self, step: int, total: int, message: str = "") -> None:
        """Report that `step` of `total` steps are done. Raises RunCancelled where the run was cancelled meanwhile."""
        self.check_cancelled()
        self._report("progress", {"step": step, "total": total, "message": message})

    def preview(self, image: Image.Image, step: int = 0, total: int = 0) -> None:
        """Show an intermediate or side result; nothing happens where nobody asked for previews."""
        self._report("preview", {"image": image, "step": step, "total": total})

    def warn(self, message: str, **details: Any) -> None:
        """Say what was not done as asked; goes to whoever started the run, and into the result's `warnings`."""
        self._report("warning", {"message": message, "details": details})

    @property
    def cancelled(self) -> bool:
        """Whether the node should stop: the run was cancelled, or the node's time is up."""
        return self._cancelled.is_set()

    def check_cancelled(self) -> None:
        """Raise RunCancelled where the node should stop. Call it in long loops that report no progress."""
        if self._cancelled.is_set():
            raise RunCancelled

    def image(self, ref: ImageRef, mode: str | None = None) -> Image.Image:
        """The pixels of a reference, in `mode` where one is named (`RGB` puts transparent pixels on white). Don't change them."""
        from nodetool_core.assets.picture import in_mode

        image = self.images.open(ref)
        return image if mode is None else in_mode(image, mode)

    def picture(self, image: Image.Image) -> Picture:
        """An image as the value of an output."""
        from nodetool_core.assets.picture import Picture

        return Picture.of(image)
