"""Samplers and schedules of ComfyUI as ours, and whether ours are there."""

from __future__ import annotations

import importlib.util

import diffusers
import pytest
from diffusers.schedulers.scheduling_lms_discrete import LMSDiscreteScheduler

from nodes.importers.comfyui.samplers import NOISE_SCHEDULES, SAMPLERS, Chosen, scheduler_for
from nodetool_core.models.diffusers.noise_schedules import with_schedule
from nodetool_core.models.diffusers.own_schedulers import OWN
from nodetool_core.types import choices
from tests.nodes.importers.conftest import REGISTRY


def test_every_sampler_of_the_table_is_a_scheduler_of_ours() -> None:
    node = REGISTRY.get("huggingface.text_to_image.TextToImage")
    assert node is not None
    known = choices(node.spec.properties["scheduler"].annotation) or ()
    assert [name for name, ours in SAMPLERS.items() if ours not in known] == []
    given = ("dpmpp_2m_sde_gpu", "karras")
    assert scheduler_for(*given, known) == Chosen("DPMSolverMultistepScheduler sde karras")
    assert scheduler_for("euler", "karras", known) == Chosen("EulerDiscreteScheduler karras")
    assert scheduler_for("heun", "karras", known) == Chosen("HeunDiscreteScheduler", "karras")
    assert scheduler_for("er_sde", "beta", known, is_flow=True) == Chosen("ERSDEScheduler", "beta")
    assert scheduler_for("ddim", "beta", known).difference == (
        "scheduler 'beta' has no counterpart beside DDIMScheduler: its usual steps are used"
    )
    assert scheduler_for("dpm_fast", "kl_optimal", known, is_flow=True) == Chosen(
        "default",
        difference="sampler_name 'dpm_fast' and scheduler 'kl_optimal' have no counterpart: the"
        " model's own scheduler is used",
    )


@pytest.mark.parametrize("schedule", NOISE_SCHEDULES)
def test_schedulers_have_the_schedules_that_the_importer_takes_them_to_have(schedule: str) -> None:
    for scheduler in {name.split()[0] for name in SAMPLERS.values()}:
        named = "EulerDiscreteScheduler" if scheduler in OWN else scheduler
        if named == "DPMSolverSDEScheduler" and not importlib.util.find_spec("torchsde"):
            continue
        cls = LMSDiscreteScheduler if "LMS" in named else getattr(diffusers, named)
        try:
            with_schedule(cls, schedule, is_flow=False)
        except ValueError:
            assert scheduler not in NOISE_SCHEDULES[schedule], scheduler
        else:
            assert scheduler in NOISE_SCHEDULES[schedule], scheduler
