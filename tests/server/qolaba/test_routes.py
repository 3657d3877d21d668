"""
The checks of the wire contract of the Qolaba API.

Images come from a server on loopback that the operator allows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server import nodes
from tests.server.live import LiveServer
from tests.server.qolaba.conftest import DEV, KEYS, REDUX, SDXL, Images, fetched, refused
from tests.waiting import eventually


@pytest.mark.parametrize("path", ["/getImagetoImage", "/getImageToImage"])
def test_a_image_from_an_image(ask: Callable[..., httpx2.Response], path: str) -> None:
    response = ask(path, prompt="seven..", negative_prompt="no")
    answer = response.json()
    assert response.status_code == 200
    assert (answer["app_id"], answer["error"]) == (DEV, "")
    assert answer["task_id"]
    assert answer["time_required"].keys() == {"startup_time", "runtime"}
    (image,) = fetched(answer)
    assert image.size == (32, 24)
    assert image.convert("RGB").getpixel((0, 0)) == (7, 2, 4)
    assert "nodetool" not in image.info


REFUSED = [
    {"guidance_scale": 0.99},
    {"guidance_scale": 30.01},
    {"batch": 0},
    {"batch": 9},
    {"batch": 1.5},
    {"strength": 1.01},
    {"strength": "much"},
    {"inference_type": "h200"},
    {"app_id": "ap-unknown"},
    {"file_urls": ["http://example.com/a.png"]},
    {"prompt": 5},
    {"image": ""},
]


@pytest.mark.parametrize("body", REFUSED, ids=str)
def test_what_is_out_of_range(ask: Callable[..., httpx2.Response], body: dict[str, Any]) -> None:
    refused(ask(**body), next(iter(body)))


ACCEPTED = [
    {"guidance_scale": 1},
    {"guidance_scale": 30},
    {"strength": 1},
    {"strength": 0},
    {"inference_type": "a10g"},
]


@pytest.mark.parametrize("body", ACCEPTED, ids=str)
def test_what_is_just_in_range(ask: Callable[..., httpx2.Response], body: dict[str, Any]) -> None:
    assert ask(**body).json()["status"] == "SUCCESS"


def test_a_field_that_is_none_is_told(ask: Callable[..., httpx2.Response]) -> None:
    answer = ask(strenght=0.2).json()
    assert fetched(answer)
    assert "'strenght'" in answer["output"]["warnings"][0]
    assert "strenght" not in answer["input"]


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_batch_gives_as_many_different_images(
    ask: Callable[..., httpx2.Response], count: int
) -> None:
    made = fetched(ask(batch=count, prompt=f"batch {count}").json())
    assert len(made) == count
    assert len({image.tobytes() for image in made}) == count, "each has a seed of its own"


@pytest.mark.parametrize("app", ["ap-fixed", "ap-fixed-inside"])
def test_a_seed_that_is_fixed_counts_up_in_a_batch(
    ask: Callable[..., httpx2.Response], app: str
) -> None:
    made = fetched(ask(app_id=app, batch=3).json())
    assert [image.getpixel((31, 23))[0] for image in made] == [7, 8, 9]


SIZES = [
    (REDUX, 1600, 676, True),
    (REDUX, 676, 1600, True),
    (REDUX, 512, 512, False),
    (SDXL, 255, 512, False),
    (SDXL, 512, 1537, False),
]


@pytest.mark.parametrize(
    ("app", "width", "height", "fits"),
    [*SIZES, (SDXL, 256, 300, True), (DEV, 512, 512, False), (SDXL, 256, None, False)],
)
def test_sizes_are_those_of_the_app(
    ask: Callable[..., httpx2.Response], app: str, width: int, height: int | None, fits: bool
) -> None:
    response = ask(app_id=app, width=width, height=height)
    if not fits:
        refused(response, "height")
    elif app == SDXL:
        assert fetched(response.json())[0].size == (width, height)
    else:
        # The app takes the size; the workflow behind it, with bounds of its own, does not.
        assert (
            response.json()["error"]
            == f"width: {width} is above 512.\nheight: {height} is above 512."
        )


def test_a_large_image_is_scaled_down(ask: Callable[..., httpx2.Response], images: Images) -> None:
    assert fetched(ask(image=images.url("/wide.png")).json())[0].size == (1536, 768)


def test_a_queued_task(ask: Callable[..., httpx2.Response], qolaba: LiveServer) -> None:
    response = ask(celery=True, prompt="queued")
    answer = response.json()
    assert (response.status_code, answer["status"], answer["output"]) == (200, "PENDING", "")
    with qolaba.client() as client:

        def has_ended() -> bool:
            nonlocal answer
            answer = client.post("/getImage", json={"id": answer["task_id"]}).json()
            assert set(answer) == KEYS
            return bool(answer["status"] != "PENDING")

        eventually(has_ended)
    assert answer["app_id"] == DEV
    assert fetched(answer)[0].size == (32, 24)


def test_file_urls_are_fetched_where_the_task_is_queued(
    ask: Callable[..., httpx2.Response], images: Images
) -> None:
    images.asked.clear()
    answer = ask(celery=True, file_urls=[images.url("/wide.png")]).json()
    assert answer["status"] == "PENDING"
    assert "/wide.png" in images.asked
    assert "file_urls" in answer["error_data"][0]


@pytest.mark.parametrize("task", ["nothing", "0" * 32, "' OR 1=1"])
def test_an_unknown_task_has_failed(qolaba: LiveServer, task: str) -> None:
    with qolaba.client() as client:
        response = client.post("/getImage", json={"id": task})
    assert response.status_code == 404
    assert (set(response.json()), response.json()["status"]) == (KEYS, "FAILED")


def test_a_run_that_fails(ask: Callable[..., httpx2.Response]) -> None:
    response = ask(app_id="ap-broken")
    assert (response.status_code, response.json()["status"]) == (500, "FAILED")
    assert response.json()["error"]
    assert "hunter2" not in response.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"app_id": NaN}', b"\xff"])
def test_bodies_that_are_none(qolaba: LiveServer, body: bytes) -> None:
    with qolaba.client() as client:
        for path in ("/getImagetoImage", "/getImage"):
            response = client.post(path, content=body)
            assert response.status_code in (400, 422)
            assert (set(response.json()), response.json()["status"]) == (KEYS, "FAILED")


FORBIDDEN = [
    "file:///etc/passwd",
    "http://localhost:1/a.png",
    "http://127.0.0.1:1/a.png",
    "http://127.1:1/a.png",
    "http://2130706433:1/a.png",
    "http://[::1]:1/a.png",
    "http://[::ffff:127.0.0.1]:1/a.png",
    "http://10.0.0.1/a.png",
    "http://169.254.169.254/latest/meta-data",
    "http://0.0.0.0:1/a.png",
    "http://[fe80::1]/a.png",
    "http://[64:ff9b::7f00:1]/a.png",
    "ftp://example.com/a.png",
    "/etc/passwd",
    "gopher://127.0.0.1/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_addresses_that_are_not_fetched(ask: Callable[..., httpx2.Response], url: str) -> None:
    refused(ask(image=url), "address" if url.startswith("http") else "image")


def test_a_redirect_to_an_address_that_is_not_fetched(
    ask: Callable[..., httpx2.Response], images: Images
) -> None:
    other = Images()
    try:
        images.redirects["/moved"] = other.url("/small.png")
        refused(ask(image=images.url("/moved")), "public")
        assert other.asked == [], "something was fetched"
        images.redirects["/moved"] = "file:///etc/passwd"
        refused(ask(image=images.url("/moved")), "file")
        images.redirects["/moved"] = "/small.png"
        assert ask(image=images.url("/moved")).json()["status"] == "SUCCESS"
        images.redirects["/round"] = "/round"
        assert "redirects" in ask(image=images.url("/round")).json()["error"]
    finally:
        other.server.shutdown()
        other.server.server_close()


@pytest.mark.parametrize(("path", "words"), [("/text", "no image"), ("/nothing", "404")])
def test_addresses_without_an_image(
    ask: Callable[..., httpx2.Response], images: Images, path: str, words: str
) -> None:
    response = ask(image=images.url(path))
    assert (response.status_code, response.json()["status"]) == (400, "FAILED")
    assert words in response.json()["error"]


def test_work_that_takes_too_long_is_cancelled(
    serve: Callable[..., LiveServer], images: Images, tmp_path: Path
) -> None:
    apps = tmp_path / "apps.json"
    apps.write_text('{"*": {"serves": "wait"}}')
    live = serve(
        {"wait": nodes.wait("qolaba")},
        run_seconds=0.3,
        qolaba_apps=apps,
        image_hosts=(images.host,),
    )
    with live.client() as client:
        response = client.post(
            "/getImagetoImage", json={"app_id": DEV, "image": images.url("/small.png")}
        )
        assert (response.status_code, response.json()["status"]) == (504, "PENDING")
        assert nodes.DOORS["qolaba"].left.acquire(timeout=20), "the job goes on"
        job = client.get(f"/v1/jobs/{response.json()['task_id']}", params={"wait": 30}).json()
        assert job["state"] == "cancelled"


def test_a_task_belongs_to_the_token_that_asked(
    serve: Callable[..., LiveServer], images: Images, tmp_path: Path
) -> None:
    apps = tmp_path / "apps.json"
    apps.write_text('{"*": {"serves": "paint"}}')
    live = serve(token="one,two", qolaba_apps=apps, image_hosts=(images.host,))
    with (
        live.client(Authorization="Bearer one") as one,
        live.client(Authorization="Bearer two") as two,
    ):
        task = one.post(
            "/getImagetoImage",
            json={"app_id": DEV, "image": images.url("/small.png"), "celery": True},
        ).json()["task_id"]
        assert one.post("/getImage", json={"id": task}).status_code == 200
        assert two.post("/getImage", json={"id": task}).status_code == 404


def test_results_need_no_token_but_asking_does(
    serve: Callable[..., LiveServer], images: Images, tmp_path: Path
) -> None:
    apps = tmp_path / "apps.json"
    apps.write_text('{"*": {"serves": "paint"}}')
    live = serve(token="secret", qolaba_apps=apps, image_hosts=(images.host,))
    body = {"app_id": DEV, "image": images.url("/small.png")}
    with live.client() as nobody, live.client(Authorization="Bearer secret") as somebody:
        answer = nobody.post("/getImagetoImage", json=body)
        assert (answer.status_code, set(answer.json())) == (401, KEYS)
        assert fetched(somebody.post("/getImagetoImage", json=body).json())[0].size == (32, 24)
        assert nobody.get("/results/" + "0" * 64 + ".png").status_code == 404
