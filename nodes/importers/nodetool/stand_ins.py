"""
What stands in for nodes of NodeTool that have no counterpart.

A text that a language model or a recognition of speech would write is an input of the workflow,
which somebody fills in; an image that a hosted model would make is made by one of ours. The nodes
as they were are kept beside the graph, in the file's field `left_out`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from nodetool_core.importing.rewriting import Rewriting

if TYPE_CHECKING:
    from nodetool_core.workflow import NodeRecord

_INPUT: Final = "nodetool.input."
_WITHOUT_EFFECT: Final[Mapping[str, tuple[object, ...]]] = {
    "safety_check": (True, False),
    "timeout_seconds": (0, 60, 120),
    "scheduler": ("",),
    "target_width": (0, None),
    "target_height": (0, None),
}
"""What only means something to a hosted service, or says that nothing is asked for."""
_FONT: Final = frozenset({"source", "url", "weight"})
"""Where a font is from, which is found by its name here."""


def rewrite(graph: Rewriting) -> None:
    """Put other nodes into the places of those without a counterpart."""
    for node in graph.nodes:
        for begin, rule in _RULES.items():
            if node.type.startswith(begin):
                rule(graph, node)
                break
    graph.leave_out_unneeded(_UNNEEDED)


def _called(node: NodeRecord) -> str:
    """Return a name for an input after the class of a node."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.type.rpartition(".")[2]).lower()


def write_text(graph: Rewriting, node: NodeRecord) -> None:
    """Let the text that a model would write be an input."""
    name = graph.name(_called(node))
    graph.keep_inputs(node)
    graph.lead_from(node, {"text": "output", "output": "output"})
    message = f"writes a text with a model of another kind: the text is the input {name!r} here."
    hint = f"Run with --set {name}=TEXT."
    graph.become(node, f"{_INPUT}StringInput", {"name": name}, message, hint)


def write_list(graph: Rewriting, node: NodeRecord) -> None:
    """Let the texts that a model would write be an input, of which each is run."""
    name = graph.name(_called(node))
    graph.keep_inputs(node)
    graph.lead_from(node, {"item": "output", "index": "index"})
    message = f"writes texts with a model of another kind: they are the input {name!r} here."
    hint = f"Run with --set {name}=TEXTS, a list of JSON."
    graph.become(node, "nodetool.control.ForEach", {}, message, hint)
    graph.add(f"{node.id}_list", f"{_INPUT}StringListInput", {"name": name})
    graph.connect(f"{node.id}_list", "output", node.id, "input_list")


def make_image(graph: Rewriting, node: NodeRecord) -> None:
    """Make an image by a model of ours, where a hosted one makes it of a text alone."""
    if any(graph.edges_into(node, name) for name in ("image", "image_input", "images")):
        return
    prompt = node.data.get("prompt")
    data = {"prompt": prompt} if isinstance(prompt, str) else {}
    settings = ", ".join(f"{name} {value!r}" for name, value in node.data.items() if value)
    graph.keep_inputs(node, "prompt")
    message = f"is a hosted model ({settings}): here, TextToImage makes the image."
    graph.become(node, "huggingface.text_to_image.TextToImage", data, message)


def estimate_depth(graph: Rewriting, node: NodeRecord) -> None:
    node.type = "huggingface.preprocessing.EstimateDepth"


def find_objects(graph: Rewriting, node: NodeRecord) -> None:
    """Find what a text names; there, a network finds the kinds that it was trained on."""
    name = graph.name("objects")
    graph.keep_inputs(node, "image")
    names = {"threshold": "threshold", "top_k": "limit"}
    data = {ours: node.data[name] for name, ours in names.items() if name in node.data}
    message = f"finds kinds that its network knows; here, what the input {name!r} names."
    hint = f"Run with --set {name}=WORDS, such as 'cat, dog'."
    for edge in [e for e in graph.edges_from(node) if e.sourceHandle == "output"]:
        edge.sourceHandle = "boxes"
    graph.become(node, "huggingface.segmentation.FindObjects", data, message, hint)
    graph.add(f"{node.id}_text", f"{_INPUT}StringInput", {"name": name})
    graph.connect(f"{node.id}_text", "output", node.id, "text")


def draw_objects(graph: Rewriting, node: NodeRecord) -> None:
    for edge in graph.edges_into(node, "objects"):
        edge.targetHandle = "boxes"
        graph.connect(edge.source, "labels", node.id, "labels")
    node.type, node.data = "lib.pillow.draw.DrawBoxes", {}


def segment(graph: Rewriting, node: NodeRecord) -> None:
    """Segment an image; the segments as a list are their labels here."""
    model = node.data.get("model")
    ref = {"type": "hf.image_segmentation", "repo_id": model} if isinstance(model, str) else model
    for edge in [e for e in graph.edges_from(node) if e.sourceHandle == "output"]:
        edge.sourceHandle = "labels"
    message = "gives segments as masks with labels; here, an image of all, and the labels."
    data = {"model": ref} if isinstance(ref, dict) else {}
    graph.become(node, "huggingface.preprocessing.SegmentImage", data, message)


def draw_segments(graph: Rewriting, node: NodeRecord) -> None:
    """Give the image of the segments on."""
    for edge in graph.edges_into(node, "segments"):
        edge.sourceHandle, edge.targetHandle = "output", "input_value"
    graph.keep_inputs(node, "input_value")
    message = "draws segments over the image; here, they are drawn alone."
    graph.become(node, "nodetool.control.Reroute", {}, message)


def change_image(graph: Rewriting, node: NodeRecord) -> None:
    """Bring the image to the size that is asked for, before it is changed."""
    size = [node.data.pop(f"target_{side}", None) for side in ("width", "height")]
    drop_what_does_nothing(graph, node)
    given = graph.edges_into(node, "image")
    if not given or not all(isinstance(side, int) and side > 0 for side in size):
        return
    (edge,) = given
    data = {"width": size[0], "height": size[1], "fit": "crop"}
    made = f"{node.id}_size"
    graph.add(made, "nodetool.image.Resize", data)
    graph.connect(edge.source, edge.sourceHandle, made, "image")
    edge.source, edge.sourceHandle = made, "output"
    message = f"its target size {size[0]} x {size[1]} is that of the image before it is changed."
    graph.note(node, message, level="warning")


def drop_what_does_nothing(graph: Rewriting, node: NodeRecord) -> None:
    for name, values in _WITHOUT_EFFECT.items():
        if name in node.data and node.data[name] in values:
            del node.data[name]
            graph.note(node, f"{name} makes no difference here, and is left out.")


def name_font(graph: Rewriting, node: NodeRecord) -> None:
    font = node.data.get("font")
    if isinstance(font, dict) and not font.get("url"):
        node.data["font"] = {name: value for name, value in font.items() if name not in _FONT}


_RULES: Final[Mapping[str, Callable[[Rewriting, NodeRecord], None]]] = {
    "huggingface.depth_estimation.DepthEstimation": estimate_depth,
    "huggingface.image_segmentation.Segmentation": segment,
    "huggingface.image_segmentation.VisualizeSegmentation": draw_segments,
    "huggingface.object_detection.ObjectDetection": find_objects,
    "huggingface.object_detection.VisualizeObjectDetection": draw_objects,
    "kie.image.": make_image,
    "lib.pillow.draw.RenderText": name_font,
    "nodetool.agents.": write_text,
    "nodetool.generators.ListGenerator": write_list,
    "nodetool.image.ImageToImage": change_image,
    "nodetool.image.TextToImage": drop_what_does_nothing,
    "nodetool.text.AutomaticSpeechRecognition": write_text,
}
"""What is done with types that begin so."""

_UNNEEDED: Final = frozenset({"nodetool.input.AudioInput"})
"""Types without a counterpart that only led to texts."""
