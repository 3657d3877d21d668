"""
Whether a graph says what its classes take, as ComfyUI's server checks it before anything runs.

Every node has to have a class that is known. Besides, what an output needs is looked at: inputs
that are missing, links that lead nowhere or give another type, values of another type, out of their
bounds, or not among the choices. Texts that are numbers count as numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nodetool_core.errors import near_miss
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.comfyui.classes import ANY, ClassInfo, InputInfo
from nodetool_core.server.comfyui.errors import NodeErrors, PromptRefused, error_object

_LONGEST_LIST: Final = 20
"""Choices that are named in an error."""

_SHOWN: Final = 200
"""Characters of a value that are."""


@dataclass(frozen=True)
class PromptNode:
    """One node."""

    class_type: str
    inputs: dict[str, Json]
    meta: Json = None

    def to_json(self) -> JsonObject:
        """Return the node as it stands in a graph."""
        found: JsonObject = {"inputs": self.inputs, "class_type": self.class_type}
        return found if self.meta is None else found | {"_meta": self.meta}

    def links(self) -> dict[str, tuple[str, int]]:
        """Return where inputs come from, of those that are links."""
        found = {name: link_of(value) for name, value in self.inputs.items()}
        return {name: link for name, link in found.items() if link is not None}


@dataclass
class PromptGraph:
    """A graph as a client sent it; `check` converts its values."""

    nodes: Mapping[str, PromptNode]
    classes: Mapping[str, ClassInfo]
    outputs: Sequence[str] = field(init=False)
    """The nodes that give something to whoever asks."""

    def __post_init__(self) -> None:
        self._check_classes()
        self.outputs = [node for node in self.nodes if self.info(node).is_output]
        if not self.outputs:
            error = error_object("prompt_no_outputs", "Prompt has no outputs")
            raise PromptRefused(error, {})

    @classmethod
    def of(cls, content: JsonObject, classes: Mapping[str, ClassInfo]) -> PromptGraph:
        """
        Return a graph.

        Raises PromptRefused for what is none, for classes that are not known, and where there is no
        output.
        """
        return cls({node: _node(node, value) for node, value in content.items()}, classes)

    def info(self, node: str) -> ClassInfo:
        """Return what the class of a node takes and gives."""
        return self.classes[self.nodes[node].class_type]

    def needed_by(self, *nodes: str) -> set[str]:
        """Return some nodes, and those that they depend on."""
        found: set[str] = set()
        pending = list(nodes)
        while pending:
            node = pending.pop()
            if node in self.nodes and node not in found:
                found.add(node)
                pending += [source for source, _ in self.nodes[node].links().values()]
        return found

    def part(self, outputs: Sequence[str]) -> JsonObject:
        """Return what some outputs need, as a graph."""
        needed = self.needed_by(*outputs)
        return {node: value.to_json() for node, value in self.nodes.items() if node in needed}

    def check(self) -> NodeErrors:
        """Return what is wrong with what the outputs need, by node."""
        found: NodeErrors = {}
        for node in self.nodes:
            if node in self.needed_by(*self.outputs) and (errors := list(self._errors(node))):
                found[node] = self.entry(node, errors)
        return found

    def entry(self, node: str, errors: Sequence[JsonObject]) -> JsonObject:
        """Return the entry of a node in `node_errors`."""
        dependent = [output for output in self.outputs if node in self.needed_by(output)]
        return {
            "errors": list(errors),
            "dependent_outputs": dependent,
            "class_type": self.nodes[node].class_type,
        }

    def good_outputs(self, wrong: NodeErrors) -> list[str]:
        """
        Return the outputs that need no node that is wrong.

        Raises PromptRefused where there is none.
        """
        good = [one for one in self.outputs if not wrong.keys() & self.needed_by(one)]
        if not good:
            raise PromptRefused(all_failed(wrong), wrong)
        return good

    def _check_classes(self) -> None:
        unknown: NodeErrors = {}
        errors = []
        for node, value in self.nodes.items():
            name = value.class_type
            if name not in self.classes:
                message = f"Node '{name[:_SHOWN]}' has no counterpart here."
                extra: JsonObject = {"node_id": node, "class_type": name}
                details = f"Node ID '#{node}'. {near_miss(name, self.classes)}".strip()
                errors.append(error_object("missing_node_type", message, details, extra))
                unknown[node] = {
                    "errors": errors[-1:],
                    "dependent_outputs": [],
                    "class_type": name,
                }
        if unknown:
            raise PromptRefused(errors[0], unknown)

    def _errors(self, node: str) -> Iterator[JsonObject]:
        info, inputs = self.info(node), self.nodes[node].inputs
        for name, wanted in info.required.items():
            if name not in inputs and "default" not in wanted.options:
                extra: JsonObject = {"input_name": name}
                message = "Required input is missing"
                yield error_object("required_input_missing", message, name, extra)
        for name, wanted in info.inputs.items():
            if name in inputs:
                yield from self._of_input(inputs, name, wanted)

    def _of_input(
        self, inputs: dict[str, Json], name: str, wanted: InputInfo
    ) -> Iterator[JsonObject]:
        value = inputs[name]
        extra: JsonObject = {"input_name": name, "input_config": _config(wanted)}
        if isinstance(value, list):
            yield from self._of_link(name, value, wanted, extra)
            return
        extra["received_value"] = value
        convert = _CONVERT.get(wanted.kind)
        if convert is not None:
            try:
                value = inputs[name] = convert(value)
            except (TypeError, ValueError, OverflowError) as error:
                message = f"Failed to convert an input value to a {wanted.kind} value"
                details = f"{name}, {str(value)[:_SHOWN]}, {error}"
                yield error_object("invalid_input_type", message, details, extra)
                return
        yield from _of_value(name, value, wanted, extra)

    def _of_link(
        self, name: str, value: Json, wanted: InputInfo, extra: JsonObject
    ) -> Iterator[JsonObject]:
        link = link_of(value)
        if link is None or link[0] not in self.nodes:
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            yield error_object("bad_linked_input", message, name, extra | {"received_value": value})
            return
        gives = self.info(link[0]).gives
        given = gives[link[1]] if 0 <= link[1] < len(gives) else ""
        kind = wanted.kind or "COMBO"
        fits = list(gives) == [ANY] or ANY in (given, kind) or given == kind
        if not fits and (given, kind) not in (("STRING", "COMBO"), ("INT", "FLOAT")):
            message = "Return type mismatch between linked nodes"
            more: JsonObject = {"received_type": given, "linked_node": value}
            details = f"{name}, received_type({given}) mismatch input_type({kind})"
            yield error_object("return_type_mismatch", message, details, extra | more)


def link_of(value: Json) -> tuple[str, int] | None:
    """Return the node and the number of its output that a value names; None for other values."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    node, number = value
    is_id = isinstance(node, (str, int)) and not isinstance(node, bool)
    if not is_id or not isinstance(number, int) or isinstance(number, bool):
        return None
    return str(node), number


def all_failed(wrong: NodeErrors) -> JsonObject:
    """Return why a graph is not run of which no output is left."""
    lines = [
        f"{error['message']}: {error['details']}"
        for entry in wrong.values()
        if isinstance(errors := entry["errors"], list)
        for error in errors
        if isinstance(error, dict)
    ]
    message = "Prompt outputs failed validation"
    return error_object("prompt_outputs_failed_validation", message, "\n".join(lines))


def _node(node: str, value: Json) -> PromptNode:
    place = f"Node ID '#{node[:_SHOWN]}'"
    inputs = value.get("inputs", {}) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(inputs, dict):
        message = "Cannot execute because a node is no object with inputs."
        raise PromptRefused(error_object("invalid_prompt", message, place), {})
    name = value.get("class_type")
    if not isinstance(name, str):
        message = "Cannot execute because a node is missing the class_type property."
        raise PromptRefused(error_object("invalid_prompt", message, place), {})
    return PromptNode(name, dict(inputs), value.get("_meta"))


def _number(value: Json) -> int | float | str:
    if not isinstance(value, (int, float, str)):
        raise TypeError(f"it is {type(value).__name__}")
    return value


def _finite(value: Json) -> float:
    number = float(_number(value))
    if not math.isfinite(number):
        raise ValueError("it is not finite")
    return number


def _yes_or_no(value: Json) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError("it is neither true nor false")
    return words[str(value).lower()]


_CONVERT: Final[Mapping[str, Callable[[Json], Json]]] = {
    "INT": lambda value: int(_number(value)),
    "FLOAT": _finite,
    "STRING": lambda value: value if isinstance(value, str) else str(_number(value)),
    "BOOLEAN": _yes_or_no,
}


def _of_value(name: str, value: Json, wanted: InputInfo, extra: JsonObject) -> Iterator[JsonObject]:
    if wanted.is_checked:
        if value not in wanted.choices:
            many = len(wanted.choices)
            shown = list(wanted.choices) if many <= _LONGEST_LIST else f"(list of length {many})"
            details = f"{name}: '{str(value)[:_SHOWN]}' not in {shown}"
            yield error_object("value_not_in_list", "Value not in list", details, extra)
        return
    low, high = wanted.options.get("min"), wanted.options.get("max")
    if not isinstance(value, (int, float)):
        return
    if isinstance(low, (int, float)) and value < low:
        message = f"Value {value} smaller than min of {low}"
        yield error_object("value_smaller_than_min", message, name, extra)
    elif isinstance(high, (int, float)) and value > high:
        message = f"Value {value} bigger than max of {high}"
        yield error_object("value_bigger_than_max", message, name, extra)


def _config(wanted: InputInfo) -> Json:
    return None if len(wanted.choices) > _LONGEST_LIST else wanted.config
