"""
Node packs and how their nodes are found.

A pack is a Python package with node classes, announced by an entry point of the group
`nodetool.packs` that names a `Pack`. The built-in pack is announced the same way. A node is looked
up by its type, which is its import path, so that only the one module is imported; listing imports
them all. A module that fails to import is reported, and loses only itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from nodetool_core.errors import Problem, WorkflowError, near_miss, nearest
from nodetool_core.forking import renewed_after_fork
from nodetool_core.node_base import Node
from nodetool_core.packs import Alias, Pack, import_problem, installed_packs


def distinct_types(node_classes: Iterable[type[Node]]) -> dict[type[Node], str]:
    """
    Return each class's type, with a number from the second class of the same type on.

    `pack.Scale`, `pack.Scale#2`.
    """
    types: dict[type[Node], str] = {}
    counts: Counter[str] = Counter()
    for node_class in dict.fromkeys(node_classes):
        node_type = node_class.spec.node_type
        counts[node_type] += 1
        types[node_class] = (
            node_type if counts[node_type] == 1 else f"{node_type}#{counts[node_type]}"
        )
    return types


def shared_type(node_class: type[Node]) -> Problem:
    """Return the problem of a type that stands for more than one class."""
    message = (
        f"Several classes have this type; {node_class.__module__}.{node_class.__qualname__} is one"
        " of them."
    )
    hint = "Give each a type of its own: node_type = 'package.Name' in the class."
    return Problem("shared_type", node_class.spec.node_type, message, hint)


class Registry:
    """Looks nodes up by type, in packs and among classes added by hand."""

    def __init__(self, packs: Iterable[Pack] = (), node_classes: Iterable[type[Node]] = ()) -> None:
        self.packs = tuple(packs)
        self.problems: list[Problem] = []
        """What could not be imported, found as modules are looked at."""
        self._classes: dict[str, type[Node]] = {}
        self._looked_at: set[str] = set()
        self._importing = threading.RLock()
        """Whoever requests a node of a module that another thread is importing waits for it."""
        for node_class, node_type in distinct_types(node_classes).items():
            if node_type != node_class.spec.node_type:
                raise WorkflowError(shared_type(node_class))
            self.add(node_class)
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Begin anew in a forked process, where nobody is importing anything."""
        self._importing = threading.RLock()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_importing"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self.after_fork()
        renewed_after_fork(self)

    @classmethod
    def installed(cls) -> Registry:
        """
        Return the registry of every pack that is installed.

        Which these are is read once, and again where something was installed since.
        """
        packs, problems = installed_packs()
        registry = cls(packs)
        registry.problems.extend(problems)
        return registry

    def add(self, node_class: type[Node], node_type: str | None = None) -> None:
        """
        Make one class known, such as a node declared in a script.

        One that was added before as the same type is replaced.

        Args:
            node_type: The type that it is looked up by; its own unless given.
        """
        self._classes[node_type or node_class.spec.node_type] = node_class

    def include(self, other: Registry) -> None:
        """
        Make the packs and classes of another registry known.

        Raises WorkflowError where a type stands for one class here and for another one there.
        """
        self.packs += tuple(pack for pack in other.packs if pack not in self.packs)
        for node_type, node_class in other._classes.items():
            if self._classes.setdefault(node_type, node_class) is not node_class:
                raise WorkflowError(shared_type(node_class))

    def get(self, node_type: str) -> type[Node] | None:
        """Return the class of a type, or None."""
        if node_type not in self._classes:
            for pack in self.packs:
                module = pack.module_of(node_type)
                if module is not None:
                    self._import(module)
        return self._classes.get(node_type)

    def alias(self, node_type: str) -> Alias | None:
        """Return how a renamed type is read, or None where the name is current."""
        return next(
            (pack.aliases[node_type] for pack in self.packs if node_type in pack.aliases), None
        )

    def renamed_types(self) -> list[str]:
        """Return the types that files may still have and nodes no longer do."""
        return [node_type for pack in self.packs for node_type in pack.aliases]

    def maker(self, kind: type) -> type[Node] | None:
        """
        Return the node that makes a container of this class from what is connected to it.

        It takes connections in the order of names. None where there is no such node.
        """
        return self._first(pack.makers.get(kind) for pack in self.packs)

    def serving(self, task: str) -> type[Node] | None:
        """Return the node that a served model's id stands for in a task, or None."""
        return self._first(pack.serves.get(task) for pack in self.packs)

    def input_node(self, kind: type) -> type[Node] | None:
        """Return the node that is a workflow's input of a class of values, or None."""
        return self._first(pack.inputs.get(kind) for pack in self.packs)

    def output_node(self) -> type[Node] | None:
        """Return the node that is a workflow's output of any value, or None."""
        return self._first(pack.output for pack in self.packs)

    def workflow_node(self) -> type[Node] | None:
        """Return the node that stands for another workflow, or None."""
        return self._first(pack.workflow for pack in self.packs)

    def loop_node(self) -> type[Node] | None:
        """Return the node that yields the items of a list one by one, or None."""
        return self._first(pack.loop for pack in self.packs)

    def _first(self, node_types: Iterable[str | None]) -> type[Node] | None:
        """Return the class of the first type that a pack names."""
        return next((self.get(node_type) for node_type in node_types if node_type), None)

    def suggest(self, node_type: str) -> str:
        """
        Return a hint for a type that is not known.

        The nearest ones, also by class name alone, or the module that failed.
        """
        names = [node.spec.node_type for node in self]
        failed = next(
            (
                problem
                for problem in self.problems
                if node_type.startswith(f"{problem.where.removeprefix('nodes.')}.")
            ),
            None,
        )
        if failed is not None:
            return f"Its module {failed.where} could not be imported: {failed.message}"
        namespace, _, title = node_type.rpartition(".")
        titled: dict[str, list[str]] = {}
        for name in names:
            titled.setdefault(name.rpartition(".")[2].lower(), []).append(name)
        # With a namespace, the whole name is clearer than a title that is like another one.
        alike = title.lower() if namespace else nearest(title.lower(), titled)
        meant = titled.get(alike or "", [])
        return (
            f"Did you mean {' or '.join(map(repr, meant))}?"
            if meant
            else near_miss(node_type, names)
        )

    def weights(self) -> dict[str, Path]:
        """Return the models that ship with packs, or that packs have found: id to directory."""
        found: dict[str, Path] = {}
        for pack in self.packs:
            found |= {name: pack.directory() / path for name, path in pack.weights.items()}
            if pack.found_weights:
                found |= cast("dict[str, Path]", _function(pack.found_weights)())
        return found

    def examples(self) -> dict[str, Path]:
        """
        Return the example workflows of packs: name to file.

        Names begin as the pack's types do: `enlarge`, `studio.poster`.
        """
        folders = [(pack.type_prefix, pack.examples_directory()) for pack in self.packs]
        files = [
            (prefix, file)
            for prefix, folder in folders
            if folder is not None
            for file in sorted(folder.glob("*.json"))
        ]
        return {f"{prefix}{file.stem}": file for prefix, file in files}

    def pages(self) -> dict[str, str]:
        """
        Return the pages that packs write of themselves: file name to Markdown.

        May import what models need, and take seconds.
        """
        return {
            name: str(_function(source)())
            for pack in self.packs
            for name, source in pack.pages.items()
        }

    def importers(self) -> dict[str, Callable[..., Any]]:
        """Return the functions that read workflow files of other tools, by the tool's name."""
        return {
            name: _function(source)
            for pack in self.packs
            for name, source in pack.importers.items()
        }

    def exporters(self) -> dict[str, Callable[..., object]]:
        """Return the functions that write workflow files of other tools, by the tool's name."""
        return {
            name: _function(source)
            for pack in self.packs
            for name, source in pack.exporters.items()
        }

    def graph_readers(self) -> dict[str, Callable[..., object]]:
        """Return what makes the readers of graphs, by the protocol that they are sent in."""
        return {
            name: _function(source)
            for pack in self.packs
            for name, source in pack.graph_readers.items()
        }

    def __iter__(self) -> Iterator[type[Node]]:
        """Return every node class, by type. Imports all modules of all packs."""
        for pack in self.packs:
            self._import_all(pack)
        return iter([self._classes[name] for name in sorted(self._classes)])

    def _import_all(self, pack: Pack) -> None:
        self._import(pack.package)
        try:
            root = pack.directory()
        except ModuleNotFoundError as error:
            self._report(pack.package, error)
            return
        for found in _modules(root, pack.package):
            self._import(found)

    def _import(self, name: str) -> None:
        with self._importing:
            if name not in self._looked_at:
                self._looked_at.add(name)
                self._import_now(name)

    def _import_now(self, name: str) -> None:
        try:
            if importlib.util.find_spec(name) is None:
                return
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            # That there is no such module is no problem of it; that it needs another one is.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                self._report(name, error)
            return
        except Exception as error:  # noqa: BLE001 - a module of a pack is foreign code; it loses itself, not the registry
            self._report(name, error)
            return
        pack = next(
            pack
            for pack in self.packs
            if name == pack.package or name.startswith(f"{pack.package}.")
        )
        for value in vars(module).values():
            is_node = (
                isinstance(value, type)
                and issubclass(value, Node)
                and _is_of(value, name)
                and "spec" in vars(value)
            )
            if is_node and value.spec.node_type.startswith(pack.type_prefix):
                self.add(value)

    def _report(self, where: str, error: Exception) -> None:
        """Note a problem, once: what fails is looked at again with each listing."""
        problem = import_problem(where, error)
        if problem not in self.problems:
            self.problems.append(problem)


def _function(source: str) -> Callable[..., object]:
    """Return what `module:function` names."""
    module, _, name = source.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), name)
    return found


def _is_of(node_class: type[Node], module: str) -> bool:
    """
    Return whether a class is declared in a module, or in a private module of that package.

    Not merely imported there.
    """
    return node_class.__module__ == module or node_class.__module__.startswith(f"{module}._")


def _modules(root: Path, package: str) -> Iterator[str]:
    """Yield every module below a package, without importing any."""
    for found in sorted(pkgutil.iter_modules([str(root)]), key=lambda module: module.name):
        name = f"{package}.{found.name}"
        yield name
        if found.ispkg:
            yield from _modules(root / found.name, name)
