"""Hosted models: each provider's wire form, what is sent, and what becomes of it."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from nodes.huggingface.inference import ImageToImage, TextToImage
from nodetool_core import ImageData
from nodetool_core.assets.profiles import in_profile, in_srgb
from tests.assets.images import scene
from tests.assets.profiles import display_p3
from tests.nodes.services import fakes
from tests.nodes.services.conftest import Runs
from tests.nodes.services.fakes import Answer, Services, image_bytes, json_answer

HF_KEY = "hf_" + "k" * 34
TEAL = (0, 128, 128)


def colour_of(image: Any) -> Any:
    return image.image.convert("RGB").getpixel((0, 0))


def test_fal_is_asked_through_its_queue(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "fal-own-key")
    fakes.hub(services, "Qwen/Qwen-Image-Edit", "fal-ai", "fal-ai/qwen-image-edit")
    fakes.fal(services, "fal-ai/qwen-image-edit", states=["IN_QUEUE", "COMPLETED"])
    node = ImageToImage(
        provider="fal-ai",
        model="Qwen/Qwen-Image-Edit",
        image=photo,
        prompt="at night",
        negative_prompt="people",
        num_inference_steps=9,
        guidance_scale=3.5,
        target_width=24,
        target_height=16,
        seed=5,
        extra_parameters={"acceleration": "regular"},
    )
    assert colour_of(run(node)) == TEAL and run.warnings() == []
    [posted] = services.of("POST")
    body = posted.json
    assert posted.authorization == "Key fal-own-key"
    assert {asked.headers["accept-encoding"] for asked in services.asked} == {"identity"}
    assert (
        body["prompt"],
        body["negative_prompt"],
        body["num_inference_steps"],
        body["guidance_scale"],
    ) == ("at night", "people", 9, 3.5)
    assert (body["seed"], body["acceleration"], body["image_size"]) == (
        5,
        "regular",
        {"width": 24, "height": 16},
    )
    assert fakes.data_uri_image(body["image_url"]).size == (40, 30)
    assert any("in queue" in message for message in run.told())


def test_m9_what_is_sent_is_srgb(
    services: Services, run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "fal-own-key")
    fakes.hub(services, "Qwen/Qwen-Image-Edit", "fal-ai", "fal-ai/qwen-image-edit")
    fakes.fal(services, "fal-ai/qwen-image-edit", states=["COMPLETED"])
    wide = in_profile(
        Image.blend(scene(40, 30), Image.new("RGB", (40, 30), "grey"), 0.5), display_p3()
    )
    run(
        ImageToImage(
            provider="fal-ai",
            model="Qwen/Qwen-Image-Edit",
            image=ImageData.of(wide),
            prompt="at night",
        )
    )
    [posted] = services.of("POST")
    assert (
        fakes.data_uri_image(posted.json["image_url"]).tobytes()
        == in_srgb(wide).tobytes()
        != wide.tobytes()
    )


def test_the_hugging_face_token_goes_through_the_router(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", HF_KEY)
    fakes.hub(services, "owner/routed", "fal-ai", "fal-ai/routed")
    fakes.fal(services, "fal-ai/routed", host="router.huggingface.co", prefix="/fal-ai")
    assert (
        colour_of(
            run(
                ImageToImage(
                    provider="fal-ai", model="owner/routed", image=photo, bill_to="my-team"
                )
            )
        )
        == TEAL
    )
    [posted] = services.of("POST")
    assert (
        posted.authorization == f"Bearer {HF_KEY}" and posted.headers["x-hf-bill-to"] == "my-team"
    )
    assert [asked.authorization for asked in services.of("GET", "huggingface.co")] == [
        f"Bearer {HF_KEY}"
    ]
    fetched = [asked for asked in services.asked if asked.path == "/made.png"]
    assert [asked.authorization for asked in fetched] == [""], "the key stays with the service"


def test_replicate(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8-own")
    fakes.hub(services, "owner/kontext", "replicate", "bfl/flux-kontext")
    fakes.replicate(services, "bfl/flux-kontext")
    assert (
        colour_of(
            run(
                ImageToImage(
                    provider="replicate", model="owner/kontext", image=photo, prompt="snow"
                )
            )
        )
        == TEAL
    )
    [posted] = services.of("POST")
    assert posted.headers["prefer"] == "wait" and posted.authorization == "Bearer r8-own"
    assert posted.json["input"]["prompt"] == "snow" and 0 <= posted.json["input"]["seed"] < 2**31


def test_wavespeed(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVESPEED_API_KEY", "ws-own")
    fakes.hub(services, "owner/wave", "wavespeed", "wavespeed-ai/edit")
    fakes.wavespeed(services, "wavespeed-ai/edit")
    assert (
        colour_of(run(ImageToImage(provider="wavespeed", model="owner/wave", image=photo))) == TEAL
    )
    assert [asked.authorization for asked in services.asked if "predictions" in asked.path] == [
        "Bearer ws-own"
    ]


def test_together(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", "together-own")
    fakes.hub(services, "owner/flux", "together", "bfl/FLUX.1-kontext-dev")
    fakes.together(services)
    assert (
        colour_of(
            run(
                ImageToImage(
                    provider="together", model="owner/flux", image=photo, num_inference_steps=4
                )
            )
        )
        == TEAL
    )
    assert services.of("POST")[0].json["steps"] == 4


def test_hf_inference(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", HF_KEY)
    fakes.hub(services, "owner/diffusion", "hf-inference", "owner/diffusion")
    services.route(
        "router.huggingface.co",
        "POST",
        "/hf-inference/models/owner/diffusion",
        Answer(image_bytes()),
    )
    node = ImageToImage(
        provider="hf-inference",
        model="owner/diffusion",
        image=photo,
        prompt="snow",
        use_cache=False,
        seed=3,
    )
    assert colour_of(run(node)) == TEAL
    [posted] = services.of("POST")
    assert posted.json["parameters"] == {"prompt": "snow", "seed": 3}
    assert Image.open(io.BytesIO(base64.b64decode(posted.json["inputs"]))).size == (40, 30)
    assert (posted.headers["x-use-cache"], posted.headers["x-wait-for-model"]) == ("false", "true")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_an_endpoint_gets_the_bytes_where_nothing_is_set(
    services: Services, run: Runs, photo: str, file_format: str
) -> None:
    services.route(
        f"127.0.0.1:{services.port}",
        "POST",
        "/edit",
        Answer(image_bytes("navy", file_format=file_format)),
    )
    made = run(ImageToImage(endpoint=f"{services.url}/edit", image=photo, send_seed=False))
    assert made.image.size == (24, 16) and colour_of(made)[2] > 100
    [posted] = services.of("POST")
    assert posted.authorization == "" and posted.body.startswith(b"\x89PNG")


def test_text_to_image_at_an_endpoint_and_its_key(
    services: Services, run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERENCE_TOKEN_127_0_0_1", "for-this-host")
    monkeypatch.setenv("HF_TOKEN", HF_KEY)
    services.route(
        f"127.0.0.1:{services.port}",
        "POST",
        "/",
        Answer(image_bytes(), headers={"X-HF-Warning": "scheduler is ignored"}),
    )
    node = TextToImage(
        endpoint=services.url + "/",
        prompt="a cat",
        width=256,
        height=128,
        scheduler="DDIM",
        seed=9,
        guidance_scale=2.0,
    )
    assert colour_of(run(node)) == TEAL
    [posted] = services.of("POST")
    assert posted.authorization == "Bearer for-this-host"
    assert posted.json == {
        "inputs": "a cat",
        "parameters": {
            "width": 256,
            "height": 128,
            "scheduler": "DDIM",
            "seed": 9,
            "guidance_scale": 2.0,
        },
    }
    assert any("scheduler is ignored" in warning for warning in run.warnings())
    assert any("made 24 x 16 in place of 256 x 128" in warning for warning in run.warnings())


def test_text_to_image_at_fal(
    services: Services, run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "fal-own-key")
    fakes.hub(services, "owner/dev", "fal-ai", "fal-ai/flux/dev", task="text-to-image")
    services.route(
        "fal.run",
        "POST",
        "/fal-ai/flux/dev",
        json_answer({"images": [{"url": f"{fakes.FAL_RESULTS}/made.png"}]}),
    )
    services.route(
        fakes.FAL_RESULTS.removeprefix("https://"), "GET", "/made.png", Answer(image_bytes())
    )
    assert colour_of(run(TextToImage(model="owner/dev", prompt="a cat"))) == TEAL


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [
        ({"seed": 7}, {"seed": 7}, False),
        ({"seed": 7}, {"seed": 8}, True),
        ({}, {}, True),
        ({"seed": 7, "send_seed": False},) * 2 + (True,),
    ],
    ids=["same seed", "other seed", "drawn seed", "no seed"],
)
def test_an_equal_request_is_paid_for_once_where_it_has_a_seed(
    services: Services,
    run: Runs,
    photo: str,
    first: dict[str, Any],
    second: dict[str, Any],
    differs: bool,
) -> None:
    services.route(f"127.0.0.1:{services.port}", "POST", "/", Answer(image_bytes()))
    for properties in (first, second):
        run(ImageToImage(endpoint=services.url + "/", image=photo, **properties))
    assert len(services.of("POST")) == (2 if differs else 1)


def test_hosted_calls_overlap(services: Services, run: Runs, photo: str) -> None:
    import threading

    from nodes.nodetool.image import ImagesToList
    from nodes.nodetool.output import Output
    from nodetool_core import Workflow

    together, count = threading.Barrier(12, timeout=10), 12

    def answer(asked: fakes.Asked) -> Answer:
        together.wait()
        return Answer(image_bytes())

    services.route(f"127.0.0.1:{services.port}", "POST", "/", answer)
    made = [
        ImageToImage(endpoint=services.url + "/", image=photo, seed=number)
        for number in range(count)
    ]
    gathered = ImagesToList(**{f"image_{number}": node.output for number, node in enumerate(made)})
    result = Workflow(Output(name="all", value=gathered["output"]), engine=run.engine).run()
    assert len(result["all"]) == count, "each answer comes only when all have been asked"


@pytest.mark.parametrize(
    ("properties", "code", "said"),
    [
        ({"target_width": 64}, "invalid_value", "target_width and target_height"),
        ({"extra_parameters": {"prompt": "other"}}, "invalid_value", "prompt: set by"),
        ({"endpoint": "ftp://somewhere/"}, "forbidden_address", "no http"),
        ({"endpoint": "http://user:word@host/"}, "", ""),
        ({"model": "https://elsewhere.example/model"}, "invalid_model", "no model of the Hub"),
        ({"provider": "fal-ai", "model": "a/b"}, "missing_secret", "FAL_KEY or HF_TOKEN"),
    ],
)
def test_what_can_not_work_is_said_before_anything_is_sent(
    services: Services, run: Runs, photo: str, properties: dict[str, Any], code: str, said: str
) -> None:
    node = ImageToImage(
        **(
            {"endpoint": services.url}
            if "provider" not in properties and "model" not in properties
            else {}
        )
        | {"image": photo}
        | properties
    )
    if not code:
        from nodetool_core import WorkflowError

        with pytest.raises(WorkflowError, match="an address with a password"):
            run(node)
    else:
        found = run.problem(node)
        assert found.code == code and said in str(found)
    assert services.asked == []


def test_a_token_of_another_kind_is_not_sent_to_a_provider(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "not-from-hugging-face")
    found = run.problem(ImageToImage(provider="replicate", model="a/b", image=photo))
    assert found.code == "unusable_secret" and services.asked == []


def test_a_model_that_the_provider_does_not_have(
    services: Services, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", HF_KEY)
    fakes.hub(services, "owner/elsewhere", "replicate", "x/y")
    found = run.problem(ImageToImage(provider="fal-ai", model="owner/elsewhere", image=photo))
    assert found.code == "model_not_served" and "not supported by provider fal-ai" in found.message


def test_parameters_are_json(services: Services, run: Runs, photo: str) -> None:
    services.route(f"127.0.0.1:{services.port}", "POST", "/", Answer(image_bytes()))
    run(
        ImageToImage(
            endpoint=services.url + "/", image=photo, seed=1, extra_parameters={"strength": 0.6}
        )
    )
    assert json.loads(services.of("POST")[0].body)["parameters"] == {"strength": 0.6, "seed": 1}
