"""Noise of two seeds, and noise of an image of another size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image, ImageChops, ImageStat

from nodes.huggingface.image_to_image import ImageToImage, Inpainting
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, Node
from nodetool_core.models.diffusers.mixed_noise import MixedGenerator, mixing, slerp
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

START = ImageData.of(Image.linear_gradient("L").resize((64, 64)).convert("RGB"))
MASK = ImageData.of(Image.new("L", (64, 64), "white"))
NODES: Sequence[tuple[type[Node], dict[str, Any]]] = (
    (TextToImage, {"width": 64, "height": 64}),
    (ImageToImage, {"image": START, "strength": 0.5}),
    (Inpainting, {"image": START, "mask_image": MASK}),
)


def made(recorder: Recorder, kind: type[Node], model: str, **properties: Any) -> list[Image.Image]:
    values = {"model": model, "prompt": "a lake", "num_inference_steps": 2, "seed": 1}
    node: Any = kind(**values | properties)
    return [one.image for one in node.process(recorder.context).images]


def distance(first: Image.Image, second: Image.Image) -> float:
    means: list[float] = ImageStat.Stat(ImageChops.difference(first, second)).mean
    return sum(means)


@pytest.mark.parametrize(("kind", "given"), NODES)
@pytest.mark.parametrize("scheduler", ["default", "EulerAncestralDiscreteScheduler"])
def test_the_share_of_the_other_seed_goes_from_none_to_all(
    kind: type[Node],
    given: dict[str, Any],
    scheduler: str,
    model: Callable[[str], str],
    recorder: Recorder,
) -> None:
    def of(share: float, **more: Any) -> Image.Image:
        varied = {"variation_seed": 2, "variation_strength": share} | more
        model_and = {"model": model("stable_diffusion"), "scheduler": scheduler} | given
        return made(recorder, kind, **model_and, **varied)[0]

    one, other = of(0), of(0, seed=2)
    assert one.tobytes() == of(0, variation_seed=9).tobytes() != other.tobytes()
    assert of(1).tobytes() == other.tobytes()
    little, much = of(0.1), of(0.6)
    assert 0 < distance(one, little) < distance(one, much)
    assert of(0.1).tobytes() == little.tobytes() != of(0.1, variation_seed=3).tobytes()
    assert of(0.5, variation_seed=1).tobytes() == one.tobytes()
    assert recorder.warnings == []


def test_several_images_are_variations_of_one_seed(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    given = {"model": model("stable_diffusion"), "width": 64, "height": 64}
    several = made(
        recorder, TextToImage, **given, variation_seed=5, variation_strength=0.3, num_images=2
    )
    alone = [
        made(recorder, TextToImage, **given, variation_seed=seed, variation_strength=0.3)[0]
        for seed in (5, 6)
    ]
    assert [one.tobytes() for one in several] == [one.tobytes() for one in alone]


def test_tiles_differ_in_noise(model: Callable[[str], str], recorder: Recorder) -> None:
    start = ImageData.of(Image.new("RGB", (128, 64), "grey"))
    (image,) = made(
        recorder,
        ImageToImage,
        model("stable_diffusion"),
        image=start,
        keep_size="tiles",
        strength=1.0,
        variation_strength=0.5,
    )
    assert image.crop((0, 0, 32, 64)).tobytes() != image.crop((96, 0, 128, 64)).tobytes()


def test_noise_of_another_size_is_put_into_the_middle(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    def of(**more: Any) -> Image.Image:
        sized = {"width": 64, "height": 64, "seed_width": 64, "num_inference_steps": 1} | more
        return made(recorder, TextToImage, model("stable_diffusion"), **sized)[0]

    plain = of(seed_width=0)
    assert of().tobytes() == plain.tobytes()
    large, alike = of(width=128, seed_width=0), of(width=128)
    middle = (48, 16, 80, 48)
    reference = plain.crop((16, 16, 48, 48))
    assert distance(alike.crop(middle), reference) < distance(large.crop(middle), reference)
    assert of(seed_width=32, seed_height=128).tobytes() != plain.tobytes()
    assert recorder.warnings == []


def drawn(generator: torch.Generator, *size: int) -> torch.Tensor:
    with mixing(generator):
        return randn_tensor(size, generator=generator)


def test_mixed_noise_has_the_length_of_noise() -> None:
    mixed = drawn(MixedGenerator.of(1, 2, 0.5), 1, 4, 64, 64)
    assert mixed.std().item() == pytest.approx(1, abs=0.02)
    plain = [torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(n)) for n in (1, 2)]
    for one in plain:
        # Halfway on a quarter of a circle: each has a share of 0.71.
        assert (mixed * one).mean().item() == pytest.approx(0.707, abs=0.03)


def test_noise_alike_or_opposed_is_mixed_without_a_division_by_zero() -> None:
    noise = torch.randn(2, 3)
    for other in (noise, -noise, torch.zeros(2, 3)):
        assert slerp(noise, other, 0.3).isfinite().all()
    assert slerp(torch.randn(3), torch.randn(3), 0.3).shape == (3,)
    assert slerp(torch.randn(1, 4, 1, 8), torch.randn(1, 4, 1, 8), 0.3).isfinite().all()


def test_a_generator_that_is_set_back_draws_the_same_again() -> None:
    generator = MixedGenerator.of(1, 2, 0.5)
    state = generator.get_state()
    first = drawn(generator, 2, 4)
    assert not first.equal(drawn(generator, 2, 4))
    generator.set_state(state)
    assert first.equal(drawn(generator, 2, 4))


def test_noise_that_is_drawn_as_a_sequence_has_no_middle() -> None:
    generator = MixedGenerator.of(1, 2, 0, (4, 4))
    drawn(generator, 1, 16, 64)
    assert generator.unused == {"seed_width"}
