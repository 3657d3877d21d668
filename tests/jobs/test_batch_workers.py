"""`nodetool run --workers`: a batch of the command line, on a worker under Celery and Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import ImageRef, Workflow
from nodetool_core.assets.encode import read_provenance
from nodetool_core.cli.app import execute
from tests.jobs.pack.work import Darken
from tests.jobs.processes import Fleet, fleet

pytestmark = pytest.mark.slow


@pytest.fixture
def worker(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Yield a worker whose database and storage this process knows too, in a folder of its own."""
    with fleet(tmp_path, "--broker", redis_url) as started:
        started.start()
        monkeypatch.setenv("NODETOOL_SERVE_DATABASE", started.database)
        monkeypatch.setenv("NODETOOL_SERVE_RESULTS", started.storage)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.chdir(tmp_path)
        yield started


@pytest.mark.usefixtures("worker")
def test_a_table_is_done_by_workers(
    redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = ImageInput(name="photo", value=ImageRef(uri="none.png"))
    darkened = Output(name="image", value=Darken(image=photo.output).output)
    Workflow(darkened).save(tmp_path / "darken.json")
    for number in range(3):
        Image.new("L", (2, 2), 100 * number).save(tmp_path / f"grey{number}.png")
    (tmp_path / "grey1.png").write_text("no image")
    command = ["run", "darken.json", "--set", "photo=grey*.png", "--workers", redis_url]

    assert execute([*command, "--on-error", "continue"]) == 1
    said = capsys.readouterr()
    assert "2 computed, 1 failed" in said.err and "grey1.png" in said.err
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    records = {record["item"]: record for record in map(json.loads, lines)}
    assert [records[number]["status"] for number in (1, 2, 3)] == [
        "completed",
        "failed",
        "completed",
    ]
    made = tmp_path / records[3]["files"][0]
    assert made.name == "grey2_image.png" and Image.open(made).getpixel((0, 0)) == 100
    provenance = read_provenance(made)
    assert provenance is not None and provenance["output"] == "image"

    Image.new("L", (2, 2), 100).save(tmp_path / "grey1.png")
    assert execute(command) == 0
    assert "1 computed, 2 done before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--workers", "redis://127.0.0.1:1/0"], 2, "is for batches"),
        (["--set", "photo=*.png", "--workers", "serve.tmol"], 2, "neither the address of a broker"),
        (["--set", "photo=*.png", "--workers", "amqp://queue"], 1, "jobs go by Redis"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    arguments: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (2, 2)).save("grey.png")
    photo = ImageInput(name="photo", value=ImageRef(uri="grey.png"))
    Workflow(Output(name="image", value=photo.output)).save("same.json")
    assert execute(["run", "same.json", *arguments]) == code
    assert says in capsys.readouterr().err
