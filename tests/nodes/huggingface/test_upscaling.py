"""Enlarging: networks read from tensors, diffusion upscalers, tiled refinement."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

import nodes.huggingface
from nodes._geometry import check_size, longest_side_of
from nodes.huggingface.image_to_image import (
    DiffusionUpscale,
    ImageToImage,
    TiledRefinement,
    Upscale,
    VAEDecode,
    VAEEncode,
)
from nodes.huggingface.upscalers import load_upscaler
from nodetool_core import ImageData, ImageToImageModel, NodeError, RunCancelled
from nodetool_core.errors import ModelError
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nodetool_core import Node
    from nodetool_core.models.manager import ModelManager


def made_by(node: Node, recorder: Recorder) -> Image.Image:
    result: Any = node.process(recorder.context)  # type: ignore[attr-defined]
    result = getattr(result, "output", result)
    assert isinstance(result, ImageData)
    return result.image


def rrdb(
    depth: int = 2, width: int = 6, growth: int = 4, fed: int = 3, ups: int = 2
) -> dict[str, torch.Tensor]:
    """Return the tensors of an RRDBNet with random numbers, under its published names."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "conv_first": (width, fed),
        "conv_body": (width, width),
        "conv_hr": (width, width),
        "conv_last": (3, width),
    }
    shapes |= {f"conv_up{number}": (width, width) for number in range(1, ups + 1)}
    for block in range(depth):
        for dense in (1, 2, 3):
            for conv in range(1, 6):
                shapes[f"body.{block}.rdb{dense}.conv{conv}"] = (
                    growth if conv < 5 else width,
                    width + (conv - 1) * growth,
                )
    tensors = {
        f"{name}.weight": torch.randn(*shape, 3, 3, generator=generator) * 0.1
        for name, shape in shapes.items()
    }
    return tensors | {
        f"{name}.bias": torch.randn(shape[0], generator=generator) * 0.1
        for name, shape in shapes.items()
    }


def compact(scale: int = 4, width: int = 8) -> dict[str, torch.Tensor]:
    """Return the tensors of a compact network that adds nothing to the image, but for a bias."""
    body = nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.PReLU(width),
        nn.Conv2d(width, width, 3),
        nn.PReLU(width),
        nn.Conv2d(width, 3 * scale**2, 3),
    )
    nn.init.zeros_(body[-1].weight)
    nn.init.zeros_(body[-1].bias)
    return {f"body.{key}": tensor for key, tensor in body.state_dict().items()}


def espcn(channels: int, scale: int = 3) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = {
            "conv1": nn.Conv2d(channels, 6, 5),
            "conv2": nn.Conv2d(6, 4, 3),
            "conv10": nn.Conv2d(4, channels * scale**2, 3),
        }
    return {
        f"{name}.{key}": tensor
        for name, layer in layers.items()
        for key, tensor in layer.state_dict().items()
    }


def old_names(tensors: dict[str, torch.Tensor], depth: int = 2) -> dict[str, torch.Tensor]:
    fixed = {
        "conv_first": "model.0",
        "conv_body": f"model.1.sub.{depth}",
        "conv_up1": "model.3",
        "conv_up2": "model.6",
    }
    fixed |= {"conv_hr": "model.8", "conv_last": "model.10"}
    renamed = {}
    for key, tensor in tensors.items():
        stem, _, kind = key.rpartition(".")
        parts = stem.split(".")
        inner = (
            f"model.1.sub.{parts[1]}.RDB{parts[2][-1]}.conv{parts[3][-1]}.0"
            if parts[0] == "body"
            else fixed[stem]
        )
        renamed[f"{inner}.{kind}"] = tensor
    return renamed


def saved(tensors: dict[str, torch.Tensor], path: Path) -> str:
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return str(path)


@pytest.mark.parametrize(
    ("tensors", "scale", "channels"),
    [
        (rrdb(), 4, 3),
        (rrdb(fed=12), 2, 3),
        (rrdb(ups=3), 8, 3),
        (compact(2), 2, 3),
        (compact(4), 4, 3),
        (espcn(3), 3, 3),
        (espcn(1, 2), 2, 1),
    ],
    ids=[
        "rrdb x4",
        "rrdb x2",
        "rrdb x8",
        "compact x2",
        "compact x4",
        "espcn",
        "espcn on brightness",
    ],
)
def test_networks_are_told_by_their_tensors(
    tensors: dict[str, torch.Tensor], scale: int, channels: int, tmp_path: Path, recorder: Recorder
) -> None:
    network = load_upscaler(tensors, "net")
    assert (network.scale, network.channels) == (scale, channels)
    pixels = torch.rand(1, channels, 12, 8, generator=torch.Generator().manual_seed(0))
    assert network.module(pixels).shape == (1, channels, 12 * scale, 8 * scale)
    result = made_by(
        Upscale(
            image=ImageData.of(scene(9, 14)), model=saved(tensors, tmp_path / "net.safetensors")
        ),
        recorder,
    )
    assert (result.size, result.mode) == ((9 * scale, 14 * scale), "RGB")


def test_an_rrdb_computes_what_its_paper_says() -> None:
    tensors = rrdb(depth=1)

    def conv(name: str, pixels: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(
            pixels, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=1
        )

    def dense(name: str, pixels: torch.Tensor) -> torch.Tensor:
        seen = [pixels]
        for index in range(1, 5):
            seen.append(functional.leaky_relu(conv(f"{name}.conv{index}", torch.cat(seen, 1)), 0.2))
        return conv(f"{name}.conv5", torch.cat(seen, 1)) * 0.2 + pixels

    pixels = torch.rand(1, 3, 7, 5, generator=torch.Generator().manual_seed(0))
    first = conv("conv_first", pixels)
    made = first
    for index in (1, 2, 3):
        made = dense(f"body.0.rdb{index}", made)
    made = first + conv("conv_body", made * 0.2 + first)
    for up in (1, 2):
        made = functional.leaky_relu(
            conv(f"conv_up{up}", functional.interpolate(made, scale_factor=2)), 0.2
        )
    expected = conv("conv_last", functional.leaky_relu(conv("conv_hr", made), 0.2))
    assert torch.allclose(load_upscaler(tensors, "net").module(pixels), expected, atol=1e-6)


def test_older_names_and_prefixes_mean_the_same() -> None:
    pixels = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = load_upscaler(rrdb(), "net").module(pixels)
    for tensors in (
        old_names(rrdb()),
        {f"params_ema.{key}": tensor for key, tensor in rrdb().items()},
    ):
        assert torch.equal(load_upscaler(tensors, "net").module(pixels), expected)


def test_a_compact_network_adds_to_the_image(tmp_path: Path, recorder: Recorder) -> None:
    image = scene(21, 17)
    result = made_by(
        Upscale(image=ImageData.of(image), model=saved(compact(), tmp_path / "net.safetensors")),
        recorder,
    )
    assert result.tobytes() == image.resize((84, 68), Image.Resampling.NEAREST).tobytes()


FLAT = [*itertools.product((0, 255), repeat=3), (200, 30, 90), (90, 10, 250), (128, 128, 128)]


@pytest.mark.parametrize("colour", FLAT)
def test_m20_the_network_that_ships_keeps_flat_colours_flat(
    colour: tuple[int, int, int], recorder: Recorder
) -> None:
    flat = ImageData.of(Image.new("RGB", (24, 24), colour))
    shipped = str(Path(nodes.huggingface.__file__).parent / "weights" / "tiny-upscaler")
    enlarged = np.asarray(made_by(Upscale(image=flat, model=shipped), recorder), int)
    away = np.abs(enlarged - np.array(colour))
    assert away[16:-16, 16:-16].max() <= 2 and away.max() <= 6


@pytest.mark.parametrize("channels", [1, 3])
def test_no_seam_shows_where_tiles_see_enough(
    channels: int, tmp_path: Path, recorder: Recorder
) -> None:
    model = saved(espcn(channels), tmp_path / "net.safetensors")
    whole, tiled = (
        made_by(
            Upscale(image=ImageData.of(scene(70, 50)), model=model, tile_size=side, tile_overlap=6),
            recorder,
        )
        for side in (128, 16)
    )
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(tiled)).max() <= 1
    assert recorder.steps[-1] == (20, 20)


def test_m10_what_can_not_be_read_again_is_refused_before_the_first_tile(
    tmp_path: Path, recorder: Recorder
) -> None:
    photo, model = (
        ImageData.of(Image.new("RGB", (4000, 3000))),
        saved(compact(), tmp_path / "net.safetensors"),
    )
    for node in (Upscale(image=photo, model=model), TiledRefinement(image=photo, scale=4.0)):
        with pytest.raises(NodeError, match="would have 16000 x 12000 pixels") as caught:
            made_by(node, recorder)
        assert caught.value.problem.hint
    assert recorder.steps == []
    with pytest.raises(NodeError, match="Set longest_side to at most 11547"):
        made_by(Upscale(image=photo, model=model, longest_side=16_000), recorder)
    assert longest_side_of((4000, 3000)) == 11_547 and check_size(11_547, round(11_547 * 0.75))


@pytest.mark.parametrize("longest_side", [90, 141, 279, 280, 300, 60])
@pytest.mark.parametrize("tile_size", [16, 31, 128])
def test_m10_a_size_of_the_result(
    longest_side: int, tile_size: int, tmp_path: Path, recorder: Recorder
) -> None:
    image, model = scene(70, 50), saved(espcn(3, 4), tmp_path / "net.safetensors")
    whole = made_by(Upscale(image=ImageData.of(image), model=model, tile_overlap=6), recorder)
    node = Upscale(
        image=ImageData.of(image),
        model=model,
        longest_side=longest_side,
        tile_size=tile_size,
        tile_overlap=6,
    )
    result = made_by(node, recorder)
    assert result.size == (longest_side, round(longest_side * 50 / 70))
    expected = whole.resize(result.size, Image.Resampling.LANCZOS)
    # Pillow resamples rows or columns first, whatever is cheaper, and rounds between.
    away = np.abs(np.asarray(result).astype(int) - np.asarray(expected))
    assert away.max() <= 12 and away.mean() < 0.5, "no seam"
    assert bool(recorder.warnings) == (longest_side in (300, 60))


def test_transparency_is_enlarged_along(tmp_path: Path, recorder: Recorder) -> None:
    image = scene(10, 10).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((10, 10)))
    result = made_by(
        Upscale(image=ImageData.of(image), model=saved(compact(), tmp_path / "net.safetensors")),
        recorder,
    )
    assert (result.mode, result.size) == ("RGBA", (40, 40))
    assert (
        result.getchannel("A").getpixel((0, 0))
        < 30
        < 220
        < result.getchannel("A").getpixel((39, 39))
    )
    assert recorder.warnings == []


def test_enlarging_ends_when_cancelled(tmp_path: Path, recorder: Recorder) -> None:
    recorder.cancel_at = (1, 4)
    with pytest.raises(RunCancelled):
        made_by(
            Upscale(
                image=ImageData.of(scene(32, 32)),
                model=saved(compact(), tmp_path / "net.safetensors"),
                tile_size=16,
            ),
            recorder,
        )
    assert recorder.steps == [(1, 4)]


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"weight": torch.zeros(3, 3)},
        {"conv_first.weight": torch.zeros(4, 3, 3, 3)},
        {"body.0.weight": torch.zeros(5, 3, 3, 3)},
    ],
)
def test_other_tensors_are_refused(tensors: dict[str, torch.Tensor]) -> None:
    with pytest.raises(NodeError) as caught:
        load_upscaler(tensors, "net")
    assert caught.value.problem.code == "model_unfit"


@pytest.mark.parametrize(("family", "factor"), [("upscale", 2), ("latent_upscale", 2)])
def test_diffusion_upscalers_enlarge(
    family: str, factor: int, model: Callable[[str], str], recorder: Recorder, manager: ModelManager
) -> None:
    def enlarge(**properties: Any) -> Image.Image:
        values = {"num_inference_steps": 2, "seed": 1} | properties
        node = DiffusionUpscale(
            model=ImageToImageModel(repo_id=model(family)),
            image=ImageData.of(scene(32, 24)),
            **values,
        )
        return made_by(node, recorder)

    result = enlarge(prompt="a lake")
    assert (result.size, result.mode) == ((32 * factor, 24 * factor), "RGB")
    assert [step for step in recorder.steps if step[1] == 2] == [(1, 2), (2, 2)]
    assert enlarge(prompt="a lake").tobytes() == result.tobytes()
    for change in ({"seed": 2}, {"prompt": "a sea"}, {"guidance_scale": 3.0}):
        assert enlarge(**{"prompt": "a lake"} | change).tobytes() != result.tobytes(), change
    assert recorder.warnings == []
    enlarge(noise_level=100)
    assert any("noise_level is not used" in warning for warning in recorder.warnings) == (
        family == "latent_upscale"
    )


def test_latent_super_resolution_enlarges_what_it_sees_without_a_prompt(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    def enlarge(**properties: Any) -> Image.Image:
        values = {"num_inference_steps": 2, "seed": 1, "guidance_scale": 1.0} | properties
        ref = ImageToImageModel(repo_id=model("latent_super_resolution"))
        values = {"image": ImageData.of(scene(64, 32))} | values
        node = DiffusionUpscale(model=ref, **values)
        return made_by(node, recorder)

    result = enlarge()
    assert (result.size, result.mode) == ((128, 64), "RGB")
    assert recorder.steps == [(1, 2), (2, 2)]
    assert [warning.partition(":")[0] for warning in recorder.warnings] == [
        "guidance_scale is not used"
    ]
    assert enlarge(seed=2).tobytes() != result.tobytes()
    assert enlarge(image=ImageData.of(scene(64, 32).rotate(180))).tobytes() != result.tobytes()
    enlarge(prompt="a lake")
    assert any("prompt is not used" in warning for warning in recorder.warnings)


def test_a_model_for_something_else_is_refused(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(ModelError, match="can't be used for upscaling"):
        made_by(
            DiffusionUpscale(
                model=ImageToImageModel(repo_id=model("stable_diffusion")),
                image=ImageData.of(scene()),
            ),
            recorder,
        )


def test_refinement_covers_more_than_the_model_can_take(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    def refine(**properties: Any) -> Image.Image:
        values = {"num_inference_steps": 4, "strength": 0.5, "seed": 1} | properties
        return made_by(
            TiledRefinement(
                model=ImageToImageModel(repo_id=model("stable_diffusion")),
                image=ImageData.of(scene(60, 40)),
                **values,
            ),
            recorder,
        )

    result = refine(scale=2.0)
    assert (result.size, result.mode) == ((120, 80), "RGB")
    # Native tiles are 64 by 64; three across and two down, two steps each.
    assert recorder.steps == [(done, 12) for done in range(1, 13)]
    assert refine(scale=2.0).tobytes() == result.tobytes()
    assert refine(scale=2.0, seed=2).tobytes() != result.tobytes()
    assert refine(scale=0.5).size == (30, 20)
    assert [warning for warning in recorder.warnings if "resized" not in warning] == []


def test_what_is_true_of_all_tiles_is_told_once(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    node = TiledRefinement(
        model=ImageToImageModel(repo_id=model("told_guidance")),
        image=ImageData.of(scene(64, 64)),
        prompt="lake " * 60,
        negative_prompt="fog",
        num_inference_steps=2,
        strength=0.5,
        seed=1,
    )
    made_by(node, recorder)
    assert recorder.steps[-1] == (9, 9)
    assert len(recorder.warnings) == 2, recorder.warnings
    assert any("negative_prompt is not used" in warning for warning in recorder.warnings)
    assert any("is cut off" in warning for warning in recorder.warnings)


@pytest.mark.parametrize(
    "family",
    ["stable_diffusion", "stable_diffusion_xl", pytest.param("flux", marks=pytest.mark.slow)],
)
def test_latents_of_a_call_decode_to_its_image(
    family: str, model: Callable[[str], str], recorder: Recorder
) -> None:
    made = ImageToImage(
        model=model(family), image=ImageData.of(scene(128, 128)), num_inference_steps=2, seed=1
    ).process(recorder.context)
    decoded = made_by(VAEDecode(model=model(family), latents=made.latents), recorder)
    assert isinstance(made.output, ImageData) and decoded.size == made.output.image.size
    assert np.abs(np.asarray(decoded).astype(int) - np.asarray(made.output.image)).max() <= 1


def test_encoding_and_decoding_undo_each_other_in_size(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    repo_id = model("stable_diffusion")
    latents = (
        VAEEncode(model=repo_id, image=ImageData.of(scene(33, 21))).process(recorder.context).output
    )
    assert latents.samples.shape == (1, 4, 10, 16)
    again = (
        VAEEncode(model=repo_id, image=ImageData.of(scene(33, 21))).process(recorder.context).output
    )
    assert torch.equal(latents.samples, again.samples)
    assert made_by(VAEDecode(model=repo_id, latents=latents), recorder).size == (32, 20)


def test_latents_that_do_not_fit_are_refused(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    latents = (
        VAEEncode(model=model("stable_diffusion"), image=ImageData.of(scene(32, 32)))
        .process(recorder.context)
        .output
    )
    with pytest.raises(NodeError, match="4 channels, and the autoencoder takes 1"):
        made_by(VAEDecode(model=model("flux"), latents=latents), recorder)
    with pytest.raises(NodeError) as caught:
        made_by(VAEDecode(model=model("flux"), latents=None), recorder)
    assert caught.value.problem.code == "missing_latents"
