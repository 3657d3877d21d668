"""The looks of `FilmLook`, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodes.lib.pillow._grading import Triple, cdl, split_toned, tint

if TYPE_CHECKING:
    from nodes._pixels import Band


@dataclass(frozen=True)
class Look:
    """A colour decision list with a tint for the shadows and one for the highlights."""

    slope: Triple = (1.0, 1.0, 1.0)
    offset: Triple = (0.0, 0.0, 0.0)
    power: Triple = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    contrast: float = 1.0
    """Slope around the middle grey."""
    shadow: tuple[float, float] = (0.0, 0.0)
    """Hue in degrees, and saturation."""
    highlight: tuple[float, float] = (0.0, 0.0)

    def __call__(self, band: Band) -> Band:
        """Return the band in this look."""
        toned = cdl(
            (band - 0.5) * self.contrast + 0.5, self.slope, self.offset, self.power, self.saturation
        )
        return split_toned(toned, tint(*self.shadow), tint(*self.highlight), 0.0)


LOOKS: Final[Mapping[str, Look]] = {
    "teal_orange": Look(contrast=1.1, saturation=1.1, shadow=(185, 0.5), highlight=(30, 0.5)),
    "blockbuster": Look(
        contrast=1.25,
        saturation=1.15,
        power=(1.05, 1.05, 1.0),
        shadow=(200, 0.6),
        highlight=(35, 0.35),
    ),
    "noir": Look(contrast=1.4, saturation=0.0, power=(1.1, 1.1, 1.1)),
    "vintage": Look(
        contrast=0.9,
        saturation=0.75,
        slope=(1.03, 0.98, 0.88),
        offset=(0.04, 0.03, 0.02),
        highlight=(45, 0.4),
    ),
    "cold_blue": Look(saturation=0.85, slope=(0.92, 0.99, 1.08), shadow=(220, 0.5)),
    "warm_sunset": Look(
        saturation=1.15, slope=(1.1, 1.0, 0.86), highlight=(30, 0.5), shadow=(330, 0.2)
    ),
    "matrix": Look(
        contrast=1.15,
        saturation=0.7,
        slope=(0.88, 1.05, 0.86),
        shadow=(130, 0.4),
        highlight=(120, 0.25),
    ),
    "bleach_bypass": Look(contrast=1.35, saturation=0.45),
    "cross_process": Look(
        contrast=1.2,
        saturation=1.25,
        power=(0.9, 0.95, 1.15),
        shadow=(220, 0.4),
        highlight=(65, 0.5),
    ),
    "faded_film": Look(contrast=0.8, saturation=0.8, offset=(0.05, 0.05, 0.06), shadow=(210, 0.2)),
}
