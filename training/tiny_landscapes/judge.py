"""
A judge of results: which hour, which season, and what is where.

A small network trained on renders of its own. So that images from the model do not fool it, it also
sees renders that went through the autoencoder with noise on the latents, blurred ones, and ones
with shifted brightness and colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.tiny_landscapes import autoencoder, geometry, render, scenes

CLASSES: Final = len(render.LABELS)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
    )


class Judge(nn.Module):
    """
    Three scales down; two heads for hour and season, and one back up for the labels of the pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(3, 16, 2)
        self.quarter = nn.Sequential(_conv(16, 32, 2), _conv(32, 32))
        self.eighth = nn.Sequential(_conv(32, 48, 2), _conv(48, 48))
        self.up_quarter = _conv(48 + 32, 32)
        self.up_half = _conv(32 + 16, 24)
        self.labels = nn.Conv2d(24, CLASSES, 1)
        self.time = nn.Linear(48 * 16, len(scenes.TIMES))
        self.season = nn.Linear(48 * 16, len(scenes.SEASONS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of hour, season and pixel labels for images in -1..1."""
        half = self.stem(x)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        whole = functional.adaptive_avg_pool2d(eighth, 4).flatten(1)
        up = self.up_quarter(
            torch.cat([functional.interpolate(eighth, scale_factor=2.0), quarter], dim=1)
        )
        up = self.up_half(torch.cat([functional.interpolate(up, scale_factor=2.0), half], dim=1))
        labels = functional.interpolate(
            self.labels(up), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return self.time(whole), self.season(whole), labels


@dataclass(frozen=True, slots=True)
class Verdict:
    """Indices into ``TIMES``, ``SEASONS`` and, per pixel, ``LABELS``."""

    time: NDArray[np.int64]
    season: NDArray[np.int64]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pool:
    """Rendered scenes with their truth."""

    images: NDArray[np.uint8]
    time: NDArray[np.int64]
    season: NDArray[np.int64]
    labels: NDArray[np.int64]


def pool(first_seed: int, count: int) -> Pool:
    """Render the images of ``count`` seeds."""
    images, labels, times, seasons = [], [], [], []
    for seed in range(first_seed, first_seed + count):
        scene = scenes.sample(seed)
        pixels, kinds = render.paint(scene)
        images.append(np.rint(pixels * 255).astype(np.uint8))
        labels.append(kinds)
        times.append(scenes.TIMES.index(scene.time))
        seasons.append(scenes.SEASONS.index(scene.season))
    return Pool(
        np.stack(images), np.array(times), np.array(seasons), np.stack(labels).astype(np.int64)
    )


def _worn(codec: autoencoder.Codec, images: Tensor, generator: torch.Generator) -> Tensor:
    """Return the images through the autoencoder, with the noise that a denoiser may leave."""
    rows = []
    with torch.no_grad():
        for x in images.split(16):
            z = codec.encoder(x)
            level = 0.4 * torch.rand((len(z), 1, 1, 1), generator=generator)
            rows.append(
                codec.decoder(z + level * torch.randn(z.shape, generator=generator)).clamp(-1, 1)
            )
    return torch.cat(rows)


def _jitter(x: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and colour a little off; every fourth image blurred."""
    tint = 1 + 0.10 * (2 * torch.rand((len(x), 3, 1, 1), generator=generator) - 1)
    lift = 0.08 * (2 * torch.rand((len(x), 1, 1, 1), generator=generator) - 1)
    gain = 1 + 0.15 * (2 * torch.rand((len(x), 1, 1, 1), generator=generator) - 1)
    y = ((x + 1) * tint * gain - 1 + lift).clamp(-1, 1)
    blurred = functional.avg_pool2d(functional.pad(y, (1, 1, 1, 1), mode="replicate"), 3, 1)
    chosen = torch.rand((len(x), 1, 1, 1), generator=generator) < 0.25
    return torch.where(chosen, blurred, y)


def train(
    codec: autoencoder.Codec, first_seed: int, count: int = 1600, steps: int = 700, batch: int = 16
) -> Judge:
    """
    Return a judge trained on ``count`` renders, half of them worn by the autoencoder.

    One to two minutes on a core.
    """
    generator = torch.Generator().manual_seed(5)
    torch.manual_seed(5)
    truth = pool(first_seed, count)
    x = autoencoder.as_tensor(truth.images)
    x[: count // 2] = _worn(codec, x[: count // 2], generator)
    time, season = torch.from_numpy(truth.time), torch.from_numpy(truth.season)
    labels = torch.from_numpy(truth.labels)
    judge = Judge().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(count, (batch,), generator=generator)
        seen, where = _jitter(x[rows], generator), labels[rows]
        if torch.rand((), generator=generator) < 0.5:
            seen, where = seen.flip(-1), where.flip(-1)
        told = judge(seen.contiguous(memory_format=torch.channels_last))
        loss = (
            functional.cross_entropy(told[0], time[rows])
            + functional.cross_entropy(told[1], season[rows])
            + functional.cross_entropy(told[2], where)
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return judge.eval()


def verdict(judge: Judge, images: NDArray[np.uint8]) -> Verdict:
    """Return what the judge sees in a batch of images."""
    times, seasons, labels = [], [], []
    with torch.no_grad():
        for x in autoencoder.as_tensor(images).split(32):
            t, s, kinds = judge(x)
            times.append(t.argmax(1))
            seasons.append(s.argmax(1))
            labels.append(kinds.argmax(1))
    return Verdict(torch.cat(times).numpy(), torch.cat(seasons).numpy(), torch.cat(labels).numpy())


def ridge(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Per column, the first row from the top that is neither sky nor sun nor moon."""
    land = ~np.isin(labels, [render.LABELS.index("sky"), render.LABELS.index("orb")])
    first = land.argmax(axis=-2)
    return np.where(land.any(axis=-2), first, geometry.SIZE)


def places(
    before: NDArray[np.int64], after: NDArray[np.int64], label: str
) -> tuple[float, float] | None:
    """
    Overlap (intersection over union) and shift of the centre in pixels.

    None where the source lacks it.
    """
    old, new = before == render.LABELS.index(label), after == render.LABELS.index(label)
    if old.sum() < 0.02 * old.size:
        return None
    overlap = float((old & new).sum() / (old | new).sum())
    if not new.any():
        return overlap, float(geometry.SIZE)
    shift = np.argwhere(old).mean(axis=0) - np.argwhere(new).mean(axis=0)
    return overlap, float(np.hypot(*shift))
