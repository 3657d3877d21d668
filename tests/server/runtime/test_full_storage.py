"""A server whose storage is full (V7): each dialect says so, and goes on once there is room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nodetool_core.jobs import files
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.qolaba.conftest import DEV, KEYS, Images
from tests.server.runtime.test_memory import noise
from tests.server.test_operations import figures
from tests.server.v1.test_workflows import data_uri, ended


def test_v7_uploads_jobs_and_runs_beyond_the_bound(
    serve: Callable[..., LiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = noise()
    live = serve({"paint": nodes.paint()}, data_bytes=len(large) + 500)
    small = png(8, 8)
    with live.client() as client:
        kept = client.post("/v1/uploads", content=large)
        assert kept.status_code == 201
        assert figures(client)["nodetool_stored_bytes", frozenset()] == len(large)
        image = {"type": "image", "asset_id": kept.json()["asset_id"]}
        upload = client.post("/v1/uploads", content=large + b"\0" * 600)
        job = client.post(
            "/v1/workflows/paint/runs",
            json={"inputs": {"image": data_uri(large + b"\0" * 600)}, "wait": False},
        )
        run = client.post("/v1/workflows/paint/runs", json={"inputs": {"image": image}})
        for refused in (upload, job, run):
            assert refused.status_code == 507, refused.text
            assert refused.json()["problems"][0]["code"] == "storage_full"
            assert int(refused.headers["retry-after"]) > 0
        failed = client.post(
            "/v1/workflows/paint/runs", json={"inputs": {"image": image}, "wait": False}
        )
        assert ended(client, failed.json()["id"])["problems"][0]["code"] == "storage_full"
        monkeypatch.setattr(files, "GRACE_SECONDS", 0.0)
        assert client.post("/v1/uploads", content=small + b"\0" * 600).status_code == 201, (
            "what is old enough goes"
        )
        assert client.get(f"/v1/files/{image['asset_id']}").status_code == 404


def test_v7_some_of_the_disk_stays_free(serve: Callable[..., LiveServer]) -> None:
    with serve(spare_bytes=2**60).client() as client:
        assert client.post("/v1/uploads", content=png()).status_code == 507


def test_v7_qolaba_in_its_envelope(serve: Callable[..., LiveServer], tmp_path: Path) -> None:
    apps, images = tmp_path / "apps.json", Images()
    apps.write_text('{"*": {"serves": "paint"}}')
    live = serve(qolaba_apps=apps, image_hosts=(images.host,), data_bytes=10)
    try:
        with live.client() as client:
            answer = client.post(
                "/getImagetoImage", json={"app_id": DEV, "image": images.url("/small.png")}
            )
    finally:
        images.server.shutdown()
        images.server.server_close()
    assert (answer.status_code, set(answer.json()), answer.json()["status"]) == (
        507,
        KEYS,
        "FAILED",
    )
