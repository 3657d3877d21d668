"""
The rules for numbers, texts and choices.

What stands in the file is known (`Known`), so that a switch can be settled and a size calculated;
the nodes are written all the same, and go where nothing needs them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nodes._expression import calculated
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import EmptyLatents, ImageLatents, Known, Pixels
from nodetool_core import NodeError
from nodetool_core.importing.draft import Handle, Unsupported

EXPRESSION: Final = "nodetool.number.Expression"
OUTPUT: Final = "nodetool.output.Output"

_RATIOS: Final = {
    "1:1": (1, 1),
    "3:2": (3, 2),
    "4:3": (4, 3),
    "16:9": (16, 9),
    "21:9": (21, 9),
    "2:3": (2, 3),
    "3:4": (3, 4),
    "9:16": (9, 16),
    "9:21": (9, 21),
    "4:5": (4, 5),
    "5:4": (5, 4),
}


_DIRECTIONS: Final = (
    *("front view", "front-right quarter view", "right side view", "back-right quarter view"),
    *("back view", "back-left quarter view", "left side view", "front-left quarter view"),
)
"""Every 45 degrees around the subject."""
_ELEVATIONS: Final[Mapping[float, str]] = {
    -15: "low-angle shot",
    15: "eye-level shot",
    45: "elevated shot",
    math.inf: "high-angle shot",
}
_DISTANCES: Final[Mapping[float, str]] = {2: "wide shot", 6: "medium shot", math.inf: "close-up"}
"""Words by the value below which they stand."""

_OWN_FLAGS: Final = re.compile(r"\(\?[a-zA-Z]+\)")
"""Flags in front of a pattern, which have to stay there."""

_BITS: Final = re.compile(r"(\w+)\s*&\s*(?:-(\d+)|~(\d+))")
"""A number without its last bits."""


def _multiple(found: re.Match[str]) -> str:
    """Return what cuts a number to a multiple of a power of two, without bits."""
    of = int(found[2]) if found[2] else int(found[3]) + 1
    return f"({found[1]} // {of} * {of})" if of & (of - 1) == 0 and of else found[0]


@dataclass(frozen=True)
class Constant:
    """A value of its own."""

    type: str

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        value = reading.take("value")
        return (Known(reading.add(self.type, {"value": value}, optional=True), value=value),)


def switch(reading: Reading) -> tuple[object, ...]:
    """One of two values: which, is settled where the file says it."""
    chosen = known(reading.take("switch", False))
    if isinstance(chosen, bool):
        not_taken = "on_false" if chosen else "on_true"
        reading.skip(not_taken)
        reading.unneeded.add(not_taken)
        name = "on_true" if chosen else "on_false"
        if reading.is_linked("switch"):
            reading.note(f"is settled: {name} is taken.")
        return (reading.take(name),)
    one, other = (_plain(reading.take(name)) for name in ("on_true", "on_false"))
    properties = {"condition": chosen, "if_true": one, "if_false": other}
    made = Handle(reading.add("nodetool.boolean.ConditionalSwitch", properties))
    return (Pixels(made) if isinstance(reading.take("on_true"), Pixels) else made,)


def _plain(value: object) -> object:
    if isinstance(value, Pixels):
        return value.handle
    if not isinstance(value, (Handle, str, int, float)):
        raise Unsupported(f"its switch is linked, and chooses between {type(value).__name__}")
    return value


def choose(reading: Reading) -> tuple[object, ...]:
    """One of several texts, and its number."""
    choice, number = reading.take("choice"), reading.take("index", 0)
    reading.skip(*(name for name, _ in reading.unread() if name.startswith("option")))
    reading.note(f"is settled: {known(choice)!r}, number {known(number)}.")
    return choice, number


def calculate(reading: Reading) -> tuple[object, ...]:
    """Work an expression out: as a float, cut to a whole number, and as a yes or no."""
    text = _BITS.sub(_multiple, reading.take_as("expression", str))
    names = {name.removeprefix("values."): name for name in reading.growing("values.")}
    return calculation(reading, text, {key: reading.take(name) for key, name in names.items()})


def convert_number(reading: Reading) -> tuple[object, ...]:
    return calculation(reading, "value", {"value": reading.take("value")})[:2]


def calculation(reading: Reading, text: str, names: Mapping[str, object]) -> tuple[object, ...]:
    """Return what an expression gives: as it is, cut to a whole number, and as a yes or no."""
    result = _result(text, {name: known(value) for name, value in names.items()})
    exact = Handle(reading.add(EXPRESSION, {"expression": text, **names}, optional=True), "number")
    cut = {"expression": f"trunc({text})", **names}
    whole = Handle(reading.add(EXPRESSION, cut, "whole", optional=True), "integer")
    if result is None:
        return exact, whole, Handle(exact.node, "boolean")
    return (
        Known(exact.node, "number", float(result)),
        Known(whole.node, "integer", int(result)),
        Known(exact.node, "boolean", bool(result)),
    )


def _result(text: str, values: Mapping[str, object]) -> float | None:
    """
    Return what an expression gives; None where a value of it comes with the run.

    Raises Unsupported where it can't be worked out, with any numbers in those places.
    """
    if all(isinstance(value, (int, float)) for value in values.values()):
        samples: list[Mapping[str, object]] = [values]
    else:
        samples = [dict.fromkeys(values, number) for number in (7, 640, 1)]
    for sample in samples:
        try:
            found = calculated(text, sample)
        except NodeError as error:
            reason = str(error)
        else:
            return found if sample is values else None
    raise Unsupported(f"its expression {text!r} has no counterpart: {reason.rstrip('.')}")


def image_size(reading: Reading) -> tuple[object, ...]:
    pixels = reading.take_as("image", Pixels)
    reading.skip("preview")
    size = reading.add("nodetool.image.GetMetadata", {"image": pixels.handle}, optional=True)
    if pixels.batch is None:
        return Handle(size, "width"), Handle(size, "height"), 1
    count = reading.add("nodetool.list.Length", {"values": pixels.batch}, "count", optional=True)
    return Handle(size, "width"), Handle(size, "height"), Handle(count)


def resolution(reading: Reading) -> tuple[object, ...]:
    """Work out a size of an aspect ratio and so many megapixels (of 1024 x 1024)."""
    ratio = reading.take_as("aspect_ratio", str).split(" ")[0]
    if ratio not in _RATIOS:
        raise Unsupported(f"aspect_ratio {ratio!r} is none of {', '.join(_RATIOS)}")
    wide, high = _RATIOS[ratio]
    multiple = max(1, reading.whole("multiple", 8))
    scale = math.sqrt(reading.number("megapixels", 1.0) * 1024 * 1024 / (wide * high))
    return tuple(round(side * scale / multiple) * multiple for side in (wide, high))


def concatenate(reading: Reading) -> tuple[object, ...]:
    first, second = (reading.take(name, "") for name in ("string_a", "string_b"))
    between = reading.take("delimiter", "")
    parts = [known(part) for part in (first, between, second)]
    if between != "":
        joined = {"a": first, "b": between}
        first = Handle(reading.add("nodetool.text.Concat", joined, "first", optional=True))
    made = reading.add("nodetool.text.Concat", {"a": first, "b": second}, optional=True)
    if all(isinstance(part, str) for part in parts):
        return (Known(made, value="".join(parts)),)
    return (Handle(made),)


def replace_text(reading: Reading) -> tuple[object, ...]:
    text, old, new = (reading.take(name, "") for name in ("string", "find", "replace"))
    made = reading.add("nodetool.text.Replace", {"text": text, "old": old, "new": new})
    values = [known(part) for part in (text, old, new)]
    if all(isinstance(part, str) for part in values):
        return (Known(made, value=values[0].replace(values[1], values[2])),)
    return (Handle(made),)


def replace_pattern(reading: Reading) -> tuple[object, ...]:
    flags = _flags(reading)
    pattern = reading.take_as("regex_pattern", str)
    properties = {
        "text": reading.take("string", ""),
        "pattern": f"{flags}{pattern}",
        "replacement": reading.take("replace", ""),
        "count": reading.take("count", 0),
    }
    return (Handle(reading.add("nodetool.text.RegexReplace", properties)),)


def camera_angle(reading: Reading) -> tuple[object, ...]:
    """Say a camera's place around the subject in words."""
    turn, height = reading.number("horizontal_angle", 0), reading.number("vertical_angle", 0)
    zoom = reading.number("zoom", 5)
    direction = _DIRECTIONS[int((turn % 360 + 22.5) // 45) % len(_DIRECTIONS)]
    text = f"{direction} {_below(_ELEVATIONS, height)} {_below(_DISTANCES, zoom)}"
    reading.skip(*(name for name, _ in reading.unread()))
    given = f"its angles {turn:g} and {height:g} and zoom {zoom:g}"
    reading.note(f"is settled: {given} are the words {text!r}.")
    made = reading.add("nodetool.constant.String", {"value": text})
    return None, Known(made, value=text)


def _below(names: Mapping[float, str], value: float) -> str:
    return next(name for bound, name in names.items() if value < bound)


def extract_json(reading: Reading) -> tuple[object, ...]:
    """Take a value out of an object of JSON, as a text."""
    text, key = reading.take("json_string", ""), reading.take_as("key", str)
    path = "$['" + key.replace("\\", "\\\\").replace("'", "\\'") + "']"
    found = Handle(
        reading.add("nodetool.text.ExtractJSON", {"text": text, "json_path": path}, "value")
    )
    made = reading.add("nodetool.text.ToString", {"value": found}, optional=True)
    try:
        content = json.loads(known(text)) if isinstance(known(text), str) else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or key not in content:
        return (Handle(made),)
    value = content[key]
    return (Known(made, value=value if isinstance(value, str) else json.dumps(value)),)


def extract_pattern(reading: Reading) -> tuple[object, ...]:
    """Take the first match of a pattern out of a text, or one of its groups."""
    mode = str(reading.take("mode", "First Match"))
    if mode not in ("First Match", "First Group"):
        raise Unsupported(f"its mode {mode!r} has no counterpart")
    pattern = reading.take_as("regex_pattern", str)
    group = reading.whole("group_index", 1)
    if mode == "First Match":
        own = _OWN_FLAGS.match(pattern)
        begin = own[0] if own else ""
        pattern, group = f"{begin}({pattern.removeprefix(begin)})", 1
    if group < 1:
        raise Unsupported(f"its group_index {group} has no counterpart")
    properties = {"text": reading.take("string", ""), "regex": f"{_flags(reading)}{pattern}"}
    found = Handle(reading.add("nodetool.text.ExtractRegex", properties, "groups"))
    first = {"values": found, "index": group - 1}
    reading.note("stops the run where nothing matches, instead of an empty text.")
    return (Handle(reading.add("nodetool.list.GetElement", first)),)


def text_length(reading: Reading) -> tuple[object, ...]:
    text = reading.take("string", "")
    made = reading.add("nodetool.text.Length", {"text": text}, optional=True)
    if isinstance(known(text), str):
        return (Known(made, value=len(known(text))),)
    return (Handle(made),)


def _flags(reading: Reading) -> str:
    """Return the flags of a pattern, as they stand in front of it."""
    flags = {"case_insensitive": "i", "multiline": "m", "dotall": "s"}
    chosen = [
        flag
        for name, flag in flags.items()
        if reading.take(name, name == "case_insensitive") is True
    ]
    return f"(?{''.join(chosen)})" if chosen else ""


def preview_anything(reading: Reading) -> tuple[object, ...]:
    value = reading.take("source")
    pixels = value.image if isinstance(value, ImageLatents) else value
    shown = (pixels.batch or pixels.handle) if isinstance(pixels, Pixels) else pixels
    if isinstance(shown, EmptyLatents) or not isinstance(shown, (Handle, str, int, float)):
        raise Unsupported(f"{type(value).__name__} has no counterpart that can be shown")
    reading.skip(*(name for name, _ in reading.unread()))
    reading.add(OUTPUT, {"name": reading.name("preview"), "value": shown})
    return (value,)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "CameraAngle": camera_angle,
    "ComfyMathExpression": calculate,
    "ComfyNumberConvert": convert_number,
    "ComfySwitchNode": switch,
    "CustomCombo": choose,
    "GetImageSize": image_size,
    "JsonExtractString": extract_json,
    "PreviewAny": preview_anything,
    "PrimitiveBoolean": Constant("nodetool.constant.Bool"),
    "PrimitiveFloat": Constant("nodetool.constant.Float"),
    "PrimitiveInt": Constant("nodetool.constant.Integer"),
    "PrimitiveString": Constant("nodetool.constant.String"),
    "PrimitiveStringMultiline": Constant("nodetool.constant.String"),
    "RegexExtract": extract_pattern,
    "RegexReplace": replace_pattern,
    "ResolutionSelector": resolution,
    "StringConcatenate": concatenate,
    "StringLength": text_length,
    "StringReplace": replace_text,
}
"""The classes that these rules are for."""
