"""What is in an image and where: masks, cut-outs and boxes by networks of the Hub."""

from nodes.huggingface.segmentation._background import RefineMatte, RemoveBackground
from nodes.huggingface.segmentation._cutout import Cutout
from nodes.huggingface.segmentation._select import Selected, SelectObject
from nodes.huggingface.segmentation._words import FindObjects, Found, MaskFromText

__all__ = [
    "Cutout",
    "FindObjects",
    "Found",
    "MaskFromText",
    "RefineMatte",
    "RemoveBackground",
    "SelectObject",
    "Selected",
]
