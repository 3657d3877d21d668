"""Training data on disk: images of many places in several variants, and their latents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.tiny_landscapes import autoencoder, geometry, render, scenes
from training.tiny_landscapes.parallel import Worker

#: Seeds of the training places lie below; benchmarks and examples take theirs from here on.
HELD_OUT = 50_000_000


def first_seed(shelf: int) -> int:
    """Return the seed of the first place of a shelf; each process renders one shelf."""
    return shelf * 100_000


def images_path(folder: str, shelf: int) -> str:
    """Return where a shelf's images lie."""
    return str(Path(folder) / f"images{shelf}.npy")


def latents_path(folder: str, shelf: int) -> str:
    """Return where a shelf's latents lie."""
    return str(Path(folder) / f"latents{shelf}.npy")


def grey_path(folder: str, shelf: int) -> str:
    """Return where the latents of a shelf's images without colour lie."""
    return str(Path(folder) / f"grey{shelf}.npy")


def colourless(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Images (..., RGB) with the luma of BT.601 in all three channels, as Pillow's mode L has it.
    """
    luma = np.rint(images @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=-1)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A picklable task: every process draws its shelf of places."""

    out: str
    places: int
    variants: int = 5

    def __call__(self, worker: Worker) -> None:
        """Draw the shelf into a memory-mapped array (places, variants, rows, columns, RGB)."""
        shape = (self.places, self.variants, geometry.SIZE, geometry.SIZE, 3)
        store = np.lib.format.open_memmap(
            images_path(self.out, worker.rank), mode="w+", dtype=np.uint8, shape=shape
        )
        for index in range(self.places):
            seed = first_seed(worker.rank) + index
            place = geometry.build(seed)
            for variant, scene in enumerate(scenes.variants(scenes.sample(seed), self.variants)):
                store[index, variant] = render.image(scene, place)
        store.flush()


@dataclass(frozen=True, slots=True)
class Encoding:
    """A picklable task: every process encodes its shelf."""

    out: str
    codec: str
    greys: int = 2000

    def __call__(self, worker: Worker) -> None:
        """Encode the shelf, and its first places once more without colour."""
        model = autoencoder.load(self.codec).to(memory_format=torch.channels_last)
        images: NDArray[np.uint8] = np.load(images_path(self.out, worker.rank), mmap_mode="r")
        _encode(model, images, latents_path(self.out, worker.rank))
        _encode(model, colourless(images[: self.greys]), grey_path(self.out, worker.rank))


def _encode(model: autoencoder.Codec, images: NDArray[np.uint8], path: str) -> None:
    """
    Encode images (places, variants, rows, columns, RGB) into a file.

    It holds an array (places, variants, channels, rows, columns).
    """
    count, variants = images.shape[:2]
    shape = (count, variants, 4, geometry.SIZE // 4, geometry.SIZE // 4)
    store = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    for start in range(0, count, 8):
        some = images[start : start + 8]
        coded = autoencoder.latents(model, some.reshape(-1, *some.shape[2:]))
        store[start : start + 8] = coded.reshape(-1, *shape[1:]).numpy()
    store.flush()


def scale(folder: str) -> float:
    """Return the factor that brings the latents of the first places to unit deviation."""
    store = np.load(latents_path(folder, 0), mmap_mode="r")
    return round(1 / float(store[:500].astype(np.float32).std()), 3)
