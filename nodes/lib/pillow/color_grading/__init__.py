"""
Colour grading: exposure, curves, balance, saturation, looks.

Grey images become RGB; the alpha is kept.
"""

from nodes.lib.pillow.color_grading._creative import (
    FilmLook,
    HSLAdjust,
    SaturationVibrance,
    SplitToning,
    Vignette,
)
from nodes.lib.pillow.color_grading._primary import (
    CDL,
    ColorBalance,
    Curves,
    Exposure,
    LiftGammaGain,
)

__all__ = [
    "CDL",
    "ColorBalance",
    "Curves",
    "Exposure",
    "FilmLook",
    "HSLAdjust",
    "LiftGammaGain",
    "SaturationVibrance",
    "SplitToning",
    "Vignette",
]
