"""
What the most used image nodes cost, beside Pillow, OpenCV and NumPy: time, and memory in images.

    python bench/image_nodes.py [--megapixels 12,48] [--rounds 3] [--only Resize,Paste]

Each node is called as the engine calls it, on an image in memory; what stands beside it is called
on the same pixels. Time is the median of the rounds. Memory is the peak over what was held before,
as the process's resident memory shows it, in images of the input's size (3 bytes a pixel).
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from nodes._fonts import SHIPPED
from nodes.lib.pillow.color_grading import Curves, Exposure, SaturationVibrance
from nodes.lib.pillow.draw import DrawShape, Gradient, RenderText, Watermark
from nodes.lib.pillow.enhance import AutoContrast, Brightness, Contrast, UnsharpMask
from nodes.lib.pillow.filter import Blur, ConvertToGrayscale, Invert
from nodes.lib.pillow.mask import ApplyMask, Feather, Grow
from nodes.nodetool.image import Crop, Flip, Offset, Pad, Paste, Resize, Rotate
from nodetool_core import Context, ImageData, Node
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.context import Reporter

Work = Callable[[], object]
Pixels = np.ndarray[Any, Any]

_PERIOD: Final = 0.002
"""Seconds between two looks at the memory."""


def photo(megapixels: float) -> Image.Image:
    """Return an image of 3:2 with smooth and fine detail."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    small = np.random.default_rng(0).integers(0, 256, (height // 8, height * 3 // 16, 3), np.uint8)
    return Image.fromarray(small).resize((height * 3 // 2, height), Image.Resampling.BICUBIC)


def cases(image: Image.Image) -> dict[str, tuple[Node, Work, str]]:
    """Return the node, what stands beside it, and what that is, by title."""
    data, pixels = ImageData.of(image), np.asarray(image)
    other = image.transpose(Image.Transpose.ROTATE_180)
    above, grey = ImageData.of(other), image.convert("L")
    mask = ImageData.of(grey)
    half = (image.width // 2, image.height // 2)
    size: dict[str, Any] = {"width": half[0], "height": half[1]}
    middle = (image.width / 2, image.height / 2)
    turn = cv2.getRotationMatrix2D(middle, -7, 1.0)

    def blended() -> Image.Image:
        return Image.blend(image, ImageChops.multiply(image, other), 0.6)

    def soft_light() -> Pixels:
        lower, upper = pixels.astype(np.float32) / 255, np.asarray(other, np.float32) / 255
        bright = np.where(lower <= 0.25, ((16 * lower - 12) * lower + 4) * lower, np.sqrt(lower))
        dark = lower - (1 - 2 * upper) * lower * (1 - lower)
        mixed = np.where(upper <= 0.5, dark, lower + (2 * upper - 1) * (bright - lower))
        return (mixed * 255 + 0.5).astype(np.uint8)

    return {
        "Resize lanczos": (
            Resize(image=data, **size),
            lambda: image.resize(half, Image.Resampling.LANCZOS),
            "Pillow",
        ),
        "Resize area": (
            Resize(image=data, **size, method="area"),
            lambda: cv2.resize(pixels, half, interpolation=cv2.INTER_AREA),
            "OpenCV",
        ),
        "Resize linear light": (
            Resize(image=data, **size, linear_light=True),
            lambda: _as_light(pixels, half),
            "NumPy + OpenCV",
        ),
        "Crop": (
            Crop(image=data, right=half[0], bottom=half[1]),
            lambda: image.crop((0, 0, *half)),
            "Pillow",
        ),
        "Flip": (Flip(image=data), lambda: ImageOps.mirror(image), "Pillow"),
        "Rotate 90": (
            Rotate(image=data, angle=90),
            lambda: image.transpose(Image.Transpose.ROTATE_270),
            "Pillow",
        ),
        "Rotate 7 crop": (
            Rotate(image=data, angle=7, canvas="crop"),
            lambda: cv2.warpAffine(pixels, turn, image.size, flags=cv2.INTER_CUBIC),
            "OpenCV",
        ),
        "Pad mirror": (
            Pad(image=data, left=64, right=64, top=64, bottom=64, fill="mirror"),
            lambda: cv2.copyMakeBorder(pixels, 64, 64, 64, 64, cv2.BORDER_REFLECT),
            "OpenCV",
        ),
        "Offset": (Offset(image=data), lambda: np.roll(pixels, half[::-1], (0, 1)), "NumPy"),
        "Paste multiply": (
            Paste(image=data, paste=above, blend_mode="multiply", opacity=0.6),
            blended,
            "Pillow",
        ),
        "Paste soft light": (
            Paste(image=data, paste=above, blend_mode="soft_light"),
            soft_light,
            "NumPy",
        ),
        "Paste mask": (
            Paste(image=data, paste=above, mask=mask),
            lambda: Image.composite(other, image, grey),
            "Pillow",
        ),
        "Blur": (
            Blur(image=data, radius=4),
            lambda: image.filter(ImageFilter.GaussianBlur(4)),
            "Pillow",
        ),
        "UnsharpMask": (
            UnsharpMask(image=data),
            lambda: image.filter(ImageFilter.UnsharpMask(2, 150, 3)),
            "Pillow",
        ),
        "Brightness": (
            Brightness(image=data, factor=1.2),
            lambda: ImageEnhance.Brightness(image).enhance(1.2),
            "Pillow",
        ),
        "Contrast": (
            Contrast(image=data, factor=1.2),
            lambda: ImageEnhance.Contrast(image).enhance(1.2),
            "Pillow",
        ),
        "AutoContrast": (
            AutoContrast(image=data, cutoff=1),
            lambda: ImageOps.autocontrast(image, 1),
            "Pillow",
        ),
        "ConvertToGrayscale": (
            ConvertToGrayscale(image=data),
            lambda: image.convert("L"),
            "Pillow",
        ),
        "Invert": (Invert(image=data), lambda: ImageOps.invert(image), "Pillow"),
        "Curves": (Curves(image=data, midtones=0.1), lambda: _curve(pixels), "NumPy"),
        "Exposure": (Exposure(image=data, exposure=0.5), lambda: _exposed(pixels), "NumPy"),
        "SaturationVibrance": (
            SaturationVibrance(image=data, saturation=0.3),
            lambda: ImageEnhance.Color(image).enhance(1.3),
            "Pillow",
        ),
        "Mask Grow 16": (
            Grow(mask=mask, pixels=16),
            lambda: cv2.dilate(np.asarray(grey), np.ones((33, 33), np.uint8)),
            "OpenCV",
        ),
        "Mask Feather 8": (
            Feather(mask=mask, radius=8),
            lambda: grey.filter(ImageFilter.GaussianBlur(8)),
            "Pillow",
        ),
        "Gradient": (
            Gradient(width=image.width, height=image.height, angle=30.0),
            lambda: _gradient(image.size),
            "NumPy",
        ),
        "DrawShape ellipse": (
            DrawShape(
                image=data,
                shape="ellipse",
                left=0.0,
                top=0.0,
                right=float(image.width),
                bottom=float(image.height),
                line_width=40.0,
            ),
            lambda: _ellipse(image),
            "Pillow, rough edge",
        ),
        "RenderText": (
            RenderText(image=data, text="A caption", size=200, anchor="center", outline=6),
            lambda: _caption(image),
            "Pillow",
        ),
        "Watermark tiled": (
            Watermark(image=data, layout="tiled", angle=-30.0),
            lambda: _caption(image),
            "Pillow, one text",
        ),
        "ApplyMask": (ApplyMask(image=data, mask=mask), lambda: _with_alpha(image, grey), "Pillow"),
    }


def _light(pixels: Pixels) -> Pixels:
    tones = pixels.astype(np.float32) / 255
    return np.where(tones <= 0.04045, tones / 12.92, ((tones + 0.055) / 1.055) ** 2.4)


def _tones(light: Pixels) -> Pixels:
    light = np.clip(light, 0, 1)
    bent = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (bent * 255 + 0.5).astype(np.uint8)


def _as_light(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return _tones(cv2.resize(_light(pixels), size, interpolation=cv2.INTER_AREA))


def _exposed(pixels: Pixels) -> Pixels:
    return _tones(_light(pixels) * np.float32(2**0.5))


def _curve(pixels: Pixels) -> Pixels:
    tones = np.arange(256) / 255
    table = np.clip((tones + 0.4 * tones * (1 - tones)) * 255 + 0.5, 0, 255).astype(np.uint8)
    return table[pixels]


def _gradient(size: tuple[int, int]) -> Pixels:
    x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    share = ((x * 0.866 + y * 0.5) / np.float32(size[0] * 0.866 + size[1] * 0.5))[..., None]
    first, last = np.array([15, 32, 39], np.float32), np.array([122, 184, 200], np.float32)
    return (first + (last - first) * share + np.float32(0.5)).astype(np.uint8)


def _ellipse(image: Image.Image) -> Image.Image:
    whole = image.copy()
    ImageDraw.Draw(whole).ellipse((0, 0, *whole.size), outline="#ff3b30", width=40)
    return whole


def _caption(image: Image.Image) -> Image.Image:
    whole = image.copy()
    font = ImageFont.truetype(SHIPPED, 200)
    place = (image.width / 2, image.height / 2)
    ImageDraw.Draw(whole).text(place, "A caption", "black", font, "mm", stroke_width=6)
    return whole


def _with_alpha(image: Image.Image, mask: Image.Image) -> Image.Image:
    whole = image.copy()
    whole.putalpha(mask)
    return whole


def context() -> Context:
    return Context(
        "bench",
        reporter=Reporter(),
        cancelled=threading.Event(),
        images=ImageLoader(Path()),
        models=None,  # type: ignore[arg-type]
    )


def resident() -> int:
    """Return the bytes of the process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def seconds_of(work: Work, rounds: int) -> float:
    """Return the median of the seconds."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
        del result
    return statistics.median(seconds)


def peak_of(work: Work) -> int:
    """
    Return the peak of the memory over what was held before, in bytes.

    The thread that looks takes turns with the work, so its time is not measured.
    """
    before, highest, done = resident(), resident(), threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(_PERIOD):
            highest = max(highest, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = work()
    highest = max(highest, resident())
    done.set()
    watcher.join()
    del result
    return highest - before


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--megapixels", default="12,48")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="beginnings of titles, with commas")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for megapixels in map(float, options.megapixels.split(",")):
        image = photo(megapixels)
        print(f"\n{image.width} x {image.height} pixels, one thread")
        print(f"{'node':22} {'s':>8} {'images':>7}   {'beside it':16} {'s':>8} {'ratio':>6}")
        for title, (node, beside, what) in cases(image).items():
            if options.only and not title.startswith(tuple(options.only.split(","))):
                continue
            process = partial(lambda node: node.process(context()), node)
            # First, because memory that was freed is taken again unseen.
            held = peak_of(process) / (image.width * image.height * 3)
            ours, theirs = seconds_of(process, options.rounds), seconds_of(beside, options.rounds)
            print(
                f"{title:22} {ours:8.3f} {held:7.1f}   {what:16} {theirs:8.3f} {ours / theirs:6.2f}"
            )


if __name__ == "__main__":
    main()
