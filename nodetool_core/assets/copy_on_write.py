"""
Images that share their pixels until one of them is changed.

Pillow has a flag for this, `readonly`: whoever draws, pastes or puts a pixel makes a copy first. It
does not cover everything. Of a read-only image, `load()[x, y] = …` fails (and
`ImageDraw.floodfill`, which takes that failure for the image's edge, does nothing without a word);
`putpalette` and `frombytes` write into the shared memory; so may whoever asks for a pointer with
`getim`. The class here copies in these cases as well.
"""

from __future__ import annotations

import sys
from typing import Any, Final, Self

from PIL import Image


class CopyOnWriteImage(Image.Image):
    """
    An image over pixels that others hold too: the first change in place gives it pixels of its own.
    """

    _was_sealed = False

    @property
    def is_sealed(self) -> bool:
        """
        Whether nobody can write the pixels: all who hold them do so through a copy-on-write image.
        """
        return self._was_sealed and bool(self.readonly)

    @classmethod
    def over(cls, image: Image.Image) -> Self:
        """
        Return a new image over the pixels of another one.

        Whichever of the two is changed first takes a copy of the pixels.

        An image of another class than Pillow's own, such as a file that was opened, can't be made
        to do so: it is copied at once.
        """
        if not isinstance(image, cls):
            image.load()
            image = image if type(image) is Image.Image else image.copy()
            image.__class__ = cls
        assert isinstance(image, cls)
        return image.lent()

    def lent(self) -> Self:
        """Return another image over the same pixels."""
        if self.palette is not None and self.palette.dirty:
            self.load()
        self._was_sealed = self.is_sealed
        self.readonly = 1
        new = object.__new__(type(self))
        new.__dict__.update(
            self.__dict__,
            info=self.info.copy(),
            palette=self.palette and self.palette.copy(),
            _exif=None,
        )
        for name, item in self.info.items():
            if isinstance(item, list | dict):
                new.info[name] = item.copy()
        return new

    @classmethod
    def sealed(cls, image: Image.Image) -> Self:
        """
        Return an image over pixels that nobody can write.

        The pixels are those of `image`, or a copy where something besides `image` may write them:
        another image, or an `ImageDraw.Draw` or pixel access that is still held.
        """
        if isinstance(image, cls) and image.is_sealed:
            return image.lent()
        image.load()
        new = cls.over(image if sys.getrefcount(image.im) <= _ALONE else image.copy())
        new._was_sealed = True
        return new

    def load(self) -> Any:
        """
        Return the pixels by position, as of any image.

        One that is assigned makes the image copy them first.
        """
        if self.readonly and self.palette is not None and self.palette.dirty:
            self._copy()
        access = super().load()
        return _Pixels(self, access) if self.readonly else access

    def _copy(self) -> None:
        self.im = self.im.copy()
        self.readonly = 0
        super().load()

    def getim(self) -> object:
        """Return a pointer to the pixels, which may be written through."""
        self._ensure_mutable()
        return super().getim()

    def frombytes(self, data: Any, decoder_name: str = "raw", *args: Any) -> None:
        """Fill the image with other pixels."""
        self._ensure_mutable()
        super().frombytes(data, decoder_name, *args)

    def __eq__(self, other: object) -> bool:
        """
        Return whether modes, sizes, notes and pixels are equal; Pillow compares the class as well.
        """
        return isinstance(other, Image.Image) and _content(self) == _content(other)

    __hash__ = None  # type: ignore[assignment]  # as Pillow's own

    def __reduce__(self) -> Any:
        """Pickle as an ordinary image with the same content."""
        return _restored, (self.__getstate__(),)


class _Pixels:
    """The pixels of a copy-on-write image, by position."""

    __slots__ = ("_access", "_core", "_image")

    def __init__(self, image: CopyOnWriteImage, access: object) -> None:
        self._image = image
        self._core = image.im
        self._access = access

    def __getitem__(self, position: tuple[int, int]) -> Any:
        return self._current()[position]

    def __setitem__(self, position: tuple[int, int], color: object) -> None:
        if self._image.readonly:
            self._image._ensure_mutable()
        self._current()[position] = color

    def _current(self) -> Any:
        """Return Pillow's own access to the pixels that the image has by now."""
        if self._image.im is not self._core:
            self._core = self._image.im
            self._access = self._core.pixel_access(self._image.readonly)
        return self._access


def _content(image: Image.Image) -> tuple[object, ...]:
    return image.mode, image.size, image.info, image.getpalette(), image.tobytes()


def _restored(state: list[object]) -> Image.Image:
    image = Image.Image()
    image.__setstate__(state)
    return image


def _references_of_one_holder() -> int:
    image = Image.new("1", (1, 1))
    return sys.getrefcount(image.im)


_ALONE: Final = _references_of_one_holder()
"""What `sys.getrefcount` returns for pixels that one image holds and nothing else."""
