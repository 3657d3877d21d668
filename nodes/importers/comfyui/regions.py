"""
Prompts that count in a part of the image or of the steps, and several of them at once.

The rules say of a prompt where it counts, and which ones count beside it. A sampler makes of that
what its node has: further prompts, or one text for models that read one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.values import EmptyLatents, Pixels, Place, Prompt, Weights
from nodetool_core.importing.draft import Handle

ADD: Final = "huggingface.regions.AddPrompt"
CONCAT: Final = "nodetool.text.Concat"
_WHOLE: Final = Place()


def combine(reading: Reading) -> tuple[object, ...]:
    """Have two prompts count at once."""
    return (_beside(reading, "conditioning_1", "conditioning_2"),)


def _beside(reading: Reading, *names: str) -> Prompt:
    first, second = (reading.take_as(name, Prompt) for name in names)
    more = tuple(one for one in second.controls if one not in first.controls)
    if more or (first.controls and not second.controls):
        reading.note("ControlNets of one of the prompts lead all of them.", level="warning")
    return replace(
        first,
        controls=(*first.controls, *more),
        references=(*first.references, *second.references),
        beside=(*first.beside, replace(second, beside=()), *second.beside),
    )


def join(one: str, other: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that makes one prompt of two; here, of their texts."""

    def joined(reading: Reading) -> tuple[object, ...]:
        return (one_text(reading, _beside(reading, one, other)),)

    return joined


def in_area(reading: Reading, *, is_share: bool = False) -> tuple[object, ...]:
    width, height, x, y = (reading.take(name) for name in ("width", "height", "x", "y"))
    strength = reading.take("strength", 1.0)

    def placed(place: Place) -> Place:
        return replace(place, area=(x, y, width, height), is_share=is_share, strength=strength)

    return (_placed(reading, placed),)


def in_share(reading: Reading) -> tuple[object, ...]:
    return in_area(reading, is_share=True)


def in_mask(reading: Reading) -> tuple[object, ...]:
    mask, strength = reading.take_as("mask", Pixels), reading.take("strength", 1.0)
    if reading.take("set_cond_area", "default") != "default":
        message = "set_cond_area 'mask bounds': the model sees the whole image here, as by default."
        reading.note(message, level="warning")
    return (_placed(reading, lambda place: replace(place, mask=mask, strength=strength)),)


def in_range(reading: Reading) -> tuple[object, ...]:
    start, end = reading.take("start"), reading.take("end")
    return (_placed(reading, lambda place: replace(place, start=start, end=end)),)


def with_strength(reading: Reading) -> tuple[object, ...]:
    strength = reading.take("strength")
    return (_placed(reading, lambda place: replace(place, strength=strength)),)


def _placed(reading: Reading, change: Callable[[Place], Place]) -> Prompt:
    """Return a prompt, and all beside it, in another place."""
    prompt = reading.take_as("conditioning", Prompt)
    parts = [replace(one, place=change(one.place)) for one in (prompt, *prompt.beside)]
    return replace(parts[0], beside=tuple(parts[1:]))


def couple(reading: Reading) -> tuple[object, ...]:
    """Lead a model by prompts with masks, in its attention; here, in what it predicts."""
    weights, positive = reading.take_as("model", Weights), reading.take_as("positive", Prompt)
    if reading.take("mode", "Attention") != "Latent":
        message = "mode 'Attention' is 'Latent' here: what is predicted for each prompt is joined."
        reading.note(message, level="warning")
    return weights, positive, reading.take_as("negative", Prompt)


def one_text(reading: Reading, prompt: Prompt) -> Prompt:
    """Return prompts as one of their texts, which counts everywhere; note what that loses."""
    parts = (prompt, *prompt.beside)
    for one in parts:
        if one.place != _WHOLE:
            text = known(one.text)
            shown = repr(text) if isinstance(text, str) else "a prompt"
            reading.lost(f"{_said(one.place)} of {shown} has no counterpart for this model.")
    if len(parts) == 1:
        return replace(prompt, place=_WHOLE)
    reading.note("the prompts become one text, with commas between.", level="warning")
    for one in parts:
        if one.other is not None:
            reading.lost(f"the text {one.other!r} for CLIP-L alone is left out.")
    text = parts[0].text
    for number, one in enumerate(parts[1:], 1):
        text = _joined(reading, text, one.text, number)
    return replace(prompt, text=text, other=None, place=_WHOLE, beside=())


def _joined(reading: Reading, one: object, other: object, number: int) -> str | Handle:
    texts = [text for text in (one, other) if text]
    if all(isinstance(text, str) for text in texts):
        return ", ".join(map(str, texts))
    begun = Handle(reading.add(CONCAT, {"a": one, "b": ", "}, f"begun_{number}"))
    return Handle(reading.add(CONCAT, {"a": begun, "b": other}, f"joined_{number}"))


def _said(place: Place) -> str:
    """Return a place in words."""
    said = []
    if place.area is not None:
        sides = zip(("x", "y", "width", "height"), place.area, strict=True)
        said.append(", ".join(f"{name} {known(value)}" for name, value in sides))
    if place.mask is not None:
        said.append("the mask")
    if (known(place.start), known(place.end)) != (0, 1):
        said.append(f"start {known(place.start)} and end {known(place.end)}")
    if known(place.strength) != 1:
        said.append(f"strength {known(place.strength)}")
    return " and ".join(said)


def base_and_others(prompt: Prompt) -> tuple[Prompt | None, list[Prompt]]:
    """Return the first text that counts everywhere, and all other prompts."""
    parts = [prompt, *prompt.beside]
    base = next((one for one in parts if one.place == _WHOLE and one.text != ""), None)
    return base, [one for one in parts if one is not base]


def further_prompts(
    reading: Reading, prompts: list[Prompt], texts: list[object], latents: object
) -> dict[str, object]:
    """Return the property for further prompts, whose texts are given as they are to be read."""
    made: Handle | None = None
    for number, (prompt, text) in enumerate(zip(prompts, texts, strict=True), 1):
        place = prompt.place
        if prompt.other is not None:
            reading.lost(f"the text {prompt.other!r} for CLIP-L alone is left out.")
        properties: dict[str, object] = {
            "prompt": text,
            **_edges(reading, place, latents),
            **({} if place.mask is None else {"mask": place.mask.handle}),
            **_unusual({"strength": place.strength, "start": place.start}, 1.0, 0.0),
            **_unusual({"end": place.end}, 1.0),
            **({} if made is None else {"prompts": made}),
        }
        made = Handle(reading.add(ADD, properties, f"prompt_{number}", optional=True))
    return {} if made is None else {"prompts": made}


def _unusual(values: Mapping[str, object], *usual: float) -> dict[str, object]:
    pairs = zip(values.items(), usual, strict=True)
    return {name: value for (name, value), one in pairs if known(value) != one}


def _edges(reading: Reading, place: Place, latents: object) -> dict[str, object]:
    """Return the edges of an area as shares of the image."""
    if place.area is None:
        return {}
    x, y, width, height = map(known, place.area)
    sides: tuple[object, object] = (1, 1)
    if not place.is_share:
        sides = (
            (known(latents.width), known(latents.height))
            if isinstance(latents, EmptyLatents)
            else (None, None)
        )
    numbers = (x, y, width, height, *sides)
    if not all(isinstance(one, (int, float)) and one >= 0 for one in numbers) or not all(sides):
        message = f"{_said(Place(place.area))} of a prompt can't be said in shares of the image:"
        reading.lost(f"{message} it counts everywhere.")
        return {}
    of_width, of_height = (float(str(side)) for side in sides)
    edges = {
        "left": x / of_width,
        "top": y / of_height,
        "right": (x + width) / of_width,
        "bottom": (y + height) / of_height,
    }
    usual = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}
    rounded = {name: round(min(1.0, edge), 6) for name, edge in edges.items()}
    return {name: edge for name, edge in rounded.items() if edge != usual[name]}


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "Attention couple": couple,
    "ConditioningAverage": join("conditioning_to", "conditioning_from"),
    "ConditioningCombine": combine,
    "ConditioningConcat": join("conditioning_to", "conditioning_from"),
    "ConditioningSetArea": in_area,
    "ConditioningSetAreaPercentage": in_share,
    "ConditioningSetAreaStrength": with_strength,
    "ConditioningSetMask": in_mask,
    "ConditioningSetTimestepRange": in_range,
}
"""The classes that these rules are for."""
