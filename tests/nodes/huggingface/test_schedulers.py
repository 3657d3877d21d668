"""
Every scheduler with every kind of model, at few and at many steps.

A model that knows the image is led to it (M22, M14, M23).
"""

from __future__ import annotations

import importlib.util
import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import diffusers
import pytest
import torch

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ImageToImageModel, NodeError, Registry
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName, set_scheduler
from nodetool_core.models.diffusers.schedulers import mend_schedulers
from nodetool_core.models.manager import ModelManager
from nodetool_core.types import choices
from tests.nodes.huggingface import tiny_pipelines
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

CHOICES = [name for name in choices(SchedulerName) or () if name != "default"]
NEEDS_TORCHSDE = "DPMSolverSDEScheduler"

STEPS = (1, 2, 8, 20, 25, 50)
STRENGTHS = (None, 0.3, 0.5, 0.8, 1.0)
"""Of image to image; None for text to image."""

BASE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
}
MODELS: dict[str, dict[str, Any]] = {
    "epsilon": BASE | {"steps_offset": 1},
    "velocity": BASE | {"steps_offset": 1, "prediction_type": "v_prediction"},
    "zero terminal noise": (
        BASE
        | {
            "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
            "set_alpha_to_one": True,
        }
    ),
    "cosine": BASE | {"beta_schedule": "squaredcos_cap_v2"},
    "linear": BASE | {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    "sample": BASE | {"prediction_type": "sample"},
}
"""Kind of model to the settings of the scheduler that it comes with."""

OWN = [
    (name, {word: True})
    for name in (
        "DEISMultistepScheduler",
        "DPMSolverSinglestepScheduler",
        "HeunDiscreteScheduler",
        "UniPCMultistepScheduler",
    )
    for word in ("use_karras_sigmas", "use_exponential_sigmas")
] + [
    ("DPMSolverMultistepScheduler", {"use_lu_lambdas": True}),
    ("PNDMScheduler", {"skip_prk_steps": False}),
]
"""Schedulers that no choice gives, and models bring."""

FLOW: list[tuple[str, dict[str, Any]]] = [
    ("FlowMatchEulerDiscreteScheduler", {"shift": 12.0}),
    ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0, "use_karras_sigmas": True}),
    ("FlowMatchHeunDiscreteScheduler", {"shift": 3.0}),
    *(
        (name, {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 12.0})
      for name in ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")),
]  # fmt: skip

X0 = torch.tensor([0.8, -0.5, 0.3, -0.8]).reshape(1, 1, 2, 2)
"""The image that the model knows."""


def known_answer(
    scheduler: Any, trained: torch.Tensor, noised: torch.Tensor, timestep: Any
) -> torch.Tensor:
    """
    Return what a model that knows the image says of a noised one.

    `trained` is how much of the image was left at each timestep when the model was trained
    (`alphas_cumprod`).
    """
    kind = scheduler.config.get("prediction_type", "flow_prediction")
    if kind == "sample":
        return X0
    noised = noised.double()
    if kind == "flow_prediction":
        level = float(timestep) / scheduler.config.num_train_timesteps
        return ((noised - X0) / level).float()
    low = int(timestep)
    ratios = ((1 - trained) / trained).log()
    ratio = torch.lerp(
        ratios[low], ratios[min(low + 1, len(ratios) - 1)], float(timestep) - low
    ).exp()
    alpha = 1 / (1 + ratio)
    noise = (noised - alpha.sqrt() * X0) / (1 - alpha).sqrt()
    return (noise if kind == "epsilon" else alpha.sqrt() * noise - (1 - alpha).sqrt() * X0).float()


def trained_with(settings: dict[str, Any]) -> torch.Tensor:
    """Return how much of an image is left at each timestep of a model."""
    found: torch.Tensor = diffusers.DDIMScheduler(**settings).alphas_cumprod.double()
    return found.clamp(1e-9, 1 - 1e-9)


def error_after(
    scheduler: Any, trained: torch.Tensor, steps: int, strength: float | None
) -> float | None:
    """
    Return how far from the image a loop ends that is done as the pipelines of diffusers do it.

    None where no step is left.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(X0.shape, generator=generator)
    scheduler.set_timesteps(steps)
    start = 0 if strength is None else (steps - min(int(steps * strength), steps)) * scheduler.order
    timesteps = scheduler.timesteps[start:]
    if len(timesteps) == 0:
        return None
    if strength is None:
        sample = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    else:
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(start)
        scaled = getattr(scheduler, "scale_noise", None)
        sample = (
            scheduler.add_noise(X0, noise, timesteps[:1])
            if scaled is None
            else scaled(X0, timesteps[:1], noise)
        )
    drawn = (
        {"generator": generator}
        if "generator" in inspect.signature(scheduler.step).parameters
        else {}
    )
    for timestep in timesteps:
        noised = (
            scheduler.scale_model_input(sample, timestep)
            if hasattr(scheduler, "scale_model_input")
            else sample
        )
        said = known_answer(scheduler, trained, noised, timestep)
        sample = scheduler.step(said, timestep, sample, **drawn, return_dict=False)[0]
    assert sample.isfinite().all(), (steps, strength)
    return float((sample - X0).abs().max())


def check_all(scheduler: Any, trained: torch.Tensor) -> None:
    """
    Look at all numbers of steps.

    One step leads nowhere from a timestep that is not the last; PNDM does what it can in two.
    """
    is_pndm = type(scheduler).__name__ == "PNDMScheduler"
    settings = scheduler.config
    starts_low = (
        settings.get("timestep_spacing", "trailing") != "trailing"
        or settings.get("beta_schedule") == "squaredcos_cap_v2"
    )
    for steps in STEPS:
        for strength in STRENGTHS:
            error = error_after(scheduler, trained, steps, strength)
            if error is not None and not (steps == 1 and starts_low):
                assert error < (0.6 if is_pndm and steps < 8 else 0.4), (steps, strength)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return tiny_pipelines.BUILDERS["stable_diffusion"]()


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", CHOICES)
def test_m22_every_choice_leads_to_the_image(
    name: str, kind: str, pipeline: Any, manager: ModelManager
) -> None:
    if name == NEEDS_TORCHSDE:
        pytest.importorskip("torchsde")
    recorder = Recorder(manager)
    pipeline.scheduler = own = diffusers.DDIMScheduler(**MODELS[kind])
    set_scheduler(pipeline, name, recorder.context)
    mend_schedulers(pipeline)
    if recorder.warnings:
        said = (
            f"scheduler is not used: {name.split()[0]} can't follow this model, which predicts"
            " 'sample'."
        )
        assert (
            kind == "sample"
            and type(pipeline.scheduler) is type(own)
            and recorder.warnings == [said]
        )
        return
    assert type(pipeline.scheduler).__name__ == name.split()[0]
    check_all(pipeline.scheduler, trained_with(MODELS[kind]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), OWN + FLOW)
def test_m22_so_does_what_a_model_brings(
    name: str, settings: dict[str, Any], pipeline: Any
) -> None:
    kind = {} if "FlowMatch" in name else MODELS["epsilon"]
    pipeline.scheduler = getattr(diffusers, name).from_config(kind | settings)
    mend_schedulers(pipeline)
    check_all(pipeline.scheduler, trained_with(MODELS["epsilon"]))


@pytest.mark.parametrize(
    "name", ["DPMSolverMultistepScheduler karras", "DPMSolverMultistepScheduler sde karras"]
)
def test_m22_the_model_that_ships_runs_25_steps_of_karras(name: Any) -> None:
    recorder = Recorder(ModelManager(Registry.installed().weights(), device="cpu"))
    made = (
        TextToImage(prompt="a lake", width=64, height=64, scheduler=name, seed=1)
        .process(recorder.context)
        .output
    )
    assert isinstance(made, ImageData) and len(made.image.getcolors(64 * 64) or []) > 100
    assert recorder.warnings == []


@pytest.mark.parametrize(("steps", "strength"), [(1, 1.0), (2, 0.5), (3, 1.0), (4, 0.5)])
def test_m14_pndm_runs_at_few_steps(
    steps: int, strength: float, model: Callable[[str], str], recorder: Recorder
) -> None:
    values: dict[str, Any] = {
        "num_inference_steps": steps,
        "strength": strength,
        "scheduler": "PNDMScheduler",
        "seed": 1,
    }
    ref = ImageToImageModel(repo_id=model("stable_diffusion"))
    ImageToImage(model=ref, image=ImageData.of(scene(64, 64)), **values).process(recorder.context)
    assert recorder.warnings == []


def test_m23_what_needs_a_package_is_refused_before_anything_is_loaded(
    recorder: Recorder, manager: ModelManager
) -> None:
    if importlib.util.find_spec("torchsde"):
        pytest.skip("torchsde is installed")
    loads = manager.loads
    with pytest.raises(NodeError) as caught:
        TextToImage(model="nobody/has-this", prompt="a lake", scheduler=NEEDS_TORCHSDE).process(
            recorder.context
        )
    assert (
        caught.value.problem.code == "missing_package"
        and "nodetool-imaging[sde]" in caught.value.problem.hint
    )
    assert manager.loads == loads


def test_m23_what_draws_by_itself_follows_the_seed(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    pytest.importorskip("torchsde")
    node = TextToImage(
        model=model("stable_diffusion"),
        prompt="a lake",
        scheduler=NEEDS_TORCHSDE,
        seed=1,
        num_inference_steps=2,
    )
    first, second = (node.process(recorder.context).output for _ in range(2))
    assert isinstance(first, ImageData) and isinstance(second, ImageData)
    assert first.image.tobytes() == second.image.tobytes()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_m23_lms_integrates_without_scipy(order: int) -> None:
    """Against sums over many narrow strips."""
    pipeline = SimpleNamespace(scheduler=_lms())
    mend_schedulers(pipeline)
    scheduler: Any = pipeline.scheduler
    scheduler.set_timesteps(10)
    levels = scheduler.sigmas.double()
    strips = torch.linspace(float(levels[5]), float(levels[6]), 20001, dtype=torch.float64)
    for current in range(order):
        basis = torch.ones_like(strips)
        for other in set(range(order)) - {current}:
            basis *= (strips - levels[5 - other]) / (levels[5 - current] - levels[5 - other])
        assert scheduler.get_lms_coefficient(order, 5, current) == pytest.approx(
            float(torch.trapezoid(basis, strips)), rel=1e-5
        )


def _lms() -> Any:
    from diffusers.schedulers.scheduling_lms_discrete import LMSDiscreteScheduler

    return LMSDiscreteScheduler(
        **{name: value for name, value in BASE.items() if name.startswith("beta")}
    )
