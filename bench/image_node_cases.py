"""
The image nodes that are measured, and what stands beside each: Pillow or NumPy, and OpenCV.

What stands beside a node does the same work on the same pixels, written as somebody who knows the
library would. Where both Pillow and NumPy can, the faster one is here. It gives an image as the
node does, so that an array of NumPy is made one; what OpenCV gives stays an array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from image_node_references import (
    as_light,
    caption,
    ellipse,
    gradient,
    greatest,
    keyed,
    light,
    pasted,
    soft_light,
    stacked,
    to_quad,
    tones,
    with_alpha,
)
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from nodes.lib.grid import CombineImageGrid
from nodes.lib.pillow.color_grading import (
    ChannelMixer,
    Curves,
    Exposure,
    GradientMap,
    Levels,
    SaturationVibrance,
    WhiteBalance,
)
from nodes.lib.pillow.draw import DrawShape, Gradient, RenderText, Watermark
from nodes.lib.pillow.enhance import AutoContrast, Brightness, Contrast, UnsharpMask
from nodes.lib.pillow.filter import Blur, ConvertToGrayscale, Invert
from nodes.lib.pillow.mask import ApplyMask, ChromaKey, Feather, Grow
from nodes.lib.pillow.stylize import AdaptiveThreshold, Pixelate
from nodes.nodetool.image import Crop, Flip, Offset, Pad, Paste, Perspective, Resize, Rotate
from nodetool_core import ImageData, Node

Work = Callable[[], object]

MOST_USED: Final = (
    "Resize lanczos",
    "Resize area",
    "Crop",
    "Flip",
    "Rotate 90",
    "Rotate 7 crop",
    "Pad mirror",
    "Paste multiply",
    "Paste mask",
    "Blur",
    "UnsharpMask",
    "Brightness",
    "Contrast",
    "AutoContrast",
    "ConvertToGrayscale",
    "Curves",
    "Mask Grow 16",
    "Mask Feather 8",
    "RenderText",
    "ApplyMask",
)
"""The twenty that are held to the aims."""


_BICUBIC: Final = Image.Resampling.BICUBIC
_LEVELS: Final = [min(255, max(0, (tone - 10) * 255 // 230)) for tone in range(256)]
_SHARES: Final = np.arange(256) / 255
_CURVE: Final = np.clip((_SHARES + 0.4 * _SHARES * (1 - _SHARES)) * 255 + 0.5, 0, 255).astype(
    np.uint8
)
_WARM: Final = ((1.2, 0.0, 0.0), (0.0, 1.0, 0.1), (0.0, 0.0, 0.7))


class Case(NamedTuple):
    """A node, and what does the same."""

    node: Node
    beside: Work
    """In Pillow or NumPy."""
    library: str
    opencv: Work | None = None


def photo(megapixels: float) -> Image.Image:
    """Return an image of 3:2 with smooth and fine detail."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    small = np.random.default_rng(0).integers(0, 256, (height // 8, height * 3 // 16, 3), np.uint8)
    return Image.fromarray(small).resize((height * 3 // 2, height), Image.Resampling.BICUBIC)


class Sources:
    """An image in the forms that cases take it in."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.pixels = np.asarray(image)
        self.other = image.transpose(Image.Transpose.ROTATE_180)
        self.grey = image.convert("L")
        self.tones = np.asarray(self.grey)
        self.data, self.above, self.mask = map(ImageData.of, (image, self.other, self.grey))
        self.half = (image.width // 2, image.height // 2)


def cases(image: Image.Image) -> dict[str, Case]:
    """Return what is measured, by title."""
    sources = Sources(image)
    return {
        **_geometry(sources),
        **_layers(sources),
        **_filters(sources),
        **_colours(sources),
        **_masks(sources),
        **_drawn(sources),
    }


def _geometry(of: Sources) -> dict[str, Case]:
    image, pixels, data, half = of.image, of.pixels, of.data, of.half
    size: dict[str, Any] = {"width": half[0], "height": half[1]}
    turn = cv2.getRotationMatrix2D((image.width / 2, image.height / 2), -7, 1.0)
    quad = [[image.width * x, image.height * y] for x, y in ((0.1, 0), (1, 0.1), (0.9, 1), (0, 1))]
    box = (64, 64, image.width + 64, image.height + 64)
    return {
        "Resize lanczos": Case(
            Resize(image=data, **size),
            lambda: image.resize(half, Image.Resampling.LANCZOS),
            "Pillow",
        ),
        "Resize area": Case(
            Resize(image=data, **size, method="area"),
            lambda: image.resize(half, Image.Resampling.BOX),
            "Pillow",
            lambda: cv2.resize(pixels, half, interpolation=cv2.INTER_AREA),
        ),
        "Resize linear light": Case(
            Resize(image=data, **size, linear_light=True),
            lambda: as_light(pixels, half),
            "NumPy, OpenCV",
        ),
        "Crop": Case(
            Crop(image=data, right=half[0], bottom=half[1]),
            lambda: image.crop((0, 0, *half)),
            "Pillow",
        ),
        "Flip": Case(Flip(image=data), lambda: ImageOps.mirror(image), "Pillow"),
        "Rotate 90": Case(
            Rotate(image=data, angle=90),
            lambda: image.transpose(Image.Transpose.ROTATE_270),
            "Pillow",
        ),
        "Rotate 7 crop": Case(
            Rotate(image=data, angle=7, canvas="crop"),
            lambda: image.rotate(-7, Image.Resampling.BICUBIC),
            "Pillow",
            lambda: cv2.warpAffine(pixels, turn, image.size, flags=cv2.INTER_CUBIC),
        ),
        "Perspective": Case(
            Perspective(image=data, corners=quad, width=image.width, height=image.height),
            lambda: image.transform(
                image.size, Image.Transform.PERSPECTIVE, to_quad(image.size, quad), _BICUBIC
            ),
            "Pillow",
        ),
        "Pad mirror": Case(
            Pad(image=data, left=64, right=64, top=64, bottom=64, fill="mirror"),
            lambda: np.pad(pixels, ((64, 64), (64, 64), (0, 0)), mode="symmetric"),
            "NumPy",
            lambda: cv2.copyMakeBorder(pixels, 64, 64, 64, 64, cv2.BORDER_REFLECT),
        ),
        "Pad colour": Case(
            Pad(image=data, left=64, right=64, top=64, bottom=64),
            lambda: pasted(Image.new("RGB", (box[2] + 64, box[3] + 64), "white"), image),
            "Pillow",
        ),
        "Offset": Case(Offset(image=data), lambda: np.roll(pixels, half[::-1], (0, 1)), "NumPy"),
    }


def _layers(of: Sources) -> dict[str, Case]:
    image, other, grey = of.image, of.other, of.grey
    data, above, mask = of.data, of.above, of.mask
    column = (image.width, image.height * 2)
    return {
        "Paste multiply": Case(
            Paste(image=data, paste=above, blend_mode="multiply", opacity=0.6),
            lambda: Image.blend(image, ImageChops.multiply(image, other), 0.6),
            "Pillow",
        ),
        "Paste soft light": Case(
            Paste(image=data, paste=above, blend_mode="soft_light"),
            lambda: soft_light(of.pixels, np.asarray(other)),
            "NumPy",
        ),
        "Paste mask": Case(
            Paste(image=data, paste=above, mask=mask),
            lambda: Image.composite(other, image, grey),
            "Pillow",
        ),
        "CombineImageGrid": Case(
            CombineImageGrid(tiles=[data, above], layout="column"),
            lambda: stacked(Image.new("RGB", column), image, other),
            "Pillow",
        ),
    }


def _filters(of: Sources) -> dict[str, Case]:
    image, pixels, data = of.image, of.pixels, of.data
    blocks = (image.width // 16, image.height // 16)
    return {
        "Blur": Case(
            Blur(image=data, radius=4),
            lambda: image.filter(ImageFilter.GaussianBlur(4)),
            "Pillow",
            lambda: cv2.GaussianBlur(pixels, (0, 0), 4),
        ),
        "UnsharpMask": Case(
            UnsharpMask(image=data),
            lambda: image.filter(ImageFilter.UnsharpMask(2, 150, 3)),
            "Pillow",
        ),
        "Pixelate": Case(
            Pixelate(image=data, size=16),
            lambda: image.resize(blocks, Image.Resampling.BOX).resize(
                image.size, Image.Resampling.NEAREST
            ),
            "Pillow",
        ),
        "AdaptiveThreshold": Case(
            AdaptiveThreshold(image=data, method="mean"),
            lambda: ImageChops.subtract(of.grey, of.grey.filter(ImageFilter.BoxBlur(15))),
            "Pillow",
            lambda: cv2.adaptiveThreshold(
                of.tones, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 31, 8
            ),
        ),
    }


def _colours(of: Sources) -> dict[str, Case]:
    image, pixels, data = of.image, of.pixels, of.data
    matrix = (0.4, 0.4, 0.2, 0, 0.3, 0.4, 0.3, 0, 0.2, 0.3, 0.5, 0)
    rows = [list(matrix[start : start + 4]) for start in (0, 4, 8)]
    return {
        "Brightness": Case(
            Brightness(image=data, factor=1.2),
            lambda: ImageEnhance.Brightness(image).enhance(1.2),
            "Pillow",
        ),
        "Contrast": Case(
            Contrast(image=data, factor=1.2),
            lambda: ImageEnhance.Contrast(image).enhance(1.2),
            "Pillow",
        ),
        "AutoContrast": Case(
            AutoContrast(image=data, cutoff=1),
            lambda: ImageOps.autocontrast(image, 1),
            "Pillow",
        ),
        "ConvertToGrayscale": Case(
            ConvertToGrayscale(image=data), lambda: image.convert("L"), "Pillow"
        ),
        "Invert": Case(Invert(image=data), lambda: ImageOps.invert(image), "Pillow"),
        "Curves": Case(
            Curves(image=data, midtones=0.1), lambda: image.point(_CURVE.tolist() * 3), "Pillow"
        ),
        "Levels": Case(
            Levels(image=data, black=10, white=240),
            lambda: image.point(_LEVELS * 3),
            "Pillow",
        ),
        "Exposure": Case(
            Exposure(image=data, exposure=0.5),
            lambda: tones(light(pixels) * np.float32(2**0.5)),
            "NumPy",
        ),
        "WhiteBalance": Case(
            WhiteBalance(image=data, temperature=5000),
            lambda: tones(light(pixels) @ np.array(_WARM, np.float32)),
            "NumPy",
        ),
        "SaturationVibrance": Case(
            SaturationVibrance(image=data, saturation=0.3),
            lambda: ImageEnhance.Color(image).enhance(1.3),
            "Pillow",
        ),
        "ChannelMixer": Case(
            ChannelMixer(image=data, red=rows[0], green=rows[1], blue=rows[2]),
            lambda: image.convert("RGB", matrix),
            "Pillow",
        ),
        "GradientMap": Case(
            GradientMap(image=data),
            lambda: ImageOps.colorize(image.convert("L"), "#001030", "#ffe0a0"),
            "Pillow",
        ),
    }


def _masks(of: Sources) -> dict[str, Case]:
    image, grey, tones, mask = of.image, of.grey, of.tones, of.mask
    return {
        "Mask Grow 16": Case(
            Grow(mask=mask, pixels=16),
            lambda: greatest(greatest(tones, 16, 0), 16, 1),
            "NumPy",
            lambda: cv2.dilate(tones, np.ones((33, 33), np.uint8)),
        ),
        "Mask Feather 8": Case(
            Feather(mask=mask, radius=8),
            lambda: grey.filter(ImageFilter.GaussianBlur(8)),
            "Pillow",
        ),
        "ApplyMask": Case(
            ApplyMask(image=of.data, mask=mask), lambda: with_alpha(image, grey), "Pillow"
        ),
        "ChromaKey": Case(ChromaKey(image=of.data), lambda: keyed(of.pixels), "NumPy"),
    }


def _drawn(of: Sources) -> dict[str, Case]:
    image, data = of.image, of.data
    return {
        "Gradient": Case(
            Gradient(width=image.width, height=image.height, angle=30.0),
            lambda: gradient(image.size),
            "NumPy",
        ),
        "DrawShape ellipse": Case(
            DrawShape(
                image=data,
                shape="ellipse",
                left=0.0,
                top=0.0,
                right=float(image.width),
                bottom=float(image.height),
                line_width=40.0,
            ),
            lambda: ellipse(image),
            "Pillow, rough edge",
        ),
        "RenderText": Case(
            RenderText(image=data, text="A caption", size=200, anchor="center", outline=6),
            lambda: caption(image),
            "Pillow",
        ),
        "Watermark tiled": Case(
            Watermark(image=data, layout="tiled", angle=-30.0),
            lambda: caption(image),
            "Pillow, one text",
        ),
    }
