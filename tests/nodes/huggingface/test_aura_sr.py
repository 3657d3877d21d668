"""AuraSR: the network, computed as the published code does, and the node that runs it in tiles."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from nodes.huggingface.aura_sr import aura_sr
from nodes.huggingface.aura_sr_config import Configuration, published, shapes
from nodes.huggingface.image_to_image import AuraSR, Upscale
from nodes.huggingface.loaders import LoadUpscaler
from nodes.huggingface.model_kinds import UpscalerModel
from nodes.nodetool.output import Output
from nodetool_core import ImageData, NodeError, RunCancelled, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.sources.hub import Hub
from tests.models.hub_server import HubServer
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from pathlib import Path

TINY: dict[str, Any] = {
    "dim": 4,
    "image_size": 32,
    "input_image_size": 8,
    "style_network": {"dim_in": 6, "dim_out": 10, "depth": 2},
    "up_dim_mults": [1, 2, 4, 8],
    "down_dim_mults": [4, 8],
    "full_attn": [True, False, True, False],
    "attn_depths": [1, 1, 2, 1],
    "self_attn_dim_head": 4,
    "self_attn_heads": 2,
    "mid_attn_depth": 1,
    "num_conv_kernels": 3,
    "skip_connect_scale": 0.4,
    "unconditional": True,
}
"""A network of every kind of layer, with attention on the way down and on the way up."""


def waves(shape: tuple[int, ...], start: int = 0) -> torch.Tensor:
    """Return numbers in -1…1 by a formula, so that they are equal on every machine and version."""
    places = torch.arange(math.prod(shape), dtype=torch.float64) + start
    return torch.sin(places * places * 0.01 + places).float().reshape(shape)


def weights() -> dict[str, torch.Tensor]:
    """
    Return the tiny network's tensors; its images lie within the range, and differ with the noise.
    """
    made = {}
    for place, (name, shape) in enumerate(
        sorted(shapes(Configuration.model_validate(TINY)).items())
    ):
        made[name] = waves(shape, place) * (1 if len(shape) == 2 else math.prod(shape[1:]) ** -0.5)
    made["style_to_conv_modulations.weight"] *= 4
    made["final_to_rgb.weight"] *= 0.1
    made["final_to_rgb.bias"] = torch.full((3,), 0.5)
    return made


def saved(
    directory: Path, tensors: dict[str, torch.Tensor] | None = None, config: Any = TINY
) -> str:
    directory.mkdir(exist_ok=True)
    save_file(weights() if tensors is None else tensors, directory / "model.safetensors")
    if config is not None:
        (directory / "config.json").write_text(json.dumps(config))
    return str(directory)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the directory of the tiny network."""
    return saved(tmp_path_factory.mktemp("aura_sr"))


def enlarge(recorder: Recorder, model: str, image: Image.Image, **properties: Any) -> Image.Image:
    made = AuraSR(model=model, image=ImageData.of(image), **{"seed": 1} | properties).process(
        recorder.context
    )
    assert isinstance(made, ImageData)
    return made.image


# -- the network -----------------------------------------------------------------------------------


def test_it_computes_what_the_published_code_does() -> None:
    tiles, noise = waves((2, 3, 8, 8)) * 0.4 + 0.5, waves((2, 6), 1)
    made = aura_sr(weights(), TINY, "net")(tiles, noise)
    assert made.shape == (2, 3, 32, 32)
    # What the package aura_sr 0.0.4 gives for these tensors, tiles and noise, with nothing added to
    # the tiles.
    expected = [
        [
            [0.842645, 0.924488, 0.921426],
            [0.693612, 0.762355, 0.755007],
            [0.141586, 0.051340, 0.055823],
        ],
        [
            [0.847193, 0.923519, 0.915249],
            [0.698666, 0.763274, 0.758042],
            [0.137192, 0.053269, 0.063842],
        ],
    ]
    assert torch.allclose(made[:, :, 5::9, 7], torch.tensor(expected), atol=1e-5)
    assert made.mean().item() == pytest.approx(
        0.5566956, abs=1e-5
    ) and made.std().item() == pytest.approx(0.3095798, abs=1e-5)


def test_tiles_of_a_batch_do_not_know_of_each_other() -> None:
    network = aura_sr(weights(), TINY, "net")
    tiles, noise = waves((3, 3, 8, 8)) * 0.4 + 0.5, waves((3, 6), 1)
    alone = torch.cat(
        [network(tiles[place : place + 1], noise[place : place + 1]) for place in range(3)]
    )
    assert torch.allclose(network(tiles, noise), alone, atol=1e-6)
    assert (network(tiles, noise.flip(0)) - alone).abs().max() > 1e-3


def test_the_published_networks_have_618_million_parameters() -> None:
    known = shapes(published())
    assert sum(map(math.prod, known.values())) == 617_554_917 and published().scale == 4
    assert known["init_conv.weight"] == (128, 3, 7, 7)
    assert known["mid_block1.block1.proj.weights"] == (4, 1024, 1024, 3, 3)
    assert known["ups.0.0.0.block1.proj.weights"] == (4, 512, 1024, 3, 3) and known[
        "ups.0.0.5.res_conv.weight"
    ] == (512, 1024, 1, 1)
    assert (
        known["ups.0.1.1.layers.3.0.attend.scale"] == (1,)
        and "ups.2.1.1.layers.0.0.norm.g" not in known
    )
    assert known["style_network.net.6.bias"] == (512,)


def test_without_a_config_it_is_the_published_network() -> None:
    known = published()
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes(known).items()}
    stated = {
        "style_network": {"dim_in": 128, "dim_out": 512, "depth": 4},
        "dim": 64,
        "image_size": 256,
        "input_image_size": 64,
    }
    stated |= {"unconditional": True, "skip_connect_scale": 0.4}
    assert aura_sr(tensors, {}, "net").config == aura_sr(tensors, stated, "net").config == known


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dim": None}, "dim: "),
        ({"dim": 8}, "init_conv.weight is (8, 3, 7, 7), not (16, 3, 7, 7); "),
        ({"style_network": {"depth": 0}}, "style_network.depth: "),
        (
            {"style_network": {"dim_in": 6, "dim_out": 10, "depth": 3}},
            "style_network.net.4.weight is missing",
        ),
        (
            {"style_network": {"dim_in": 6, "dim_out": 10, "depth": 1}},
            "style_network.net.2.weight is unknown",
        ),
        (
            {"style_network": {"dim_in": 7, "dim_out": 10, "depth": 2}},
            "style_network.net.0.weight is (10, 6), not (10, 7)",
        ),
        ({"down_dim_mults": [2, 8]}, "down_dim_mults are not the last of up_dim_mults"),
        ({"attn_depths": [1]}, "not as many as up_dim_mults (4)"),
        ({"image_size": 64}, "image_size 64 can't be had from input_image_size 8"),
        (
            {"input_image_size": 2, "image_size": 8},
            "image_size 8 can't be had from input_image_size 2",
        ),
    ],
)
def test_a_config_that_does_not_fit_is_refused_with_the_reason(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(NodeError) as caught:
        aura_sr(weights(), TINY | change, "net")
    problem = caught.value.problem
    assert said in problem.message and "'net'" in problem.message, problem.message
    assert (problem.code, problem.where) == (
        "model_unfit",
        "model",
    ) and "config.json" in problem.hint


# -- the node --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (1, 1), (3, 20)])
@pytest.mark.parametrize("overlap", [True, False])
def test_images_of_every_size_become_four_times_as_large(
    size: tuple[int, int], overlap: bool, tiny: str, recorder: Recorder
) -> None:
    result = enlarge(recorder, tiny, scene(*size), overlap=overlap)
    assert (result.size, result.mode) == ((4 * size[0], 4 * size[1]), "RGB")
    assert recorder.warnings == []


@pytest.mark.parametrize(
    ("mode", "expected"), [("L", "RGB"), ("P", "RGB"), ("LA", "RGBA"), ("RGBA", "RGBA")]
)
def test_images_of_every_mode(mode: str, expected: str, tiny: str, recorder: Recorder) -> None:
    image = scene(10, 10).convert(mode)
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize((10, 10)))
    result = enlarge(recorder, tiny, image)
    assert (result.size, result.mode) == ((40, 40), expected) and recorder.warnings == []
    if "A" in mode:
        assert (
            result.getchannel("A").getpixel((0, 0))
            < 30
            < 220
            < result.getchannel("A").getpixel((39, 39))
        )


def test_the_seed_says_what_is_painted(tiny: str, recorder: Recorder) -> None:
    first = enlarge(recorder, tiny, scene(20, 20))
    assert enlarge(recorder, tiny, scene(20, 20)).tobytes() == first.tobytes()
    assert enlarge(recorder, tiny, scene(20, 20), seed=2).tobytes() != first.tobytes()
    one_by_one = enlarge(recorder, tiny, scene(20, 20), batch_size=1)
    assert np.abs(np.asarray(first).astype(int) - np.asarray(one_by_one)).max() <= 1


def test_what_is_seen_is_the_tile_beside_its_noise(tiny: str, recorder: Recorder) -> None:
    """Without a second layer, the node gives what the network gives."""
    image = scene(8, 8)
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(6, generator=generator)
    seen = torch.from_numpy(np.asarray(image, np.float32) / 255).movedim(-1, 0)
    seen = (seen + torch.randn(3, 8, 8, generator=generator) * 0.001).clamp(0, 1)
    made = aura_sr(weights(), TINY, "net")(seen[None], noise[None])[0].clamp(0, 1)
    expected = (made.movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(
        np.asarray(enlarge(recorder, tiny, image, seed=7, overlap=False)), expected
    )


def seams(image: Image.Image) -> float:
    """Return how much more neighbours differ across the edges of tiles than beside them."""
    pixels = np.asarray(image, np.float32)
    steps = np.abs(np.diff(pixels, axis=1)).mean(axis=(0, 2))
    edges = np.arange(31, len(steps), 32)
    return float(steps[edges].mean() - np.delete(steps, edges).mean())


def test_where_tiles_overlap_their_edges_do_not_show(tiny: str, recorder: Recorder) -> None:
    flat = Image.new("RGB", (48, 48), (120, 160, 90))
    plain, blended = (
        seams(enlarge(recorder, tiny, flat, overlap=overlap)) for overlap in (False, True)
    )
    assert plain > 2 and blended < plain / 4, (plain, blended)


def test_progress_counts_tiles_and_a_cancel_ends_it_between_batches(
    tiny: str, recorder: Recorder
) -> None:
    enlarge(recorder, tiny, scene(20, 10), batch_size=4)
    # 3 by 2 tiles, and 3 by 2 shifted ones: what lies beyond the image is not computed.
    assert recorder.steps == [(4, 12), (8, 12), (12, 12)]
    recorder.events.clear()
    recorder.cancel_at = (8, 12)
    with pytest.raises(RunCancelled):
        enlarge(recorder, tiny, scene(20, 10), batch_size=4)
    assert recorder.steps == [(4, 12), (8, 12)]


def test_it_computes_in_the_number_format_that_the_model_names(
    tiny: str, recorder: Recorder
) -> None:
    coarse = AuraSR(
        model=UpscalerModel(repo_id=tiny, dtype="bfloat16"), image=ImageData.of(scene(8, 8)), seed=1
    ).process(recorder.context)
    assert isinstance(coarse, ImageData)
    difference = np.abs(
        np.asarray(coarse.image).astype(int) - np.asarray(enlarge(recorder, tiny, scene(8, 8)))
    )
    assert 0 < difference.max() < 16


# -- the weights -----------------------------------------------------------------------------------


def test_weights_are_kept_between_runs_and_let_go_of(tiny: str) -> None:
    manager = ModelManager(device="cpu")
    recorder = Recorder(manager)
    results = []
    for expected in (1, 1, 2):
        results.append(enlarge(recorder, tiny, scene(8, 8)).tobytes())
        assert manager.loads == expected
        if len(results) == 2:
            assert [model.bytes for model in manager.loaded()] == [
                4 * sum(map(math.prod, shapes(Configuration.model_validate(TINY)).values()))
            ]
            manager.free()
            assert manager.loaded() == []
    assert len(set(results)) == 1


def test_of_a_repository_the_safe_file_and_its_config_are_fetched(
    tiny: str, tmp_path: Path
) -> None:
    image = scene(8, 8)
    with HubServer() as server:
        files = {
            name: (tmp_path / name).read_bytes()
            for name in ("model.safetensors", "config.json")
            if saved(tmp_path)
        }
        server.repositories["fal/AuraSR-v2"] = files | {
            "model.ckpt": b"pickle",
            "README.md": b"# AuraSR",
        }
        recorder = Recorder(
            ModelManager(device="cpu", hub=Hub(tmp_path / "cache", server.endpoint))
        )
        made = AuraSR(image=ImageData.of(image), seed=1).process(recorder.context)
        assert sorted(server.fetched) == ["config.json", "model.safetensors"]
    assert isinstance(made, ImageData)
    assert (
        made.image.tobytes() == enlarge(Recorder(ModelManager(device="cpu")), tiny, image).tobytes()
    )


def test_what_can_not_be_used_is_refused(tmp_path: Path, recorder: Recorder) -> None:
    def refused(model: str, code: str, said: str) -> None:
        with pytest.raises((NodeError, ModelError)) as caught:
            enlarge(recorder, model, scene(8, 8))
        assert caught.value.problem.code == code and said in str(caught.value), caught.value
        assert caught.value.problem.hint

    whole = saved(tmp_path / "whole")
    refused(f"{whole}/model.safetensors", "model_unfit", "no config.json beside its tensors")
    refused(
        saved(tmp_path / "alone", config=None), "model_unfit", "no config.json beside its tensors"
    )
    refused(
        saved(tmp_path / "other", {"conv_first.weight": torch.zeros(4, 3, 3, 3)}),
        "model_unfit",
        "not those of AuraSR",
    )
    refused(saved(tmp_path / "listed", config=[]), "model_incomplete", "holds no JSON object")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "model.ckpt").write_bytes(b"pickle")
    refused(str(tmp_path / "pickled"), "model_pickled", "only safetensors are loaded")
    refused(
        str(tmp_path / "pickled" / "model.ckpt"), "model_pickled", "only safetensors are loaded"
    )
    with pytest.raises(NodeError) as caught:
        AuraSR(model=whole).process(recorder.context)
    assert caught.value.problem.code == "missing_image"


def test_the_other_node_says_which_one_takes_it(tiny: str, recorder: Recorder) -> None:
    with pytest.raises(NodeError) as caught:
        Upscale(image=ImageData.of(scene(8, 8)), model=tiny).process(recorder.context)
    assert "AuraSR" in caught.value.problem.hint


def test_in_a_workflow_the_same_seed_is_a_hit(tiny: str, manager: ModelManager) -> None:
    with Engine(models=manager) as engine:

        def run(seed: int) -> Any:
            network = LoadUpscaler(repo_id=tiny)
            large = AuraSR(image=ImageData.of(scene(8, 8)), model=network.output, seed=seed)
            return Workflow(Output(name="image", value=large.output), engine=engine).run()

        first, again, other = run(1), run(1), run(2)
    assert first.warnings == [] and first["image"].image.size == (32, 32)
    assert again.hits and again["image"] == first["image"]
    assert other["image"].image.tobytes() != first["image"].image.tobytes()
