"""Nodes that turn an image into another."""

from nodes.huggingface.image_to_image._aura_sr import AuraSR
from nodes.huggingface.image_to_image._editing import EditByInstruction, ImageVariation
from nodes.huggingface.image_to_image._image_to_image import (
    DEFAULT_MODEL,
    ImageToImage,
    LoadImageToImageModel,
)
from nodes.huggingface.image_to_image._inpainting import Inpainting
from nodes.huggingface.image_to_image._latents import VAEDecode, VAEEncode
from nodes.huggingface.image_to_image._upscaling import DiffusionUpscale, TiledRefinement, Upscale

__all__ = [
    "DEFAULT_MODEL",
    "AuraSR",
    "DiffusionUpscale",
    "EditByInstruction",
    "ImageToImage",
    "ImageVariation",
    "Inpainting",
    "LoadImageToImageModel",
    "TiledRefinement",
    "Upscale",
    "VAEDecode",
    "VAEEncode",
]
