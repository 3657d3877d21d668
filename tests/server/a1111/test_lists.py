"""What clients look up, what they read out of images, and what they enlarge."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from nodetool_core.importing.infotext import infotext, parsed
from nodetool_core.server.a1111.infotext import fields_of
from tests.server.a1111.conftest import PHOTO, PREFIX, Ask, info_of, text_of
from tests.server.live import LiveServer, opened, png
from tests.server.openai.conftest import TINY


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def test_checkpoints(client: httpx2.Client) -> None:
    listed = client.get(f"{PREFIX}/sd-models").json()
    titles = [one["title"] for one in listed]
    assert titles[0] == TINY and {"sketch", "paint", "masked"} <= set(titles)
    keys = {"title", "model_name", "hash", "sha256", "filename", "config"}
    assert all(one.keys() == keys for one in listed)


KEYS = {
    "samplers": {"name", "aliases", "options"},
    "schedulers": {"name", "label", "aliases", "default_rho", "need_inner_model"},
    "upscalers": {"name", "model_name", "model_path", "model_url", "scale"},
}


@pytest.mark.parametrize("path", KEYS)
def test_lists_of_what_there_is(client: httpx2.Client, path: str) -> None:
    listed = client.get(f"{PREFIX}/{path}").json()
    assert listed and all(one.keys() == KEYS[path] for one in listed)


EMPTY = {
    "sd-vae": [],
    "loras": [],
    "hypernetworks": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "prompt-styles": [],
    "extensions": [],
    "embeddings": {"loaded": {}, "skipped": {}},
    "scripts": {"txt2img": [], "img2img": []},
}


@pytest.mark.parametrize("path", EMPTY)
def test_lists_of_what_there_is_none_of(client: httpx2.Client, path: str) -> None:
    assert client.get(f"{PREFIX}/{path}").json() == EMPTY[path]


def test_what_is_no_route(client: httpx2.Client) -> None:
    missing = client.post(f"{PREFIX}/interrogate", json={"image": PHOTO})
    assert missing.status_code == 404
    assert missing.json().keys() == {"error", "detail", "body", "errors"}


@pytest.mark.parametrize("file_format", ["png", "jpg", "webp"])
def test_what_an_image_is_made_with(client: httpx2.Client, ask: Ask, file_format: str) -> None:
    settings = {"samples_format": file_format}
    answer = ask("sketch", prompt="ein See, blåu: 湖", seed=7, steps=5, override_settings=settings)
    (image,) = answer.json()["images"]
    found = client.post(f"{PREFIX}/png-info", json={"image": image}).json()
    assert found["info"] == info_of(answer)["infotexts"][0]
    assert found["parameters"]["Prompt"] == "ein See, blåu: 湖"
    assert (found["parameters"]["Seed"], found["parameters"]["Size-1"]) == ("7", "16")
    silent = ask(
        "sketch", prompt="x", seed=7, override_settings=settings | {"enable_pnginfo": False}
    )
    nothing = client.post(f"{PREFIX}/png-info", json={"image": silent.json()["images"][0]}).json()
    assert nothing == {"info": "", "items": {}, "parameters": {}}


def test_other_texts_of_an_image(client: httpx2.Client) -> None:
    buffer, texts = BytesIO(), PngImagePlugin.PngInfo()
    texts.add_text("Title", "A lake")
    Image.new("RGB", (4, 4)).save(buffer, "PNG", pnginfo=texts)
    image = "data:image/png;base64," + text_of(buffer.getvalue())
    found = client.post(f"{PREFIX}/png-info", json={"image": image}).json()
    assert found == {"info": "", "items": {"Title": "A lake"}, "parameters": {}}
    for wrong, status in (("", 422), ("!", 400), (text_of(b"no image"), 400)):
        assert client.post(f"{PREFIX}/png-info", json={"image": wrong}).status_code == status


def test_texts_of_damaged_images(client: httpx2.Client) -> None:
    """Of a PNG no pixel is looked at; EXIF of which nothing can be read says nothing."""
    whole = png(64, 64)
    at = whole.index(b"IDAT")
    broken = whole[: at + 8] + bytes(20) + whole[at + 28 :]
    exif = png(format="JPEG", exif=b"Exif\0\0II*\0" + bytes(3))
    for image in (broken, exif):
        answer = client.post(f"{PREFIX}/png-info", json={"image": text_of(image)})
        assert (answer.status_code, answer.json().get("info", "")) in ((200, ""), (400, ""))


def enlarged(client: httpx2.Client, **body: Any) -> Image.Image:
    answer = client.post(f"{PREFIX}/extra-single-image", json={"image": PHOTO} | body)
    assert answer.status_code == 200, answer.text
    return opened(base64.b64decode(answer.json()["image"]))


def test_enlarging(client: httpx2.Client) -> None:
    assert enlarged(client).size == (64, 48)
    assert enlarged(client, upscaler_1="Lanczos", upscaling_resize=1.5).size == (48, 36)
    assert enlarged(client, upscaler_1="twice", upscaling_resize=4).size == (128, 96)
    sized = {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 60}
    assert enlarged(client, upscaler_1="Lanczos", **sized).size == (100, 60)
    assert enlarged(client, upscaler_1="twice", upscaling_crop=False, **sized).size == (80, 60)


def test_two_upscalers(client: httpx2.Client) -> None:
    given = {"upscaler_1": "Nearest", "upscaler_2": "white", "extras_upscaler_2_visibility": 0.5}
    assert enlarged(client, **given).getpixel((5, 5)) == (175, 199, 223)


def test_several_are_enlarged(client: httpx2.Client) -> None:
    images = [{"data": PHOTO, "name": "a.png"}, {"data": text_of(png(9, 8)), "name": "b.png"}]
    answer = client.post(
        f"{PREFIX}/extra-batch-images", json={"imageList": images, "gfpgan_visibility": 1.0}
    ).json()
    sizes = [opened(base64.b64decode(text)).size for text in answer["images"]]
    assert sizes == [(64, 48), (18, 16)] and "gfpgan_visibility" in answer["html_info"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"upscaler_1": "magic"}, 404),
        ({"upscaling_resize": 64, "image": text_of(png(400, 400))}, 422),
        ({"upscaling_resize": 0}, 422),
        ({"image": text_of(b"no image")}, 400),
        ({"image": None}, 422),
    ],
)
def test_what_is_not_enlarged(client: httpx2.Client, body: dict[str, Any], status: int) -> None:
    given = {"image": PHOTO} | body
    assert client.post(f"{PREFIX}/extra-single-image", json=given).status_code == status


THEIRS = """\
girl with an artist's beret, (blue eyes), [blurry]
second line
Negative prompt: ugly, (((deformed)))
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 965400086, Size: 512x640, Model hash: 45dee52b, \
Lora hashes: "a: 1, b: 2", Denoising strength: 0.7"""


def test_a_text_of_the_web_ui() -> None:
    found = parsed(THEIRS)
    assert found["Prompt"].split("\n") == [
        "girl with an artist's beret, (blue eyes), [blurry]",
        "second line",
    ]
    assert found["Negative prompt"] == "ugly, (((deformed)))"
    assert found["Lora hashes"] == "a: 1, b: 2"
    assert fields_of(THEIRS) == {
        "prompt": found["Prompt"],
        "negative_prompt": "ugly, (((deformed)))",
        "steps": "20",
        "sampler_name": "Euler a",
        "cfg_scale": "7",
        "seed": "965400086",
        "width": "512",
        "height": "640",
        "denoising_strength": "0.7",
    }
    assert fields_of("only a prompt, steps: 20") == {"prompt": "only a prompt, steps: 20"}
    assert fields_of(" ") == {}


words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).map(str.strip)


@given(prompt=words, negative=words, value=words)
def test_a_text_is_read_as_it_was_written(prompt: str, negative: str, value: str) -> None:
    if "Negative prompt:" in prompt + negative:
        return
    parameters = {"Steps": 20, "Seed": 1, "Size": "5x6", "Model": value or "x"}
    found = parsed(infotext(prompt, negative, parameters))
    assert (found["Prompt"], found["Negative prompt"]) == (prompt, negative)
    assert (found["Steps"], found["Size-1"], found["Size-2"]) == ("20", "5", "6")
