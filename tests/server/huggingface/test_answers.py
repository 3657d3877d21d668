"""The checks of the wire contract that look at answers: tokens, formats, cache, failures."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
import pytest

from tests.server.huggingface.test_routes import PAINT, asked, encoded, error_of
from tests.server.live import LiveServer, opened, png


@pytest.mark.parametrize(
    "sent",
    [None, "Bearer wrong", "Basic right-token", "Bearer", "right-token", "Bearer right-tokenx"],
)
def test_22_a_missing_or_wrong_token(serve: Callable[..., LiveServer], sent: str | None) -> None:
    with serve(token="right-token").client() as client:
        response = client.post(
            PAINT, content=png(), headers={} if sent is None else {"Authorization": sent}
        )
    error_of(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "right-token" not in response.text


def test_22_the_right_token(serve: Callable[..., LiveServer]) -> None:
    with serve(token="right-token").client() as client:
        for sent in (
            "Bearer right-token",
            "bearer right-token",
            "BEARER  right-token",
            "Bearer: right-token",
        ):
            assert (
                client.post(PAINT, content=png(), headers={"Authorization": sent}).status_code
                == 200
            )


ACCEPTS = [
    ("image/png", "PNG"),
    ("*/*", "PNG"),
    ("image/jpeg", "JPEG"),
    ("image/webp", "WEBP"),
    ("image/avif,image/webp;q=0.8,*/*;q=0.1", "WEBP"),
]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [*ACCEPTS, ("application/json", "PNG"), ("", "PNG"), ("image/jpeg;q=x", "PNG")],
)
def test_23_the_image_has_the_format_that_is_accepted(
    client: httpx2.Client, accept: str, expected: str
) -> None:
    response = client.post(PAINT, content=png(), headers={"Accept": accept})
    assert response.status_code == 200
    assert opened(response.content).format == expected
    assert response.headers["content-type"] == f"image/{expected.lower()}"


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        (PAINT, b"no image", 400),
        (PAINT, b"{", 400),
        (PAINT, b'{"parameters": {}}', 422),
        (PAINT, bytes(3 * 2**20), 413),
        ("/models/nothing", b"x", 404),
        ("/nowhere", b"x", 404),
        ("/livez", b"x", 405),
    ],
)
def test_24_every_error_is_an_object_with_a_text_and_the_id_of_the_request(
    client: httpx2.Client, path: str, content: bytes, status: int
) -> None:
    response = client.post(path, content=content)
    body = response.json()
    assert response.status_code == status and isinstance(body, dict)
    assert isinstance(body["error"], str) and body["error"]
    assert response.headers["x-request-id"]


def test_27_the_same_again_is_a_hit_and_can_be_refused(client: httpx2.Client) -> None:
    body = asked({"prompt": "twice"})
    first, second = client.post(PAINT, json=body), client.post(PAINT, json=body)
    fresh = [
        client.post(PAINT, json=body, headers={"x-use-cache": flag}) for flag in ("false", "0")
    ]
    assert [r.headers["x-cache"] for r in (first, second, *fresh)] == [
        "miss",
        "hit",
        "miss",
        "miss",
    ]
    assert first.content == second.content
    assert len({first.content, *(r.content for r in fresh)}) == 3, "the seed is drawn for each run"


def test_27_the_same_in_other_words_is_a_hit(client: httpx2.Client) -> None:
    first = client.post(PAINT, json=asked({"prompt": "p", "strength": 0.25}))
    other = client.post(
        PAINT,
        json=asked(
            {"strength": 0.25, "prompt": "p"},
            inputs="data:image/png;base64," + encoded(png(compress_level=1)),
        ),
    )
    changed = client.post(PAINT, json=asked({"strength": 0.26, "prompt": "p"}))
    assert [r.headers["x-cache"] for r in (first, other, changed)] == ["miss", "hit", "miss"]


def test_27_a_flag_that_is_none(client: httpx2.Client) -> None:
    assert "x-use-cache" in error_of(
        client.post(PAINT, content=png(), headers={"x-use-cache": "maybe"}), 422
    )


def test_28_an_unknown_model(client: httpx2.Client) -> None:
    assert "pain" in error_of(client.post("/models/pain", content=png()), 404)
    error_of(client.get("/models/nobody/nothing/health"), 404)
    error_of(client.get("/models/nobody/nothing/info"), 404)


def test_31_text_to_image(client: httpx2.Client) -> None:
    response = client.post("/models/draw", json={"inputs": "cat", "parameters": {}})
    assert response.status_code == 200
    assert opened(response.content).getpixel((0, 0)) == (3, 0, 0)
    sized = client.post(
        "/models/draw",
        json={"inputs": "cat", "parameters": {"target_size": {"width": 4, "height": 5}}},
    )
    assert opened(sized.content).size == (4, 5)
    error_of(client.post("/models/draw", content=png()), 422)
    error_of(client.post("/models/draw", json={"inputs": 5}), 422)


def test_the_oldest_form_has_an_object_as_inputs(client: httpx2.Client) -> None:
    assert client.post(PAINT, json={"inputs": {"image": encoded(png())}}).status_code == 200
    assert client.post(PAINT, json={"image": encoded(png())}).status_code == 200


def test_options_in_the_body_count_as_headers_do(client: httpx2.Client) -> None:
    body = asked({"prompt": "options"}, options={"use_cache": False, "wait_for_model": True})
    assert [client.post(PAINT, json=body).headers["x-cache"] for _ in range(2)] == ["miss", "miss"]


def test_a_text_with_half_a_character(client: httpx2.Client) -> None:
    body = json.dumps(asked({"prompt": "MARK"})).replace("MARK", "\\ud800")
    assert "surrogate" in error_of(client.post(PAINT, content=body.encode()), 422)


def test_a_node_with_a_fault_is_our_failure_without_its_insides(client: httpx2.Client) -> None:
    response = client.post("/models/sub/broken", content=png())
    error_of(response, 500)
    assert "hunter2" not in response.text
    assert "ZeroDivisionError" not in response.text


def test_health_and_info(client: httpx2.Client) -> None:
    assert client.get("/models/paint/health").status_code == 200
    info = client.get("/models/paint/info").json()
    assert info["model_id"] == "paint"
    assert info["model_pipeline_tag"] == "image-to-image"
    assert client.get("/models/sub/broken/health").status_code == 200


def test_answers_do_not_say_how_they_were_made(client: httpx2.Client) -> None:
    assert "nodetool" not in opened(client.post(PAINT, content=png()).content).info


def test_answers_say_how_they_were_made_where_the_operator_wants_it(
    serve: Callable[..., LiveServer],
) -> None:
    with serve(provenance=True).client() as client:
        assert "nodetool" in opened(client.post(PAINT, content=png()).content).info
