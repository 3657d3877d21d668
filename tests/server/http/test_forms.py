"""The file in a form: as curl, browsers and Python send it (V16)."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetool_core.server.http.forms import file_in_form
from nodetool_core.server.http.http_errors import HttpError
from tests.server.huggingface.test_routes import error_of
from tests.server.live import png


def form(
    *parts: tuple[str, bytes], boundary: str = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
) -> bytes:
    mark = b"--" + boundary.encode()
    whole = b"".join(
        mark
        + b"\r\nContent-Disposition: form-data; "
        + head.encode()
        + b"\r\n\r\n"
        + content
        + b"\r\n"
        for head, content in parts
    )
    return whole + mark + b"--\r\n"


@given(
    content=st.binary(max_size=200),
    text=st.binary(max_size=20),
    boundary=st.from_regex(r"[A-Za-z0-9'()+_./:=?-]{8,60}", fullmatch=True),
)
def test_v16_the_file_comes_out_as_it_went_in(content: bytes, text: bytes, boundary: str) -> None:
    if boundary.encode() in content + text:
        return
    body = form(
        ('name="note"', text),
        ('name="file"; filename="a; b.png"\r\nContent-Type: image/png', content),
        boundary=boundary,
    )
    assert (
        file_in_form(body, f'multipart/form-data; charset=utf-8; boundary="{boundary}"') == content
    )


@given(
    body=st.binary(max_size=300)
    | st.binary(max_size=60).map(lambda piece: form(('name="f"; filename="a"', piece))[:-4] + piece)
)
def test_v16_what_is_no_form_is_refused(body: bytes) -> None:
    try:
        file_in_form(body, "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW")
    except HttpError as error:
        assert error.status in (400, 422)


def test_v16_an_upload_as_a_form_is_the_upload_of_its_file(client: httpx2.Client) -> None:
    plain = client.post("/v1/uploads", content=png())
    sent = client.post(
        "/v1/uploads",
        files={"file": ("photo.png", png(), "image/png")},
        data={"note": "of the lake"},
    )
    assert (plain.status_code, sent.status_code) == (201, 201)
    assert sent.json() == plain.json()
    assert client.get(f"/v1/files/{sent.json()['asset_id']}").content == png()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("a", ("a.png", png())), ("b", ("b.png", png()))], "2 files"),
        ([("a", (None, b"text"))], "no files"),
    ],
)
def test_v16_a_form_without_one_file(
    client: httpx2.Client, files: list[tuple[str, tuple[str | None, bytes]]], words: str
) -> None:
    assert words in error_of(client.post("/v1/uploads", files=files), 422)


def test_v16_a_form_whose_file_is_no_image(client: httpx2.Client) -> None:
    error_of(client.post("/v1/uploads", files={"file": ("a.png", b"no image")}), 400)
    error_of(
        client.post("/v1/uploads", content=png(), headers={"Content-Type": "multipart/form-data"}),
        400,
    )
