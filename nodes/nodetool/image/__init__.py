"""Images: their files, their size, their parts, what is known about them."""

from nodes.nodetool.image._edit import (
    BatchToList,
    Crop,
    Fit,
    GetMetadata,
    ImagesToList,
    Metadata,
    Paste,
    Resize,
    Scale,
)
from nodes.nodetool.image._files import (
    FolderItem,
    LoadImageFile,
    LoadImageFolder,
    SaveImageFile,
)

__all__ = [
    "BatchToList",
    "Crop",
    "Fit",
    "FolderItem",
    "GetMetadata",
    "ImagesToList",
    "LoadImageFile",
    "LoadImageFolder",
    "Metadata",
    "Paste",
    "Resize",
    "SaveImageFile",
    "Scale",
]
