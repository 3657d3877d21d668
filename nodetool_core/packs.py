"""
Packs: packages of nodes, announced by an entry point of the group `nodetool.packs`.

A pack states what ships with it besides its nodes, and which of its nodes the core uses where it
needs one: the core itself names no node type.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from nodetool_core.errors import Problem

ENTRY_POINT_GROUP = "nodetool.packs"

_CORE = f"{Path(__file__).parent}{os.sep}"


@dataclass(frozen=True)
class Alias:
    """How a node type of another time or tool is read: as which type, with which names."""

    type: str
    properties: Mapping[str, str | None] = field(default_factory=dict)
    """Old property or input handle to the new one; None where there is no counterpart."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    """Values that the old type implied."""
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Old choices to new ones, by the old property."""
    conversions: Mapping[str, Callable[[object], object]] = field(default_factory=dict)
    """
    What makes the new value of an old one, by the old property, where the meaning has changed.

    Such a property gets a new name, so that old files are known by the old one. What comes along an
    edge is not converted. Raises ValueError or TypeError for a value that can't be.
    """


@dataclass(frozen=True)
class Pack:
    """A package of nodes, and what ships with it."""

    package: str
    """Import name of the package whose modules hold the nodes."""
    prefix: str | None = None
    """
    The beginning of its node types; the package's own name by default.

    Empty for the built-in pack.
    """
    weights: Mapping[str, str] = field(default_factory=dict)
    """Models that ship with the pack: Hub-like id to a directory inside the package."""
    found_weights: str = ""
    """
    Models that other installed packages carry.

    `module:function`, which returns Hub-like ids with their directories. It is called often.
    """
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    """Renamed types, by the old name."""
    examples: str = ""
    """
    Folder of workflow files that show the pack: inside the package or, in a repository, beside it.
    """
    makers: Mapping[type, str] = field(default_factory=dict)
    """
    Types of nodes that make a list, a tuple or a mapping of what is connected to them, by the class
    of what they make.
    """
    serves: Mapping[str, str] = field(default_factory=dict)
    """
    Types of the nodes that a model's id stands for where it is served, by task: `image-to-image`,
    `text-to-image`.
    """
    inputs: Mapping[type, str] = field(default_factory=dict)
    """Types of nodes that are a workflow's input, by the class of the values that they take."""
    output: str = ""
    """Type of the node that is a workflow's output of any value; empty where the pack has none."""
    workflow: str = ""
    """Type of the node that stands for another workflow; empty where the pack has none."""
    loop: str = ""
    """
    Type of the node that takes a list as its one input and yields its items; empty where the pack
    has none.
    """
    importers: Mapping[str, str] = field(default_factory=dict)
    """
    Readers of workflow files of other tools.

    Name of the tool to `module:function`, which is an `importing.Importer`.
    """
    exporters: Mapping[str, str] = field(default_factory=dict)
    """
    Writers of workflow files of other tools.

    Name of the tool in lower case to `module:function`, which is an `importing.exporting.Exporter`.
    """
    graph_readers: Mapping[str, str] = field(default_factory=dict)
    """
    Readers of graphs that clients of other tools' servers send.

    Name of the protocol to `module:function`, which returns an `importing.graphs.GraphReader`.
    """
    pages: Mapping[str, str] = field(default_factory=dict)
    """
    Pages of documentation that the pack writes of itself.

    File name to `module:function`, which returns the Markdown.
    """
    indexed: bool = False
    """
    Whether what its nodes declare depends on installed source files and the files of the package
    alone, and not on the environment, the network or files elsewhere. `nodetool nodes list` then
    reads an index, and imports the nodes again when one of these files has changed.
    """

    @property
    def type_prefix(self) -> str:
        return (
            f"{self.package}."
            if self.prefix is None
            else (f"{self.prefix}." if self.prefix else "")
        )

    def directory(self) -> Path:
        """Return where the package lies on disk."""
        found = importlib.util.find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError(f"The pack {self.package!r} is not a package.")
        return Path(next(iter(found.submodule_search_locations)))

    def examples_directory(self) -> Path | None:
        """Return where the example workflows lie on disk; None where the pack has none."""
        inside = self.directory() / self.examples
        places = (inside, inside.parents[1] / self.examples) if self.examples else ()
        return next((place for place in places if place.is_dir()), None)

    def module_of(self, node_type: str) -> str | None:
        """Return the module that would hold a type of this pack, whether it exists or not."""
        if not node_type.startswith(self.type_prefix):
            return None
        path = node_type.removeprefix(self.type_prefix).rpartition(".")[0]
        return f"{self.package}.{path}" if path else self.package


def installed_packs() -> tuple[tuple[Pack, ...], tuple[Problem, ...]]:
    """
    Return the packs that are installed, and what could not be imported of them.

    Which these are is read once, and again where something was installed since.
    """
    return _packs_in(installed_places())


def installed_places() -> tuple[tuple[str, int], ...]:
    """Return where Python finds packages, each with when something was installed there last."""
    return tuple((place, _changed_at(place)) for place in sys.path)


@cache
def _packs_in(
    places: tuple[tuple[str, int], ...],
) -> tuple[tuple[Pack, ...], tuple[Problem, ...]]:
    """
    Return the packs that entry points announce in these places, and the problems of importing them.
    """
    from importlib.metadata import entry_points

    packs, problems = [], []
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        try:
            packs.append(entry.load())
        except Exception as error:  # noqa: BLE001 - a pack is foreign code: whatever it raises is reported as its problem
            problems.append(import_problem(entry.value, error))
    return tuple(packs), tuple(problems)


def _changed_at(place: str) -> int:
    """
    Return when something was installed in a place last.

    0 for what is no place to install in, such as a folder that a program works in.
    """
    try:
        return Path(place).stat().st_mtime_ns if place.endswith("-packages") else 0
    except OSError:
        return 0


def import_problem(where: str, error: BaseException) -> Problem:
    """Return the problem of a module or a pack that could not be imported."""
    message = f"{type(error).__name__}: {error}"
    place = _place_of(error)
    return Problem(
        "import_failed",
        where,
        f"{message} ({place})" if place else message,
        "Fix the module, or uninstall the pack.",
    )


def _place_of(error: BaseException) -> str:
    """
    Return the file and line that an import failed at.

    The last one outside of the import system and of the core.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if "importlib" not in frame.filename and not frame.filename.startswith(_CORE)
    ]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""
