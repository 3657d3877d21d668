"""
The text that web UIs write into images of what they are made with.

PNG holds it in the text chunk `parameters`, JPEG and WEBP in the EXIF user comment, where ours
about provenance comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nodetool_core.assets.decode import DEFAULT_LIMITS, ImageLimits, guarded, opened_bytes

if TYPE_CHECKING:
    from PIL import Image

CHUNK: Final = "parameters"

_EXIF_IFD: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_UNICODE: Final = b"UNICODE\0"
_MAX_JPEG_BYTES: Final = 60_000
_WITH_COMMENTS: Final = frozenset({"JPEG", "MPO", "WEBP"})
_LONGEST: Final = 100_000
"""Characters of a text that is read."""


def embed_infotext(file_format: str, text: str, options: dict[str, object]) -> dict[str, object]:
    """
    Return options of Pillow's `save` with those that put a text into a file of this format.

    A format that has no place for it, or none left, is written without.
    """
    if file_format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        known = options.get("pnginfo")
        chunks = known if isinstance(known, PngInfo) else PngInfo()
        chunks.add_text(CHUNK, text)
        return options | {"pnginfo": chunks}
    data = _UNICODE + text.encode("utf-16-be", "replace")
    if file_format not in ("JPEG", "WEBP") or "exif" in options or len(data) > _MAX_JPEG_BYTES:
        return options
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = data
    return options | {"exif": exif}


def read_texts(
    data: bytes, where: str, limits: ImageLimits = DEFAULT_LIMITS
) -> tuple[str, dict[str, str]]:
    """
    Return what an encoded image is made with, and its other texts by name.

    No pixel is decoded. Raises ImageError for what is no image, or damaged.
    """
    with opened_bytes(data, where, limits) as image:
        texts = {
            str(name): text[:_LONGEST] for name, text in image.info.items() if isinstance(text, str)
        }
        name, found = image.format or "image", texts.pop(CHUNK, "")
        if not found and name in _WITH_COMMENTS:
            found = guarded(lambda: _comment(image), where, name)
    return found, texts


def _comment(image: Image.Image) -> str:
    """Return the user comment of an image, where it is a text in UTF-16 as web UIs write it."""
    comment: object = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(_UNICODE):
        return ""
    return comment.removeprefix(_UNICODE).decode("utf-16-be", "replace")[:_LONGEST]
