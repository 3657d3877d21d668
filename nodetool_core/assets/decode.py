"""
Decode images safely.

Only an allow-list of raster formats is tried, the size is checked from the header before a pixel is
decoded, and every failure is an `ImageError` that states the file, what is wrong with it, and what
to do.

Pillow's plugins are called directly instead of through `Image.open`: that one tries formats beyond
the list, and holds its own pixel limit in a global variable, which is not ours to set.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from nodetool_core.assets.modes import (
    BITS_LOST,
    DEEP_MODES,
    Warn,
    ignore_warning,
    standard_mode,
)
from nodetool_core.errors import ImageError, Problem, nearest_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PIL import Image
    from PIL.ImageFile import ImageFile

Result = TypeVar("Result")

MIB: Final = 1024 * 1024

FORMATS: Final = {
    "PNG": "PIL.PngImagePlugin",
    "JPEG": "PIL.JpegImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "PPM": "PIL.PpmImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pillow_heif.HeifImagePlugin",
}
"""
The formats that are decoded, and the module of Pillow's plugin for each.

HEIF's comes with the extra `heic`.
"""

_HEIC_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
"""
What stands at byte 8 of a HEIC file (ISO/IEC 23008-12, the brands of HEVC-coded images, and those
of any coding).
"""

_SUPPORTED: Final = f"Use one of {', '.join(FORMATS)}."
_ORIENTATION: Final = 0x0112
_ANIMATED: Final = frozenset({"GIF", "WEBP", "PNG", "AVIF", "TIFF"})
"""
Formats with frames or pages.

Further images of a camera's JPEG or HEIC are the same scene again, or its depths.
"""
_KEPT_INFO: Final = frozenset({"icc_profile", "dpi", "transparency"})


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What is too large to be decoded."""

    max_pixels: int = 100_000_000
    """Width times height. 100 megapixels take 400 MB as RGBA."""
    max_bytes: int = 256 * MIB
    """Size of the encoded file."""


DEFAULT_LIMITS: Final = ImageLimits()


_FOLDER_HINT: Final = (
    "Name a file in it. A batch of all of them: nodetool run FILE --set NAME='FOLDER/*.jpg'"
)


def decode_file(
    path: Path, limits: ImageLimits = DEFAULT_LIMITS, warn: Warn = ignore_warning
) -> Image.Image:
    """
    Return the first frame of an image file, upright and fully loaded, with the file closed.

    Raises ImageError.

    `warn` takes what is lost or guessed in reading it: further frames, bits, colours without a
        profile.
    """
    where = str(path)
    with open_image_file(path, limits) as file:
        return _decode(file, where, limits, warn)


def decode_bytes(
    data: bytes, where: str, limits: ImageLimits = DEFAULT_LIMITS, warn: Warn = ignore_warning
) -> Image.Image:
    """Do as `decode_file` for an encoded image; `where` names it in errors. Raises ImageError."""
    return _decode(_opened(data, where, limits), where, limits, warn)


class ImageHeader(NamedTuple):
    """The header of an encoded image."""

    width: int
    height: int
    mode: str
    """Pillow's name for its pixels, such as `RGB`."""

    @property
    def decoded_bytes(self) -> int:
        """Bytes that its pixels take in memory: Pillow uses four a pixel for all but plain grey."""
        return self.width * self.height * _BYTES_PER_PIXEL.get(self.mode, 4)


_BYTES_PER_PIXEL: Final = {"1": 1, "L": 1, "I;16": 2, "I;16B": 2}


def read_header(data: bytes, where: str, limits: ImageLimits = DEFAULT_LIMITS) -> ImageHeader:
    """
    Return the header of an encoded image, with no pixel decoded.

    Its pixels may still turn out to be damaged.

    Raises ImageError for what is no image, and for what is larger than the limits.
    """
    with opened_bytes(data, where, limits) as opened:
        return ImageHeader(*opened.size, opened.mode)


def opened_bytes(data: bytes, where: str, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFile:
    """
    Return an encoded image with only its header read.

    Raises ImageError for what is no image, and for what is larger than the limits.
    """
    opened = identify(_opened(data, where, limits), where)
    check_pixels(opened, where, limits)
    return opened


def _opened(data: bytes, where: str, limits: ImageLimits) -> BytesIO:
    if not data:
        raise _error("empty_image", where, "is empty (0 bytes).", "Give an image.")
    check_bytes(len(data), where, limits)
    return BytesIO(data)


def open_image_file(path: Path, limits: ImageLimits = DEFAULT_LIMITS) -> IO[bytes]:
    """
    Return an image file opened for reading.

    Raises ImageError where it is no regular file, empty, or too large.
    """
    where = str(path)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise _error("is_directory", where, "is a directory, not an image file.", _FOLDER_HINT)
        if not stat.S_ISREG(found.st_mode):
            raise _error(
                "not_a_file",
                where,
                "is a device or a pipe, not a regular file.",
                "Save the image to a file first.",
            )
        if found.st_size == 0:
            raise _error(
                "empty_image",
                where,
                "is empty (0 bytes).",
                "Give another file, or write this one again.",
            )
        check_bytes(found.st_size, where, limits)
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _error("missing_file", where, "does not exist.", _missing_hint(path)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _error(
            "unreadable_file",
            where,
            f"can't be read: {reason}.",
            "Check the path and its permissions.",
        ) from error


def check_bytes(size: int, where: str, limits: ImageLimits) -> None:
    """Raise ImageError where an encoded image is larger than allowed."""
    if size > limits.max_bytes:
        message = f"is {size / MIB:.1f} MiB; at most {limits.max_bytes / MIB:.1f} MiB are read."
        raise _error("image_too_large", where, message, "Save it smaller.")


def identify(file: IO[bytes], where: str) -> ImageFile:
    """
    Return the image of an open file with only its header read.

    Raises ImageError where it is none of `FORMATS`, or damaged.
    """
    from PIL import Image

    start = file.read(512)
    refusals = []
    for name, module in FORMATS.items():
        if not _has_plugin(module):
            continue
        factory, accepts = Image.OPEN[name]
        # A plugin whose library is missing answers with a text instead of a yes.
        if accepts is not None and accepts(start[:16]) is True:
            file.seek(0)
            try:
                return guarded(partial(factory, file, ""), where, name)
            except ImageError as error:
                # Containers of AVIF and HEIF may begin alike, so that another plugin may know what
                # this one does not.
                refusals.append(error)
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS and not _has_plugin(FORMATS["HEIF"]):
        hint = "Install the extra `heic` (in the clone: pip install '.[heic]'), or save it as JPEG."
        raise _error(
            "missing_package",
            where,
            "is a HEIC image, as phones take them; reading one needs pillow-heif.",
            hint,
        )
    if refusals:
        raise refusals[0]
    raise _error(
        "not_an_image", where, f"is no image that can be read: {_what_it_is(start)}.", _SUPPORTED
    )


def _has_plugin(module: str) -> bool:
    """Import a plugin of Pillow; false where its package is not installed."""
    try:
        import_module(module)
    except ModuleNotFoundError:
        return False
    return True


def _decode(file: IO[bytes], where: str, limits: ImageLimits, warn: Warn) -> Image.Image:
    opened = identify(file, where)
    name = opened.format or "image"
    check_pixels(opened, where, limits)
    note = _further_frames(opened)
    image = loaded_frame(opened, where, warn)
    opened.close()
    if note:
        warn(note)
    image.format = "JPEG" if name == "MPO" else name
    return image


def loaded_frame(opened: ImageFile, where: str, warn: Warn) -> Image.Image:
    """Return the frame that a file stands at: upright, in a standard mode."""
    name = opened.format or "image"
    note = _lost_bits(opened)
    guarded(opened.load, where, name)
    image = guarded(lambda: standard_mode(_known_scale(_upright(opened), name), warn), where, name)
    if note:
        warn(note)
    image.info = {key: value for key, value in image.info.items() if key in _KEPT_INFO}
    return image


def check_pixels(image: Image.Image, where: str, limits: ImageLimits) -> None:
    """Raise ImageError where an image has no pixels, or more than allowed."""
    width, height = image.size
    if width < 1 or height < 1:
        raise _error(
            "broken_image", where, f"has no pixels ({width} x {height}).", "Write it again."
        )
    if width * height > limits.max_pixels:
        message = (
            f"has {width} x {height} pixels ({width * height / 1e6:.1f} megapixels); at most"
            f" {limits.max_pixels / 1e6:g} are decoded."
        )
        raise _error("image_too_large", where, message, "Scale it down first.")


def guarded(work: Callable[[], Result], where: str, name: str) -> Result:
    """
    Return what `work` returns. Whatever a decoder raises for damaged bytes becomes an ImageError.
    """
    try:
        return work()
    except Exception as error:
        # Damaged bytes reach every corner of a decoder: struct.error, KeyError, ZeroDivisionError
        # and others were seen.
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        if (
            isinstance(error, EOFError)
            or "truncat" in reason.lower()
            or "not enough" in reason.lower()
        ):
            message = f"is a {name} that ends too early ({reason})."
            raise _error("truncated_image", where, message, "Copy or download it again.") from error
        message = f"is a damaged {name}: {reason}."
        raise _error(
            "broken_image",
            where,
            message,
            "Open it in an image editor and save it again, or use another file.",
        ) from error


def _upright(image: Image.Image) -> Image.Image:
    """Return the pixels turned by the EXIF orientation, in an image that holds no file."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(_orientation(image))
    return image.copy() if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF names no orientation, and says nothing about the pixels, which are whole
        return 1


def _further_frames(image: ImageFile) -> str:
    """Return the note on a file with more than the one image that is read."""
    if image.format not in _ANIMATED:
        return ""
    try:
        has_more = bool(getattr(image, "is_animated", False))
    except Exception:  # noqa: BLE001 - a damaged frame behind the first one says nothing about that
        has_more = True
        image.seek(0)
    what = (
        "has several pages; only its first page"
        if image.format == "TIFF"
        else "is animated; only its first frame"
    )
    return f"The image {what} is used." if has_more else ""


def _lost_bits(image: ImageFile) -> str:
    """
    Return a note on a file whose colours have more than 8 bits a channel.

    Pillow decodes them as 8. Empty for all others.
    """
    arguments = image.tile[0].args if image.tile else ""
    kind, most = (*arguments, 255)[:2] if isinstance(arguments, tuple) else (arguments, 255)
    is_deep = ";16" in str(kind) or (image.format == "PPM" and isinstance(most, int) and most > 255)
    return BITS_LOST if is_deep and image.mode not in DEEP_MODES else ""


def _known_scale(image: Image.Image, name: str) -> Image.Image:
    """Return tones of 16 bits that Pillow reads as 32, in a mode that states what is white."""
    if image.mode != "I" or name not in ("PNG", "PPM"):
        return image
    import numpy as np
    from PIL import Image as Pillow

    known = Pillow.fromarray(np.asarray(image).clip(0, 65535).astype(np.uint16))
    known.info = dict(image.info)
    return known


def _what_it_is(start: bytes) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"%pdf"):
        return "it is a PDF"
    if text.startswith((b"%!ps", b"\xc5\xd0\xd3\xc6")):
        return "it is PostScript"
    if b"<svg" in text:
        return "it is an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    if start[4:8] == b"ftyp":
        return "it is a video, or an image of a kind that only video players read"
    if not start.strip() or all(byte >= 32 or byte in (9, 10, 13) for byte in start):
        return "it holds text"
    return "its format is unknown"


def _missing_hint(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {str(folder)!r} either."
    names = sorted(entry.name for entry in folder.iterdir()) if os.access(folder, os.R_OK) else []
    meant = nearest_file(path.name, names)
    return f"Did you mean {meant!r}?" if meant else "Check the path."


def _error(code: str, where: str, message: str, hint: str) -> ImageError:
    return ImageError(Problem(code, where, message, hint))
