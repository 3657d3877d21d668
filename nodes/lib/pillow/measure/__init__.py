"""What images measure: how alike two are, and light, sharpness, colours and tones of one."""

from nodes.lib.pillow.measure._colours import DominantColors, Histogram
from nodes.lib.pillow.measure._image import MeasureImage
from nodes.lib.pillow.measure._similarity import Similarity

__all__ = ["DominantColors", "Histogram", "MeasureImage", "Similarity"]
