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
from typing import Any, Literal, NamedTuple, Self, TypedDict, TypeVar

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


class Numbers(Node):
    def process(self) -> list[int]: ...


class MadeOf(Node):
    numbers: list[int]

    def process(self) -> list[int]:
        return self.numbers


class Numbers3(Node):
    def process(self) -> tuple[int, int, int]: ...


class PairNode(Node):
    def process(self) -> tuple[int, int]: ...


class Rows(Node):
    def process(self) -> list[list[int]]: ...


class AsMapping(Node):
    def process(self) -> dict[str, Any]: ...


class Choice(Node):
    def process(self) -> Literal["a"]: ...


class Maybe(Node):
    def process(self) -> int | None: ...


class Word(Node):
    def process(self) -> str: ...


class Unknown(Node):
    def process(self) -> Any: ...


class AnyModel(Node):
    def process(self) -> ModelRef: ...


class Takes(Node):
    floats: list[float] = []
    rows: list[list[float]] = []
    fields: Mapped = {"mapped": 0}
    named: dict[str, int] = {}
    choice: Literal["a", "b"] = "a"
    model: ImageToImageModel = ImageToImageModel()
    maybe: int | None = None
    either: int | str = 0
    pair: tuple[float, float] = (0.0, 0.0)
    triple: tuple[int, ...] = ()
    anything: Any = None

    def process(self) -> float: ...


Some = TypeVar("Some", bound=Scale)
photo = ImageInput()
count = IntegerInput()
some_node: Node = photo
one_of: Scale | Fit
images = [photo.output, photo.output]
numbers = [count.output, count.output]
references: list[ImageRef] = []
"""

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
    "Everything(number=count.output), Everything(numbers=Numbers().output)",
    "Takes(floats=Numbers()), Takes(floats=Numbers().output), Takes(rows=Rows().output)",
    "Takes(maybe=count), Takes(fields={'mapped': 1})",
    "Takes(fields=AsMapping().output), Takes(named=AsMapping()), Takes(choice=Choice().output)",
    "Takes(model=AnyModel().output), Takes(model=AnyModel())",
    "Takes(maybe=Maybe().output), Takes(anything=Nothing), Takes(either=Word())",
    "Scale(image=Unknown().output), Scale(image=Unknown()), Scale(image=some_node)",
    "Takes(pair=PairNode().output, triple=Numbers3().output)",
    "Everything(images=[Scale(image=photo), Scale(image=photo).output])",
    "number: int = MadeOf(numbers=[1]).run()[0]",
    "Scale(image='graphs/assets/lake_at_noon.png', scale=0.1).run().image.size",
]
"""Calls that run, and that mypy takes."""

WRONG = [
    (
        "Scale(image=photo, scal=0.5)",
        'Unexpected keyword argument "scal" for "Scale"; did you mean "scale"?',
    ),
    (
        'Scale(image=photo, scale="half")',
        '"Scale" has incompatible type "str"; expected "float | OutputHandle[float] | Node"',
    ),
    (
        "Scale(image=3)",
        'incompatible type "int"; expected "ImageRef | str | OutputHandle[ImageRef] | Node"',
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
    (
        "Scale(image=count.output)",
        'incompatible type "OutputHandle[int]"; expected "ImageRef | str | OutputHandle[ImageRef]',
    ),
    (
        "Scale(image=count)",
        'Argument "image" to "Scale" is a node that gives "int"; expected "ImageRef"',
    ),
    ("Scale(image=GetMetadata(image=photo))", "is a node with 9 outputs: format, mode"),
    ("Scale(image=Nothing())", "is a node with 0 outputs"),
    ("Takes(floats=Word())", 'is a node that gives "str"; expected "list[float]"'),
    ("Takes(floats=Rows().output)", 'incompatible type "OutputHandle[list[list[int]]]"'),
    ("Takes(rows=Numbers().output)", 'incompatible type "OutputHandle[list[int]]"'),
    ("Takes(choice=Word().output)", 'incompatible type "OutputHandle[str]"'),
    ("Takes(maybe=Word())", 'gives "str"; expected "int | None"'),
    ("Everything(number=Maybe().output)", 'incompatible type "OutputHandle[int | None]"'),
    ("Takes(either=photo.output)", 'incompatible type "OutputHandle[ImageRef]"'),
    ("Takes(model=photo.output)", 'incompatible type "OutputHandle[ImageRef]"'),
    ("Takes(pair=Numbers3().output)", 'incompatible type "OutputHandle[tuple[int, int, int]]"'),
    ("Everything(images=[photo.output, count.output])", 'incompatible type "OutputHandle[int]"'),
    ("Everything(names={'a': photo.output})", 'incompatible type "str": "OutputHandle[ImageRef]"'),
    ("Takes(named=Numbers())", 'gives "list[int]"; expected "dict[str, int]"'),
    ("wrong: str = Numbers().run()", 'expression has type "list[int]"'),
    ("Takes(floats=Everything().low)", 'incompatible type "OutputHandle[int]"'),
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

OUTPUTS = {
    "photo.output": "ImageRef",
    "one_of.output": "ImageRef",
    "some_node.whatever": "Any",
    "Everything().low": "int",
    "Stream().mapped": "int",
    "Later().right": "int",
    "LaterStream().output": "int",
    "GetMetadata(image=photo).width": "int",
    'GetMetadata(image=photo)["height"]': "Any",
    "StillOpen().output": "int",
    "Numbers().output": "list[int]",
    "Unknown().output": "Any",
}
"""Outputs of nodes, and their types."""

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


@pytest.mark.parametrize(
    ("line", "kind"), list(zip(lines_of(list(OUTPUTS)), OUTPUTS.values(), strict=True))
)
def test_an_output_is_a_handle_of_its_type(line: int, kind: str, complaints: Complaints) -> None:
    (said,) = complaints["outputs.py"][line]
    found = re.sub(r"(builtins|nodetool_core\.\w+)\.", "", said)
    assert found == f'Revealed type is "OutputHandle[{kind}]"'


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
