"""The denoiser: v-prediction with zero terminal SNR, taught to edit as well as to draw.

Drawing: x_t = a z + s e, the caption describes z, the target is v = (a x_t - z) / s.
Editing: x_t is made from another picture z' of the same place (another hour, season, clouds ...), as
image-to-image does when it starts from the user's picture: x_t = a (z + l (z' - z)) + s e with l in
[-0.5, 1]. The caption names at least every attribute in which z and z' differ, and the target is
still z: v = (a x_t - z) / s. So the model learns to take shapes from the noisy picture and colours from the
words, at every noise level of strengths above 0.4; below it keeps what it sees, so that low
strengths stay close to the source. l < 0 shows it overshot colours, which strong guidance makes, and asks
it to undo them. The empty prompt always asks for the picture that is there: under guidance the
difference of the two answers then vanishes as soon as the words are fulfilled.

Guiding: pipelines ask twice and combine, u + g (c - u), usually with g = 7.5, which burns out a small model
trained as usual. So not c but the combination at g = 5 is trained to be the answer, with u held fixed:
|u + 5 (c - u) - v|^2. At 7.5 the words then count one and a half times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from numpy.typing import NDArray
from transformers import CLIPTextModel, CLIPTokenizer

from training.tiny_landscapes import captions, scenes, text
from training.tiny_landscapes.parallel import Clock, Worker

STEPS = 1000
#: The guidance at which the two answers together are the plain conditional one; see above.
GUIDANCE = 5.0


def scheduler() -> DDIMScheduler:
    """The noise schedule in training and in the shipped pipeline: the signal falls about as 1 - (t / T)^6, to nothing at T.

    It is 0.95 at strength 0.6 and 0.74 at 0.8, far above the usual schedules: so small a network keeps the
    user's picture only where it still sees it.
    """
    time = np.arange(STEPS + 1) / STEPS
    cumulative = np.square(1 - 0.998 * time**6 - 0.002 * time)  # the straight part keeps the first betas above zero
    return DDIMScheduler(
        num_train_timesteps=STEPS,
        trained_betas=[float(f"{beta:.6g}") for beta in 1 - cumulative[1:] / cumulative[:-1]],
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def build(width: int = 128) -> UNet2DConditionModel:
    """An untrained denoiser for 32x32 latents; attention at a half and a quarter of that."""
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=width,
        norm_num_groups=16,
    )


@dataclass(frozen=True, slots=True)
class Places:
    """Latents of every variant of many places, with the scenes they show."""

    latents: NDArray[np.float16]
    first_seed: int

    def scenes(self, place: int) -> list[scenes.Scene]:
        """What the latents of a place show, one scene per variant."""
        return scenes.variants(scenes.sample(self.first_seed + place), self.latents.shape[1])


@dataclass(slots=True)
class Batch:
    """Targets, sources, what to say, and at which noise level."""

    target: torch.Tensor
    source: torch.Tensor
    mix: torch.Tensor
    tokens: torch.Tensor
    timestep: torch.Tensor
    edit: torch.Tensor
    silent: torch.Tensor


@dataclass(slots=True)
class Sampler:
    """Draws batches: a place, a target, sometimes another variant as the source, a caption, a noise level."""

    places: list[Places]
    words: CLIPTokenizer
    rng: np.random.Generator
    scale: float
    drop: float = 0.15
    edits: float = 0.75
    _cache: dict[tuple[int, int], list[scenes.Scene]] = field(default_factory=dict)

    def draw(self, count: int) -> Batch:
        """A batch; the noise levels are stratified, most of them where image-to-image works."""
        rng = self.rng
        even = (rng.random() + np.arange(count) / count) % 1
        steps = np.interp(even, (0, 0.1, 0.75, 1), (10, 300, 750, STEPS - 1e-3)).astype(int)
        targets, sources, mixes, lines, edits, silent = [], [], [], [], [], []
        for step in steps:
            shelf = int(rng.integers(len(self.places)))
            store = self.places[shelf]
            place = int(rng.integers(len(store.latents)))
            first, second = (int(i) for i in rng.permutation(store.latents.shape[1])[:2])
            ramp = float(np.clip((step - 300) / 200, 0, 1))
            dropped = rng.random() < self.drop
            edit = not dropped and rng.random() < self.edits * ramp * ramp * (3 - 2 * ramp)
            seen = self._scenes(shelf, place)
            require = seen[first].differs(seen[second]) if edit else ()
            lines.append("" if dropped else self._case(captions.caption(seen[first], rng, require)))
            targets.append(store.latents[place, first])
            sources.append(store.latents[place, second if edit else first])
            mixes.append(1.0 if rng.random() < 0.5 else rng.uniform(-0.5, 1))
            edits.append(edit)
            silent.append(dropped)
        return Batch(
            self._tensor(targets),
            self._tensor(sources),
            torch.tensor(mixes, dtype=torch.float32)[:, None, None, None],
            self.tokens(lines),
            torch.from_numpy(steps).long(),
            torch.tensor(edits)[:, None, None, None],
            torch.tensor(silent)[:, None, None, None],
        )

    def _scenes(self, shelf: int, place: int) -> list[scenes.Scene]:
        key = (shelf, place)
        if key not in self._cache:
            self._cache[key] = self.places[shelf].scenes(place)
        return self._cache[key]

    def _case(self, line: str) -> str:
        return line.capitalize() if self.rng.random() < 0.3 else line

    def _tensor(self, rows: list[NDArray[np.float16]]) -> torch.Tensor:
        return torch.from_numpy(np.stack(rows).astype(np.float32)) * self.scale

    def tokens(self, lines: list[str]) -> torch.Tensor:
        """The lines as the pipeline tokenizes them."""
        ids: torch.Tensor = self.words(lines, padding="max_length", max_length=text.LENGTH, truncation=True, return_tensors="pt").input_ids
        return ids


def loss(
    denoise: Callable[..., Any], quietly: Callable[..., Any], encoder: CLIPTextModel, empty: torch.Tensor, batch: Batch, half: bool
) -> torch.Tensor:
    """Squared error of the guided v; for edits weighted so that the high noise levels do not count for more.

    ``quietly`` is the same network called without gradients, ``empty`` the tokens of the empty prompt.
    """
    alphas = scheduler().alphas_cumprod[batch.timestep][:, None, None, None]
    signal, sigma = alphas.sqrt(), (1 - alphas).sqrt()
    start = batch.target + batch.mix * (batch.source - batch.target)
    noisy = (signal * start + sigma * torch.randn_like(start)).contiguous(memory_format=torch.channels_last)
    goal = (signal * noisy - batch.target) / sigma
    # No cache: autocast would keep the casts made without gradients and hand them to the pass that needs them.
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half, cache_enabled=False):
        nothing = encoder(empty)[0].expand(len(noisy), -1, -1)
        base = quietly(noisy, batch.timestep, nothing).sample.float()
    with torch.autocast("cpu", torch.bfloat16, enabled=half, cache_enabled=False):
        guess = denoise(noisy, batch.timestep, encoder(batch.tokens)[0]).sample.float()
    guided = torch.where(batch.silent, guess, base + GUIDANCE * (guess - base))
    weight = torch.where(batch.edit, sigma, torch.ones_like(sigma))
    weight = torch.where(batch.silent, weight, weight / GUIDANCE)
    return (weight * (guided - goal).square()).mean()


@dataclass(frozen=True, slots=True)
class Training:
    """A picklable training run over stored latents.

    ``encoder`` holds a text encoder that was taught before; ``warm`` is a checkpoint whose averaged weights to start from.
    """

    latents: tuple[str, ...]
    first_seeds: tuple[int, ...]
    scale: float
    out: str
    seconds: float
    encoder: str = ""
    warm: str = ""
    batch: int = 16
    rate: float = 1e-3
    half: bool = True
    compiled: bool = True
    ema: float = 0.999

    def __call__(self, worker: Worker) -> None:
        """Train until the time is up; the first process writes checkpoints with the averaged weights."""
        torch.manual_seed(0)
        words = text.tokenizer()
        models = torch.nn.ModuleDict({"unet": build(), "encoder": text.encoder(words)})
        unet, encoder = models["unet"], models["encoder"]
        assert isinstance(unet, UNet2DConditionModel) and isinstance(encoder, CLIPTextModel)
        unet.set_attn_processor(AttnProcessor())  # small heads: plain matrix products beat the fused kernel
        models.to(memory_format=torch.channels_last)
        denoise = torch.compile(unet) if self.compiled else unet
        parameters = list(models.parameters())
        groups = [{"params": list(unet.parameters()), "share": 1.0}, {"params": list(encoder.parameters()), "share": 0.3}]
        optimizer = torch.optim.AdamW(groups, lr=self.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        step = 0
        if self.warm:
            models.load_state_dict(torch.load(self.warm, weights_only=True)["average"])
        if self.encoder:
            encoder.load_state_dict(torch.load(self.encoder, weights_only=True))
        average = [p.detach().clone() for p in parameters]
        stores = [Places(np.load(path, mmap_mode="r"), seed) for path, seed in zip(self.latents, self.first_seeds, strict=True)]
        sampler = Sampler(stores, words, np.random.default_rng([worker.rank, step]), self.scale)
        torch.manual_seed(1000 + worker.rank + step)
        empty = sampler.tokens([""])
        clock, report, mean = Clock(self.seconds, self.rate), 0.0, 1.0
        while (share := worker.agree(clock.share())) < 1:
            for group in optimizer.param_groups:
                group["lr"] = clock.rate(share) * group["share"]
            error = loss(denoise, unet, encoder, empty, sampler.draw(self.batch), self.half)
            optimizer.zero_grad(set_to_none=True)
            error.backward()
            worker.average(parameters)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            step += 1
            keep = min(self.ema, step / (step + 20))
            torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - keep)
            mean += 0.01 * (float(error.detach()) - mean)
            if worker.leads and step % 50 == 0:
                print(f"diffusion {share:4.0%} step {step} samples {step * self.batch * worker.world} loss {mean:.4f}", flush=True)
            if worker.leads and share >= report:
                report += 0.04
                self._save(models, average, step)
        if worker.leads:
            self._save(models, average, step)
            print(f"diffusion done: {step} steps, {step * self.batch * worker.world} samples", flush=True)

    def _save(self, models: torch.nn.ModuleDict, average: list[torch.Tensor], step: int) -> None:
        names = [name for name, _ in models.named_parameters()]
        state: dict[str, Any] = {
            "average": dict(zip(names, average, strict=True)),
            "step": step,
        }
        half_written = Path(self.out).with_suffix(".part")
        torch.save(state, half_written)
        half_written.replace(self.out)
