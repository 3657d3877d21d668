"""The command line called in this process and as a program, and a pack of faulty nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nodetool_core.cli.app import execute

ROOT = Path(__file__).parents[2]

PACK = '''
"""Nodes that misbehave on purpose."""
import time
from typing import Annotated, NamedTuple
from nodetool_core import Context, Field, ImageRef, Lane, Node, NodeError


class Crash(Node):
    """Raises what nobody expects."""
    value: str = Field(default="x", description="Anything.")

    def process(self) -> str:
        raise RuntimeError("the sky\\x1b[31m fell")


class Refuse(Node):
    """Refuses its work."""
    value: str = Field(default="x", description="Anything.")

    def process(self) -> str:
        raise NodeError("There is nothing to do.", "Give it something.")


class Slow(Node):
    """Takes many steps."""
    steps: int = Field(default=600, ge=1, description="Steps of 50 ms.")
    after: list[ImageRef] = Field(default=[], description="What has to be there before it begins.")

    def process(self, context: Context) -> str:
        for step in range(self.steps):
            context.progress(step, self.steps, "Waiting")
            time.sleep(0.05)
        return "waited"


class Warn(Node):
    """Says that it did less."""

    def process(self, context: Context) -> str:
        for _ in range(3):
            context.warn("The flux is ignored.")
        return "done"


class Sizes(NamedTuple):
    small: Annotated[ImageRef, "A small image."]
    count: Annotated[int, "A number."]


class Several(Node):
    """Gives several things."""

    def process(self, context: Context) -> Sizes:
        from PIL import Image
        return Sizes(context.image_from_pil(Image.new("RGB", (4, 4))), 3)


class Tiles(Node):
    """Gives many images."""
    count: int = Field(default=11, ge=0, description="How many.")

    def process(self, context: Context) -> list[ImageRef]:
        from PIL import Image
        shades = range(self.count)
        return [context.image_from_pil(Image.new("L", (2, 2), shade)) for shade in shades]


class Heavy(Node):
    """Imports what models need."""

    def process(self) -> str:
        import torch
        return torch.__name__


class Odd(Node):
    """Gives what has no JSON form."""

    def process(self) -> list[float]:
        return [float("nan"), 1.5]
'''


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that counts as a place of installed distributions, with one pack in it."""
    folder = tmp_path_factory.mktemp("site")
    package, info = folder / "cli_pack", folder / "cli_pack-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text(
        'from nodetool_core import Pack\npack = Pack(package="cli_pack")\n'
    )
    (package / "nodes.py").write_text(PACK)
    (package / "broken.py").write_text("import no_such_library\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cli-pack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nodetool.packs]\ncli_pack = cli_pack:pack\n")
    return folder


@pytest.fixture
def pack(pack_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(pack_folder))
    return pack_folder


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture
def nodetool(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Return a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Done:
        code = execute([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


def start(
    arguments: Sequence[str | Path],
    folder: Path,
    *,
    packs: Path | None = None,
    libraries: Path | None = None,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """
    Return a command as a program of its own.

    Args:
        packs: A folder with installed packs.
        libraries: A folder whose modules come before the installed ones.
    """
    command = [str(Path(sys.executable).with_name("nodetool")), *map(str, arguments)]
    places = [str(place) for place in (libraries, packs, ROOT) if place is not None]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def finish(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)


class Author:
    """Writes workflow files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        nodes: dict[str, tuple[str, dict[str, Any]]],
        edges: Sequence[str] = (),
        name: str = "workflow.json",
    ) -> Path:
        """Nodes by id as type and data; edges as `source.output > target.property`."""
        records = [
            {"id": node_id, "type": node_type, "data": data}
            for node_id, (node_type, data) in nodes.items()
        ]
        links = []
        for edge in edges:
            (source, source_handle), (target, target_handle) = (
                end.strip().split(".") for end in edge.split(">")
            )
            links.append(
                {
                    "source": source,
                    "sourceHandle": source_handle,
                    "target": target,
                    "targetHandle": target_handle,
                }
            )
        path = self.folder / name
        path.write_text(json.dumps({"graph": {"nodes": records, "edges": links}}))
        return path

    def resize(self) -> Path:
        """Return an image made smaller, and a text that is passed on."""
        Image.new("RGB", (40, 30), (200, 100, 0)).save(self.folder / "photo.png")
        return self(
            {
                "image": (
                    "nodetool.input.ImageInput",
                    {"name": "photo", "value": {"type": "image", "uri": "photo.png"}},
                ),
                "caption": ("nodetool.input.StringInput", {"name": "caption", "value": "hello"}),
                "smaller": ("nodetool.image.Resize", {"width": 20, "height": 10}),
                "result": ("nodetool.output.Output", {"name": "image"}),
                "text": ("nodetool.output.Output", {"name": "text"}),
            },
            [
                "image.output > smaller.image",
                "smaller.output > result.value",
                "caption.output > text.value",
            ],
        )

    def single(self, node_type: str, **data: Any) -> Path:
        """Return one node of the pack, and the output `result`."""
        nodes = {
            "node": (f"cli_pack.nodes.{node_type}", data),
            "out": ("nodetool.output.Output", {"name": "result"}),
        }
        return self(nodes, ["node.output > out.value"])


@pytest.fixture
def write(tmp_path: Path) -> Author:
    return Author(tmp_path)
