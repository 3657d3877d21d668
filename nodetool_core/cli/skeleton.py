"""
A new node from a template: a module and its test, and around them a pack where there is none.

There are three places. In a copy of this repository a type is a path below `nodes/`. Where the
first part of the type is a package in the folder, the node goes into it. Elsewhere a pack of that
name is made, with the entry point that announces it.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from nodetool_core import DISTRIBUTION
from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import Problem

_NODE = '''"""{title}: say in a line what the nodes of this file have in common."""

from __future__ import annotations

from typing import Annotated

from nodetool_core import Context, Field, ImageRef, Node


class {title}(Node):
    """
    Turns the colours of an image into their opposites: say in a sentence what your node does.

    image, colour, invert

    Use cases:
    - Say what somebody would want it for
    """

    image: ImageRef = Field(description="Image to work on.")
    amount: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 changes it fully."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The changed image."]:
        from PIL import Image, ImageChops

        image = context.image(self.image, "RGB")
        return context.image_from_pil(Image.blend(image, ImageChops.invert(image), self.amount))
'''

_TEST = '''"""What {title} does to an image."""

from __future__ import annotations

import pytest
from PIL import Image

{imports}

ORANGE = Image.new("RGB", (8, 6), (255, 128, 0))


def made(amount: float = 1.0) -> Image.Image:
    photo = ImageInput(name="photo")
    changed = {title}(image=photo.output, amount=amount)
    workflow = Workflow(Output(name="image", value=changed.output))
    result: Image.Image = workflow.run(photo=ORANGE)["image"].image
    return result


def test_the_image_is_changed() -> None:
    assert made().size == ORANGE.size
    assert made().getpixel((0, 0)) == (0, 127, 255)


def test_nothing_happens_at_amount_0() -> None:
    assert made(amount=0.0).tobytes() == ORANGE.tobytes()


def test_an_amount_out_of_bounds_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"above 1\\.0"):
        made(amount=1.5)
'''

_TEST_IMPORTS = (
    "from nodes.nodetool.input import ImageInput",
    "from nodes.nodetool.output import Output",
    "from nodetool_core import Workflow, WorkflowError",
)

_PACK = '''"""A pack of nodes."""

from nodetool_core import Pack

pack = Pack(package="{package}")
'''

_PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["{engine}"]

[project.optional-dependencies]
dev = ["pytest>=8", "mypy>=1.18"]

[project.entry-points."nodetool.packs"]
{package} = "{package}:pack"

[tool.hatch.build.targets.wheel]
packages = ["{package}"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]

[tool.mypy]
strict = true
packages = ["{package}"]
plugins = ["nodetool_core.mypy_plugin"]
"""


@dataclass
class Skeleton:
    """Files to be written, and what to do after."""

    node_type: str
    files: dict[Path, str] = field(default_factory=dict)
    next_steps: list[str] = field(default_factory=list)

    def write(self) -> list[Path]:
        """Write the files, each whole; return those with something in them. Raises OSError."""
        from nodetool_core.assets.files import atomic_write

        for path, text in self.files.items():
            atomic_write(path, text.encode(), overwrite=False)
        return [path for path, text in self.files.items() if text]


def plan_skeleton(node_type: str, folder: Path) -> Skeleton:
    """
    Return what a new node of that type needs in a folder.

    Raises WrongUseError for a bad type, and where a file exists already.
    """
    names = node_type.split(".")
    _check_type(node_type, names)
    folder = folder.expanduser()
    skeleton = Skeleton(node_type)
    is_repository = (folder / "nodes" / "__init__.py").exists() and (
        folder / "nodetool_core"
    ).is_dir()
    path = ["nodes", *names] if is_repository and names[0] != "nodes" else names
    _check_path(node_type, path)
    module, title = path[:-1], path[-1]
    tests = (
        ["tests", *module[:-1]]
        if is_repository or (folder / "tests" / module[0]).is_dir()
        else ["tests"]
    )
    source = folder.joinpath(*module[:-1], f"{module[-1]}.py")
    test = folder.joinpath(*tests, f"test_{module[-1]}.py")
    _check_absent(source, test)
    if not is_repository:
        _check_package(node_type, module[0], folder)
        _plan_pack(skeleton, folder, module[0])
    for inner in range(1 if not is_repository else 0, len(module)):
        _plan_package(skeleton, folder.joinpath(*module[:inner]), wanted=inner > 0)
    for inner in range(1, len(tests) + 1):
        _plan_package(skeleton, folder.joinpath(*tests[:inner]), wanted=is_repository)
    skeleton.files[source] = _NODE.format(title=title)
    imports = sorted(
        [f"from {'.'.join(module)} import {title}", *_TEST_IMPORTS],
        key=lambda line: line.split()[1],
    )
    skeleton.files[test] = _TEST.format(title=title, imports="\n".join(imports))
    shown = ".".join(path[1:]) if is_repository else node_type
    skeleton.next_steps += [f"pytest {test}", f"nodetool nodes show {shown}"]
    if is_repository:
        skeleton.next_steps.append("nodetool docs build")
    return skeleton


def _plan_pack(skeleton: Skeleton, folder: Path, package: str) -> None:
    """Add the package and the project around it, as far as they are missing."""
    project, init = folder / "pyproject.toml", folder / package / "__init__.py"
    if not init.exists():
        skeleton.files[init] = _PACK.format(package=package)
    if not project.exists():
        skeleton.files[project] = _PROJECT.format(
            name=package.replace("_", "-"), package=package, engine=DISTRIBUTION
        )
    elif "nodetool.packs" not in project.read_text(encoding="utf-8", errors="replace"):
        line = f'[project.entry-points."nodetool.packs"] with {package} = "{package}:pack"'
        skeleton.next_steps.append(f"add to {project}: {line}")
    skeleton.next_steps.append(f'pip install -e "{folder}[dev]"')


def _plan_package(skeleton: Skeleton, folder: Path, *, wanted: bool) -> None:
    init = folder / "__init__.py"
    if wanted and not init.exists() and init not in skeleton.files:
        skeleton.files[init] = ""


def _check_type(node_type: str, names: list[str]) -> None:
    complaint = ""
    wrong = [name for name in names if not name.isidentifier() or keyword.iskeyword(name)]
    if wrong:
        complaint = (
            f"has the part {wrong[0]!r}, which is no Python name."
            if wrong[0]
            else "has an empty part."
        )
    elif len(names) < 2:
        complaint = "needs a module before the name of the class."
    elif not re.match(r"[A-Z]", names[-1]):
        complaint = f"ends in {names[-1]!r}; the name of a class begins with a capital letter."
    elif names[0] in ("nodetool_core", "tests"):
        complaint = f"begins with {names[0]!r}, which holds no nodes."
    if complaint:
        raise WrongUseError(
            Problem("wrong_type", node_type, complaint, "A type looks like studio.filters.Soften.")
        )


def _check_package(node_type: str, package: str, folder: Path) -> None:
    """Refuse a pack whose package or project would stand in the way of another one."""
    complaint = ""
    if package in sys.stdlib_module_names:
        complaint = (
            f"begins with {package!r}, a module of Python's standard library, which your pack would"
            " hide."
        )
    elif package == "nodetool":
        complaint = (
            "begins with 'nodetool', which is another project on the package index; this one is"
            f" {DISTRIBUTION!r} there."
        )
    elif (place := _installed_at(package)) is not None and not place.is_relative_to(
        folder.resolve()
    ):
        complaint = f"begins with {package!r}, a package that is installed already: {place}"
    if complaint:
        raise WrongUseError(
            Problem(
                "wrong_type",
                node_type,
                complaint,
                "Begin it with a name of your own, such as studio.filters.Soften.",
            )
        )


def _installed_at(package: str) -> Path | None:
    """Return where Python would import a package from; None where there is none."""
    found = importlib.util.find_spec(package)
    if found is None:
        return None
    places = [*(found.submodule_search_locations or ()), *([found.origin] if found.origin else [])]
    return Path(places[0]).resolve() if places else Path()


def _check_path(node_type: str, path: list[str]) -> None:
    if len(path) < 3:
        message = "needs a module inside the package."
        raise WrongUseError(
            Problem(
                "wrong_type",
                node_type,
                message,
                f"Write {path[0]}.filters.{path[-1]}, for example.",
            )
        )


def _check_absent(*paths: Path) -> None:
    problems = [
        Problem(
            "exists",
            str(path),
            "exists already, and is not overwritten.",
            "Choose another name, or add the class to that file by hand.",
        )
        for path in paths
        if path.exists()
    ]
    if problems:
        raise WrongUseError(problems)
