"""`Picture`: an image in memory, as it travels along edges."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import PrivateAttr

from nodetool_core.references import ImageRef

if TYPE_CHECKING:
    from PIL import Image

_ALPHA_MODES: Final = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_DEEP_MODES: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})


class Picture(ImageRef):
    """
    An image in memory. An `ImageRef` like any other, whose pixels are at hand.

    `provenance` is what made it (workflow, seeds, model revisions, versions) once it is a result of a run; `save` writes
    it into the file.
    """

    _image: Any = PrivateAttr(default=None)
    _provenance: dict[str, Any] | None = PrivateAttr(default=None)
    _digest: str | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def of(cls, image: Image.Image, provenance: dict[str, Any] | None = None) -> Self:
        picture = cls()
        picture._image = image
        picture._provenance = provenance
        return picture

    @property
    def image(self) -> Image.Image:
        """The pixels. Shared with whoever else holds the picture: don't change them in place."""
        return self._image  # type: ignore[no-any-return]

    @property
    def provenance(self) -> dict[str, Any] | None:
        return self._provenance

    def is_empty(self) -> bool:
        return False

    def with_provenance(self, provenance: dict[str, Any]) -> Self:
        """The same pixels with their origin."""
        return type(self).of(self._image, provenance)

    def inline(self) -> ImageRef:
        """A reference that holds the picture as an encoded file, for where only JSON goes; its provenance is left out."""
        from base64 import b64encode

        from nodetool_core.assets.encode import encode_image

        file_format = "TIFF" if self._image.mode in _DEEP_MODES | {"CMYK"} else "PNG"
        return ImageRef(data=b64encode(encode_image(self._image, file_format)).decode("ascii"))

    @property
    def digest(self) -> str:
        """Hash of mode, size and pixels, with what their numbers stand for: equal pictures have equal digests, in every process."""
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
        """Write the picture, in the format of the path's suffix, whole or not at all; its provenance goes along."""
        from nodetool_core.assets.encode import save_image

        return save_image(self._image, Path(path), provenance=self._provenance)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and (self._image is other._image or self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        image = self._image
        return f"Picture({image.mode}, {image.width}x{image.height})"

    __str__ = __repr__


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """
    The image in another mode; transparent pixels come out on white where the mode has no alpha.

    Deep tones (16-bit, 32-bit, float) are scaled to 8 bits, where Pillow alone would clip them. Raises ValueError for a
    mode that Pillow can't convert to.
    """
    if image.mode == mode:
        return image
    image = _common(image)
    if image.has_transparency_data and mode not in _ALPHA_MODES:
        from PIL import Image as Pillow

        rgba = image.convert("RGBA")
        image = Pillow.alpha_composite(Pillow.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        if "icc_profile" in rgba.info:
            image.info["icc_profile"] = rgba.info["icc_profile"]
    if image.mode in _DEEP_MODES and mode not in _DEEP_MODES:
        image = _eight_bit(image)
    return image if image.mode == mode else image.convert(mode)


def _common(image: Image.Image) -> Image.Image:
    """The image without what Pillow can't convert on: LAB, premultiplied alpha, a colour key in a 16-bit image."""
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    elif image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    elif image.mode in _DEEP_MODES and "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """A deep image as `L`. White is the least of the customary full scales that holds the brightest pixel."""
    scales = {"F": (1.0, 255.0, 65535.0), "I": (65535.0,)}.get(image.mode, (65535.0,))
    tones = image.convert("F")
    brightest = float(tones.getextrema()[1])  # type: ignore[arg-type]
    white = next((scale for scale in scales if brightest <= scale), brightest)
    if not math.isfinite(white):
        white = scales[0]
    # Rounded to the nearest tone: the conversion itself cuts the fraction off.
    return tones.point(lambda value: value * (255.0 / white) + 0.5).convert("L")
