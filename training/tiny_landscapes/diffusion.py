"""
The denoiser: v-prediction with almost no signal at the last step, trained to draw and to edit.

Drawing: x_t = a z + s e, the caption describes z, the target is v = (a x_t - z) / s. Editing: x_t
is made from another image z' of the same place (another hour, season, clouds ...), as
image-to-image does when it starts from the user's image: x_t = a (z + l (z' - z)) + s e with l in
[-0.2, 1]. The caption names at least every attribute in which z and z' differ, and the target is
still z: v = (a x_t - z) / s. So the model learns to take shapes from the noisy image and colours
from the words, at every noise level of strengths above 0.4; below it keeps what it sees, so that
low strengths stay close to the source. Some z' are grey images, so it colours those as well. l < 0
shows it colours that overshot and asks it to undo them. The empty prompt always asks for the image
that is there.

Guiding: the network is told the guidance scale (``time_cond_proj_dim``, as distilled models are),
so a pipeline asks it once a step and not twice. At a scale g an edit goes min(1, (g - 1) / 4) of
the way from z' to z: at 1 the image stays, from 5 on the words are followed fully, and no scale
burns the colours out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from numpy.typing import NDArray
from transformers import CLIPTextModel, CLIPTokenizer

from training.tiny_landscapes import captions, scenes, text
from training.tiny_landscapes.parallel import Clock, Worker

STEPS = 1000
#: How many numbers tell the network the guidance scale.
SCALE_WIDTH = 32


def scheduler() -> DDPMScheduler:
    """
    Return the noise schedule in training and in the shipped pipeline.

    The signal falls about as 1 - (t / T)^6, to 0.005 at T.

    It is 0.95 at strength 0.6 and 0.74 at 0.8, far above the usual schedules: so small a network
    keeps the user's image only where it still sees it. The last step is next to nothing but not
    nothing, as schedulers that divide by the signal (Euler, DPM-Solver) would give black images.
    Ancestral steps, as DDPM takes them, put fresh noise over what is left of the source's colours;
    deterministic ones carry it along.
    """
    time = np.arange(STEPS + 1) / STEPS
    cumulative = np.square(
        1 - 0.993 * time**6 - 0.002 * time
    )  # the straight part keeps the first betas above zero
    return DDPMScheduler(
        num_train_timesteps=STEPS,
        trained_betas=[float(f"{beta:.6g}") for beta in 1 - cumulative[1:] / cumulative[:-1]],
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )


def build(width: int = 128) -> UNet2DConditionModel:
    """
    Return an untrained denoiser for 32x32 latents; attention at a half and a quarter of that.

    The words also reach every block as a whole, with the time: hour and season colour all of the
        image.
    """
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
        resnet_time_scale_shift="scale_shift",
        time_cond_proj_dim=SCALE_WIDTH,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def guidance_embedding(scale: torch.Tensor) -> torch.Tensor:
    """
    Return the embedding (count, SCALE_WIDTH) of guidance scales (count,).

    It equals that of StableDiffusionPipeline.get_guidance_scale_embedding.
    """
    frequencies = torch.exp(
        torch.arange(SCALE_WIDTH // 2) * -(math.log(10000.0) / (SCALE_WIDTH // 2 - 1))
    )
    angles = (scale - 1)[:, None] * 1000 * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


@dataclass(frozen=True, slots=True)
class Places:
    """Latents of every variant of many places, with the scenes they show."""

    latents: NDArray[np.float16]
    first_seed: int
    grey: NDArray[np.float16]
    """Latents of the same images without colour, of the first places."""

    def scenes(self, place: int) -> list[scenes.Scene]:
        """Return what the latents of a place show, one scene per variant."""
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
    guidance: torch.Tensor


@dataclass(slots=True)
class Sampler:
    """
    Draws batches: place, target, caption, noise level, and sometimes another source variant.

    ``share`` of the pairs of variants have one of ``seasons`` in one of the two, each as often as
    the next; the others any season.
    """

    places: list[Places]
    words: CLIPTokenizer
    rng: np.random.Generator
    scale: float
    seasons: tuple[str, ...] = ()
    share: float = 0.0
    drop: float = 0.1
    edits: float = 0.75
    greys: float = 0.1
    _cache: dict[tuple[int, int], list[scenes.Scene]] = field(default_factory=dict)

    def draw(self, count: int) -> Batch:
        """
        Return a batch; the noise levels are stratified, most of them where image-to-image works.
        """
        rng = self.rng
        even = (rng.random() + np.arange(count) / count) % 1
        steps = np.interp(even, (0, 0.1, 0.6, 1), (10, 300, 700, STEPS - 1e-3)).astype(int)
        targets, sources, mixes, lines, edits = [], [], [], [], []
        for step in steps:
            shelf = int(rng.integers(len(self.places)))
            store = self.places[shelf]
            colourless = rng.random() < self.greys
            place, first, second = self._pair(
                shelf, len(store.grey if colourless else store.latents)
            )
            ramp = float(np.clip((step - 300) / 200, 0, 1))
            dropped = rng.random() < self.drop
            edit = not dropped and rng.random() < self.edits * ramp * ramp * (3 - 2 * ramp)
            seen = self._scenes(shelf, place)
            source = first if colourless or not edit else second
            require = (
                {"time", "season"} if edit and colourless else seen[first].differs(seen[source])
            )
            lines.append("" if dropped else self._case(captions.caption(seen[first], rng, require)))
            targets.append(store.latents[place, first])
            sources.append((store.grey if edit and colourless else store.latents)[place, source])
            mixes.append(1.0 if rng.random() < 0.5 else rng.uniform(-0.2, 1))
            edits.append(edit)
        return Batch(
            self._tensor(targets),
            self._tensor(sources),
            torch.tensor(mixes, dtype=torch.float32)[:, None, None, None],
            self.tokens(lines),
            torch.from_numpy(steps).long(),
            torch.tensor(edits)[:, None, None, None],
            torch.from_numpy(
                np.where(
                    rng.random(count) < 0.2, rng.uniform(1, 5, count), rng.uniform(5, 15, count)
                )
            ).float(),
        )

    def _pair(self, shelf: int, count: int) -> tuple[int, int, int]:
        """Return one of the first ``count`` places, the variant to paint, and another one."""
        drawn = self.seasons and self.rng.random() < self.share
        wished = str(self.rng.choice(self.seasons)) if drawn else ""
        while True:
            place = int(self.rng.integers(count))
            variants = self._scenes(shelf, place)
            first, second = (int(i) for i in self.rng.permutation(len(variants))[:2])
            if not wished or wished in (variants[first].season, variants[second].season):
                return place, first, second

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
        """Return the lines as the pipeline tokenizes them."""
        ids: torch.Tensor = self.words(
            lines,
            padding="max_length",
            max_length=text.LENGTH,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return ids


def loss(
    denoise: Callable[..., Any], encoder: CLIPTextModel, batch: Batch, half: bool
) -> torch.Tensor:
    """Squared error of v; for edits weighted so that the low noise levels do not count for more."""
    alphas = scheduler().alphas_cumprod[batch.timestep][:, None, None, None]
    signal, sigma = alphas.sqrt(), (1 - alphas).sqrt()
    obeyed = ((batch.guidance - 1) / 4).clamp(0, 1)[:, None, None, None]
    target = batch.source + obeyed * (batch.target - batch.source)
    start = target + batch.mix * (batch.source - target)
    noisy = (signal * start + sigma * torch.randn_like(start)).contiguous(
        memory_format=torch.channels_last
    )
    goal = (signal * noisy - target) / sigma
    scale = guidance_embedding(batch.guidance)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        guess = denoise(
            noisy, batch.timestep, encoder(batch.tokens)[0], timestep_cond=scale
        ).sample.float()
    weight = torch.where(batch.edit, sigma, torch.ones_like(sigma))
    return (weight * (guess - goal).square()).mean()


@dataclass(frozen=True, slots=True)
class Training:
    """
    A picklable training run over stored latents.

    ``encoder`` holds a text encoder that was taught before; ``warm`` is a checkpoint whose averaged
    weights to start from; ``seasons`` are what the sampler draws more often.
    """

    latents: tuple[str, ...]
    greys: tuple[str, ...]
    first_seeds: tuple[int, ...]
    scale: float
    out: str
    seconds: float
    encoder: str = ""
    warm: str = ""
    seasons: tuple[str, ...] = ()
    share: float = 0.0
    batch: int = 16
    rate: float = 1e-3
    half: bool = True
    compiled: bool = True
    ema: float = 0.999

    def __call__(self, worker: Worker) -> None:
        """
        Train until the time is up; the first process writes checkpoints with the averaged weights.
        """
        torch.manual_seed(0)
        words = text.tokenizer()
        models = torch.nn.ModuleDict({"unet": build(), "encoder": text.encoder(words)})
        unet, encoder = models["unet"], models["encoder"]
        assert isinstance(unet, UNet2DConditionModel) and isinstance(encoder, CLIPTextModel)
        unet.set_attn_processor(
            AttnProcessor()
        )  # small heads: plain matrix products beat the fused kernel
        models.to(memory_format=torch.channels_last)
        denoise = torch.compile(unet) if self.compiled else unet
        parameters = list(models.parameters())
        groups = [
            {"params": list(unet.parameters()), "share": 1.0},
            {"params": list(encoder.parameters()), "share": 0.3},
        ]
        optimizer = torch.optim.AdamW(
            groups, lr=self.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        step = 0
        if self.warm:
            models.load_state_dict(torch.load(self.warm, weights_only=True)["average"])
        if self.encoder:
            encoder.load_state_dict(torch.load(self.encoder, weights_only=True))
        average = [p.detach().clone() for p in parameters]
        stores = [
            Places(np.load(path, mmap_mode="r"), seed, np.load(grey, mmap_mode="r"))
            for path, grey, seed in zip(self.latents, self.greys, self.first_seeds, strict=True)
        ]
        rng = np.random.default_rng([worker.rank, step])
        sampler = Sampler(stores, words, rng, self.scale, self.seasons, self.share)
        torch.manual_seed(1000 + worker.rank + step)
        clock, report, mean = Clock(self.seconds, self.rate), 0.0, 1.0
        while (share := worker.agree(clock.share())) < 1:
            for group in optimizer.param_groups:
                group["lr"] = clock.rate(share) * group["share"]
            error = loss(denoise, encoder, sampler.draw(self.batch), self.half)
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
                print(
                    f"diffusion {share:4.0%} step {step} samples {step * self.batch * worker.world}"
                    f" loss {mean:.4f}",
                    flush=True,
                )
            if worker.leads and share >= report:
                report += 0.04
                self._save(models, average, step)
        if worker.leads:
            self._save(models, average, step)
            print(
                f"diffusion done: {step} steps, {step * self.batch * worker.world} samples",
                flush=True,
            )

    def _save(self, models: torch.nn.ModuleDict, average: list[torch.Tensor], step: int) -> None:
        names = [name for name, _ in models.named_parameters()]
        state: dict[str, Any] = {
            "average": dict(zip(names, average, strict=True)),
            "scale": self.scale,
            "step": step,
        }
        half_written = Path(self.out).with_suffix(".part")
        torch.save(state, half_written)
        half_written.replace(self.out)


def blend(before: Path, after: Path, keep: float) -> None:
    """
    Bring the weights of a checkpoint back towards those that its training began with.

    In between, what the training taught is mostly there, and less of what it was not about is lost.
    """
    start = torch.load(before, weights_only=True)["average"]
    state: dict[str, Any] = torch.load(after, weights_only=True)
    state["average"] = {
        name: torch.lerp(tensor, start[name], keep) for name, tensor in state["average"].items()
    }
    torch.save(state, after)
