"""
The workflow document: nodes and edges as JSON.

The form is `{"graph": {"nodes": [{"id", "type", "data", …}], "edges": [{"source", "sourceHandle",
"target", "targetHandle", …}]}}`; a bare `{"nodes": …, "edges": …}` is read as well. Fields that are
not known here are kept and written back. Reading checks the shape alone; `validation.build_graph`
checks it against the nodes there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodetool_core.errors import Problem, WorkflowError, nearest_file
from nodetool_core.garbage_collection import collection_paused
from nodetool_core.ownership import own_copy
from nodetool_core.properties import jsonable
from nodetool_core.values import PLAIN_TYPES

SCHEMA_VERSION = 1
_LISTED_PROBLEMS = 100
_FORM = "A workflow is a JSON file: an object with a `graph` of `nodes` and `edges`."
_IMAGES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif"}
)


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)


_R = TypeVar("_R", bound=_Record)


class NodeRecord(_Record):
    """One node as the file has it."""

    id: str = Field(min_length=1)
    type: str = Field(
        min_length=1, description="Type of the node, such as `nodetool.image.Resize`."
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="Values of properties; absent ones have their defaults."
    )
    dynamic_properties: dict[str, Any] = Field(
        default_factory=dict, description="Values of properties that the node takes under any name."
    )
    ui_properties: dict[str, Any] = Field(
        default_factory=dict, description="Position, size, title: kept, not used."
    )


class EdgeRecord(_Record):
    """One edge as the file has it."""

    source: str
    sourceHandle: str = "output"  # noqa: N815 - the wire format's spelling
    target: str
    targetHandle: str  # noqa: N815


class GraphRecord(_Record):
    nodes: list[NodeRecord] = Field(default_factory=list)
    edges: list[EdgeRecord] = Field(default_factory=list)


class WorkflowDocument(_Record):
    """A whole workflow file."""

    schema_version: int = Field(
        default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION, description="Version of this file format."
    )
    name: str = ""
    description: str = ""
    packs: dict[str, str] = Field(
        default_factory=dict,
        description="What its nodes were installed as: distributions with their versions.",
    )
    graph: GraphRecord = Field(default_factory=GraphRecord)

    @classmethod
    def from_json(cls, content: object, where: str = "workflow") -> Self:
        """
        Read a parsed JSON value. Raises WorkflowError with every place where the shape is wrong.
        """
        if not isinstance(content, Mapping):
            raise WorkflowError(
                Problem(
                    "invalid_document",
                    where,
                    f"expects a JSON object, got {type(content).__name__}.",
                    _FORM,
                )
            )
        if _is_of_comfyui(content):
            raise WorkflowError(
                Problem(
                    "invalid_document",
                    where,
                    "is a workflow of ComfyUI.",
                    f"Import it: nodetool import {where} --out imported.json",
                )
            )
        if "graph" not in content and "nodes" in content:
            content = {"graph": {"nodes": content["nodes"], "edges": content.get("edges", [])}} | {
                name: value for name, value in content.items() if name not in ("nodes", "edges")
            }
        if "graph" not in content:
            raise WorkflowError(Problem("invalid_document", where, "has no `graph`.", _FORM))
        try:
            with collection_paused():
                return cls.model_validate(content)
        except ValidationError as error:
            raise WorkflowError(_shape_problems(error)) from None

    @classmethod
    def from_text(cls, text: str, where: str = "workflow") -> Self:
        """
        Read the text of a file.

        Raises WorkflowError where it is no JSON, or with every place where the shape is wrong.
        """
        try:
            with collection_paused():
                document = cls.model_validate_json(text)
        except ValueError:
            pass
        else:
            if "graph" in document.model_fields_set:
                return document
        # A bare graph, or something that is wrong: this takes twice the time and reports what and
        # where.
        return cls.from_json(_parsed(text, where), where)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """
        Read a file. Raises WorkflowError where it is missing, unreadable, no JSON, or no workflow.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise WorkflowError(
                Problem("missing_file", str(path), "There is no such file.", _sibling_hint(path))
            ) from None
        except IsADirectoryError:
            raise WorkflowError(
                Problem(
                    "unreadable_file",
                    str(path),
                    "is a folder; a workflow is a JSON file.",
                    _inside(path),
                )
            ) from None
        except UnicodeDecodeError:
            raise WorkflowError(Problem("unreadable_file", str(path), *_no_text(path))) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WorkflowError(
                Problem("unreadable_file", str(path), f"can't be read: {reason}.")
            ) from None
        return cls.from_text(text, str(path))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value, with everything that was read, known or not."""
        written = {"schema_version": self.schema_version} | _set_fields(
            self, without=("graph", "schema_version")
        )
        graph = _set_fields(self.graph, without=("nodes", "edges"))
        nodes = [_set_fields(node) for node in self.graph.nodes]
        edges = [_set_fields(edge) for edge in self.graph.edges]
        return jsonable(written | {"graph": graph | {"nodes": nodes, "edges": edges}})  # type: ignore[no-any-return]

    def copied(self) -> Self:
        """Return a copy that shares no list and no mapping with this one."""
        graph = _copied(self.graph, without=("nodes", "edges"))
        graph.nodes, graph.edges = (
            [_copied(node) for node in self.graph.nodes],
            [_copied(edge) for edge in self.graph.edges],
        )
        document = _copied(self, without=("graph",))
        document.graph = graph
        return document

    def save(self, path: str | Path) -> Path:
        """Write the file, whole or not at all."""
        from nodetool_core.assets.files import atomic_write

        return atomic_write(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the file: a node and an edge a line, so that a change is a line that differs."""
        content = self.to_json()
        graph = content["graph"]
        lists = [name for name in ("nodes", "edges") if graph.get(name)]
        text = json.dumps(
            content | {"graph": graph | {name: f"\0{name}" for name in lists}},
            indent=2,
            ensure_ascii=False,
        )
        for name in lists:
            lines = ",\n".join(
                f"      {json.dumps(record, ensure_ascii=False)}" for record in graph[name]
            )
            text = text.replace(f'"\\u0000{name}"', f"[\n{lines}\n    ]", 1)
        return f"{text}\n".encode()


def _copied(record: _R, without: tuple[str, ...] = ()) -> _R:
    given = record.model_fields_set | (record.model_extra or {}).keys()
    return record.model_copy(
        update={
            name: own_copy(value)
            for name, value in record
            # Most are texts, which `model_copy` takes as they are.
            if type(value) not in PLAIN_TYPES and name in given and name not in without
        }
    )


def _parsed(text: str, where: str) -> object:
    """Return a JSON value. Raises WorkflowError where the text has none."""
    if not text.strip():
        raise WorkflowError(Problem("invalid_json", where, "is empty.", _FORM))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{where}:{error.lineno}:{error.colno}"
        begun = text.lstrip().startswith(("{", "["))
        hint = (
            "JSON has no comments and no comma before a closing bracket; names and texts stand in"
            " double quotes."
            if begun
            else _FORM
        )
        raise WorkflowError(
            Problem("invalid_json", place, f"is no JSON: {error.msg}.", hint)
        ) from None
    except ValueError as error:
        raise WorkflowError(
            Problem("invalid_json", where, f"has a number that can't be read: {error}.")
        ) from None
    except RecursionError:
        raise WorkflowError(
            Problem("invalid_json", where, "is nested too deeply to be a workflow.")
        ) from None


def _set_fields(record: _Record, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """
    Return the fields that were read or set.

    Unknown ones are not read as attributes: one may be named like a method.
    """
    given, own = record.model_fields_set, vars(record)
    declared = {name: own[name] for name in type(record).model_fields if name in given}
    return {
        name: value
        for name, value in (declared | (record.model_extra or {})).items()
        if name not in without
    }


def _shape_problems(error: ValidationError) -> list[Problem]:
    problems = []
    for detail in error.errors(include_url=False, include_context=False):
        place = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]
        ).lstrip(".")
        place = place.removeprefix("graph.")
        given = detail.get("input")
        got = (
            ""
            if isinstance(given, (dict, list)) or detail["type"] == "missing"
            else f", got {given!r}"
        )
        problems.append(Problem("invalid_document", place, f"{detail['msg']}{got}."))
    if len(problems) > _LISTED_PROBLEMS:
        more = len(problems) - _LISTED_PROBLEMS
        problems = [
            *problems[:_LISTED_PROBLEMS],
            Problem("invalid_document", "", f"… and {more} more problems."),
        ]
    return problems


def _is_of_comfyui(content: Mapping[str, Any]) -> bool:
    """
    Return whether it has one of the two forms that ComfyUI writes.

    Nodes by number with a `class_type`, or `nodes` and `links`.
    """
    nodes = content.get("prompt") if isinstance(content.get("prompt"), Mapping) else content
    if nodes and all(isinstance(node, Mapping) and "class_type" in node for node in nodes.values()):
        return True
    return isinstance(content.get("nodes"), list) and isinstance(content.get("links"), list)


def _no_text(path: Path) -> tuple[str, str]:
    """Return the message and the hint for a file whose bytes are no text."""
    if path.suffix.lower() in _IMAGES:
        hint = (
            f"An image is given to one: nodetool run FILE --set image={path}. One that nodetool"
            f" made: nodetool rerun {path}"
        )
        return "is an image, not a workflow.", hint
    return "is no text in UTF-8, so no workflow.", _FORM


def _inside(folder: Path) -> str:
    """Return the hint for a folder: a file in it that may have been meant."""
    found = _listed(folder, "*.json")
    return f"Name a file in it, such as {found[0]}." if found else _FORM


def _sibling_hint(path: Path) -> str:
    """
    Return the hint for a file that is not there.

    The workflow file, or else the folder, whose name is most like what was given.
    """
    if path.parent.is_dir():
        known = {file.name: file for file in _listed(path.parent, "*.json")}
        found = nearest_file(path.name, known)
    else:
        known = {folder.name: folder for folder in _listed(path.parent.parent, "*/")}
        found = nearest_file(path.parent.name, known)
    return f"Did you mean {str(known[found])!r}?" if found else "Check the path."


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
