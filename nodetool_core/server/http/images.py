"""
Images as they come in and go out: decoded under the server's limits, encoded as the client accepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nodetool_core.assets.decode import ImageHeader, ImageLimits, decode_bytes, read_header
from nodetool_core.assets.encode import encode_image
from nodetool_core.assets.image_data import ImageData
from nodetool_core.values import leaves, map_leaves

_FORMAT_OF: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/webp": "WEBP",
}
"""What answers are encoded as, by media type."""

_MEDIA_TYPE_OF: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_STARTS: Final = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"RIFF",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"BM",
    b"P4",
    b"P5",
    b"P6",
)


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """
    An image as a client sent it: its header was read, its pixels were not.

    Such values wait in line.
    """

    data: bytes
    where: str
    """What errors call it."""
    limits: ImageLimits
    header: ImageHeader

    @classmethod
    def read(cls, data: bytes, limits: ImageLimits, where: str = "image") -> EncodedImage:
        """Read the header. Raises ImageError for what is no image or too large."""
        return cls(data, where, limits, read_header(data, where, limits))

    def decode(self) -> ImageData:
        """Return the pixels. Raises ImageError where they are damaged."""
        return decode_image(self.data, self.limits, self.where)


@dataclass(frozen=True, slots=True)
class EncodedValues:
    """A client's values by input, with images as `EncodedImage`."""

    values: dict[str, object]

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the pixels of all images."""
        return decoded_bytes(self.values)

    def decode(self) -> dict[str, object]:
        """Return the values with pixels. Raises ImageError where an image is damaged."""
        return {name: decoded(value) for name, value in self.values.items()}


def decoded(value: object) -> object:
    """
    Return a client's value with pixels in place of every encoded image in it. Raises ImageError.
    """
    return map_leaves(value, lambda leaf: leaf.decode() if isinstance(leaf, EncodedImage) else leaf)


def decoded_bytes(value: object) -> int:
    """Return how many bytes the pixels of all encoded images in a client's value will take."""
    return sum(found.header.decoded_bytes for found in leaves(value, EncodedImage))


def decode_image(data: bytes, limits: ImageLimits, where: str = "image") -> ImageData:
    """
    Return an encoded image, upright and without its metadata; its notes say what was lost.

    Raises ImageError.
    """
    notes: list[str] = []
    image = decode_bytes(data, where, limits, notes.append)
    return ImageData.of(image, notes=notes)


def encode_image_data(
    image: ImageData,
    file_format: str,
    *,
    provenance: bool = False,
    quality: int | None = None,
    infotext: str = "",
) -> bytes:
    """
    Return the bytes of an image's file, of which somebody waits.

    What made it is only written into it where asked for. `quality` (1 to 100) counts for JPEG and
    WEBP. `infotext` is what web UIs write into images.
    """
    known = image.provenance if provenance else None
    return encode_image(
        image.image, file_format, known, quality=quality, is_quick=True, infotext=infotext
    )


def looks_like_image(data: bytes) -> bool:
    """Return whether bytes begin as those of a raster image do, whatever their media type says."""
    return data.startswith(_STARTS) or data[4:12] in (b"ftypavif", b"ftypavis")


def accepted_format(accept: str) -> str:
    """
    Return the format that an `Accept` header prefers among PNG, JPEG and WEBP.

    PNG where it names none of them: clients of the Hugging Face API send all kinds of it and read
    an image in any case.
    """
    best, best_quality = "PNG", 0.0
    for part in accept.split(","):
        media_type, *parameters = (piece.strip() for piece in part.lower().split(";"))
        quality = next((_number(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        found = _FORMAT_OF.get(media_type) or ("PNG" if media_type in ("*/*", "image/*") else None)
        if found is not None and quality > best_quality:
            best, best_quality = found, quality
    return best


def media_type_of(file_format: str) -> str:
    return _MEDIA_TYPE_OF[file_format]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
