"""
LoRAs, weights, embeddings, layers of the text encoder and second passes, by real pipelines.

Each changes the image, and each of its neutral values makes the bytes of the plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from nodes.huggingface.text_to_image import TextToImage
from nodes.nodetool.input import StringInput
from nodes.nodetool.output import Output
from nodetool_core import Workflow
from tests.nodes.huggingface import tiny_pipelines
from tests.nodes.huggingface.lora_shapes import FOR_ALL
from tests.nodes.huggingface.test_loras import LINEAR, kohya, save_lora, weights
from tests.server.a1111.conftest import PREFIX, asking, images_of, info_of
from tests.server.live import LiveServer

FAMILIES = ("stable_diffusion", "stable_diffusion_xl", "flux")
GIVEN = {"prompt": "a lake", "seed": 7, "steps": 2, "width": 64, "height": 64, "cfg_scale": 5}

Draw = Callable[..., httpx2.Response]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of models as the web UI has it, with tiny ones beside."""
    root = tmp_path_factory.mktemp("webui")
    for name in FAMILIES:
        tiny_pipelines.save(tiny_pipelines.BUILDERS[name], root / name)
    (root / "models" / "Lora" / "styles").mkdir(parents=True)
    weight = load_file(weights(str(root / "stable_diffusion"), "unet"))[f"{LINEAR}.weight"]
    tensors, _ = FOR_ALL["lora"](np.random.default_rng(1), weight)
    for path in ("night", "styles/day"):
        save_lora(root / "models" / "Lora" / f"{path}.safetensors", {kohya(LINEAR): tensors})
    (root / "models" / "embeddings").mkdir()
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(5))
    save_file({"emb_params": vectors}, root / "models" / "embeddings" / "misty.safetensors")
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    models = tuple(str(folder / name) for name in FAMILIES)
    made = TextToImage(
        model={"type": "hf.model", "repo_id": models[0]},
        prompt=StringInput(name="prompt").output,
        seed=7,
        num_inference_steps=2,
        width=64,
        height=64,
    )
    workflow = Workflow(Output(name="image", value=made.output))
    with LiveServer(
        folder,
        {"drawn": workflow},
        models=models,
        models_dir=(str(folder),),
        device="cpu",
        preload=False,
        max_pixels=10**6,
    ) as live:
        yield live


@pytest.fixture
def draw(server: LiveServer, folder: Path) -> Iterator[Draw]:
    with server.client() as client:
        ask = asking(client)

        def draw(model: str = "stable_diffusion", **body: Any) -> httpx2.Response:
            return ask(str(folder / model) if model != "drawn" else model, **GIVEN | body)

        yield draw


def pixels(response: httpx2.Response) -> bytes:
    (image,) = images_of(response)
    return image.tobytes()


def notes(response: httpx2.Response) -> str:
    return " ".join(response.json().get("warnings", ()))


NEUTRAL = [
    {"prompt": "a lake<lora:night:0>"},
    {"prompt": "a (lake:1.0)"},
    {"clip_skip": 1},
    {"override_settings": {"CLIP_stop_at_last_layers": 1}},
    {"subseed": 5, "seed_resize_from_w": 0},
    {"enable_hr": False, "hr_scale": 4, "hr_upscaler": "Latent", "denoising_strength": 0.7},
]
CHANGED = [
    {"prompt": "a lake <lora:night:1>"},
    {"prompt": "a lake <lora:day:-1:0.5>"},
    {"prompt": "a (lake:1.5)"},
    {"prompt": "a lake", "negative_prompt": "(rain:1.4)"},
    {"prompt": "a Misty lake"},
    {"subseed": 5, "subseed_strength": 0.3},
    {"seed_resize_from_w": 32, "seed_resize_from_h": 32},
    {"clip_skip": 2},
    {"override_settings": {"CLIP_stop_at_last_layers": 2}},
]


@pytest.mark.parametrize("model", ["stable_diffusion", "drawn"])
def test_neutral_values_make_the_same_bytes(draw: Draw, model: str) -> None:
    plain = pixels(draw(model))
    for given in NEUTRAL:
        answer = draw(model, **given)
        assert pixels(answer) == plain, given
        assert "not used" not in notes(answer), given


@pytest.mark.parametrize("model", ["stable_diffusion", "drawn"])
def test_each_changes_the_image(draw: Draw, model: str) -> None:
    plain = [pixels(draw(model)), pixels(draw(model, negative_prompt="rain"))]
    made = []
    for given in CHANGED:
        answer = draw(model, **given)
        made.append(pixels(answer))
        assert "not used" not in notes(answer), given
    assert made[-1] == made[-2], "an option and a field of one meaning"
    assert len({*plain, *made}) == len(plain) + len(made) - 1


def test_what_an_image_is_made_with_is_in_its_text(draw: Draw, server: LiveServer) -> None:
    answer = draw(prompt="a (misty:1.2) lake <lora:night:0.8>", clip_skip=2)
    info = info_of(answer)
    assert info["clip_skip"] == 2
    first, last = info["infotexts"][0].split("\n")
    assert first == "a (misty:1.2) lake <lora:night:0.8>"
    assert "Clip skip: 2" in last
    with server.client() as client:
        given = {"infotext": info["infotexts"][0]}
        assert pixels(client.post(f"{PREFIX}/txt2img", json=given)) == pixels(answer)


def test_images_of_a_request_are_variations_of_one_seed(draw: Draw) -> None:
    answer = draw(batch_size=2, subseed=5, subseed_strength=0.3)
    info, images = info_of(answer), images_of(answer)
    assert (info["all_seeds"], info["all_subseeds"]) == ([info["seed"]] * 2, [5, 6])
    second = draw(infotext=info["infotexts"][1])
    assert images[1].tobytes() == pixels(second) != images[0].tobytes()


def test_a_variation_that_was_drawn_makes_the_image_again(draw: Draw) -> None:
    answer = draw(subseed_strength=0.3, enable_hr=True, hr_scale=1.5, denoising_strength=0.5)
    again = draw(infotext=info_of(answer)["infotexts"][0])
    assert info_of(answer)["subseed"] >= 0 and pixels(answer) == pixels(again)


def test_networks_that_there_are_not_are_noted(draw: Draw) -> None:
    answer = draw(prompt="a lake <lora:nothing:1> <hypernet:night:1> <lora:night:0:0:9>")
    assert pixels(answer) == pixels(draw())
    assert "lora:nothing in prompt is not used here" in notes(answer)
    assert "hypernet:night in prompt is not used here" in notes(answer)
    assert "'9' of lora:night in prompt is not used here" in notes(answer)


def test_a_network_of_another_family_is_refused(draw: Draw) -> None:
    refused = draw("flux", prompt="a lake <lora:night:1>")
    assert refused.status_code == 422, refused.text
    assert "night.safetensors" in refused.json()["errors"]


def test_a_model_that_reads_no_weights_reads_texts(draw: Draw) -> None:
    answer = draw("flux", prompt="a (lake:1.5) with a misty hill")
    assert "reads its prompts as they stand" in notes(answer)
    assert pixels(answer) != pixels(draw("flux"))


def test_layers_that_a_family_leaves_out_anyway_are_not_counted(draw: Draw) -> None:
    xl = [pixels(draw("stable_diffusion_xl", clip_skip=layer)) for layer in (1, 2, 3)]
    assert xl[0] == xl[1] != xl[2]


@pytest.mark.slow
def test_a_second_pass(draw: Draw) -> None:
    plain = draw()
    again = {"enable_hr": True, "denoising_strength": 0.5, "hr_upscaler": "Lanczos"}
    made = draw(**again, hr_scale=2)
    (image,) = images_of(made)
    assert image.size == (128, 128)
    enlarged = images_of(plain)[0].resize((128, 128), 1)
    assert image.tobytes() != enlarged.tobytes()
    unchanged = draw(**again | {"denoising_strength": 0}, hr_scale=2)
    assert pixels(unchanged) == enlarged.tobytes()
    others = [
        {"hr_prompt": "a hill"},
        {"hr_negative_prompt": "rain"},
        {"hr_second_pass_steps": 4},
        {"hr_sampler_name": "Euler a"},
        {"hr_cfg": 9},
        {"denoising_strength": 0.8},
        {"hr_upscaler": "Nearest"},
        {"prompt": "a lake <lora:night:1>"},
    ]
    found = [pixels(draw(**again | {"hr_scale": 2} | given)) for given in others]
    assert len({image.tobytes(), *found}) == 1 + len(found)
    last = info_of(made)["infotexts"][0].split("\n").pop()
    for text in ("Size: 64x64", "Denoising strength: 0.5", "Hires upscale: 2", "Lanczos"):
        assert text in last
    assert pixels(draw(infotext=info_of(made)["infotexts"][0])) == image.tobytes()


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"hr_resize_x": 96, "hr_resize_y": 128}, (96, 128)),
        ({"hr_resize_x": 96}, (96, 96)),
        ({"hr_resize_y": 128, "hr_scale": 4}, (128, 128)),
        ({"hr_scale": 1.5}, (96, 96)),
    ],
)
def test_the_size_of_a_second_pass(draw: Draw, given: dict[str, Any], size: Any) -> None:
    (image,) = images_of(draw(enable_hr=True, denoising_strength=0, **given))
    assert image.size == size


def test_second_passes_that_can_not_be(draw: Draw) -> None:
    assert draw(enable_hr=True, hr_scale=60).status_code == 422
    assert draw(enable_hr=True, hr_upscaler="nothing").status_code == 404
    latent = draw(enable_hr=True, hr_upscaler="Latent (bicubic)", denoising_strength=0.5)
    assert "and not its latents" in notes(latent)
    assert "enable_hr is not used by drawn" in notes(draw("drawn", enable_hr=True))


def test_lists_of_networks(server: LiveServer) -> None:
    with server.client() as client:
        loras = client.get(f"{PREFIX}/loras").json()
        embeddings = client.get(f"{PREFIX}/embeddings").json()
    assert [one["name"] for one in loras] == ["night", "day"]
    assert all(one.keys() == {"name", "alias", "path", "metadata"} for one in loras)
    assert embeddings["loaded"]["misty"]["vectors"] == 2
    assert embeddings["loaded"]["misty"]["shape"] == 32
    assert embeddings["skipped"] == {}
