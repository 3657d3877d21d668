"""
The text that web UIs write into an image, for one that a run made.

Which node made it: the first one above the output that takes a prompt and a number of steps. What
is connected to it counts where it stands in the graph, as the values of inputs do; what a run works
out is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from nodetool_core.graph import Graph, GraphNode
from nodetool_core.importing.infotext import infotext
from nodetool_core.importing.samplers import names_of
from nodetool_core.json_types import Json
from nodetool_core.node_base import Role
from nodetool_core.references import ModelRef

_NEEDED: Final = frozenset({"prompt", "num_inference_steps"})
_NUMBERS: Final[Mapping[str, str]] = {
    "num_inference_steps": "Steps",
    "guidance_scale": "CFG scale",
    "seed": "Seed",
    "strength": "Denoising strength",
    "mask_blur": "Mask blur",
    "shift": "Shift",
}
"""Properties, by the names that web UIs have for them."""
_WHEN_USED: Final = frozenset({"mask_blur", "shift"})
"""Numbers that mean nothing where they are 0."""
_SEEDS: Final = 2**64

ValuesOf = Callable[[str], tuple[Mapping[str, object], int]]
"""
Returns what a node, by id, ran with where this differs from the graph's values.

And which of several images of the node is meant, whose seeds follow one another.
"""


def generation_text(graph: Graph, values_of: ValuesOf, output: str, size: tuple[int, int]) -> str:
    """
    Return the text for an image; an empty one where no node of the graph generates it.

    Args:
        output: The name of the output.
        size: Its width and height, in pixels.
    """
    node = _generating(graph, output)
    if node is None:
        return ""
    found, number = _values_of(graph, values_of, node)
    parameters: dict[str, Json] = {}
    for name, called in _NUMBERS.items():
        value = found.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            continue
        if value or name not in _WHEN_USED:
            parameters[called] = value
    seed = parameters.get("Seed")
    if isinstance(seed, int):
        parameters["Seed"] = (seed + number) % _SEEDS if seed >= 0 else None
    sampler = names_of(str(found.get("scheduler", "")))
    parameters |= dict(zip(("Sampler", "Schedule type"), sampler or (), strict=False))
    schedule = str(found.get("noise_schedule", "default"))
    if schedule != "default":
        parameters["Schedule type"] = schedule.capitalize()
    parameters["Size"] = "{}x{}".format(*size)
    model = found.get("model")
    if isinstance(model, ModelRef) and not model.is_empty():
        parameters["Model"] = _file(model.label)
    prompt = " ".join([str(found.get("prompt", "")), *_loras(found.get("loras"))]).strip()
    return infotext(prompt, str(found.get("negative_prompt", "")), _in_order(parameters))


def _generating(graph: Graph, output: str) -> GraphNode | None:
    """Return the node that generates an output, the nearest first."""
    ends = [node for node in graph.nodes if node.role is Role.OUTPUT and node.name == output]
    waiting = deque(ends or [node for node in graph.nodes if node.id == output])
    seen: set[str] = set()
    while waiting:
        node = waiting.popleft()
        if node.spec.properties.keys() >= _NEEDED:
            return node
        for edge in node.inputs:
            source = graph.nodes[edge.source]
            if source.id not in seen:
                seen.add(source.id)
                waiting.append(source)
    return None


def _values_of(graph: Graph, values_of: ValuesOf, node: GraphNode) -> tuple[dict[str, object], int]:
    """Return the values of a node, with those that are connected as far as the graph has them."""
    own, number = values_of(node.id)
    found: dict[str, object] = {**node.values, **own}
    for edge in node.inputs:
        source = graph.nodes[edge.source]
        known = {**source.values, **values_of(source.id)[0]}
        if edge.property not in own:
            found.pop(edge.property, None)
        if "value" in known and not source.inputs and len(source.spec.outputs) == 1:
            found.setdefault(edge.property, known["value"])
    return found, number


def _loras(listed: object) -> list[str]:
    """Return LoRAs as a prompt names them."""
    return [
        f"<lora:{_file(one.label)}:{getattr(one, 'scale', 1.0):g}>"
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, ModelRef) and not one.is_empty()
    ]


def _file(label: str) -> str:
    """Return what web UIs call a model: the name of its file, without folders and its ending."""
    name = label.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name.removesuffix(".safetensors").removesuffix(".gguf")


def _in_order(parameters: Mapping[str, Json]) -> dict[str, Json]:
    """Return parameters in the order that web UIs write them."""
    first = ("Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model")
    ordered = {name: parameters[name] for name in first if name in parameters}
    return ordered | dict(parameters)
