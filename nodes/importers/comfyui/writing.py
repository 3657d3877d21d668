"""What a rule of the exporter sees of the node that it is about, and writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from nodes.importers.comfyui.class_table import CLASSES
from nodes.importers.comfyui.classes import FileOf
from nodetool_core.errors import Problem
from nodetool_core.importing.draft import Unsupported
from nodetool_core.importing.graphs import Json, JsonObject

if TYPE_CHECKING:
    from nodetool_core.workflow import NodeRecord


@dataclass(frozen=True)
class Output:
    """An output of a node of ComfyUI, as inputs of others name it."""

    node: str
    index: int = 0
    kind: str = "IMAGE"
    """Its type there."""
    value: Json = None
    """What it always gives."""
    is_constant: bool = False
    """Whether that stands in the file."""

    @property
    def link(self) -> list[Json]:
        return [self.node, self.index]


@dataclass(frozen=True)
class Loaded:
    """A diffusion model, with what reads texts and images for it."""

    name: str
    """As the file names it; a family is known by it."""
    model: Output
    clip: Output
    vae: Output


@dataclass(frozen=True)
class Control:
    """A ControlNet, the image that it follows, how closely, and in which share of the steps."""

    network: Json
    image: Json
    scale: Json = 1.0
    start: Json = 0.0
    end: Json = 1.0


@dataclass(frozen=True)
class Controls:
    """Several ControlNets that lead one sampler."""

    units: tuple[Control, ...]


@dataclass(frozen=True)
class FurtherPrompt:
    """A prompt beside that of a sampler, and where it counts."""

    text: Output | str
    edges: tuple[float, float, float, float]
    """Left, top, right and bottom, as shares of the image."""
    mask: Json = None
    strength: Json = 1.0
    start: Json = 0.0
    end: Json = 1.0


@dataclass(frozen=True)
class Prompts:
    """Several prompts beside that of one sampler."""

    units: tuple[FurtherPrompt, ...]


Given: TypeAlias = Output | Loaded | Controls | Prompts
"""What an edge of ours leads to there."""


@dataclass
class Export:
    """The file that is being written."""

    taken: set[str]
    """Ids of nodes of ours, which those that are added don't get."""
    nodes: dict[str, JsonObject] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    made: dict[object, str] = field(default_factory=dict)
    """Nodes that several others share, by what they stand for."""


class Writing:
    """The properties of one node; remembers which were read, so that none is forgotten."""

    def __init__(
        self,
        node: NodeRecord,
        values: Mapping[str, Json],
        inputs: Mapping[str, Given | str],
        export: Export,
    ) -> None:
        self.node = node
        self.label = f"{node.type} ({node.id})"
        self.export = export
        self._values = values
        """Values of all properties, with defaults."""
        self._inputs = inputs
        """What edges lead to; the text names a node that is left out."""
        self._read: set[str] = set()

    def take(self, name: str) -> Json | Given:
        """
        Return the value of a property: an `Output` or a `Loaded` where an edge leads to it.

        Raises Unsupported where the edge comes from a node that is left out.
        """
        self._read.add(name)
        if name not in self._inputs:
            return self._values.get(name)
        found = self._inputs[name]
        if isinstance(found, str):
            raise Unsupported(f"it needs {found} for its {name}")
        return found

    def known(self, name: str) -> Json:
        """
        Return a value that stands in the file, also behind an edge from a constant.

        Raises Unsupported where it comes with the run.
        """
        value = self.take(name)
        if not isinstance(value, (Output, Loaded, Controls, Prompts)):
            return value
        if not isinstance(value, Output) or not value.is_constant:
            raise Unsupported(f"its {name} comes over an edge, and has to stand in the file")
        return value.value

    def number(self, name: str) -> float:
        """Return a number that stands in the file, as `known`."""
        value = self.known(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Unsupported(f"its {name} is {value!r}, not a number")
        return value

    def whole(self, name: str) -> int:
        """Return the same, without what follows the point."""
        return int(self.number(name))

    def stated(self, name: str) -> Json:
        """Return a value that stands in the file, as `known`; None where it comes with the run."""
        value = self.take(name)
        if isinstance(value, Output):
            return value.value if value.is_constant else None
        return None if isinstance(value, (Loaded, Controls, Prompts)) else value

    def value(self, name: str) -> Json:
        """Return a value as an input of ComfyUI has it: itself, or a link."""
        found = self.take(name)
        if isinstance(found, (Loaded, Controls, Prompts)):
            raise Unsupported(f"its {name} comes over an edge that ComfyUI has no type for")
        return found.link if isinstance(found, Output) else found

    def image(self, name: str) -> list[Json]:
        """Return a link to an image; a mask is made one. Raises Unsupported without one."""
        return self._pixels(name, "IMAGE")

    def mask(self, name: str) -> list[Json]:
        """Return a link to a mask, as which the red channel of an image serves."""
        return self._pixels(name, "MASK")

    def has(self, name: str) -> bool:
        """Return whether an edge leads to a property; count it as read."""
        self._read.add(name)
        return name in self._inputs

    def _pixels(self, name: str, kind: str) -> list[Json]:
        found = self.take(name)
        if not isinstance(found, Output) or found.kind not in ("IMAGE", "MASK"):
            raise Unsupported(f"its {name} does not come over an edge from an image")
        if found.kind == kind:
            return found.link
        key = (found.node, found.index, kind)
        if key not in self.export.made and kind == "IMAGE":
            made = self.add("MaskToImage", {"mask": found.link}, f"{name}_image")
            self.export.made[key] = made
        elif key not in self.export.made:
            inputs: JsonObject = {"image": found.link, "channel": "red"}
            self.export.made[key] = self.add("ImageToMask", inputs, f"{name}_mask")
            self.note(f"{name} is an image: its red channel is the mask there.")
        return [self.export.made[key], 0]

    def add(self, class_type: str, inputs: Mapping[str, Json], part: str = "") -> str:
        """
        Write a node of ComfyUI; return its id, which is the node's own for all without a part.

        A number out of the bounds of the class is brought within them and noted.
        """
        node_id = f"{self.node.id}_{part}" if part else self.node.id
        while part and (node_id in self.export.taken or node_id in self.export.nodes):
            node_id += "_"
        fitting = {name: self._fitting(class_type, name, value) for name, value in inputs.items()}
        self.export.nodes[node_id] = {"class_type": class_type, "inputs": fitting}
        if not part and (title := self.node.ui_properties.get("title")):
            self.export.nodes[node_id]["_meta"] = {"title": str(title)}
        return node_id

    def _fitting(self, class_type: str, name: str, value: Json) -> Json:
        described = {**CLASSES[class_type].required, **CLASSES[class_type].optional}[name]
        options = described[-1] if not isinstance(described, FileOf) else None
        if not isinstance(options, dict) or isinstance(value, bool):
            return value
        if not isinstance(value, (int, float)) or "min" not in options:
            return value
        kept = min(max(value, options["min"]), options["max"])
        if kept != value:
            self.lost(f"{name} becomes {kept}: {value} is out of the bounds of {class_type}.")
        return type(value)(kept)

    def given(self, name: str) -> object:
        """Return what a property is given: its value, or a word for what an edge leads to."""
        return self._values.get(name) if name not in self._inputs else "what is connected to it"

    def skip(self, *names: str) -> None:
        """Count properties as read that make no difference there."""
        self._read.update(names)

    def note(self, message: str, *, code: str = "exported_otherwise", level: str = "note") -> None:
        """Note what was exported otherwise than it stands in the workflow."""
        self.export.notes.append(Problem(code, self.label, message, "", level))  # type: ignore[arg-type]

    def lost(self, message: str) -> None:
        """Note a value that has no counterpart."""
        self.note(message, code="left_out_property", level="warning")

    def unread(self, defaults: Mapping[str, Json]) -> list[str]:
        """Return properties that no rule looked at, and that say more than their defaults."""
        stated = [name for name in self._values if self._values[name] != defaults.get(name)]
        return [name for name in dict.fromkeys([*stated, *self._inputs]) if name not in self._read]


def shown(value: object) -> str:
    """Return a value for a message, cut where it is long."""
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= 80 else f"{text[:77]}…"
