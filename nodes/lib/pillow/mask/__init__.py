"""
Masks: grey images that say where something happens.

White is inside, black outside, grey in between.

Whatever reads a mask looks at how bright it is (the luma of Rec. 601); transparent parts count as
white.
"""

from nodes.lib.pillow.mask._basic import (
    ApplyMask,
    CombineMasks,
    Feather,
    FromAlpha,
    Grow,
    InvertMask,
    Padded,
    PadForOutpainting,
    Threshold,
)
from nodes.lib.pillow.mask._make import ChromaKey, FloodSelect, Keyed, MakeMask, ToneRange
from nodes.lib.pillow.mask._refine import FadeToSides, RefineMask, ShowMask

__all__ = [
    "ApplyMask",
    "ChromaKey",
    "CombineMasks",
    "FadeToSides",
    "Feather",
    "FloodSelect",
    "FromAlpha",
    "Grow",
    "InvertMask",
    "Keyed",
    "MakeMask",
    "PadForOutpainting",
    "Padded",
    "RefineMask",
    "ShowMask",
    "Threshold",
    "ToneRange",
]
