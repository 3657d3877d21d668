"""What all dialects share: the table, the setting that switches them off, and the metrics."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import get_args

import pytest

from nodetool_core.errors import NodetoolError
from nodetool_core.server.app import DIALECTS
from nodetool_core.server.http.dialect import Dialect, Dialects
from nodetool_core.server.settings import DialectName, Settings
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.test_operations import figures

CALLS = {
    "openai": ("/v1/images/edits", {"data": {"prompt": "x"}, "files": {"image": png()}}),
    "a1111": ("/sdapi/v1/interrupt", {}),
    "mcp": ("/mcp", {"json": {"jsonrpc": "2.0", "id": 1, "method": "ping"}}),
    "comfyui": ("/prompt", {"json": {"prompt": {}}}),
    "replicate": ("/replicate/v1/models/nodetool/paint/predictions", {"json": {"input": {}}}),
    "huggingface": ("/models/paint", {"content": png()}),
    "qolaba": ("/getImage", {"json": {"id": "x"}}),
    "nodetool": ("/v1/workflows/paint/runs", {"json": {"inputs": {}}}),
}
"""A request of each dialect."""


def test_the_table_has_all_that_can_be_set() -> None:
    assert set(DIALECTS) == set(get_args(DialectName)) == set(CALLS)
    assert set(Settings.read().dialects) == set(DIALECTS)


@pytest.mark.parametrize("off", DIALECTS)
def test_a_dialect_is_switched_off(serve: Callable[..., LiveServer], off: str) -> None:
    live = serve(dialects=",".join(name for name in DIALECTS if name != off))
    with live.client() as client:
        for name, (path, body) in CALLS.items():
            response = client.post(path, **body)
            is_there = "http_404" not in response.text
            assert is_there == (name != off), response.text


def test_a_dialect_that_there_is_not() -> None:
    with pytest.raises(NodetoolError, match="dialects"):
        Settings.read(dialects="huggingface,gradio")


def test_metrics_name_the_dialect(serve: Callable[..., LiveServer]) -> None:
    with serve().client() as client:
        for path, body in CALLS.values():
            client.post(path, **body)
        client.get("/nothing")
        found = figures(client)
    counted = {
        dict(labels)["dialect"]: value
        for (name, labels), value in found.items()
        if name == "nodetool_requests_total"
    }
    assert counted == dict.fromkeys(DIALECTS, 1.0) | {"server": 1.0}


def test_each_shows_how_it_is_called(serve: Callable[..., LiveServer]) -> None:
    live = serve({"paint": nodes.paint()})
    for make in DIALECTS.values():
        dialect = make(live.state)
        assert dialect.title
        for takes_image in (False, True):
            guide = dialect.samples.guide(live.url, takes_image=takes_image)
            assert live.url in guide and not re.search(r"{(url|name|path|prompt|image)}", guide)


SAMPLES = {
    ("draw", "nodetool"): b"outputs",
    ("paint", "nodetool"): b"",
    ("draw", "a1111"): b"images",
    ("paint", "a1111"): b"images",
}
"""What the samples for a shell print, by workflow and dialect."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("samples")
    (folder / "lake.png").write_bytes(png())
    apps = folder / "apps.json"
    apps.write_text('{"ap-fGhKl3mfkdlpqrshuwwabc": {"serves": "paint"}}')
    workflows = {"paint": nodes.paint(), "draw": nodes.draw()}
    with LiveServer(folder, workflows, nodes=nodes.NODES, qolaba_apps=apps) as live:
        yield live


def sample(live: LiveServer, workflow: str, dialect: str) -> str:
    served = live.state.catalog.workflow(workflow)
    return DIALECTS[dialect](live.state).samples.sample(live.url, served)  # type: ignore[index]


@pytest.mark.parametrize(("workflow", "dialect"), SAMPLES)
def test_samples_for_a_shell_run(
    served: LiveServer, tmp_path: Path, workflow: str, dialect: str
) -> None:
    (tmp_path / "lake.png").write_bytes(png())
    command = sample(served, workflow, dialect).replace("curl ", "curl -sS ")
    command = command.replace("nodetool call", f"{Path(sys.executable).with_name('nodetool')} call")
    found = subprocess.run(
        ["bash", "-c", command], capture_output=True, cwd=tmp_path, timeout=60, check=True
    )
    assert SAMPLES[workflow, dialect] in found.stdout, found


@pytest.mark.parametrize("workflow", ["draw", "paint"])
def test_samples_in_python_run(
    served: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workflow: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake.png").write_bytes(png())
    exec(sample(served, workflow, "huggingface"), {})
    assert (tmp_path / "night.png").stat().st_size > 0
    for dialect in ("openai", "replicate"):
        compile(sample(served, workflow, dialect), dialect, "exec")


def test_a_sample_names_the_workflow_as_its_dialect_does(served: LiveServer) -> None:
    assert "The tool is paint." in sample(served, "paint", "mcp")
    assert 'client.run("nodetool/paint", input={"image": image})' in sample(
        served, "paint", "replicate"
    )
    assert "ap-fGhKl3mfkdlpqrshuwwabc" in sample(served, "paint", "qolaba")
    assert sample(served, "draw", "qolaba") == sample(served, "draw", "comfyui") == ""


def test_the_start_page_shows_how_each_workflow_is_called(served: LiveServer) -> None:
    with served.client() as client:
        page = unescape(client.get("/", headers={"Accept": "text/html"}).text)
    for dialect in DIALECTS:
        assert DIALECTS[dialect](served.state).samples.guide(served.url) in page
        for workflow in ("paint", "draw"):
            assert sample(served, workflow, dialect) in page
    assert served.url in page


def test_a_path_belongs_to_the_longest_prefix() -> None:
    short, long = (Dialect(name, name, [], (name,)) for name in ("/v1/", "/v1/images/"))
    whole, rest = Dialect("whole", "", [], ("/v1/images/x",)), Dialect("rest", "", [], ())
    found = Dialects([short, long, whole], rest)
    paths = ("/v1/jobs", "/v1/images/edits", "/v1/images/x", "/v1", "/")
    assert [found.of(path) for path in paths] == [short, long, whole, rest, rest]
