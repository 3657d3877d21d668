"""Images: their files, their size, their parts, what is known about them."""

from nodes.nodetool.image._crop import Crop, Cropped, CropToMask, PasteBack
from nodes.nodetool.image._files import (
    FolderItem,
    LoadImageFile,
    LoadImageFolder,
    SaveImageFile,
)
from nodes.nodetool.image._lists import BatchToList, GetMetadata, ImagesToList, Metadata
from nodes.nodetool.image._paste import Paste
from nodes.nodetool.image._resize import Fit, Pad, Resize, Room, Scale
from nodes.nodetool.image._turn import Flip, Offset, Perspective, Rotate, Transform

__all__ = [
    "BatchToList",
    "Crop",
    "CropToMask",
    "Cropped",
    "Fit",
    "Flip",
    "FolderItem",
    "GetMetadata",
    "ImagesToList",
    "LoadImageFile",
    "LoadImageFolder",
    "Metadata",
    "Offset",
    "Pad",
    "Paste",
    "PasteBack",
    "Perspective",
    "Resize",
    "Room",
    "Rotate",
    "SaveImageFile",
    "Scale",
    "Transform",
]
