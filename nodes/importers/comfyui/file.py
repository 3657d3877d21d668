"""
ComfyUI's files, read into plain nodes.

Three forms are read: the API format (`{"3": {"class_type": …, "inputs": {…}}}`, also inside
`{"prompt": …}`), the format that its editor saves (`{"nodes": […], "links": […]}`, version 0.4),
and a PNG that ComfyUI wrote, which holds the first. In the editor's format the values of a node's
form (`widgets_values`) have no names; `WIDGETS` says their order.

The forms are described at docs.comfy.org, under Workflow JSON and API format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.importing import NotRecognizedError

MAX_BYTES: Final = 64 * 1024 * 1024
_WANTED: Final = (
    "Save it in ComfyUI with `Save` or `Export (API)`, or give a PNG that ComfyUI wrote."
)
_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
"""How PNG, JPEG and WEBP begin."""

_MODES: Final = {2: "muted", 4: "bypassed"}
"""Modes of a node in the editor, besides the usual one."""

NOTES: Final = frozenset({"Note", "MarkdownNote"})
"""Texts for the reader, in the editor's format."""

_SAMPLER = ("sampler_name", "scheduler")
WIDGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "CFGGuider": ("cfg",),
    "CLIPLoader": ("clip_name", "type", "device"),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "Canny": ("low_threshold", "high_threshold"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "ControlNetApply": ("strength",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
    "ControlNetLoader": ("control_net_name",),
    "DualCLIPLoader": ("clip_name1", "clip_name2", "type", "device"),
    "DiffusersLoader": ("model_path",),
    "EmptyImage": ("width", "height", "batch_size", "color"),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "FluxGuidance": ("guidance",),
    "GrowMask": ("expand", "tapered_corners"),
    "ImageBlend": ("blend_factor", "blend_mode"),
    "ImageBlur": ("blur_radius", "sigma"),
    "ImageCompositeMasked": ("x", "y", "resize_source"),
    "ImageCrop": ("width", "height", "x", "y"),
    "ImagePadForOutpaint": ("left", "top", "right", "bottom", "feathering"),
    "ImageScale": ("upscale_method", "width", "height", "crop"),
    "ImageScaleBy": ("upscale_method", "scale_by"),
    "ImageToMask": ("channel",),
    "KSampler": ("seed", "control_after_generate", "steps", "cfg", *_SAMPLER, "denoise"),
    "KSamplerAdvanced": (
        *("add_noise", "noise_seed", "control_after_generate", "steps", "cfg", *_SAMPLER),
        *("start_at_step", "end_at_step", "return_with_leftover_noise"),
    ),
    "InpaintModelConditioning": ("noise_mask",),
    "KSamplerSelect": ("sampler_name",),
    "LatentUpscale": ("upscale_method", "width", "height", "crop"),
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "LoadImage": ("image", "upload"),
    "LoadImageMask": ("image", "channel", "upload"),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "PrimitiveBoolean": ("value",),
    "PrimitiveFloat": ("value",),
    "PrimitiveInt": ("value", "control_after_generate"),
    "PrimitiveString": ("value",),
    "PrimitiveStringMultiline": ("value",),
    "RandomNoise": ("noise_seed", "control_after_generate"),
    "RepeatLatentBatch": ("amount",),
    "SaveImage": ("filename_prefix",),
    "SolidMask": ("value", "width", "height"),
    "ThresholdMask": ("value",),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "UpscaleModelLoader": ("model_name",),
    "VAEEncodeForInpaint": ("grow_mask_by",),
    "VAELoader": ("vae_name",),
}
"""The values of each class's form, in their order."""


@dataclass(frozen=True)
class Link:
    """An output of another node, where an input comes from."""

    node: str
    output: int


@dataclass
class ComfyNode:
    """One node of a ComfyUI workflow."""

    id: str
    class_type: str
    inputs: dict[str, Any] = field(default_factory=dict)
    """Values and links, by input."""
    title: str = ""
    position: tuple[float, float] | None = None
    mode: str = ""
    """
    `muted`: it does not run. `bypassed`: each output, by its number, is the input of that name.
    """

    @property
    def label(self) -> str:
        """How a message names it."""
        return f"{self.class_type} ({self.id})"

    def links(self) -> list[Link]:
        return [value for value in self.inputs.values() if isinstance(value, Link)]


def load(path: Path) -> list[ComfyNode]:
    """
    Return the nodes of a file, each after those that it depends on.

    Raises WorkflowError for a file that is none of ComfyUI's.
    """
    where = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refused(where, "is larger than 64 MiB, which no workflow is.")
        data = path.read_bytes()
        content = json.loads(
            _text_in_image(path) if data.startswith(_IMAGES) else data.decode("utf-8-sig")
        )
    except FileNotFoundError:
        raise WorkflowError(
            Problem("missing_file", where, "There is no such file.", "Check the path.")
        ) from None
    except OSError as error:
        raise WorkflowError(
            Problem("unreadable_file", where, f"can't be read: {error.strerror or error}.", _WANTED)
        ) from None
    except UnicodeDecodeError:
        raise _refused(
            where, "is neither a text in UTF-8 nor a PNG, JPEG or WEBP, so it holds no workflow."
        ) from None
    except (ValueError, RecursionError) as error:
        raise _refused(where, f"is no JSON: {error}.") from None
    return read(content, where)


def read(content: object, where: str = "workflow") -> list[ComfyNode]:
    """Return the nodes of a parsed JSON value, in the order of `load`. Raises WorkflowError."""
    if isinstance(content, Mapping) and isinstance(content.get("prompt"), Mapping):
        content = content["prompt"]
    if not isinstance(content, Mapping):
        raise _refused(where, f"holds {type(content).__name__}, not a workflow.")
    if "graph" in content:
        raise _refused(
            where,
            "is a workflow of the form that `nodetool run` reads; there is nothing to import.",
            f"Run it: nodetool run {where}",
        )
    if isinstance(content.get("nodes"), list):
        nodes = _from_editor(content, where)
    elif content and all(
        isinstance(node, Mapping) and "class_type" in node for node in content.values()
    ):
        nodes = [_from_api(str(node_id), node, where) for node_id, node in content.items()]
    else:
        raise _refused(where, "is no workflow of ComfyUI.")
    return _in_order(nodes, where)


def _from_api(node_id: str, node: Mapping[str, object], where: str) -> ComfyNode:
    inputs, meta = node.get("inputs", {}), node.get("_meta", {})
    if not isinstance(node["class_type"], str) or not isinstance(inputs, Mapping):
        raise _refused(
            f"{where}: node {node_id}",
            "needs a `class_type` that is a text and `inputs` that are an object.",
        )
    title = str(meta.get("title", "")) if isinstance(meta, Mapping) else ""
    return ComfyNode(
        node_id,
        node["class_type"],
        {str(name): _value(value) for name, value in inputs.items()},
        title,
    )


def _value(value: Any) -> object:
    """Return a value, or the link that a pair of node and output number stands for."""
    is_link = (
        isinstance(value, list)
        and len(value) == 2
        and type(value[0]) in (str, int)
        and type(value[1]) is int
    )
    return Link(str(value[0]), value[1]) if is_link else value


def _from_editor(content: Mapping[str, Any], where: str) -> list[ComfyNode]:
    try:
        links = {
            link[0]: Link(str(link[1]), int(link[2]))
            for link in map(_as_list, content.get("links", []))
        }
        return [_editor_node(node, links) for node in content["nodes"]]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise _refused(where, f"is damaged: {type(error).__name__}: {error}.") from None


def _as_list(link: Any) -> list[Any]:
    """Return a link as `[id, source, output, …]`; newer files write objects."""
    return (
        [link[name] for name in ("id", "origin_id", "origin_slot")]
        if isinstance(link, Mapping)
        else list(link)
    )


def _editor_node(node: Mapping[str, Any], links: Mapping[Any, Link]) -> ComfyNode:
    class_type = str(node["type"])
    inputs: dict[str, Any] = {}
    values = node.get("widgets_values") or []
    if isinstance(values, Mapping):
        inputs.update(values)
    else:
        inputs.update(zip(WIDGETS.get(class_type, ()), values, strict=False))
    if class_type in NOTES:
        inputs = {"text": str(values[0]) if values else ""}
    slots = node.get("inputs") or []
    inputs.update(
        {slot["name"]: links[slot["link"]] for slot in slots if slot.get("link") in links}
    )
    mode = _MODES.get(node.get("mode", 0), "")
    if mode == "bypassed":
        inputs = _passed_on(node, links)
    position = node.get("pos")
    if isinstance(position, Mapping):
        position = [position["0"], position["1"]]
    placed = (float(position[0]), float(position[1])) if position else None
    return ComfyNode(
        str(node["id"]), class_type, inputs, str(node.get("title") or ""), placed, mode
    )


def _passed_on(node: Mapping[str, Any], links: Mapping[Any, Link]) -> dict[str, object]:
    """Return the first connected input of the same type for each output, by its number."""
    found: dict[str, Any] = {}
    for number, output in enumerate(node.get("outputs") or []):
        same = [
            slot
            for slot in node.get("inputs") or []
            if slot.get("type") == output.get("type") and slot.get("link") in links
        ]
        if same:
            found[str(number)] = links[same[0]["link"]]
    return found


def _in_order(nodes: list[ComfyNode], where: str) -> list[ComfyNode]:
    """Return the nodes so that each comes after those that it depends on."""
    by_id = {node.id: node for node in nodes}
    sorter = TopologicalSorter(
        {node.id: [link.node for link in node.links() if link.node in by_id] for node in nodes}
    )
    try:
        return [by_id[node_id] for node_id in sorter.static_order()]
    except CycleError as error:
        path = " → ".join(by_id[node_id].label for node_id in error.args[1][:12])
        raise _refused(where, f"runs in a circle: {path}.") from None


_IN_EXIF: Final = "prompt:"
"""Begins the text of EXIF that holds the workflow, in files that have no texts of their own."""


def _text_in_image(path: Path) -> str:
    """Return the workflow that ComfyUI writes into its PNG files, and into the EXIF of others."""
    from nodetool_core.assets.decode import identify

    with path.open("rb") as file:
        image = identify(file, str(path))
        text = image.info.get("prompt")
        for value in () if isinstance(text, str) else image.getexif().values():
            if isinstance(value, str) and value.lower().startswith(_IN_EXIF):
                text = value[len(_IN_EXIF) :]
    if not isinstance(text, str):
        raise _refused(str(path), "is an image that holds no workflow of ComfyUI.")
    return text


def _refused(where: str, message: str, hint: str = _WANTED) -> NotRecognizedError:
    return NotRecognizedError(Problem("invalid_document", where, message, hint))
