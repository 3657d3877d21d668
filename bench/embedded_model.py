"""
Measures the models that ship on held-out scenes and prints a table.

    python bench/embedded_model.py [--scenes 200]

Images of places no training saw are edited through diffusers' AutoPipelineForImage2Image at
strength 0.6 (25 steps, guidance 7.5) with prompts that name another hour and another season in
wordings of this file's own. A small network, trained here on other renders, says what hour and
season the result shows and what is where in it. Images without colour are coloured as
graphs/colorize.json does it; images shrunk to a quarter are enlarged again. Each result is also
carried onto its source by TransferLight, and the judge looks at that; what photographs become is
measured by `bench/photo_mood.py`.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoPipelineForImage2Image
from numpy.typing import NDArray
from PIL import Image

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import photo_mood  # noqa: E402
from image_metrics import delta_e, psnr, ssim  # noqa: E402

from nodetool_core import ImageData, Workflow  # noqa: E402
from training.tiny_landscapes import autoencoder, data, judge, render, scenes  # noqa: E402

WEIGHTS: Final = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
STRENGTHS: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
JUDGE_SEEDS: Final = data.HELD_OUT + 1_000_000
CHECK_SEEDS: Final = data.HELD_OUT + 2_000_000

HOUR: Final = {
    "dawn": ("dawn", "sunrise", "early morning", "daybreak"),
    "noon": ("noon", "midday", "daytime", "bright daylight"),
    "sunset": ("sunset", "dusk", "evening", "sundown"),
    "night": ("night", "midnight", "nighttime", "a starry night"),
}
SEASON: Final = {
    "spring": ("spring", "springtime"),
    "summer": ("summer", "summertime"),
    "autumn": ("autumn", "fall"),
    "winter": ("winter", "snowy winter"),
}
WORDING: Final = (
    "A beautiful {season} landscape, {hour}",
    "the same place in {season}, {hour}",
    "{season}, {hour}",
    "{hour} in {season}",
    "Please show me this view in {season} with {hour} light",
    "I want it to look like {season}. {hour}.",
    "oil painting of the scenery, {hour}, {season}, very detailed",
    "Change the time to {hour} and the season to {season}",
)


@dataclass(frozen=True, slots=True)
class Edit:
    """One image to edit: the scene before, the hour and season wished for, and the words."""

    before: scenes.Scene
    time: str
    season: str
    prompt: str


def edits(count: int) -> list[Edit]:
    """``count`` held-out scenes with a wish each."""
    rng = np.random.default_rng(11)
    found: list[Edit] = []
    for index in range(count):
        scene = scenes.sample(data.HELD_OUT + 1000 + index)
        hour = str(rng.choice([name for name in scenes.TIMES if name != scene.time]))
        season = str(rng.choice([name for name in scenes.SEASONS if name != scene.season]))
        words = WORDING[index % len(WORDING)].format(
            hour=rng.choice(HOUR[hour]), season=rng.choice(SEASON[season])
        )
        found.append(Edit(scene, hour, season, words))
    return found


def run(pipe: Any, wishes: list[Edit], strength: float, batch: int = 8) -> NDArray[np.uint8]:
    """Return the results of all edits, each with a seed of its own."""
    results: list[NDArray[np.uint8]] = []
    for start in range(0, len(wishes), batch):
        some = wishes[start : start + batch]
        images = [Image.fromarray(render.image(edit.before)) for edit in some]
        seeds = [torch.Generator().manual_seed(start + index) for index in range(len(some))]
        made = pipe(
            [edit.prompt for edit in some],
            image=images,
            strength=strength,
            num_inference_steps=25,
            guidance_scale=7.5,
            generator=seeds,
            output_type="np",
        ).images
        results.append(np.rint(made * 255).astype(np.uint8))
    return np.concatenate(results)


def distance(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the root mean square difference per image, in units of 255."""
    return np.sqrt(((first / 255.0 - second / 255.0) ** 2).mean(axis=(1, 2, 3)))


def percent(hits: NDArray[np.bool_]) -> str:
    """Return a share in per cent."""
    return f"{100 * float(hits.mean()):.1f} %"


def adherence(wishes: list[Edit], seen: judge.Verdict) -> list[tuple[str, str]]:
    """Return the share of results whose hour and season follow the prompt, in all and by wish."""
    hours = np.array([scenes.TIMES.index(edit.time) for edit in wishes])
    seasons = np.array([scenes.SEASONS.index(edit.season) for edit in wishes])
    green = np.array([not edit.before.has("desert") for edit in wishes])
    rows = [
        ("time of day follows the prompt", percent(seen.time == hours)),
        ("season follows the prompt", percent(seen.season == seasons)),
        ("season, deserts left out", percent((seen.season == seasons)[green])),
    ]
    for index, name in enumerate(scenes.TIMES):
        rows.append((f"  asked for {name}", percent((seen.time == hours)[hours == index])))
    for index, name in enumerate(scenes.SEASONS):
        rows.append((f"  asked for {name}", percent((seen.season == seasons)[seasons == index])))
    return rows


def relighting(
    referee: judge.Judge, wishes: list[Edit], sources: NDArray[np.uint8], results: NDArray[np.uint8]
) -> list[tuple[str, str]]:
    """Return how the sources in the light of the results follow the prompt, and keep detail."""
    pairs = list(zip(sources, results, strict=True))
    relit = np.stack(
        [
            np.asarray(photo_mood.carried(Image.fromarray(source), Image.fromarray(result)))
            for source, result in pairs
        ]
    )
    kept = [photo_mood.detail(*pair) for pair in zip(sources, relit, strict=True)]
    rows = adherence(wishes, judge.verdict(referee, relit))
    return [
        *((f"light carried over: {name.strip()}", value) for name, value in rows),
        ("light carried over: gradients kept", f"{np.mean(kept):.3f}"),
    ]


def composition(wishes: list[Edit], seen: judge.Verdict, name: str) -> list[tuple[str, str]]:
    """
    Return the ridge line and the places of things, against the labels the source was rendered with.
    """
    truth = np.stack([render.paint(edit.before)[1] for edit in wishes]).astype(np.int64)
    off = np.abs(judge.ridge(truth) - judge.ridge(seen.labels)).mean(axis=1)
    rows = [
        (
            f"{name}: ridge line, mean difference",
            f"{off.mean():.2f} px (median {np.median(off):.2f})",
        )
    ]
    for label in ("mountain", "forest", "water", "ground"):
        pairs = [
            judge.places(before, after, label)
            for before, after in zip(truth, seen.labels, strict=True)
        ]
        kept = np.array([pair for pair in pairs if pair is not None])
        if len(kept):
            overlap, shift = kept.mean(axis=0)
            rows.append(
                (
                    f"{name}: {label}, overlap and shift",
                    f"{overlap:.2f}, {shift:.1f} px ({len(kept)} scenes)",
                )
            )
    return rows


def growth(pipe: Any, wishes: list[Edit]) -> list[tuple[str, str]]:
    """Return the distance of the result to its source by strength."""
    before = np.stack([render.image(edit.before) for edit in wishes])
    rows = np.stack([distance(before, run(pipe, wishes, strength)) for strength in STRENGTHS])
    table = [
        (f"distance to the source at strength {s}", f"{row.mean():.3f}")
        for s, row in zip(STRENGTHS, rows, strict=True)
    ]
    return [
        *table,
        (
            f"  grows at every step ({len(wishes)} scenes)",
            percent((np.diff(rows, axis=0) > 0).all(axis=0)),
        ),
    ]


def through(
    graph: str, images: list[Image.Image], prompts: list[str] | None = None
) -> NDArray[np.uint8]:
    """Return what a workflow of ``graphs`` makes of each image."""
    workflow = Workflow.load(ROOT / "graphs" / graph)
    made = []
    for index, image in enumerate(images):
        words = {"prompt": prompts[index]} if prompts else {}
        made.append(
            np.asarray(
                workflow.run(image=ImageData.of(image), **words)["image"].image.convert("RGB")
            )
        )
    return np.stack(made)


def enlarging(truth: NDArray[np.uint8]) -> list[tuple[str, str]]:
    """
    Images shrunk to a quarter by bicubic resampling and enlarged again, by it and by the network.
    """
    small = [Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC) for image in truth]
    plain = np.stack(
        [np.asarray(image.resize((128, 128), Image.Resampling.BICUBIC)) for image in small]
    )
    rows = {"bicubic": plain, "network": through("enlarge.json", small)}
    return [
        (
            f"enlarged four times, {name}",
            f"{psnr(truth, made).mean():.2f} dB, SSIM {ssim(truth, made).mean():.3f}",
        )
        for name, made in rows.items()
    ]


def colouring(wishes: list[Edit]) -> list[tuple[str, str]]:
    """
    Images without colour, coloured from a prompt that names their own hour and season.

    The distance to the true colours.
    """
    truth = np.stack([render.image(edit.before) for edit in wishes])
    grey = data.colourless(truth)
    prompts = [f"a {edit.before.season} landscape at {edit.before.time}" for edit in wishes]
    coloured = through("colorize.json", [Image.fromarray(image) for image in grey], prompts)
    return [
        ("colour difference of the grey images (CIE76)", f"{delta_e(truth, grey).mean():.1f}"),
        ("colour difference once coloured", f"{delta_e(truth, coloured).mean():.1f}"),
    ]


def seconds(pipe: Any, edit: Edit) -> float:
    """Return the seconds for one image-to-image at the node's defaults, best of three."""
    times = []
    for seed in range(3):
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(seed)
        image = Image.fromarray(render.image(edit.before))
        pipe(
            edit.prompt,
            image=image,
            strength=0.8,
            num_inference_steps=25,
            guidance_scale=7.5,
            generator=generator,
        )
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Train the judge, run the edits, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pipe = AutoPipelineForImage2Image.from_pretrained(
        options.weights, dtype=torch.float32, use_safetensors=True
    )
    pipe.set_progress_bar_config(disable=True)

    referee = judge.train(pipe.vae, JUDGE_SEEDS)
    check = judge.pool(CHECK_SEEDS, 300)
    opinion = judge.verdict(referee, check.images)
    wishes = edits(options.scenes)
    sources = np.stack([render.image(edit.before) for edit in wishes])
    results = run(pipe, wishes, 0.6)
    seen = judge.verdict(referee, results)
    size = sum(path.stat().st_size for path in options.weights.rglob("*") if path.is_file())

    table = [
        ("judge on 300 other renders: time of day", percent(opinion.time == check.time)),
        ("judge on 300 other renders: season", percent(opinion.season == check.season)),
        ("judge on 300 other renders: pixel labels", percent(opinion.labels == check.labels)),
        *adherence(wishes, seen),
        *relighting(referee, wishes, sources, results),
        *composition(wishes, judge.verdict(referee, sources), "sources themselves"),
        *composition(wishes, seen, "results"),
        *growth(pipe, wishes[: max(8, options.scenes // 10)]),
        *enlarging(check.images[:100]),
        *colouring(wishes[: max(8, options.scenes // 5)]),
        ("autoencoder", f"{autoencoder.psnr(pipe.vae, check.images[:100]):.1f} dB"),
        ("image-to-image at strength 0.8, one thread", f"{seconds(pipe, wishes[0]):.2f} s"),
        ("size on disk", f"{size / 1e6:.1f} MB"),
        *photo_mood.on_photographs(),
        *photo_mood.costs(),
    ]
    print(
        f"tiny-landscapes, {options.scenes} held-out scenes, strength 0.6, 25 steps, guidance 7.5"
    )
    for name, value in table:
        print(f"{name:<52} {value}")


if __name__ == "__main__":
    main()
