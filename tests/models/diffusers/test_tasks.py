"""
M8: which pipelines of diffusers are let through for which task, and the refusal of the rest.
"""

from __future__ import annotations

import inspect

import diffusers
import pytest
from diffusers import DiffusionPipeline

from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.tasks import (
    ANY,
    AUTO,
    ITSELF,
    OTHER_RESULTS,
    RELATED,
    UNFIT,
    check_task,
    makes_no_images,
    tasks_of,
)

TASKS = list(dict.fromkeys([*AUTO, *ITSELF]))


def pipelines() -> dict[str, type]:
    """
    Return every pipeline class that the installed diffusers offers.

    Those whose libraries are not installed can't be looked into.
    """
    found = {name: getattr(diffusers, name) for name in dir(diffusers) if "Pipeline" in name}
    return {
        name: cls
        for name, cls in found.items()
        if inspect.isclass(cls) and issubclass(cls, DiffusionPipeline)
    }


def test_m8_every_pipeline_of_diffusers_has_a_verdict() -> None:
    """
    It does a task, it makes no images, or it is refused with one reason.

    A new class in diffusers has to be given its place.
    """
    for name in pipelines():
        reasons = [why for why, names in (*OTHER_RESULTS, *UNFIT) if names.search(name)]
        assert len(reasons) <= 1, name
        assert not (makes_no_images(name) and tasks_of(name)), name
        assert reasons or tasks_of(name), (
            f"{name} needs a place in nodetool_core/models/diffusers/tasks.py"
        )


def test_m8_the_table_names_nothing_that_diffusers_lacks() -> None:
    known = pipelines()
    named = {name for names in ITSELF.values() for name in names}
    named |= {name for pairs in RELATED.values() for pair in pairs.items() for name in pair}
    assert named - known.keys() == set()
    unused = [
        why
        for table in (OTHER_RESULTS, UNFIT)
        for why, names in table
        if not any(names.search(name) for name in known)
    ]
    assert unused == []


@pytest.mark.parametrize("task", TASKS)
def test_m8_what_is_let_through_can_be_called_with_what_the_task_gives(task: str) -> None:
    """
    No argument that is required, and that no node gives, is left over.

    What is refused is refused in one form.
    """
    free = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    for name, cls in pipelines().items():
        try:
            target = check_task(name, task, "some/model")
        except ModelError as error:
            assert error.problem.code == "model_task_unsupported"
            assert (
                f"can't be used for {task}: {name} " in error.problem.message and error.problem.hint
            )
            continue
        parameters = inspect.signature((target or cls).__call__).parameters
        required = {
            key
            for key, one in parameters.items()
            if one.default is inspect.Parameter.empty and one.kind not in free
        }
        assert (
            required - {"self", "prompt", "image", "mask_image", "control_image", "control_mode"}
            == set()
        ), name
        assert {"num_frames", "video", "audio_length_in_s"}.isdisjoint(parameters), name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("StableVideoDiffusionPipeline", "makes videos"),
        ("WanImageToVideoPipeline", "makes videos"),
        ("LTXConditionPipeline", "makes videos"),
        ("HeliosPipeline", "makes videos"),
        ("MarigoldDepthPipeline", "does depth-estimation"),
        ("MarigoldIntrinsicsPipeline", "into materials"),
        ("ShapEPipeline", "three dimensions"),
        ("AudioLDM2Pipeline", "makes sound"),
        ("FluxPriorReduxPipeline", "belongs into `redux`"),
        ("StableDiffusionAdapterPipeline", "T2I-Adapter"),
        ("GlmImagePipeline", "does text-to-image, and reads images with code of diffusers"),
        ("ZImageOmniPipeline", "does text-to-image, and reads images in bfloat16"),
        ("OmniGenPipeline", "torchvision"),
        ("StableDiffusionUpscalePipeline", "does image-to-image, upscaling"),
    ],
)
def test_m8_the_refusal_says_why(name: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_task(name, "inpainting", "some/model")
    assert says in caught.value.problem.message


def test_m8_a_model_that_is_loaded_ahead_is_refused_only_where_it_makes_no_images() -> None:
    assert check_task("StableDiffusionUpscalePipeline", ANY, "some/model") is None
    with pytest.raises(ModelError, match="can't be used for images: WanPipeline makes videos"):
        check_task("WanPipeline", ANY, "some/model")
