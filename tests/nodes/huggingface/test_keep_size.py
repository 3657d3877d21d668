"""Results in the size of their source: resized back, or made in tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from nodes.huggingface.image_to_image import EditByInstruction, ImageToImage, TiledRefinement
from nodes.huggingface.model_kinds import ControlNetModel
from nodes.huggingface.units import ControlNetUnit
from nodetool_core import ImageData
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes.huggingface.recorder import Recorder

QUICK: dict[str, Any] = {"prompt": "a lake", "num_inference_steps": 2, "seed": 1, "strength": 0.5}
LARGE = (150, 118)
"""More than 2.25 times the area of the tiny models, and no multiples of their latents."""


def transform(
    recorder: Recorder, repo_id: str, size: tuple[int, int], **values: Any
) -> Image.Image:
    node = ImageToImage(model=repo_id, image=ImageData.of(scene(*size)), **QUICK | values)
    made = node.process(recorder.context).output
    assert isinstance(made, ImageData)
    return made.image


def test_a_large_image_loses_its_size_with_a_word(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    made = transform(recorder, model("stable_diffusion"), LARGE)
    assert made.size != LARGE
    assert len(recorder.warnings) == 1
    assert recorder.warnings[0].startswith("image was resized from 150×118 to ")  # noqa: RUF001 - the sign that sizes are written with
    assert recorder.warnings[0].endswith("The result has that size.")


def test_a_node_behind_may_see_to_the_size(model: Callable[[str], str], recorder: Recorder) -> None:
    plain = transform(recorder, model("stable_diffusion"), LARGE)
    warned = len(recorder.warnings)
    made = transform(recorder, model("stable_diffusion"), LARGE, keep_size="later")
    assert made.tobytes() == plain.tobytes() and len(recorder.warnings) == warned


def test_it_keeps_its_size_by_resizing_and_says_so_before_the_first_step(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    made = transform(recorder, model("stable_diffusion"), LARGE, keep_size="resize")
    assert made.size == LARGE
    assert len(recorder.warnings) == 1
    assert recorder.warnings[0].endswith("what is finer is lost.")
    kinds = [
        kind
        for kind, details in recorder.events
        if not details.get("message", "").startswith("Loading")
    ]
    assert "progress" not in kinds[: kinds.index("warning")]


def test_it_keeps_its_size_in_tiles(model: Callable[[str], str], recorder: Recorder) -> None:
    repo = model("stable_diffusion")
    made = transform(recorder, repo, LARGE, keep_size="tiles")
    assert made.size == LARGE
    assert recorder.warnings == []
    node = TiledRefinement(model=repo, image=ImageData.of(scene(*LARGE)), scale=1.0, **QUICK)
    refined = node.process(recorder.context)
    assert isinstance(refined, ImageData)
    small = refined.image.resize(LARGE, Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(made), np.asarray(small))


@pytest.mark.parametrize("keep_size", ["resize", "tiles"])
def test_a_size_that_a_model_takes_is_as_without(
    keep_size: Any, model: Callable[[str], str], recorder: Recorder
) -> None:
    repo = model("stable_diffusion")
    plain = transform(recorder, repo, (64, 64))
    assert transform(recorder, repo, (64, 64), keep_size=keep_size).tobytes() == plain.tobytes()
    assert recorder.warnings == []


def test_several_images_and_networks_go_with_tiles(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net = ControlNetModel(repo_id=adapter("controlnet", "stable_diffusion"))
    units = [ControlNetUnit(net, ImageData.of(scene(32, 24)), scale=scale) for scale in (0.4, 0.8)]
    node = ImageToImage(
        model=model("stable_diffusion"),
        image=ImageData.of(scene(*LARGE)),
        keep_size="tiles",
        num_images=2,
        controlnets=units,
        **QUICK,
    )
    made = node.process(recorder.context)
    sizes = [image.image.size for image in made.images if isinstance(image, ImageData)]
    assert sizes == [LARGE, LARGE]
    assert recorder.warnings == []


def test_an_edit_keeps_its_size(model: Callable[[str], str], recorder: Recorder) -> None:
    node = EditByInstruction(
        model=model("instruct_pix2pix"),
        image=ImageData.of(scene(*LARGE)),
        prompt="make it winter",
        num_inference_steps=2,
        seed=1,
        keep_size="resize",
    )
    made = node.process(recorder.context).output
    assert isinstance(made, ImageData)
    assert made.image.size == LARGE
    assert "what is finer is lost" in recorder.warnings[0]
