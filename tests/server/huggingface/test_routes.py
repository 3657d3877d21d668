"""
The numbered checks of the wire contract of the Hugging Face image APIs, over a real connection.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from PIL import Image

from tests.server.live import LiveServer, opened, png

PAINT = "/models/paint"


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def asked(parameters: Any = None, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"inputs": encoded(png())} | more
    return body if parameters is None else body | {"parameters": parameters}


def error_of(response: httpx2.Response, *statuses: int) -> str:
    """Return the message of a failure, which has the form that every client can show (24)."""
    assert response.status_code in statuses, response.text[:300]
    body = response.json()
    assert isinstance(body, dict)
    assert isinstance(body["error"], str)
    assert body["error"]
    assert response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return str(body["error"])


def left(content: bytes) -> tuple[int, int, int]:
    """Return what `Paint` wrote: length of prompt, of negative prompt, number of steps."""
    pixel = opened(content).convert("RGB").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel  # type: ignore[return-value]


def test_1_raw_bytes_without_content_type(client: httpx2.Client) -> None:
    request = client.build_request("POST", PAINT, content=png())
    assert "content-type" not in request.headers
    response = client.send(request)
    assert response.status_code == 200
    assert opened(response.content).size == (32, 24)


def test_m21_an_animation_gives_its_first_frame_and_says_so(client: httpx2.Client) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(
        buffer, "GIF", save_all=True, append_images=[Image.new("RGB", (32, 24), "blue")]
    )
    told = client.post(PAINT, content=buffer.getvalue()).headers["x-hf-warning"]
    assert told.count("only its first frame is used") == 1


def test_a_form_is_refused_with_what_to_send(client: httpx2.Client) -> None:
    message = error_of(client.post(PAINT, files={"file": ("photo.png", png(), "image/png")}), 415)
    assert "--data-binary" in message


@pytest.mark.parametrize("body", [png(), json.dumps(asked()).encode()])
def test_a_compressed_body_is_refused_with_what_to_send(client: httpx2.Client, body: bytes) -> None:
    message = error_of(
        client.post(PAINT, content=gzip.compress(body), headers={"Content-Encoding": "gzip"}), 415
    )
    assert "without a Content-Encoding" in message
    assert (
        client.post(PAINT, content=body, headers={"Content-Encoding": "identity"}).status_code
        == 200
    )


@pytest.mark.parametrize(
    "kind",
    [
        "image/jpeg",
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
    ],
)
def test_2_the_content_type_of_raw_bytes_does_not_matter(client: httpx2.Client, kind: str) -> None:
    response = client.post(PAINT, content=png(), headers={"Content-Type": kind})
    assert response.status_code == 200
    assert opened(response.content).size == (32, 24)


@pytest.mark.parametrize("form", ["absent", {}, None, {"prompt": None, "target_size": None}])
def test_3_base64_without_parameters(client: httpx2.Client, form: Any) -> None:
    body = asked() if form == "absent" else asked() | {"parameters": form}
    response = client.post(PAINT, json=body)
    assert response.status_code == 200
    assert left(response.content) == (len("a lake"), 0, 4)


def test_3_json_is_read_without_its_content_type(client: httpx2.Client) -> None:
    response = client.post(PAINT, content=json.dumps(asked({"prompt": "x"})).encode())
    assert response.status_code == 200, response.text
    assert left(response.content)[0] == 1


def test_4_all_parameters(client: httpx2.Client) -> None:
    parameters = {
        "prompt": "ten chars!",
        "negative_prompt": "xy",
        "num_inference_steps": 9,
        "guidance_scale": 3,
        "strength": 1.0,
        "seed": 258,
    }
    response = client.post(PAINT, json=asked(parameters))
    assert response.status_code == 200
    assert left(response.content) == (10, 2, 9)
    assert opened(response.content).getpixel((31, 23)) == (2, 1, 255)
    assert "x-hf-warning" not in response.headers


@pytest.mark.parametrize(("given", "length"), [("abc", 3), (["ab", "c"], 5), ([], 0), ("", 0)])
def test_5_negative_prompt_as_text_or_list(client: httpx2.Client, given: Any, length: int) -> None:
    response = client.post(PAINT, json=asked({"negative_prompt": given}))
    assert response.status_code == 200
    assert left(response.content)[1] == length


@pytest.mark.parametrize("given", [[1], 5, {"a": "b"}, True])
def test_5_negative_prompt_of_another_kind(client: httpx2.Client, given: Any) -> None:
    assert "negative_prompt" in error_of(
        client.post(PAINT, json=asked({"negative_prompt": given})), 422
    )


def test_6_the_prompt_may_be_absent(client: httpx2.Client) -> None:
    assert left(client.post(PAINT, json=asked({"strength": 0.1})).content)[0] == len("a lake")


def test_7_target_size_is_honoured_or_told(client: httpx2.Client) -> None:
    wanted = {"target_size": {"width": 20, "height": 10}}
    honoured = client.post("/models/resize", json=asked(wanted))
    assert opened(honoured.content).size == (20, 10)
    assert "x-hf-warning" not in honoured.headers
    told = client.post(PAINT, json=asked(wanted))
    assert opened(told.content).size == (32, 24)
    assert "target_size" in told.headers["x-hf-warning"]


SIZES = [
    {"height": 5},
    [5, 5],
    {"width": 0, "height": 5},
    {"width": 5, "height": -1},
    "5x5",
    {"width": "5", "height": 5},
    {"width": 5.5, "height": 5},
]


@pytest.mark.parametrize(
    "size", [*SIZES, {"width": True, "height": 5}, {"width": 10**9, "height": 5}]
)
def test_8_a_wrong_target_size(client: httpx2.Client, size: Any) -> None:
    assert "target_size" in error_of(
        client.post("/models/resize", json=asked({"target_size": size})), 422
    )


def test_9_flat_width_and_height(client: httpx2.Client) -> None:
    assert opened(
        client.post("/models/resize", json=asked({"width": 7, "height": 9})).content
    ).size == (7, 9)
    assert opened(client.post("/models/resize", json=asked({"width": 7})).content).size == (7, 8)


def test_10_an_unknown_parameter_is_told(client: httpx2.Client) -> None:
    response = client.post(
        PAINT, json=asked({"sharpness": 3, "prompt": "x", "evil\r\nSet-Cookie: a": 1})
    )
    assert response.status_code == 200
    assert "sharpness" in response.headers["x-hf-warning"]
    assert "set-cookie" not in response.headers


def test_10_warnings_are_readable_and_leave_room_for_each_other(
    serve: Callable[..., LiveServer],
) -> None:
    server = serve({}, models=("nodetool/tiny-landscapes",), load_patience=60)
    body = {
        "inputs": "word " * 500,
        "parameters": {"width": 65, "height": 64, "num_inference_steps": 1, "sharpness": 3},
    }
    with server.client() as client:
        told = client.post("/models/nodetool/tiny-landscapes", json=body).headers["x-hf-warning"]
    assert "from 65x64 to 64x64" in told
    assert "is cut off" in told
    assert "sharpness" in told
    assert len(told) < 1000


@pytest.mark.parametrize(
    "prefix", ["data:image/png;base64,", "data:;base64,", "data:image/jpeg;BASE64,"]
)
def test_11_data_uri(client: httpx2.Client, prefix: str) -> None:
    assert client.post(PAINT, json=asked(inputs=prefix + encoded(png()))).status_code == 200


@pytest.mark.parametrize(
    "given", ["not base64!", "data:image/png,raw", "=", "a", "\u20ac\u20ac\u20ac\u20ac"]
)
def test_12_invalid_base64(client: httpx2.Client, given: str) -> None:
    error_of(client.post(PAINT, json=asked(inputs=given)), 400)


@pytest.mark.parametrize(
    "content", [b"no image at all", b"", png()[:60], png()[:-30], b"\x89PNG\r\n\x1a\n"]
)
def test_13_base64_of_no_image(client: httpx2.Client, content: bytes) -> None:
    error_of(client.post(PAINT, json=asked(inputs=encoded(content))), 400)
    error_of(client.post(PAINT, content=content), 400)


@pytest.mark.parametrize("body", [{}, {"inputs": None}, {"parameters": {}}, {"inputs": {}}])
def test_14_inputs_missing(client: httpx2.Client, body: Any) -> None:
    assert "inputs" in error_of(client.post(PAINT, json=body), 422)


@pytest.mark.parametrize("steps", ["abc", 1.5, True, 0, [3]])
def test_15_steps_that_are_none(client: httpx2.Client, steps: Any) -> None:
    assert "num_inference_steps" in error_of(
        client.post(PAINT, json=asked({"num_inference_steps": steps})), 422
    )


@pytest.mark.parametrize("name", ["guidance_scale", "strength", "unknown"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_16_numbers_that_are_none(client: httpx2.Client, name: str, number: str) -> None:
    text = json.dumps(asked({name: 12345})).replace("12345", number)
    error_of(
        client.post(PAINT, content=text.encode(), headers={"Content-Type": "application/json"}), 422
    )


def test_16_a_number_that_overflows(client: httpx2.Client) -> None:
    text = json.dumps(asked({"strength": 12345})).replace("12345", "1e999")
    error_of(
        client.post(PAINT, content=text.encode(), headers={"Content-Type": "application/json"}), 422
    )


MALFORMED = [
    b"{",
    b"{]}",
    b'{"inputs": }',
    b"{'inputs': 1}",
    b'{"a": "\xff\xfe"}',
    b'{"a":' * 100_000,
    b'{"a": 1' + b"0" * 5000 + b"}",
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_17_malformed_json(client: httpx2.Client, body: bytes) -> None:
    error_of(client.post(PAINT, content=body, headers={"Content-Type": "application/json"}), 400)


@pytest.mark.parametrize(
    "body", [b"[]", b'"text"', b"5", b"null", b'{"inputs": "a", "parameters": [1]}']
)
def test_17_json_of_another_form(client: httpx2.Client, body: bytes) -> None:
    error_of(client.post(PAINT, content=body, headers={"Content-Type": "application/json"}), 422)


def test_18_a_body_over_the_limit(server: LiveServer, client: httpx2.Client) -> None:
    too_much = b"\x89PNG" + b"\0" * server.state.settings.max_body_bytes
    assert "larger" in error_of(client.post(PAINT, content=too_much), 413)


def test_18_a_body_over_the_limit_in_chunks(server: LiveServer, client: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"\x89PNG"
        for _ in range(server.state.settings.max_body_bytes // 65536 + 1):
            yield b"\0" * 65536

    response = client.post(PAINT, content=chunks())
    assert response.request.headers["transfer-encoding"] == "chunked"
    assert "larger" in error_of(response, 413)


def test_19_a_pixel_bomb(client: httpx2.Client) -> None:
    bomb = png(9000, 9000, 0, mode="1")
    assert len(bomb) < 100_000
    assert "pixels" in error_of(client.post(PAINT, content=bomb), 413)
    assert "pixels" in error_of(client.post(PAINT, json=asked(inputs=encoded(bomb))), 413)


FOREIGN = [
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"%PDF-1.7\n",
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    b"<html></html>",
]


@pytest.mark.parametrize("content", FOREIGN)
def test_20_what_is_no_raster_image(client: httpx2.Client, content: bytes) -> None:
    error_of(client.post(PAINT, content=content, headers={"Content-Type": "image/png"}), 400, 415)
    error_of(client.post(PAINT, json=asked(inputs=encoded(content))), 400, 415)


def test_21_exif_orientation(client: httpx2.Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = client.post(PAINT, content=png(40, 20, format="JPEG", exif=exif))
    assert opened(turned.content).size == (20, 40)
