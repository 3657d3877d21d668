"""Preprocessors for ControlNets: edges, depth, normals, segmentation, pose."""

from nodes.huggingface.preprocessing._depth import EstimateDepth, EstimateNormals, NormalMap
from nodes.huggingface.preprocessing._lines import Canny
from nodes.huggingface.preprocessing._pose import EstimatePose
from nodes.huggingface.preprocessing._segments import SegmentImage, Segments

__all__ = [
    "Canny",
    "EstimateDepth",
    "EstimateNormals",
    "EstimatePose",
    "NormalMap",
    "SegmentImage",
    "Segments",
]
