"""
E15: what mypy reports with the plugin.

Of right and wrong code, of the code on the pages, and of a new pack. mypy runs once for all of
it. Every complaint has its file and line; the lines of a page are
those of its Markdown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from nodetool_core.cli.skeleton import plan_skeleton
from tests.documentation import blocks
from tests.test_docs import DONE, ROOT, named

pytestmark = pytest.mark.slow

Complaints = dict[str, dict[int, list[str]]]
"""What mypy says, by file and line."""

SETTINGS = """
[mypy]
strict = True
plugins = nodetool_core.mypy_plugin
mypy_path = studio-pack

[mypy-nodes.*,nodetool_core.*]
follow_imports = silent

# What pages show of these is not of interest here, and reading them takes a minute.
[mypy-torch.*,diffusers.*,transformers.*,accelerate.*]
follow_imports = skip
"""

DECLARATIONS = """
from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypedDict, TypeVar

from nodes.nodetool.image import Fit, GetMetadata, Scale
from nodes.nodetool.input import ImageInput, IntegerInput
from nodetool_core import ColorRef, Field, FontRef, ImageRef, ImageSizeRef
from nodetool_core import ImageToImageModel, JsonValue, ModelRef, Node


class Pair(NamedTuple):
    low: int
    high: int


class Mapped(TypedDict):
    mapped: int


@dataclass
class Both:
    left: int
    right: int


class Palette(JsonValue):
    def to_json(self) -> Any: ...
    @classmethod
    def from_json(cls, form: list[str]) -> Self: ...


class Everything(Node):
    image: ImageRef = ImageRef()
    images: list[ImageRef] = []
    model: ImageToImageModel = Field(default=ImageToImageModel())
    font: FontRef | None = None
    size: ImageSizeRef = ImageSizeRef()
    number: float = 0.0
    numbers: list[int] = []
    rows: list[list[int]] = []
    pair: tuple[int, int] = (0, 0)
    names: dict[str, int] = {}
    palette: Palette | None = None
    anything: Any = None

    def process(self) -> Pair: ...


class Nothing(Node):
    def process(self) -> None: ...


class Stream(Node):
    def process(self) -> Iterator[Mapped]: ...


class Later(Node):
    async def process(self) -> Both: ...


class LaterStream(Node):
    async def process(self) -> AsyncIterator[int]:
        yield 1


class Open(Node):
    dynamic = True
    number: int = 0

    def process(self) -> int:
        return self.number


class StillOpen(Open):
    pass


class Closed(Open):
    dynamic = False


class ByHand(Node):
    def __init__(self, number: int) -> None: ...
    def process(self) -> int: ...


Some = TypeVar("Some", bound=Scale)
photo = ImageInput()
count = IntegerInput()
some_node: Node = photo
one_of: Scale | Fit
images = [photo.output, photo.output]
numbers = [count.output, count.output]
references: list[ImageRef] = []
"""

HANDLE = 'Revealed type is "nodetool_core.handles.OutputHandle"'

RIGHT = [
    'ImageInput(name="photo", value="photo.png")',
    "Scale(image=photo, scale=count.output)",
    (
        'Everything(image=ImageRef(uri="a.png"), model="owner/name", font="DejaVu Serif",'
        " size=ImageSizeRef())"
    ),
    'Everything(model=ModelRef(repo_id="owner/name"), number=1, anything=photo, palette=["#fff"])',
    (
        'Everything(images=[photo, photo.output, "a.png"], numbers=[1, count], rows=[[1,'
        " count.output], numbers])"
    ),
    "Everything(images=images, numbers=numbers, rows=[numbers])",
    "Everything(images=references), Everything(images=[photo for _ in range(2)])",
    (
        "Everything(images=(ImageRef(), ImageRef())), Everything(numbers=range(3)),"
        " Everything(pair=(count, 1))"
    ),
    'Everything(names={"a": count, "b": 1}), Everything(font=None)',
    'photo["output"]',
    "Open(number=count, other=3), StillOpen(other=photo)",
]
"""Calls that run, and that mypy takes."""

WRONG = [
    (
        "Scale(image=photo, scal=0.5)",
        'Unexpected keyword argument "scal" for "Scale"; did you mean "scale"?',
    ),
    (
        'Scale(image=photo, scale="half")',
        '"Scale" has incompatible type "str"; expected "float | OutputHandle | Node"',
    ),
    (
        "Scale(image=3)",
        '"Scale" has incompatible type "int"; expected "ImageRef | str | OutputHandle | Node"',
    ),
    ('ImageInput(value=Path("photo.png"))', 'incompatible type "Path"'),
    ('Everything(size="512")', 'incompatible type "str"'),
    ("Everything(model=ColorRef())", 'incompatible type "ColorRef"'),
    ("Everything(palette={1, 2})", 'incompatible type "set[int]"'),
    ('Everything(images="photo.png")', 'incompatible type "str"'),
    ("Everything(images=[photo, 3])", 'List item 1 has incompatible type "int"'),
    ('Everything(rows=[[1, "x"]])', 'List item 1 has incompatible type "str"'),
    ("Everything(numbers=(1, photo))", 'incompatible type "tuple[int, ImageInput]"'),
    ('Everything(pair=(photo, "x"))', 'incompatible type "tuple[ImageInput, str]"'),
    ("Everything(pair=(1, 2, 3))", 'incompatible type "tuple[int, int, int]"'),
    ('Everything(names={"a": "b"})', 'Dict entry 0 has incompatible type "str": "str"'),
    ("Open(number='x', other=3)", 'incompatible type "str"'),
    ("Closed(other=3)", 'Unexpected keyword argument "other"'),
    ("ByHand(number=photo)", 'incompatible type "ImageInput"; expected "int"'),
    ("photo.ouput", '"ImageInput" has no output or attribute "ouput". Did you mean \'output\'?'),
    ("one_of.ouput", '"Scale" has no output or attribute "ouput". Did you mean \'output\'?'),
    ("GetMetadata()", 'Missing named argument "image" for "GetMetadata"'),
    (
        "Everything().output",
        '"Everything" has no output or attribute "output". Its outputs: low, high.',
    ),
    ("Nothing().output", "Its outputs: none."),
    ("Stream().output", "Its outputs: mapped."),
    ("Later().output", "Its outputs: left, right."),
    (
        "def outputs_of(node: Some) -> None: node.ouput",
        '"Scale" has no output or attribute "ouput". Did you mean \'output\'?',
    ),
    (
        "class Inside(Open):\n    def process(self) -> int: return int(self.nubmer)",
        'has no output or attribute "nubmer"',
    ),
    (
        (
            "def local() -> None:\n    class Own(Node):\n        def process(self) -> int: ...\n   "
            " Own().ouput"
        ),
        '"Own" has no output',
    ),
]
"""Mistakes, and what mypy says of each."""
MISTAKES = [code for code, _ in WRONG]

OUTPUTS = [
    "photo.output",
    "one_of.output",
    "some_node.whatever",
    "Everything().low",
    "Stream().mapped",
    "Later().right",
    "LaterStream().output",
    "GetMetadata(image=photo).width",
    'GetMetadata(image=photo)["height"]',
    "StillOpen().output",
]
"""Outputs of nodes."""

REFUSED_ON_PURPOSE = {'Unexpected keyword argument "scal" for "Scale"; did you mean "scale"?'}
"""What pages get wrong to show what is said then."""


def module_of(page: Path) -> str:
    return re.sub(r"\W", "_", named(page).removesuffix(".md")).lower() + ".py"


def code_of(page: Path) -> str:
    """
    Return the Python of a page that runs in its one namespace.

    Each line is at the place that it has there.
    """
    lines: list[str] = []
    for block in blocks(page):
        if block.language == "python" and not block.is_file and not block.no_run:
            lines += [""] * (page.read_text().partition(block.text)[0].count("\n") - len(lines))
            lines += block.text.splitlines()
    return "\n".join([*lines, ""]) if lines else ""


def write_pages(folder: Path) -> None:
    for page in DONE:
        (folder / module_of(page)).write_text(code_of(page))
        for block in blocks(page):
            if block.language == "python" and block.is_file:
                (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.title).write_text(block.text)


def write_snippets(folder: Path) -> None:
    for name, snippets in (
        ("right", RIGHT),
        ("wrong", MISTAKES),
        ("outputs", [f"reveal_type({code})" for code in OUTPUTS]),
    ):
        (folder / f"{name}.py").write_text("\n".join([DECLARATIONS, *snippets, ""]))


def mypy(folder: Path, *files: str) -> Complaints:
    """Return what mypy says of files in a folder."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--no-pretty",
            "--no-error-summary",
            "--disable-error-code=empty-body",
            *files,
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1) and not done.stderr, done.stdout + done.stderr
    found: Complaints = defaultdict(lambda: defaultdict(list))
    for file, line, message in re.findall(
        r"^([^:]+):(\d+): (?:error|note): (.*?)(?:  \[[\w-]+\])?$", done.stdout, re.MULTILINE
    ):
        found[file][int(line)].append(message)
    return found


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Complaints]:
    """Return a folder with everything, and what mypy says of it."""
    folder = tmp_path_factory.mktemp("typed")
    plan_skeleton("studio.invert.Invert", folder / "studio-pack").write()
    write_pages(folder)
    write_snippets(folder)
    (folder / "mypy.ini").write_text(SETTINGS)
    return folder, mypy(
        folder, *[path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.py"))]
    )


@pytest.fixture(scope="module")
def complaints(checked: tuple[Path, Complaints]) -> Complaints:
    return checked[1]


def lines_of(snippets: list[str]) -> list[int]:
    """Return the last line of each snippet in its file."""
    heights = [snippet.count("\n") + 1 for snippet in snippets]
    return [
        DECLARATIONS.count("\n") + sum(heights[: number + 1]) + 1 for number in range(len(heights))
    ]


def test_what_runs_is_taken(complaints: Complaints) -> None:
    assert complaints["right.py"] == {}


@pytest.mark.parametrize("code", RIGHT)
def test_what_is_taken_runs(code: str) -> None:
    exec(f"{DECLARATIONS}\n{code}", {"__name__": __name__})


@pytest.mark.parametrize(
    ("line", "says"), list(zip(lines_of(MISTAKES), [says for _, says in WRONG], strict=True))
)
def test_a_mistake_is_told(line: int, says: str, complaints: Complaints) -> None:
    assert says in "\n".join(complaints["wrong.py"][line])


def test_nothing_else_is_told(complaints: Complaints) -> None:
    assert set(complaints["wrong.py"]) == set(lines_of(MISTAKES))


@pytest.mark.parametrize("line", lines_of(OUTPUTS))
def test_an_output_is_a_handle_and_not_any(line: int, complaints: Complaints) -> None:
    assert complaints["outputs.py"][line] == [HANDLE]


def test_what_is_known_of_classes_is_kept_in_the_cache_of_mypy(
    checked: tuple[Path, Complaints],
) -> None:
    folder, _ = checked
    (folder / "again.py").write_text(
        "from right import Closed, StillOpen\nStillOpen(other=3)\nClosed(other=3)\nClosed().ouput\n"
    )
    assert list(mypy(folder, "again.py")["again.py"]) == [3, 4]


@pytest.mark.parametrize("page", DONE, ids=named)
def test_the_code_of_a_page_is_well_typed(page: Path, complaints: Complaints) -> None:
    said = {
        line: [text for text in texts if text not in REFUSED_ON_PURPOSE]
        for line, texts in complaints[module_of(page)].items()
    }
    assert {line: texts for line, texts in said.items() if texts} == {}


def test_a_new_pack_and_the_one_of_the_guide_are_well_typed(complaints: Complaints) -> None:
    assert {
        file: said for file, said in complaints.items() if file.startswith("studio-pack/") and said
    } == {}
