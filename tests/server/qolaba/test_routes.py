"""
The checks of the wire contract of the Qolaba API.

Images come from a server on loopback that the operator allows.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodes.nodetool.input import IntegerInput
from nodetool_core.server.qolaba.body import ImageRequest, read_image_request
from tests.server import nodes
from tests.server.live import LiveServer, opened, png

KEYS = {"time_required", "error", "error_data", "input", "output", "app_id", "task_id", "status"}
DEV, REDUX, SDXL = "ap-fGhKl3mfkdlpqrshuwwabc", "ap-gFhLq9zvbnmopxkytswabc", "ap-of-the-operator"


class Images:
    """A server of images, by path; remembers what was asked for."""

    def __init__(self) -> None:
        self.files = {"/small.png": png(), "/wide.png": png(3072, 1536), "/text": b"no image"}
        self.redirects: dict[str, str] = {}
        self.asked: list[str] = []
        images = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                images.asked.append(self.path)
                content = images.files.get(self.path, b"")
                leads_to = images.redirects.get(self.path)
                self.send_response(302 if leads_to else 200 if content else 404)
                if leads_to:
                    self.send_header("Location", leads_to)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    images = Images()
    yield images
    images.server.shutdown()
    images.server.server_close()


@pytest.fixture(scope="module")
def qolaba(tmp_path_factory: pytest.TempPathFactory, images: Images) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("qolaba")
    apps = folder / "apps.json"
    sdxl = {"name": "SDXL", "sizes": {"min": 256, "max": 1536}, "serves": "resize"}
    served = {
        "*": "paint",
        REDUX: "resize",
        "ap-broken": "broken",
        "ap-fixed": "fixed",
        "ap-fixed-inside": "fixed_inside",
    }
    apps.write_text(
        json.dumps({app: {"serves": name} for app, name in served.items()} | {SDXL: sdxl})
    )
    fixed = {
        "fixed": nodes.paint(IntegerInput(name="seed", value=7).output),
        "fixed_inside": nodes.paint(7),
    }
    workflows = {
        "paint": nodes.paint(),
        "resize": nodes.resize(),
        "broken": nodes.broken(),
        **fixed,
    }
    with LiveServer(
        folder, workflows, nodes=nodes.NODES, qolaba_apps=apps, image_hosts=(images.host,)
    ) as live:
        yield live


@pytest.fixture
def ask(qolaba: LiveServer, images: Images) -> Iterator[Callable[..., httpx2.Response]]:
    with qolaba.client() as client:

        def ask(path: str = "/getImagetoImage", **body: Any) -> httpx2.Response:
            whole = {"app_id": DEV, "image": images.url("/small.png"), "prompt": "a lake"} | body
            response = client.post(
                path, json={name: value for name, value in whole.items() if value is not None}
            )
            assert set(response.json()) == KEYS
            return response

        yield ask


def fetched(answer: dict[str, Any]) -> list[Any]:
    assert answer["status"] == "SUCCESS", answer
    return [opened(httpx2.get(url, trust_env=False).content) for url in answer["output"]["result"]]


def refused(response: httpx2.Response, place: str) -> None:
    answer = response.json()
    assert (response.status_code, answer["status"]) == (422, "FAILED"), answer
    assert place in answer["error"]


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
        while answer["status"] == "PENDING":
            answer = client.post("/getImage", json={"id": answer["task_id"]}).json()
            assert set(answer) == KEYS
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


OPTIONAL = sorted(ImageRequest.model_fields.keys() - {"app_id", "image"})


@pytest.mark.parametrize("name", OPTIONAL)
def test_v10_null_is_as_good_as_nothing(qolaba: LiveServer, images: Images, name: str) -> None:
    """Clients with a field for everything send null for what they don't ask for."""
    body = {"app_id": DEV, "image": images.url("/small.png"), name: None}
    with qolaba.client() as client:
        answer = client.post("/getImagetoImage", json=body).json()
        needed = client.post("/getImagetoImage", json=body | {"app_id": None}).json()
    assert answer["status"] == "SUCCESS", answer
    assert name not in answer["output"].get("warnings", "")
    assert needed["status"] == "FAILED"


def test_v10_an_empty_inference_type(ask: Callable[..., httpx2.Response]) -> None:
    assert ask(inference_type="").json()["status"] == "SUCCESS"


URLS = [
    "https://example.com/a,b/c.png?x=1,2",
    "http://example.com/d.png",
    "data:image/png;base64,iVBORw0K",
]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (json.dumps(URLS), URLS),
        (" [\n" + ",\n".join(map(json.dumps, URLS)) + " ]\n", URLS),
        (",".join(URLS), URLS),
        (" , ".join(URLS), URLS),
        (URLS[0], URLS[:1]),
        (URLS, URLS),
        ([URLS[0], "", None], URLS[:1]),
        ("[]", None),
        ("", None),
        ([], None),
    ],
)
def test_v10_file_urls_in_every_form(given: Any, expected: list[str] | None) -> None:
    asked = read_image_request({"app_id": DEV, "image": "x", "celery": True, "file_urls": given})
    assert asked.file_urls == expected


@pytest.mark.parametrize(
    "given", [5, {"a": 1}, True, "[1]", "[{}]", "[nonsense]", "[" * 50_000 + "]" * 50_000, [["a"]]]
)
def test_v10_file_urls_that_are_none(qolaba: LiveServer, images: Images, given: Any) -> None:
    with qolaba.client() as client:
        body = {
            "app_id": DEV,
            "image": images.url("/small.png"),
            "celery": True,
            "file_urls": given,
        }
        refused(client.post("/getImagetoImage", json=body), "file_urls")


def test_v10_what_was_asked_and_not_done_is_in_the_later_answer_of_a_task(
    ask: Callable[..., httpx2.Response], qolaba: LiveServer
) -> None:
    first = ask(celery=True, prompt="later", strenght=0.2, guidance_scale=2.0).json()
    assert "strenght" in first["error_data"][0]
    with qolaba.client() as client:
        answer = first
        while answer["status"] == "PENDING":
            answer = client.post("/getImage", json={"id": first["task_id"]}).json()
            assert answer["input"] == first["input"]
    assert answer["input"] == {
        "app_id": DEV,
        "prompt": "later",
        "negative_prompt": "",
        "guidance_scale": 2.0,
        "strength": 0.7,
        "batch": 1,
        "celery": True,
    }
    assert answer["output"]["warnings"][0] == first["error_data"][0]
    assert (answer["error"], answer["error_data"]) == ("", "")


def test_v10_an_image_of_another_aspect_is_stretched_and_that_is_told(
    ask: Callable[..., httpx2.Response],
) -> None:
    """The image of 32x24 is brought to the size that was asked for."""
    stretched, alike = (ask(app_id=SDXL, width=width, height=384).json() for width in (256, 512))
    assert fetched(stretched)[0].size == (256, 384)
    assert "image was stretched from 32x24 to 256x384" in " ".join(stretched["output"]["warnings"])
    assert "stretched" not in " ".join(alike["output"]["warnings"])


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
