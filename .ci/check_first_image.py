"""
Whether the README's first command did what it says.

A new image, of the input's size and with its detail, that looks like an evening, in time.

    python .ci/check_first_image.py WALL_SECONDS USER_SECONDS SYSTEM_SECONDS NEW_FILE...

The command keeps one core busy from beginning to end. Where the clock shows much more than the
processor did, other programs had the core, and the clock says nothing about the command; so it is
held to the processor's seconds. Machines differ twofold from day to day: what is over the aim is
said, and what is over twice the aim has failed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageStat

BEFORE = Path("graphs/assets/valley.jpg")
LEAST_SIDE = 1200
LEAST_DETAIL = 0.9
AIM_SECONDS = 10.0


def warmth(image: Image.Image) -> float:
    """Return how much more red than blue there is, on average."""
    red, _, blue = ImageStat.Stat(image.convert("RGB")).mean
    return red - blue


def detail(before: Image.Image, after: Image.Image) -> float:
    """Return how the steps from pixel to pixel correlate, at most 1."""
    one, other = (
        np.stack(np.gradient(np.asarray(image.convert("L"), float))).ravel()
        for image in (before, after)
    )
    return float(np.corrcoef(one, other)[0, 1])


def main(wall: float, processor: float, written: list[Path]) -> None:
    if len(written) != 1:
        sys.exit(
            f"The first command should write one image; it wrote {[str(path) for path in written]}."
        )
    with Image.open(BEFORE) as before, Image.open(written[0]) as after:
        change = warmth(after) - warmth(before)
        kept = detail(before, after) if after.size == before.size else 0.0
        print(
            f"{written[0]}: {after.width} x {after.height} pixels, warmer by {change:.0f} of 255,"
            f" detail kept by {kept:.2f}"
        )
        print(
            f"{wall:.1f} s by the clock, {processor:.1f} s of processor time; the aim is"
            f" {AIM_SECONDS:.0f} s{', missed' if processor > AIM_SECONDS else ''}"
        )
        if after.size != before.size:
            sys.exit(f"It should have the size of {BEFORE}, {before.width} x {before.height}.")
        if max(after.size) < LEAST_SIDE:
            sys.exit(f"It should be at least {LEAST_SIDE} pixels wide or high.")
        if kept < LEAST_DETAIL:
            sys.exit(f"It should keep the photo's detail: the correlation is below {LEAST_DETAIL}.")
        if change < 20:
            sys.exit("It should be a sunset, which is redder and less blue than noon.")
    if processor > 2 * AIM_SECONDS:
        sys.exit("It takes too long.")


if __name__ == "__main__":
    wall_seconds, user, system = map(float, sys.argv[1:4])
    main(wall_seconds, user + system, [Path(name) for name in sys.argv[4:]])
