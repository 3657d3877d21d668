"""What clients can't do, whatever they send."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.huggingface.image_to_image import ImageToImage, LoadImageToImageModel
from nodes.nodetool.control import ForEach
from nodes.nodetool.image import LoadImageFile, Resize
from nodes.nodetool.input import (
    AssetFolderInput,
    FilePathInput,
    ImageInput,
    ImageListInput,
    StringInput,
)
from nodes.nodetool.output import Output
from nodetool_core import Workflow
from nodetool_core.engine.plans import PLANS
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.logs import without_secrets
from nodetool_core.server.security import fetch, middleware
from nodetool_core.server.security.fetch import Fetcher
from nodetool_core.server.security.middleware import RateLimiter
from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_checks import check_address
from nodetool_core.server.settings_sources import SettingsError
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.qolaba.conftest import Images

DATA = "data:image/png;base64," + base64.b64encode(png()).decode()


def ask(client: httpx2.Client, name: str, inputs: dict[str, Any], **body: Any) -> httpx2.Response:
    return client.post(f"/v1/workflows/{name}/runs", json={"inputs": inputs} | body)


def code(response: httpx2.Response, status: int = 422) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["problems"][0]["code"])


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("private") / "secret.png"
    path.write_bytes(png(3, 3))
    return path


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "file://{}",
        "file:{}",
        "FILE://{}",
        "../../../../../../..{}",
        "~/a.png",
        "C:\\a.png",
        "relative.png",
        "sftp://h{}",
    ],
)
def test_no_path_reaches_a_node(client: httpx2.Client, secret: Path, form: str, wait: bool) -> None:
    text = form.format(secret)
    for value in (text, {"type": "image", "uri": text}):
        assert code(ask(client, "paint", {"image": value}, wait=wait)) in (
            "forbidden_path",
            "forbidden_scheme",
        )


@pytest.mark.parametrize("asset", ["../../etc/passwd", "0" * 64, "", "a/b"])
def test_no_file_of_the_storage_can_be_guessed(client: httpx2.Client, asset: str) -> None:
    response = ask(client, "paint", {"image": {"type": "image", "asset_id": asset}})
    assert response.status_code in (404, 422)


def test_a_list_of_images_is_looked_at_one_by_one(
    serve: Callable[..., LiveServer], secret: Path
) -> None:
    images = ImageListInput(name="images")
    each = ForEach(input_list=images.output)
    handle = next(iter(ForEach.spec.outputs))
    workflow = Workflow(
        Output(name="small", value=Resize(image=each[handle], width=4, height=4).output)
    )
    with serve({"many": workflow}).client() as client:
        assert code(ask(client, "many", {"images": [DATA, str(secret)]})) == "forbidden_path"
        answer = ask(client, "many", {"images": [DATA, DATA]}).json()
        assert [one["width"] for one in answer["outputs"]["small"]] == [4, 4]


def test_inputs_that_lead_to_places_can_not_be_set(
    serve: Callable[..., LiveServer], secret: Path
) -> None:
    """Neither an input that is a path, nor a text that a node takes for one."""
    text = Workflow(
        Output(
            name="image",
            value=LoadImageFile(path=StringInput(name="name", value=str(secret)).output).output,
        )
    )
    path = Workflow(Output(name="path", value=FilePathInput(name="file", value=str(secret)).output))
    folder = Workflow(Output(name="folder", value=AssetFolderInput(name="folder").output))
    with serve({"text": text, "path": path, "folder": folder}).client() as client:
        for name, given_name in (("text", "name"), ("path", "file"), ("folder", "folder")):
            assert client.get(f"/v1/workflows/{name}").json()["inputs"]["properties"] == {}
            assert code(ask(client, name, {given_name: "/etc/passwd"})) == "unknown_input"
        assert code(ask(client, "text", {"load_image_file.path": "/etc/passwd"})) == "unknown_input"
        assert ask(client, "text", {}).status_code == 200, "the operator's own path is read"


@pytest.mark.parametrize(
    "model", ["somebody/else", "/etc", "../models", "nodetool/tiny-landscapes/../x", "~/model"]
)
def test_only_listed_models_are_used(serve: Callable[..., LiveServer], model: str) -> None:
    by_text = ImageToImage(
        image=ImageInput(name="image").output,
        model=LoadImageToImageModel(repo_id=StringInput(name="repo").output).output,
    )
    live = serve(
        {
            "reference": nodes.with_model(),
            "text": Workflow(Output(name="image", value=by_text.output)),
        }
    )
    with live.client() as client:
        for value in (model, {"type": "hf.model", "repo_id": model}):
            assert (
                code(ask(client, "reference", {"image": DATA, "model": value})) == "model_unlisted"
            )
        listed = {"type": "hf.model", "repo_id": "nodetool/tiny-landscapes"}
        for more in (
            {"path": "../../x.safetensors"},
            {"revision": "other"},
            {"variant": "fp16"},
            {"allow_patterns": ["*"]},
        ):
            assert (
                code(ask(client, "reference", {"image": DATA, "model": listed | more}))
                == "model_unlisted"
            )
        refused = ask(client, "text", {"image": DATA, "repo": model})
        assert refused.status_code == 422
        assert "not served" in refused.json()["error"]


def test_asking_for_outputs_in_ever_new_ways_grows_nothing(
    server: LiveServer, client: httpx2.Client
) -> None:
    """A plan is kept for each way to ask; there are as many as one likes."""
    graph = server.state.catalog.workflow("draw").graph
    for count in range(1, 41):
        assert ask(client, "draw", {}, outputs=["image"] * count).status_code == 200
    assert 1 <= server.state.engine.plans.count(graph) <= PLANS


def test_a_storage_that_fails_is_no_business_of_clients(
    serve: Callable[..., LiveServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in-the-way").write_text("")
    with serve({"draw": nodes.draw()}, results=str(tmp_path / "in-the-way")).client() as client:
        upload = client.post("/v1/uploads", content=png())
        job = client.post("/v1/workflows/draw/runs", json={"wait": False}).json()
        ended = client.get(f"/v1/jobs/{job['id']}?wait=30").json()
    assert (code(upload, 503), ended["problems"][0]["code"]) == ("storage_failed", "storage_failed")
    assert str(tmp_path) not in upload.text + str(ended)
    assert caplog.text.count(str(tmp_path / "in-the-way")) >= 2, "the operator reads it in the log"


def test_a_job_of_somebody_else_is_answered_as_one_that_is_not_there(
    serve: Callable[..., LiveServer],
) -> None:
    live = serve({"draw": nodes.draw()}, token=("one", "two"))
    with (
        live.client(Authorization="Bearer one") as one,
        live.client(Authorization="Bearer two") as two,
    ):
        job = one.post("/v1/workflows/draw/runs", json={"wait": False}).json()["id"]
        told = [two.get(f"/v1/jobs/{name}") for name in (job, "0" * len(job))]
        assert [answer.status_code for answer in told] == [404, 404]
        assert told[0].text.replace(job, "") == told[1].text.replace("0" * len(job), "")
        assert one.get(f"/v1/jobs/{job}").status_code == 200


def test_security_headers_on_every_answer(client: httpx2.Client) -> None:
    for response in (
        client.get("/livez"),
        client.get("/nothing"),
        client.post("/models/paint", content=png()),
        client.get("/v1/openapi.json"),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-frame-options"] == "DENY"
        assert "server" not in response.headers
        assert "access-control-allow-origin" not in response.headers


def test_a_request_id_is_taken_over_where_it_is_plain(client: httpx2.Client) -> None:
    assert (
        client.get("/livez", headers={"X-Request-Id": "abc-123"}).headers["x-request-id"]
        == "abc-123"
    )
    assert (
        client.get("/livez", headers={"X-Request-Id": "a b{}"}).headers["x-request-id"] != "a b{}"
    )


def test_every_path_but_two_needs_the_token(serve: Callable[..., LiveServer]) -> None:
    with serve(token=("one", "two")).client() as client:
        assert [client.get(path).status_code for path in ("/livez", "/readyz")] == [200, 200]
        for path in (
            "/metrics",
            "/v1/openapi.json",
            "/v1/workflows",
            "/models/paint/health",
            "/nothing",
        ):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": "Bearer two"}).status_code != 401


def test_other_addresses_need_a_token_unless_asked_twice() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        check_address(Settings.read(host=host))
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.com"):
        with pytest.raises(SettingsError, match="token"):
            check_address(Settings.read(host=host))
        with pytest.raises(SettingsError, match="token"):
            check_address(Settings.read(host=host, token=""))
        check_address(Settings.read(host=host, token="t" * 16))
        check_address(Settings.read(host=host, insecure_without_token=True))


def test_the_rate_of_a_client_is_limited(serve: Callable[..., LiveServer]) -> None:
    with serve(rate=0.001, burst=2).client() as client:
        answers = [client.get("/v1/workflows") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) > 100
        assert client.get("/livez").status_code == 200


@given(burst=st.integers(1, 50), asked=st.integers(1, 100))
def test_a_bucket_gives_what_is_in_it(burst: int, asked: int) -> None:
    rates = RateLimiter(1e-9, burst)
    assert sum(rates.wait("one") == 0 for _ in range(asked)) == min(burst, asked)
    assert rates.wait("two") == 0


def test_a_bucket_fills_up_to_its_burst_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=0.0)
    monkeypatch.setattr(middleware, "time", clock)
    rates = RateLimiter(2, burst=3)
    for clock.now, there in ((0.0, 3), (0.5, 1), (10_000.0, 3)):
        assert [rates.wait("one") == 0 for _ in range(5)] == [True] * there + [False] * (5 - there)
    assert rates.wait("one") == pytest.approx(0.5)


def test_whoever_tries_tokens_is_limited_as_well(serve: Callable[..., LiveServer]) -> None:
    with serve(token="right", rate=0.001, burst=2).client() as client:
        tried = [
            client.get("/v1/workflows", headers={"Authorization": f"Bearer {number}"})
            for number in range(3)
        ]
        assert [answer.status_code for answer in tried] == [401, 401, 429]
        assert (
            client.get("/v1/workflows", headers={"Authorization": "Bearer right"}).status_code
            == 200
        )


SECRETS = [
    "Authorization: Bearer hf_abc",
    "token=hf_abc",
    '"api_key": "hf_abc"',
    "password=hf_abc",
    "bearer: hf_abc",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_left_out_of_logs(text: str) -> None:
    assert "hf_abc" not in without_secrets(f"before {text} after")
    assert without_secrets("a token of thanks") == "a token of thanks"


def test_settings_do_not_show_their_token() -> None:
    settings = Settings.read(token="hunter2")
    assert "hunter2" not in repr(settings) + str(settings.model_dump())
    assert settings.tokens == ("hunter2",)
    assert Settings.read(token="12345").tokens == ("12345",)
    assert Settings.read(token="one, two").tokens == ("one", "two")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Take connections, so that a test sees whether one came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """
    Return what the system says a name means, one answer after the other.

    The real look-up is of the system's own making.
    """
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(fetch.socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["10.0.0.1", "8.8.8.8"]]
)
def test_a_name_that_means_a_private_address(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket, addresses: list[str]
) -> None:
    names(monkeypatch, addresses)
    with pytest.raises(HttpError) as refused:
        Fetcher(max_bytes=1000, seconds=2).get(
            f"http://public.example:{listening.getsockname()[1]}/a.png"
        )
    assert (refused.value.status, refused.value.problem.code) == (422, "forbidden_address")
    with pytest.raises(TimeoutError):
        listening.accept()


def test_a_name_is_looked_up_once_so_that_it_can_not_change_its_meaning(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    """
    DNS rebinding: the first answer is public, every later one private.

    The connection goes to what was checked.
    """
    connected: list[str] = []

    def create_connection(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        connected.append(address[0])
        raise OSError("no network in tests")

    asked = names(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(HttpError):
        Fetcher(max_bytes=1000, seconds=2).get(
            f"http://public.example:{listening.getsockname()[1]}/a.png"
        )
    assert (asked, connected) == (["public.example"], ["93.184.215.14"])


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pass@8.8.8.8/",
        "http:///a",
        "http://[::1",
        "https://",
        "http://a:99999/",
        "http://\x00/",
        "http://" + "a" * 300,
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(HttpError) as refused:
        Fetcher(max_bytes=1000, seconds=2).get(url)
    assert refused.value.status in (400, 422)
    assert "pass" not in str(refused.value)


def test_only_so_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    images = Images()
    try:
        with pytest.raises(HttpError) as refused:
            Fetcher((images.host,), max_bytes=100, seconds=5).get(images.url("/wide.png"))
        assert refused.value.status == 413
    finally:
        images.server.shutdown()
        images.server.server_close()
