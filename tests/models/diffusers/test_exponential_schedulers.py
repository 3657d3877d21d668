"""Schedulers of ours, against integrations of their own in double precision."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch

from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData
from nodetool_core.models.diffusers.own_schedulers import ER_SDE, RES, own_scheduler
from nodetool_core.models.diffusers.schedulers import mend_schedulers
from tests.nodes.huggingface.recorder import Recorder

Denoise = Callable[[torch.Tensor, float], torch.Tensor]

MIDPOINT = "DPMSolverMultistepScheduler"
ANCESTRAL = "EulerAncestralDiscreteScheduler"
STOCHASTIC = "DPMSolverMultistepScheduler sde"
UNI_PC = "UniPCMultistepScheduler"
MEAN, SPREAD = 0.7, 0.4
START = torch.linspace(-2, 2, 16, dtype=torch.float64)


def of_a_flow(sample: torch.Tensor, level: float) -> torch.Tensor:
    """Return what the best model says of images that are normally distributed."""
    kept = 1 - level
    share = kept * SPREAD**2 / (kept**2 * SPREAD**2 + level**2)
    return MEAN + share * (sample - kept * MEAN)


def of_variance(sample: torch.Tensor, level: float) -> torch.Tensor:
    share = SPREAD**2 / (SPREAD**2 + level**2)
    return MEAN + share * (sample - MEAN)


def exact(denoise: Denoise, sample: torch.Tensor, start: float, end: float) -> torch.Tensor:
    """Integrate the way down by many steps of Runge and Kutta, in the logarithm of the level."""
    count = 4000
    step = math.log(start / end) / count

    def slope(x: torch.Tensor, at: float) -> torch.Tensor:
        return denoise(x, start * math.exp(-at)) - x

    for index in range(count):
        at = index * step
        one = slope(sample, at)
        two = slope(sample + step / 2 * one, at + step / 2)
        three = slope(sample + step / 2 * two, at + step / 2)
        four = slope(sample + step * three, at + step)
        sample = sample + step / 6 * (one + 2 * two + 2 * three + four)
    return sample


def scheduler_of(name: str, *, is_flow: bool, **settings: Any) -> Any:
    base = (
        diffusers.FlowMatchEulerDiscreteScheduler if is_flow else diffusers.EulerDiscreteScheduler
    )
    made = own_scheduler(name, base, is_flow=is_flow)
    assert made is not None
    return made(**settings)  # type: ignore[call-arg]


def end_of(
    scheduler: Any, denoise: Denoise, levels: list[float], sample: torch.Tensor
) -> torch.Tensor:
    """Run a loop over noise levels."""
    scheduler.sigmas = torch.tensor(levels, dtype=torch.float64)
    scheduler.timesteps = torch.tensor(levels[:-1], dtype=torch.float64) * 1000
    scheduler._step_index = scheduler._begin_index = None
    for index, level in enumerate(levels[:-1]):
        said = (sample - denoise(sample, level)) / level
        timestep = scheduler.timesteps[index]
        sample = scheduler.step(said, timestep, sample, return_dict=False)[0]
    return sample


def published(denoise: Denoise, levels: list[float], sample: torch.Tensor) -> torch.Tensor:
    """Step by the functions phi1 and phi2, as the paper writes the rule of second order."""
    old: tuple[torch.Tensor, float] | None = None
    for level, following in itertools.pairwise(levels):
        now, time, end = denoise(sample, level), -math.log(level), -math.log(following)
        length = end - time
        phi1 = (math.exp(-length) - 1) / -length
        phi2 = (phi1 - 1) / -length
        if old is None:
            sample = math.exp(-length) * sample + length * phi1 * now
        else:
            place = (-math.log(old[1]) - time) / length
            weights = phi1 - phi2 / place, phi2 / place
            sample = math.exp(-length) * sample + length * (weights[0] * now + weights[1] * old[0])
        old = (now, level)
    return sample


def levels_of(count: int, start: float, end: float) -> list[float]:
    """Return levels that fall unevenly, as those of a shifted schedule do."""
    shares = [(index / count) ** 1.3 for index in range(count + 1)]
    return [start * (end / start) ** share for share in shares]


@pytest.mark.parametrize("is_flow", [True, False])
def test_res_is_the_rule_that_was_published(is_flow: bool) -> None:
    denoise, start = (of_a_flow, 0.95) if is_flow else (of_variance, 14.0)
    levels = levels_of(12, start, 0.03)
    made = end_of(scheduler_of(RES, is_flow=is_flow), denoise, levels, START)
    torch.testing.assert_close(made, published(denoise, levels, START), rtol=0, atol=2e-6)


@pytest.mark.parametrize(("name", "is_flow"), [(RES, True), (RES, False), (MIDPOINT, True)])
def test_twice_the_steps_leave_a_quarter_of_the_error(name: str, is_flow: bool) -> None:
    denoise, start = (of_a_flow, 0.95) if is_flow else (of_variance, 14.0)
    goal = exact(denoise, START, start, 0.05)
    errors = []
    for count in (20, 40, 80):
        made = end_of(
            scheduler_of(name, is_flow=is_flow), denoise, levels_of(count, start, 0.05), START
        )
        errors.append(float((made - goal).abs().max()))
    assert errors[-1] < 2e-3
    assert 3.0 < errors[0] / errors[1] < 5.5 and 3.0 < errors[1] / errors[2] < 5.5, errors


def test_what_is_corrected_leaves_an_eighth_of_the_error() -> None:
    goal = exact(of_a_flow, START, 0.95, 0.05)
    errors = []
    for count in (20, 40, 80):
        levels = levels_of(count, 0.95, 0.05)
        made = end_of(scheduler_of(UNI_PC, is_flow=True), of_a_flow, levels, START)
        errors.append(float((made - goal).abs().max()))
    assert errors[-1] < 1e-4
    assert errors[0] / errors[1] > 5 and errors[1] / errors[2] > 5, errors


@pytest.mark.parametrize(("name", "is_flow"), [(STOCHASTIC, True), (ER_SDE, True), (ER_SDE, False)])
def test_what_draws_noise_ends_with_images_as_they_are_distributed(
    name: str, is_flow: bool
) -> None:
    """Mean and spread of what the best model would draw, from just as noisy a beginning."""
    torch.manual_seed(0)
    denoise, start, end = (of_a_flow, 0.98, 0.02) if is_flow else (of_variance, 14.0, 0.02)
    kept, left = (1 - start, 1 - end) if is_flow else (1.0, 1.0)
    noise = torch.randn(60_000, dtype=torch.float64)
    begun = kept * MEAN + math.hypot(kept * SPREAD, start) * noise
    made = end_of(scheduler_of(name, is_flow=is_flow), denoise, levels_of(60, start, end), begun)
    assert float(made.mean()) == pytest.approx(left * MEAN, abs=0.01)
    assert float(made.std()) == pytest.approx(math.hypot(left * SPREAD, end), rel=0.02)
    assert abs(float(torch.corrcoef(torch.stack([begun, made]))[0, 1])) < 0.9


def test_a_line_is_integrated_exactly() -> None:
    """Where D changes evenly over the logarithm of the level, no step is wrong but the first."""

    def line(sample: torch.Tensor, level: float) -> torch.Tensor:
        return torch.full_like(sample, 1.5 - 0.7 * math.log(level))

    levels = levels_of(6, 0.9, 0.1)
    begun = exact(line, START, levels[0], levels[1])
    scheduler = scheduler_of(RES, is_flow=True)
    made = end_of(scheduler, line, levels, START)
    euler = math.log(levels[0] / levels[1])
    first = math.exp(-euler) * START - math.expm1(-euler) * line(START, levels[0])
    goal = exact(line, first, levels[1], levels[-1])
    torch.testing.assert_close(made, goal, rtol=0, atol=2e-6)
    assert float((first - begun).abs().max()) > 1e-3


def test_ancestral_steps_keep_the_noise_level() -> None:
    """An image that the model knows has just the noise of the next level after a step."""
    torch.manual_seed(0)
    noise = torch.randn(200_000, dtype=torch.float64)
    image, level, following = 0.5, 0.8, 0.55
    scheduler = scheduler_of(ANCESTRAL, is_flow=True)
    generator = torch.Generator().manual_seed(1)
    made = scheduler.stepped(
        (1 - level) * image + level * noise,
        torch.full_like(noise, image),
        level,
        following,
        generator,
    )
    assert float(made.mean()) == pytest.approx((1 - following) * image, abs=5e-3)
    assert float(made.std()) == pytest.approx(following, rel=5e-3)


@pytest.mark.parametrize(
    "name",
    [
        *(RES, ER_SDE, MIDPOINT, STOCHASTIC, ANCESTRAL, UNI_PC),
        *("LCMScheduler", "EulerDiscreteScheduler"),
    ],
)
def test_a_flow_model_is_led_by_its_name(
    name: Any, model: Callable[[str], str], recorder: Recorder
) -> None:
    """Twice the same for a seed, and another image than by its own scheduler."""

    def made(scheduler: Any) -> ImageData:
        node = TextToImage(
            model=model("z_image"),  # type: ignore[arg-type]
            prompt="a lake",
            scheduler=scheduler,
            seed=1,
            num_inference_steps=4,
            width=32,
            height=32,
        )
        output = node.process(recorder.context).output
        assert isinstance(output, ImageData)
        return output

    first, second, own = made(name), made(name), made("default")
    assert first == second and recorder.warnings == []
    assert (first == own) is (name == "EulerDiscreteScheduler")


def test_what_a_flow_has_no_rule_for_is_said(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    node = TextToImage(
        model=model("z_image"),  # type: ignore[arg-type]
        scheduler="PNDMScheduler",
        seed=1,
        num_inference_steps=1,
        width=32,
        height=32,
    )
    node.process(recorder.context)
    said = ["scheduler is not used: ZImagePipeline runs with FlowMatchEulerDiscreteScheduler only."]
    assert recorder.warnings == said


def test_a_mended_one_begins_again() -> None:
    class Holder:
        scheduler: Any = scheduler_of(RES, is_flow=True)

    holder = Holder()
    holder.scheduler = Holder.scheduler
    mend_schedulers(holder)  # type: ignore[arg-type]
    levels = levels_of(5, 0.9, 0.1)
    first = end_of(holder.scheduler, of_a_flow, levels, START)
    assert torch.equal(first, end_of(holder.scheduler, of_a_flow, levels, START))
