"""What the image nodes do, in Pillow and NumPy: what `image_node_cases.py` puts beside them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodes._fonts import SHIPPED

Pixels = np.ndarray[Any, Any]


def light(pixels: Pixels) -> Pixels:
    tones = pixels.astype(np.float32) / 255
    return np.where(tones <= 0.04045, tones / 12.92, ((tones + 0.055) / 1.055) ** 2.4)


def tones(light: Pixels) -> Pixels:
    light = np.clip(light, 0, 1)
    bent = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (bent * 255 + 0.5).astype(np.uint8)


def as_light(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return tones(cv2.resize(light(pixels), size, interpolation=cv2.INTER_AREA))


def gradient(size: tuple[int, int]) -> Pixels:
    x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    share = ((x * 0.866 + y * 0.5) / np.float32(size[0] * 0.866 + size[1] * 0.5))[..., None]
    first, last = np.array([15, 32, 39], np.float32), np.array([122, 184, 200], np.float32)
    return (first + (last - first) * share + np.float32(0.5)).astype(np.uint8)


def ellipse(image: Image.Image) -> Image.Image:
    whole = image.copy()
    ImageDraw.Draw(whole).ellipse((0, 0, *whole.size), outline="#ff3b30", width=40)
    return whole


def caption(image: Image.Image) -> Image.Image:
    whole = image.copy()
    font = ImageFont.truetype(SHIPPED, 200)
    place = (image.width / 2, image.height / 2)
    ImageDraw.Draw(whole).text(place, "A caption", "black", font, "mm", stroke_width=6)
    return whole


def with_alpha(image: Image.Image, mask: Image.Image) -> Image.Image:
    whole = image.copy()
    whole.putalpha(mask)
    return whole


def pasted(canvas: Image.Image, image: Image.Image) -> Image.Image:
    canvas.paste(image, (64, 64))
    return canvas


def stacked(canvas: Image.Image, above: Image.Image, below: Image.Image) -> Image.Image:
    canvas.paste(above, (0, 0))
    canvas.paste(below, (0, above.height))
    return canvas


def to_quad(size: tuple[int, int], quad: list[list[float]]) -> list[float]:
    """Return the eight numbers that take an image's rectangle to corners, as Pillow wants them."""
    width, height = size
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(whole, np.array(quad, np.float32))
    return [float(number) for number in (matrix / matrix[2, 2]).ravel()[:8]]


def soft_light(below: Pixels, above: Pixels) -> Pixels:
    lower, upper = below.astype(np.float32) / 255, above.astype(np.float32) / 255
    bright = np.where(lower <= 0.25, ((16 * lower - 12) * lower + 4) * lower, np.sqrt(lower))
    dark = lower - (1 - 2 * upper) * lower * (1 - lower)
    mixed = np.where(upper <= 0.5, dark, lower + (2 * upper - 1) * (bright - lower))
    return (mixed * 255 + 0.5).astype(np.uint8)


def greatest(tones: Pixels, radius: int, axis: int) -> Pixels:
    """Return the greatest tone of each window along an axis, all windows one after the other."""
    room = [(radius, radius) if here == axis else (0, 0) for here in (0, 1)]
    padded = np.moveaxis(np.pad(tones, room), axis, 0)
    greatest = padded[: tones.shape[axis]].copy()
    for start in range(1, 2 * radius + 1):
        np.maximum(greatest, padded[start : start + tones.shape[axis]], out=greatest)
    return np.moveaxis(greatest, 0, axis)


def keyed(pixels: Pixels) -> Pixels:
    """Return how far each colour is from green, by Cb and Cr."""
    colours = pixels.astype(np.float32) / 255
    blue = colours @ np.array([-0.169, -0.331, 0.5], np.float32)
    red = colours @ np.array([0.5, -0.419, -0.081], np.float32)
    apart = np.hypot(blue + np.float32(0.331), red + np.float32(0.419))
    return (np.clip((apart - 0.12) / 0.08, 0, 1) * 255 + 0.5).astype(np.uint8)
