"""
Fonts: the one that ships, those of the system, and which characters each has.

A font is looked for by the path of its file, by the name of the file, and by the family's name.
Which characters it has is read from its `cmap` table (OpenType 1.9, formats 4 and 12), because
Pillow draws a box for one that is missing and does not say so.
"""

from __future__ import annotations

import os
import struct
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core import Context, FontRef, ImageRef, NodeError, Sources
from nodetool_core.errors import ImageError, near_miss

if TYPE_CHECKING:
    from PIL import ImageFont

SHIPPED: Final = str(Path(__file__).with_name("fonts") / "DejaVuSans.ttf")
"""DejaVu Sans: Latin, Greek, Cyrillic and more, the same on every machine."""

FONT: Final = (
    "Name of an installed font, or the path of a font file; a relative one starts from the"
    " workflow's folder. Empty for DejaVu Sans, which ships. Characters that it lacks are taken"
    " from other fonts of the machine."
)
"""What nodes say of their property `font`."""

_ENDINGS: Final = (".ttf", ".otf", ".ttc", ".otc")
_STYLED: Final = (
    "bold",
    "italic",
    "oblique",
    "light",
    "thin",
    "black",
    "condensed",
    "mono",
    "math",
    "serif",
)
"""What names of fonts hold that are not the plain one of their family."""
_PLAIN_STYLES: Final = ("Regular", "Book", "Roman", "Normal", "Medium")

Ranges = tuple[tuple[int, int], ...]
"""Code points from and to, both included, in order."""


def font_file(name: str, context: Context) -> str:
    """
    Return the file of a font by path, by file name or by family; the shipped one where it is empty.

    A relative path starts from the workflow's folder. Raises NodeError where there is none,
    ImageError for a forbidden path.
    """
    if not name:
        return SHIPPED
    is_path = "/" in name
    if is_path or name.lower().endswith(_ENDINGS):
        try:
            path = context.images.path(name)
        except ImageError:
            if is_path:
                raise
        else:
            if is_path or path.is_file():
                return _checked(str(path), name)
    return _named(name)


def font_identity(name: str, sources: Sources) -> str:
    """
    Return what stands for a font in a cache key.

    What is in its file, or which installed file it is and when that was last changed.
    """
    if not name:
        return ""
    if "/" in name or name.lower().endswith(_ENDINGS):
        with suppress(ImageError):
            return sources.digest(ImageRef(uri=name))
    path = _named(name)
    return f"{path} {_changed(path)}"


def fonts_identity(texts: list[str] | None) -> str:
    """
    Return what stands for the system's fonts in a cache key.

    Nothing where the texts are known to need none of them.
    """
    if texts is not None and all(has(SHIPPED, sign) for sign in set("".join(texts))):
        return ""
    return " ".join(f"{path}:{_changed(path)}" for path in system_fonts())


def text_identity(values: Mapping[str, object], name: str, sources: Sources) -> str | None:
    """
    Return what stands for the fonts of a node's text or texts in a cache key.

    None where it is not known yet which font that is.

    Args:
        values: The node's values so far, the font as `font`.
        name: Of the property with the text, or with a list of texts.
    """
    font, texts = values.get("font"), values.get(name)
    if not isinstance(font, FontRef):
        return None
    known = [texts] if isinstance(texts, str) else texts
    drawn = [str(text) for text in known] if isinstance(known, list) else None
    return f"{font_identity(font.name, sources)} {fonts_identity(drawn)}"


def opened_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """
    Return a font in a size in pixels. Raises OSError for a file that is none, or none in that size.
    """
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


def has(path: str, sign: str) -> bool:
    """Return whether a font has a character."""
    ranges = _characters(path, _changed(path))
    place = bisect_right(ranges, (ord(sign), sys.maxunicode + 1)) - 1
    return place >= 0 and ranges[place][0] <= ord(sign) <= ranges[place][1]


def system_fonts() -> list[str]:
    """Return the font files of this machine; plain ones before bold, slanted or narrow ones."""
    found = {
        str(Path(folder, name))
        for start in _folders()
        for folder, _, names in os.walk(start)
        for name in names
        if name.lower().endswith(_ENDINGS)
    }
    return sorted(
        found, key=lambda path: (any(word in Path(path).name.lower() for word in _STYLED), path)
    )


def _folders() -> Iterator[Path]:
    """Yield where systems keep their fonts."""
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts")
        yield Path(os.environ.get("LOCALAPPDATA", home), "Microsoft", "Windows", "Fonts")
    elif sys.platform == "darwin":
        yield from (
            Path("/System/Library/Fonts"),
            Path("/Library/Fonts"),
            home / "Library" / "Fonts",
        )
    else:
        yield from (
            Path(folder, "fonts")
            for folder in os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
        )
        yield from (
            Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share"), "fonts"),
            home / ".fonts",
        )


def _named(name: str) -> str:
    """
    Return the file of a font by the name of the file or of the family, with or without its style.

    Raises NodeError.
    """
    wanted = _letters(Path(name).stem if name.lower().endswith(_ENDINGS) else name)
    files = [SHIPPED, *system_fonts()]
    with_stem = [path for path in files if _letters(Path(path).stem) == wanted]
    if with_stem:
        return with_stem[0]
    families = []
    for path in files:
        family, style = _family(path, _changed(path))
        families.append(family)
        if wanted in (
            _letters(family + style),
            _letters(family) if style in _PLAIN_STYLES else None,
        ):
            return path
    same = [
        path for path, family in zip(files, families, strict=True) if _letters(family) == wanted
    ]
    if same:
        return same[0]
    hint = near_miss(name, {family for family in families if family})
    raise NodeError(
        f"There is no font {name!r} on this machine.",
        hint or "Give the name of an installed font, the path of a .ttf or .otf file, or nothing.",
    )


def _checked(path: str, name: str) -> str:
    try:
        opened_font(path, 12)
    except (OSError, ValueError) as error:
        message = f"There is no font {name!r} on this machine."
        raise NodeError(
            message,
            "Give the name of an installed font, the path of a .ttf or .otf file, or nothing.",
        ) from error
    return path


def _letters(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _changed(path: str) -> int:
    return Path(path).stat().st_mtime_ns if Path(path).is_file() else 0


@lru_cache(maxsize=4096)
def _family(path: str, changed: int) -> tuple[str, str]:
    """Return the family and the style in a font's file; empty for one that can't be read."""
    try:
        family, style = opened_font(path, 12).getname()
    except (OSError, ValueError):
        return "", ""
    return family or "", style or ""


@lru_cache(maxsize=256)
def _characters(path: str, changed: int) -> Ranges:
    """Return the characters of a font; none for one whose table can't be read."""
    try:
        data = Path(path).read_bytes()
        return _ranges(_character_map(data))
    except (OSError, struct.error, IndexError):
        return ()


def _character_map(data: bytes) -> bytes:
    """Return the best character map of a font file, or of the first font of a collection."""
    start = struct.unpack_from(">I", data, 12)[0] if data[:4] == b"ttcf" else 0
    for index in range(struct.unpack_from(">H", data, start + 4)[0]):
        name, _, offset, _ = struct.unpack_from(">4sIII", data, start + 12 + 16 * index)
        if name == b"cmap":
            break
    else:
        return b""
    maps = []
    for index in range(struct.unpack_from(">H", data, offset + 2)[0]):
        platform, encoding, at = struct.unpack_from(">HHI", data, offset + 4 + 8 * index)
        kind = struct.unpack_from(">H", data, offset + at)[0]
        if kind in (4, 12) and (platform == 0 or (platform == 3 and encoding in (1, 10))):
            maps.append((kind, offset + at))
    return data[max(maps)[1] :] if maps else b""


def _ranges(table: bytes) -> Ranges:
    """Return the characters that a table leads to a glyph from."""
    if not table:
        return ()
    if struct.unpack_from(">H", table)[0] == 12:
        count = struct.unpack_from(">I", table, 12)[0]
        groups = (struct.unpack_from(">III", table, 16 + 12 * index) for index in range(count))
        return tuple(
            sorted((first, last) for first, last, glyph in groups if glyph or last > first)
        )
    found = sorted(_in_segments(table))
    ranges: list[tuple[int, int]] = []
    for code in found:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return tuple(ranges)


def _in_segments(table: bytes) -> Iterator[int]:
    """Yield the characters of a table of format 4."""
    count = struct.unpack_from(">H", table, 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", table, 14)
    starts = struct.unpack_from(f">{count}H", table, 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", table, 16 + 4 * count)
    offsets = struct.unpack_from(f">{count}H", table, 16 + 6 * count)
    for index, (first, last) in enumerate(zip(starts, ends, strict=True)):
        place = 16 + 6 * count + 2 * index + offsets[index]
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = (
                code
                if not offsets[index]
                else struct.unpack_from(">H", table, place + 2 * (code - first))[0]
            )
            if glyph and (glyph + deltas[index]) & 0xFFFF:
                yield code
