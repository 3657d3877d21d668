"""
What our nodes are to ComfyUI: a table from the type to a rule.

A rule takes a `Writing` and gives the outputs of ours that have a counterpart. Most rules are
`Same`, data alone: a class of ComfyUI that does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from nodes.importers.comfyui import export_prompts, export_sampling
from nodes.importers.comfyui.class_table import CLASSES
from nodes.importers.comfyui.export_sampling import load_model, network_file
from nodes.importers.comfyui.writing import Given, Output, Writing
from nodetool_core.importing.draft import Unsupported
from nodetool_core.importing.graphs import Json, JsonObject

Outputs = Mapping[str, Given]
Rule = Callable[[Writing], Outputs]

_LONGEST: Final = 16384
"""A side of `Fit` that bounds nothing."""


@dataclass(frozen=True)
class Same:
    """A class of ComfyUI that does the same as a node of ours."""

    class_type: str
    inputs: Mapping[str, str]
    """Our properties, and the inputs that they become; those for images by the class's types."""
    fixed: Mapping[str, Json] = field(default_factory=dict)
    """Further inputs, which ours has no property for."""
    convert: Mapping[str, Callable[[Writing, str], Json]] = field(default_factory=dict)
    """How properties are rewritten."""
    outputs: tuple[str, ...] = ("output",)

    def __call__(self, writing: Writing) -> Outputs:
        described = CLASSES[self.class_type]
        kinds = {**described.required, **described.optional}
        made: JsonObject = dict(self.fixed)
        for prop, name in self.inputs.items():
            kind = kinds[name]
            if prop in self.convert:
                made[name] = self.convert[prop](writing, prop)
            elif kind == ["MASK"] or kind == ["IMAGE"]:
                if name not in described.optional or writing.has(prop):
                    made[name] = (writing.mask if kind == ["MASK"] else writing.image)(prop)
            else:
                made[name] = writing.value(prop)
        node = writing.add(self.class_type, made)
        return {
            ours: Output(node, index, described.gives[index])
            for index, ours in enumerate(self.outputs)
        }


@dataclass(frozen=True)
class Constant:
    """A value of its own; that of an input of the workflow is fixed there."""

    class_type: str
    kind: str
    is_input: bool = False

    def __call__(self, writing: Writing) -> Outputs:
        value = writing.known("value")
        node = writing.add(self.class_type, {"value": value})
        if self.is_input:
            name = str(writing.take("name"))
            writing.skip("description", "min", "max", "step", "multiline")
            message = f"the input {name!r} becomes a constant of the value {value!r}."
            writing.note(message, level="warning")
        return {"output": Output(node, 0, self.kind, value, is_constant=True)}


def _method(writing: Writing, name: str) -> Json:
    method = str(writing.known(name))
    return "nearest-exact" if method == "nearest" else method


def _blend_mode(writing: Writing, name: str) -> Json:
    mode = str(writing.known(name))
    # What it calls difference cuts off what is below black.
    found = {"subtract": "difference"}.get(mode, mode)
    if found not in ("normal", "multiply", "screen", "overlay", "soft_light") and found == mode:
        raise Unsupported(f"blend_mode {mode!r} has no counterpart")
    return found


def _share(offset: int) -> Callable[[Writing, str], Json]:
    """Return what makes a share of 1 of a level: one that gives the same level again."""

    def convert(writing: Writing, name: str) -> Json:
        level = writing.whole(name)
        return (level - 0.5) / 255 if offset else level / 255

    return convert


def _number_of_colour(writing: Writing, name: str) -> Json:
    value = writing.known(name)
    code = str(value["value"] if isinstance(value, Mapping) else value)
    try:
        return int(code.removeprefix("#"), 16) if len(code) == 7 else int("", 16)
    except ValueError:
        raise Unsupported(f"its color {code!r} is no colour of six digits") from None


def _channel(writing: Writing, name: str) -> Json:
    return {"R": "red", "G": "green", "B": "blue"}[str(writing.known(name))]


def load_image(writing: Writing) -> Outputs:
    value = writing.known("value")
    uri = str(value.get("uri") or "") if isinstance(value, Mapping) else str(value or "")
    writing.skip("name", "description")
    if not uri or ":" in uri or (isinstance(value, Mapping) and value.get("data")):
        raise Unsupported("its image is no file beside the workflow, which LoadImage could name")
    path = PurePosixPath(uri.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        message = f"{uri!r} is outside of ComfyUI's folders: {path.name!r} alone is kept."
        writing.note(message, level="warning")
        path = PurePosixPath(path.name)
    node = writing.add("LoadImage", {"image": str(path)})
    writing.note(f"reads {str(path)!r} from ComfyUI's input folder: copy it there.")
    return {"output": Output(node), "mask": Output(node, 1, "MASK")}


def mask_of_image(writing: Writing) -> Outputs:
    """Take the mask that LoadImage gives beside the image."""
    image = writing.take("image")
    nodes = writing.export.nodes
    if not isinstance(image, Output) or nodes[image.node]["class_type"] != "LoadImage":
        raise Unsupported("it takes the mask of an image that is no input of the workflow")
    transparent = Output(image.node, 1, "MASK")
    if writing.known("select") == "transparent":
        return {"output": transparent}
    return {"output": Output(writing.add("InvertMask", {"mask": transparent.link}), 0, "MASK")}


def resize(writing: Writing) -> Outputs:
    by = str(writing.known("by"))
    writing.skip("anchor", "fill", "color")
    inputs: JsonObject = {"image": writing.image("image")}
    inputs["upscale_method"] = _method(writing, "method")
    if by == "longer_side":
        writing.skip("width", "height", "fit", "megapixels")
        inputs["largest_size"] = writing.value("side")
        return {"output": Output(writing.add("ImageScaleToMaxDimension", inputs))}
    how = str(writing.known("fit"))
    if by != "size" or how not in ("stretch", "crop"):
        raise Unsupported(f"a resize by {by!r} with the fit {how!r} has no counterpart")
    if how == "crop" and writing.known("anchor") != "center":
        raise Unsupported("a crop with another anchor than the center has no counterpart")
    writing.skip("side", "megapixels")
    inputs |= {"width": writing.value("width"), "height": writing.value("height")}
    inputs["crop"] = "disabled" if how == "stretch" else "center"
    return {"output": Output(writing.add("ImageScale", inputs))}


def fit(writing: Writing) -> Outputs:
    width, height = writing.whole("width"), writing.whole("height")
    if width == height:
        writing.note("makes the longer side as long, which is a Resize when imported again.")
        method = _method(writing, "method")
        longest: JsonObject = {"image": writing.image("image"), "upscale_method": method}
        longest["largest_size"] = width
        return {"output": Output(writing.add("ImageScaleToMaxDimension", longest))}
    if (width == _LONGEST) == (height == _LONGEST):
        raise Unsupported(f"to fit an image into {width} x {height} has no counterpart")
    inputs: JsonObject = {"image": writing.image("image"), "crop": "disabled"}
    inputs["upscale_method"] = _method(writing, "method")
    inputs |= {name: 0 if side == _LONGEST else side for name, side in _sides(width, height)}
    return {"output": Output(writing.add("ImageScale", inputs))}


def _sides(width: int, height: int) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("width", width), ("height", height)


def crop(writing: Writing) -> Outputs:
    if writing.known("by") != "edges":
        raise Unsupported(f"to crop by {writing.known('by')!r} has no counterpart")
    left, top, right, bottom = (writing.whole(name) for name in ("left", "top", "right", "bottom"))
    if right <= left or bottom <= top:
        raise Unsupported("its edges hold no image between them")
    writing.skip("aspect", "width", "height", "anchor", "box")
    box: JsonObject = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {"output": Output(writing.add("ImageCrop", {"image": writing.image("image"), **box}))}


def paste(writing: Writing) -> Outputs:
    usual = {"anchor": "top_left", "opacity": 1.0, "blend_mode": "normal"}
    for name, value in usual.items():
        if writing.known(name) != value:
            raise Unsupported(f"to paste with {name} {writing.known(name)!r} has no counterpart")
    inputs: JsonObject = {
        "destination": writing.image("image"),
        "source": writing.image("paste"),
        "x": writing.value("left"),
        "y": writing.value("top"),
        "resize_source": False,
    }
    if writing.has("mask"):
        inputs["mask"] = writing.mask("mask")
    return {"output": Output(writing.add("ImageCompositeMasked", inputs))}


def upscale(writing: Writing) -> Outputs:
    writing.skip("tile_size", "tile_overlap")
    name = network_file(writing, "model", writing.known("model"))
    loader = writing.add("UpscaleModelLoader", {"model_name": name}, "model")
    inputs: JsonObject = {"upscale_model": [loader, 0], "image": writing.image("image")}
    return {"output": Output(writing.add("ImageUpscaleWithModel", inputs))}


def save(writing: Writing) -> Outputs:
    name = str(writing.known("name"))
    writing.skip("description")
    images = writing.image("value")
    if PurePosixPath(name).name.replace("%", "").strip("_ ") != name or name == "ComfyUI":
        writing.note(f"the output {name!r} is called otherwise when it is imported again.")
    writing.add("SaveImage", {"images": images, "filename_prefix": name})
    return {}


_METHOD: Final = {"method": _method}
_COMPOSITE: Final[Mapping[str, Json]] = {"x": 0, "y": 0, "resize_source": False}

RULES: Final[Mapping[str, Rule]] = {
    "huggingface.image_to_image.ImageToImage": export_sampling.from_image,
    "huggingface.image_to_image.Inpainting": export_sampling.inpaint,
    "huggingface.image_to_image.Upscale": upscale,
    "huggingface.loaders.ApplyControlNet": export_sampling.add_control,
    "huggingface.regions.AddPrompt": export_prompts.add_prompt,
    "huggingface.text_to_image.TextToImage": export_sampling.from_text,
    "lib.pillow.Blend": Same(
        "ImageBlend",
        {
            "image1": "image1",
            "image2": "image2",
            "alpha": "blend_factor",
            "blend_mode": "blend_mode",
        },
        convert={"blend_mode": _blend_mode},
    ),
    "lib.pillow.Composite": Same(
        "ImageCompositeMasked",
        {"image1": "source", "image2": "destination", "mask": "mask"},
        _COMPOSITE,
    ),
    "lib.pillow.draw.Background": Same(
        "EmptyImage",
        {"width": "width", "height": "height", "color": "color"},
        {"batch_size": 1},
        {"color": _number_of_colour},
    ),
    "lib.pillow.filter.Canny": Same(
        "Canny",
        {name: name for name in ("image", "low_threshold", "high_threshold")},
        convert={"low_threshold": _share(0), "high_threshold": _share(0)},
    ),
    "lib.pillow.filter.GetChannel": Same(
        "ImageToMask", {"image": "image", "channel": "channel"}, convert={"channel": _channel}
    ),
    "lib.pillow.filter.Invert": Same("ImageInvert", {"image": "image"}),
    "lib.pillow.mask.FromAlpha": mask_of_image,
    "lib.pillow.mask.Grow": Same(
        "GrowMask", {"mask": "mask", "pixels": "expand"}, {"tapered_corners": False}
    ),
    "lib.pillow.mask.InvertMask": Same("InvertMask", {"mask": "mask"}),
    "lib.pillow.mask.PadForOutpainting": Same(
        "ImagePadForOutpaint",
        {
            **{name: name for name in ("image", "left", "top", "right", "bottom")},
            "feather": "feathering",
        },
        outputs=("output", "mask"),
    ),
    "lib.pillow.mask.Threshold": Same(
        "ThresholdMask", {"image": "mask", "threshold": "value"}, convert={"threshold": _share(1)}
    ),
    "nodetool.constant.Bool": Constant("PrimitiveBoolean", "BOOLEAN"),
    "nodetool.constant.Float": Constant("PrimitiveFloat", "FLOAT"),
    "nodetool.constant.Integer": Constant("PrimitiveInt", "INT"),
    "nodetool.constant.String": Constant("PrimitiveStringMultiline", "STRING"),
    "nodetool.image.Crop": crop,
    "nodetool.image.Fit": fit,
    "nodetool.image.Paste": paste,
    "nodetool.image.Resize": resize,
    "nodetool.image.Scale": Same(
        "ImageScaleBy",
        {"image": "image", "scale": "scale_by", "method": "upscale_method"},
        convert=_METHOD,
    ),
    "nodetool.input.FloatInput": Constant("PrimitiveFloat", "FLOAT", is_input=True),
    "nodetool.input.HuggingFaceModelInput": load_model,
    "nodetool.input.ImageInput": load_image,
    "nodetool.input.IntegerInput": Constant("PrimitiveInt", "INT", is_input=True),
    "nodetool.input.StringInput": Constant("PrimitiveStringMultiline", "STRING", is_input=True),
    "nodetool.output.Output": save,
}
"""Every type of ours that has a counterpart."""

LEFT_OUT: Final = frozenset({"nodetool.workflows.base_node.Comment"})
"""Types that a run does without."""
