r"""
``python -m training.tiny_upscaler --out FILE``.

Learn to enlarge landscapes four times, write the weights.

The network is the compact one of Real-ESRGAN (``SRVGGNetCompact``: convolutions at the small size,
then a pixel shuffle added to the nearest-neighbour image), 32 channels wide and 10 deep. It learns
from drawn landscapes whose small versions are made as users make them, with Pillow's resampling
filters, by the mean absolute difference.

Landscapes have few saturated colours, and a network that never saw a flat magenta paints a grid of
four pixels on it. So a share of the images is recoloured: channels change places, each gets a gamma
of its own, and some become a few flat colours, as logos and drawings have them.

The weights that ship were trained in two stages:

    python -m training.tiny_upscaler --out first.safetensors --steps 3000 --recoloured 0
    python -m training.tiny_upscaler --out model.safetensors --steps 3000 --rate 0.001 \
        --start first.safetensors
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from training.tiny_landscapes import geometry, render, scenes

FACTOR = 4
FILTERS = (
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
)


class Network(nn.Module):
    """
    Images (batch, RGB, rows, columns) in 0..1 to ones ``FACTOR`` times as large.

    Keys as SRVGGNetCompact has them.
    """

    def __init__(self, width: int = 32, depth: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * FACTOR**2, 3, padding=1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the enlarged images, not clipped."""
        plain = functional.interpolate(images, scale_factor=FACTOR, mode="nearest")
        return functional.pixel_shuffle(self.body(images), FACTOR) + plain


def draw(count: int, first_seed: int) -> NDArray[np.uint8]:
    """
    Render landscapes (count, rows, columns, RGB), one for each seed from ``first_seed`` on.

    Each has its own hour and season.
    """
    return np.stack([render.image(scenes.sample(first_seed + index)) for index in range(count)])


def shrunk(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image a quarter of the size, by one of Pillow's filters."""
    size = geometry.SIZE // FACTOR
    return np.asarray(
        Image.fromarray(image).resize((size, size), FILTERS[int(rng.integers(len(FILTERS)))])
    )


def recoloured(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image (rows, columns, RGB) in other colours."""
    if rng.random() < 0.25:
        # Tones become flat areas, of colours from anywhere in the cube or from its corners.
        edges = np.quantile(image.mean(axis=2), np.sort(rng.random(int(rng.integers(1, 5)))))
        areas = np.digitize(image.mean(axis=2), edges)
        colours = rng.integers(0, 256, (len(edges) + 1, 3))
        if rng.random() < 0.6:
            colours = np.where(colours < 128, 0, 255)
        return colours[areas].astype(np.uint8)
    tones = (image[..., rng.permutation(3)] / 255) ** np.exp2(rng.uniform(-1.6, 1.6, 3))
    grey = tones.mean(axis=2, keepdims=True)
    vivid = grey + (tones - grey) * rng.uniform(1, 2.5)
    return (np.clip(vivid, 0, 1) * 255 + 0.5).astype(np.uint8)


def _batch(
    images: NDArray[np.uint8], count: int, share: float, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Small images and large ones, turned and mirrored at random, a share of them recoloured."""
    large, small = [], []
    for index in rng.integers(len(images), size=count):
        image = np.rot90(images[index], k=int(rng.integers(4)))[
            :, :: 1 if rng.random() < 0.5 else -1
        ]
        if rng.random() < share:
            image = recoloured(image, rng)
        image = np.ascontiguousarray(image)
        large.append(image)
        small.append(shrunk(image, rng))
    as_tensor = [
        torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255
        for rows in (small, large)
    ]
    return as_tensor[0], as_tensor[1]


def train(
    images: NDArray[np.uint8],
    steps: int,
    start: Path | None = None,
    share: float = 0.4,
    batch: int = 12,
    rate: float = 1.5e-3,
) -> Network:
    """
    Train on the CPU and return the network.

    The rate falls by a cosine; the weights are averaged over the last steps.

    Args:
        start: Weights to go on from; from nothing if None.
        share: How many of the images are recoloured, 0 to 1.
    """
    torch.manual_seed(0)
    rng, network = np.random.default_rng(0), Network()
    if start is not None:
        network.load_state_dict({name: value.float() for name, value in load_file(start).items()})
    network.to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0)
    started = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = (
                rate
                * min(1, (step + 1) / 50)
                * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))
            )
        small, large = _batch(images, batch, share, rng)
        error = (network(small) - large).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        error.backward()
        optimizer.step()
        average.update_parameters(network)
        if step % 100 == 0:
            print(
                f"upscaler step {step}: mean difference {255 * float(error.detach()):.2f}/255,"
                f" {time.monotonic() - started:.0f} s",
                flush=True,
            )
    result: Network = average.module
    return result


def main() -> None:
    """Draw, train, write fp16 safetensors."""
    parser = argparse.ArgumentParser(prog="python -m training.tiny_upscaler", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument("--images", type=int, default=2500)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--recoloured", type=float, default=0.4, help="share of the images, 0 to 1")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = draw(options.images, 200_000)
    network = train(images, options.steps, options.start, options.recoloured, rate=options.rate)
    weights = {
        name: value.detach().half().contiguous() for name, value in network.state_dict().items()
    }
    save_file(
        weights,
        options.out,
        metadata={"format": "pt", "architecture": "SRVGGNetCompact", "scale": str(FACTOR)},
    )
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
