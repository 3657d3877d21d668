"""
Light and colour of a small image on a large one: bilateral guided upsampling in Oklab.

A bilateral grid is a coarse grid over place and lightness (J. Chen, S. Paris, F. Durand, 2007). The
image and its small changed version are averaged in it: each cell knows how colours of its place and
lightness were before and after. So the bright sky learns only what became of bright sky, and not of
the dark branches before it; there is no halo, and nothing has to be masked. Each cell then gives a
local affine change of colour (J. Chen and others, 2016; M. Gharbi and others, 2017), and a pixel of
the large image takes the one that is interpolated at its place and lightness.

1. `fit` averages, weighted by how flat the image is around a pixel: what a model has smeared over
   an edge counts less. Cells are smoothed, and the whole image counts where one is nearly empty.
   Within a cell, a line through the changes by blue to yellow tells blue things from yellow ones.
2. `changes` turns averages into affine changes: the mean colour moves as the model moved it, and
   the detail around it follows how much lighter or darker it became. Their order
   of lightness stays.
3. `apply` slices the grid, for as many rows as fit into the processor's cache.

Where nothing changes, a pixel keeps its numbers. The cost is that of the large image's pixels, and
beyond the result, memory does not grow with the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodes._oklab import from_oklab, to_oklab
from nodes.lib.pillow._grading import smooth_step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

ROWS, COLUMNS, LEVELS = 16, 24, 12
"""Cells along the height, the width and the lightness."""
_REACH: Final = (0.1, 0.15, 0.2)
"""Deviation of the smoothing: share of the height, of the width, of the lightness."""
_WHOLE: Final = 0.02
"""Weight of the whole image's averages against those of a cell that is full."""
_FLAT: Final = 0.1
"""Deviation of the lightness around a pixel at which it counts half."""
_NOTHING: Final = 0.003
"""Changes up to this are taken for rounding: a step of 8 bits, in Oklab."""
_DETAIL: Final = (0.5, 1.3)
"""Least and most that contrast follows the light."""
_CHROMA: Final = (0.35, 1.0)
"""Least and most that differences of colour follow the light."""
_OWN_COLOUR: Final = 0.03**2
"""Variance of the blue to yellow at which a cell tells blue things from yellow ones by half."""
_KNEE_WARM: Final = 0.14
_KNEE_COLD: Final = 0.08
_KNEE_SLOPE: Final = 0.35
"""Strength of colour from which on it is bent, and the slope beyond."""
_DEEP_BELOW: Final = 0.9
"""Where less than this share of the lightness is left, `deepen` takes more."""
_LAMP: Final = 0.72
"""Lightness from which on a pixel may be a lamp."""
_NEAR: Final = 0.06
"""Deviation of what counts as around a lamp, as a share of the height."""
_BEND: Final = 0.3
"""Share of a pixel's distance to black or white from which on a change is bent."""
_ORDER: Final = 0.25
"""The least share that stays of a difference of lightness between the levels of a place."""
_GLOW: Final = 0.6
"""How far the surroundings of a lamp keep their light, where the lamp keeps its own."""


@dataclass(frozen=True, slots=True)
class Averages:
    """What cells know, each (rows, columns, levels)."""

    before: Array
    """Oklab before, (3, …)."""
    after: Array
    """Oklab after, (3, …)."""
    slope: Array
    """Change of the colour by blue to yellow, (3, …): what tells a blue thing from a yellow one."""
    lamps: Array
    """How far bright pixels here are lamps, from 0 to 1."""
    glow: Array
    """How near a lamp is, from 0 to 1."""


def fit(before: NDArray[np.uint8], after: NDArray[np.uint8], alpha: Array) -> Averages:
    """
    Return the averages of a small image before and after, both (height, width, 3), sRGB.

    Args:
        alpha: How far a pixel is seen, (height, width), from 0 to 1.
    """
    import numpy as np

    source, target = to_oklab(before), _with_bent_colours(to_oklab(after), to_oklab(before))
    height, width = alpha.shape
    weight = alpha / (1 + _variance(source[0]) / _FLAT**2) + 1e-6
    levels = _hat(np.clip(source[0], 0, 1) * (LEVELS - 1), LEVELS)
    own = source[2]
    values = np.concatenate(
        [
            np.ones((1, height, width), np.float32),
            source,
            target,
            own[None] * own,
            own * source,
            own * target,
        ]
    )
    down, across = _hat(_places(height, ROWS), ROWS).T, _hat(_places(width, COLUMNS), COLUMNS)
    raw = np.stack(
        [down @ (values * (weight * levels[..., level])) @ across for level in range(LEVELS)], -1
    ) / (height * width / (ROWS * COLUMNS))
    rows, columns, tones = (
        _gauss(count, reach * count)
        for count, reach in zip((ROWS, COLUMNS, LEVELS), _REACH, strict=True)
    )
    smooth = raw @ tones
    whole = smooth.mean((1, 2), keepdims=True)
    whole = whole / np.maximum(whole[:1], 1e-4)
    smooth = np.einsum("yj,cjil->cyil", rows, smooth, optimize=True)
    smooth = np.einsum("xi,cyil->cyxl", columns, smooth, optimize=True)
    smooth /= np.einsum("yj,xi->yx", rows, columns)[..., None]
    mean = (smooth + _WHOLE * whole) / (smooth[:1] + _WHOLE)
    now, then = mean[1:4], mean[4:7]
    variance = np.maximum(mean[7] - now[2] ** 2, 0) + _OWN_COLOUR
    slope = ((mean[11:14] - now[2] * then) - (mean[8:11] - now[2] * now)) / variance
    lamps, glow = _lamps(source, alpha)
    return Averages(now, then, np.clip(slope, -1, 1), lamps, glow)


def changes(cells: Averages, strength: float, deepen: float, keep_lights: float) -> Array:
    """
    Return the change of each cell, (rows, columns, levels, 8): see `apply`.

    Args:
        strength: 0 for no change, 1 for the whole.
        deepen: How much darker it becomes than the model says, where that is much darker.
        keep_lights: How far lamps keep their light.
    """
    import numpy as np

    before, after = cells.before, cells.after.copy()
    after[0] = _ORDER * before[0] + _ordered(after[0] - _ORDER * before[0])
    # Averages of small images may come out a little below black.
    darker = np.clip(after[0] / np.maximum(before[0], 0.02) / _DEEP_BELOW, 0, 1) ** deepen
    after *= darker ** np.array([1, 0.5, 0.5], np.float32)[:, None, None, None]
    ratio = (after[0] + 0.05) / (before[0] + 0.05)
    detail, chroma = np.clip(ratio, *_DETAIL) - 1, np.clip(ratio, *_CHROMA) - 1
    shift = after - before
    size = np.sqrt((shift**2).sum(0))
    real = np.maximum(size - _NOTHING, 0) / np.maximum(size, 1e-9)
    slope = cells.slope * real
    shift *= real
    detail, chroma = detail * real, chroma * real
    light = np.arange(LEVELS, dtype=np.float32) / (LEVELS - 1)
    kept = cells.lamps[..., None] * smooth_step(light, 0.62, 0.85)
    kept = np.maximum(kept, _GLOW * cells.glow[..., None]) * (shift[0] < 0) * keep_lights
    by_light, by_colour = (1 - kept) * strength, (1 - 0.5 * kept) * strength
    return np.ascontiguousarray(
        np.stack(
            [
                by_light * (shift[0] - detail * before[0] - slope[0] * before[2]),
                by_light * detail,
                by_light * slope[0],
                by_colour * (shift[1] - chroma * before[1] - slope[1] * before[2]),
                by_colour * chroma,
                by_colour * slope[1],
                by_colour * (shift[2] - (chroma + slope[2]) * before[2]),
                by_colour * (chroma + slope[2]),
            ],
            axis=-1,
        ),
        np.float32,
    )


def apply(tones: NDArray[np.uint8], change: Array, top: int, height: int) -> NDArray[np.uint8]:
    """
    Return some rows of an image, (rows, width, 3), changed.

    Args:
        change: What `changes` returned.
        top: Number of the first row in the whole image.
        height: Rows of the whole image.
    """
    import numpy as np

    rows, width, _ = tones.shape
    lab = to_oklab(tones)
    down = _hat(_places(height, ROWS)[top : top + rows], ROWS)
    tables = np.moveaxis(np.tensordot(down, change, 1), -1, 0).reshape(change.shape[-1], -1)
    place = _places(width, COLUMNS)
    column = np.minimum(place.astype(np.int32), COLUMNS - 2)
    right = place - column.astype(np.float32)
    level = np.clip(lab[0], 0, 1) * np.float32(LEVELS - 1)
    lower = np.minimum(level.astype(np.int32), LEVELS - 2)
    up = level - lower.astype(np.float32)
    cell = (np.arange(rows, dtype=np.int32)[:, None] * COLUMNS + column) * LEVELS + lower

    def sliced(table: Array) -> Array:
        here, beside = (
            low + up * (table[at + 1 :].take(cell) - low)
            for at in (0, LEVELS)
            for low in [table[at:].take(cell)]
        )
        return np.asarray(here + right * (beside - here), np.float32)

    terms = (sliced(table) for table in np.ascontiguousarray(tables))
    light, red, blue = lab
    moved = next(terms) + next(terms) * light + next(terms) * blue
    red_moved = next(terms) + next(terms) * red + next(terms) * blue
    lab[2] += next(terms) + next(terms) * blue
    lab[1] += red_moved
    lab[0] += _bent(moved, light)
    return from_oklab(lab)


def _ordered(light: Array) -> Array:
    """Return lightness, (…, levels), that does not fall from a level to the next one."""
    import numpy as np

    rising = np.maximum.accumulate(light, axis=-1)
    falling = np.minimum.accumulate(light[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray((rising + falling) / 2, np.float32)


def _bent(change: Array, light: Array) -> Array:
    """Return a change of lightness, bent where it would come near black or white or beyond."""
    import numpy as np

    room = np.where(change < 0, light, 1 - light) + np.float32(1e-6)
    left = 1 - np.abs(change) / room
    over = np.minimum(left, _BEND)
    left += np.float32(_BEND**2) / (np.float32(2 * _BEND) - over) - over
    bent: Array = np.where(change < 0, (left - 1) * room, (1 - left) * room)
    return bent


def _with_bent_colours(target: Array, source: Array) -> Array:
    """Return the target with colours bent that are stronger than photographs have them."""
    import numpy as np

    strength, own = (np.hypot(lab[1], lab[2]) for lab in (target, source))
    warm = smooth_step(target[2] / np.maximum(strength, 1e-6), -0.5, 0.5)
    knee = np.maximum(_KNEE_COLD + (_KNEE_WARM - _KNEE_COLD) * warm, own)
    bent = np.minimum(strength, knee + _KNEE_SLOPE * (strength - knee))
    target[1:] *= bent / np.maximum(strength, 1e-6)
    return target


def _lamps(source: Array, alpha: Array) -> tuple[Array, Array]:
    """Return where bright pixels are lamps, and how near one is: (rows, columns) each."""
    import numpy as np

    height, width = alpha.shape
    light = source[0]
    lit = (light > _LAMP) * alpha
    down, across = _hat(_places(height, ROWS), ROWS), _hat(_places(width, COLUMNS), COLUMNS)

    def around(values: Array) -> Array:
        rows, columns = (
            _gauss(ROWS, _NEAR * ROWS),
            _gauss(COLUMNS, _NEAR * COLUMNS * height / width),
        )
        return np.asarray(rows @ (down.T @ values @ across) @ columns.T, np.float32)

    seen = around(np.maximum(alpha, 1e-6))
    mean, bright = around(light * alpha) / seen, around(lit) / seen
    whole = float((light * alpha).sum() / np.maximum(alpha.sum(), 1e-6))
    night = 1 - smooth_step(np.float32(whole), 0.42, 0.58)
    lamps: Array = (1 - smooth_step(mean, 0.35, 0.55)) * (1 - smooth_step(bright, 0.06, 0.16))
    lamps = lamps * night
    glow = np.clip(bright * 12, 0, 1) * lamps
    return lamps.astype(np.float32), glow.astype(np.float32)


def _variance(light: Array) -> Array:
    """Return the variance of 3 x 3 pixels."""
    import numpy as np

    def box(values: Array) -> Array:
        padded = np.pad(values, 1, mode="edge")
        rows = padded[:-2] + padded[1:-1] + padded[2:]
        mean: Array = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
        return mean

    variance: Array = np.maximum(box(light * light) - box(light) ** 2, np.float32(0))
    return variance


def _places(length: int, cells: int) -> Array:
    """Return where each pixel along a side is, in cells from the centre of the first."""
    import numpy as np

    places = (np.arange(length, dtype=np.float32) + 0.5) / length * cells - 0.5
    return np.clip(places, 0, cells - 1).astype(np.float32)


def _hat(places: Array, cells: int) -> Array:
    """Return the weights of linear interpolation, (…, cells)."""
    import numpy as np

    weights: Array = np.maximum(
        0, 1 - np.abs(places[..., None] - np.arange(cells, dtype=np.float32))
    )
    return weights


def _gauss(cells: int, deviation: float) -> Array:
    """Return the weights of each cell for each other, (cells, cells)."""
    import numpy as np

    far = np.arange(cells, dtype=np.float32)
    weights: Array = np.exp(-0.5 * ((far[:, None] - far) / max(deviation, 1e-3)) ** 2)
    return weights
