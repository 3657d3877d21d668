"""
Measures what starting and ending the program costs, each command in fresh processes by turns.

    python bench/startup.py [--rounds 9] [--only validate,list,run]

`run` is the shipped example of image to image, on an image of the model's size, without the cache,
from the call to the shell's prompt, beside `diffusers_alone` below: a script that reads the same
model with diffusers and makes the same image. `validate` and `list` stand beside a Python that does
nothing, and beside one that imports the two libraries that the command line is made of.

A first round, which is not counted, compiles modules as installing does. `wall` is by the clock,
`CPU` is computing of the process and its threads; torch computes with one thread, since the waiting
of several for one another would count as well. Figures are medians, and ratios are medians over
processes that ran one after the other.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
GRAPH: Final = ROOT / "graphs" / "image_to_image.json"
MODEL: Final = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
PHOTO: Final = ROOT / "graphs" / "assets" / "lake_at_noon.png"
ROUNDS: Final = 9


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a process took."""

    wall: float
    cpu: float


def diffusers_alone(out: Path) -> None:
    """Make the image of `graphs/image_to_image.json` as a script would that has no engine."""
    import torch
    from diffusers import AutoPipelineForImage2Image
    from PIL import Image

    pipeline = AutoPipelineForImage2Image.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(
        prompt="A beautiful landscape with mountains and a lake at sunset",
        negative_prompt="",
        image=Image.open(PHOTO).convert("RGB"),
        num_inference_steps=25,
        guidance_scale=7.5,
        strength=0.5,
        generator=torch.Generator().manual_seed(3),
    )
    made.images[0].save(out)


def commands(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Return what is compared with what: the last of each group is ours."""
    python, program = [sys.executable], [str(Path(sys.executable).with_name("nodetool"))]
    nothing = {
        "python -c pass": [*python, "-c", "pass"],
        "import typer, pydantic": [*python, "-c", "import typer, typer._adapters"],
    }
    image = str(folder / "image.png")
    return {
        "validate": nothing | {"nodetool validate": [*program, "validate", str(GRAPH)]},
        "list": nothing | {"nodetool nodes list": [*program, "nodes", "list"]},
        "run": {
            "diffusers alone": [*python, __file__, "--diffusers-alone", image],
            "nodetool run": [
                *[*program, "run", str(GRAPH), "--no-cache", "--out", str(folder)],
                *["--set", f"image={PHOTO}"],
            ],
        },
    }


def cost_of(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Return what a process costs. Raises CalledProcessError where it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(group: Mapping[str, Sequence[str]], rounds: int, folder: Path) -> None:
    """Run the commands of a group by turns, and print a line for each."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    } | {
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    costs: dict[str, list[Cost]] = {name: [] for name in group}
    for turn in range(rounds + 1):
        for name, command in group.items():
            cost = cost_of(command, environment)
            if turn:
                costs[name].append(cost)
    first = next(iter(group))
    for name in group:
        wall, cpu = (
            statistics.median(getattr(cost, kind) for cost in costs[name])
            for kind in ("wall", "cpu")
        )
        ratios = [
            statistics.median(
                getattr(own, kind) / getattr(other, kind)
                for own, other in zip(costs[name], costs[first], strict=True)
            )
            for kind in ("wall", "cpu")
        ]
        print(
            f"{name:24} {wall * 1000:9,.0f} ms {cpu * 1000:9,.0f} ms"
            f" {ratios[0]:9.2f} {ratios[1]:9.2f}"
        )


def main() -> None:
    """Measure what was chosen, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="validate,list,run")
    parser.add_argument("--diffusers-alone", type=Path, metavar="IMAGE")
    chosen = parser.parse_args()
    if chosen.diffusers_alone is not None:
        diffusers_alone(chosen.diffusers_alone)
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians of {chosen.rounds}")
    print(f"{'':24} {'wall':>12} {'CPU':>12} {'wall by':>9} {'CPU by':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, group in commands(Path(folder)).items():
            if name in chosen.only.split(","):
                measure(group, chosen.rounds, Path(folder))


if __name__ == "__main__":
    main()
