"""
The nodes of hosted models against `nodetool serve`.

Both halves of the same contracts, over real HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.huggingface.inference import ImageToImage as Hosted
from nodes.huggingface.inference import TextToImage
from nodes.qolaba.image_to_image import ImageToImage as Qolaba
from tests.nodes.services.conftest import Runs

pytest.importorskip("fastapi", reason="the server extra is not installed")

from tests.server import nodes
from tests.server.live import LiveServer

TOKEN = "token-of-this-server"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("served")
    apps = folder / "apps.json"
    apps.write_text(json.dumps({"*": {"serves": "paint"}}))
    workflows = {"paint": nodes.paint(), "draw": nodes.draw(), "broken": nodes.broken()}
    with LiveServer(folder, workflows, nodes=nodes.NODES, qolaba_apps=apps, token=TOKEN) as live:
        yield live


@pytest.fixture(autouse=True)
def keys(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_TOKEN_127_0_0_1", TOKEN)
    monkeypatch.setenv("QOLABA_API_KEY", TOKEN)
    monkeypatch.setenv("QOLABA_BASE_URL", server.url)


def pixel(image: Any) -> Any:
    """Return what `Paint` makes visible: the lengths of the prompts, and the steps."""
    return image.image.getpixel((0, 0))


def test_image_to_image_at_an_endpoint(server: LiveServer, run: Runs, photo: str) -> None:
    node = Hosted(
        endpoint=f"{server.url}/models/paint",
        image=photo,
        prompt="ten chars!",
        negative_prompt="xy",
        num_inference_steps=9,
        seed=300,
    )
    made = run(node)
    assert pixel(made) == (10, 2, 9) and made.image.size == (40, 30)
    assert made.image.getpixel((39, 29))[:2] == (300 % 256, 1), "the seed arrived"


def test_what_the_workflow_does_not_know_is_told(server: LiveServer, run: Runs, photo: str) -> None:
    run(
        Hosted(
            endpoint=f"{server.url}/models/paint", image=photo, extra_parameters={"lightness": 3}
        )
    )
    assert any("lightness" in warning for warning in run.warnings())


def test_text_to_image_at_an_endpoint(server: LiveServer, run: Runs) -> None:
    made = run(TextToImage(endpoint=f"{server.url}/models/draw", prompt="a cat"))
    assert pixel(made) == (5, 0, 0)


def test_a_wrong_token_and_a_broken_workflow(
    server: LiveServer, run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        run.problem(Hosted(endpoint=f"{server.url}/models/broken", image=photo)).code
        == "service_failed"
    )
    assert (
        run.problem(Hosted(endpoint=f"{server.url}/models/nowhere", image=photo)).code
        == "service_rejected"
    )
    monkeypatch.setenv("INFERENCE_TOKEN_127_0_0_1", "another-token")
    found = run.problem(Hosted(endpoint=f"{server.url}/models/paint", image=photo))
    assert (
        found.code == "service_refused"
        and "INFERENCE_TOKEN_127_0_0_1" in found.hint
        and TOKEN not in str(found)
    )


@pytest.mark.parametrize("celery", [True, False])
def test_the_qolaba_dialect(run: Runs, photo: str, celery: bool) -> None:
    made = run(
        Qolaba(
            image=photo,
            prompt="ten chars!",
            negative_prompt="xy",
            strength=1.0,
            batch=2,
            celery=celery,
        ),
        "images",
    )
    assert [pixel(image) for image in made] == [(10, 2, 4)] * 2
    assert {image.image.size for image in made} == {(40, 30)}
    assert made[0].image.getpixel((39, 29))[2] == 255, "the strength arrived"


def test_a_size_of_the_table_in_the_qolaba_dialect(run: Runs, photo: str) -> None:
    assert run(Qolaba(app="Flux Redux", image=photo, width=1600, height=676)).image.size == (
        1600,
        676,
    )


def test_a_wrong_key_in_the_qolaba_dialect(
    run: Runs, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QOLABA_API_KEY", "another-key")
    assert run.problem(Qolaba(image=photo)).code == "service_refused"


def test_the_folder_of_a_run_stays_free_of_the_token(
    server: LiveServer, run: Runs, photo: str, tmp_path: Path
) -> None:
    run(Qolaba(image=photo, seed=1)).save(tmp_path / "made.png")
    assert TOKEN.encode() not in (tmp_path / "made.png").read_bytes()
