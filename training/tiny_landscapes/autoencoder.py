"""The autoencoder: 128x128 images to 32x32 latents of four channels, and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray

from training.tiny_landscapes.parallel import Clock, Worker

#: An ``AutoencoderTiny``; diffusers declares neither its parts nor its methods.
Codec: TypeAlias = Any


def build(width: int = 32) -> Codec:
    """
    Return an untrained autoencoder.

    Most of its blocks work at a half and a quarter of the resolution.
    """
    return AutoencoderTiny(
        encoder_block_out_channels=(width,) * 3,
        decoder_block_out_channels=(width,) * 3,
        num_encoder_blocks=(0, 1, 3),
        num_decoder_blocks=(3, 2, 1),
        latent_channels=4,
        act_fn="silu",
    )


def as_tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    """Turn bytes (batch, rows, columns, RGB) into floats in -1..1 (batch, RGB, rows, columns)."""
    return (
        torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    )


def psnr(model: Codec, images: NDArray[np.uint8]) -> float:
    """Return the mean peak signal-to-noise ratio of the round trip in dB."""
    values: list[float] = []
    with torch.no_grad():
        for start in range(0, len(images), 16):
            x = as_tensor(images[start : start + 16])
            y = model.decoder(model.encoder(x)).clamp(-1, 1)
            mse = ((x - y) / 2).square().mean(dim=(1, 2, 3))
            values += (-10 * torch.log10(mse)).tolist()
    return float(np.mean(values))


def _loss(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Pixels, edges, and a pull of every latent channel to mean 0 and deviation 1."""
    error = y - x
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    mean, deviation = z.mean(dim=(0, 2, 3)), z.std(dim=(0, 2, 3))
    pull = mean.square().mean() + (deviation - 1).square().mean()
    return 4 * error.square().mean() + 0.5 * error.abs().mean() + 0.25 * edges + 0.02 * pull


@dataclass(frozen=True, slots=True)
class Training:
    """
    A picklable training run over a stored array of images (places, variants, rows, columns, RGB).
    """

    images: tuple[str, ...]
    out: str
    seconds: float
    batch: int = 16
    crop: int = 64
    rate: float = 2e-3
    latent_noise: float = 0.04
    width: int = 32
    half: bool = True
    held_out: int = 24

    def __call__(self, worker: Worker) -> None:
        """Train until the time is up; the first process keeps the averaged weights in ``out``."""
        torch.manual_seed(0)
        model = build(self.width).to(memory_format=torch.channels_last)
        average = build(self.width)
        average.load_state_dict(model.state_dict())
        stores = [np.load(path, mmap_mode="r") for path in self.images]
        test = np.concatenate([store[-self.held_out :, 0] for store in stores])
        rng = np.random.default_rng(100 + worker.rank)
        torch.manual_seed(100 + worker.rank)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=self.rate, betas=(0.9, 0.98), weight_decay=1e-3
        )
        clock, step, report = Clock(self.seconds, self.rate), 0, 0.0
        while (share := worker.agree(clock.share())) < 1:
            for group in optimizer.param_groups:
                group["lr"] = clock.rate(share)
            x = self._batch(stores, rng).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
                z = model.encoder(x).float()
                y = model.decoder(z + self.latent_noise * torch.randn_like(z)).float()
            loss = _loss(x, y, z)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            worker.average(model.parameters())
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            keep = min(0.998, step / (step + 20))
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                    slow.lerp_(fast, 1 - keep)
            if worker.leads and (share >= report or step == 20):
                report += 0.05
                quality = f"psnr {psnr(average, test):.2f} z std {float(z.detach().std()):.2f}"
                print(
                    f"autoencoder {share:4.0%} step {step} loss {float(loss.detach()):.4f}"
                    f" {quality}",
                    flush=True,
                )
                average.save_pretrained(self.out)
        if worker.leads:
            average.save_pretrained(self.out)
            print(
                f"autoencoder done: {step} steps of {self.batch * worker.world}, psnr"
                f" {psnr(average, test):.2f}",
                flush=True,
            )

    def _batch(self, stores: list[NDArray[np.uint8]], rng: np.random.Generator) -> torch.Tensor:
        crops = []
        for _ in range(self.batch):
            store = stores[rng.integers(len(stores))]
            place, variant = rng.integers(len(store) - self.held_out), rng.integers(store.shape[1])
            top, left = rng.integers(0, store.shape[2] - self.crop + 1, 2)
            crop = store[place, variant, top : top + self.crop, left : left + self.crop]
            crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        return as_tensor(np.stack(crops))


def scaled(model: Codec, factor: float) -> Codec:
    """Return the same weights with the factor that brings its latents to unit deviation."""
    model.register_to_config(scaling_factor=factor)
    model.scaling_factor = factor
    return model


def load(path: str | Path) -> Codec:
    """Load stored weights, ready to encode and decode."""
    return AutoencoderTiny.from_pretrained(path).eval()


def latents(model: Codec, images: NDArray[np.uint8], half: bool = True) -> torch.Tensor:
    """Unscaled latents of a batch of images."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        x = as_tensor(images).contiguous(memory_format=torch.channels_last)
        return model.encoder(x).float()


__all__ = ["Training", "as_tensor", "build", "latents", "load", "psnr", "scaled"]
