"""Read the frames of an animation, or the pages of a file, one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nodetool_core.assets.decode import (
    DEFAULT_LIMITS,
    ImageLimits,
    check_pixels,
    guarded,
    identify,
    loaded_frame,
    open_image_file,
)
from nodetool_core.assets.modes import DEEP_MODES, Warn, ignore_warning, in_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from PIL import Image


def frames_of(
    path: Path,
    numbers: Iterable[int],
    limits: ImageLimits = DEFAULT_LIMITS,
    warn: Warn = ignore_warning,
) -> Iterator[tuple[int, Image.Image, int]]:
    """
    Yield frames of an animation, or pages, by their numbers, rising from 0: as they are seen.

    RGB or RGBA, upright; deep tones (I;16, F) stay as they are. Each with its number and how long
    it is shown, in milliseconds; 0 where that is not stated. What lies behind the last frame is
    left out. Raises ImageError.

    `warn` takes what is lost or guessed in reading them, once for all.
    """
    where, notes = str(path), set[str]()
    with open_image_file(path, limits) as file:
        opened = identify(file, where)
        name = opened.format or "image"
        total = guarded(lambda: int(getattr(opened, "n_frames", 1)), where, name)
        for number in numbers:
            if number >= total:
                break
            guarded(partial(opened.seek, number), where, name)
            check_pixels(opened, where, limits)
            frame_notes: list[str] = []
            image = loaded_frame(opened, where, frame_notes.append)
            for note in frame_notes:
                if note not in notes:
                    warn(note)
            notes.update(frame_notes)
            if image.mode not in DEEP_MODES:
                image = in_mode(image, "RGBA" if image.has_transparency_data else "RGB")
            image.info.pop("transparency", None)
            yield number, image, round(float(opened.info.get("duration", 0) or 0))
