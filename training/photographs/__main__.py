"""
Compute the images: the valley takes five minutes of a core, the bottle half a minute.

    python -m training.photographs valley graphs/assets/valley.jpg
    python -m training.photographs bottle graphs/assets/bottle.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from training.photographs import bottle, valley
from training.photographs.film import developed, shrunk
from training.photographs.noise import Array

FINER = 2
"""Samples along each side of a pixel."""


def save(tones: Array, path: Path) -> None:
    """Write an image of tones from 0 to 1."""
    Image.fromarray(np.rint(tones * 255).astype(np.uint8)).save(path, quality=90)


def main() -> None:
    """Render, develop and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", choices=["valley", "bottle"])
    parser.add_argument("out", type=Path, help="The bottle's mask is written beside it.")
    options = parser.parse_args()
    if options.image == "valley":
        light, exposure = valley.render(1536 * FINER, 1024 * FINER, 2000 * FINER), 0.97
    else:
        (light, cover), exposure = bottle.render(1024 * FINER), 0.8
        save(shrunk(cover, FINER), options.out.with_name(f"{options.out.stem}_mask.png"))
    # Bounded before samples are averaged, so that the edges of highlights are smooth.
    save(developed(shrunk(np.minimum(light, 4), FINER), exposure), options.out)


if __name__ == "__main__":
    main()
