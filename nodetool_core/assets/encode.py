"""Encode images and write them to files, whole or not at all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.files import atomic_write, write_problem
from nodetool_core.assets.infotext import embed_infotext
from nodetool_core.assets.modes import DEEP_MODES, in_mode
from nodetool_core.assets.provenance import INFOTEXT, embed, read_provenance
from nodetool_core.errors import ImageError, Problem, near_miss

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES: Final = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
}
"""The formats that are written, by the suffix of the file."""

_MODES: Final = {
    "PNG": frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}),
    "JPEG": frozenset({"L", "RGB"}),
    "WEBP": frozenset({"RGB", "RGBA"}),
    "TIFF": frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK"}),
    "BMP": frozenset({"1", "L", "P", "RGB"}),
    "GIF": frozenset({"1", "L", "P", "RGB", "RGBA"}),
}
_ALPHA_FORMATS: Final = frozenset({"PNG", "WEBP", "TIFF", "GIF"})
_GREY_MODES: Final = frozenset({"1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N", "LA", "La"})
_QUALITY: Final = {"JPEG": 92, "WEBP": 90}
_PROFILE_SPACE: Final = {
    "RGB": b"RGB ",
    "RGBA": b"RGB ",
    "P": b"RGB ",
    "L": b"GRAY",
    "LA": b"GRAY",
    "1": b"GRAY",
    "CMYK": b"CMYK",
}


def format_of(path: str | Path) -> str:
    """
    Return the format that a file name stands for, such as `PNG`.

    Raises ImageError for a suffix that is not written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        found = (
            f"ends in {suffix!r}, which is no format that can be written"
            if suffix
            else "has no suffix that names a format"
        )
        hint = near_miss(suffix, SUFFIXES) if suffix else ""
        raise ImageError(
            Problem(
                "unknown_format", str(path), f"{found}: use one of {', '.join(SUFFIXES)}.", hint
            )
        )
    return SUFFIXES[suffix]


def save_image(
    image: Image.Image,
    path: str | Path,
    *,
    provenance: dict[str, object] | None = None,
    quality: int | None = None,
) -> Path:
    """
    Write an image in the format of the path's suffix, whole or not at all.

    Folders above it are made. Returns the path.

    A mode that the format can't hold is converted: transparent pixels come out on white where it
    has no alpha, 16-bit tones as 8-bit. `quality` (1 to 100) counts for JPEG and WEBP. Raises
    ImageError.
    """
    path = Path(path)
    data = encode_image(image, format_of(path), provenance, quality=quality, where=str(path))
    try:
        return atomic_write(path, data)
    except OSError as error:
        raise ImageError(write_problem(path, error)) from error


def encode_image(
    image: Image.Image,
    file_format: str,
    provenance: dict[str, object] | None = None,
    *,
    quality: int | None = None,
    dpi: float | None = None,
    is_quick: bool = False,
    infotext: str = "",
    where: str = "",
) -> bytes:
    """
    Return the bytes of an image file in a format of `SUFFIXES`.

    `where` names it in errors. Raises ImageError.

    `dpi` is what the file states for printing, in pixels an inch; not in WEBP and GIF.

    `infotext` is what web UIs write into images.

    `is_quick` packs a PNG in a fifth of the time, and about a tenth larger.
    """
    if file_format not in _MODES:
        message = (
            f"{file_format!r} is no format that can be written: use one of {', '.join(_MODES)}."
        )
        raise ImageError(Problem("unknown_format", where, message, near_miss(file_format, _MODES)))
    image = _holdable(image, file_format)
    options: dict[str, object] = {"icc_profile": _profile(image)} if file_format != "GIF" else {}
    if file_format in _QUALITY:
        options["quality"] = _QUALITY[file_format] if quality is None else quality
    if file_format == "PNG" and is_quick:
        options["compress_level"] = 1
    if file_format == "JPEG":
        options["subsampling"] = 0
    if dpi is not None:
        options["dpi"] = (dpi, dpi)
    if provenance:
        options |= embed(file_format, provenance)
    if provenance and file_format == "PNG":
        infotext = infotext or str(provenance.get(INFOTEXT, ""))
    if infotext:
        options = embed_infotext(file_format, infotext, options)
    buffer = BytesIO()
    try:
        image.save(buffer, file_format, **options)
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        message = (
            f"can't be encoded as {file_format} ({image.mode}, {image.width} x {image.height}):"
            f" {error}."
        )
        raise ImageError(
            Problem(
                "encoding_failed",
                where,
                message,
                "Use another format, such as PNG, or a smaller image.",
            )
        ) from error
    return buffer.getvalue()


def loses_bits(image: Image.Image, file_format: str) -> bool:
    """Return whether a file of this format holds an image's tones with fewer bits."""
    return image.mode in DEEP_MODES and image.mode not in _MODES[file_format]


def _holdable(image: Image.Image, file_format: str) -> Image.Image:
    """Return the image in a mode that the format can hold, as near to its own as there is."""
    modes = _MODES[file_format]
    if image.mode in modes:
        return image
    if image.has_transparency_data and file_format in _ALPHA_FORMATS:
        return in_mode(image, "LA" if "LA" in modes and image.mode in _GREY_MODES else "RGBA")
    return in_mode(image, "L" if "L" in modes and image.mode in _GREY_MODES else "RGB")


def _profile(image: Image.Image) -> bytes | None:
    """
    Return the colour profile that came with the pixels, unless a conversion made it wrong for them.
    """
    profile = image.info.get("icc_profile")
    fits = isinstance(profile, bytes) and profile[16:20] == _PROFILE_SPACE.get(image.mode)
    return profile if fits else None


__all__ = ["SUFFIXES", "encode_image", "format_of", "read_provenance", "save_image"]
