"""
Colour grading: exposure, curves, balance, saturation, tables, looks.

Grey images become RGB; the alpha is kept.
"""

from nodes.lib.pillow.color_grading._creative import (
    FilmLook,
    HSLAdjust,
    SaturationVibrance,
    SplitToning,
    Vignette,
)
from nodes.lib.pillow.color_grading._match import MatchColor
from nodes.lib.pillow.color_grading._mixing import ChannelMixer, WhiteBalance
from nodes.lib.pillow.color_grading._primary import (
    CDL,
    ColorBalance,
    Curves,
    Exposure,
    LiftGammaGain,
)
from nodes.lib.pillow.color_grading._tables import ApplyLut, GradientMap, Levels

__all__ = [
    "CDL",
    "ApplyLut",
    "ChannelMixer",
    "ColorBalance",
    "Curves",
    "Exposure",
    "FilmLook",
    "GradientMap",
    "HSLAdjust",
    "Levels",
    "LiftGammaGain",
    "MatchColor",
    "SaturationVibrance",
    "SplitToning",
    "Vignette",
    "WhiteBalance",
]
