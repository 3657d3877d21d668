"""Files by name: they never leave their folders, and each client has names of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.server.comfyui.conftest import accepted, colour, ended, send
from tests.server.live import LiveServer, opened, png


def upload(client: httpx2.Client, name: str, content: bytes, **more: str) -> httpx2.Response:
    return client.post("/upload/image", files={"image": (name, content)}, data=more)


def view(client: httpx2.Client, **query: str) -> httpx2.Response:
    return client.get("/view", params=query)


def test_a_name_that_is_taken_gets_a_number(client: httpx2.Client) -> None:
    one, two = png(3), png(4)
    names = [upload(client, "taken.png", data).json()["name"] for data in (one, two, one, two)]
    assert names == ["taken.png", "taken (1).png", "taken.png", "taken (1).png"]
    assert view(client, filename="taken.png", type="input").content == one
    assert upload(client, "taken.png", two, overwrite="true").json()["name"] == "taken.png"
    assert view(client, filename="taken.png", type="input").content == two


@pytest.mark.parametrize("folder", ["input", "temp", "output"])
def test_folders_are_apart(client: httpx2.Client, folder: str) -> None:
    named = upload(client, f"{folder}.png", png(5), type=folder).json()
    assert named == {"name": f"{folder}.png", "subfolder": "", "type": folder}
    assert view(client, filename=f"{folder}.png", type=folder).status_code == 200
    assert view(client, filename=f"{folder}.png [{folder}]", type="temp").status_code == 200
    other = "temp" if folder == "input" else "input"
    assert view(client, filename=f"{folder}.png", type=other).status_code == 404


OUTSIDE: list[tuple[dict[str, str], int]] = [
    ({"filename": "/etc/passwd"}, 400),
    ({"filename": "../secret.png"}, 400),
    ({"filename": "..\\secret.png"}, 400),
    ({"filename": "a/../../b.png"}, 400),
    ({"filename": ""}, 400),
    ({"filename": "\u200b.png"}, 400),
    ({"filename": "x" * 300}, 400),
    ({"filename": "a.png", "type": "etc"}, 400),
    ({"filename": "a.png", "subfolder": "../.."}, 403),
    ({"filename": "a.png", "subfolder": "/etc"}, 403),
    ({"filename": "a.png", "subfolder": "..\\.."}, 403),
    ({"filename": "nothing.png"}, 404),
    ({"filename": f"ComfyUI_{'0' * 24}_00001_.png"}, 404),
    ({}, 400),
]


@pytest.mark.parametrize(("query", "status"), OUTSIDE)
def test_nothing_outside_is_read(client: httpx2.Client, query: dict[str, str], status: int) -> None:
    response = client.get("/view", params=query)
    assert response.status_code == status, response.text
    assert response.json().keys() == {"error", "node_errors"}
    if "filename" in query and status != 404:
        named = {name: value for name, value in query.items() if name != "filename"}
        assert upload(client, query["filename"], png(), **named).status_code in (400, status)
    if "filename" in query:
        graph = colour()
        path = "/".join(filter(None, (query.get("subfolder"), query["filename"])))
        graph["1"] = {"class_type": "LoadImage", "inputs": {"image": path}}
        refused = send(client, graph)
        assert refused.status_code == 400
        (error,) = refused.json()["node_errors"]["1"]["errors"]
        assert error["type"] == "custom_validation_failed"
        assert "Invalid image file" in error["details"]


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"image": ("a.png", b"no image")}, 400),
        ({"image": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")}, 400),
        ({"image": ("a.png", png(2000, 2000))}, 413),
        ({"image": ("a.png", bytes(3 * 2**20))}, 413),
        ({"photo": ("a.png", png())}, 400),
    ],
    ids=["no image", "a drawing", "too many pixels", "too large", "another field"],
)
def test_what_is_not_kept(client: httpx2.Client, files: Any, status: int) -> None:
    response = client.post("/upload/image", files=files)
    assert response.status_code == status, response.text
    assert response.json().keys() == {"error", "node_errors"}
    assert client.post("/upload/image", json={}).status_code == 400


def test_previews_and_channels(client: httpx2.Client) -> None:
    upload(client, "alpha.png", png(20, 10, (200, 100, 50, 128), "RGBA"), overwrite="1")
    name = {"filename": "alpha.png", "type": "input"}
    small = view(client, **name, preview="webp;50")
    assert small.headers["content-type"] == "image/webp" and opened(small.content).mode == "RGBA"
    jpeg = view(client, **name, preview="jpeg;200")
    assert opened(jpeg.content).format == "JPEG"
    plain = opened(view(client, **name, channel="rgb").content)
    assert (plain.format, plain.mode, plain.getpixel((0, 0))) == ("PNG", "RGB", (200, 100, 50))
    alpha = opened(view(client, **name, channel="a").content)
    assert (alpha.mode, alpha.getpixel((0, 0))) == ("RGBA", (0, 0, 0, 128))
    assert "alpha.png" in jpeg.headers["content-disposition"]


def test_a_mask_is_the_alpha_channel_of_an_upload(client: httpx2.Client) -> None:
    upload(client, "photo.png", png(8, 8, (1, 2, 3)), overwrite="1")
    mask = png(8, 8, (9, 9, 9, 77), "RGBA")
    original = json.dumps({"filename": "photo.png", "type": "input"})
    form = {"original_ref": original, "subfolder": "clipspace"}
    files = {"image": ("mask.png", mask)}
    named = client.post("/upload/mask", files=files, data=form).json()
    assert named == {"name": "mask.png", "subfolder": "clipspace", "type": "input"}
    masked = opened(view(client, filename="mask.png", subfolder="clipspace", type="input").content)
    assert masked.getpixel((0, 0)) == (1, 2, 3, 77)
    for wrong, status in (
        ({"filename": "nothing.png", "type": "input"}, 404),
        ({"filename": "../photo.png"}, 400),
        ({"filename": 5}, 400),
        ([], 400),
    ):
        form = {"original_ref": json.dumps(wrong)}
        assert client.post("/upload/mask", files=files, data=form).status_code == status
    small = {"image": ("mask.png", png(4, 4, (9, 9, 9, 77), "RGBA"))}
    assert (
        client.post("/upload/mask", files=small, data={"original_ref": original}).status_code == 400
    )


def test_clients_see_their_own(serve_graphs: Callable[..., LiveServer]) -> None:
    live = serve_graphs(token="first-token-of-two,other-token-of-two")
    tokens = ("first-token-of-two", "other-token-of-two")
    first, other = (live.client(Authorization=f"Bearer {token}") for token in tokens)
    with first, other:
        upload(first, "mine.png", png(3))
        prompt_id = accepted(first, colour(1), client_id="shared")
        entry = ended(live, first, prompt_id)
        image = entry["outputs"]["2"]["images"][0]
        assert (
            view(first, **image).status_code
            == view(first, filename="mine.png", type="input").status_code
            == 200
        )
        assert view(other, **image).status_code == 404
        assert view(other, filename="mine.png", type="input").status_code == 404
        assert other.get(f"/history/{prompt_id}").json() == other.get("/history").json() == {}
        assert "mine.png" not in other.get("/object_info/LoadImage").text
        graph = {
            "1": {"class_type": "LoadImage", "inputs": {"image": "mine.png"}},
            "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
        }
        assert send(other, graph).status_code == 400
        graph["1"]["inputs"] = {"image": f"{image['filename']} [output]"}
        assert send(other, graph).status_code == 400
        other.post("/history", json={"clear": True, "delete": [prompt_id]})
        assert list(first.get("/history").json()) == [prompt_id]


def test_the_token_is_taken_in_every_form(serve_graphs: Callable[..., LiveServer]) -> None:
    live = serve_graphs(token="right-token-of-all")
    for authorization in (("any", "right-token-of-all"), ("right-token-of-all", "")):
        with live.client() as client:
            assert client.get("/queue", auth=authorization).status_code == 200
    with live.client() as client:
        refused = client.get("/queue", auth=("any", "wrong"))
        assert (refused.status_code, refused.json()["error"]["type"]) == (401, "unauthorized")
        assert client.get("/queue", headers={"Authorization": "Basic !"}).status_code == 401
