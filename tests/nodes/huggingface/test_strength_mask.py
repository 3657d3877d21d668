"""Masks of strengths: where an image may differ, and how far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from nodes.huggingface.image_to_image import ImageToImage, Inpainting
from nodetool_core import ImageData
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nodes.huggingface.diffusion import Images
    from tests.nodes.huggingface.recorder import Recorder

SLOW = ("flux", "qwen_image", "z_image", "chroma_image")
FAMILIES = ("stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "lcm")
ALL = pytest.mark.parametrize(
    "family", [*FAMILIES, *(pytest.param(family, marks=pytest.mark.slow) for family in SLOW)]
)
QUICK: dict[str, Any] = {"prompt": "a lake", "num_inference_steps": 2, "seed": 1, "strength": 1.0}


def made_by(
    recorder: Recorder, repo_id: str, mask: Image.Image | None = None, **values: Any
) -> Images:
    given: dict[str, Any] = {"image": ImageData.of(scene(64, 64))}
    if mask is not None:
        given["strength_mask"] = ImageData.of(mask)
    return ImageToImage(model=repo_id, **QUICK | given | values).process(recorder.context)


def transform(
    recorder: Recorder, repo_id: str, mask: Image.Image | None = None, **values: Any
) -> NDArray[np.int16]:
    made = made_by(recorder, repo_id, mask, **values).output
    assert isinstance(made, ImageData)
    return np.asarray(made.image.convert("RGB")).astype(np.int16)


def tone(value: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("L", size, value)


@ALL
def test_tones_say_how_far_an_image_is_changed(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    plain = transform(recorder, model(family))
    assert np.array_equal(transform(recorder, model(family), tone(255)), plain), "neutral"
    made = [transform(recorder, model(family), tone(value)) for value in (0, 128)]
    assert not np.array_equal(made[0], made[1])
    assert not np.array_equal(made[1], plain)
    # Black takes part in no step, so the prompt has no effect.
    other = transform(recorder, model(family), tone(0), prompt="a tree")
    assert np.abs(other - made[0]).max() <= 1
    assert not any("strength_mask" in text for text in recorder.warnings)


def test_parts_of_two_tones_follow_their_own(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    mask = tone(255)
    mask.paste(0, (32, 0, 64, 64))
    kept, plain, both = (
        made_by(recorder, model("stable_diffusion"), one).latents for one in (tone(0), None, mask)
    )
    assert kept and plain and both
    border = kept.array.shape[-1] // 2
    right = np.s_[..., border:]
    assert np.array_equal(both.array[right], kept.array[right])
    assert not np.isclose(both.array[..., :border], kept.array[..., :border]).any()
    assert not np.array_equal(plain.array[right], kept.array[right])


@pytest.mark.parametrize(
    "scheduler", ["DPMSolverMultistepScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler"]
)
def test_schedulers_of_every_kind_keep_what_is_black(
    scheduler: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    repo = model("stable_diffusion")
    kept = transform(recorder, repo, tone(0))
    values: dict[str, Any] = {"scheduler": scheduler, "num_inference_steps": 4}
    made = transform(recorder, repo, tone(0), strength=0.6, **values)
    assert np.abs(made - kept).max() <= 1
    half, whole = (transform(recorder, repo, tone(value), **values) for value in (128, 255))
    assert not np.array_equal(half, whole)


def test_a_mask_is_cut_along_with_tiles_and_resized_to_the_image(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    repo, large = model("stable_diffusion"), ImageData.of(scene(150, 118))
    for keep_size in ("tiles", "resize"):
        values: dict[str, Any] = {"image": large, "keep_size": keep_size}
        made = [transform(recorder, repo, tone(one, (30, 20)), **values) for one in (255, 0)]
        assert not np.array_equal(made[0], made[1])
        assert made[0].shape == (118, 150, 3)


def test_a_family_that_can_not_says_so(model: Callable[[str], str], recorder: Recorder) -> None:
    plain = transform(recorder, model("kandinsky"))
    assert np.array_equal(transform(recorder, model("kandinsky"), tone(0)), plain)
    assert [text.split(":")[0] for text in recorder.warnings] == ["strength_mask is not used"]


@pytest.mark.parametrize(
    "family", ["stable_diffusion", pytest.param("flux_fill", marks=pytest.mark.slow)]
)
def test_tones_count_where_a_part_is_repainted(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    """A grey part beside the mask is painted in the last steps; black keeps every bit."""
    source = scene(64, 64)
    mask, tones = tone(0), tone(0)
    mask.paste(255, (0, 0, 32, 64))
    tones.paste(255, (0, 0, 16, 64))
    tones.paste(128, (16, 0, 48, 64))

    def filled(**given: Any) -> NDArray[np.int16]:
        values = {**QUICK, "num_inference_steps": 4, **given}
        node = Inpainting(
            model=model(family),
            image=ImageData.of(source),
            mask_image=ImageData.of(mask),
            **values,
        )
        made = node.process(recorder.context).output
        assert isinstance(made, ImageData)
        return np.asarray(made.image.convert("RGB")).astype(np.int16)

    plain, by_tones = filled(), filled(strength_mask=ImageData.of(tones))
    before = np.asarray(source).astype(np.int16)
    assert np.array_equal(plain[:, 32:], before[:, 32:])
    assert np.array_equal(by_tones[:, 48:], before[:, 48:])
    assert not np.array_equal(by_tones[:, 32:48], before[:, 32:48])
    assert not np.array_equal(by_tones[:, :16], plain[:, :16])
    assert recorder.warnings == []


def test_a_model_that_begins_with_noise_alone_says_that_tones_do_not_count(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    node = Inpainting(
        model=model("inpainting"),
        image=ImageData.of(scene(64, 64)),
        mask_image=ImageData.of(tone(255)),
        strength_mask=ImageData.of(tone(128)),
        **QUICK,
    )
    node.process(recorder.context)
    assert "strength_mask is not used: this model begins with noise alone" in recorder.warnings[-1]
