"""
Measures what graphs/photo_mood.json makes of photographs, and what TransferLight costs.

    python bench/photo_mood.py

The photographs are those that scikit-image and scikit-learn carry (the extra `bench`). Each is
relit under four prompts. Measured are:

- detail: the correlation of the lightness's gradients before and after;
- halos: how differently a flat part changes close to a strong edge and further away from it on the
  same side, in hundredths of the lightness, beside how much flat parts change at all;
- nights: the mean lightness, 0 to 100;
- cost: seconds and memory from the file of a photograph to its relit pixels, in a process of its
  own; the model's share is left out. Memory is the growth of the resident set, in copies of the
  image (3 bytes a pixel; Pillow itself keeps 4).

`bench/embedded_model.py` prints the same, and what the judge says of relit scenes.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nodes._oklab import to_oklab  # noqa: E402
from nodes.lib.pillow.compare import TransferLight  # noqa: E402
from nodes.nodetool.output import Output  # noqa: E402
from nodetool_core import ImageData, ImageRef, Workflow  # noqa: E402

SAMPLES: Final = {
    "skimage": ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"),
    "sklearn": ("china.jpg", "flower.jpg"),
}
FOLDERS: Final = {"skimage": "data", "sklearn": "datasets/images"}
PROMPTS: Final = {
    "sunset": "A beautiful landscape at sunset",
    "night": "a snowy winter night",
    "dawn": "a spring landscape at dawn",
    "noon": "a winter landscape at noon",
}
MEGAPIXELS: Final = (1, 4, 12, 48)
NEAR: Final = 4
"""Pixels from an edge to where a halo would be."""
AWAY: Final = 16
"""Pixels from an edge to where there would be none."""

Rows = list[tuple[str, str]]
Pixels = NDArray[np.uint8]


def photographs() -> Iterator[Image.Image]:
    """Yield the photographs that installed packages carry."""
    for package, names in SAMPLES.items():
        found = find_spec(package)
        if found is None or found.origin is None:
            print(f"{package} is not installed: pip install '.[bench]' brings its photographs.")
            continue
        for name in names:
            with Image.open(Path(found.origin).parent / FOLDERS[package] / name) as image:
                yield image.convert("RGB")


def lightness(pixels: Pixels) -> NDArray[np.float64]:
    """Return the lightness of Oklab, 0 to 1."""
    return to_oklab(pixels)[0].astype(np.float64)


def detail(before: Pixels, after: Pixels) -> float:
    """Return the correlation of the gradients of lightness."""
    one, other = (np.stack(np.gradient(lightness(pixels))) for pixels in (before, after))
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def halos(before: Pixels, after: Pixels) -> tuple[float, float]:
    """
    Return how unevenly flat parts beside strong edges change, and how much they change.

    Both are means, in hundredths of the lightness; NaN where there are no such edges.
    """
    uneven, changes = [], []
    for axis in (0, 1):
        light, new = (np.moveaxis(lightness(pixels), axis, 0) for pixels in (before, after))
        change = new - light
        for side in (1, -1):
            turned, moved = light[::side], change[::side]
            last = len(turned) - AWAY - NEAR
            edge = np.abs(turned[NEAR : last + NEAR] - turned[:last]) > 0.25
            beside, away = turned[NEAR : last + NEAR], turned[AWAY + NEAR :][:last]
            between = turned[AWAY // 2 + NEAR :][:last]
            flat = (np.abs(beside - away) < 0.03) & (np.abs(beside - between) < 0.03)
            found = edge & flat
            uneven.append(np.abs(moved[NEAR : last + NEAR] - moved[AWAY + NEAR :][:last])[found])
            changes.append(np.abs(moved[NEAR : last + NEAR])[found])
    return 100 * float(np.concatenate(uneven).mean()), 100 * float(np.concatenate(changes).mean())


def carried(photo: Image.Image | Path, result: Image.Image) -> Image.Image:
    """Return a photograph, in memory or in a file, in the light of a small result."""
    source = ImageRef(uri=str(photo)) if isinstance(photo, Path) else ImageData.of(photo)
    node = TransferLight(image=source, changed=ImageData.of(result))
    made: Image.Image = Workflow(Output(name="image", value=node.output)).run()["image"].image
    return made


def on_photographs() -> Rows:
    """Return detail, halos and nights of the photographs under each prompt."""
    workflow = Workflow.load(ROOT / "graphs" / "photo_mood.json")
    photos = list(photographs())
    rows: Rows = []
    for name, prompt in PROMPTS.items():
        kept, uneven, change, light, was = [], [], [], [], []
        for photo in photos:
            made = workflow.run(image=ImageData.of(photo), prompt=prompt)["image"].image
            before, after = np.asarray(photo), np.asarray(made)
            kept.append(detail(before, after))
            halo, whole = halos(before, after)
            uneven.append(halo)
            change.append(whole)
            light.append(100 * lightness(after).mean())
            was.append(100 * lightness(before).mean())
        if kept:
            rows += [
                (
                    f"{name}: gradients kept, mean and worst",
                    f"{np.mean(kept):.3f}, {min(kept):.3f}",
                ),
                (
                    f"{name}: halo beside edges, of a change of",
                    f"{np.nanmean(uneven):.1f}, {np.nanmean(change):.1f}",
                ),
                (
                    f"{name}: lightness before and after",
                    f"{np.mean(was):.0f}, {np.mean(light):.0f}",
                ),
            ]
    return rows


def _cost(megapixels: int, folder: Path, connection: Connection) -> None:
    """Send seconds, seconds of the processor, and memory in copies of the image."""
    width = round((megapixels * 1e6 * 3 / 2) ** 0.5)
    height = width * 2 // 3
    small = Image.fromarray(
        np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8), "RGB"
    )
    carried(small, small.resize((48, 32)))
    done, peak, before = threading.Event(), [0], _resident()
    watch = threading.Thread(target=_watch, args=(done, peak))
    watch.start()
    start = time.perf_counter(), time.process_time()
    carried(folder / f"{megapixels}.jpg", small)
    seconds, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    done.set()
    watch.join()
    connection.send((seconds, processor, (peak[0] - before) / (width * height * 3)))


def _watch(done: threading.Event, peak: list[int]) -> None:
    """Keep the most memory in use, looked at every millisecond; a child inherits `ru_maxrss`."""
    while not done.wait(0.001):
        peak[0] = max(peak[0], _resident())


def _save(megapixels: int, path: Path) -> None:
    """Write a photograph of that many pixels."""
    width = round((megapixels * 1e6 * 3 / 2) ** 0.5)
    with Image.open(ROOT / "graphs" / "assets" / "valley.jpg") as photo:
        photo.resize((width, width * 2 // 3), Image.Resampling.BICUBIC).save(path)


def _resident() -> int:
    """Return the bytes of this process in memory, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def costs() -> Rows:
    """Return seconds and memory of TransferLight alone, by the size of the photograph."""
    rows: Rows = []
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as name:
        for megapixels in MEGAPIXELS:
            _save(megapixels, Path(name) / f"{megapixels}.jpg")
            here, there = context.Pipe()
            process = context.Process(target=_cost, args=(megapixels, Path(name), there))
            process.start()
            seconds, processor, copies = here.recv()
            process.join()
            value = f"{seconds:.1f} s ({processor:.1f} s of the processor), {copies:.1f} copies"
            rows.append((f"a file of {megapixels} megapixels", value))
    return rows


def main() -> None:
    """Print the table."""
    for name, value in [*on_photographs(), *costs()]:
        print(f"{name:<52} {value}")


if __name__ == "__main__":
    main()
