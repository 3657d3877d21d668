"""
Models in two halves: the decoder's images are served, its prior is refused by itself for good.

The prior has to be listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.nodes.huggingface.tiny_kandinsky import kandinsky22
from tests.server.live import LiveServer, opened, png

LITTLE = {"width": 64, "height": 64, "num_inference_steps": 2, "seed": 1}


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("kandinsky")
    whole: Any = kandinsky22()
    whole.decoder_pipe.save_pretrained(folder / "decoder")
    whole.prior_pipe.save_pretrained(folder / "prior")
    (folder / "decoder" / "README.md").write_text(
        f"---\nprior:\n- {folder / 'prior'}\n---\nA decoder.\n"
    )
    return str(folder / "decoder"), str(folder / "prior")


@pytest.fixture(scope="module")
def live(halves: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(
        tmp_path_factory.mktemp("server"), {}, models=halves, device="cpu", load_patience=60
    ) as live:
        yield live


def ask(live: LiveServer, model: str, **request: object) -> httpx2.Response:
    with live.client() as client:
        return client.post(f"/models/{model}", **request)  # type: ignore[arg-type]


def test_a_decoder_draws_with_the_prior_that_its_card_names(
    live: LiveServer, halves: tuple[str, str]
) -> None:
    drawn = ask(live, halves[0], json={"inputs": "a lake", "parameters": LITTLE})
    assert drawn.status_code == 200, drawn.text
    assert opened(drawn.content).size == (64, 64)


def test_a_prior_by_itself_is_refused_for_good(live: LiveServer, halves: tuple[str, str]) -> None:
    """
    Not 503, which asks the client to come again: one client does so hundreds of times a second.
    """
    for asked in (
        {"content": png(64, 64)},
        {"json": {"inputs": "a lake", "parameters": {"num_inference_steps": 2}}},
    ):
        response = ask(live, halves[1], **asked)
        assert (response.status_code, response.json()["problems"][0]["code"]) == (
            422,
            "model_task_unsupported",
        ), response.text
        assert "retry-after" not in response.headers


def test_what_the_server_says_of_itself_holds_with_a_prior(
    live: LiveServer, halves: tuple[str, str]
) -> None:
    with live.client() as client:
        assert [model["id"] for model in client.get("/v1/models").json()["models"]] == list(halves)
        assert client.get("/v1/workflows").json() == {"workflows": [], "problems": {}}
        assert client.get(f"/v1/workflows/{halves[1]}").status_code == 200
        assert str(Path(halves[1]).parent) not in json.dumps(client.get("/v1/openapi.json").json())
