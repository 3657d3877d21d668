"""
The rules for values of widespread packs: numbers, seeds, texts, switches, and inputs of clients.

KJNodes, rgthree, essentials, Comfyroll, WAS, Easy-Use and ComfyUI Deploy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nodes.importers.comfyui.plain import Constant, calculation, image_size
from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.steps import Through
from nodes.importers.comfyui.values import Known, Pixels
from nodetool_core.importing.draft import Handle, Unsupported

_INPUT: Final = "nodetool.input."


def constant_text(name: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that gives the text of a field."""

    def give(reading: Reading) -> tuple[object, ...]:
        text = str(known(reading.take(name, "")))
        if reading.take("strip_newlines", False) is True:
            text = text.replace("\n", "").strip()
        made = reading.add("nodetool.constant.String", {"value": text}, optional=True)
        return (Known(made, value=text),)

    return give


def seed(reading: Reading) -> tuple[object, ...]:
    value = reading.whole("seed", 0)
    made = reading.add("nodetool.constant.Integer", {"value": value}, optional=True)
    return Known(made, value=value), ""


def first_of(reading: Reading) -> tuple[object, ...]:
    """Give the first input that there is."""
    names = sorted(reading.growing("any_"))
    if not names:
        raise Unsupported("it has no input that runs")
    reading.skip(*names[1:])
    reading.unneeded.update(names[1:])
    return (reading.take(names[0]),)


def calculate(reading: Reading) -> tuple[object, ...]:
    names = {name.removeprefix("variables."): name for name in reading.growing("variables.")}
    values = {key: reading.take(name) for key, name in names.items()}
    return calculation(reading, reading.take_as("expression", str), values)


def calculate_with_letters(reading: Reading) -> tuple[object, ...]:
    """Work out an expression of up to three numbers: as a whole number, and as it is."""
    values = {name: reading.take(name) for name in ("a", "b", "c") if reading.has(name)}
    exact, whole, _ = calculation(reading, reading.take_as("value", str), values)
    return whole, exact


def size_and_count(reading: Reading) -> tuple[object, ...]:
    return reading.take_as("image", Pixels), *image_size(reading)


def given_by_client(node_type: str, kind: type) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node whose value a client of the workflow gives."""

    def give(reading: Reading) -> tuple[object, ...]:
        name = reading.name(str(known(reading.take("input_id", ""))) or "input")
        value = known(reading.take("default_value", kind()))
        words = (str(known(reading.take(one, ""))) for one in ("display_name", "description"))
        reading.skip("min_value", "max_value")
        properties: dict[str, object] = {"name": name, "value": kind(value)}
        if text := ": ".join(word for word in words if word):
            properties["description"] = text
        return (Handle(reading.add(f"{_INPUT}{node_type}", properties)),)

    return give


def image_of_client(reading: Reading) -> tuple[object, ...]:
    name = reading.name(str(known(reading.take("input_id", ""))) or "image")
    reading.skip("display_name", "description", "default_value_url")
    if reading.has("default_value"):
        reading.skip("default_value")
        reading.note("has an image to take where none is given: here, one has to be.")
    reading.note(f"is the input {name!r}.", f"Run with --set {name}=PATH.")
    return (Pixels(Handle(reading.add(f"{_INPUT}ImageInput", {"name": name}))),)


def steps(reading: Reading) -> tuple[object, ...]:
    """Give steps on; there, they are drawn as well."""
    reading.skip("start_step", "end_step")
    return (reading.take("sigmas"),)


def nothing(reading: Reading) -> tuple[object, ...]:
    """Leave a node out that is for the editor alone."""
    reading.skip(*(name for name, _ in reading.unread()))
    return (None,)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "Any Switch (rgthree)": first_of,
    "CR Seed": seed,
    "ComfyDeploy": nothing,
    "ComfyUIDeployExternalBoolean": given_by_client("BooleanInput", bool),
    "ComfyUIDeployExternalImage": image_of_client,
    "ComfyUIDeployExternalNumber": given_by_client("FloatInput", float),
    "ComfyUIDeployExternalNumberInt": given_by_client("IntegerInput", int),
    "ComfyUIDeployExternalNumberSlider": given_by_client("FloatInput", float),
    "ComfyUIDeployExternalText": given_by_client("StringInput", str),
    "Fast Groups Bypasser (rgthree)": nothing,
    "Fast Groups Muter (rgthree)": nothing,
    "FloatConstant": Constant("nodetool.constant.Float"),
    "GetImageSizeAndCount": size_and_count,
    "INTConstant": Constant("nodetool.constant.Integer"),
    "Label (rgthree)": nothing,
    "SimpleCalculatorKJ": calculate,
    "SimpleMath+": calculate_with_letters,
    "String to Text": constant_text("string"),
    "StringConstant": constant_text("string"),
    "StringConstantMultiline": constant_text("string"),
    "VisualizeSigmasKJ": steps,
    "easy cleanGpuUsed": Through("anything"),
    "easy clearCacheAll": Through("anything"),
}
"""The classes that these rules are for."""
