"""
Every family that makes images from texts, run by TextToImage from a model directory.

What docs/models.md says of it is so.

A family that a newer diffusers maps and no tiny model stands for makes the first test fail.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from diffusers import DiffusionPipeline
from diffusers.pipelines import auto_pipeline

from nodes.huggingface.latents import Latents
from nodes.huggingface.model_kinds import IPAdapterModel, LoraModel, TextToImageModel
from nodes.huggingface.models_page import families, supports
from nodetool_core import RunCancelled
from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.diffusers.tasks import ITSELF
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.text_families import (
    BUILDERS,
    NOT_OURS,
    draw,
    gradient,
    pipeline_class,
    pixels,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nodes.huggingface.diffusion import Images
    from nodetool_core.models.manager import ModelManager

    Run = Callable[..., tuple[Images, Recorder]]

TASK = "text-to-image"
CHANGES: dict[str, Any] = {
    "prompt": "the old mill at the end of a long valley",
    "num_inference_steps": 3,
    "negative_prompt": "fog",
    "guidance_scale": 30.0,
    "scheduler": "EulerAncestralDiscreteScheduler",
}
ALWAYS = {"prompt", "num_inference_steps"}

MADE = {
    "Kandinsky3": (8, 8),
    "Kandinsky5T2I": (256, 256),
    "UnCLIP": (32, 32),
    "VQDiffusion": (32, 32),
}
"""
The sizes of results that differ from the size asked for.

Kandinsky 3 and 5 count on an autoencoder of factor 8, which the tiny ones have not; the others have
one size.
"""

FURTHER_LOOPS = {"StableUnCLIP": (2,), "UnCLIP": (2, 7)}
"""Steps of the loops behind the first one."""

SLOW = {
    "HiDreamImage",
    "Kandinsky5T2I",
    "Flux",
    "FluxKontext",
    "Flux2",
    "Flux2Klein",
    "GlmImage",
    "Ideogram4",
    "Kandinsky3",
    "QwenImage",
    "ZImage",
    "Chroma",
    "Lumina2",
}


def marked(names: list[str]) -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in names]


@pytest.fixture(scope="module")
def run(model: Callable[[str], str], manager: ModelManager) -> Run:
    """
    Return a function that runs the node with the tiny model of a family.

    The run without any change is made once.
    """
    kept: dict[str, tuple[Images, Recorder]] = {}

    def call(family: str, **changes: Any) -> tuple[Images, Recorder]:
        if changes or family not in kept:
            recorder = Recorder(manager)
            made = draw(recorder, family, model, **changes), recorder
            if changes:
                return made
            kept[family] = made
        return kept[family]

    return call


def test_every_family_that_diffusers_maps_is_here() -> None:
    mapped = {
        found.__name__.removesuffix("Pipeline")
        for found in auto_pipeline.AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()
    } | {name.removesuffix("Pipeline") for name in ITSELF[TASK]}
    new = mapped - NOT_OURS.keys() - BUILDERS.keys()
    assert not new, (
        f"diffusers maps {sorted(new)} to text to image: build a tiny model of each, or say in"
        " NOT_OURS why not"
    )
    gone = (NOT_OURS.keys() | BUILDERS.keys()) - mapped
    assert not gone, f"diffusers no longer maps {sorted(gone)} to text to image"
    assert {name.removesuffix("Pipeline") for name in families(TASK)} == BUILDERS.keys()


@pytest.mark.parametrize("family", marked(list(BUILDERS)))
def test_it_draws(
    family: str, run: Run, model: Callable[[str], str], manager: ModelManager
) -> None:
    made, recorder = run(family)
    with manager.use(
        TextToImageModel(repo_id=model(BUILDERS[family])), TASK, context=recorder.context
    ) as lease:
        pipeline = lease.pipeline
        assert type(pipeline) is pipeline_class(family)
    assert pixels(made).size == MADE.get(family, size_of(family))
    assert pixels(made).mode == ("RGBA" if family == "QwenImage21" else "RGB")
    loops = (2, *FURTHER_LOOPS.get(family, ()))
    assert recorder.steps == [(step, total) for total in loops for step in range(1, total + 1)]
    assert recorder.warnings == []
    assert pixels(run(family, seed=1)[0]).tobytes() == pixels(made).tobytes()
    assert pixels(run(family, seed=2)[0]).tobytes() != pixels(made).tobytes()


def test_a_processor_that_needs_torchvision_gives_way_to_its_tokenizer(
    run: Run, model: Callable[[str], str], tmp_path: Path
) -> None:
    """FLUX.2 comes with a PixtralProcessor, to which its pipeline shows texts alone."""
    published = shutil.copytree(model("flux2"), tmp_path / "flux2")
    index = published / "model_index.json"
    content = json.loads(index.read_text())
    index.write_text(json.dumps(content | {"tokenizer": ["transformers", "PixtralProcessor"]}))
    made, recorder = run("Flux2", model=TextToImageModel(repo_id=str(published)))
    assert pixels(made).tobytes() == pixels(run("Flux2")[0]).tobytes()
    assert recorder.warnings == []


@pytest.mark.parametrize("family", [name for name in BUILDERS if name.endswith("Combined")])
def test_a_decoder_brings_the_prior_that_its_card_names(
    family: str, run: Run, model: Callable[[str], str], tmp_path: Path
) -> None:
    """So these are published: in two repositories, of which the decoder's is named."""
    whole = DiffusionPipeline.from_pretrained(model(BUILDERS[family]))
    whole.decoder_pipe.save_pretrained(tmp_path / "decoder")
    whole.prior_pipe.save_pretrained(tmp_path / "prior")
    (tmp_path / "decoder" / "README.md").write_text(f"---\nprior:\n- {tmp_path / 'prior'}\n---\n")
    made, recorder = run(family, model=TextToImageModel(repo_id=str(tmp_path / "decoder")))
    assert pixels(made).tobytes() == pixels(run(family)[0]).tobytes()
    assert recorder.warnings == []


@pytest.mark.parametrize("family", ["StableCascadeCombined", "WuerstchenCombined"])
def test_a_prior_makes_as_many_steps_as_its_decoder(family: str, run: Run) -> None:
    _, recorder = run(family, num_inference_steps=3)
    told = [
        (details["step"], details["total"])
        for _, details in recorder.events
        if details.get("message") == "prior"
    ]
    assert told == recorder.steps == [(1, 3), (2, 3), (3, 3)]
    assert recorder.warnings == []


@pytest.mark.parametrize("family", marked(list(BUILDERS)))
def test_it_honours_what_the_page_says(family: str, run: Run) -> None:
    for prop, value in CHANGES.items():
        # In two steps, the first of which leads nearly to the end, schedulers hardly differ.
        check(family, prop, run, {prop: value}, steps=5 if prop == "scheduler" else None)


@pytest.mark.parametrize("family", marked(list(BUILDERS)))
def test_it_takes_the_adapters_that_the_page_says(
    family: str, run: Run, adapter: Callable[[str, str], str]
) -> None:
    def made_for(prop: str, kind: str) -> str:
        """Return the family's adapter; another family's where it honours none."""
        return adapter(
            kind,
            BUILDERS[family]
            if supports(pipeline_class(family), prop, TASK)
            else "stable_diffusion",
        )

    check(family, "loras", run, {"loras": [LoraModel(repo_id=made_for("loras", "lora"))]})
    eye = IPAdapterModel(repo_id=made_for("ip_adapter_image", "ip_adapter"))
    check(
        family,
        "ip_adapter_image",
        run,
        {"ip_adapter_model": eye, "ip_adapter_image": gradient(), "ip_adapter_scale": 1.0},
    )


def check(
    family: str, prop: str, run: Run, changes: dict[str, Any], *, steps: int | None = None
) -> None:
    """Assert that a change has an effect where the page says so, and a warning where not."""
    honoured = prop in ALWAYS or supports(pipeline_class(family), prop, TASK)
    beside = {} if steps is None else {"num_inference_steps": steps}
    changed, recorder = run(family, **changes, **beside)
    unused = [
        warning.partition(" ")[0] for warning in recorder.warnings if "is not used" in warning
    ]
    assert bool(unused) != honoured, (prop, recorder.warnings)
    assert set(unused) <= changes.keys()
    assert (pixels(changed).tobytes() != pixels(run(family, **beside)[0]).tobytes()) == honoured, (
        prop
    )


@pytest.mark.parametrize("family", marked(list(BUILDERS)))
def test_its_size_and_latents_are_as_the_page_says(family: str, run: Run) -> None:
    if not supports(pipeline_class(family), "width, height", TASK):
        _, recorder = run(family, width=48)
        assert [warning for warning in recorder.warnings if "width is not used" in warning]
        return
    side = size_of(family)[1]
    made, recorder = run(family, width=side)
    width, height = pixels(made).size
    assert width == height and recorder.warnings == []
    assert (made.latents is not None) == supports(pipeline_class(family), "latents", TASK)
    if isinstance(made.latents, Latents):
        *_, down, across = made.latents.samples.shape
        assert made.latents.samples.dim() == 4 and down == across and side % down == 0


@pytest.mark.parametrize(
    "family",
    marked(
        [
            name
            for name in BUILDERS
            if "callback_on_step_end" not in call_parameters(pipeline_class(name))
        ]
    ),
)
def test_it_ends_at_the_next_step_without_a_callback(
    family: str, run: Run, model: Callable[[str], str], manager: ModelManager
) -> None:
    cancelled = Recorder(manager)
    cancelled.cancel_at = (1, 2)
    with pytest.raises(RunCancelled):
        draw(cancelled, family, model)
    assert cancelled.steps == [(1, 2)]
    assert pixels(run(family, seed=1)[0]).tobytes() == pixels(run(family)[0]).tobytes()
