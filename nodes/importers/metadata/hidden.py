"""
Texts that lie in the lowest bits of an image's pixels, where a service puts them.

NovelAI, and extensions of the web UI: the bits of the alpha channel, column by column, or of red,
green and blue, pixel by pixel. First a name of 15 bytes, then the length in bits, 4 bytes with the
highest first, then the text, as it is or packed by gzip. They outlast what clears the texts of a
file, as long as the pixels stay the same.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.decode import decode_bytes
from nodetool_core.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Bits = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

_NAMES: Final[Mapping[bytes, tuple[str, bool]]] = {
    b"stealth_pngcomp": ("A", True),
    b"stealth_pnginfo": ("A", False),
    b"stealth_rgbcomp": ("RGB", True),
    b"stealth_rgbinfo": ("RGB", False),
}
"""What is said of a text: its channels, and whether it is packed."""
_NAME: Final = 15
_LENGTH: Final = 4
_LONGEST: Final = 4_000_000


def hidden_texts(data: bytes, where: str) -> dict[str, str]:
    """Return the texts in the pixels of an image, by name; none where there are none."""
    try:
        image = decode_bytes(data, where)
    except ImageError:
        return {}
    for channels in ("A", "RGB"):
        if found := _text_in(image, channels):
            return _named(found)
    return {}


def _text_in(image: Image.Image, channels: str) -> str:
    import numpy as np

    if not set(channels) <= set(image.getbands()):
        return ""
    tones = np.stack([np.asarray(image.getchannel(one)) for one in channels], axis=-1)
    # Column by column.
    bits = (tones.swapaxes(0, 1).reshape(-1) & 1).astype(np.uint8)
    name = _bytes_at(bits, 0, _NAME)
    if _NAMES.get(name, ("", False))[0] != channels:
        return ""
    length = int.from_bytes(_bytes_at(bits, _NAME, _LENGTH), "big") // 8
    if length > min(_LONGEST, len(bits) // 8):
        return ""
    text = _bytes_at(bits, _NAME + _LENGTH, length)
    try:
        return (_unpacked(text) if _NAMES[name][1] else text).decode("utf-8")
    except (zlib.error, UnicodeDecodeError):
        return ""


def _bytes_at(bits: Bits, start: int, count: int) -> bytes:
    import numpy as np

    return np.packbits(bits[start * 8 : (start + count) * 8]).tobytes()


def _unpacked(packed: bytes) -> bytes:
    """Return what gzip packed, as far as it is not too long. Raises zlib.error."""
    return zlib.decompressobj(wbits=31).decompress(packed, _LONGEST)


def _named(text: str) -> dict[str, str]:
    """Return the texts that an object of JSON names, or the one text as web UIs name it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return {"parameters": text}
    return {
        str(name): value if isinstance(value, str) else json.dumps(value)
        for name, value in found.items()
    }
