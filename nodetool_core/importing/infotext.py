"""
The text that web UIs write of an image: its prompts, and a line of what else it is made with.

    a lake
    Negative prompt: people
    Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: portraits

The format is the web UI's, and so are the names in the last line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nodetool_core.json_types import Json

_NEGATIVE: Final = "Negative prompt:"
_NAME: Final = re.compile(r"(\w[\w /-]+):\s*")
_VALUE: Final = re.compile(r'("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_JSON: Final = json.JSONDecoder()
_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")
_FEWEST: Final = 3
"""Parameters that make a last line one of parameters, and not of the prompt."""


def infotext(prompt: str, negative_prompt: str, parameters: Mapping[str, Json]) -> str:
    """
    Return the text of an image.

    Args:
        parameters: By their names in the last line, which those without a value are left out of.
    """
    lines = [prompt, f"{_NEGATIVE} {negative_prompt}"] if negative_prompt else [prompt]
    last = ", ".join(
        f"{name}: {_quoted(value)}" for name, value in parameters.items() if value is not None
    )
    return "\n".join([*lines, last]).strip()


@dataclass(frozen=True)
class Infotext:
    """A text that was read."""

    prompt: str
    negative_prompt: str
    parameters: Mapping[str, str]
    """By their names in the last line."""


def read(text: str) -> Infotext:
    """Return what a text says; one without parameters is a prompt."""
    *lines, last = text.strip().replace("\r\n", "\n").split("\n")
    found = dict(_parameters(last))
    if len(found) < _FEWEST:
        lines, found = [*lines, last], {}
    prompt, mark, negative = "\n".join(line.strip() for line in lines).partition(_NEGATIVE)
    if mark and prompt and not prompt.endswith("\n"):
        prompt, negative = prompt + mark + negative, ""
    return Infotext(prompt.strip(), negative.strip(), found)


def parsed(text: str) -> dict[str, str]:
    """Return the prompts and the parameters in a text, by their names; a size as `Size-1`, `-2`."""
    found = read(text)
    parameters = {"Prompt": found.prompt, "Negative prompt": found.negative_prompt}
    for name, value in found.parameters.items():
        if size := size_of(value):
            parameters |= {f"{name}-1": str(size[0]), f"{name}-2": str(size[1])}
        else:
            parameters[name] = value
    return parameters


def size_of(value: str) -> tuple[int, int] | None:
    """Return the width and the height that a value such as `512x768` states."""
    found = _SIZE.fullmatch(value)
    return (int(found[1]), int(found[2])) if found else None


def _parameters(line: str) -> Iterator[tuple[str, str]]:
    at = 0
    while name := _NAME.search(line, at):
        value, at = _value(line, name.end())
        yield name[1], value


def _value(line: str, at: int) -> tuple[str, int]:
    """Return the value that begins at a place, and where the next parameter may begin."""
    if line[at : at + 1] in ("[", "{"):
        try:
            _, end = _JSON.raw_decode(line, at)
        except (ValueError, RecursionError):
            pass
        else:
            return line[at:end], end
    value = _VALUE.match(line, at)
    return (_unquoted(value[1]), value.end()) if value else (line[at:], len(line))


def _quoted(value: Json) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n]", text) else text


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
