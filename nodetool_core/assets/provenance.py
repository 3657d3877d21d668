"""
What made an image, kept inside its file as JSON.

PNG holds it in the text chunk `nodetool`, JPEG and WEBP in the EXIF user comment, TIFF in the image
description, GIF in the comment. BMP has no place for it. A JPEG segment ends at 64 KiB, so what
does not fit there is left out by name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from nodetool_core.assets.decode import identify, open_image_file
from nodetool_core.errors import ImageError, Problem

if TYPE_CHECKING:
    from PIL import Image

CHUNK: Final = "nodetool"
INFOTEXT: Final = "infotext"
"""Key of the text that web UIs write, which PNG holds in the chunk of theirs."""
LEFT_OUT: Final = "left_out"
"""Key that lists what did not fit into the file."""

_EXIF_IFD: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_IMAGE_DESCRIPTION: Final = 270
_ASCII: Final = b"ASCII\0\0\0"
_MAX_JPEG_BYTES: Final = 60_000


def embed(file_format: str, provenance: dict[str, object]) -> dict[str, object]:
    """
    Return the options of Pillow's `save` that put `provenance` into a file of this format.

    Raises TypeError where it is no JSON.
    """
    provenance = {name: value for name, value in provenance.items() if name != INFOTEXT}
    if file_format == "JPEG":
        provenance = _fitted(provenance, _MAX_JPEG_BYTES)
    text = json.dumps(provenance, separators=(",", ":"))
    if file_format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        chunks = PngInfo()
        chunks.add_text(CHUNK, text)
        return {"pnginfo": chunks}
    if file_format in ("JPEG", "WEBP"):
        from PIL import Image

        exif = Image.Exif()
        exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = _ASCII + text.encode("ascii")
        return {"exif": exif}
    if file_format == "TIFF":
        return {"tiffinfo": {_IMAGE_DESCRIPTION: text}}
    if file_format == "GIF":
        return {"comment": text.encode("ascii")}
    return {}


def read_provenance(path: str | Path) -> dict[str, Any] | None:
    """
    Return what made the image in a file, or None where the file does not state it.

    Raises ImageError for a file that is no image.
    """
    with open_image_file(Path(path)) as file:
        return read_provenance_of(file, str(path))


def read_provenance_of(file: IO[bytes], where: str) -> dict[str, Any] | None:
    """Do as `read_provenance` for an open file; `where` names it in errors."""
    image = identify(file, where)
    text = _embedded(image)
    image.close()
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        message = f"holds a damaged record of its making: {error}."
        raise ImageError(
            Problem("broken_provenance", where, message, "Use the image as it was first written.")
        ) from error
    return found if isinstance(found, dict) else None


def _embedded(image: Image.Image) -> str | bytes | None:
    """
    Return the text in the place where `embed` puts it, if it looks like ours.

    Other programs use these places too.
    """
    text: Any = None
    if image.format == "PNG":
        return image.info.get(CHUNK)
    if image.format in ("JPEG", "MPO", "WEBP"):
        text = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
        text = text.removeprefix(_ASCII) if isinstance(text, bytes) else text
    elif image.format == "TIFF":
        text = image.getexif().get(_IMAGE_DESCRIPTION)
    elif image.format == "GIF":
        text = image.info.get("comment")
    start = text[:1] if isinstance(text, (str, bytes)) else None
    return text if start in ("{", b"{") else None


def _fitted(provenance: dict[str, object], max_bytes: int) -> dict[str, object]:
    """Return as much of it as fits; the largest entries go first, and their names stay."""
    sizes = {key: len(json.dumps(value)) + len(key) + 8 for key, value in provenance.items()}
    left_out: list[str] = []
    while sizes and sum(sizes.values()) > max_bytes:
        largest = max(sizes, key=lambda key: sizes[key])
        left_out.append(largest)
        del sizes[largest]
    if not left_out:
        return provenance
    return {key: provenance[key] for key in sizes} | {LEFT_OUT: left_out}
