"""
Blend modes: how the colours of two layers are mixed, before the upper one's opacity counts.

The formulas are those of W3C Compositing and Blending Level 1 (11 separable and 4 others), and of
Photoshop for those that it leaves out. All work on colours from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal

from nodes._light import from_light, to_light
from nodes._pixels import as_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodes._pixels import Band
    from nodetool_core import Context

    Formula = Callable[[Band, Band], Band]
    """Takes the colours of the lower and of the upper layer."""

BlendMode = Literal[
    "normal",
    "darken",
    "multiply",
    "color_burn",
    "linear_burn",
    "darker_color",
    "lighten",
    "screen",
    "color_dodge",
    "linear_dodge",
    "lighter_color",
    "overlay",
    "soft_light",
    "hard_light",
    "vivid_light",
    "linear_light",
    "pin_light",
    "hard_mix",
    "difference",
    "exclusion",
    "subtract",
    "divide",
    "hue",
    "saturation",
    "color",
    "luminosity",
]
BLEND_MODE: Final = (
    "How the colours of the upper image change those of the lower one, as in Photoshop and GIMP;"
    " `linear_dodge` is also called add."
)
"""What nodes say of their property `blend_mode`."""

_BAND_PIXELS: Final = 1 << 16
_LUMA: Final = (0.3, 0.59, 0.11)
"""Share of red, green and blue in the luminosity of the four modes that keep or take it (W3C)."""


def _color_burn(lower: Band, upper: Band) -> Band:
    import numpy as np

    burnt = 1 - np.minimum(1.0, (1 - lower) / np.maximum(upper, 1e-6))
    return np.where(lower >= 1, 1.0, np.where(upper <= 0, 0.0, burnt))


def _color_dodge(lower: Band, upper: Band) -> Band:
    import numpy as np

    dodged = np.minimum(1.0, lower / np.maximum(1 - upper, 1e-6))
    return np.where(lower <= 0, 0.0, np.where(upper >= 1, 1.0, dodged))


def _hard_light(lower: Band, upper: Band) -> Band:
    import numpy as np

    doubled = 2 * upper
    screened = lower + (doubled - 1) - lower * (doubled - 1)
    return np.where(upper <= 0.5, lower * doubled, screened)


def _soft_light(lower: Band, upper: Band) -> Band:
    import numpy as np

    bright = np.where(lower <= 0.25, ((16 * lower - 12) * lower + 4) * lower, np.sqrt(lower))
    darker = lower - (1 - 2 * upper) * lower * (1 - lower)
    return np.where(upper <= 0.5, darker, lower + (2 * upper - 1) * (bright - lower))


def _vivid_light(lower: Band, upper: Band) -> Band:
    import numpy as np

    burnt = _color_burn(lower, np.minimum(1.0, 2 * upper))
    return np.where(upper <= 0.5, burnt, _color_dodge(lower, np.maximum(0.0, 2 * upper - 1)))


def _pin_light(lower: Band, upper: Band) -> Band:
    import numpy as np

    low, high = np.minimum(lower, 2 * upper), np.maximum(lower, 2 * upper - 1)
    return np.where(upper <= 0.5, low, high)


def _divide(lower: Band, upper: Band) -> Band:
    import numpy as np

    return np.where(upper <= 0, np.where(lower <= 0, 0.0, 1.0), lower / np.maximum(upper, 1e-6))


def _extreme(choose: str) -> Formula:
    def formula(lower: Band, upper: Band) -> Band:
        import numpy as np

        return np.asarray(getattr(np, choose)(lower, upper))

    return formula


_BY_CHANNEL: Final[Mapping[str, Formula]] = {
    "normal": lambda lower, upper: upper + 0 * lower,
    "darken": _extreme("minimum"),
    "multiply": lambda lower, upper: lower * upper,
    "color_burn": _color_burn,
    "linear_burn": lambda lower, upper: lower + upper - 1,
    "lighten": _extreme("maximum"),
    "screen": lambda lower, upper: lower + upper - lower * upper,
    "color_dodge": _color_dodge,
    "linear_dodge": lambda lower, upper: lower + upper,
    "overlay": lambda lower, upper: _hard_light(upper, lower),
    "soft_light": _soft_light,
    "hard_light": _hard_light,
    "vivid_light": _vivid_light,
    "linear_light": lambda lower, upper: lower + 2 * upper - 1,
    "pin_light": _pin_light,
    "hard_mix": lambda lower, upper: 1.0 * (lower + upper >= 1 - 1e-6),
    "difference": lambda lower, upper: abs(lower - upper),
    "exclusion": lambda lower, upper: lower + upper - 2 * lower * upper,
    "subtract": lambda lower, upper: lower - upper,
    "divide": _divide,
}
"""Modes in which each channel is mixed by itself."""


def _luma(colours: Band) -> Band:
    import numpy as np

    luma: Band = (colours @ np.array(_LUMA, colours.dtype))[..., None]
    return luma


def _saturation(colours: Band) -> Band:
    range_: Band = colours.max(axis=-1, keepdims=True) - colours.min(axis=-1, keepdims=True)
    return range_


def _with_luma(colours: Band, luma: Band) -> Band:
    """Return colours of a luminosity, brought into the range along the line to its grey (W3C)."""
    import numpy as np

    colours = colours + (luma - _luma(colours))
    low, high = colours.min(axis=-1, keepdims=True), colours.max(axis=-1, keepdims=True)
    raised = luma + (colours - luma) * luma / np.maximum(luma - low, 1e-6)
    colours = np.where(low < 0, raised, colours)
    lowered = luma + (colours - luma) * (1 - luma) / np.maximum(high - luma, 1e-6)
    return np.where(high > 1, lowered, colours)


def _with_saturation(colours: Band, saturation: Band) -> Band:
    import numpy as np

    low = colours.min(axis=-1, keepdims=True)
    range_ = _saturation(colours)
    return np.where(range_ > 0, (colours - low) * saturation / np.maximum(range_, 1e-6), 0.0)


def _either(sign: int) -> Formula:
    def formula(lower: Band, upper: Band) -> Band:
        import numpy as np

        return np.where(sign * _luma(upper) > sign * _luma(lower), upper, lower)

    return formula


_BY_COLOUR: Final[Mapping[str, Formula]] = {
    "darker_color": _either(-1),
    "lighter_color": _either(1),
    "hue": lambda lower, upper: _with_luma(
        _with_saturation(upper, _saturation(lower)), _luma(lower)
    ),
    "saturation": lambda lower, upper: _with_luma(
        _with_saturation(lower, _saturation(upper)), _luma(lower)
    ),
    "color": lambda lower, upper: _with_luma(upper, _luma(lower)),
    "luminosity": lambda lower, upper: _with_luma(lower, _luma(upper)),
}
"""Modes that need all channels of a pixel."""


def blend_onto(
    lower: Image.Image,
    upper: Image.Image,
    at: tuple[int, int],
    mode: BlendMode,
    opacity: float,
    mask: Image.Image | None,
    context: Context,
    *,
    linear_light: bool = False,
) -> None:
    """
    Put the upper image over the lower one, which is changed; both of one mode, with alpha or not.

    It is done a strip of rows at a time, so that it takes no further memory.

    Args:
        at: Left and top edge of the upper image on the lower one; what lies outside is left out.
        opacity: Of the upper image, from 0 to 1.
        mask: What is multiplied to the opacity (L), in the size of the upper image; None for all.
        linear_light: Whether colours are mixed as light, by the curve of sRGB.
    """
    (left, top), (width, height) = at, lower.size
    box = (
        max(0, left),
        max(0, top),
        min(width, left + upper.width),
        min(height, top + upper.height),
    )
    if box[2] <= box[0] or box[3] <= box[1]:
        return
    table = None
    if lower.mode in ("L", "RGB") and mode in _BY_CHANNEL and (mask is None or not linear_light):
        table = _table(mode, opacity, linear_light)
    rows = max(1, _BAND_PIXELS // (box[2] - box[0]))
    for first in range(box[1], box[3], rows):
        context.check_cancelled()
        strip = (box[0], first, box[2], min(box[3], first + rows))
        seen = (strip[0] - left, strip[1] - top, strip[2] - left, strip[3] - top)
        below, above = lower.crop(strip), upper.crop(seen)
        cover = None if mask is None else mask.crop(seen)
        if table is not None:
            lower.paste(_by_table(below, above, table), strip[:2], cover)
        else:
            lower.paste(_by_formula(below, above, mode, opacity, cover, linear_light), strip[:2])


def _table(mode: str, opacity: float, linear_light: bool) -> NDArray[np.uint8]:
    """Return what each of 256 lower tones becomes under each of 256 upper ones, (65536,)."""
    import numpy as np

    tones: Band = np.arange(256) / 255.0
    if linear_light:
        tones = to_light(tones)
    below, above = tones[:, None], tones[None, :]
    mixed = below + (np.clip(_BY_CHANNEL[mode](below, above), 0.0, 1.0) - below) * opacity
    return as_bytes(from_light(mixed) if linear_light else mixed).ravel()


def _by_table(below: Image.Image, above: Image.Image, table: NDArray[np.uint8]) -> Image.Image:
    import numpy as np
    from PIL import Image as Pillow

    places = np.left_shift(np.asarray(below), 8, dtype=np.uint16)
    places |= np.asarray(above)
    return Pillow.fromarray(table.take(places))


def _by_formula(
    below: Image.Image,
    above: Image.Image,
    mode: str,
    opacity: float,
    cover: Image.Image | None,
    linear_light: bool,
) -> Image.Image:
    import numpy as np
    from PIL import Image as Pillow

    share: float | Band = opacity
    if cover is not None:
        share = np.asarray(cover)[..., None] * np.float32(opacity / 255)
    mixed = _mixed(np.asarray(below), np.asarray(above), mode, share, linear_light)
    return Pillow.fromarray(mixed)


def _mixed(
    below: NDArray[np.uint8],
    above: NDArray[np.uint8],
    mode: str,
    share: float | Band,
    linear_light: bool,
) -> NDArray[np.uint8]:
    """Return rows of two layers composited (source over, W3C), with alpha where they have any."""
    import numpy as np

    lower, upper = (
        (rows if rows.ndim == 3 else rows[..., None]).astype(np.float32) / np.float32(255)
        for rows in (below, above)
    )
    has_alpha = lower.shape[2] in (2, 4)
    backdrop, source = (lower[..., -1:], upper[..., -1:] * share) if has_alpha else (None, share)
    lower, upper = (rows[..., :-1] if has_alpha else rows for rows in (lower, upper))
    kept = lower
    if linear_light:
        lower, upper = to_light(lower), to_light(upper)
    mixture = np.clip(_formula(mode, lower)(lower, upper), 0.0, 1.0)
    if backdrop is None:
        mixed = lower + (mixture - lower) * source
        colours = from_light(mixed) if linear_light else mixed
        return as_bytes(np.where(source > 0, colours, kept)).reshape(below.shape)
    opacity = source + backdrop * (1 - source)
    seen = (1 - backdrop) * upper + backdrop * mixture
    mixed = (source * seen + (1 - source) * backdrop * lower) / np.maximum(opacity, 1e-6)
    colours = from_light(mixed) if linear_light else mixed
    colours = np.where(source > 0, colours, kept)
    return as_bytes(np.concatenate([colours, opacity], axis=2)).reshape(below.shape)


def _formula(mode: str, lower: Band) -> Formula:
    """Return the formula of a mode; grey has neither hue nor saturation."""
    if mode in _BY_CHANNEL:
        return _BY_CHANNEL[mode]
    if lower.shape[2] == 3:
        return _BY_COLOUR[mode]
    return {
        "darker_color": _BY_CHANNEL["darken"],
        "lighter_color": _BY_CHANNEL["lighten"],
        "luminosity": _BY_CHANNEL["normal"],
    }.get(mode, lambda below, _: below)
