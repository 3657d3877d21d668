"""
Sample values: what an example sets a property to.

An example writes what has to be given and leaves the rest at its default. What has to be given is a
required property, an empty image, an empty text or list, and the value of an input or a constant:
without them it would be an example of nothing. The sample fits the type and the bounds; for texts,
whose type is a broad one, the property's name chooses the words.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from nodetool_core.declaration import NodeSpec
from nodetool_core.properties import Property
from nodetool_core.references import AssetRef, ColorRef, FolderRef, ImageRef, ImageSizeRef, ModelRef
from nodetool_core.types import choices, strip, union_members

IMAGE: Any = object()
"""Stands for the image of the example's input node."""

NOTHING: Any = object()
"""The property keeps its default."""

SAMPLE_IMAGE = "graphs/assets/lake_at_noon.png"
"""The image that ships as the examples' input; the path starts at the root of the repository."""

MASKED_IMAGE = "graphs/assets/bottle.jpg"
SAMPLE_MASK = "graphs/assets/bottle_mask.png"
"""A mask of what `MASKED_IMAGE` shows, for nodes that need one: a photo would be none."""

OTHER_IMAGE = "graphs/assets/ridge_in_winter.png"
SAMPLE_WORKFLOW = "graphs/image_to_image.json"
SAMPLE_FOLDER = "graphs/assets"
SAMPLE_TEXTS = "graphs"
"""A folder with files of text."""

SAMPLE_WILDCARDS = "graphs/assets/wildcards"
"""A folder with lists of words."""

SAMPLE_TABLE = "graphs/assets/warm_evening.cube"
"""A look-up table of colours."""

SAMPLE_SEED = 7

_TEXTS = {
    "a": "A lake ",
    "b": "at sunset",
    "condition": "len(value) > 0",
    "criteria": "lake",
    "extension": ".png",
    "file_name": "image.png",
    "filename": "image.png",
    "folder": SAMPLE_FOLDER,
    "key": "season",
    "message": "There is nothing to work on.",
    "new": "sunset",
    "old": "noon",
    "path": SAMPLE_IMAGE,
    "prefix": "A ",
    "prompt": "A lake in winter",
    "regex": r"l\w+",
    "repo_id": "nodetool/tiny-landscapes",
    "separator": ", ",
    "string": "A {{ subject }} in {{ season }}",
    "substring": "lake",
    "suffix": ", noon",
    "template": "A {{ subject }} in {{ season }}",
    "text": "mountains, a lake, noon",
    "text_a": "A lake at noon",
    "text_b": "A lake at night",
    "url": SAMPLE_IMAGE,
    "value": "A lake at sunset",
}

NUMBERS = {"width": 1024, "height": 768}
"""Named numbers: what the sample expression uses."""

_OF_NUMBERS = {
    "a": 1024.0,
    "b": 1.5,
    "expression": "max(width, height) / 2",
    "text": "strength 50 %",
}
"""What nodes about numbers are given."""

PARTS = {"subject": "lake", "season": "winter"}
"""Named texts: what fills the sample template."""

WORDS = ["a lake", "at sunset"]

_INSTEAD = {
    "angle": 15.0,
    "bottom": 96,
    "box": [32, 32, 96, 96],
    "boxes": [[0, 0, 128, 128], [96, 0, 224, 128]],
    "corners": [[24, 16], [112, 4], [104, 92], [8, 72]],
    "condition": True,
    "day": 21,
    "gamma": 1.6,
    "height": 96,
    "left": 24,
    "month": 6,
    "right": 96,
    "monochrome": True,
    "points": [[0.0, 0.0], [0.3, 0.2], [0.7, 0.85], [1.0, 1.0]],
    "positions": [0.0, 1.0],
    "scale": 0.5,
    "temperature": 4000.0,
    "tile_height": 80,
    "tile_width": 80,
    "top": 16,
    "width": 96,
    "wrap": 120,
    "year": 2026,
}
"""
What is given instead of defaults that are made for larger images than the sample, or show nothing.
"""

_LEFT_OUT = frozenset({"durations", "free_u", "weights"})
"""Lists with an item for each of other things, or of a number by heart; empty they mean none."""

_SECOND = frozenset({"blue", "image2", "reference"})
"""Images beside the example's own."""

_BY_TAG: dict[str, dict[str, Any]] = {
    "blank": {"color": {"type": "color", "value": "#2f6f9f"}},
    "bounding box": {
        "boxes": [[16, 76, 116, 110], [54, 32, 114, 66]],
        "labels": ["lake", "ridge"],
        "line_width": 2.0,
        "size": 12,
    },
    "chroma key": {"color": {"type": "color", "value": "#6098e0"}},
    "magic wand": {"x": 64, "y": 10, "tolerance": 60},
    "split toning": {"shadow_saturation": 0.9, "highlight_saturation": 0.9},
    "union": {
        "a": {"type": "image", "uri": SAMPLE_MASK},
        "b": {"type": "image", "uri": "graphs/assets/sun_mask.png"},
        "covers": "part",
    },
    "watermark": {"size": 0.12},
}
"""What nodes of a kind are given, so that something of the sample image is found or seen."""

_COLOURS = ("#0b3d2e", "#2f6f9f", "#f4d58d", "#ffffff")

_VALUES: dict[Any, Any] = {bool: True, int: 3, float: 0.6}


def sample(prop: Property, spec: NodeSpec, any_value: object) -> Any:
    """
    Return a value for a property, IMAGE where the example's image should be connected, or NOTHING.

    Args:
        any_value: What a property takes that takes anything.
    """
    if prop.seed:
        return SAMPLE_SEED
    if "number" in spec.tags and prop.name in _OF_NUMBERS:
        return _OF_NUMBERS[prop.name]
    for tag in spec.tags:
        if prop.name in _BY_TAG.get(tag, {}):
            return _BY_TAG[tag][prop.name]
    if (
        prop.name in _INSTEAD
        and prop.accepts(_INSTEAD[prop.name])
        and not prop.misfit(_INSTEAD[prop.name])
    ):
        return _INSTEAD[prop.name]
    if prop.name == "mask" and needs_mask(spec):
        return {"type": "image", "uri": SAMPLE_MASK}
    if prop.name in _SECOND and prop.annotation is ImageRef:
        return {"type": "image", "uri": OTHER_IMAGE}
    if prop.name == "folder" and "wildcard" in spec.tags:
        return SAMPLE_WILDCARDS
    if prop.name in _LEFT_OUT or not _has_to_be_given(prop):
        return NOTHING
    if prop.annotation is Any:
        return any_value
    if prop.name == "value" and prop.annotation in _VALUES:
        return _VALUES[prop.annotation]
    if str in union_members(prop.annotation) and choices(prop.annotation) is None:
        return _text(prop, spec)
    return _of_type(
        next(member for member in union_members(prop.annotation) if member is not type(None)), prop
    )


def needs_mask(spec: NodeSpec) -> bool:
    """Return whether a node does nothing without a mask."""
    mask = spec.properties.get("mask")
    return mask is not None and mask.required and mask.annotation is ImageRef


def _has_to_be_given(prop: Property) -> bool:
    if prop.required or prop.name == "value":
        return True
    default = prop.default
    if any(get_origin(item) is list for item in get_args(prop.annotation)):
        # What numbers in lists mean is known by name alone.
        return False
    if isinstance(default, AssetRef):
        return default.is_empty()
    if any(
        isinstance(item, type) and (issubclass(item, ModelRef) or is_dataclass(item))
        for item in get_args(prop.annotation)
    ):
        # What hangs on a model, such as LoRAs and ControlNets, is something to add.
        return False
    return (
        default == ""
        or (isinstance(default, (list, dict)) and not default)
        or (default is None and prop.annotation is Any)
    )


def _text(prop: Property, spec: NodeSpec) -> Any:
    if prop.name == "folder" and spec.title.startswith("Save"):
        return "out"
    if prop.name == "folder" and "text" in spec.tags:
        return SAMPLE_TEXTS
    if prop.name == "path" and "cube" in spec.tags:
        return SAMPLE_TABLE
    if prop.name == "text" and "wildcard" in spec.tags:
        return "a {calm|wild} lake at {noon|night}"
    if prop.name == "text" and "json" in spec.tags:
        return '{"season": "winter"}'
    if prop.name == "pattern" and "regex" in spec.tags:
        return _TEXTS["regex"]
    if prop.name == "value" and "options" in spec.properties:
        return WORDS[0]
    if prop.name == "value" and "path" in spec.tags:
        return SAMPLE_FOLDER if "folder" in spec.tags else SAMPLE_IMAGE
    return _TEXTS.get(prop.name, "lake" if prop.required else NOTHING)


def _of_type(annotation: object, prop: Property) -> Any:
    annotation = strip(annotation)
    allowed = choices(annotation)
    if allowed is not None:
        return allowed[0]
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin in (int, float):
        return _number(origin, prop)
    if origin in (list, tuple, set, frozenset):
        return _items(args[0] if args else Any, prop)
    if isinstance(origin, type) and issubclass(origin, dict):
        return dict(PARTS)
    return _of_class(origin)


def _of_class(kind: object) -> Any:
    if not isinstance(kind, type):
        return "lake"
    if issubclass(kind, FolderRef):
        return {"type": "folder", "uri": SAMPLE_FOLDER}
    if issubclass(kind, ImageRef) or kind is AssetRef:
        return IMAGE
    if issubclass(kind, ColorRef):
        return {"type": "color", "value": "#ff8800"}
    if issubclass(kind, ImageSizeRef):
        return {"type": "image_size", "width": 128, "height": 128}
    if issubclass(kind, ModelRef):
        return {"type": kind.type_name(), "repo_id": _TEXTS["repo_id"]}
    simple: dict[type, object] = {
        bool: True,
        dt.datetime: "2026-06-21T12:00:00+00:00",
        dt.date: "2026-06-21",
        bytes: "",
    }
    return simple.get(kind, "lake")


def _items(item: object, prop: Property) -> list[Any]:
    if isinstance(item, type) and issubclass(item, ImageRef):
        return [{"type": "image", "uri": uri} for uri in (SAMPLE_IMAGE, OTHER_IMAGE)]
    if isinstance(item, type) and issubclass(item, ColorRef):
        return [{"type": "color", "value": value} for value in _COLOURS]
    if item is Any or str in union_members(item):
        return list(WORDS)
    return [_of_type(item, prop)]


def _number(kind: type, prop: Property) -> Any:
    low = prop.bounds.get("ge", prop.bounds.get("gt", 0) + ("gt" in prop.bounds))
    high = prop.bounds.get("le", prop.bounds.get("lt", low + 2) - ("lt" in prop.bounds))
    return kind(min(max(low, 1), high))
