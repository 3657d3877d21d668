"""The rules for InvokeAI's images, numbers and texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nodes.importers.comfyui.packs import estimate
from nodes.importers.comfyui.plain import Constant, calculation
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import Known, Pixels
from nodes.importers.invokeai.models import model_name
from nodes.importers.metadata.prompts import weights_file
from nodetool_core.importing.draft import Handle, Unsupported

OUTPUT: Final = "nodetool.output.Output"
_METHODS: Final = {"nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"}
_OPERATIONS: Final[Mapping[str, str]] = {
    "ADD": "a + b",
    "SUB": "a - b",
    "MUL": "a * b",
    "DIV": "a / b",
    "EXP": "a ** b",
    "MOD": "a % b",
    "ABS": "abs(a)",
    "SQRT": "a ** 0.5",
    "MIN": "min(a, b)",
    "MAX": "max(a, b)",
}
_ROUNDED: Final[Mapping[str, str]] = {
    "Nearest": "round(value / multiple) * multiple",
    "Floor": "floor(value / multiple) * multiple",
    "Ceiling": "ceil(value / multiple) * multiple",
    "Truncate": "trunc(value / multiple) * multiple",
}


def _gives(reading: Reading, made: Handle) -> tuple[object, ...]:
    """Return an image with its sides."""
    size = reading.add("nodetool.image.GetMetadata", {"image": made}, "size", optional=True)
    return Pixels(made), Handle(size, "width"), Handle(size, "height")


def _pixels(reading: Reading, name: str = "image") -> Handle:
    return reading.first(reading.take_as(name, Pixels))


def load_image(reading: Reading) -> tuple[object, ...]:
    value = reading.take("image", None)
    named = str(value.get("image_name", "")) if isinstance(value, Mapping) else ""
    name = reading.name("image")
    reading.note(f"is the input {name!r}, which has to be given.", f"Run with --set {name}=PATH.")
    properties: dict[str, object] = {"name": name}
    if named:
        properties["value"] = {"type": "image", "uri": named}
    return _gives(reading, Handle(reading.add("nodetool.input.ImageInput", properties)))


def result(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("image", Pixels)
    properties = {"name": reading.name("image"), "value": pixels.batch or pixels.handle}
    reading.add(OUTPUT, properties)
    return ()


def through(reading: Reading) -> tuple[object, ...]:
    return _gives(reading, reading.take_as("image", Pixels).handle)


def _method(reading: Reading) -> dict[str, object]:
    method = str(known(reading.take("resample_mode", "bicubic")))
    return {"method": _METHODS[method]} if method in _METHODS else {}


def resize(reading: Reading) -> tuple[object, ...]:
    sides = {name: reading.take(name, 512) for name in ("width", "height")}
    properties = {"image": _pixels(reading), **sides, **_method(reading)}
    return _gives(reading, Handle(reading.add("nodetool.image.Resize", properties)))


def scale(reading: Reading) -> tuple[object, ...]:
    factor = reading.take("scale_factor", 2.0)
    properties = {"image": _pixels(reading), "scale": factor, **_method(reading)}
    return _gives(reading, Handle(reading.add("nodetool.image.Scale", properties)))


def crop(reading: Reading) -> tuple[object, ...]:
    left, top = reading.whole("x", 0), reading.whole("y", 0)
    right, bottom = left + reading.whole("width", 512), top + reading.whole("height", 512)
    box = {"left": left, "top": top, "right": right, "bottom": bottom}
    return _gives(
        reading, Handle(reading.add("nodetool.image.Crop", {"image": _pixels(reading), **box}))
    )


def blur(reading: Reading) -> tuple[object, ...]:
    if (kind := str(known(reading.take("blur_type", "gaussian")))) != "gaussian":
        reading.note(f"blur_type {kind!r} is a Gaussian blur here.", level="warning")
    properties = {"image": _pixels(reading), "radius": reading.take("radius", 8.0)}
    return _gives(reading, Handle(reading.add("lib.pillow.filter.Blur", properties)))


def sharpen(reading: Reading) -> tuple[object, ...]:
    properties = {
        "image": _pixels(reading),
        "radius": reading.take("radius", 2),
        "percent": round(reading.number("strength", 50)),
        "threshold": 0,
    }
    return _gives(reading, Handle(reading.add("lib.pillow.enhance.UnsharpMask", properties)))


def edges(reading: Reading) -> tuple[object, ...]:
    reading.skip("detect_resolution", "image_resolution")
    properties = {
        "image": _pixels(reading),
        "low_threshold": reading.take("low_threshold", 100),
        "high_threshold": reading.take("high_threshold", 200),
    }
    return _gives(reading, Handle(reading.add("lib.pillow.filter.Canny", properties)))


def seen(node_type: str, what: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that finds depths or poses."""
    find = estimate(node_type, what)

    def read(reading: Reading) -> tuple[object, ...]:
        (pixels,) = find(reading)
        if not isinstance(pixels, Pixels):
            raise Unsupported("it gives no image")
        return _gives(reading, pixels.handle)

    return read


def enlarge(name: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that enlarges by a network, which the field `name` names."""

    def read(reading: Reading) -> tuple[object, ...]:
        value = known(reading.take(name, None))
        file = value if isinstance(value, str) else model_name(value)
        reading.skip("tile_size")
        ref = {"type": "hf.real_esrgan", "repo_id": weights_file(file)}
        made = Handle(
            reading.add(
                "huggingface.image_to_image.Upscale", {"image": _pixels(reading), "model": ref}
            )
        )
        if (factor := reading.take("scale", None)) is not None:
            message = f"scale {known(factor)}: the network enlarges by its own factor here."
            reading.note(message, level="warning")
            reading.skip("fit_to_multiple_of_8")
        return _gives(reading, made)

    return read


def paste(reading: Reading) -> tuple[object, ...]:
    """There, the mask says where the image below shows."""
    properties: dict[str, object] = {
        "image": _pixels(reading, "base_image"),
        "paste": _pixels(reading),
        "left": reading.take("x", 0),
        "top": reading.take("y", 0),
    }
    reading.skip("crop")
    if reading.has("mask"):
        hidden = {"mask": reading.take_as("mask", Pixels).handle}
        properties["mask"] = Handle(reading.add("lib.pillow.mask.InvertMask", hidden, "mask"))
    return _gives(reading, Handle(reading.add("nodetool.image.Paste", properties)))


def combine_masks(reading: Reading) -> tuple[object, ...]:
    both = {"a": _pixels(reading, "mask1"), "b": _pixels(reading, "mask2")}
    made = reading.add("lib.pillow.mask.CombineMasks", {**both, "operation": "multiply"})
    return _gives(reading, Handle(made))


def draw_number(reading: Reading) -> tuple[object, ...]:
    """Draw a whole number; its upper bound is drawn as well here."""
    bounds = {
        "minimum": reading.number("low", 0),
        "maximum": reading.number("high", 2**31 - 1),
    }
    drawn = {**bounds, "distribution": "whole", "seed": -1}
    made = reading.add("nodetool.number.RandomNumber", drawn, optional=True)
    return (Handle(made, "integer"),)


def operate(
    expression: str = "", *, is_whole: bool = True
) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node for two numbers: one that is an operation, or names its own."""

    def read(reading: Reading) -> tuple[object, ...]:
        name = "" if expression else str(known(reading.take("operation", "ADD")))
        if not expression and name not in _OPERATIONS:
            raise Unsupported(f"its operation {name!r} has no counterpart")
        given = {one: reading.take(one, 1) for one in ("a", "b")}
        return (calculation(reading, expression or _OPERATIONS[name], given)[int(is_whole)],)

    return read


def round_number(reading: Reading) -> tuple[object, ...]:
    method = str(known(reading.take("method", "Nearest")))
    if method not in _ROUNDED:
        raise Unsupported(f"its method {method!r} has no counterpart")
    given = {"value": reading.take("value", 0), "multiple": reading.take("multiple", 1)}
    return (calculation(reading, _ROUNDED[method], given)[1],)


def join(reading: Reading) -> tuple[object, ...]:
    parts = {"a": reading.take("string_left", ""), "b": reading.take("string_right", "")}
    made = reading.add("nodetool.text.Concat", parts, optional=True)
    values = [known(part) for part in parts.values()]
    if all(isinstance(value, str) for value in values):
        return (Known(made, value="".join(values)),)
    return (Handle(made),)


def replace_text(reading: Reading) -> tuple[object, ...]:
    reading.usual("use_regex", False)
    parts = {
        "text": reading.take("string", ""),
        "old": reading.take("search_string", ""),
        "new": reading.take("replace_string", ""),
    }
    return (Handle(reading.add("nodetool.text.Replace", parts)),)


def prompts_of_file(reading: Reading) -> tuple[object, ...]:
    """Read prompts, one a line; here, the text of the file is an input of the workflow."""
    name = reading.name("prompts")
    path = str(reading.take("file_path", ""))
    reading.note(
        f"the text of the file {path!r}, a prompt in each line, is the input {name!r}.",
        f"Run with --set {name}=@PATH.",
    )
    text = Handle(
        reading.add("nodetool.input.StringInput", {"name": name, "line_mode": "multiline"}, "text")
    )
    lines = Handle(reading.add("nodetool.text.SplitLines", {"text": text}), "lines")
    start, count = reading.whole("start_line", 1) - 1, reading.whole("max_prompts", 1)
    if start or count:
        part = {"values": lines, "start": start, "stop": start + count if count else 2**31 - 1}
        lines = Handle(reading.add("nodetool.list.Slice", part, "lines"))
    for around in ("pre_prompt", "post_prompt"):
        if words := known(reading.take(around, "")):
            reading.lost(f"{around} {words!r} has no counterpart: write it into each line.")
    return (lines,)


def each(reading: Reading) -> tuple[object, ...]:
    """Run what follows once for each value of a list."""
    values = reading.take("collection")
    if not isinstance(values, Handle):
        raise Unsupported("its collection is no list of texts or images")
    made = reading.add("nodetool.control.ForEach", {"input_list": values})
    return Handle(made), Handle(made, "index")


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "add": operate("a + b"),
    "boolean": Constant("nodetool.constant.Bool"),
    "canny_edge_detection": edges,
    "canny_image_processor": edges,
    "depth_anything_depth_estimation": seen("huggingface.preprocessing.EstimateDepth", "depths"),
    "div": operate("a / b"),
    "dw_openpose_detection": seen("huggingface.preprocessing.EstimatePose", "poses"),
    "esrgan": enlarge("model_name"),
    "float": Constant("nodetool.constant.Float"),
    "float_math": operate(is_whole=False),
    "float_to_int": round_number,
    "image": load_image,
    "img_blur": blur,
    "img_crop": crop,
    "img_paste": paste,
    "img_resize": resize,
    "img_scale": scale,
    "integer": Constant("nodetool.constant.Integer"),
    "integer_math": operate(),
    "iterate": each,
    "mask_combine": combine_masks,
    "midas_depth_image_processor": seen("huggingface.preprocessing.EstimateDepth", "depths"),
    "mul": operate("a * b"),
    "prompt_from_file": prompts_of_file,
    "rand_int": draw_number,
    "result": result,
    "save_image": through,
    "show_image": through,
    "spandrel_image_to_image": enlarge("image_to_image_model"),
    "spandrel_image_to_image_autoscale": enlarge("image_to_image_model"),
    "string": Constant("nodetool.constant.String"),
    "string_join": join,
    "string_replace": replace_text,
    "sub": operate("a - b"),
    "unsharp_mask": sharpen,
}
"""The types of nodes that these rules are for."""
