"""
Text set in a typeface: a font, with the shipped and the system's fonts for what it lacks.

A line is a sequence of runs, each of characters that one font has, all on one baseline. Long runs
are drawn piece by piece, and pieces beyond the image's edges are left out, so that the cost is
linear in the text and the memory is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, Literal

from nodes._bidi import Direction, base_direction, has_raqm, runs_right_to_left
from nodes._fonts import SHIPPED, has, opened_font, system_fonts
from nodetool_core import Context, NodeError

if TYPE_CHECKING:
    from PIL import Image, ImageFont

_BREAK: Final = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_STRIKES: Final = (109, 128, 136, 160, 96, 64, 48, 40, 32, 20)
"""Sizes that fonts made of images (emoji) have, where they have but one."""
_PIECE_PIXELS: Final = 30_000_000
_SHOWN: Final = 20
"""Missing characters that a warning names."""

_Shaping = Literal["ltr", "rtl"] | None
"""The direction that Raqm orders letters by; None for that of Pillow, from left to right."""


def lines_of(text: str) -> list[str]:
    """
    Return the lines of a text, whatever breaks them.

    Tabs as spaces, without other control characters.
    """
    lines = _BREAK.split(text.replace("\t", "    "))
    return [
        "".join(sign for sign in line if unicodedata.category(sign) not in ("Cc", "Cs"))
        for line in lines
    ]


@dataclass(frozen=True)
class _Face:
    """A font in a size."""

    font: ImageFont.FreeTypeFont
    scale: float
    """What its pixels are multiplied by: not 1 for a font made of images of another size."""
    is_drawn: bool = True
    """Whether letters are outlines, which can be stroked; not so in fonts made of images."""

    @classmethod
    def opened(cls, path: str, size: int) -> _Face | None:
        """Return the font; None for a file that can't be used."""
        for strike in (size, *_STRIKES):
            try:
                font = opened_font(path, strike)
            except (OSError, ValueError):
                continue
            return cls(font, size / strike, strike not in _STRIKES or _has_outlines(path))
        return None

    def length(self, text: str, direction: _Shaping = None) -> float:
        return self.font.getlength(text, direction=direction) * self.scale

    def draw(
        self,
        image: Image.Image,
        place: tuple[float, float],
        text: str,
        fill: str,
        stroke: int = 0,
        direction: _Shaping = None,
    ) -> None:
        """
        Write on an image (RGB or RGBA), from the left end of the baseline on.

        Args:
            stroke: Pixels by which letters are thicker on each side; images of letters are not.
        """
        from PIL import Image as Pillow
        from PIL import ImageDraw

        if self.scale == 1:
            ImageDraw.Draw(image).text(
                place,
                text,
                fill=fill,
                font=self.font,
                anchor="ls",
                embedded_color=True,
                direction=direction,
                stroke_width=stroke if self.is_drawn else 0,
            )
            return
        ascent, descent = self.font.getmetrics()
        layer = Pillow.new("RGBA", (max(1, round(self.font.getlength(text))), ascent + descent))
        ImageDraw.Draw(layer).text(
            (0, ascent), text, fill=fill, font=self.font, anchor="ls", embedded_color=True
        )
        small = layer.resize(
            (max(1, round(layer.width * self.scale)), max(1, round(layer.height * self.scale)))
        )
        image.paste(small, (round(place[0]), round(place[1] - ascent * self.scale)), small)


def _has_outlines(path: str) -> bool:
    """Return whether a font has any size, and not those of its images alone."""
    try:
        opened_font(path, 7)
    except (OSError, ValueError):
        return False
    return True


class Typeface:
    """
    A font in a size, and others in its place where it has no such character.

    Keeps which characters none has, and whether letters stand in the wrong order.
    """

    def __init__(self, path: str, size: int, direction: Direction = "auto") -> None:
        """
        Open a font.

        Args:
            path: File of the font.
            size: In pixels.
            direction: Of lines; that of the first letter of each where it is `auto`.

        Raises NodeError for a file that is no font.
        """
        first = _Face.opened(path, size)
        if first is None:
            raise NodeError(f"The font {path!r} can't be read.", "Choose another one.")
        self.size = size
        self.direction = direction
        self.ascent, self.descent = (part * first.scale for part in first.font.getmetrics())
        self._path = path
        self._first = first
        self._opened: dict[str, _Face | None] = {path: first}
        self._faces: dict[str, _Face] = {}
        self._missing: dict[str, None] = {}
        self._is_unordered = False

    @property
    def line_height(self) -> float:
        """From one baseline to the next, in pixels."""
        return self.ascent + self.descent

    def length(self, line: str) -> float:
        """Return how far a line reaches, in pixels."""
        shaping = self._shaping(line)
        return sum(face.length(piece, shaping) for face, piece in self._pieces(line))

    def draw(
        self,
        image: Image.Image,
        place: tuple[float, float],
        line: str,
        fill: str,
        context: Context,
        stroke: int = 0,
    ) -> None:
        """
        Write a line on an image (RGB or RGBA), from the left end of its baseline on.

        What reaches over the edge is cut off.

        Args:
            stroke: Pixels by which letters are thicker on each side.
        """
        left, baseline = place
        margin = 2 * self.size + stroke
        if not -margin < baseline < image.height + margin:
            return
        shaping = self._shaping(line)
        pieces = self._pieces(line)
        # Letters within a piece are ordered by Raqm. Pieces of several fonts follow the line.
        for face, piece in reversed(list(pieces)) if shaping == "rtl" else pieces:
            context.check_cancelled()
            if left > image.width + margin:
                return
            length = face.length(piece, shaping)
            if left + length > -margin:
                face.draw(image, (left, baseline), piece, fill, stroke, shaping)
            left += length

    def _shaping(self, line: str) -> _Shaping:
        """Return the direction that Raqm is given; None where there is but one, or no Raqm."""
        if self.direction != "rtl" and not runs_right_to_left(line):
            return None
        if has_raqm():
            return base_direction(line, self.direction)
        self._is_unordered = self._is_unordered or runs_right_to_left(line)
        return None

    def wrapped(self, line: str, width: float) -> Iterator[str]:
        """Yield the lines that a line is broken into: between words, or within a wider word."""
        length = lru_cache(maxsize=4096)(self.length)
        current, reach = "", 0.0
        for part in _words(line):
            for word in [part] if length(part.rstrip()) <= width else list(part):
                if current and reach + length(word.rstrip()) > width:
                    yield current.rstrip()
                    current, reach = "", 0.0
                current, reach = current + word, reach + length(word)
        yield current.rstrip()

    def warn_of_missing(self, context: Context) -> None:
        """Warn of characters that no font on this machine has, or that are in the wrong order."""
        if self._is_unordered:
            context.warn(
                "Letters that run from right to left are written unjoined, from left to right: this"
                " Pillow has no Raqm. Install Pillow from its wheels, or libraqm."
            )
        if not self._missing:
            return
        signs = list(self._missing)
        named = " ".join(signs[:_SHOWN]) + (
            f" and {len(signs) - _SHOWN} more" if len(signs) > _SHOWN else ""
        )
        context.warn(
            f"No font on this machine has {named}: boxes are drawn. Install one that has, such as"
            " those of the Noto family."
        )

    def _pieces(self, line: str) -> Iterator[tuple[_Face, str]]:
        """Yield the runs of a line, long ones cut, between words where that is possible."""
        most = max(16, _PIECE_PIXELS // self.size**2)
        for face, run in self._runs(line):
            start = 0
            while len(run) - start > most:
                end = run.rfind(" ", start + most // 2, start + most) + 1 or start + most
                yield face, run[start:end]
                start = end
            yield face, run[start:]

    def _runs(self, line: str) -> Iterator[tuple[_Face, str]]:
        """
        Yield the characters that follow each other in one font.

        Accents and spaces stay with what is before them.
        """
        start, current = 0, None
        for place, sign in enumerate(line):
            # The spaces of a font made of images are as wide as its images.
            stays = (
                current is not None and _joins(sign) and not (sign == " " and current.scale != 1)
            )
            face = current if stays else self._face_for(sign)
            if face is not current:
                if current is not None:
                    yield current, line[start:place]
                start, current = place, face
        if current is not None:
            yield current, line[start:]

    def _face_for(self, sign: str) -> _Face:
        face = self._faces.get(sign)
        if face is None:
            face = self._faces[sign] = self._looked_up(sign)
        return face

    def _looked_up(self, sign: str) -> _Face:
        if _joins(sign) or has(self._path, sign):
            return self._first
        for path in self._others:
            if has(path, sign):
                if path not in self._opened:
                    self._opened[path] = _Face.opened(path, self.size)
                if (face := self._opened[path]) is not None:
                    return face
        self._missing[sign] = None
        return self._first

    @cached_property
    def _others(self) -> list[str]:
        return [SHIPPED, *system_fonts()]


def _joins(sign: str) -> bool:
    """Return whether a character is drawn with the one before it, or not at all."""
    return (
        sign.isspace()
        or unicodedata.category(sign)[0] == "M"
        or unicodedata.category(sign) in ("Cf", "Cc")
    )


def _words(line: str) -> list[str]:
    """Return the words of a line, each with the spaces behind it."""
    return re.findall(r"\s*\S+\s*|\s+", line)
