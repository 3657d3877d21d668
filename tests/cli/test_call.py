"""`nodetool call` against a real server: files there and back, progress, failures, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.nodetool.image import ImagesToList
from nodes.nodetool.input import ImageInput, ImageListInput, StringInput
from nodes.nodetool.output import Output
from nodes.nodetool.text import Concat
from nodetool_core import Workflow
from nodetool_core.cli import remote
from nodetool_core.cli.remote_run import read_inputs
from nodetool_core.server.security.middleware import RateLimiter
from nodetool_core.server.v1 import jobs as job_routes
from tests.cli.conftest import ROOT, Command
from tests.server import nodes
from tests.server.live import LiveServer, opened, png


def joined() -> Workflow:
    made = Concat(a=StringInput(name="text", value="a").output, b="!")
    return Workflow(Output(name="text", value=made.output))


def both() -> Workflow:
    image = ImageInput(name="image").output
    return Workflow(Output(name="all", value=ImagesToList(a=image, b=image).output))


def many() -> Workflow:
    return Workflow(Output(name="all", value=ImageListInput(name="images").output))


WORKFLOWS: dict[str, Callable[[], Workflow]] = {
    "paint": nodes.paint,
    "draw": nodes.draw,
    "sub/joined": joined,
    "both": both,
    "many": many,
    "broken": nodes.broken,
    "wait": lambda: nodes.wait("call"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = {name: make() for name, make in WORKFLOWS.items()}
    with LiveServer(tmp_path_factory.mktemp("call"), made, nodes=nodes.NODES) as live:
        yield live


@pytest.fixture(autouse=True)
def without_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(remote.TOKEN_VARIABLE, raising=False)


def image(path: str | Path, size: tuple[int, int] = (32, 24)) -> Path:
    Path(path).write_bytes(png(*size))
    return Path(path)


def test_an_image_goes_there_and_one_comes_back(nodetool: Command, server: LiveServer) -> None:
    image("photo.png")
    settings = ["--set", "image=photo.png", "--set", "prompt=seven..", "--set", "seed=7"]
    done = nodetool("call", server.url, "paint", *settings, "--set", "strength=0.25")
    assert done.code == 0, done.err
    assert done.out == "out/image.png\n"
    made = opened(Path("out/image.png").read_bytes())
    assert made.getpixel((0, 0)) == (7, 0, 4) and made.getpixel((31, 23)) == (7, 0, 64)
    assert "Done after" in done.err and server.state.jobs.counts()
    again = nodetool("call", server.url, "paint", *settings, "--quiet")
    assert (again.out, again.err) == ("out/image-2.png\n", "")


@pytest.mark.parametrize(
    ("out", "options", "path", "expected"),
    [
        ("night.jpg", [], "night.jpg", "JPEG"),
        ("night.webp", [], "night.webp", "WEBP"),
        ("images", ["--format", "jpeg"], "images/image.jpg", "JPEG"),
        ("night.tiff", ["--format", "png"], "night.png", "PNG"),
    ],
)
def test_the_format_of_images(
    nodetool: Command, server: LiveServer, out: str, options: list[str], path: str, expected: str
) -> None:
    done = nodetool("call", server.url, "draw", "--set", "prompt=x", "--out", out, *options)
    assert (done.code, done.out) == (0, f"{path}\n"), done.err
    assert opened(Path(path).read_bytes()).format == expected


def test_texts_lists_and_names_with_a_slash(nodetool: Command, server: LiveServer) -> None:
    done = nodetool("call", f"{server.url}/", "sub/joined", "--set", "text=7")
    assert (done.code, done.out) == (0, "text: 7!\n"), done.err
    image("a b.png")
    several = nodetool("call", server.url, "both", "--set", "image=a b.png")
    assert several.out.split() == ["out/all_1.png", "out/all_2.png"]
    images = json.dumps([str(image("a.png")), str(image("b.png", (8, 8)))])
    listed = nodetool("call", server.url, "many", "--set", f"images={images}", "--out", "list")
    assert listed.out.split() == ["list/all_1.png", "list/all_2.png"]
    assert opened(Path("list/all_2.png").read_bytes()).size == (8, 8)


def test_json_about_the_run(nodetool: Command, server: LiveServer) -> None:
    done = nodetool("call", server.url, "draw", "--set", "prompt=x", "--json", "--quiet")
    assert done.code == 0 and done.err == ""
    assert done.json["status"] == "done" and len(done.json["job"]) > 10
    expected = {"type": "image", "path": "out/image.png", "width": 16, "height": 16}
    assert done.json["outputs"]["image"] == expected
    assert done.json["errors"] == [] and done.json["report"]["seconds"] >= 0


WRONG: list[tuple[list[str], str, str]] = [
    (["nothing"], "unknown_workflow", "Nothing is served as 'nothing'"),
    (["paint", "--set", "promt=x"], "unknown_input", "prompt"),
    (["paint", "--set", "image=lost.png"], "missing_file", "image=lost.png"),
    (["paint", "--set", "image=text.txt"], "not_an_image", "text.txt"),
    (["draw", "--set", "width=many"], "invalid_value", "width"),
    (["draw", "--set", "width"], "wrong_setting", "--set width"),
    (["draw", "--output", "nothing"], "unknown_output", "nothing"),
    (["draw", "--out", "a.tiff"], "unknown_format", "png, jpeg, webp"),
]


@pytest.mark.parametrize(("arguments", "code", "text"), WRONG)
def test_what_the_caller_can_mend(
    nodetool: Command, server: LiveServer, arguments: list[str], code: str, text: str
) -> None:
    Path("text.txt").write_text("no image")
    done = nodetool("call", server.url, *arguments)
    assert done.code in ((1, 2) if code == "not_an_image" else (2,)), done.err
    assert f"error[{code}]" in done.err and text in done.err and done.out == ""
    if arguments[0] != "paint":
        return
    document = nodetool("call", server.url, *arguments, "--json").json
    assert document["status"] == "refused" and document["errors"][0]["code"] == code


def test_a_run_that_fails(nodetool: Command, server: LiveServer) -> None:
    image("photo.png")
    done = nodetool("call", server.url, "broken", "--set", "image=photo.png", "--json")
    assert done.code == 1 and done.json["status"] == "failed"
    assert "hunter2" not in done.out + done.err and "failed on this request" in done.err


@pytest.mark.parametrize("way", ["variable", "option"])
def test_a_token(
    nodetool: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    folder = tmp_path / "server"
    with LiveServer(folder, {"draw": nodes.draw()}, nodes=nodes.NODES, token="right") as live:
        call = ["call", live.url, "draw", "--set", "prompt=x"]
        refused = nodetool(*call)
        assert refused.code == 2 and "error[unauthorized]" in refused.err
        assert "NODETOOL_TOKEN" in refused.err
        if way == "variable":
            monkeypatch.setenv("NODETOOL_TOKEN", "right")
        done = nodetool(*call, *(["--token", "right"] if way == "option" else []))
        assert done.code == 0, done.err
    assert "right" not in nodetool("call", "--help").out


def test_no_server_and_another_one(nodetool: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = nodetool("call", f"127.0.0.1:{port}", "draw")
    assert away.code == 1 and "error[server_unreachable]" in away.err
    assert f"http://127.0.0.1:{port}" in away.err and "Traceback" not in away.err
    for url in ("ftp://a", "http://", "http://[", "studio:port"):
        wrong = nodetool("call", url, "draw")
        assert wrong.code == 2 and "no address" in wrong.err
    command = [sys.executable, "-c", OTHER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        foreign = nodetool("call", f"127.0.0.1:{other.stdout.readline().strip()}", "draw")
        other.kill()
    assert "error[foreign_server]" in foreign.err and foreign.code == 1


OTHER = """
import http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
server = http.server.HTTPServer(("127.0.0.1", 0), Hello)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def test_a_stream_that_breaks_off_goes_on_where_it_was(
    nodetool: Command, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends each connection after two events."""
    asked: list[int] = []
    whole = job_routes.JobRoutes._stream

    async def short(self: Any, job_id: str, after: int) -> Any:
        asked.append(after)
        count = 0
        async for piece in whole(self, job_id, after):
            yield piece
            count += 1
            if count == 2:
                return

    monkeypatch.setattr(job_routes.JobRoutes, "_stream", short)
    done = nodetool("call", server.url, "draw", "--set", "prompt=other", "--quiet")
    assert done.code == 0, done.err
    assert len(asked) > 2 and asked == sorted(asked) and asked[1] == 2


@pytest.mark.slow
def test_a_busy_server_is_asked_again(
    nodetool: Command, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hands the run in comes too early once, and so does what asks for its events."""
    asked: list[str] = []

    def wait(self: RateLimiter, client: str) -> float:
        asked.append(client)
        return 0.5 if len(asked) in (2, 4) else 0.0

    monkeypatch.setattr(RateLimiter, "wait", wait)
    done = nodetool("call", server.url, "draw", "--set", "prompt=busy")
    assert done.code == 0, done.err
    assert len(asked) == 7
    assert done.err.count("The server is busy; it is asked again in 1 s.") == 2


def test_a_server_that_stays_busy(nodetool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_PATIENCE", 0.0)
    with LiveServer(
        Path("busy"), {"draw": nodes.draw()}, nodes=nodes.NODES, rate=0.01, burst=1
    ) as live:
        done = nodetool("call", live.url, "draw", "--set", "prompt=x")
    assert done.code == 1 and "error[rate_limited]" in done.err and "asked again" not in done.err


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_ctrl_c_cancels_the_job(server: LiveServer, tmp_path: Path) -> None:
    image(tmp_path / "photo.png")
    door = nodes.DOORS["call"]
    arguments = ["call", server.url, "wait", "--set", "image=photo.png", "--json"]
    program = "from nodetool_core.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert door.came.acquire(timeout=60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrupted" in err and "Traceback" not in err
    assert door.left.acquire(timeout=20), "the run goes on"
    assert server.state.jobs.wait(json.loads(out)["job"], 20).state.value == "cancelled"


IMAGE = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"asset_id": {}}}]}
SCHEMA: dict[str, Any] = {
    "properties": {
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "on": {"type": "boolean"},
        "text": {"type": "string"},
        "choice": {"enum": ["a", "7"]},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "items": {"type": "array", "items": {"type": "integer"}},
        "image": IMAGE,
        "images": {"type": "array", "items": IMAGE},
    }
}


def test_texts_are_read_as_the_schema_says(tmp_path: Path) -> None:
    file = str(image(tmp_path / "a.png"))
    sent: list[bytes] = []

    def upload(content: bytes) -> dict[str, Any]:
        sent.append(content)
        return {"type": "image", "asset_id": "x"}

    texts = {
        "count": "7", "share": "0.5", "on": "true", "text": "7", "choice": "7", "maybe": "null",
        "items": "[1, 2]", "image": "https://example.com/a.png", "images": file,
    }  # fmt: skip
    assert read_inputs(SCHEMA, texts, upload) == {
        "count": 7, "share": 0.5, "on": True, "text": "7", "choice": "7", "maybe": "null",
        "items": [1, 2], "image": "https://example.com/a.png",
        "images": [{"type": "image", "asset_id": "x"}],
    }  # fmt: skip
    assert sent == [png(32, 24)]
    reference = '{"type": "image", "asset_id": "y"}'
    assert read_inputs(SCHEMA, {"image": reference}, upload)["image"] == json.loads(reference)
