"""
The Qolaba API as the contract has it.

What is sent, what is refused before, and what becomes of the answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from nodes.qolaba.apps import APPS
from nodes.qolaba.image_to_image import ImageToImage
from nodetool_core import ImageData, RunCancelled, WorkflowError
from nodetool_core.assets.profiles import in_profile, in_srgb
from tests.assets.images import scene
from tests.assets.profiles import display_p3
from tests.nodes.services.conftest import Runs
from tests.nodes.services.fakes import (
    Answer,
    Handler,
    Services,
    data_uri_image,
    envelope,
    image_bytes,
    json_answer,
)

KEY = "qolaba-own-key"
Api = Callable[..., None]


@pytest.fixture
def api(services: Services, monkeypatch: pytest.MonkeyPatch) -> Api:
    """
    Return the API with its key set: takes the answers to /getImagetoImage, and those to /getImage.
    """
    monkeypatch.setenv("QOLABA_API_KEY", KEY)
    monkeypatch.setenv("QOLABA_BASE_URL", services.url + "/")
    host = f"127.0.0.1:{services.port}"

    def serve(*first: Handler | Answer, tasks: tuple[Handler | Answer, ...] = ()) -> None:
        services.route(host, "POST", "/getImagetoImage", *first)
        services.route(host, "POST", "/getImage", *(tasks or (Answer(b"", 404),)))
        services.route(host, "GET", "/result.*", Answer(image_bytes()))

    return serve


def success(services: Services, count: int = 1) -> Answer:
    return json_answer(
        envelope(
            "SUCCESS",
            output={"result": [f"{services.url}/result{number}.png" for number in range(count)]},
        )
    )


PENDING = json_answer(envelope("PENDING", task_id="task-7"))


def test_every_field_is_sent(services: Services, run: Runs, photo: str, api: Api) -> None:
    api(success(services, 3))
    node = ImageToImage(
        app_id="ap-sdxl",
        image=photo,
        prompt="at night",
        negative_prompt="people",
        file_urls=[photo, "https://example.org/style.png"],
        guidance_scale=30.0,
        batch=3,
        strength=1.0,
        width=256,
        height=1536,
        inference_type="h100",
    )
    assert [image.image.size for image in run(node, "images")] == [(24, 16)] * 3
    [posted] = services.of("POST")
    body = posted.json
    assert posted.authorization == f"Bearer {KEY}" and posted.path == "/getImagetoImage"
    assert data_uri_image(body.pop("image")).size == (40, 30)
    sent_along, on_the_web = body.pop("file_urls")
    assert (
        data_uri_image(sent_along).size == (40, 30)
        and on_the_web == "https://example.org/style.png"
    )
    assert body == {
        "app_id": "ap-sdxl",
        "prompt": "at night",
        "negative_prompt": "people",
        "guidance_scale": 30.0,
        "batch": 3,
        "strength": 1.0,
        "width": 256,
        "height": 1536,
        "celery": True,
        "inference_type": "h100",
    }
    assert [asked.authorization for asked in services.of("GET")] == [
        "",
        "",
        "",
    ], "the key stays with the API"


def test_m9_what_is_sent_is_srgb(services: Services, run: Runs, api: Api) -> None:
    api(success(services))
    plain = Image.blend(scene(40, 30), Image.new("RGB", (40, 30), "grey"), 0.5)
    wide = in_profile(plain, display_p3())
    run(ImageToImage(image=ImageData.of(wide), file_urls=[ImageData.of(wide)], prompt="at night"))
    [posted] = services.of("POST")
    for sent in (posted.json["image"], *posted.json["file_urls"]):
        assert data_uri_image(sent).tobytes() == in_srgb(wide).tobytes() != wide.tobytes()


def test_a_queued_task_is_asked_for_until_it_is_done(
    services: Services, run: Runs, photo: str, api: Api
) -> None:
    api(PENDING, tasks=(PENDING, success(services)))
    assert run(ImageToImage(image=photo)).image.size == (24, 16)
    assert [asked.json for asked in services.of("POST") if asked.path == "/getImage"] == [
        {"id": "task-7"}
    ] * 2
    assert any("task task-7 is pending" in text for text in run.told())


def test_a_synchronous_request(services: Services, run: Runs, photo: str, api: Api) -> None:
    api(success(services))
    run(ImageToImage(image=photo, celery=False))
    assert services.of("POST")[0].json["celery"] is False and len(services.of("POST")) == 1


def test_a_large_image_is_scaled_down_to_fit(
    services: Services, run: Runs, photo: str, api: Api
) -> None:
    api(success(services))
    Image.new("L", (3072, 1536), 90).save(photo)
    run(ImageToImage(image=photo))
    assert data_uri_image(services.of("POST")[0].json["image"]).size == (1536, 768)


def test_a_image_on_the_web_is_sent_as_its_address_and_never_from_the_cache(
    services: Services, run: Runs, api: Api
) -> None:
    api(success(services))
    for _ in range(2):
        run(ImageToImage(image="https://example.org/lake.png", seed=5))
    assert [asked.json["image"] for asked in services.of("POST")] == [
        "https://example.org/lake.png"
    ] * 2


LISTED = {
    "Ideogram Remix": "720x1280 960x1280 1024x1024 1280x960 1280x720",
    "Flux Redux": "720x1280 800x1000 1024x1024 1280x720 1600x676",
    "Flux PulID": "1024x1024 800x1000 720x1280 1280x720 1600x676",
    "GPT Image": "1024x1536 1024x1024 1536x1024",
    "Flux Kontext Max": "630x1470 900x1200 1024x1024 1280x720 1470x630",
}
SIZES = [
    (app, *map(int, size.split("x"))) for app, sizes in LISTED.items() for size in sizes.split()
]


@pytest.mark.parametrize(("app", "width", "height"), SIZES)
def test_every_size_of_the_tables_is_accepted(
    services: Services, run: Runs, photo: str, api: Api, app: Any, width: int, height: int
) -> None:
    api(success(services))
    run(ImageToImage(app=app, image=photo, width=width, height=height))
    body = services.of("POST")[0].json
    assert (body["app_id"], body["width"], body["height"]) == (
        APPS[app].id,
        width,
        height,
    ) and run.warnings() == []


@pytest.mark.parametrize("app", LISTED)
def test_other_sizes_are_refused_before_anything_is_sent(
    services: Services, run: Runs, photo: str, api: Api, app: Any
) -> None:
    api(success(services))
    for width, height in ((512, 512), (1600, 1470), (1280, 1280)):
        found = run.problem(ImageToImage(app=app, image=photo, width=width, height=height))
        assert found.code == "invalid_size" and all(
            size in found.hint for size in LISTED[app].split()
        )
    assert services.asked == []


@pytest.mark.parametrize("app", ["Flux Dev", "Flux Canny", "Flux Depth"])
def test_apps_that_take_the_size_of_the_image(
    services: Services, run: Runs, photo: str, api: Api, app: Any
) -> None:
    api(success(services))
    run(ImageToImage(app=app, image=photo, width=512, height=512, inference_type="a100"))
    assert services.of("POST")[0].json.keys() & {"width", "height", "inference_type"} == set()
    assert [
        warning.split(" is not used")[0].split(" are not used")[0] for warning in run.warnings()
    ] == [
        "inference_type",
        "width and height",
    ]


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ((400, 300), (1280, 960)),
        ((300, 401), (960, 1280)),
        ((10, 90), (720, 1280)),
        ((99, 100), (1024, 1024)),
    ],
)
def test_without_a_size_the_nearest_shape_is_taken(
    services: Services,
    run: Runs,
    photo: str,
    api: Api,
    size: tuple[int, int],
    nearest: tuple[int, int],
) -> None:
    api(success(services))
    Image.new("RGB", size).save(photo)
    run(ImageToImage(app="Ideogram Remix", image=photo))
    body = services.of("POST")[0].json
    assert (body["width"], body["height"]) == nearest


@pytest.mark.parametrize(
    "wrong",
    [
        {"guidance_scale": 0.99},
        {"guidance_scale": 30.01},
        {"batch": 0},
        {"batch": 9},
        {"strength": 1.01},
        {"strength": -0.01},
        {"width": 255, "height": 512},
        {"width": 512, "height": 1601},
        {"app": "Flux Dve"},
        {"inference_type": "v100"},
    ],
    ids=str,
)
def test_bounds(photo: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError):
        ImageToImage(image=photo, **wrong)


@pytest.mark.parametrize(
    "right", [{"guidance_scale": 1.0}, {"batch": 8}, {"strength": 0.0}, {"strength": 1.0}], ids=str
)
def test_the_bounds_themselves_are_accepted(
    services: Services, run: Runs, photo: str, api: Api, right: dict[str, Any]
) -> None:
    api(success(services))
    run(ImageToImage(image=photo, **right))
    assert services.of("POST")[0].json.items() >= right.items()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"file_urls": ["https://example.org/a.png"], "celery": False}, "invalid_value"),
        ({"width": 512}, "invalid_value"),
        ({"app_id": "ap-sdxl", "width": 1537, "height": 512}, "invalid_size"),
        ({"app_id": "ap-sdxl", "width": 512, "height": 1537}, "invalid_size"),
        ({"image": "https://"}, "forbidden_address"),
    ],
    ids=str,
)
def test_what_can_not_work_is_said_before_anything_is_sent(
    services: Services, run: Runs, photo: str, api: Api, wrong: dict[str, Any], code: str
) -> None:
    api(success(services))
    assert run.problem(ImageToImage(**{"image": photo} | wrong)).code == code
    assert services.asked == []


@pytest.mark.parametrize(
    ("missing", "code"),
    [("QOLABA_API_KEY", "missing_secret"), ("QOLABA_BASE_URL", "missing_setting")],
)
def test_key_and_address_are_this_machines(
    run: Runs, photo: str, api: Api, monkeypatch: pytest.MonkeyPatch, missing: str, code: str
) -> None:
    monkeypatch.delenv(missing)
    found = run.problem(ImageToImage(image=photo))
    assert found.code == code and f"nodetool secrets set {missing}" in found.hint


# -- misbehaviour ----------------------------------------------------------------------------------

HTML = Answer(b"<html><title>Wartung</title></html>", 200, {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (json_answer(envelope("FAILED", error="no face found")), "service_failed", "no face found"),
        (
            json_answer(envelope("FAILED", error="", error_data={"message": "too dark"}), 500),
            "service_failed",
            "too dark",
        ),
        (
            json_answer(envelope("FAILED", error="guidance out of range"), 422),
            "service_rejected",
            "guidance out of range",
        ),
        (
            json_answer(envelope("FAILED", error="who are you"), 401),
            "service_refused",
            "who are you",
        ),
        (json_answer(envelope("DREAMING")), "unexpected_answer", "'DREAMING'"),
        (json_answer(envelope("PENDING")), "unexpected_answer", "no id"),
        (
            json_answer(envelope("SUCCESS", output={"result": []})),
            "unexpected_answer",
            "no list of images",
        ),
        (json_answer(envelope("SUCCESS", output="soon")), "unexpected_answer", "no list of images"),
        (json_answer([1]), "unexpected_answer", "200"),
        (HTML, "unexpected_answer", "Wartung"),
        (Answer(b'{"status": "SUCC', missing=20), "service_unreachable", "broke off"),
        (Answer(b"", 302, {"Location": "http://127.0.0.1/"}), "unexpected_answer", "302"),
        (Answer(b"{" + b" " * 2_000_000 + b"}"), "unexpected_answer", "more than 1 MiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_answer(
    services: Services, run: Runs, photo: str, api: Api, answer: Answer, code: str, said: str
) -> None:
    api(answer)
    found = run.problem(ImageToImage(image=photo))
    assert found.code == code and said in found.message, found
    assert len(services.of("POST")) == 1


def test_a_busy_api_is_asked_again_and_a_busy_queue_keeps_its_task(
    services: Services, run: Runs, photo: str, api: Api
) -> None:
    busy = Answer(b"slow down", 429, {"Retry-After": "0"})
    api(busy, PENDING, tasks=(busy, success(services)))
    run(ImageToImage(image=photo))
    assert [asked.path for asked in services.of("POST")] == [
        "/getImagetoImage",
        "/getImagetoImage",
        "/getImage",
        "/getImage",
    ]


def test_an_endless_task_ends_at_the_deadline(
    services: Services, run: Runs, photo: str, api: Api
) -> None:
    api(PENDING, tasks=(PENDING,))
    found = run.problem(ImageToImage(image=photo, timeout=1.5))
    assert found.code == "service_timeout" and "task task-7 is pending" in found.message
    assert len(services.of("POST")) <= 2, "one request, and one question after a second"


def test_a_cancel_while_waiting_takes_effect_at_once(
    services: Services, run: Runs, photo: str, api: Api
) -> None:
    hold = threading.Event()
    api(Answer(b"", hold=hold))
    under_way = run.start(ImageToImage(image=photo, celery=False))
    assert services.arrived.wait(10)
    under_way.cancel()
    with pytest.raises(RunCancelled):
        under_way.result(30)
    assert services.given_up.wait(5), "the service can see that nobody waits"
    hold.set()


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("http://127.0.0.1:1/x.png", "forbidden_address"),
        ("http://localhost/x.png", "forbidden_address"),
        ("http://169.254.169.254/latest/meta-data", "forbidden_address"),
        ("http://[fe80::1]/x.png", "forbidden_address"),
        ("http://2130706433/x.png", "forbidden_address"),
        ("file:///etc/passwd", "forbidden_address"),
        ("{base}/moved", "forbidden_address"),
        ("{base}/round", "unexpected_answer"),
        ("{base}/gone", "service_failed"),
        ("{base}/page", "not_an_image"),
    ],
)
def test_a_result_that_must_not_or_can_not_be_fetched(
    services: Services, run: Runs, photo: str, api: Api, result: str, code: str
) -> None:
    host = f"127.0.0.1:{services.port}"
    services.route(host, "GET", "/moved", Answer(b"", 302, {"Location": "http://10.0.0.1/x.png"}))
    services.route(host, "GET", "/round", Answer(b"", 302, {"Location": "/round"}))
    services.route(host, "GET", "/gone", Answer(b"", 410))
    services.route(host, "GET", "/page", HTML)
    api(
        json_answer(
            envelope(
                "SUCCESS",
                output={"result": [result.format(base=services.url), f"{services.url}/result.png"]},
            )
        )
    )
    assert run.problem(ImageToImage(image=photo)).code == code


def test_fewer_images_than_asked_for(services: Services, run: Runs, photo: str, api: Api) -> None:
    api(success(services, 2))
    assert len(run(ImageToImage(image=photo, batch=4), "images")) == 2
    assert run.warnings() == ["2 images were made in place of 4."]


def test_the_cache_goes_by_the_seed(services: Services, run: Runs, photo: str, api: Api) -> None:
    api(success(services))
    for seed in (4, 4, 5, -1, -1):
        run(ImageToImage(image=photo, seed=seed))
    assert len(services.of("POST")) == 4 and "seed" not in services.of("POST")[0].json
