"""
Measure the weights manager on a GPU.

The pipelines have the sizes of Stable Diffusion 1.5 and SDXL, and random weights.

    python bench/gpu.py [--json FILE]          # needs CUDA
    python bench/gpu.py --tiny                 # the same with tiny pipelines on a CPU: only a check

    copy           bandwidth from pinned and from pageable host memory to the device
    warm           seconds of a call through our manager against the same call of the diffusers
                   pipeline
    swap           two models that do not fit together, alternating: seconds until the weights are
                   there, against their bytes over the measured bandwidth; with and without prefetch
                   while the other one computes
    batch          a batch of 4 against 4 single calls
    cold           from nothing loaded to the first image

Weights are made once in a temporary folder and are random, so the images are noise; sizes and speed
are those of the real ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TASK: Final = "text-to-image"


@dataclass(frozen=True)
class Family:
    """What makes a pipeline of a real model's size."""

    name: str
    side: int
    steps: int
    build: Callable[[], Any]


def tiny(name: str) -> Callable[[], Any]:
    def build() -> Any:
        from tests.nodes.huggingface import tiny_pipelines

        return tiny_pipelines.BUILDERS[name]()

    return build


def tokenizer() -> Any:
    """Spells letter by letter, up to the 77 tokens that the encoders take."""
    from tests.nodes.huggingface.tiny_parts import clip_tokenizer

    return clip_tokenizer()


def vae(scaling: float) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
        scaling_factor=scaling,
    )


def text_encoder(cls: Any, width: int, layers: int, heads: int) -> Any:
    from transformers import CLIPTextConfig

    return cls(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            eos_token_id=2,
        )
    )


def sd15() -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    return StableDiffusionPipeline(
        vae=vae(0.18215),
        text_encoder=text_encoder(CLIPTextModel, 768, 12, 12),
        tokenizer=tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    unet = UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
        use_linear_projection=True,
    )
    return StableDiffusionXLPipeline(
        vae=vae(0.13025),
        text_encoder=text_encoder(CLIPTextModel, 768, 12, 12),
        text_encoder_2=text_encoder(CLIPTextModelWithProjection, 1280, 32, 20),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear"),
    )


class Bench:
    """The measurements, on one device."""

    def __init__(self, folder: Path, families: list[Family], device: str) -> None:
        self.device = device
        self.families = families
        self.directories: dict[str, Path] = {}
        for family in families:
            self.directories[family.name] = _saved(family, folder / family.name, device)

    def manager(self, **options: Any) -> Any:
        from nodetool_core.models.manager import ModelManager

        return ModelManager(device=self.device, **options)

    def ref(self, family: Family) -> Any:
        from nodetool_core import ModelRef

        return ModelRef(repo_id=str(self.directories[family.name]))

    def call(self, models: Any, family: Family, count: int = 1) -> None:
        """Call once through the manager."""
        context = _context(models)
        with models.use(self.ref(family), TASK, context=context) as lease:
            lease.run(_arguments(family, count))
        self.wait()

    def wait(self) -> None:
        import torch

        if self.device != "cpu":
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], None]) -> float:
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - began

    def bandwidth(self) -> dict[str, float]:
        """Return GB per second from host memory to the device."""
        import torch

        size = 2**30 if self.device != "cpu" else 2**26
        host = torch.empty(size, dtype=torch.uint8)
        kinds = {"pageable": host} | ({"pinned": host.pin_memory()} if self.device != "cpu" else {})
        found = {}
        for name, source in kinds.items():
            target = torch.empty(size, dtype=torch.uint8, device=self.device)
            times = [
                self.seconds(
                    lambda source=source, target=target: target.copy_(source, non_blocking=True)
                )
                for _ in range(5)
            ]  # type: ignore[misc]
            found[name] = size / min(times) / 1e9
        return found

    def warm(self, family: Family, rounds: int) -> dict[str, float]:
        """Return the seconds of a call, directly and through the manager, in turn."""
        import torch

        models = self.manager(encoder_cache=0)
        context = _context(models)
        self.call(models, family)
        times: dict[str, list[float]] = {"direct": [], "ours": []}
        with models.use(self.ref(family), TASK, context=context) as lease, torch.no_grad():
            pipeline = lease.pipeline
            pipeline.set_progress_bar_config(disable=True)
            for _ in range(rounds):
                times["direct"].append(self.seconds(lambda: pipeline(**_arguments(family))))
                times["ours"].append(self.seconds(lambda: self.call(models, family)))
        models.free()
        return {name: statistics.median(some) for name, some in times.items()}

    def swap(self, rounds: int) -> dict[str, float]:
        """
        Two models with room for one.

        Seconds from a use to its pipeline, alone and prefetched while the other one computes.
        """
        models = self.manager(host_budget=64 * 2**30)
        for family in self.families:
            self.call(models, family)
        sizes = {one.name: one.bytes for one in models.loaded()}
        models.runtime.store.budgets[self.device] = max(sizes.values()) * 1.05
        plain = [self._swap_in(models, self.families[index % 2]) for index in range(2 * rounds)]
        models.runtime.store.budgets[self.device] = sum(sizes.values()) * 1.2
        ahead = []
        for index in range(2 * rounds):
            now, then = self.families[index % 2], self.families[(index + 1) % 2]
            models.runtime.store.drop(lambda one: False)
            self.call(models, now)
            with _told(models, self.ref(then)):
                self.call(models, now)
                models.runtime.prefetch.wait()
                ahead.append(self._swap_in(models, then))
        moved = statistics.mean(sizes.values())
        models.free()
        return {
            "swap": statistics.median(plain),
            "prefetched": statistics.median(ahead),
            "bytes": moved,
        }

    def _swap_in(self, models: Any, family: Family) -> float:
        def use() -> None:
            with models.use(self.ref(family), TASK, context=_context(models)):
                self.wait()

        return self.seconds(use)

    def batch(self, family: Family, rounds: int) -> dict[str, float]:
        """Return the seconds of four images, as a batch and one by one."""
        models = self.manager()
        self.call(models, family)
        together = [self.seconds(lambda: self.call(models, family, 4)) for _ in range(rounds)]
        single = [
            self.seconds(lambda: [self.call(models, family) for _ in range(4)])
            for _ in range(rounds)
        ]  # type: ignore[arg-type, return-value]
        models.free()
        return {"batch of 4": statistics.median(together), "4 single": statistics.median(single)}

    def cold(self, family: Family) -> float:
        """Return the seconds from a new manager to the first image, the files being cached."""
        models = self.manager()
        taken = self.seconds(lambda: self.call(models, family))
        models.free()
        return taken

    def all(self, rounds: int) -> dict[str, Any]:
        """Return every measurement."""
        found: dict[str, Any] = {
            "device": _name(self.device),
            "bandwidth": self.bandwidth(),
            "swap": self.swap(rounds),
        }
        for family in self.families:
            found[family.name] = {
                "cold": self.cold(family),
                "warm": self.warm(family, rounds),
                "batch": self.batch(family, rounds),
            }
        pinned = found["bandwidth"].get("pinned", found["bandwidth"]["pageable"])
        found["swap"]["at bandwidth"] = found["swap"]["bytes"] / pinned / 1e9
        return found


def _saved(family: Family, directory: Path, device: str) -> Path:
    import torch

    half = torch.float32 if device == "cpu" else torch.bfloat16
    with torch.device("cpu"):
        pipeline = family.build().to(half)
    pipeline.save_pretrained(directory, safe_serialization=True)
    return directory


def _arguments(family: Family, count: int = 1) -> dict[str, Any]:
    import torch

    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
    return {
        "prompt": ["a lake at dawn"] * count,
        "width": family.side,
        "height": family.side,
        "num_inference_steps": family.steps,
        "generator": generators if count > 1 else generators[0],
    }


def _context(models: Any) -> Any:
    from nodetool_core import Context
    from nodetool_core.context import Reporter

    return Context(
        "bench",
        reporter=Reporter(),
        cancelled=threading.Event(),
        images=None,
        models=models,
    )  # type: ignore[arg-type]


@contextmanager
def _told(models: Any, ref: Any) -> Iterator[None]:
    """While a run is known that will use a model."""
    from nodetool_core.models.planning.lookahead import PlannedUse

    forecast = models.forecast()
    forecast.update({0: PlannedUse((ref,))})
    try:
        yield
    finally:
        forecast.close()


def _name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device != "cpu" else "cpu"


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tiny", action="store_true", help="tiny pipelines on a CPU, to check this program"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    import torch

    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit(
            "This benchmark needs CUDA, and torch sees no CUDA device. `--tiny` checks the program"
            " itself on a CPU."
        )
    families = [Family("sd15", 512, 30, sd15), Family("sdxl", 1024, 30, sdxl)]
    if options.tiny:
        torch.set_num_threads(1)
        families = [
            Family("sd", 64, 2, tiny("stable_diffusion")),
            Family("sdxl", 64, 2, tiny("stable_diffusion_xl")),
        ]
    with tempfile.TemporaryDirectory() as folder:
        found = Bench(Path(folder), families, "cpu" if options.tiny else "cuda:0").all(
            options.rounds
        )
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
