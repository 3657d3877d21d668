"""How the noise falls: against formulas of their own, and in a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch

from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData
from nodetool_core.models.diffusers.noise_schedules import beta_times, with_schedule
from tests.nodes.huggingface.recorder import Recorder


def share_below(time: float) -> float:
    """Return how much of Beta(0.6, 0.6) is below a time of at most a half, by narrow strips."""

    def mass(upper: float) -> float:
        # With u = t^0.6, the pole at 0 is gone.
        steps = torch.linspace(0, upper**0.6, 20_001, dtype=torch.float64)
        return float(torch.trapezoid((1 - steps ** (1 / 0.6)) ** -0.4, steps))

    return mass(time) / (2 * mass(0.5))


def test_times_are_quantiles() -> None:
    times = beta_times(8)
    assert times[0] == pytest.approx(1.0) and times[4] == pytest.approx(0.5)
    for number, time in enumerate(times[4:], 4):
        assert share_below(time) == pytest.approx(1 - number / 8, abs=1e-5)
    assert [1 - time for time in times[1:]] == pytest.approx(list(reversed(times[1:])), abs=1e-6)


def flow(schedule: str, **settings: Any) -> Any:
    cls, options = with_schedule(diffusers.FlowMatchEulerDiscreteScheduler, schedule, is_flow=True)
    made: Any = cls(**settings, **options)
    made.set_timesteps(5)
    return made


def test_a_shift_counts_for_times_of_a_flow() -> None:
    plain, shifted = flow("beta"), flow("beta", shift=3.0)
    levels = plain.sigmas[:-1]
    torch.testing.assert_close(shifted.sigmas[:-1], 3 * levels / (1 + 2 * levels))
    torch.testing.assert_close(plain.timesteps, levels * 1000)
    assert float(plain.sigmas[-1]) == 0


@pytest.mark.parametrize(
    ("schedule", "even"),
    [("karras", lambda levels: levels ** (1 / 7)), ("exponential", torch.log)],
)
def test_levels_of_a_flow(schedule: str, even: Callable[[torch.Tensor], torch.Tensor]) -> None:
    made = flow(schedule, shift=3.0)
    steps = even(made.sigmas[:-1].double()).diff()
    torch.testing.assert_close(steps, steps[:1].expand(4), rtol=1e-4, atol=0)
    assert float(made.sigmas[0]) == 1
    assert float(made.sigmas[-2]) == pytest.approx(0.003 / 1.002, rel=1e-3)


def test_times_of_a_diffusion() -> None:
    cls, options = with_schedule(diffusers.EulerDiscreteScheduler, "beta", is_flow=False)
    made: Any = cls(**options)
    made.set_timesteps(4)
    assert made.timesteps.tolist() == [round(999 * time) for time in beta_times(4)]


def drawn(model: str, recorder: Recorder, **properties: Any) -> ImageData:
    node = TextToImage(
        model=model,  # type: ignore[arg-type]
        **{"seed": 1, "num_inference_steps": 4, "width": 32, "height": 32, **properties},
    )
    output = node.process(recorder.context).output
    assert isinstance(output, ImageData)
    return output


@pytest.mark.parametrize("family", ["z_image", "stable_diffusion"])
def test_each_schedule_makes_another_image(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    scheduler = "EulerDiscreteScheduler"
    ways = ("default", "karras", "exponential", "beta")
    made = {
        way: drawn(model(family), recorder, scheduler=scheduler, noise_schedule=way) for way in ways
    }
    assert recorder.warnings == []
    assert len({image.image.tobytes() for image in made.values()}) == len(ways)
    assert made["default"] == drawn(model(family), recorder, scheduler=scheduler)


def test_what_a_scheduler_lacks_is_said(model: Callable[[str], str], recorder: Recorder) -> None:
    scheduler: Any = "EulerAncestralDiscreteScheduler"
    same = {"scheduler": scheduler}
    made = drawn(model("stable_diffusion"), recorder, **same, noise_schedule="karras")
    said = "noise_schedule is not used: EulerAncestralDiscreteScheduler has no 'karras'."
    assert recorder.warnings == [said]
    assert made == drawn(model("stable_diffusion"), recorder, **same)
