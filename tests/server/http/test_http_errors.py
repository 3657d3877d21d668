"""What failures are answered with: a client comes again only where that can help."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from nodetool_core.assets.files import write_problem
from nodetool_core.errors import ModelError, Problem
from nodetool_core.server.http.http_errors import as_http
from tests.server.live import LiveServer, png


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("model_offline", 503),
        ("hub_unavailable", 503),
        ("out_of_memory", 503),
        ("model_gated", 422),
        ("model_incomplete", 422),
    ],
)
def test_only_what_may_pass_asks_to_come_again(code: str, status: int) -> None:
    answer = as_http(ModelError(Problem(code, "a model", "can't be had.")))
    assert answer.status == status
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_full_disk_is_told_without_saying_where(tmp_path: Path) -> None:
    answer = as_http(
        ModelError(
            write_problem(tmp_path / "weights", OSError(errno.ENOSPC, "No space left on device"))
        )
    )
    assert answer.status == 503
    assert str(tmp_path) not in json.dumps(answer.to_json())


def test_a_listed_model_that_can_not_be_loaded_is_refused_for_good(tmp_path: Path) -> None:
    model = tmp_path / "pickled"
    (model / "unet").mkdir(parents=True)
    index = {
        "_class_name": "StableDiffusionImg2ImgPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
    }
    (model / "model_index.json").write_text(json.dumps(index))
    (model / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    with (
        LiveServer(
            tmp_path / "server", {}, models=(str(model),), device="cpu", load_patience=60.0
        ) as live,
        live.client() as client,
    ):
        refused = client.post(f"/models/{model}", content=png(64, 64))
    assert (refused.status_code, refused.json()["problems"][0]["code"]) == (422, "model_pickled")
    assert "retry-after" not in refused.headers
