"""Code blocks of Markdown pages, and what it takes to run them as a reader would."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from nodetool_core.cli.app import execute, make_app
from tests.waiting import free_port

_FENCE = re.compile(
    r'^```(\w+)(?: title="([^"]*)")?(?: no-run: ([^\n]+))?\n(.*?)^```$', re.MULTILINE | re.DOTALL
)
_OPENING = re.compile(r"^```[^\n]*$", re.MULTILINE)

FEW_STEPS = 3
SHELLS = ("console", "sh")
SERVER = "127.0.0.1:8188"
"""Where pages say that a server is; a test's own has another port."""

RUN_ELSEWHERE = {
    r"stable-diffusion-v1-5/|Qwen/|black-forest-labs/": "downloads a model",
    r"models/my-model\.safetensors": "takes a file of the reader's",
    r"\bnodetool serve\b": "runs until it is ended; a page that has it gets a server beside it",
    r"^(nodetool worker|redis-server|docker|psql|createdb|source|export|[A-Z_]+=)": (
        "needs services of the operator's"
    ),
    r"^(mkdocs|python3 -m venv|pip install (?!-e ))": ".ci/run runs it",
    r"^(uv|pipx) ": "needs a program of the reader's",
    r"^python bench/": "takes minutes",
}
"""Commands that no test of a page runs, by what they look like, and why."""


@dataclass(frozen=True)
class Block:
    """A fenced block: ```language title="…" no-run: why."""

    language: str
    title: str
    no_run: str
    text: str

    @property
    def is_file(self) -> bool:
        """Whether its title is the path of a file that it is the content of."""
        return bool(re.fullmatch(r"[\w./-]+\.\w+", self.title))

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """What is typed, and what is shown after each."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.replace("\\\n", " ").splitlines():
            if line.startswith("$ ") or (self.language == "sh" and line.strip()):
                found.append((line.removeprefix("$ ").partition("  #")[0].strip(), []))
            elif line.strip() and found:
                found[-1][1].append(line)
        return found


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page. Fails where one is opened in a form that is not known here."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match[1], match[2] or "", match[3] or "", match[4]) for match in _FENCE.finditer(text)
    ]
    left = _OPENING.findall(_FENCE.sub("", text))
    assert left == [], f"{page.name}: blocks of no known form: {left}"
    return found


def reason_not_to_run(command: str) -> str:
    """Return why no test runs a command, or an empty string."""
    return next(
        (reason for pattern, reason in RUN_ELSEWHERE.items() if re.search(pattern, command)), ""
    )


def check_arguments(command: str) -> None:
    """Fails where a command of nodetool, or one of its options, does not exist."""
    import typer

    _, *words = shlex.split(command)
    current: Any = typer.main.get_command(make_app())
    context: Any = current.make_context("nodetool", words[:0] or ["--help"], resilient_parsing=True)
    while hasattr(current, "commands"):
        assert words and words[0] in current.commands, f"{command}: there is no command {words[:1]}"
        current, words = current.commands[words[0]], words[1:]
    current.make_context(current.name, words, parent=context)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """`nodetool serve` in a folder; gives its address, host and port."""
    port = free_port()
    program = str(Path(sys.executable).with_name("nodetool"))
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", "--port", str(port)], cwd=folder, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 60
        while not _answers(f"http://127.0.0.1:{port}/livez"):
            assert process.poll() is None and time.monotonic() < end, (
                folder / "server.log"
            ).read_text()
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        time.sleep(0.1)  # Nobody listens yet; how long that takes is the machine's affair.
        return False


def _few_steps(file: Path) -> list[str]:
    """Return what makes a run of a workflow short: models take few steps."""
    from nodetool_core import Workflow

    nodes = [
        node.id
        for node in Workflow.load(file).graph.nodes
        if "num_inference_steps" in node.spec.properties
    ]
    return [
        word
        for node_id in nodes
        for word in ("--set", f"{node_id}.num_inference_steps={FEW_STEPS}")
    ]


class Reader:
    """
    Somebody who goes through a page and does what it says, in a copy of the repository.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._names: dict[str, Any] = {"__name__": "page"}

    def do(self, page: Path) -> None:
        """Run every block of a page, in order; those with a reason not to are only looked at."""
        found = blocks(page)
        if any(
            block.language in SHELLS
            and re.search(r"\bnodetool serve\b", block.text)
            and not block.no_run
            for block in found
        ):
            with server(self.folder) as address:
                self._do(
                    [replace(block, text=block.text.replace(SERVER, address)) for block in found],
                    page,
                )
        else:
            self._do(found, page)

    def _do(self, found: list[Block], page: Path) -> None:
        for number, block in enumerate(found, 1):
            place = f"{page.name}, block {number}"
            if block.is_file:
                (self.folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / block.title).write_text(block.text, encoding="utf-8")
            if block.language == "python" and not block.is_file:
                code = compile(block.text, place, "exec")
                if not block.no_run:
                    exec(code, self._names)
            elif block.language == "json":
                self._check_json(block, place)
            elif block.language == "toml":
                tomllib.loads(block.text)
            elif block.language in SHELLS:
                for command, shown in block.commands:
                    self._type(command, shown, place, run=not block.no_run)

    def _check_json(self, block: Block, place: str) -> None:
        import json

        from nodetool_core import Workflow
        from nodetool_core.workflow import WorkflowDocument

        content = json.loads(block.text)
        if not block.no_run and isinstance(content, dict) and "graph" in content:
            Workflow.from_document(WorkflowDocument.from_json(content, place), base=self.folder)

    def _type(self, command: str, shown: list[str], place: str, *, run: bool) -> None:
        for part in re.split(r"\s+&&\s+", command):
            if part.startswith("nodetool "):
                check_arguments(part.removesuffix(" &"))
        if not run or reason_not_to_run(command):
            return
        if command.startswith("nodetool "):
            code, said = self._nodetool(shlex.split(command)[1:])
        elif command.startswith("pip install -e "):
            code, said = self._install(self.folder / shlex.split(command)[-1].partition("[")[0])
        else:
            code, said = self._shell(command)
        assert code == 0, f"{place}: {command}\n{said}"
        missing = [line for line in shown if line not in said]
        assert missing == [], f"{place}: {command} does not say {missing}, but\n{said}"

    def _nodetool(self, words: list[str]) -> tuple[int, str]:
        if words[0] == "run" and not words[1].startswith("example:"):
            words = [*words, *_few_steps(self.folder / words[1])]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = execute(words)
        return code, said.getvalue()

    def _shell(self, command: str) -> tuple[int, str]:
        programs = Path(sys.executable).parent
        environment = os.environ | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(self._packs),
        }
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def _packs(self) -> list[str]:
        return [path for path in sys.path if Path(path).is_relative_to(self.folder)]

    def _install(self, project: Path) -> tuple[int, str]:
        """
        Return what an editable install does, for this process alone.

        The environment that runs the tests stays as it is.
        """
        content = tomllib.loads((project / "pyproject.toml").read_text())["project"]
        information = project / f"{content['name']}-{content['version']}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {content['name']}\nVersion: {content['version']}\n"
        )
        lines = [f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
                 for group, points in content["entry-points"].items()]  # fmt: skip
        (information / "entry_points.txt").write_text("\n".join(lines))
        self._monkeypatch.syspath_prepend(str(project))
        importlib.invalidate_caches()
        return 0, ""
