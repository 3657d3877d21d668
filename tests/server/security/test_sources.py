"""V8: the addresses that a server gives out are inputs that it takes, read from its storage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server import nodes
from tests.server.live import LiveServer, png

APP = "ap-fGhKl3mfkdlpqrshuwwabc"


def run(client: httpx2.Client, image: Any, **body: Any) -> httpx2.Response:
    return client.post("/v1/workflows/paint/runs", json={"inputs": {"image": image}} | body)


@pytest.fixture
def chained(serve: Callable[..., LiveServer], tmp_path: Path) -> Callable[..., LiveServer]:
    (tmp_path / "apps.json").write_text('{"*": {"serves": "paint"}}')
    return lambda **settings: serve(
        {"paint": nodes.paint()}, qolaba_apps=tmp_path / "apps.json", **settings
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"public_url": "https://images.example/api"},
        {"host": "0.0.0.0", "token": "a-token-of-16-characters"},
        {"allowed_hosts": "studio.lan"},
    ],
    ids=["loopback", "proxy", "everywhere", "name"],
)
def test_a_result_is_an_input(chained: Callable[..., LiveServer], settings: dict[str, Any]) -> None:
    live = chained(**settings)
    headers = {"Authorization": "Bearer a-token-of-16-characters"}
    if "allowed_hosts" in settings:
        headers["Host"] = f"studio.lan:{live.port}"
    with live.client(**headers) as client:
        uploaded = client.post("/v1/uploads", content=png()).json()["url"]
        made = run(client, uploaded).json()["outputs"]["image"]["url"]
        job = run(client, {"type": "image", "uri": made}, wait=False).json()
        again = client.get(f"/v1/jobs/{job['id']}", params={"wait": 30}).json()["outputs"]["image"]
        (painted,) = client.post(
            "/getImagetoImage", json={"app_id": APP, "image": again["url"]}
        ).json()["output"]["result"]
        queued = client.post(
            "/getImagetoImage",
            json={"app_id": APP, "image": painted, "file_urls": [made], "celery": True},
        )
        assert (again["width"], queued.status_code) == (32, 200), queued.text
        assert run(client, painted).status_code == 200
        if "public_url" in settings:
            assert painted.startswith("https://images.example/api/results/")


def test_one_that_is_not_kept_any_more_says_so(chained: Callable[..., LiveServer]) -> None:
    live = chained(public_url="https://images.example")
    with live.client() as client:
        for base in (
            live.url,
            live.url.replace("127.0.0.1", "localhost"),
            "https://images.example",
        ):
            for path in ("/v1/files/", "/results/"):
                answer = run(client, f"{base}{path}{'0' * 64}")
                assert (answer.status_code, answer.json()["problems"][0]["code"]) == (
                    404,
                    "unknown_file",
                )


def test_no_other_address_reads_the_storage(chained: Callable[..., LiveServer]) -> None:
    live = chained()
    with live.client() as client:
        digest = client.post("/v1/uploads", content=png()).json()["asset_id"]
        for url in (
            f"http://127.0.0.1:1/v1/files/{digest}",
            f"http://10.0.0.1:{live.port}/v1/files/{digest}",
            f"{live.url}/v1/jobs/{digest}",
            f"{live.url}/v1/files/{digest}0",
            f"{live.url}/v1/files/../files",
        ):
            assert run(client, url).json()["problems"][0]["code"] == "forbidden_address"
        assert (
            run(client, f"http://user@127.0.0.1:{live.port}/v1/files/{digest}").status_code == 400
        )
