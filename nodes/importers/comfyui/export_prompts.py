"""The rules of the exporter for further prompts: each in its place, and all of them combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from nodes.importers.comfyui.writing import FurtherPrompt, Given, Output, Prompts, Writing
from nodetool_core.importing.graphs import Json, JsonObject

_EDGES: Final = (0.0, 0.0, 1.0, 1.0)


def add_prompt(writing: Writing) -> Mapping[str, Given]:
    """Write nothing yet: how its text is read is said by the node that generates."""
    text = writing.take("prompt")
    left, top, right, bottom = (writing.number(name) for name in ("left", "top", "right", "bottom"))
    prompt = FurtherPrompt(
        text if isinstance(text, Output) else str(text),
        (left, top, right, bottom),
        writing.mask("mask") if writing.has("mask") else None,
        *(writing.value(name) for name in ("strength", "start", "end")),
    )
    if prompt.mask is not None and prompt.edges != _EDGES:
        writing.lost("a part of the image has no counterpart beside a mask: the mask counts.")
    return {"output": Prompts((*further_prompts(writing), prompt))}


def further_prompts(writing: Writing) -> tuple[FurtherPrompt, ...]:
    """Return the prompts of a list that nodes make; another one is noted as lost."""
    found = writing.take("prompts")
    if isinstance(found, Prompts):
        return found.units
    if found:
        writing.lost("prompts are left out: no nodes make them, but the file holds them.")
    return ()


def combined(
    writing: Writing,
    base: Json,
    prompts: Sequence[FurtherPrompt],
    encoded: Callable[[Output | str, str], str],
) -> list[Json]:
    """
    Return the link to all prompts of a sampler.

    Args:
        base: The link to the prompt for the whole image; None where there is none.
        prompts: Those beside it.
        encoded: Writes a text; takes the part that its node is called by.
    """
    links = [base] if base is not None else []
    for number, prompt in enumerate(prompts, 1):
        node = encoded(prompt.text, f"further_{number}")
        for class_type, inputs in _placed(prompt):
            given: JsonObject = {"conditioning": [node, 0], **inputs}
            node = writing.add(class_type, given, f"placed_{number}")
        links.append([node, 0])
    made = links[0]
    for number, link in enumerate(links[1:], 1):
        both: JsonObject = {"conditioning_1": made, "conditioning_2": link}
        made = [writing.add("ConditioningCombine", both, f"combined_{number}"), 0]
    assert isinstance(made, list)
    return made


def _placed(prompt: FurtherPrompt) -> list[tuple[str, JsonObject]]:
    """Return the nodes that say where a prompt counts, in the order that they follow each other."""
    left, top, right, bottom = prompt.edges
    strength: JsonObject = {"strength": prompt.strength}
    made: list[tuple[str, JsonObject]] = []
    if prompt.mask is not None:
        masked: JsonObject = {"mask": prompt.mask, **strength, "set_cond_area": "default"}
        made.append(("ConditioningSetMask", masked))
    elif prompt.edges != _EDGES:
        area: JsonObject = {"width": right - left, "height": bottom - top, "x": left, "y": top}
        made.append(("ConditioningSetAreaPercentage", {**area, **strength}))
    elif prompt.strength != 1:
        made.append(("ConditioningSetAreaStrength", strength))
    if (prompt.start, prompt.end) != (0, 1):
        times: JsonObject = {"start": prompt.start, "end": prompt.end}
        made.append(("ConditioningSetTimestepRange", times))
    return made
