"""
What image nodes cost beside Pillow, NumPy and OpenCV: processor time, and memory in images.

    python bench/image_nodes.py [--megapixels 12,48] [--rounds 5] [--only Resize,Paste]

Each node is called as the engine calls it, on an image in memory; what stands beside it is called
on the same pixels (`image_node_cases.py`). They run by turns, and the median of the processor times
is given: by the clock, other programs of the machine would count. Memory is the peak over what was
held before, as the process's resident memory shows it, in images of the input's size (3 bytes a
pixel). The twenty that are used most are held to 1.2 times Pillow or NumPy, and 3 images.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from image_node_cases import MOST_USED, Case, Work, cases
from PIL import Image

from nodetool_core import Context
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.context import Reporter

MOST_TIME: Final = 1.2
"""Times of Pillow or NumPy that one of the twenty may take."""
MOST_IMAGES: Final = 3.0
_PERIOD: Final = 0.002
"""Seconds between two looks at the memory."""


def photo(megapixels: float) -> Image.Image:
    """Return an image of 3:2 with smooth and fine detail."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    small = np.random.default_rng(0).integers(0, 256, (height // 8, height * 3 // 16, 3), np.uint8)
    return Image.fromarray(small).resize((height * 3 // 2, height), Image.Resampling.BICUBIC)


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


def seconds_of(works: list[Work], rounds: int) -> list[float]:
    """Return the median processor time of each, in seconds; they run by turns."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, taken in zip(works, seconds, strict=True):
            started = time.process_time()
            result = work()
            taken.append(time.process_time() - started)
            del result
    return [statistics.median(taken) for taken in seconds]


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


def as_image(work: Work) -> Image.Image:
    """Return what something gives, as an image of Pillow."""
    made = work()
    return made if isinstance(made, Image.Image) else Image.fromarray(np.asarray(made))


def row(title: str, case: Case, image_bytes: int, rounds: int) -> str:
    """Return a line of the table: what was measured, and whether the aims are met."""
    process = partial(lambda node: node.process(context()), case.node)
    # First, because memory that was freed is taken again unseen.
    images = peak_of(process) / image_bytes
    works = [process, partial(as_image, case.beside), *([case.opencv] if case.opencv else [])]
    ours, beside, *opencv = seconds_of(works, rounds)
    ratio = ours / beside
    verdict = ""
    if title in MOST_USED:
        verdict = "met" if ratio <= MOST_TIME and images <= MOST_IMAGES else "missed"
    third = f"{ours / opencv[0]:.2f}" if opencv else ""
    return (
        f"| {title} | {ours:.3f} | {images:.1f} | {case.library} | {beside:.3f} | {ratio:.2f} |"
        f" {third} | {verdict} |"
    )


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--megapixels", default="12,48")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="beginnings of titles, with commas")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for megapixels in map(float, options.megapixels.split(",")):
        image = photo(megapixels)
        load = os.getloadavg()[0]
        print(f"\n{image.width} x {image.height} pixels, one thread, load {load:.1f}\n")
        print("| node | s | images | beside it | s | ratio | to OpenCV | aim |")
        print("|---|---:|---:|---|---:|---:|---:|---|")
        for title, case in cases(image).items():
            if not options.only or title.startswith(tuple(options.only.split(","))):
                size = image.width * image.height * 3
                print(row(title, case, size, options.rounds), flush=True)


if __name__ == "__main__":
    main()
