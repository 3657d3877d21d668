"""What each client has of its own: options, progress, interruptions, its token."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from nodetool_core.server.logs import without_secrets
from tests.server import nodes
from tests.server.a1111.conftest import (
    PREFIX,
    Ask,
    asking,
    images_of,
    info_of,
    live_server,
)
from tests.server.live import LiveServer, opened
from tests.server.openai.conftest import TINY
from tests.waiting import eventually

Make = Callable[..., LiveServer]


@pytest.fixture
def make(tmp_path: Any) -> Iterator[Make]:
    """Yield a function that starts a server, which ends with the test."""
    started: list[LiveServer] = []

    def make(**settings: Any) -> LiveServer:
        live = live_server(tmp_path, preload=False, **settings)
        started.append(live.__enter__())
        return live

    yield make
    for live in started:
        live.__exit__()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (basic("anybody", "right-token"), 200),
        (basic("right-token", ""), 200),
        ("Bearer right-token", 200),
        (basic("anybody", "wrong"), 401),
        (basic("", ""), 401),
        ("Basic no-base64!", 401),
        ("", 401),
    ],
)
def test_the_password_is_the_token(make: Make, authorization: str, status: int) -> None:
    with make(token="right-token").client(Authorization=authorization) as client:
        answer = client.get(f"{PREFIX}/options")
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert "password" in answer.json()["detail"]


def test_an_empty_authorization_where_no_token_is_set(server: LiveServer) -> None:
    """SillyTavern always sends one."""
    with server.client(Authorization=basic("", "")) as client:
        assert client.get(f"{PREFIX}/options").status_code == 200


def test_logs_leave_the_password_out() -> None:
    header = basic("somebody", "right-token")
    assert header.split()[1] not in without_secrets(f"authorization: {header}, x")


def test_options_are_the_clients_own(make: Make) -> None:
    live = make(token="one-token,other-token")
    with (
        live.client(Authorization=basic("x", "one-token")) as one,
        live.client(Authorization=basic("x", "other-token")) as other,
    ):
        assert one.get(f"{PREFIX}/options").json()["sd_model_checkpoint"] == TINY
        # As Open WebUI does it: everything is sent back, with another checkpoint in it.
        options = one.get(f"{PREFIX}/options").json() | {"sd_model_checkpoint": "sketch"}
        changed = one.post(f"{PREFIX}/options", json=options)
        assert (changed.status_code, changed.json()) == (200, None)
        assert one.get(f"{PREFIX}/options").json() == options
        assert other.get(f"{PREFIX}/options").json()["sd_model_checkpoint"] == TINY
        made = one.post(f"{PREFIX}/txt2img", json={"prompt": "x"})
        assert info_of(made)["sd_model_name"] == "sketch"
        given = {"prompt": "x", "override_settings": {"sd_model_checkpoint": "plain"}}
        once = one.post(f"{PREFIX}/txt2img", json=given)
        assert info_of(once)["sd_model_name"] == "plain"
        assert one.get(f"{PREFIX}/options").json() == options


def test_options_that_there_are_not(server: LiveServer) -> None:
    with server.client() as client:
        unknown = client.post(f"{PREFIX}/options", json={"sd_vae": "a.pt", "eta_ancestral": 1.0})
        assert [note.split()[2] for note in unknown.json()["warnings"]] == [
            "sd_vae",
            "eta_ancestral",
        ]
        refused = client.post(f"{PREFIX}/options", json={"sd_model_checkpoint": "nothing"})
        assert refused.status_code == 404 and "nothing" in refused.json()["detail"]
        wrong = client.post(f"{PREFIX}/options", json={"jpeg_quality": 1000})
        assert wrong.status_code == 422


@pytest.mark.parametrize(("name", "expected"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_the_format_of_images(ask: Ask, name: str, expected: str) -> None:
    given = {"prompt": "a lake", "override_settings": {"samples_format": name}}
    answer = ask("sketch", **given)
    assert images_of(answer)[0].format == expected


@contextmanager
def under_way(live: LiveServer, door: str, **body: Any) -> Iterator[list[httpx2.Response]]:
    """Ask for images of the workflow that waits at a door; yield where its answer will be."""
    answers: list[httpx2.Response] = []
    headers = {"Authorization": basic("x", "one-token")}

    def ask() -> None:
        with live.client(**headers) as client:
            answers.append(asking(client)("slow", prompt=door, **body))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        assert nodes.DOORS[door].came.acquire(timeout=20)
        yield answers
    finally:
        nodes.DOORS[door].open.set()
        thread.join(20)
        assert not thread.is_alive()


def shown(client: httpx2.Client) -> dict[str, Any]:
    """
    Return the progress once the second step and its preview have arrived, which events may do late.
    """
    deadline = time.monotonic() + 20
    while True:
        found: dict[str, Any] = client.get(f"{PREFIX}/progress").json()
        image = found["current_image"]
        has_second = image and opened(base64.b64decode(image)).getpixel((0, 0)) == (1, 0, 0)
        is_second = found["state"]["sampling_step"] == 2 and has_second
        if is_second or time.monotonic() > deadline:
            return found


def test_progress(make: Make) -> None:
    door, live = "a1111 progress", make(token="one-token,other-token")
    with (
        live.client(Authorization=basic("x", "one-token")) as one,
        live.client(Authorization=basic("x", "other-token")) as other,
    ):
        idle = one.get(f"{PREFIX}/progress").json()
        assert (idle["progress"], idle["state"]["job_count"], idle["current_image"]) == (0, 0, None)
        with under_way(live, door, batch_size=2, seed=7):
            found = shown(one)
            state = found["state"]
            assert found["progress"] == 0.25 and found["eta_relative"] >= 0
            assert (state["job"], state["job_count"], state["job_no"]) == ("txt2img", 2, 0)
            assert (state["sampling_step"], state["sampling_steps"]) == (2, 4)
            image = opened(base64.b64decode(found["current_image"]))
            assert (image.size, image.getpixel((0, 0))) == ((16, 16), (1, 0, 0))
            small = one.get(f"{PREFIX}/progress?skip_current_image=true").json()
            assert small["current_image"] is None
            assert other.get(f"{PREFIX}/progress").json()["state"]["job_count"] == 0
        assert one.get(f"{PREFIX}/progress").json()["progress"] == 0


def test_previews_are_made_for_those_who_look(make: Make) -> None:
    door, live = "a1111 unwatched", make(token="one-token")
    with live.client(Authorization=basic("x", "one-token")) as one:
        with under_way(live, door):
            first = one.get(f"{PREFIX}/progress").json()
            assert first["current_image"] is None and first["state"]["job_count"] == 1
        nodes.DOORS[door].open.clear()
        with under_way(live, door, seed=8):
            assert shown(one)["current_image"]


@pytest.mark.parametrize("use", ["interrupt", "skip"])
def test_a_client_ends_its_own_images(make: Make, use: str) -> None:
    door, live = f"a1111 {use}", make(token="one-token,other-token")
    with (
        live.client(Authorization=basic("x", "one-token")) as one,
        live.client(Authorization=basic("x", "other-token")) as other,
        under_way(live, door, batch_size=3, seed=7) as answers,
    ):
        other.post(f"{PREFIX}/{use}")
        assert one.get(f"{PREFIX}/progress").json()["state"]["job_count"] == 3
        assert one.post(f"{PREFIX}/{use}").json() == {}
    expected = [] if use == "interrupt" else [8, 9]
    assert [image.getpixel((0, 0))[0] for image in images_of(answers[0])] == expected  # type: ignore[index]
    assert info_of(answers[0])["all_seeds"] == expected


def test_what_waits_in_line_is_interrupted(make: Make) -> None:
    door, live = "a1111 line", make(token="one-token", concurrency=1)
    second: list[httpx2.Response] = []
    with live.client(Authorization=basic("x", "one-token")) as one:

        def ask() -> None:
            second.append(asking(one)("sketch", prompt="x"))

        with under_way(live, door) as first:
            waiting = threading.Thread(target=ask)
            waiting.start()
            with live.client(Authorization=basic("x", "one-token")) as other:
                state = lambda: other.get(f"{PREFIX}/progress").json()["state"]  # noqa: E731
                eventually(lambda: state()["job_count"] == 2)
                other.post(f"{PREFIX}/interrupt")
            waiting.join(20)
    assert images_of(second[0]) == images_of(first[0]) == []


def test_the_run_ends_with_its_client(make: Make) -> None:
    live, door = make(concurrency=1), nodes.DOORS["a1111 gone"]
    with live.client() as client, pytest.raises(httpx2.TimeoutException):
        client.post(
            f"{PREFIX}/txt2img",
            json={"prompt": "a1111 gone", "override_settings": {"sd_model_checkpoint": "slow"}},
            timeout=0.5,
        )
    assert door.came.acquire(timeout=20)
    with live.client() as client:
        assert len(images_of(asking(client)("sketch", prompt="x"))) == 1
