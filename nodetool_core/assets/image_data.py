"""`ImageData`: an image in memory, as it travels along edges."""

from __future__ import annotations

import copy
import threading
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import PrivateAttr

from nodetool_core.assets.encode import encode_image, save_image
from nodetool_core.assets.modes import DEEP_MODES, in_mode
from nodetool_core.references import ImageRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

_SHOWN_SIDE: Final = 1024
"""Pixels of the longer side at most, in a notebook."""


class ImageData(ImageRef):
    """
    An image in memory. An `ImageRef` like any other, whose pixels are at hand.

    An image never changes. `image` lends an image over its pixels, which copies them before it is
    changed; so does the image that the image was made of. `provenance` is what made it (workflow,
    seeds, model revisions, versions) once it is a result of a run; `save` writes it into the file.
    """

    _image: Any = PrivateAttr(default=None)
    _provenance: dict[str, Any] | None = PrivateAttr(default=None)
    _notes: tuple[str, ...] = PrivateAttr(default=())
    _digest: str | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def of(
        cls,
        image: Image.Image,
        provenance: dict[str, object] | None = None,
        notes: Sequence[str] = (),
    ) -> Self:
        """
        Return an image of what an image shows now.

        Args:
            notes: What was lost or guessed in decoding it, for the node that opens it to report.
        """
        from nodetool_core.assets.copy_on_write import CopyOnWriteImage

        made = cls()
        made._image = CopyOnWriteImage.over(image)
        made._provenance = provenance
        made._notes = tuple(notes)
        return made

    @property
    def image(self) -> Image.Image:
        """
        An image of your own with the image's pixels.

        What you change in it changes neither the image nor any other image.
        """
        return self._image.lent()  # type: ignore[no-any-return]

    def sealed(self) -> Self:
        """
        Return this image, whose pixels nobody else can write from now on.

        Not even through an `ImageDraw.Draw` that is still held.
        """
        if not self._image.is_sealed:
            from nodetool_core.assets.copy_on_write import CopyOnWriteImage

            self._image = CopyOnWriteImage.sealed(self._image)
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """What was lost or guessed in decoding it."""
        return self._notes

    @property
    def provenance(self) -> dict[str, Any] | None:
        """A copy of what made the image; None for one that is no result of a run."""
        return copy.deepcopy(self._provenance)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of, (self._image.copy(), self._provenance, self._notes)

    def __copy__(self) -> Self:
        """Return this image: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, object] | None = None) -> Self:
        """Return this image: it never changes."""
        return self

    def is_empty(self) -> bool:
        return False

    def with_provenance(self, provenance: dict[str, object]) -> Self:
        """Return the same pixels with their origin."""
        return type(self).of(self._image, provenance)

    def inline(self) -> ImageRef:
        """
        Return a reference that holds the image as an encoded file, for where only JSON goes.

        Its provenance is left out.
        """
        return ImageRef(data=b64encode(self.encoded()).decode("ascii"))

    def encoded(self) -> bytes:
        """Return the image as a file that loses nothing of it, without its provenance."""
        file_format = "TIFF" if self._image.mode in DEEP_MODES | {"CMYK"} else "PNG"
        return encode_image(self.image, file_format)

    @property
    def has_digest(self) -> bool:
        """Whether `digest` is known already."""
        return self._digest is not None

    @property
    def digest(self) -> str:
        """
        Hash of mode, size and pixels, with what their numbers stand for.

        Equal images have equal digests, in every process.
        """
        from blake3 import blake3

        with self._lock:
            if self._digest is None:
                image = self._image
                hasher = blake3(f"{image.mode} {image.width}x{image.height} ".encode())
                hasher.update(image.tobytes())
                if image.mode in ("P", "PA"):
                    hasher.update(bytes(image.getpalette("RGBA") or ()))
                if "transparency" in image.info:
                    hasher.update(repr(image.info["transparency"]).encode())
                if image.info.get("icc_profile"):
                    hasher.update(image.info["icc_profile"])
                self._digest = f"blake3:{hasher.hexdigest()}"
            return self._digest

    def save(self, path: str | Path) -> Path:
        """
        Write the image, in the format of the path's suffix, whole or not at all.

        Its provenance goes along.
        """
        return save_image(self.image, Path(path), provenance=self._provenance)

    def preview(self, side: int) -> bytes:
        """Return a PNG of the image with 8 bits a channel, whose longer side is at most `side`."""
        image = self.image
        image = in_mode(image, "RGBA" if image.has_transparency_data else "RGB")
        image.thumbnail((side, side))
        return encode_image(image, "PNG", is_quick=True)

    def _repr_png_(self) -> bytes:
        """Return what a notebook shows."""
        return self.preview(_SHOWN_SIDE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageData) and (
            self._image is other._image or self.digest == other.digest
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        image = self._image
        return f"ImageData({image.mode}, {image.width}x{image.height})"

    __str__ = __repr__


__all__ = ["ImageData", "in_mode"]
