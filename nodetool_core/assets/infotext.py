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
_ASCII: Final = b"ASCII\0\0\0"
_UNDEFINED: Final = bytes(8)
_OURS: Final = '{"format":'
"""How a comment about provenance begins."""
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
    data: bytes, where: str, limits: ImageLimits = DEFAULT_LIMITS, *, longest: int = _LONGEST
) -> tuple[str, dict[str, str]]:
    """
    Return what an encoded image is made with, and its other texts by name.

    No pixel is decoded. Raises ImageError for what is no image, or damaged.

    Args:
        longest: Characters of a text that are read.
    """
    with opened_bytes(data, where, limits) as image:
        texts = {
            str(name): text[:longest] for name, text in image.info.items() if isinstance(text, str)
        }
        name, found = image.format or "image", texts.pop(CHUNK, "")
        if not found and name in _WITH_COMMENTS:
            found = guarded(lambda: _comment(image), where, name)[:longest]
    return found, texts


def _comment(image: Image.Image) -> str:
    """Return the user comment of an image as a text; an empty one for other values."""
    exif = image.getexif()
    comment: object = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT) or exif.get(_USER_COMMENT)
    text = comment_text(comment) if isinstance(comment, bytes) else comment
    return text if isinstance(text, str) and not text.startswith(_OURS) else ""


def comment_text(comment: bytes) -> str:
    """
    Return the text of an EXIF user comment.

    Its first eight bytes state the encoding: UTF-16, in either order of bytes because programs do
    not agree on it, ASCII, or none, where UTF-8 is what they mean.
    """
    code, content = comment[:8], comment[8:]
    if code == _UNICODE:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return content.decode("utf-16", "replace")
        # Letters of most texts have a byte of 0, the first one where the order is big-endian.
        is_big = content[::2].count(0) >= content[1::2].count(0)
        return content.decode("utf-16-be" if is_big else "utf-16-le", "replace").rstrip("\0")
    has_code = code in (_ASCII, _UNDEFINED)
    return (content if has_code else comment).decode("utf-8", "replace").rstrip("\0 ")
