"""Images: their files, their size, their parts, what is known about them."""

from nodes.nodetool.image._crop import Crop, Cropped, CropToMask, PasteBack
from nodes.nodetool.image._files import FolderItem, LoadImageFile, LoadImageFolder
from nodes.nodetool.image._frames import Frame, LoadFrames, SaveAnimation, SavePDF
from nodes.nodetool.image._lists import BatchToList, GetMetadata, ImagesToList, Metadata
from nodes.nodetool.image._paste import Paste
from nodes.nodetool.image._resize import Fit, Pad, Resize, Room, Scale
from nodes.nodetool.image._saving import Saved, SaveImageFile
from nodes.nodetool.image._turn import Flip, Offset, Perspective, Rotate, Transform
from nodes.nodetool.image._url import LoadImageURL

__all__ = [
    "BatchToList",
    "Crop",
    "CropToMask",
    "Cropped",
    "Fit",
    "Flip",
    "FolderItem",
    "Frame",
    "GetMetadata",
    "ImagesToList",
    "LoadFrames",
    "LoadImageFile",
    "LoadImageFolder",
    "LoadImageURL",
    "Metadata",
    "Offset",
    "Pad",
    "Paste",
    "PasteBack",
    "Perspective",
    "Resize",
    "Room",
    "Rotate",
    "SaveAnimation",
    "SaveImageFile",
    "SavePDF",
    "Saved",
    "Scale",
    "Transform",
]
