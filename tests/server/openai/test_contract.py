"""Every check of the wire contract of the OpenAI Images API, by the SDK itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.openai.conftest import TINY, connected, image_of


def test_minimal_generate(sdk: OpenAI) -> None:
    made = sdk.images.generate(prompt="a lake")
    assert isinstance(made.created, int)
    assert len(made.data or ()) == 1
    assert image_of(made.data[0]).format == "PNG"  # type: ignore[index]


def test_n_3_gives_3_different(sdk: OpenAI) -> None:
    drawn = sdk.images.generate(prompt="a lake", model="sketch", n=3)
    fixed = sdk.images.generate(prompt="a lake", model="sketch", n=3, extra_body={"seed": 7})
    assert [image_of(one).getpixel((5, 5))[0] for one in fixed.data or ()] == [7, 8, 9]
    assert len({image_of(one).tobytes() for one in drawn.data or ()}) == 3


SIZES = [("512x512", (512, 512)), ("513x511", (513, 511)), ("auto", (16, 16)), (None, (16, 16))]


@pytest.mark.parametrize(("size", "expected"), SIZES)
def test_sizes(sdk: OpenAI, size: Any, expected: tuple[int, int]) -> None:
    made = sdk.images.generate(prompt="x", model="sketch", size=size)
    assert image_of(made.data[0]).size == expected  # type: ignore[index]
    assert made.size == f"{expected[0]}x{expected[1]}"


@pytest.mark.parametrize("size", ["junk", "0x512", "512", "99999x1", "-5x5"])
def test_size_junk_is_400_with_error_message(sdk: OpenAI, size: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="size") as refused:
        sdk.images.generate(prompt="x", model="sketch", size=size)
    assert (refused.value.status_code, refused.value.param) == (400, "size")


def test_a_size_that_the_model_rounds(sdk: OpenAI) -> None:
    """The model that ships makes images whose sides are multiples of its own."""
    made = sdk.images.generate(prompt="a lake", model=TINY, size="130x127", extra_body={"steps": 1})
    image = image_of(made.data[0])  # type: ignore[index]
    assert made.size == f"{image.width}x{image.height}"
    assert abs(image.width - 130) < 64 and abs(image.height - 127) < 64
    assert any("size" in note for note in made.model_extra["warnings"])  # type: ignore[index]


def test_both_response_formats(sdk: OpenAI, server: LiveServer) -> None:
    url = sdk.images.generate(prompt="x", model="sketch", response_format="url").data[0]  # type: ignore[index]
    assert url.b64_json is None and url.url
    assert url.url.startswith(f"{server.url}/results/") and len(url.url.rsplit("/", 1)[1]) > 64
    assert opened(httpx2.get(url.url, trust_env=False).content).size == (16, 16)
    plain = sdk.images.generate(prompt="x", model="sketch", response_format="b64_json").data[0]  # type: ignore[index]
    assert plain.url is None and image_of(plain)
    both = sdk.images.generate(prompt="x", model="sketch").data[0]  # type: ignore[index]
    assert both.url and both.b64_json
    theirs = sdk.images.generate(prompt="x", model="gpt-image-1").data[0]  # type: ignore[index]
    assert theirs.url is None and theirs.b64_json


def test_a_url_needs_no_token(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="secret-token")
    with connected(live, "secret-token") as sdk:
        url = sdk.images.generate(prompt="x", model="draw", response_format="url").data[0].url  # type: ignore[index]
    assert opened(httpx2.get(url or "", trust_env=False).content).size == (16, 16)


def test_edit_with_one_image(sdk: OpenAI) -> None:
    made = sdk.images.edit(image=png(), prompt="seven..", model="paint")
    assert image_of(made.data[0]).getpixel((0, 0)) == (7, 0, 4)  # type: ignore[index]


def test_edit_with_two_images(sdk: OpenAI) -> None:
    made = sdk.images.edit(image=[png(), png(9, 9)], prompt="x", model="collage")
    image = image_of(made.data[0])  # type: ignore[index]
    assert (image.size, image.getpixel((0, 0))[0]) == ((32, 24), 2)
    one = sdk.images.edit(image=[png(), png(9, 9)], prompt="x", model="paint")
    assert "1 of 2 images are not used by paint" in one.model_extra["warnings"]  # type: ignore[index]


def half_mask(width: int = 32, height: int = 24) -> bytes:
    """Return a mask that is transparent, and so to be edited, in its left half."""
    from io import BytesIO

    from PIL import Image

    mask = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    buffer = BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def test_transparent_mask_region_only_changes(sdk: OpenAI) -> None:
    """The workflow paints one half and a corner: the corner is where the mask is opaque."""
    made = sdk.images.edit(
        image=png(), mask=half_mask(), prompt="x", model="paint", extra_body={"seed": 5}
    )
    image = image_of(made.data[0])  # type: ignore[index]
    assert image.getpixel((0, 0)) == (1, 0, 4)
    assert {image.getpixel((x, y)) for x in range(16, 32) for y in range(24)} == {(96, 144, 192)}


def test_a_mask_reaches_a_workflow_that_takes_one(sdk: OpenAI) -> None:
    with_mask = sdk.images.edit(image=png(), mask=half_mask(), prompt="x", model="masked")
    without = sdk.images.edit(image=png(), prompt="x", model="masked")
    assert image_of(with_mask.data[0]).getpixel((0, 0))[1] == 50  # type: ignore[index]
    assert image_of(without.data[0]).getpixel((0, 0))[1] == 100  # type: ignore[index]


@pytest.mark.parametrize(
    "mask", [png(), png(9, 9, (0, 0, 0, 0), "RGBA"), b"no image"], ids=["opaque", "small", "none"]
)
def test_a_mask_that_does_not_fit(sdk: OpenAI, mask: bytes) -> None:
    with pytest.raises(openai.BadRequestError, match="mask") as refused:
        sdk.images.edit(image=png(), mask=mask, prompt="x", model="paint")
    assert refused.value.param == "mask"


def test_webp_file_named_png(sdk: OpenAI) -> None:
    file = ("photo.png", png(format="WEBP"), "application/octet-stream")
    made = sdk.images.edit(image=file, prompt="x", model="paint")
    assert image_of(made.data[0]).size == (32, 24)  # type: ignore[index]


@pytest.mark.parametrize("size", ["128x160", "auto"])
def test_size_of_an_edit(sdk: OpenAI, size: Any) -> None:
    made = sdk.images.edit(
        image=png(128, 128), prompt="x", model=TINY, size=size,
        extra_body={"steps": 1, "strength": 1.0},
    )  # fmt: skip
    expected = (128, 128 if size == "auto" else 160)
    assert image_of(made.data[0]).size == expected  # type: ignore[index]


def test_a_variation(sdk: OpenAI) -> None:
    made = sdk.images.create_variation(image=png(), n=2)
    assert len({image_of(one).tobytes() for one in made.data or ()}) == 2
    named = sdk.images.create_variation(image=png(), model="dall-e-2", size="256x256")
    assert "size" in " ".join(named.model_extra["warnings"])  # type: ignore[index]


@pytest.mark.parametrize("wanted", [0, 2])
def test_stream_with_partial_images(sdk: OpenAI, wanted: int) -> None:
    given = {"steps": 4, "seed": wanted}
    with sdk.images.generate(
        prompt="a lake",
        model=TINY,
        size="128x128",
        stream=True,
        partial_images=wanted,
        extra_body=given,
    ) as stream:
        events = list(stream)
    assert [event.type for event in events] == [
        *["image_generation.partial_image"] * wanted,
        "image_generation.completed",
    ]
    last = events[-1]
    assert isinstance(last.created_at, int) and last.usage.total_tokens == 0
    assert f"{image_of(last).width}x{image_of(last).height}" == last.size
    for index, event in enumerate(events[:-1]):
        assert event.partial_image_index == index
        assert image_of(event).size == image_of(last).size
        assert image_of(event).tobytes() != image_of(last).tobytes()
    same = sdk.images.generate(prompt="a lake", model=TINY, size="128x128", extra_body=given)
    assert image_of(same.data[0]).tobytes() == image_of(last).tobytes()  # type: ignore[index]


def test_stream_of_an_edit_and_of_several(sdk: OpenAI) -> None:
    stream = sdk.images.edit(image=png(), prompt="x", model="paint", n=2, stream=True)
    events = list(stream)
    assert [event.type for event in events] == ["image_edit.completed"] * 2
    assert image_of(events[0]).tobytes() != image_of(events[1]).tobytes()


def test_a_stream_that_fails(sdk: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="size"):
        sdk.images.generate(prompt="x", size="junk", stream=True)  # type: ignore[call-overload]
    with pytest.raises(openai.APIError, match="failed on this request"):
        list(sdk.images.edit(image=png(), prompt="x", model="broken", stream=True))


def test_wrong_key_401_shape(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="right-token")
    for call in (
        lambda sdk: sdk.images.generate(prompt="x"),
        lambda sdk: sdk.images.edit(image=png(), prompt="x"),
        lambda sdk: sdk.models.list(),
        lambda sdk: sdk.models.retrieve("draw"),
    ):
        with pytest.raises(openai.AuthenticationError, match="token") as refused:
            call(connected(live, "wrong"))
        assert refused.value.code == "invalid_api_key"
        assert refused.value.request_id
    assert connected(live, "right-token").models.list().data


def test_a_key_as_clients_of_azure_send_it(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="right-token")
    path = "/v1/images/generations?api-version=2026-01-01"
    with live.client() as client:
        for key, status in (("right-token", 200), ("wrong", 401)):
            answer = client.post(
                path, json={"prompt": "x", "model": "draw"}, headers={"api-key": key}
            )
            assert answer.status_code == status


def test_unknown_model(sdk: OpenAI) -> None:
    for call in (
        lambda: sdk.images.generate(prompt="x", model="nothing"),
        lambda: sdk.models.retrieve("nothing"),
    ):
        with pytest.raises(openai.NotFoundError, match="nothing") as refused:
            call()
        assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError, match="can't be used for generations"):
        sdk.images.generate(prompt="x", model="paint")


def test_body_over_the_limit_413_shape(sdk: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="larger") as refused:
        sdk.images.edit(image=bytes(3 * 2**20), prompt="x")
    assert (refused.value.status_code, refused.value.code) == (413, "request_too_large")


def test_seed_through_extra_body_twice_gives_the_same_bytes(sdk: OpenAI) -> None:
    def ask(seed: int) -> str | None:
        made = sdk.images.generate(prompt="x", model="sketch", extra_body={"seed": seed})
        return made.data[0].b64_json  # type: ignore[index]

    assert ask(7) == ask(7) != ask(8)


@pytest.mark.parametrize("stream", [False, True])
def test_client_gone_run_cancelled(serve: Callable[..., LiveServer], stream: bool) -> None:
    name = f"openai {stream}"
    live, door = serve({"wait": nodes.wait(name)}, concurrency=1), nodes.DOORS[name]

    def ask() -> None:
        with live.client() as client, pytest.raises(httpx2.TimeoutException):
            client.post(
                "/v1/images/edits",
                data={"prompt": name, "model": "wait", "stream": str(stream).lower()},
                files={"image": png()},
                timeout=0.5,
            )

    asking = threading.Thread(target=ask)
    asking.start()
    assert door.came.acquire(timeout=20)
    assert door.left.acquire(timeout=20), "the run goes on"
    asking.join(20)
    door.open.set()
    with connected(live) as sdk:
        assert sdk.images.edit(image=png(9), prompt=name, model="wait").data


def test_models_serve_both_meanings(sdk: OpenAI, server: LiveServer) -> None:
    listed = list(sdk.models.list())
    names = {one.id for one in listed}
    assert {"sketch", "paint", TINY, "gpt-image-1", "dall-e-2"} <= names
    assert all(isinstance(one.created, int) and one.object == "model" for one in listed)
    for name in names:
        assert sdk.models.retrieve(name).id == name
    with server.client() as client:
        assert client.get("/v1/models").json()["models"][0]["id"] == TINY
