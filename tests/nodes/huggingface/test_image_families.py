"""
Every family that turns an image into another, run through its node from a saved model.

What docs/models.md says of it is so.

A run is small: two steps, one for families that look at thousands of tokens. Runs that several
tests look at are made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from nodes.huggingface.image_to_image import (
    EditByInstruction,
    ImageToImage,
    ImageVariation,
    Inpainting,
)
from nodes.huggingface.model_kinds import ControlNetModel, IPAdapterModel, LoraModel, ReduxModel
from nodes.huggingface.models_page import OF_TASK, families, supports
from nodetool_core import ImageData, ImageToImageModel, RunCancelled
from nodetool_core.models.diffusers.families import call_parameter
from nodetool_core.models.diffusers.tasks import RELATED
from tests.nodes.huggingface.image_families import NOT_RUN, RUNS, SLOW, size_for
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_inpainting import outside_is_kept, spot

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.models.manager import ModelManager

NODES = {
    "image-to-image": ImageToImage,
    "inpainting": Inpainting,
    "editing": EditByInstruction,
    "variation": ImageVariation,
}

ALSO_EDITORS = set(RUNS["editing"]) & set(RUNS["image-to-image"])
"""What both nodes do in the same way is looked at in one of them."""

CHANGES: dict[str, dict[str, Any]] = {
    "negative_prompt": {"negative_prompt": "fog"},
    "strength": {"strength": 1.0},
    "guidance_scale": {"guidance_scale": 2.0},
    "image_guidance_scale": {"image_guidance_scale": 3.0},
    "scheduler": {"scheduler": "DPMSolverMultistepScheduler"},
}
"""Property of the tables to a value other than that of the run it is compared with."""

OWN_SIZES = {
    "LongCatImageEditPipeline": (1024, 1024),
    "StableDiffusionImageVariationPipeline": (64, 64),
    "StableUnCLIPImg2ImgPipeline": (64, 64),
    "UnCLIPImageVariationPipeline": (32, 32),
    "VersatileDiffusionImageVariationPipeline": (64, 64),
}
"""
Of the results of pipelines that make a new image instead of changing one, where no size is asked
for.
"""

BASES = {
    "AltDiffusionPipeline": "alt_diffusion",
    "AmusedPipeline": "amused",
    "ChromaPipeline": "chroma",
    "Flux2KleinPipeline": "flux2_klein",
    "FluxKontextPipeline": "flux_kontext",
    "LatentConsistencyModelPipeline": "lcm",
    "SanaSprintPipeline": "sana_sprint",
}
"""Class that repositories name, and that more is done with than diffusers chooses, to its model."""

TRANSPARENT = {"QwenImage21Pipeline", "QwenImageLayeredPipeline"}
"""Pipelines whose images have an alpha channel."""

OTHER_WEIGHTS = {"StableDiffusionInpaintPipeline"}
"""What is run above with the weights of another family."""

FURTHER_LOOPS = {"UnCLIPImageVariationPipeline": (7,)}
"""Steps of the loops behind the first one, which enlarge what it made."""

NEEDS_NO_WORD = ("resized", "stretched", "chooses itself")
"""What warnings of sizes say: the images here are smaller than any model was made for."""

TOLD_AS = {"ip_adapter_image": "ip_adapter_model", "width, height": "width"}
"""Column of the tables to the property that warnings name."""


def rows(*tasks: str, but: set[str] | frozenset[str] = frozenset()) -> list[Any]:
    """Return the families of some tasks as parameters of a test."""
    return [
        pytest.param(
            task,
            name,
            id=f"{task}-{name.removesuffix('Pipeline')}",
            marks=[pytest.mark.slow] if builder in SLOW else [],
        )
        for task in tasks
        for name, builder in RUNS[task].items()
        if name not in but
    ]


def control_image(size: tuple[int, int]) -> ImageData:
    return ImageData.of(Image.radial_gradient("L").convert("RGB").resize(size))


@pytest.fixture(scope="module")
def run(model: Callable[[str], str], manager: ModelManager) -> Callable[..., tuple[Any, Recorder]]:
    """
    Return a function that runs the node of a task with the tiny model of a family.

    The run without any change is made once.
    """
    kept: dict[tuple[str, str], tuple[Any, Recorder]] = {}

    def call(
        task: str, name: str, cancel_at: tuple[int, int] | None = None, **changes: Any
    ) -> tuple[Any, Recorder]:
        if not changes and cancel_at is None and (task, name) in kept:
            return kept[task, name]
        recorder = Recorder(manager)
        recorder.cancel_at = cancel_at
        result = (
            NODES[task](**properties(task, name, model) | changes).process(recorder.context),
            recorder,
        )
        if not changes:
            kept[task, name] = result
        return result

    return call


def properties(task: str, name: str, model: Callable[[str], str]) -> dict[str, Any]:
    """Return what the node is given: a model, an image, and what the family can't do without."""
    builder = RUNS[task][name]
    size = size_for(builder)
    values: dict[str, Any] = {
        "model": ImageToImageModel(repo_id=model(builder)),
        "image": ImageData.of(scene(*size)),
        "num_inference_steps": 2 if builder in SLOW else 4,
        "guidance_scale": 5.0,
        "seed": 1,
    }
    if task in ("image-to-image", "inpainting"):
        values["strength"] = 0.5
        if "Control" in name and parameter_name(name, "control_image"):
            values["control_image"] = control_image(size)
        if "Union" in name:
            values["control_mode"] = 3
    if task == "inpainting":
        values["mask_image"] = ImageData.of(spot(size))
    if task != "variation":
        values["prompt"] = "a lake"
    elif name == "FluxPipeline":
        values |= {
            "redux": ReduxModel(repo_id=model("flux_redux")),
            "width": size[0],
            "height": size[1],
        }
    return values


def parameter_name(name: str, prop: str) -> str | None:
    import diffusers

    return call_parameter(getattr(diffusers, name), prop)


def steps_of(name: str, steps: int, strength: float | None) -> int:
    """
    Return how many steps a run does: a share where the family takes a strength.

    LCMs choose theirs after they took the share.
    """
    share = (
        strength is not None
        and parameter_name(name, "strength") is not None
        and "LatentConsistency" not in name
    )
    return int(steps * strength) if share and strength is not None else steps


def changed(
    column: str, task: str, name: str, adapter: Callable[[str, str], str], honoured: bool
) -> dict[str, Any]:
    """
    Return the properties that make the change of a column.

    What a family does not honour is given as another family has it.
    """
    builder = RUNS[task][name]
    family = builder if honoured else "stable_diffusion"
    if column == "loras":
        return {"loras": [LoraModel(repo_id=adapter("lora", family))]}
    if column == "ip_adapter_image":
        eye = IPAdapterModel(repo_id=adapter("ip_adapter", family))
        return {
            "ip_adapter_model": eye,
            "ip_adapter_image": control_image((40, 40)),
            "ip_adapter_scale": 1.0,
        }
    if column == "controlnet":
        kind = (
            "controlnet_union"
            if "Union" in name
            else "controlnet_for_inpainting"
            if task == "inpainting"
            else "controlnet"
        )
        return {
            "controlnet": ControlNetModel(repo_id=adapter(kind, family)),
            "control_image": control_image(size_for(builder)),
        }
    if column == "width, height":
        return {"width": 48, "height": 32}
    if column == "strength_mask":
        return {"strength_mask": ImageData.of(Image.new("L", (8, 8)))}
    if column == "strength" and not honoured:
        return {"strength": 0.75}  # 1 is what is done without it, and needs no warning
    return CHANGES[column]


def unexpected(recorder: Recorder) -> list[str]:
    return [
        warning
        for warning in recorder.warnings
        if not any(word in warning for word in NEEDS_NO_WORD)
    ]


@pytest.mark.parametrize("task", RUNS)
def test_every_family_is_run_or_said_why_not(task: str) -> None:
    left_out = {name for of_task, name in NOT_RUN if of_task == task}
    missing = families(task).keys() - RUNS[task].keys() - left_out
    assert not missing, (
        f"diffusers has families for {task} that no test runs: add a tiny pipeline for"
        f" {sorted(missing)}"
    )
    gone = (RUNS[task].keys() | left_out) - families(task).keys()
    assert not gone, f"{sorted(gone)} are not offered for {task} any more"


@pytest.mark.parametrize(("task", "name"), rows(*RUNS))
def test_a_family_runs(
    task: str, name: str, run: Any, model: Callable[[str], str], manager: ModelManager
) -> None:
    made, recorder = run(task, name)
    values = properties(task, name, model)
    base, size = made.output.image, values["image"].image.size

    loaded = "text-to-image" if name == "FluxPipeline" else task
    with manager.use(values["model"], loaded, context=recorder.context) as lease:
        pipeline = lease.pipeline
        assert type(pipeline).__name__ == name
    assert base.mode == ("RGBA" if name in TRANSPARENT else "RGB")
    assert base.size == OWN_SIZES.get(name, size)
    loops = [
        steps_of(name, values["num_inference_steps"], values.get("strength")),
        *FURTHER_LOOPS.get(name, ()),
    ]
    assert recorder.steps == [(step, total) for total in loops for step in range(1, total + 1)]
    without = [
        prop
        for prop in ("strength", "guidance_scale")
        if prop in values and parameter_name(name, prop) is None
    ]
    assert [warning.partition(":")[0] for warning in unexpected(recorder)] == [
        f"{prop} is not used" for prop in without
    ]
    if task == "inpainting":
        image, mask = values["image"].image, values["mask_image"].image
        assert outside_is_kept(image, base, mask)
        inside = np.asarray(mask) >= 128
        assert (np.asarray(base)[inside] != np.asarray(image)[inside]).any()
    if task == "image-to-image" and name in ALSO_EDITORS:
        return
    assert run(task, name, seed=2)[0].output.image.tobytes() != base.tobytes()
    other = Recorder(manager)
    other.cancel_at = (1, steps_of(name, 4, values.get("strength")))
    with pytest.raises(RunCancelled):
        NODES[task](**values | {"num_inference_steps": 4}).process(other.context)
    assert other.steps == [other.cancel_at]
    assert all(entry.pins == 0 for entry in manager.loaded())


@pytest.mark.parametrize(
    ("task", "base"),
    [
        pytest.param(
            task,
            base,
            id=f"{task}-{base.removesuffix('Pipeline')}",
            marks=[pytest.mark.slow] if BASES[base] in SLOW else [],
        )
        for task, pairs in RELATED.items()
        for base in pairs
    ],
)
def test_a_base_repository_reaches_the_classes_over_its_weights(
    task: str, base: str, run: Any, model: Callable[[str], str], manager: ModelManager
) -> None:
    name, ref = RELATED[task][base], ImageToImageModel(repo_id=model(BASES[base]))
    with manager.use(ref, task, context=Recorder(manager).context) as lease:
        assert type(lease.pipeline).__name__ == name
    made, _ = run(task, name, model=ref)
    assert run(task, name, model=ref, prompt="a sea")[0].output.image.tobytes() != (
        made.output.image.tobytes()
    )
    if name not in OTHER_WEIGHTS:
        assert made.output.image.tobytes() == run(task, name)[0].output.image.tobytes()


@pytest.mark.parametrize(
    ("task", "name"),
    rows("image-to-image", but=ALSO_EDITORS) + rows("inpainting", "editing", "variation"),
)
def test_what_the_page_says_of_a_family_is_so(
    task: str, name: str, run: Any, adapter: Callable[[str, str], str], model: Callable[[str], str]
) -> None:
    made, _ = run(task, name)
    base = made.output.image.tobytes()
    if task != "variation":
        assert run(task, name, prompt="a sea")[0].output.image.tobytes() != base
    columns = {column: supports(families(task)[name], column, task) for column in OF_TASK[task]}
    assert (made.latents is not None) == columns.pop("latents")
    ignored: dict[str, Any] = {}
    for column, honoured in columns.items():
        change = changed(column, task, name, adapter, honoured)
        if not honoured:
            ignored |= change
            continue
        # In few steps, schedulers of flows hardly differ.
        beside = {"num_inference_steps": 6} if column == "scheduler" else {}
        result, recorder = run(task, name, **change, **beside)
        plain = run(task, name, **beside)[0].output.image.tobytes() if beside else base
        assert result.output.image.tobytes() != plain, column
        assert [
            warning for warning in unexpected(recorder) if f"{column} is not used" in warning
        ] == []
    if columns.get("loras"):
        ignored["loras"] = [
            lora.model_copy(update={"scale": 0.0})
            for lora in changed("loras", task, name, adapter, True)["loras"]
        ]
    # All at once what the family does not honour, and LoRAs of scale 0: the same seed makes the
    # same image, bit for bit.
    result, recorder = run(task, name, **ignored | {"num_images": 1})
    assert result.output.image.tobytes() == base
    for column, honoured in columns.items():
        told = any(
            warning.startswith(f"{TOLD_AS.get(column, column)} is not used")
            for warning in recorder.warnings
        )
        assert told != honoured, (column, recorder.warnings)
