"""What a rule sees of the node that it is about."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from nodes.importers.comfyui.exposed import INPUT_TYPES, Exposed, placeholder, plain
from nodes.importers.comfyui.graph import ComfyNode, Link
from nodes.importers.comfyui.values import Known, Missing, Pixels
from nodetool_core.importing.draft import Draft, Handle, SourceNode, Unsupported

Kind = TypeVar("Kind")

TO_TEXT: Final = "nodetool.text.ToString"

REQUIRED: Any = object()
"""Stands for: there is no default."""

_DRIVE: Final = re.compile("[A-Za-z]:")
"""A name that begins with a drive of Windows."""

_SAYS_NOTHING = frozenset(
    {"control_after_generate", "upload", "choose file to upload", "Random seed after every gen"}
)
"""Inputs of a form that mean nothing to a run, by their names of today and of the first editors."""


class InactiveError(Unsupported):
    """A node needs one that ComfyUI does not run either."""


class Reading:
    """The inputs of one node; remembers which were read, so that none is forgotten."""

    def __init__(
        self,
        node: ComfyNode,
        inputs: Mapping[str, object],
        draft: Draft,
        *,
        knows_hub: bool = True,
    ) -> None:
        self.node = node
        self.draft = draft
        self.knows_hub = knows_hub
        """Whether well known names of files stand for their places on the Hub."""
        self.source = SourceNode(node.label)
        self.unneeded: set[str] = set()
        """Inputs that ComfyUI would not ask for a value."""
        self.given: set[int] = set()
        """Its outputs that lead to other nodes."""
        draft.sources.append(self.source)
        self._inputs = inputs
        self._read: set[str] = set()

    def beside(self, part: str) -> Reading:
        """Return what writes a further main node, whose id has `_part` behind the node's own."""
        node = replace(self.node, id=f"{self.node.id}_{part}")
        other = Reading(node, {}, self.draft, knows_hub=self.knows_hub)
        self.draft.sources.remove(other.source)
        other.source = self.source
        return other

    def take(self, name: str, default: object = REQUIRED) -> Any:
        """
        Return the value of an input.

        Raises Unsupported where it is missing, or comes from a node that could not be imported.
        """
        self._read.add(name)
        value = self._inputs.get(name, default)
        if isinstance(value, Missing) and value.inactive and default is not REQUIRED:
            return default
        if value is REQUIRED:
            raise Unsupported(f"it has no {name}")
        if isinstance(value, Missing):
            kind = InactiveError if value.inactive else Unsupported
            raise kind(f"it needs {value.node} for its {name}")
        return value

    def take_as(self, name: str, kind: type[Kind]) -> Kind:
        """
        Return the value of an input that has to be of a kind.

        Raises Unsupported where it is of another.
        """
        value = known(self.take(name))
        if not isinstance(value, kind):
            raise Unsupported(f"its {name} is {type(value).__name__}, not {kind.__name__}")
        return value

    def file_name(self, name: str) -> str:
        """
        Return the name of a file, with the folders inside of ComfyUI's own.

        Of a name that leads elsewhere only its last part is kept, and that is noted.
        """
        path = self.take_as(name, str)
        for folder in ("input", "output", "temp"):
            path = path.removesuffix(f" [{folder}]")
        path = path.strip().replace("\\", "/")
        parts = PurePosixPath(path).parts
        if not parts or (parts[0] != "/" and not _DRIVE.match(path) and ".." not in parts):
            return path
        message = f"{name} {path!r} is outside of ComfyUI's folders: {parts[-1]!r} alone is kept."
        self.note(message, level="warning")
        return "" if parts[-1] in ("/", "..") else parts[-1]

    def number(self, name: str, default: object = REQUIRED) -> float:
        """
        Return a number that stands in the file.

        Raises Unsupported where it comes over a link, because it is calculated with.
        """
        value = known(self.take(name, default))
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise Unsupported(
                f"its {name} is {'linked' if isinstance(value, Handle) else repr(value)}, not a"
                " number in the file"
            )
        return value

    def first(self, pixels: Pixels) -> Handle:
        """Return the one image that a node of ours takes; note that there are more."""
        if pixels.batch is not None:
            self.note("works on the first image of the batch only.", level="warning")
        return pixels.handle

    def whole(self, name: str, default: object = REQUIRED) -> int:
        """Return the same, without what follows the point."""
        return int(self.number(name, default))

    def skip(self, *names: str) -> None:
        """Count inputs as read that make no difference here."""
        for name in names:
            self._read.add(name)
            if name in self._inputs and self._inputs[name] == self.node.inputs.get(name):
                self.source.without_effect[name] = self._inputs[name]

    def usual(self, name: str, *values: object) -> None:
        """
        Count an input as read where it has one of the values that make no difference.
        """
        if self._inputs.get(name, values[0]) in values:
            self.skip(name)

    def is_known(self, name: str) -> bool:
        """Return whether an input is there, and no node of it is left out; count it as read."""
        self._read.add(name)
        return name in self._inputs and not isinstance(self._inputs[name], Missing)

    def is_linked(self, name: str) -> bool:
        return isinstance(self.node.inputs.get(name), Link)

    def growing(self, prefix: str) -> list[str]:
        """Return the inputs of a list that grows, such as `images.image0`, `images.image1`."""
        return [name for name in self._inputs if name.startswith(prefix) and self.has(name)]

    def has(self, name: str) -> bool:
        """Return whether an input is there, and not of a node that does not run."""
        value = self._inputs.get(name, REQUIRED)
        return not (value is REQUIRED or (isinstance(value, Missing) and value.inactive))

    def add(
        self,
        node_type: str,
        properties: Mapping[str, object],
        part: str = "",
        optional: bool = False,
    ) -> str:
        """
        Write a node of ours.

        Its id is the node's own, with `_part` behind it for all but the main one.
        """
        node_id = f"{self.node.id}_{part}" if part else self.node.id
        ui: dict[str, object] = {"title": self.node.title} if self.node.title else {}
        if self.node.position:
            ui["position"] = dict(zip("xy", self.node.position, strict=True))
        if not part:
            ui |= self.node.look
        properties = {
            name: self._input(node_type, name, value) for name, value in properties.items()
        }
        self.draft.add(node_id, node_type, properties, where=self.node.label, ui=ui)
        self.source.nodes.append(node_id)
        self.draft.put_into(self.node.group, node_id)
        if optional:
            self.draft.optional.add(node_id)
        return node_id

    def _input(self, node_type: str, name: str, value: object) -> object:
        """Return a value, or the input of the workflow that gives it."""
        kind = self.draft.annotation(node_type, name)
        if kind is str and isinstance(value, Handle) and self.draft.gives(value) in (int, float):
            text = self.draft.add(
                f"{self.node.id}_{name}_text", TO_TEXT, {"value": value}, where=self.node.label
            )
            return Handle(text)
        wanted = value.input if isinstance(value, Exposed) else placeholder(value)
        if not wanted or kind not in INPUT_TYPES or node_type in INPUT_TYPES.values():
            return value
        node_id = f"input_{wanted}"
        if node_id not in self.draft.nodes:
            given = {"value": plain(value)} if isinstance(value, Exposed) else {}
            properties = {"name": self.name(wanted), **given}
            self.draft.add(node_id, INPUT_TYPES[kind], properties, where=self.node.label)
            self.note(f"{name} is the input {properties['name']!r} of the workflow.")
        return Handle(node_id)

    def name(self, wanted: str) -> str:
        """Return a name for an input or an output that no other has."""
        taken, number, name = self.draft.taken_names(), 2, wanted
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def note(
        self, message: str, hint: str = "", *, code: str = "imported_otherwise", level: str = "note"
    ) -> None:
        """Note what was imported otherwise than it stands in the file."""
        self.draft.note(code, self.node.label, message, hint, level)

    def lost(self, message: str, hint: str = "") -> None:
        """Note a value that has no counterpart."""
        self.note(message, hint, code="left_out_property", level="warning")

    def unread(self) -> list[tuple[str, Any]]:
        """Return the inputs that no rule looked at, and their values."""
        rest = [
            name
            for name, value in self._inputs.items()
            if name not in self._read
            and name not in _SAYS_NOTHING
            and not (isinstance(value, Missing) and value.inactive)
        ]
        return [(name, _shown(self._inputs[name])) for name in rest]


def known(value: object) -> Any:
    """Return the value of an output that is known, and all else as it is."""
    return value.value if isinstance(value, Known) else value


def _shown(value: object) -> object:
    return (
        value
        if isinstance(value, (str, int, float, bool, type(None), list, dict))
        else f"a {type(value).__name__}"
    )
