"""
The rules for networks that look at images: the background, depths, what words mean.

Ours are others that do the same work, and a note says which file they do it in the place of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nodes.importers.comfyui.reading import Reading
from nodes.importers.comfyui.values import Network, Pixels, Prompt, Weights
from nodetool_core.importing.draft import Handle, Unsupported

_DEPTHS: Final = frozenset({"depth", "depth_colored"})


@dataclass(frozen=True)
class Depths:
    """The image whose depths are asked for, and the file of the network that would see them."""

    image: Pixels
    file: object


def load_network(name: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a loader of a network that ours stand in for."""

    def load(reading: Reading) -> tuple[object, ...]:
        reading.skip("weight_dtype", "dtype", "precision")
        return (Network({"repo_id": reading.file_name(name)}),)

    return load


def remove_background(reading: Reading) -> tuple[object, ...]:
    network = reading.take_as("bg_removal_model", Network)
    image = reading.first(reading.take_as("image", Pixels))
    made = reading.add("huggingface.segmentation.RemoveBackground", {"image": image})
    _stands_in(reading, network.ref["repo_id"], "RemoveBackground's own network")
    return (Pixels(Handle(made, "mask")),)


def look_at_depths(model: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that gives the geometry of an image, of which we have depths."""

    def look(reading: Reading) -> tuple[object, ...]:
        network = reading.take_as(model, Network)
        image = reading.take_as("image", Pixels)
        reading.skip(*(name for name, _ in reading.unread()))
        return (Depths(image, network.ref["repo_id"]),)

    return look


def show_depths(geometry: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that draws geometry."""

    def show(reading: Reading) -> tuple[object, ...]:
        depths = reading.take_as(geometry, Depths)
        what = str(reading.take("output", "depth"))
        if what not in _DEPTHS:
            raise Unsupported(f"its output {what!r} has no counterpart")
        reading.skip(*(name for name, _ in reading.unread()))
        image = reading.first(depths.image)
        made = reading.add("huggingface.preprocessing.EstimateDepth", {"image": image})
        _stands_in(reading, depths.file, "EstimateDepth's own network")
        if what == "depth_colored":
            reading.note("draws depths in colours; here, in greys.", level="warning")
        return (Pixels(Handle(made)),)

    return show


def find_by_words(reading: Reading) -> tuple[object, ...]:
    """Mask what a text names; by boxes and points it would need another node of ours."""
    given = [name for name in ("bboxes", "positive_coords", "negative_coords") if reading.has(name)]
    text = reading.take_as("conditioning", Prompt).text if reading.has("conditioning") else ""
    if given or text == "":
        raise Unsupported("it is led by boxes or points, not by a text alone")
    model = reading.take("model", None) if reading.is_known("model") else None
    if isinstance(model, Weights):
        reading.draft.optional.add(model.model.node)
    reading.skip("refine_iterations", *given)
    reading.usual("individual_masks", False)
    properties = {
        "image": reading.first(reading.take_as("image", Pixels)),
        "text": text,
        "threshold": reading.take("threshold", 0.5),
    }
    made = reading.add("huggingface.segmentation.MaskFromText", properties)
    _stands_in(reading, "SAM 3", "MaskFromText's own network, whose masks are rougher")
    return Pixels(Handle(made, "mask")), None


def _stands_in(reading: Reading, file: object, ours: str) -> None:
    reading.note(f"{file} has no counterpart: {ours} is used.", level="warning")


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "DA3Inference": look_at_depths("da3_model"),
    "DA3Render": show_depths("da3_geometry"),
    "LoadBackgroundRemovalModel": load_network("bg_removal_name"),
    "LoadDA3Model": load_network("model_name"),
    "LoadMoGeModel": load_network("model_name"),
    "MoGeInference": look_at_depths("moge_model"),
    "MoGeRender": show_depths("moge_geometry"),
    "RemoveBackground": remove_background,
    "SAM3_Detect": find_by_words,
}
"""The classes that these rules are for."""
